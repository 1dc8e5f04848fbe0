"""Plain and gated perceptrons and PirateNets on one embedding; for their formulas see ``architectures.build``."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from gradalign.base.trees import Tree
from gradalign.networks.embeddings import embedding, inputs_of
from gradalign.networks.layers import ACTIVATIONS, Layer, Network, affine, dense
from gradalign.networks.settings import NetworkSettings
from gradalign.problems._contract import Problem


def perceptron(settings: NetworkSettings, problem: Problem, dtype: jnp.dtype) -> Network:
    """An ``mlp``, a ``modified_mlp`` or a ``pirate_net``, without a symmetry."""
    inputs, embed = inputs_of(settings, problem), embedding(settings, problem)
    embedded = settings.fourier_features or inputs
    new = partial(dense, settings=settings, dtype=dtype)
    gated = settings.architecture != "mlp"
    residual = settings.architecture == "pirate_net"
    width, depth, fields = settings.width, settings.depth, len(problem.fields)
    activation = ACTIVATIONS[settings.activation]

    def block(key: Array) -> Tree:
        keys = jax.random.split(key, 3)
        sizes = ((embedded, width), (width, width), (width, embedded))
        layers = [new(k, *size) for k, size in zip(keys, sizes, strict=True)]
        return {"layers": layers, "skip": jnp.zeros((), dtype)}

    def init(key: Array) -> Tree:
        keys = iter(jax.random.split(key, depth + 4))
        params: dict[str, Tree] = {}
        if settings.fourier_features:
            shape = (inputs, settings.fourier_features // 2)
            params["frequencies"] = settings.fourier_scale * jax.random.normal(next(keys), shape, dtype)
        if gated:
            params["gates"] = [new(next(keys), embedded, width) for _ in range(2)]
        if residual:
            params["blocks"] = [block(next(keys)) for _ in range(depth)]
        else:
            params["hidden"] = [new(next(keys), width if index else embedded, width) for index in range(depth)]
        params["output"] = new(next(keys), embedded if residual else width, fields)
        return params

    def apply(params: Tree, coordinates: Array) -> Array:
        z = embed(params, coordinates)
        if not gated:
            for layer in params["hidden"]:
                z = activation(affine(layer, z))
            return affine(params["output"], z)
        first, second = (activation(affine(layer, z)) for layer in params["gates"])

        def mixed(layer: Layer, x: Array) -> Array:
            hidden = activation(affine(layer, x))
            return hidden * first + (1 - hidden) * second

        if residual:
            for part in params["blocks"]:
                enter, middle, leave = part["layers"]
                body = activation(affine(leave, mixed(middle, mixed(enter, z))))
                z = part["skip"] * body + (1 - part["skip"]) * z
        else:
            for layer in params["hidden"]:
                z = mixed(layer, z)
        return affine(params["output"], z)

    return Network(init, apply)
