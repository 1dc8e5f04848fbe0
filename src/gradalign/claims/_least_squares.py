"""Least-squares problems for claims: random ones of bounded condition, and a small network on Poisson's equation.

A problem is a pair J (n, m, d), r (n, m): Jacobians and residuals of n losses L_i = ||r_i||^2 / 2, with zero rows where
a loss has fewer than m residuals, which no pseudo-power sees; batches have leading axes. All in float64.

The network solves -u'' = pi^2 sin(pi x) on (0, 1) with u = 0 at both ends, three losses: the equation at N equidistant
points, weighted by 1/N, and the two ends. It has the sizes 1-16-16-1, tanh, and Glorot's normal kernels.
"""

from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from gradalign.derivatives.partial import partial_derivatives
from gradalign.diagnostics.alignment import score_from_gram
from gradalign.diagnostics.angles import gauss_newton_gram
from gradalign.diagnostics.matrices import jacobian_blocks, random_orthogonal

Floats = NDArray[np.floating[Any]]

ROWS = 4  # residuals of a loss, at most
COLUMNS = 20  # parameters
CONDITION = 1e4  # of K, at most
CUTOFF = 1e-11  # relative, of eigenvalues: above rounding, below 1/condition
CHUNK = 250

SIZES = (1, 16, 16, 1)
LOSSES = ("equation", "left end", "right end")
RICH_SCALE = 15.0  # of the first kernel


def random_problems(
    n: int, draws: int, generator: np.random.Generator, rows: int | None = None, deficient: bool = False
) -> tuple[Floats, Floats]:
    """J (draws, n, 4, 20) with independent row spaces, and Gaussian r (draws, n, 4).

    A loss has ``rows`` residuals, or a random number from 1 to 4. The non-zero eigenvalues of K are log-uniform in
    [1e-4, 1]. ``deficient``: the last residual of every loss depends on its others.
    """
    J, r = np.zeros((draws, n, ROWS, COLUMNS)), np.zeros((draws, n, ROWS))
    for k in range(draws):
        ranks = generator.integers(1, ROWS + 1 - deficient, n) if rows is None else np.full(n, rows)
        total = int(ranks.sum())
        stretched = random_orthogonal(generator, total) * CONDITION ** (-0.5 * generator.random(total))
        blocks = np.split(stretched @ random_orthogonal(generator, COLUMNS)[:total], np.cumsum(ranks)[:-1])
        for i, (rank, block) in enumerate(zip(ranks, blocks, strict=True)):
            size = rank + deficient
            J[k, i, :size] = random_orthogonal(generator, size)[:, :rank] @ block
            r[k, i, :size] = generator.standard_normal(size)
    return J, r


def stacked(J: Floats) -> Floats:
    """The rows of all losses under each other: (..., n m, d) of (..., n, m, d)."""
    return J.reshape(*J.shape[:-3], -1, J.shape[-1])


def directions(J: Floats, r: Floats, power: float, damping: float = 0.0) -> Floats:
    """v_i = (J^T J + mu)^(-p) J_i^T r_i, (..., n, d), from the definition, by the matrix of the parameters' size.

    A pseudo-power for mu = 0.

    >>> directions(np.array([[[2.0, 0.0]], [[0.0, 4.0]]]), np.ones((2, 1)), 1.0).tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    whole = stacked(J)
    values, vectors = np.linalg.eigh(np.swapaxes(whole, -1, -2) @ whole)
    kept = values > CUTOFF * values[..., -1:]
    powers = np.where(kept, np.where(kept, values + damping, 1.0) ** -power, 0.0)
    # Gradients lie in the range of J^T, off which a damped power would only scale rounding
    coordinates = np.einsum("...nm,...nmd,...dk->...nk", r, J, vectors, optimize=True)
    return np.asarray(np.einsum("...nk,...k,...dk->...nd", coordinates, powers, vectors, optimize=True))


def grams(J: Floats, r: Floats, power: Floats | float, damping: Floats | float = 0.0) -> tuple[Floats, Floats]:
    """``gauss_newton_gram`` of each of a batch, (B, n, n), and its score, (B,).

    J (B, n, m, d), r (B, n, m); p and mu may differ, (B,).

    >>> gram, score = grams(np.eye(2)[None, :, None], np.array([[[3.0], [4.0]]]), 0.5)
    >>> gram[0].tolist(), score.tolist()
    ([[9.0, 0.0], [0.0, 16.0]], [0.0])
    """
    chunks = -(-len(J) // CHUNK)
    powers, dampings = (np.broadcast_to(values, len(J)) for values in (power, damping))
    # The last chunk is filled up with a second helping of the batch, so that one program serves all sizes
    parts = [np.resize(a, (chunks, CHUNK, *a.shape[1:])) for a in (J, r, powers, dampings)]
    found = [_grams(*(jnp.asarray(part) for part in chunk)) for chunk in zip(*parts, strict=True)]
    gram, score = (
        np.concatenate([np.asarray(part) for part in column])[: len(J)] for column in zip(*found, strict=True)
    )
    return gram, score


@jax.jit
@jax.vmap
def _grams(J: Array, r: Array, power: Array, damping: Array) -> tuple[Array, Array]:
    blocks, values = ({str(i): part for i, part in enumerate(parts)} for parts in (J, r))
    gram = gauss_newton_gram(blocks, values, power, damping)
    return gram, score_from_gram(gram)


def grid(points: int) -> Array:
    """x_k = k / (N + 1), k = 1..N, shape (N, 1)."""
    return jnp.arange(1, points + 1)[:, None] / (points + 1)


def ordinary_network(generator: np.random.Generator, scale: float = 1.0, deviation: float = 0.0) -> Floats:
    """Parameters (321,): Glorot's normal kernels, the first one times ``scale``; biases zero, the first ones of
    standard deviation ``deviation``."""
    parts: list[Floats] = []
    for inputs, outputs in pairwise(SIZES):
        kernel = generator.standard_normal(inputs * outputs) * np.sqrt(2 / (inputs + outputs))
        bias = generator.standard_normal(outputs)
        parts += [kernel * scale, bias * deviation] if not parts else [kernel, 0 * bias]
    return np.concatenate(parts)


def rich_network(generator: np.random.Generator) -> Floats:
    """Parameters (321,) that give K full rank in float64: the first kernel times 15, first biases N(0, 1)."""
    return ordinary_network(generator, RICH_SCALE, 1.0)


def network(theta: Array, x: Array) -> Array:
    """u, (N, 1), at x, (N, 1); theta (321,) holds kernel and bias of each layer in turn."""
    start, u = 0, x
    for layer, (inputs, outputs) in enumerate(pairwise(SIZES)):
        middle, end = start + inputs * outputs, start + (inputs + 1) * outputs
        u = (jnp.tanh(u) if layer else u) @ theta[start:middle].reshape(inputs, outputs) + theta[middle:end]
        start = end
    return u


def residuals(theta: Array, points: Array) -> dict[str, Array]:
    """Residuals by loss, in the order of ``LOSSES``."""
    second = partial_derivatives(lambda x: network(theta, x), points, ("xx",), ("x",))["xx"]
    ends = network(theta, jnp.asarray([[0.0], [1.0]]))[:, 0]
    equation = (-second - jnp.pi**2 * jnp.sin(jnp.pi * points))[:, 0] / jnp.sqrt(len(points))
    return dict(zip(LOSSES, (equation, ends[:1], ends[1:]), strict=True))


def linearise(theta: Floats, points: Array) -> tuple[Floats, Floats]:
    """J (3, N, 321) and r (3, N) of the network; the ends have one row each.

    >>> J, r = linearise(rich_network(np.random.default_rng(0)), grid(4))
    >>> J.shape, r.shape, np.count_nonzero(r, axis=1).tolist()
    ((3, 4, 321), (3, 4), [4, 1, 1])
    """
    J, r = np.zeros((3, len(points), len(theta))), np.zeros((3, len(points)))
    found, blocks = _linearise(jnp.asarray(theta), points)
    for i, name in enumerate(LOSSES):
        r[i, : len(found[name])], J[i, : len(found[name])] = found[name], blocks[name]
    return J, r


def joined_ends(J: Floats, r: Floats) -> tuple[Floats, Floats]:
    """The same residuals with both ends as one loss: J (2, N, 321), r (2, N) of J (3, N, 321), r (3, N).

    Without biases u(0) = 0, so that the left end alone has no direction.

    >>> J, r = joined_ends(np.ones((3, 2, 1)), np.array([[1.0, 2.0], [3.0, 0.0], [4.0, 0.0]]))
    >>> r.tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    return (np.stack([J[0], J[1] + np.roll(J[2], 1, axis=0)]), np.stack([r[0], r[1] + np.roll(r[2], 1)]))


@jax.jit
def _linearise(theta: Array, points: Array) -> tuple[dict[str, Array], dict[str, Array]]:
    return residuals(theta, points), jacobian_blocks(lambda values: residuals(values, points), theta)
