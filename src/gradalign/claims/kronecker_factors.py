"""Claims T28-T30: Shampoo's factors, SOAP's basis and diagonal, and what off-diagonal parts do to directions.

A layer's gradient is a matrix G (m, n); F = E[vec G vec G^T] is the second moment of the gradients that the optimizer
sees (row-major vec). Matrices are drawn from explicit seeds in float64. A record of status "false in general"
reproduces a counterexample.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from gradalign.base.precision import dtype_of
from gradalign.claims._batches import Floats
from gradalign.claims._ideal_soap import factors_of, ideal_soap
from gradalign.claims._records import Claim, Curve, at_most, counted, equals, holds, timed, vanishes
from gradalign.diagnostics.curvature import (
    best_kronecker,
    random_orthogonal,
    random_positive_definite,
    rearrange,
    second_moment,
    shampoo_factors,
)

BOUND = 1e-9  # inequalities between Frobenius norms of matrices of order one and condition up to 1e3
IDENTITY = 1e-10  # Kronecker identities, without any inverse
QUALITY = 0.02  # worst of 20 draws; the printed values come from other draws

M, N = 4, 5  # shape of the layer whose number of samples varies
SHAPES = ((2, 3), (5, 2), (3, 4), (4, 5))  # of the layers otherwise
DRAWS = 100  # of each shape
TOTAL = DRAWS * len(SHAPES)

_ideal_soap = jax.jit(ideal_soap, static_argnums=(1, 2))


def check() -> list[Claim]:
    """All records of the claims T28-T30.

    Raises ``ConfigurationError`` while JAX's 64-bit types are off.
    """
    dtype_of("float64")
    return timed(CHECKS)


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


def T28() -> list[Claim]:
    """Shampoo's factors and power iteration."""
    generator = np.random.default_rng(28)
    half_steps, kronecker, slack = [], [], []
    for m, n in SHAPES:
        found = _structure_of(_samples(generator, DRAWS, m, n))
        half_steps.append(found["half_steps"])
        slack.append(found["bounds"] - found["tangents"])
        B, C = random_positive_definite(generator, m, 50.0), random_positive_definite(generator, n, 50.0)
        F = jnp.asarray(np.kron(B, C))
        L, R = factors_of(F, m, n)
        kronecker.append(F - jnp.kron(L, R) / jnp.trace(L))
    samples = generator.standard_normal((3, 20, 100, M, N))
    printed = {1: 0.839, 10: 0.980, 100: 0.9997}
    qualities = {
        count: _structure_of(_truncated(part, count))["quality"] for count, part in zip(printed, samples, strict=True)
    }
    return [
        vanishes(
            "T28a",
            "vec L and vec R are half-steps of power iteration on the rearranged F, started from the identity.",
            "largest error",
            half_steps,
            IDENTITY,
            draws=TOTAL,
        ),
        vanishes(
            "T28b",
            "F = B kron C implies F = L kron R/tr L.",
            "largest error",
            kronecker,
            IDENTITY,
            draws=sum((m * n) ** 2 for m, n in SHAPES),
        ),
        holds(
            "T28c",
            "L and R are within tan^2 <= (n - 1)(sigma_2/sigma_1)^2, (m - 1)(...)^2 of the best Kronecker factors.",
            "least slack of both bounds",
            slack,
            BOUND,
            draws=2 * TOTAL,
        ),
        *(
            equals(
                "T28c",
                "L kron R approximates F nearly as well as the best Kronecker product.",
                f"cosine to F relative to the best one, worst of 20, {count} samples of 4 x 5 gradients",
                [np.min(quality, axis=0)],
                printed[count],
                QUALITY,
                "observation",
                of=quality,
            )
            for count, quality in qualities.items()
        ),
    ]


def T29() -> list[Claim]:
    """SOAP's basis and diagonal."""
    generator = np.random.default_rng(29)
    parts: dict[str, list[Floats]] = {}
    exact = []
    for m, n in SHAPES:
        for name, values in _structure_of(_samples(generator, DRAWS, m, n)).items():
            parts.setdefault(name, []).append(values)
        Q = np.kron(random_orthogonal(generator, m), random_orthogonal(generator, n))
        F = jnp.asarray((Q * generator.uniform(0.1, 2, m * n)) @ Q.T)
        soap = _ideal_soap(F, m, n)
        exact.append((soap.basis() * soap.squares.ravel()) @ soap.basis().T - F)
    found = {name: np.concatenate(values) for name, values in parts.items() if values[0].ndim == 1}
    return [
        vanishes(
            "T29a",
            "V = E[(Q_L^T G Q_R)^2], entry by entry.",
            "largest error",
            found["diagonal"],
            IDENTITY,
            draws=TOTAL,
        ),
        vanishes(
            "T29a",
            "||F - Q diag(V) Q^T||^2 = ||F||^2 - ||V||^2.",
            "largest relative error",
            found["pythagoras"],
            IDENTITY,
            draws=TOTAL,
        ),
        at_most(
            "T29a",
            "V is the diagonal nearest to F in the basis Q, in Frobenius norm.",
            "largest gain of 20 other diagonals",
            found["frobenius"],
            0.0,
            BOUND,
            draws=TOTAL,
        ),
        at_most(
            "T29a",
            "V is the best diagonal in the basis Q by the LogDet divergence.",
            "largest gain of 20 other diagonals",
            found["logdet"],
            0.0,
            BOUND,
            draws=TOTAL,
        ),
        holds(
            "T29b",
            "SOAP's approximation of F is never worse than gamma L kron R, for any gamma.",
            f"least relative margin, {TOTAL} draws",
            found["shampoo"] - found["soap"],
            BOUND,
            draws=TOTAL,
        ),
        vanishes(
            "T29c",
            "SOAP is exact for every F that is diagonal in a Kronecker basis.",
            "largest error",
            exact,
            BOUND,
            draws=sum((m * n) ** 2 for m, n in SHAPES),
        ),
        counted(
            "T29d",
            "SOAP's approximation of F is always better than the best Kronecker product.",
            f"draws of {TOTAL} in which it is worse",
            found["soap"] > found["best"],
            1,
            "false in general",
            "at least",
            draws=TOTAL,
            of=[found["soap"], found["best"]],
        ),
    ]


def T30() -> list[Claim]:
    """From off-diagonal energy to conditioning and direction."""
    generator = np.random.default_rng(30)
    draws = [_slacks(generator, d) for d in range(2, 9) for _ in range(60)]
    slacks = {name: [draw[name] for draw in draws] for name in draws[0]}
    quantity = "least slack, 420 draws"
    return [
        holds(
            "T30",
            "With unit diagonal and off-diagonal part of norm epsilon, kappa <= (1 + epsilon)/(1 - epsilon).",
            "least relative slack, 420 draws",
            slacks["conditioning"],
            BOUND,
            draws=420,
        ),
        holds(
            "T30",
            "In the D-metric the diagonal direction has cosine at least 2 sqrt(kappa)/(1 + kappa) to the full one.",
            quantity,
            slacks["direction"],
            BOUND,
            draws=420,
        ),
        holds("T30", "That cosine is at least sqrt(1 - epsilon^2).", quantity, slacks["sine"], BOUND, draws=420),
        holds(
            "T30",
            "With exact diagonal blocks the preconditioned Hessian has eigenvalues at most the number of blocks.",
            "least slack, two blocks, 420 draws",
            slacks["blocks"],
            BOUND,
            draws=420,
        ),
        holds(
            "T30",
            "cos(x, M x) >= 2 sqrt(kappa)/(1 + kappa) for every SPD M.",
            quantity,
            slacks["kantorovich"],
            BOUND,
            draws=420,
        ),
        holds("T30", "Some x attains that bound.", "minus the largest error", slacks["sharp"], BOUND, draws=420),
    ]


CHECKS = (T28, T29, T30)


def _slacks(generator: np.random.Generator, d: int) -> dict[str, float]:
    """Slacks of the inequalities of T30 for one draw of d x d matrices."""
    E = generator.standard_normal((d, d))
    E = E + E.T
    np.fill_diagonal(E, 0)
    epsilon = generator.uniform(0.01, 0.99)
    C = np.eye(d) + epsilon * E / np.linalg.norm(E, 2)
    kappa = np.linalg.cond(C)
    D = np.exp(generator.uniform(-2, 2, d))
    moment = np.sqrt(D)[:, None] * C * np.sqrt(D)
    g = generator.standard_normal(d)
    one, other = g / D, np.linalg.solve(moment, g)
    cosine = one @ (D * other) / np.sqrt((one @ (D * one)) * (other @ (D * other)))
    factor = generator.standard_normal((2 * d, 2 * d))
    H = factor @ factor.T
    first, second = np.linalg.cholesky(H[:d, :d]), np.linalg.cholesky(H[d:, d:])
    whiten = np.zeros((2 * d, 2 * d))
    whiten[:d, :d], whiten[d:, d:] = np.linalg.inv(first), np.linalg.inv(second)
    S = random_positive_definite(generator, d, 10.0 ** generator.uniform(0, 3))
    spread = np.linalg.cond(S)
    image = S @ g
    bound = 2 * np.sqrt(spread) / (1 + spread)
    values, vectors = np.linalg.eigh(S)
    x = vectors[:, 0] / np.sqrt(values[0]) + vectors[:, -1] / np.sqrt(values[-1])
    return {
        "conditioning": float((1 + epsilon) / (1 - epsilon) / kappa - 1),
        "direction": float(cosine - 2 * np.sqrt(kappa) / (1 + kappa)),
        "sine": float(cosine - np.sqrt(1 - epsilon**2)),
        "blocks": float(2 - np.linalg.eigvalsh(whiten @ H @ whiten.T)[-1]),
        "kantorovich": float(g @ image / np.linalg.norm(g) / np.linalg.norm(image) - bound),
        "sharp": float(-abs(x @ S @ x / np.linalg.norm(x) / np.linalg.norm(S @ x) - bound)),
    }


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
