"""Claims T28-T30: Shampoo's factors, SOAP's basis and diagonal, and what off-diagonal parts do to directions.

A layer's gradient is a matrix G (m, n); F = E[vec G vec G^T] is the second moment of the gradients that the optimizer
sees (row-major vec). Matrices are drawn from explicit seeds in float64. A record of status "false in general"
reproduces a counterexample.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from gradalign.claims._batches import Floats
from gradalign.claims._checks import Measured, Tolerance, at_most, counted, equals, holds, vanishes
from gradalign.claims._ideal_soap import factors_of, ideal_soap
from gradalign.claims._records import Curve, Numbers
from gradalign.diagnostics.kronecker import best_kronecker, rearrange, shampoo_factors
from gradalign.diagnostics.matrices import random_orthogonal, random_positive_definite, second_moment

BOUND = Tolerance(1e-9, "inequalities between Frobenius norms of matrices of order one and condition up to 1e3")
IDENTITY = Tolerance(1e-10, "rounding of Kronecker identities of matrices of order one, without any inverse")
QUALITY = Tolerance(0.02, "the worst of 20 draws; the printed values come from other draws")

M, N = 4, 5  # shape of the layer whose number of samples varies
SHAPES = ((2, 3), (5, 2), (3, 4), (4, 5))  # of the layers otherwise
DRAWS = 100  # of each shape
TOTAL = DRAWS * len(SHAPES)
ENTRIES = sum((m * n) ** 2 for m, n in SHAPES)  # of one F of each shape
PRINTED = {1: 0.839, 10: 0.980, 100: 0.9997}
"""Cosine of L kron R to F relative to the best one, the worst of 20 draws, by the number of samples."""

_ideal_soap = jax.jit(ideal_soap, static_argnums=(1, 2))


def curves() -> list[Curve]:
    """Errors of three approximations of F against the number of samples (T29), and angles against their bounds (T28c).

    The samples are of 4 x 5 gradients of three kinds, as the layers of a network with second derivatives have them
    (T27b); ``seed`` is the number of the draw.
    """
    draws, counts = 20, (1, 2, 3, 5, 10, 20, 50, 100)
    samples = _correlated(np.random.default_rng([29, 1]), draws, 100, M, N, kinds=3)
    found = {count: _structure_of(_truncated(samples, count)) for count in counts}
    names = {"shampoo": "Shampoo squared", "soap": "SOAP", "best": "best Kronecker product"}
    errors = [
        Curve("T29", "relative error of F", series, counts, [found[count][name][draw] ** 0.5 for count in counts], draw)
        for name, series in names.items()
        for draw in range(draws)
    ]
    bounds, tangents = (np.concatenate([found[count][name] for count in counts]) for name in ("bounds", "tangents"))
    angles = [
        Curve("T28", "squared tangent to the best factor", factor, bounds[:, k], tangents[:, k])
        for k, factor in enumerate("LR")
    ]
    return errors + angles


# T28: Shampoo's factors and power iteration


class Layers(NamedTuple):
    """The draws of T28.

    gradients: samples (100, 30, m, n), by shape. factors: definite matrices B (m, m) and C (n, n), by shape. few: the
    samples of the printed values, (20, 100, 4, 5), by how many of the 100 count.
    """

    gradients: Sequence[Floats]
    factors: Sequence[tuple[Floats, ...]]
    few: dict[int, Floats]


@cache
def random_layers() -> Layers:
    generator = np.random.default_rng(28)
    gradients, factors = [], []
    for m, n in SHAPES:
        gradients.append(_samples(generator, DRAWS, m, n))
        factors.append(tuple(random_positive_definite(generator, size, 50.0) for size in (m, n)))
    samples = generator.standard_normal((len(PRINTED), 20, 100, M, N))
    return Layers(gradients, factors, dict(zip(PRINTED, samples, strict=True)))


@cache
def shampoo_structures() -> list[dict[str, Floats]]:
    """``_structure_of`` the gradients of T28, by shape."""
    return [_structure_of(gradients) for gradients in random_layers().gradients]


@vanishes(
    "T28a",
    "vec L and vec R are half-steps of power iteration on the rearranged F, started from the identity.",
    "largest error",
    IDENTITY,
    draws=TOTAL,
)
def half_steps_of_power_iteration() -> Numbers:
    return [found["half_steps"] for found in shampoo_structures()]


@vanishes("T28b", "F = B kron C implies F = L kron R/tr L.", "largest error", IDENTITY, draws=ENTRIES)
def shampoo_of_a_kronecker_product() -> Numbers:
    errors = []
    for (m, n), (B, C) in zip(SHAPES, random_layers().factors, strict=True):
        F = jnp.asarray(np.kron(B, C))
        L, R = factors_of(F, m, n)
        errors.append(F - jnp.kron(L, R) / jnp.trace(L))
    return errors


@holds(
    "T28c",
    "L and R are within tan^2 <= (n - 1)(sigma_2/sigma_1)^2, (m - 1)(...)^2 of the best Kronecker factors.",
    "least slack of both bounds",
    BOUND,
    draws=2 * TOTAL,
)
def angles_to_the_best_factors() -> Numbers:
    return [found["bounds"] - found["tangents"] for found in shampoo_structures()]


@equals(
    "T28c",
    "L kron R approximates F nearly as well as the best Kronecker product.",
    "cosine to F relative to the best one, worst of 20, {count} samples of 4 x 5 gradients",
    lambda count: PRINTED[count],
    QUALITY,
    "observation",
    cases=[{"count": count} for count in PRINTED],
)
def quality_of_shampoo(count: int) -> Measured:
    quality = _structure_of(_truncated(random_layers().few[count], count))["quality"]
    return Measured(np.min(quality), of=quality)


# T29: SOAP's basis and diagonal


class DiagonalLayers(NamedTuple):
    """The draws of T29, by shape.

    gradients: samples (100, 30, m, n). moments: F (m n, m n), each diagonal in a Kronecker basis.
    """

    gradients: Sequence[Floats]
    moments: Sequence[Floats]


@cache
def diagonal_layers() -> DiagonalLayers:
    generator = np.random.default_rng(29)
    gradients, moments = [], []
    for m, n in SHAPES:
        gradients.append(_samples(generator, DRAWS, m, n))
        Q = np.kron(random_orthogonal(generator, m), random_orthogonal(generator, n))
        moments.append((Q * generator.uniform(0.1, 2, m * n)) @ Q.T)
    return DiagonalLayers(gradients, moments)


@cache
def soap_structures() -> dict[str, Floats]:
    """The quantities of ``_structure_of``, one number a draw, for the gradients of T29: (400,) each."""
    by_shape = [_structure_of(gradients) for gradients in diagonal_layers().gradients]
    names = [name for name, values in by_shape[0].items() if values.ndim == 1]
    return {name: np.concatenate([found[name] for found in by_shape]) for name in names}


@vanishes("T29a", "V = E[(Q_L^T G Q_R)^2], entry by entry.", "largest error", IDENTITY, draws=TOTAL)
def diagonal_of_soap() -> Numbers:
    return soap_structures()["diagonal"]


@vanishes("T29a", "||F - Q diag(V) Q^T||^2 = ||F||^2 - ||V||^2.", "largest relative error", IDENTITY, draws=TOTAL)
def pythagoras() -> Numbers:
    return soap_structures()["pythagoras"]


@at_most(
    "T29a",
    "V is the diagonal nearest to F in the basis Q, in Frobenius norm.",
    "largest gain of 20 other diagonals",
    0.0,
    BOUND,
    draws=TOTAL,
)
def nearest_diagonal() -> Numbers:
    return soap_structures()["frobenius"]


@at_most(
    "T29a",
    "V is the best diagonal in the basis Q by the LogDet divergence.",
    "largest gain of 20 other diagonals",
    0.0,
    BOUND,
    draws=TOTAL,
)
def best_diagonal_by_logdet() -> Numbers:
    return soap_structures()["logdet"]


@holds(
    "T29b",
    "SOAP's approximation of F is never worse than gamma L kron R, for any gamma.",
    "least relative margin, 400 draws",
    BOUND,
    draws=TOTAL,
)
def soap_against_shampoo() -> Numbers:
    found = soap_structures()
    return found["shampoo"] - found["soap"]


@vanishes(
    "T29c",
    "SOAP is exact for every F that is diagonal in a Kronecker basis.",
    "largest error",
    BOUND,
    draws=ENTRIES,
)
def soap_in_a_kronecker_basis() -> Numbers:
    errors = []
    for (m, n), moment in zip(SHAPES, diagonal_layers().moments, strict=True):
        F = jnp.asarray(moment)
        soap = _ideal_soap(F, m, n)
        errors.append((soap.basis() * soap.squares.ravel()) @ soap.basis().T - F)
    return errors


@counted(
    "T29d",
    "SOAP's approximation of F is always better than the best Kronecker product.",
    "draws of 400 in which it is worse",
    1,
    "false in general",
    "at least",
    draws=TOTAL,
)
def soap_worse_than_the_best_kronecker_product() -> Measured:
    found = soap_structures()
    return Measured(found["soap"] > found["best"], of=[found["soap"], found["best"]])


# T30: from the off-diagonal part to the condition number and the direction


class Matrices(NamedTuple):
    """One draw of T30.

    epsilon: number in (0, 1). C: identity plus a symmetric off-diagonal matrix of norm epsilon, (d, d). D: positive
    diagonal (d,). g: vector (d,). H: positive definite (2 d, 2 d). S: positive definite (d, d).
    """

    epsilon: float
    C: Floats
    D: Floats
    g: Floats
    H: Floats
    S: Floats


@cache
def random_matrices() -> list[Matrices]:
    """60 draws each of d = 2 to 8."""
    generator = np.random.default_rng(30)
    return [_matrices(generator, d) for d in range(2, 9) for _ in range(60)]


def _matrices(generator: np.random.Generator, d: int) -> Matrices:
    E = generator.standard_normal((d, d))
    E = E + E.T
    np.fill_diagonal(E, 0)
    epsilon = generator.uniform(0.01, 0.99)
    C = np.eye(d) + epsilon * E / np.linalg.norm(E, 2)
    D = np.exp(generator.uniform(-2, 2, d))
    g = generator.standard_normal(d)
    factor = generator.standard_normal((2 * d, 2 * d))
    S = random_positive_definite(generator, d, 10.0 ** generator.uniform(0, 3))
    return Matrices(epsilon, C, D, g, factor @ factor.T, S)


@holds(
    "T30",
    "With unit diagonal and off-diagonal part of norm epsilon, kappa <= (1 + epsilon)/(1 - epsilon).",
    "least relative slack, 420 draws",
    BOUND,
    draws=420,
)
def condition_by_the_off_diagonal_part() -> Numbers:
    return [(1 + epsilon) / (1 - epsilon) / np.linalg.cond(C) - 1 for epsilon, C, *_ in random_matrices()]


@holds(
    "T30",
    "In the D-metric the diagonal direction has cosine at least 2 sqrt(kappa)/(1 + kappa) to the full one.",
    "least slack, 420 draws",
    BOUND,
    draws=420,
)
def cosine_by_the_condition_number() -> Numbers:
    return [_cosine_of_directions(draw) - _least_cosine(draw.C) for draw in random_matrices()]


@holds("T30", "That cosine is at least sqrt(1 - epsilon^2).", "least slack, 420 draws", BOUND, draws=420)
def cosine_by_the_off_diagonal_part() -> Numbers:
    return [_cosine_of_directions(draw) - np.sqrt(1 - draw.epsilon**2) for draw in random_matrices()]


def _cosine_of_directions(draw: Matrices) -> float:
    """Cosine in the D-metric of the diagonal direction D^-1 g and the full one F^-1 g, F = D^(1/2) C D^(1/2)."""
    D, g = draw.D, draw.g
    moment = np.sqrt(D)[:, None] * draw.C * np.sqrt(D)
    one, other = g / D, np.linalg.solve(moment, g)
    return float(one @ (D * other) / np.sqrt((one @ (D * one)) * (other @ (D * other))))


def _least_cosine(matrix: Floats) -> float:
    """2 sqrt(kappa)/(1 + kappa), Kantorovich's bound on cos(x, M x) for a definite M of condition number kappa."""
    kappa = np.linalg.cond(matrix)
    return float(2 * np.sqrt(kappa) / (1 + kappa))


@holds(
    "T30",
    "With exact diagonal blocks the preconditioned Hessian has eigenvalues at most the number of blocks.",
    "least slack, two blocks, 420 draws",
    BOUND,
    draws=420,
)
def largest_eigenvalue_with_exact_blocks() -> Numbers:
    slack = []
    for H in (draw.H for draw in random_matrices()):
        d = len(H) // 2
        whiten = np.zeros((2 * d, 2 * d))
        for block in (slice(d), slice(d, 2 * d)):
            whiten[block, block] = np.linalg.inv(np.linalg.cholesky(H[block, block]))
        slack.append(2 - np.linalg.eigvalsh(whiten @ H @ whiten.T)[-1])
    return slack


@holds(
    "T30",
    "cos(x, M x) >= 2 sqrt(kappa)/(1 + kappa) for every SPD M.",
    "least slack, 420 draws",
    BOUND,
    draws=420,
)
def kantorovich() -> Numbers:
    slack = []
    for g, S in ((draw.g, draw.S) for draw in random_matrices()):
        image = S @ g
        slack.append(g @ image / np.linalg.norm(g) / np.linalg.norm(image) - _least_cosine(S))
    return slack


@holds("T30", "Some x attains that bound.", "minus the largest error", BOUND, draws=420)
def kantorovich_is_sharp() -> Numbers:
    slack = []
    for S in (draw.S for draw in random_matrices()):
        values, vectors = np.linalg.eigh(S)
        x = vectors[:, 0] / np.sqrt(values[0]) + vectors[:, -1] / np.sqrt(values[-1])
        slack.append(-abs(x @ S @ x / np.linalg.norm(x) / np.linalg.norm(S @ x) - _least_cosine(S)))
    return slack


def _samples(generator: np.random.Generator, draws: int, m: int, n: int) -> Floats:
    """Correlated gradients (draws, 30, m, n), all but the first 1 to 30 of which are zero."""
    count = generator.integers(1, 31, draws)
    return _truncated(_correlated(generator, draws, 30, m, n), count)


def _correlated(generator: np.random.Generator, draws: int, samples: int, m: int, n: int, kinds: int = 1) -> Floats:
    """A_k G B_k for Gaussian G and, in each draw, a fixed A_k and B_k of each kind in turn: (draws, samples, m, n).

    Their second moment tends to a sum of ``kinds`` Kronecker products. Entries are of order one.
    """
    left, right = generator.standard_normal((draws, kinds, m, m)), generator.standard_normal((draws, kinds, n, n))
    kind = np.arange(samples) % kinds
    gradients = left[:, kind] @ generator.standard_normal((draws, samples, m, n)) @ right[:, kind]
    return np.asarray(gradients / np.sqrt(np.mean(gradients**2, axis=(1, 2, 3), keepdims=True)))


def _truncated(gradients: Floats, count: int | NDArray[np.integer[Any]]) -> Floats:
    """The first ``count`` samples of each draw; the others become zero, which only scales F and keeps its shape."""
    kept = np.arange(gradients.shape[1]) < np.reshape(count, (-1, 1))
    return np.asarray(gradients * kept[:, :, None, None])


@jax.jit
@jax.vmap
def _structure(samples: Array, others: Array) -> dict[str, Array]:
    """The quantities of T28 and T29 for samples (S, m, n) and other diagonals (k, m n) relative to V."""
    _, m, n = samples.shape
    F = second_moment(samples)
    F, samples = F / jnp.linalg.norm(F), samples / jnp.sqrt(jnp.linalg.norm(F))
    L, R = shampoo_factors(samples)
    left, right = factors_of(F, m, n)
    u, singular, wt = jnp.linalg.svd(rearrange(F, m, n), full_matrices=False)
    ratio = (singular[1] / singular[0]) ** 2
    product = jnp.kron(L, R)
    overlap = jnp.sum(F * product) / jnp.linalg.norm(product)
    soap = ideal_soap(F, m, n)
    Q, V = soap.basis(), soap.squares.ravel()
    rotated = jnp.einsum("ji,sjk,kl->sil", soap.left, samples, soap.right)
    distance = jnp.sum((F - (Q * V) @ Q.T) ** 2)
    nearest = best_kronecker(F, m, n)
    regular = jnp.diagonal(Q.T @ F @ Q) + 1e-3  # LogDet needs a definite matrix
    logdet = jnp.sum(regular / regular + jnp.log(regular))
    return {
        "half_steps": jnp.maximum(jnp.max(jnp.abs(L - left)), jnp.max(jnp.abs(R - right))),
        "tangents": jnp.stack([_squared_tangent(L, u[:, 0]), _squared_tangent(R, wt[0])]),
        "bounds": jnp.stack([(n - 1) * ratio, (m - 1) * ratio]),
        "quality": overlap / singular[0],
        "diagonal": jnp.max(jnp.abs(soap.squares - jnp.mean(rotated**2, axis=0))),
        "pythagoras": jnp.abs(distance - (1 - jnp.sum(V**2))),
        "frobenius": jnp.max(distance - jax.vmap(lambda D: jnp.sum((F - (Q * D * V) @ Q.T) ** 2))(others)),
        "logdet": jnp.max(logdet - jnp.sum(1 / others + jnp.log(others * regular), axis=1)),
        "shampoo": 1 - overlap**2,
        "soap": distance,
        "best": nearest.relative_error**2,
    }


def _structure_of(gradients: Floats) -> dict[str, Floats]:
    """``_structure`` for a batch of samples (draws, S, m, n); the other diagonals are within about 30% of V."""
    draws, _, m, n = gradients.shape
    others = np.exp(0.3 * np.random.default_rng(0).standard_normal((draws, 20, m * n)))
    found = _structure(jnp.asarray(gradients), jnp.asarray(others))
    return {name: np.asarray(values) for name, values in found.items()}


def _squared_tangent(matrix: Array, unit: Array) -> Array:
    """tan^2 of the angle between a matrix, flattened, and a unit vector, up to sign."""
    along = matrix.ravel() @ unit
    return jnp.sum((matrix.ravel() - along * unit) ** 2) / along**2
