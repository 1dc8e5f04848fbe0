"""Building blocks of networks: activations, dense layers, and a network as a pair of functions."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradalign.base.trees import Tree
from gradalign.base.types import Apply
from gradalign.networks.settings import NetworkSettings

Layer = dict[str, Array]
"""``kernel`` (inputs, outputs), ``bias`` (outputs,), and with weight factorisation ``log_scale`` (outputs,)."""


def _gelu(x: Array) -> Array:
    """The tanh form, which is smooth and needs no error function (arXiv 1606.08415, section 2)."""
    return 0.5 * x * (1 + jnp.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


# Plain operations only: an inner ``jit`` would hide work that several derivatives share
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "swish": lambda x: x * jax.lax.logistic(x),
    "gelu": _gelu,
    "sin": jnp.sin,
}


class Network(NamedTuple):
    """One architecture.

    init: ``init(key) -> params``, a tree of dictionaries and lists of arrays.
    apply: ``apply(params, coordinates)``: (N, D) -> (N, F), row by row. Traceable, differentiable. A perceptron and a
        PirateNet without a symmetry also take one point, (D,) -> (F,).
    """

    init: Callable[[Array], Tree]
    apply: Apply


def dense(key: Array, rows: int, columns: int, settings: NetworkSettings, dtype: jnp.dtype) -> Layer:
    """A layer drawn from Glorot's normal distribution, factorised if the settings say so."""
    kernel_key, scale_key = jax.random.split(key)
    kernel = jax.random.normal(kernel_key, (rows, columns), dtype) * math.sqrt(2 / (rows + columns))
    layer = {"kernel": kernel, "bias": jnp.zeros(columns, dtype)}
    if settings.weight_factorisation:
        log_scale = jax.random.normal(scale_key, (columns,), dtype)
        log_scale = settings.factorisation_mean + settings.factorisation_deviation * log_scale
        layer |= {"kernel": kernel / jnp.exp(log_scale), "log_scale": log_scale}
    return layer


def affine(layer: Layer, x: Array) -> Array:
    """x W + b."""
    kernel = layer["kernel"] * jnp.exp(layer["log_scale"]) if "log_scale" in layer else layer["kernel"]
    return x @ kernel + layer["bias"]
