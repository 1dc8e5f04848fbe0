"""Claims T31 and T32: what SOAP's power -1/2 makes of six kinds of gradient statistics.

``ideal_soap`` is SOAP without momentum, averaging lag, stale bases or epsilon. On a quadratic with Hessian H the
gradient is g = H e. Matrices are drawn from explicit seeds in float64. A record of status "false in general"
reproduces a counterexample.
"""

from functools import cache
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gradalign.claims._batches import Floats, misalignments, score
from gradalign.claims._checks import Measured, Tolerance, at_least, equals, vanishes
from gradalign.claims._ideal_soap import CUTOFF, IdealSoap, factors_of, ideal_soap
from gradalign.claims._records import Curve, Numbers, Status
from gradalign.diagnostics.alignment import misalignment, null_value
from gradalign.diagnostics.kronecker import best_kronecker, shampoo_factors
from gradalign.diagnostics.matrices import (
    condition_number,
    kernel_matrix,
    random_orthogonal,
    random_positive_definite,
    second_moment,
    symmetric_power,
)

BOUND = Tolerance(1e-9, "rounding of sums over histories, and of whitening by a kernel of condition up to 1e3")
DIRECTION = Tolerance(
    1e-6, "rounding of directions and condition numbers after inverse square roots, condition 3000, 9e6 for H^2"
)
FLOW = Tolerance(1e-3, "descent has lambda/(2 - eta lambda) in place of lambda/2: eta lambda/2 = 5e-4 more, relatively")
LAST_DIGIT = Tolerance(0.05, "half a unit of the last digit of the printed value")
CONDITIONAL: Status = "proven under conditions"

M, N = 4, 5  # shape of the layer in T31
KAPPA = 3000.0  # condition number of its Hessian, a Kronecker product of factors with 50 and 60
SNAPSHOTS = {100: 0.985, 1000: 0.998}
"""Least mean cosine to Newton's direction by the number of snapshots."""

_ideal_soap = jax.jit(ideal_soap, static_argnums=(1, 2))
_best = jax.jit(best_kronecker, static_argnums=(1, 2))
_row_misalignments = jax.jit(jax.vmap(lambda one, other: misalignment([one, other])))


def curves() -> list[Curve]:
    """Eigenvalues of P H, relative to the largest, in the six regimes and on a linear layer; SOAP from few snapshots.

    The eigenvalues are those of P^(1/2) H P^(1/2); those of directions on which P does nothing are left out. ``seed``
    is the number of the Hessian.
    """
    hessians, errors = quadratics().hessians, quadratics().errors
    layer = np.kron(np.eye(M), linear_layer().covariance)
    of_layer = {
        "none": _relative(np.linalg.eigvalsh(layer)),
        "Sigma": _spectrum(layer, layer),
        "Sigma^2": _spectrum(layer @ layer, layer),
    }
    found = [
        Curve(claim, "eigenvalue of P H", series, np.arange(1.0, 1 + len(values)), values)
        for claim, spectra in (("T31", _spectra(np.asarray(hessians[0]))), ("T32", of_layer))
        for series, values in spectra.items()
    ]
    counts = (10, 30, 100, 300, 1000, 3000, 10_000)
    for k, H in enumerate(hessians):
        distances = [float(np.mean(_misalignments(_from_snapshots(H, c, k), H, errors, errors))) for c in counts]
        found.append(Curve("T31", "1 - cosine to Newton", "SOAP", counts, distances, k))
        descent = float(np.mean(misalignments(np.stack([errors, errors @ np.asarray(H)], axis=1))))
        found.append(Curve("T31", "1 - cosine to Newton", "gradient descent", counts, [descent] * len(counts), k))
    return found


def _spectra(H: Floats) -> dict[str, Floats]:
    """Eigenvalues of P H for the statistics of each regime of T31, and those of H and of Newton's method."""
    values, vectors = np.linalg.eigh(H)
    generator = np.random.default_rng([31, 1])
    spread = 50.0 ** np.linspace(0, 1, M * N)[generator.permutation(M * N)]
    crossover = float(np.sqrt(values[0] * values[-1]))
    gradient = H @ generator.standard_normal(M * N)
    moments = {
        "i": H @ H,
        "ii": H,
        "iii": (vectors * values**2 * spread) @ vectors.T,
        "iv": H @ H + crossover * H,
        "v": _history(jnp.asarray(H), 1e-3 / values[-1]),
        "vi": np.outer(gradient, gradient),
    }
    spectra = {regime: _spectrum(moment, H) for regime, moment in moments.items()}
    return {"none": _relative(values), "Newton": np.ones(M * N), **spectra}


def _spectrum(moment: Floats, H: Floats) -> Floats:
    root = symmetric_power(_ideal_soap(jnp.asarray(moment), M, N).matrix(), 0.5, CUTOFF**0.5)
    return _relative(np.linalg.eigvalsh(np.asarray(root @ H @ root)))


def _relative(values: Floats) -> Floats:
    """Non-zero eigenvalues over the largest, ascending."""
    return np.asarray(values[values > CUTOFF * values[-1]] / values[-1])


# T31: what the power -1/2 gives in six regimes of the gradient statistics


class Quadratics(NamedTuple):
    """The draws of T31i to T31vi, for a layer of m x n = 4 x 5 parameters.

    hessians: Kronecker products of condition number 3000, (20, m n, m n). errors: isotropic, (50, m n). basis: a
    Kronecker basis (m n, m n); curvature and spread: the eigenvalues in it of a Hessian and of a covariance, (m n,);
    structured_errors: (50, m n). left, singular, right: gradients U Sigma V^T as (20, m, m), (20, m), (20, m, n).
    full: a positive definite Hessian (m n, m n), and start: an error (m n,).
    """

    hessians: Array
    errors: Floats
    basis: Floats
    curvature: Floats
    spread: Floats
    structured_errors: Floats
    left: Floats
    singular: Floats
    right: Floats
    full: Floats
    start: Floats


@cache
def quadratics() -> Quadratics:
    generator = np.random.default_rng(31)
    factors = [
        (random_positive_definite(generator, M, 50.0), random_positive_definite(generator, N, KAPPA / 50))
        for _ in range(20)
    ]
    errors = generator.standard_normal((50, M * N))
    basis = np.kron(random_orthogonal(generator, M), random_orthogonal(generator, N))
    curvature, spread = (np.exp(generator.uniform(0, np.log(50), M * N)) for _ in range(2))
    structured_errors = generator.standard_normal((50, M * N))
    singular = np.array([1.0, 0.7, 0.4, 0.1]) * generator.uniform(1, 1.2, (20, M))
    return Quadratics(
        hessians=jnp.asarray(np.array([np.kron(B, C) for B, C in factors])),
        errors=errors,
        basis=basis,
        curvature=curvature,
        spread=spread,
        structured_errors=structured_errors,
        left=np.array([random_orthogonal(generator, M) for _ in range(20)]),
        singular=singular,
        right=np.array([random_orthogonal(generator, N)[:M] for _ in range(20)]),
        full=random_positive_definite(generator, M * N, 100.0),
        start=generator.standard_normal(M * N),
    )


def hessian() -> Array:
    """The Hessian H of most records, a Kronecker product of condition number 3000."""
    return quadratics().hessians[0]


# T31i: isotropic errors


@cache
def soap_without_noise() -> IdealSoap:
    """SOAP for the statistics F = H^2 of gradients at isotropic errors."""
    H = hessian()
    return _ideal_soap(H @ H, M, N)


@vanishes(
    "T31i",
    "Isotropic errors and a Kronecker Hessian make SOAP's direction Newton's.",
    "largest 1 - cos(SOAP, Newton)",
    DIRECTION,
    CONDITIONAL,
    draws=50,
)
def direction_at_isotropic_errors() -> Numbers:
    errors = quadratics().errors
    return _misalignments(soap_without_noise(), hessian(), errors, errors)


@equals(
    "T31i",
    "Its preconditioned Hessian has condition number 1.",
    "condition number, 3000 before",
    1.0,
    DIRECTION,
    CONDITIONAL,
)
def condition_at_isotropic_errors() -> Numbers:
    return _preconditioned(soap_without_noise(), hessian())


@at_least(
    "T31i",
    "SOAP from finitely many snapshots of gradients at isotropic errors approaches Newton.",
    "mean cosine to Newton, {count} snapshots, 20 Hessians",
    lambda count: SNAPSHOTS[count],
    0.0,
    "observation",
    cases=[{"count": count} for count in SNAPSHOTS],
)
def cosine_from_snapshots(count: int) -> Measured:
    hessians, errors = quadratics().hessians, quadratics().errors
    cosines = [1 - _misalignments(_from_snapshots(H, count, k), H, errors, errors) for k, H in enumerate(hessians)]
    return Measured(np.mean(cosines), of=cosines)


# T31ii: noise


@vanishes(
    "T31ii",
    "Noise statistics F = H make SOAP's direction H^(-1/2) g.",
    "largest 1 - cos(SOAP, H^(-1/2) g)",
    DIRECTION,
    CONDITIONAL,
    draws=50,
)
def direction_under_noise() -> Numbers:
    H, errors = hessian(), quadratics().errors
    return _misalignments(_ideal_soap(H, M, N), H, errors, errors @ np.asarray(symmetric_power(H, 0.5)))


@equals(
    "T31ii",
    "Noise statistics take the square root of the condition number.",
    "condition number, 3000 before",
    KAPPA**0.5,
    DIRECTION,
    CONDITIONAL,
)
def condition_under_noise() -> Numbers:
    return _preconditioned(_ideal_soap(hessian(), M, N), hessian())


@equals(
    "T31ii",
    "SOAP approximates Newton's preconditioner without isotropic errors.",
    "cosine to Newton at the worst error, condition number 3000",
    2 * KAPPA**0.25 / (1 + KAPPA**0.5),  # Kantorovich for H^(1/2), see T30
    DIRECTION,
    "false in general",
)
def direction_under_noise_at_the_worst_error() -> Numbers:
    # The error e with the least cosine between e and H^(1/2) e: equality in Kantorovich's inequality
    H = hessian()
    values, vectors = np.linalg.eigh(np.asarray(H))
    low, high = np.sqrt(values[[0, -1]])
    worst = (np.sqrt(high) * vectors[:, 0] + np.sqrt(low) * vectors[:, -1])[None]
    return 1 - _misalignments(_ideal_soap(H, M, N), H, worst, worst)


# T31iii: errors of covariance Sigma


@cache
def structured_quadratic() -> tuple[Array, IdealSoap]:
    """H, and SOAP for F = H Sigma H; the Kronecker basis diagonalises H and Sigma."""
    Q, curvature, spread = quadratics().basis, quadratics().curvature, quadratics().spread
    H, moment = (jnp.asarray((Q * values) @ Q.T) for values in (curvature, curvature**2 * spread))
    return H, _ideal_soap(moment, M, N)


@vanishes(
    "T31iii",
    "Errors of covariance Sigma in the eigenbasis of H make SOAP whiten the error; curvature cancels.",
    "largest 1 - cos(SOAP, Sigma^(-1/2) e)",
    DIRECTION,
    CONDITIONAL,
    draws=50,
)
def direction_at_structured_errors() -> Numbers:
    (H, soap), Q, errors = structured_quadratic(), quadratics().basis, quadratics().structured_errors
    return _misalignments(soap, H, errors, errors @ ((Q / np.sqrt(quadratics().spread)) @ Q.T))


@equals(
    "T31iii",
    "Errors of covariance Sigma in the eigenbasis of H make SOAP whiten the error; curvature cancels.",
    "condition number divided by kappa(Sigma)^(1/2)",
    1.0,
    DIRECTION,
    CONDITIONAL,
)
def condition_at_structured_errors() -> Numbers:
    H, soap = structured_quadratic()
    return _preconditioned(soap, H) / np.sqrt(np.linalg.cond(np.diag(quadratics().spread)))


# T31iv: signal and noise


class SignalAndNoise(NamedTuple):
    """SOAP for F = sigma_e^2 (H^2 + lambda_c H); H has eigenvalues (m n,) and eigenvectors (m n, m n)."""

    values: Floats
    vectors: Floats
    signal: float
    crossover: float
    soap: IdealSoap


@cache
def signal_and_noise() -> SignalAndNoise:
    H = hessian()
    values, vectors = (np.asarray(part) for part in jnp.linalg.eigh(H))
    signal = 0.3
    crossover = float(np.sqrt(values[0] * values[-1]))
    soap = _ideal_soap(signal**2 * (H @ H) + signal**2 * crossover * H, M, N)
    return SignalAndNoise(values, vectors, signal, crossover, soap)


@vanishes(
    "T31iv",
    "Signal and noise: SOAP's gain on eigenvalue lambda is 1/(sigma_e sqrt(lambda (lambda + lambda_c))): "
    "Newton's above lambda_c, H^(-1/2) below.",
    "largest relative error of the gain, eigenvalues on both sides of lambda_c",
    DIRECTION,
    CONDITIONAL,
    draws=M * N,
)
def gain_of_signal_and_noise() -> Numbers:
    values, vectors, signal, crossover, soap = signal_and_noise()
    gains = np.sum(vectors * np.asarray(soap.matrix() @ vectors), axis=0)
    return gains * signal * np.sqrt(values * (values + crossover)) - 1


@vanishes("T31iv", "Its direction follows that gain.", "largest 1 - cos", DIRECTION, CONDITIONAL, draws=50)
def direction_of_signal_and_noise() -> Numbers:
    values, vectors, _, crossover, soap = signal_and_noise()
    errors = quadratics().errors
    expected = (errors @ (vectors * np.sqrt(values / (values + crossover)))) @ vectors.T
    return _misalignments(soap, hessian(), errors, expected)


# T31v: the history of gradient flow


@vanishes(
    "T31v",
    "The history of gradient flow from an isotropic start has F = H/2.",
    "relative error at eta lambda_max = 1e-3",
    FLOW,
    CONDITIONAL,
    draws=(M * N) ** 2,
)
def history_of_gradient_flow() -> Numbers:
    return _relative_errors(flow_history(), np.asarray(hessian()) / 2)


@vanishes(
    "T31v",
    "The history of gradient descent has eigenvalues lambda/(eta (2 - eta lambda)).",
    "largest relative error, eta lambda_max = 1.5",
    BOUND,
    CONDITIONAL,
    draws=(M * N) ** 2,
)
def history_of_gradient_descent() -> Numbers:
    H = hessian()
    values, vectors = (np.asarray(part) for part in jnp.linalg.eigh(H))
    coarse = 1.5 / values[-1]
    expected = (vectors * values / (coarse * (2 - coarse * values))) @ vectors.T
    return _relative_errors(_history(H, coarse), expected)


@vanishes(
    "T31v",
    "On the history of gradient flow SOAP's direction is H^(-1/2) g.",
    "largest 1 - cos",
    DIRECTION,
    CONDITIONAL,
    draws=50,
)
def direction_on_the_history_of_gradient_flow() -> Numbers:
    H, errors = hessian(), quadratics().errors
    soap = _ideal_soap(jnp.asarray(flow_history()), M, N)
    return _misalignments(soap, H, errors, errors @ np.asarray(symmetric_power(H, 0.5)))


@cache
def flow_history() -> Floats:
    """eta times the history of gradient descent with eta lambda_max = 1e-3, (m n, m n)."""
    eta = 1e-3 / np.asarray(jnp.linalg.eigh(hessian())[0])[-1]
    return np.asarray(eta * _history(hessian(), eta))


def _history(H: Array, eta: float) -> Floats:
    """Sum of E[g_t g_t^T] over gradient descent from an isotropic start, by doubling the number of steps."""
    step = np.eye(M * N) - eta * np.asarray(H)
    total, power = np.eye(M * N), step @ step
    for _ in range(40):
        total, power = total + power @ total, power @ power
    return np.asarray(H @ total @ H)


def _relative_errors(found: Floats, expected: Floats) -> Floats:
    """Errors in units of the largest entry."""
    return np.asarray((found - expected) / np.max(np.abs(expected)))


# T31vi: one gradient direction


@cache
def rank_one_errors() -> tuple[Array, Array, Array]:
    """Errors (20, m, n) on G = U Sigma V^T: of SOAP and Shampoo^(1/4) to U V^T, of Shampoo^(1/2) to U Sigma^-1 V^T."""
    return _rank_one_errors(quadratics().left, quadratics().singular, quadratics().right)


@vanishes(
    "T31vi",
    "One gradient direction in the window makes SOAP orthogonalise it, U V^T: no curvature is left.",
    "largest error",
    DIRECTION,
    CONDITIONAL,
    draws=20 * M * N,
)
def soap_of_one_gradient() -> Numbers:
    return rank_one_errors()[0]


@vanishes(
    "T31vi",
    "Shampoo with powers -1/4 gives the same.",
    "largest error",
    DIRECTION,
    CONDITIONAL,
    draws=20 * M * N,
)
def shampoo_of_one_gradient() -> Numbers:
    return rank_one_errors()[1]


@vanishes(
    "T31vi",
    "Shampoo with powers -1/2 gives U Sigma^-1 V^T.",
    "largest error, in units of the largest entry of Sigma^-1",
    DIRECTION,
    CONDITIONAL,
    draws=20 * M * N,
)
def shampoo_squared_of_one_gradient() -> Numbers:
    return rank_one_errors()[2]


@vanishes(
    "T31vi",
    "A damped Newton trajectory on a quadratic has a single gradient direction.",
    "sigma_2/sigma_1 of its gradients",
    DIRECTION,
    "by construction",  # H H^-1 g is g: each gradient is the one before, shortened
)
def gradients_of_a_damped_newton_path() -> Numbers:
    path = _damped_newton_path(quadratics().full, quadratics().start)
    lengths = jnp.linalg.svd(jnp.asarray(path), compute_uv=False)
    return lengths[1] / lengths[0]


def _damped_newton_path(H: Floats, error: Floats) -> Floats:
    """Gradients along 20 Newton steps of length 0.3 from an error on a quadratic, (21, d)."""
    path = [H @ error]
    for _ in range(20):
        path.append(path[-1] - 0.3 * H @ np.linalg.solve(H, path[-1]))
    return np.array(path)


@jax.jit
@jax.vmap
def _rank_one_errors(U: Array, singular: Array, Vt: Array) -> tuple[Array, Array, Array]:
    """``rank_one_errors`` for one G; those of Shampoo^(1/2) in units of the largest entry of Sigma^-1."""
    G = (U * singular) @ Vt
    L, R = shampoo_factors(G[None])
    quarter, half = (symmetric_power(L, q, 1e-12) @ G @ symmetric_power(R, q, 1e-12) for q in (-0.25, -0.5))
    soap = ideal_soap(second_moment(G[None]), M, N)
    return soap.direction(G) - U @ Vt, quarter - U @ Vt, (half - (U / singular) @ Vt) * singular[-1]


# T31: Shampoo for a Kronecker F


@vanishes(
    "T31",
    "For Kronecker F Shampoo with powers -0.25 gives F^(-0.25) g.",
    "largest 1 - cos",
    DIRECTION,
    CONDITIONAL,
    draws=50,
)
def shampoo_of_a_kronecker_moment() -> Numbers:
    return _shampoo_misalignments(0.25)


@vanishes(
    "T31",
    "For Kronecker F Shampoo with powers -0.5 gives F^(-0.5) g.",
    "largest 1 - cos",
    DIRECTION,
    CONDITIONAL,
    draws=50,
)
def shampoo_squared_of_a_kronecker_moment() -> Numbers:
    return _shampoo_misalignments(0.5)


def _shampoo_misalignments(power: float) -> Array:
    """1 - cos of L^-power G R^-power and F^-power g for F = H, whose factors are L and R; 50 drawn g."""
    F, errors = hessian(), quadratics().errors
    left, right = (symmetric_power(factor, -power) for factor in factors_of(F, M, N))
    found = jnp.einsum("ij,bjk,kl->bil", left, jnp.asarray(errors).reshape(-1, M, N), right)
    expected = errors @ np.asarray(symmetric_power(F, -power))
    return _row_misalignments(found.reshape(len(errors), -1), jnp.asarray(expected))


# T31vii: at isotropic errors SOAP is Newton's method where H is diagonal in SOAP's basis, and only there


class MoreHessians(NamedTuple):
    """The draws of T31vii.

    errors: isotropic, (50, m n). diagonal: Hessians that are diagonal in a Kronecker basis, and full: Hessians of
    condition number 100, 20 of (m n, m n) each.
    """

    errors: Floats
    diagonal: list[Floats]
    full: list[Floats]


@cache
def more_hessians() -> MoreHessians:
    generator = np.random.default_rng([31, 2])
    draws = MoreHessians(generator.standard_normal((50, M * N)), [], [])
    for _ in range(20):
        Q = np.kron(random_orthogonal(generator, M), random_orthogonal(generator, N))
        draws.diagonal.append((Q * np.exp(generator.uniform(0, np.log(50), M * N))) @ Q.T)
        draws.full.append(random_positive_definite(generator, M * N, 100.0))
    return draws


@vanishes(
    "T31vii",
    "Isotropic errors and H diagonal in a Kronecker basis Q_L kron Q_R, L and R without equal eigenvalues, "
    "make SOAP's direction Newton's.",
    "largest 1 - cos(SOAP, Newton), 20 Hessians, 50 errors each",
    DIRECTION,
    CONDITIONAL,
    draws=1000,
)
def direction_for_diagonal_hessians() -> Numbers:
    errors = more_hessians().errors
    hessians = [jnp.asarray(H) for H in more_hessians().diagonal]
    return [_misalignments(_ideal_soap(H @ H, M, N), H, errors, errors) for H in hessians]


@at_least(
    "T31vii",
    "At isotropic errors SOAP's direction is Newton's only where H is a Kronecker product.",
    "least relative distance of these 20 Hessians from the best Kronecker product",
    0.2,
    0.0,
    "false in general",
    draws=20,
)
def diagonal_hessians_are_no_kronecker_products() -> Numbers:
    return [float(_best(jnp.asarray(H), M, N).relative_error) for H in more_hessians().diagonal]


@vanishes(
    "T31vii",
    "Errors of covariance I give ||P H - I||^2 = 2 sum_k (1 - sqrt(1 - e_k^2)), e_k^2 the share of row k of H "
    "that lies off the diagonal in SOAP's basis: P is H^-1 only where H is diagonal there.",
    "largest error, 20 Hessians of condition number 100",
    BOUND,
    draws=20,
)
def distance_of_the_preconditioner_from_the_inverse() -> Numbers:
    errors = []
    for H in map(jnp.asarray, more_hessians().full):
        soap = _ideal_soap(H @ H, M, N)
        rows = soap.basis().T @ H @ soap.basis()
        along = jnp.diagonal(rows) / jnp.linalg.norm(rows, axis=1)  # sqrt(1 - e_k^2)
        errors.append(jnp.sum((soap.matrix() @ H - jnp.eye(M * N)) ** 2) - 2 * jnp.sum(1 - along))
    return errors


SWAP = np.fliplr(np.eye(4))
"""The matrix with eigenvalues 1 and -1 in the basis that turns each factor by 45 degrees."""


@equals(
    "T31vii",
    "Isotropic errors without noise make SOAP Newton's method, whatever H.",
    "cosine to Newton, H = [2 0 0 1; 0 1 0 0; 0 0 1 0; 1 0 0 1], error (1, 0, 0, -1)",
    0.5**0.5,
    BOUND,
    "false in general",
)
def direction_for_a_full_hessian() -> Numbers:
    mixed = jnp.asarray(np.diag([2.0, 1, 1, 1]) + np.diag([1.0, 0, 0, 1]) @ SWAP)  # L = R = diag(6, 3)
    error = np.array([[1.0, 0, 0, -1]])
    return 1 - _misalignments(_ideal_soap(mixed @ mixed, 2, 2), mixed, error, error)


@equals(
    "T31vii",
    "H diagonal in a Kronecker basis is enough where L and R have equal eigenvalues, too.",
    "cosine to Newton, eigenvalues 1, 9, 9, 1 in a basis turned by 45 degrees, L = R = 82 I",
    0.6,  # SOAP's basis is that of the parameters and V constant: gradient descent, 2 sqrt(9) / (1 + 9)
    BOUND,
    "false in general",
)
def direction_for_equal_eigenvalues_of_the_factors() -> Numbers:
    equal = jnp.asarray(5 * np.eye(4) - 4 * SWAP)  # eigenvalues 1, 9, 9, 1; L = R = 82 I
    worst = np.array([[4.0, 0, 0, 2]])
    return 1 - _misalignments(_ideal_soap(equal @ equal, 2, 2), equal, worst, worst)


# T32: exact identities on a linear layer, whose Hessian is I kron Sigma


class LinearLayer(NamedTuple):
    """The draws of T32.

    covariance: Sigma (n, n) of condition number 736. errors: (50, m n). systems: for two and for three losses, the
    number of residuals of each loss, the Jacobian (N, 12) of all N residuals and the residuals (N,).
    """

    covariance: Floats
    errors: Floats
    systems: list[tuple[tuple[int, ...], Floats, Floats]]


@cache
def linear_layer() -> LinearLayer:
    generator = np.random.default_rng(32)
    draws = LinearLayer(random_positive_definite(generator, N, 736.0), generator.standard_normal((50, M * N)), [])
    for sizes in [(3, 5), (2, 3, 3)]:
        jacobian = generator.standard_normal((sum(sizes), 12))
        draws.systems.append((sizes, jacobian, generator.standard_normal(sum(sizes))))
    return draws


def hessian_of_the_layer(power: float = 1.0) -> Array:
    """I kron Sigma^power, (m n, m n)."""
    covariance = jnp.asarray(linear_layer().covariance)
    return jnp.kron(jnp.eye(M), covariance if power == 1 else symmetric_power(covariance, power))


@vanishes(
    "T32",
    "Linear layer, statistics I kron Sigma^2: SOAP's direction is the error (Newton).",
    "largest 1 - cos",
    DIRECTION,
    draws=50,
)
def direction_of_a_linear_layer_without_noise() -> Numbers:
    covariance, errors = jnp.asarray(linear_layer().covariance), linear_layer().errors
    soap = _ideal_soap(jnp.kron(jnp.eye(M), covariance @ covariance), M, N)
    return _misalignments(soap, hessian_of_the_layer(), errors, errors)


@vanishes(
    "T32",
    "Linear layer, statistics I kron Sigma: SOAP's direction is G Sigma^(-1/2).",
    "largest 1 - cos",
    DIRECTION,
    draws=50,
)
def direction_of_a_linear_layer_under_noise() -> Numbers:
    H, root, errors = hessian_of_the_layer(), hessian_of_the_layer(0.5), linear_layer().errors
    return _misalignments(_ideal_soap(H, M, N), H, errors, errors @ np.asarray(root))


@equals(
    "T32",
    "Statistics I kron Sigma take the square root of the condition number.",
    "condition number, 736 before",
    27.1,
    LAST_DIGIT,
)
def condition_of_a_linear_layer_under_noise() -> Numbers:
    H = hessian_of_the_layer()
    return _preconditioned(_ideal_soap(H, M, N), H)


@vanishes(
    "T32",
    "Gauss-Newton whitening by (J^T J)^(-1/2) scores exactly 2/n - 1.",
    "largest |A - 2/n + 1|, two and three losses",
    BOUND,
    draws=2,
)
def score_of_whitened_losses() -> Numbers:
    errors = []
    for sizes, drawn, residual in linear_layer().systems:
        jacobian = jnp.asarray(drawn)
        # (J^T J)^(-1/2) J^T = J^T K^(-1/2), and K is small and regular
        whitened = np.asarray(symmetric_power(kernel_matrix(jacobian), -0.5) @ jacobian)
        directions = [residual[a:b] @ whitened[a:b] for a, b in pairwise(np.cumsum((0, *sizes)))]
        errors.append(score(np.array(directions)) - null_value(len(sizes)))
    return errors


def _from_snapshots(H: Array, count: int, seed: int) -> IdealSoap:
    gradients = np.random.default_rng([31, count, seed]).standard_normal((count, M * N)) @ np.asarray(H)
    return _ideal_soap(jnp.asarray(gradients.T @ gradients / count), M, N)


@jax.jit
def _against(soap: IdealSoap, H: Array, errors: Array, expected: Array) -> Array:
    """1 - cos of SOAP's directions for the gradients H e and the expected ones; errors and expected (B, m n)."""
    gradients = (errors @ H).reshape(-1, *soap.squares.shape)
    found = jax.vmap(soap.direction)(gradients)
    return _row_misalignments(found.reshape(errors.shape), expected)


def _misalignments(soap: IdealSoap, H: Array, errors: Floats, expected: Floats) -> Floats:
    return np.asarray(_against(soap, H, jnp.asarray(errors), jnp.asarray(expected)))


@jax.jit
def _preconditioned_condition(soap: IdealSoap, H: Array) -> Array:
    root = symmetric_power(soap.matrix(), 0.5)
    return condition_number(root @ H @ root)


def _preconditioned(soap: IdealSoap, H: Array) -> float:
    """kappa(P H), by the symmetric P^(1/2) H P^(1/2)."""
    return float(_preconditioned_condition(soap, H))
