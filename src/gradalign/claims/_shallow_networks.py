"""Boundary and equation losses of -u'' = f on a line, and their gradients for networks with one hidden layer.

The losses are half the mean squares of u - g over boundary points and of u'' + f over inner points. For any network
they are written for automatic differentiation; for u(x) = scale sum_k a_k phi(w_k x + b_k) the gradients are also given
by formulas, which cost a fraction and need no compilation. All quantities are dimensionless.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from gradalign.claims._batches import units
from gradalign.derivatives.partial import partial_derivatives
from gradalign.diagnostics.alignment import score_from_gram

Floats = NDArray[np.floating[Any]]
Derivatives = Callable[[Floats], tuple[Floats, Floats, Floats, Floats]]
"""phi and its first three derivatives."""

_gram_scores = jax.jit(jax.vmap(score_from_gram))


class Poisson(NamedTuple):
    """-u'' = source (N,) at points (N,), u = values (B,) at boundary (B,)."""

    boundary: Floats
    values: Floats
    points: Floats
    source: Floats


def cosine_derivatives(z: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """sqrt(2) cos z and its first three derivatives.

    >>> [round(float(value), 3) for value in cosine_derivatives(np.full((), np.pi / 4))]
    [1.0, -1.0, -1.0, 1.0]
    """
    cosine, sine = np.sqrt(2) * np.cos(z), np.sqrt(2) * np.sin(z)
    return cosine, -sine, -cosine, sine


def tanh_derivatives(z: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """tanh z and its first three derivatives.

    >>> [round(float(value), 12) for value in tanh_derivatives(np.full((), np.arctanh(0.5)))]
    [0.5, 0.75, -0.75, -0.375]
    """
    t = np.tanh(z)
    slope = 1 - t * t
    return t, slope, -2 * t * slope, slope * (6 * t * t - 2)


def shallow_network(activation: Callable[[Array], Array], scale: float = 1.0) -> Callable[[Array, Array], Array]:
    """u = scale sum_k a_k phi(w_k x + b_k): parameters (3, M) with rows a, w, b, and points (N, 1), to values (N, 1).

    >>> network = shallow_network(jnp.exp, 2.0)
    >>> float(network(jnp.asarray([[3.0], [1.0], [0.0]]), jnp.zeros((1, 1)))[0, 0])
    6.0
    """
    return lambda params, x: scale * jnp.sum(params[0] * activation(x * params[1] + params[2]), axis=1, keepdims=True)


def losses(
    network: Callable[[Any, Array], Array], problem: Poisson
) -> tuple[Callable[[Any], Array], Callable[[Any], Array]]:
    """The boundary and the equation loss as functions of the parameters of any network.

    ``network`` maps parameters and points (N, 1) to values (N, 1), row by row.

    >>> problem = Poisson(np.ones(1), np.ones(1), np.ones(1), np.ones(1))
    >>> [float(loss(jnp.asarray(3.0))) for loss in losses(lambda a, x: a * x**2, problem)]  # (3 - 1)^2/2, (6 + 1)^2/2
    [2.0, 24.5]
    """

    def boundary(params: Any) -> Array:
        found = network(params, jnp.asarray(problem.boundary)[:, None])[:, 0]
        return jnp.mean(jnp.square(found - jnp.asarray(problem.values))) / 2

    def equation(params: Any) -> Array:
        points = jnp.asarray(problem.points)[:, None]
        found = partial_derivatives(lambda x: network(params, x), points, ("xx",), ("x",))["xx"][:, 0]
        return jnp.mean(jnp.square(found + jnp.asarray(problem.source))) / 2

    return boundary, equation


def shallow_gradients(parameters: Floats, problem: Poisson, derivatives: Derivatives, scale: float = 1.0) -> Floats:
    """Gradients of the boundary and of the equation loss of u = scale sum_k a_k phi(w_k x + b_k), by formula.

    parameters: rows a, w, b (3, M). Returns (2, 3, M): by loss, row and neuron.

    >>> problem = Poisson(np.ones(1), np.ones(1), np.ones(1), np.ones(1))
    >>> square = lambda z: (z**2, 2 * z, 2 + 0 * z, 0 * z)  # u = 3 x^2: u - g = 2, u'' + f = 7
    >>> shallow_gradients(np.array([[3.0], [1.0], [0.0]]), problem, square).ravel().tolist()
    [2.0, 12.0, 12.0, 14.0, 84.0, 0.0]
    """
    a, w, b = parameters
    value, slope, _, _ = derivatives(problem.boundary[:, None] * w + b)
    residual = (scale * value @ a - problem.values) / problem.boundary.size
    boundary = [residual @ value, a * ((residual * problem.boundary) @ slope), a * (residual @ slope)]
    _, _, second, third = derivatives(problem.points[:, None] * w + b)
    residual = (scale * second @ (a * w**2) + problem.source) / problem.points.size
    twice, thrice, moment = residual @ second, residual @ third, (residual * problem.points) @ third
    equation = [w**2 * twice, a * w * (2 * twice + w * moment), a * w**2 * thrice]
    return scale * np.array([boundary, equation])


def gram(vectors: Floats) -> Floats:
    """Cosines (..., n, n) of the rows of (..., n, d), for d too large to keep the vectors of many draws.

    >>> gram(np.array([[2.0, 0.0], [0.0, 3.0]])).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    directions = units(vectors)
    return np.asarray(directions @ directions.swapaxes(-1, -2))


def gram_scores(grams: Floats) -> Floats:
    """A of each Gram matrix (n, n) of a batch (B, n, n): (B,).

    >>> gram_scores(np.eye(2)[None]).tolist()
    [0.0]
    """
    return np.asarray(_gram_scores(jnp.asarray(grams)))


def kernel(t: Floats, length: float) -> tuple[Floats, Floats, Floats]:
    """k = exp(-t^2/(2 l^2)), its second and fourth derivative: E phi(x) phi(x + t), E phi phi'' and E phi'' phi'' for
    phi(x) = sqrt(2) cos(w x + b), w ~ N(0, 1/l^2), b uniform.

    >>> [float(value) for value in kernel(np.zeros(()), 0.5)]
    [1.0, -4.0, 48.0]
    """
    z = (t / length) ** 2
    k = np.exp(-z / 2)
    return k, (z - 1) / length**2 * k, (z**2 - 6 * z + 3) / length**4 * k


def kernel_products(problem: Poisson, length: float) -> tuple[Floats, Floats, float]:
    """K_bb (B, B), K_bD f (B,) and f^T K_DD f, K made of k, k'' and k'''' between boundary (b) and inner points (D).

    >>> kernel_products(Poisson(np.zeros(1), np.ones(1), np.zeros(1), np.ones(1)), 1.0)[2]
    3.0
    """
    x, y, f = problem.boundary, problem.points, problem.source
    mixed = kernel(x[:, None] - y, length)[1] @ f
    return kernel(x[:, None] - x, length)[0], mixed, float(f @ kernel(y[:, None] - y, length)[2] @ f)


def slope(x: Floats, y: Floats) -> float:
    """The slope of log y against log x by least squares.

    >>> round(slope(np.array([1.0, 2.0, 4.0]), np.array([3.0, 12.0, 48.0])), 12)
    2.0
    """
    centred = np.log(x) - np.mean(np.log(x))
    return float(centred @ np.log(y) / (centred @ centred))


def conflicts(scores: Floats) -> Floats:
    """1 where a score is negative, else 0; NaN remains NaN.

    >>> conflicts(np.array([-0.5, 0.0, 0.5])).tolist()
    [1.0, 0.0, 0.0]
    """
    return np.heaviside(-scores, 0.0)
