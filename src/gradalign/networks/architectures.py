"""Networks: maps from coordinates (N, D) to fields (N, F), as pure functions of a parameter tree.

Sizes. D coordinates, of which C are periodic, h harmonics, m random Fourier features, width w, depth d, F fields.
A dense layer from a to b units has

    q(a, b) = a b + b        parameters,  a b + 2 b  with weight factorisation.

Embedding: e = D - C + 2 h C inputs; with m > 0 Fourier features another e m/2 parameters, and then e = m. Parameters:

    mlp           [embedding] + q(e, w) + (d - 1) q(w, w) + q(w, F)
    modified_mlp  [embedding] + 2 q(e, w) + q(e, w) + (d - 1) q(w, w) + q(w, F)
    pirate_net    [embedding] + 2 q(e, w) + d (q(e, w) + q(w, w) + q(w, e) + 1) + q(e, F)

A ``spectral`` network has as many as an ``mlp`` of the other coordinates with a field for each wave of each field:
2h + 1 waves a field, or with ``symmetric`` h + 1 of an even field and h of an odd one.

Everything computes in the dtype it was built with; all quantities are dimensionless.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gradalign.base.errors import ConfigurationError
from gradalign.base.trees import Tree
from gradalign.base.types import Apply
from gradalign.derivatives.fourier_series import fourier_waves
from gradalign.networks.settings import NetworkSettings
from gradalign.networks.stretching import place
from gradalign.problems._contract import Problem

Layer = dict[str, Array]
"""``kernel`` (inputs, outputs), ``bias`` (outputs,), and with weight factorisation ``log_scale`` (outputs,)."""


def _gelu(x: Array) -> Array:
    """The tanh form, which is smooth and needs no error function (arXiv 1606.08415, section 2)."""
    return 0.5 * x * (1 + jnp.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


# Plain operations only: derivatives.py shares the work of several derivatives where no inner ``jit`` hides it.
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


def build(settings: NetworkSettings, problem: Problem, dtype: jnp.dtype) -> Network:
    """The network of ``settings`` for the coordinates, domain and fields of ``problem``.

    Embedding z of the coordinates:

    1. a coordinate is scaled to [-1, 1] over the domain, and stretched at the faces where the problem says so; a
       periodic one on [a, a + P] is replaced by cos(2πk(x - a)/P) and sin(2πk(x - a)/P), k = 1..harmonics, so that
       every field is exactly periodic (arXiv 2007.07400);
    2. with Fourier features, z <- (cos(z B), sin(z B)), B drawn from N(0, fourier_scale²) and trained like every other
       parameter, as in the released code of arXiv 2502.00604.

    Body, with σ the activation, all layers dense with bias, ⊙ by element:

    - ``mlp``: h_1 = σ(z W_1 + b_1), h_{l+1} = σ(h_l W_{l+1} + b_{l+1}), d hidden layers, linear output.
    - ``modified_mlp`` (arXiv 2001.04536): gates U = σ(z W_U + b_U), V = σ(z W_V + b_V); each hidden value of the
      ``mlp`` is replaced by h ⊙ U + (1 - h) ⊙ V.
    - ``pirate_net`` (arXiv 2402.00326): d blocks x -> α σ(g_2 W_3 + b_3) + (1 - α) x with g_1 = f ⊙ U + (1 - f) ⊙ V,
      f = σ(x W_1 + b_1), and g_2 likewise from g_1; each block has its own trained α, 0 at the start, so that the
      initial body is the identity on the embedding.
    - ``spectral`` (arXiv 2202.02710): N_f(t, x) = Σ_k c_fk(t) φ_k(x), where an ``mlp`` of the other coordinates gives
      the coefficients c of the waves φ of a Fourier series in x, up to k = harmonics, for problems with one periodic
      coordinate x. Such fields are smooth between the points of the residual, and linear in the output layer. That
      layer starts at zero, and the biases of the first from U(-1, 1): with biases at 0 and one hidden layer of tanh
      all c would be odd functions of time, but for a constant.

    Kernels start from Glorot's normal distribution (variance 2/(inputs + outputs)), biases from 0. Weight
    factorisation (arXiv 2210.01274): the kernel in use is V diag(exp s), columns being outputs, s drawn from
    N(mean, deviation²), both trained; V is chosen so that the initial product is Glorot's.

    Symmetric: with the reflection x -> 2c - x of the problem, which has parity p_f for field f, the network is
    (N_f(t, x) + p_f N_f(t, 2c - x)) / 2, which has it exactly, at twice the cost of N; a ``spectral`` network leaves
    out the waves without it instead. With a quarter turn it is the mean of N at the four places that the turn takes a
    point to, each turned back, at four times the cost. Raises ``ConfigurationError`` where the problem has no symmetry,
    or, for ``spectral``, no or several periodic coordinates.

    >>> from gradalign.problems.burgers import Settings, problem
    >>> settings = NetworkSettings(architecture="mlp", width=8, depth=2, activation="tanh")
    >>> network = build(settings, problem(Settings()), jnp.dtype("float32"))
    >>> params = network.init(jax.random.key(0))
    >>> sum(leaf.size for leaf in jax.tree.leaves(params))  # (2·8 + 8) + (8·8 + 8) + (8·1 + 1)
    105
    >>> network.apply(params, jnp.zeros((5, 2), jnp.float32)).shape
    (5, 1)
    """
    if settings.symmetric and not problem.has_symmetry:
        raise ConfigurationError(f"symmetric: true, but {problem.name} has no known symmetry; leave it out")
    if settings.architecture == "spectral":
        return _spectral(settings, problem, dtype)
    scaled = [name not in problem.periodic for name in problem.coordinates]
    inputs = sum(1 if plain else 2 * settings.harmonics for plain in scaled)
    embedded = settings.fourier_features or inputs
    gated = settings.architecture != "mlp"
    residual = settings.architecture == "pirate_net"
    width, depth, fields = settings.width, settings.depth, len(problem.fields)
    activation = ACTIVATIONS[settings.activation]

    def dense(key: Array, rows: int, columns: int) -> Layer:
        kernel_key, scale_key = jax.random.split(key)
        kernel = jax.random.normal(kernel_key, (rows, columns), dtype) * math.sqrt(2 / (rows + columns))
        layer = {"kernel": kernel, "bias": jnp.zeros(columns, dtype)}
        if settings.weight_factorisation:
            log_scale = jax.random.normal(scale_key, (columns,), dtype)
            log_scale = settings.factorisation_mean + settings.factorisation_deviation * log_scale
            layer |= {"kernel": kernel / jnp.exp(log_scale), "log_scale": log_scale}
        return layer

    def block(key: Array) -> Tree:
        keys = jax.random.split(key, 3)
        sizes = ((embedded, width), (width, width), (width, embedded))
        layers = [dense(k, *size) for k, size in zip(keys, sizes, strict=True)]
        return {"layers": layers, "skip": jnp.zeros((), dtype)}

    def init(key: Array) -> Tree:
        keys = iter(jax.random.split(key, depth + 4))
        params: dict[str, Tree] = {}
        if settings.fourier_features:
            shape = (inputs, settings.fourier_features // 2)
            params["frequencies"] = settings.fourier_scale * jax.random.normal(next(keys), shape, dtype)
        if gated:
            params["gates"] = [dense(next(keys), embedded, width) for _ in range(2)]
        if residual:
            params["blocks"] = [block(next(keys)) for _ in range(depth)]
        else:
            params["hidden"] = [dense(next(keys), width if index else embedded, width) for index in range(depth)]
        params["output"] = dense(next(keys), embedded if residual else width, fields)
        return params

    def embed(params: Tree, coordinates: Array) -> Array:
        columns = []
        for index, (plain, side) in enumerate(zip(scaled, problem.domain, strict=True)):
            if plain:
                factor = problem.stretching.get(problem.coordinates[index], 0.0)
                columns.append(place(coordinates[..., index], side, factor))
            else:
                turn = (coordinates[..., index] - side[0]) / (side[1] - side[0])
                angles = [2 * math.pi * k * turn for k in range(1, settings.harmonics + 1)]
                columns += [jnp.cos(angle) for angle in angles] + [jnp.sin(angle) for angle in angles]
        z = jnp.stack(columns, axis=-1)
        if settings.fourier_features:
            phase = z @ params["frequencies"]
            z = jnp.concatenate([jnp.cos(phase), jnp.sin(phase)], axis=-1)
        return z

    def apply(params: Tree, coordinates: Array) -> Array:
        z = embed(params, coordinates)
        if not gated:
            for layer in params["hidden"]:
                z = activation(_affine(layer, z))
            return _affine(params["output"], z)
        first, second = (activation(_affine(layer, z)) for layer in params["gates"])

        def mixed(layer: Layer, x: Array) -> Array:
            hidden = activation(_affine(layer, x))
            return hidden * first + (1 - hidden) * second

        if residual:
            for part in params["blocks"]:
                enter, middle, leave = part["layers"]
                body = activation(_affine(leave, mixed(middle, mixed(enter, z))))
                z = part["skip"] * body + (1 - part["skip"]) * z
        else:
            for layer in params["hidden"]:
                z = mixed(layer, z)
        return _affine(params["output"], z)

    if not settings.symmetric:
        return Network(init, apply)
    return Network(init, _mirrored(apply, problem) if problem.quarter_turn is None else _turned(apply, problem))


def _mirrored(apply: Apply, problem: Problem) -> Apply:
    """The part of a network that has the reflection symmetry of the problem."""
    reflection = problem.reflection
    assert reflection is not None
    index = problem.coordinates.index(reflection.coordinate)

    def symmetric(params: Tree, coordinates: Array) -> Array:
        mirrored = coordinates.at[:, index].set(2 * reflection.centre - coordinates[:, index])
        there = apply(params, mirrored)
        return (apply(params, coordinates) + jnp.asarray(reflection.parities, there.dtype) * there) / 2

    return symmetric


def _turned(apply: Apply, problem: Problem) -> Apply:
    """The part of a network that a quarter turn of the problem takes to itself."""
    turn = problem.quarter_turn
    assert turn is not None
    x, y = (problem.coordinates.index(name) for name in turn.coordinates)
    back = np.zeros((len(turn.sources), len(turn.sources)))
    back[list(turn.sources), range(len(turn.sources))] = turn.signs

    def symmetric(params: Tree, coordinates: Array) -> Array:
        place, total = coordinates, apply(params, coordinates)
        for turns in range(1, 4):
            place = place.at[:, x].set(-place[:, y]).at[:, y].set(place[:, x])
            found = apply(params, place)
            total = total + found @ jnp.asarray(np.linalg.matrix_power(back, turns).T, found.dtype)
        return total / 4

    return symmetric


def _spectral(settings: NetworkSettings, problem: Problem, dtype: jnp.dtype) -> Network:
    """A Fourier series in the periodic coordinate, whose coefficients a network of the other coordinates gives."""
    if len(problem.periodic) != 1:
        found = f"{len(problem.periodic)} periodic coordinates"
        raise ConfigurationError(f"architecture: spectral, but {problem.name} has {found}; allowed: one")
    axis, count = problem.coordinates.index(problem.periodic[0]), settings.harmonics
    (origin, high), reflection = problem.domain[axis], problem.reflection
    period = high - origin
    waves = [slice(0, 2 * count + 1)] * len(problem.fields)  # 1, cosines and sines, by field
    if settings.symmetric:
        assert reflection is not None
        origin = reflection.centre
        waves = [slice(0, count + 1) if p > 0 else slice(count + 1, 2 * count + 1) for p in reflection.parities]
    sizes = [part.stop - part.start for part in waves]
    ends = np.cumsum(sizes).tolist()
    others = replace(
        problem,
        coordinates=problem.coordinates[:axis] + problem.coordinates[axis + 1 :],
        domain=problem.domain[:axis] + problem.domain[axis + 1 :],
        fields=tuple(f"coefficient {k}" for k in range(ends[-1])),
        periodic=(),
        reflection=None,
    )
    plain = settings.model_copy(update={"architecture": "mlp", "symmetric": False})
    coefficients = build(plain, others, dtype)

    def init(key: Array) -> Tree:
        network_key, bias_key = jax.random.split(key)
        params = coefficients.init(network_key)
        first, output = params["hidden"][0], params["output"]
        first["bias"] = jax.random.uniform(bias_key, first["bias"].shape, dtype, -1, 1)
        output["kernel"] = jnp.zeros_like(output["kernel"])
        return params

    def apply(params: Tree, coordinates: Array) -> Array:
        c = coefficients.apply(params, jnp.concatenate([coordinates[:, :axis], coordinates[:, axis + 1 :]], axis=1))
        series = fourier_waves(coordinates[:, axis : axis + 1] - origin, period, count)
        parts = zip(ends, sizes, waves, strict=True)
        return jnp.stack(
            [jnp.sum(c[:, end - size : end] * series[:, part], axis=1) for end, size, part in parts], axis=1
        )

    return Network(init, apply)


def _affine(layer: Layer, x: Array) -> Array:
    kernel = layer["kernel"] * jnp.exp(layer["log_scale"]) if "log_scale" in layer else layer["kernel"]
    return x @ kernel + layer["bias"]
