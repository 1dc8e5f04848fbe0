"""Claims T31 and T32: what SOAP's power -1/2 makes of six kinds of gradient statistics.

``ideal_soap`` is SOAP without momentum, averaging lag, stale bases or epsilon. On a quadratic with Hessian H the
gradient is g = H e. Matrices are drawn from explicit seeds in float64. A record of status "false in general"
reproduces a counterexample.
"""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gradalign.base.precision import dtype_of
from gradalign.claims._batches import Floats, misalignments, score
from gradalign.claims._ideal_soap import CUTOFF, IdealSoap, factors_of, ideal_soap
from gradalign.claims._records import Claim, Curve, Status, at_least, equals, timed, vanishes
from gradalign.diagnostics.alignment import misalignment, null_value
from gradalign.diagnostics.curvature import (
    best_kronecker,
    condition_number,
    kernel_matrix,
    random_orthogonal,
    random_positive_definite,
    second_moment,
    shampoo_factors,
    symmetric_power,
)

BOUND = 1e-9  # sums over histories, and whitening by a kernel of condition up to 1e3
DIRECTION = 1e-6  # directions and condition numbers after inverse square roots at condition 3000 (9e6 for H^2)
CONDITIONAL: Status = "proven under conditions"

M, N = 4, 5  # shape of the layer in T31
KAPPA = 3000.0  # condition number of its Hessian, a Kronecker product of factors with 50 and 60

_ideal_soap = jax.jit(ideal_soap, static_argnums=(1, 2))
_best = jax.jit(best_kronecker, static_argnums=(1, 2))
_row_misalignments = jax.jit(jax.vmap(lambda one, other: misalignment([one, other])))


def check() -> list[Claim]:
    """All records of the claims T31 and T32.

    Raises ``ConfigurationError`` while JAX's 64-bit types are off.
    """
    dtype_of("float64")
    return timed(CHECKS)


def curves() -> list[Curve]:
    """Eigenvalues of P H, relative to the largest, in the six regimes and on a linear layer; SOAP from few snapshots.

    The eigenvalues are those of P^(1/2) H P^(1/2); those of directions on which P does nothing are left out. ``seed``
    is the number of the Hessian.
    """
    generator = np.random.default_rng(31)
    hessians = _hessians(generator)
    errors = generator.standard_normal((50, M * N))
    covariance = random_positive_definite(np.random.default_rng(32), N, 736.0)
    layer = np.kron(np.eye(M), covariance)
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


def _hessians(generator: np.random.Generator) -> Array:
    """Twenty Kronecker products of condition number ``KAPPA``, (20, m n, m n)."""
    factors = [
        (random_positive_definite(generator, M, 50.0), random_positive_definite(generator, N, KAPPA / 50))
        for _ in range(20)
    ]
    return jnp.asarray(np.array([np.kron(B, C) for B, C in factors]))


def T31() -> list[Claim]:
    """What the power -1/2 gives in six regimes of the gradient statistics."""
    generator = np.random.default_rng(31)
    hessians = _hessians(generator)
    errors = generator.standard_normal((50, M * N))
    H = hessians[0]
    return [
        *_isotropic_errors(hessians, errors),
        *_noise(hessians[0], errors),
        *_structured_errors(generator),
        *_signal_and_noise(H, errors),
        *_gradient_flow(H, errors),
        *_rank_one(generator),
        *_shampoo(H, errors),
        *_diagonal_hessians(),
    ]


def _isotropic_errors(hessians: Array, errors: Floats) -> list[Claim]:
    H = hessians[0]
    soap = _ideal_soap(H @ H, M, N)
    cosines = {
        count: [1 - _misalignments(_from_snapshots(h, count, k), h, errors, errors) for k, h in enumerate(hessians)]
        for count in (100, 1000)
    }
    return [
        vanishes(
            "T31i",
            "Isotropic errors and a Kronecker Hessian make SOAP's direction Newton's.",
            "largest 1 - cos(SOAP, Newton)",
            _misalignments(soap, H, errors, errors),
            DIRECTION,
            CONDITIONAL,
            draws=50,
        ),
        equals(
            "T31i",
            "Its preconditioned Hessian has condition number 1.",
            "condition number, 3000 before",
            _preconditioned(soap, H),
            1.0,
            DIRECTION,
            CONDITIONAL,
        ),
        *(
            at_least(
                "T31i",
                "SOAP from finitely many snapshots of gradients at isotropic errors approaches Newton.",
                f"mean cosine to Newton, {count} snapshots, 20 Hessians",
                [np.mean(cosines[count])],
                bound,
                0.0,
                "observation",
                of=cosines[count],
            )
            for count, bound in ((100, 0.985), (1000, 0.998))
        ),
    ]


def _noise(H: Array, errors: Floats) -> list[Claim]:
    soap = _ideal_soap(H, M, N)
    whitened = errors @ np.asarray(symmetric_power(H, 0.5))
    return [
        vanishes(
            "T31ii",
            "Noise statistics F = H make SOAP's direction H^(-1/2) g.",
            "largest 1 - cos(SOAP, H^(-1/2) g)",
            _misalignments(soap, H, errors, whitened),
            DIRECTION,
            CONDITIONAL,
            draws=50,
        ),
        equals(
            "T31ii",
            "Noise statistics take the square root of the condition number.",
            "condition number, 3000 before",
            _preconditioned(soap, H),
            KAPPA**0.5,
            DIRECTION,
            CONDITIONAL,
        ),
        equals(
            "T31ii",
            "SOAP approximates Newton's preconditioner without isotropic errors.",
            "cosine to Newton at the worst error, condition number 3000",
            1 - _misalignments(soap, H, _worst_errors(H), _worst_errors(H)),
            2 * KAPPA**0.25 / (1 + KAPPA**0.5),  # Kantorovich for H^(1/2), see T30
            DIRECTION,
            "false in general",
        ),
    ]


def _worst_errors(H: Array) -> Floats:
    """The error e (1, d) with the least cosine between e and H^(1/2) e: equality in Kantorovich's inequality."""
    values, vectors = np.linalg.eigh(np.asarray(H))
    low, high = np.sqrt(values[[0, -1]])
    return (np.sqrt(high) * vectors[:, 0] + np.sqrt(low) * vectors[:, -1])[None]


def _structured_errors(generator: np.random.Generator) -> list[Claim]:
    Q = np.kron(random_orthogonal(generator, M), random_orthogonal(generator, N))
    curvature, spread = (np.exp(generator.uniform(0, np.log(50), M * N)) for _ in range(2))
    H, moment = (jnp.asarray((Q * values) @ Q.T) for values in (curvature, curvature**2 * spread))
    soap = _ideal_soap(moment, M, N)
    errors = generator.standard_normal((50, M * N))
    whitened = errors @ ((Q / np.sqrt(spread)) @ Q.T)
    statement = "Errors of covariance Sigma in the eigenbasis of H make SOAP whiten the error; curvature cancels."
    return [
        vanishes(
            "T31iii",
            statement,
            "largest 1 - cos(SOAP, Sigma^(-1/2) e)",
            _misalignments(soap, H, errors, whitened),
            DIRECTION,
            CONDITIONAL,
            draws=50,
        ),
        equals(
            "T31iii",
            statement,
            "condition number divided by kappa(Sigma)^(1/2)",
            _preconditioned(soap, H) / np.sqrt(np.linalg.cond(np.diag(spread))),
            1.0,
            DIRECTION,
            CONDITIONAL,
        ),
    ]


def _signal_and_noise(H: Array, errors: Floats) -> list[Claim]:
    values, vectors = (np.asarray(part) for part in jnp.linalg.eigh(H))
    signal = 0.3
    crossover = float(np.sqrt(values[0] * values[-1]))
    soap = _ideal_soap(signal**2 * (H @ H) + signal**2 * crossover * H, M, N)
    gains = (
        np.sum(vectors * np.asarray(soap.matrix() @ vectors), axis=0) * signal * np.sqrt(values * (values + crossover))
    )
    expected = (errors @ (vectors * np.sqrt(values / (values + crossover)))) @ vectors.T
    return [
        vanishes(
            "T31iv",
            "Signal and noise: SOAP's gain on eigenvalue lambda is 1/(sigma_e sqrt(lambda (lambda + lambda_c))): "
            "Newton's above lambda_c, H^(-1/2) below.",
            "largest relative error of the gain, eigenvalues on both sides of lambda_c",
            gains - 1,
            DIRECTION,
            CONDITIONAL,
            draws=M * N,
        ),
        vanishes(
            "T31iv",
            "Its direction follows that gain.",
            "largest 1 - cos",
            _misalignments(soap, H, errors, expected),
            DIRECTION,
            CONDITIONAL,
            draws=50,
        ),
    ]


def _gradient_flow(H: Array, errors: Floats) -> list[Claim]:
    values, vectors = (np.asarray(part) for part in jnp.linalg.eigh(H))

    eta = 1e-3 / values[-1]
    slow = eta * _history(H, eta)
    soap = _ideal_soap(jnp.asarray(slow), M, N)
    whitened = errors @ np.asarray(symmetric_power(H, 0.5))
    coarse = 1.5 / values[-1]
    expected = (vectors * values / (coarse * (2 - coarse * values))) @ vectors.T
    return [
        vanishes(
            "T31v",
            "The history of gradient flow from an isotropic start has F = H/2.",
            "relative error at eta lambda_max = 1e-3",
            _relative_errors(slow, np.asarray(H) / 2),
            1e-3,  # the discrete history is lambda / (2 - eta lambda), eta lambda / 2 above
            CONDITIONAL,
            draws=(M * N) ** 2,
        ),
        vanishes(
            "T31v",
            "The history of gradient descent has eigenvalues lambda/(eta (2 - eta lambda)).",
            "largest relative error, eta lambda_max = 1.5",
            _relative_errors(_history(H, coarse), expected),
            BOUND,
            CONDITIONAL,
            draws=(M * N) ** 2,
        ),
        vanishes(
            "T31v",
            "On the history of gradient flow SOAP's direction is H^(-1/2) g.",
            "largest 1 - cos",
            _misalignments(soap, H, errors, whitened),
            DIRECTION,
            CONDITIONAL,
            draws=50,
        ),
    ]


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


def _rank_one(generator: np.random.Generator) -> list[Claim]:
    singular = np.array([1.0, 0.7, 0.4, 0.1]) * generator.uniform(1, 1.2, (20, M))
    left = np.array([random_orthogonal(generator, M) for _ in range(20)])
    right = np.array([random_orthogonal(generator, N)[:M] for _ in range(20)])
    orthogonalised, shampoo, inverted = _rank_one_errors(left, singular, right)
    H = random_positive_definite(generator, M * N, 100.0)
    path = _damped_newton_path(H, generator.standard_normal(M * N))
    lengths = jnp.linalg.svd(jnp.asarray(path), compute_uv=False)
    statement = "One gradient direction in the window makes SOAP orthogonalise it, U V^T: no curvature is left."
    return [
        vanishes("T31vi", statement, "largest error", orthogonalised, DIRECTION, CONDITIONAL, draws=20 * M * N),
        vanishes(
            "T31vi",
            "Shampoo with powers -1/4 gives the same.",
            "largest error",
            shampoo,
            DIRECTION,
            CONDITIONAL,
            draws=20 * M * N,
        ),
        vanishes(
            "T31vi",
            "Shampoo with powers -1/2 gives U Sigma^-1 V^T.",
            "largest error, in units of the largest entry of Sigma^-1",
            inverted,
            DIRECTION,
            CONDITIONAL,
            draws=20 * M * N,
        ),
        vanishes(
            "T31vi",
            "A damped Newton trajectory on a quadratic has a single gradient direction.",
            "sigma_2/sigma_1 of its gradients",
            lengths[1] / lengths[0],
            DIRECTION,
            "by construction",  # H H^-1 g is g: each gradient is the one before, shortened
        ),
    ]


def _damped_newton_path(H: Floats, error: Floats) -> Floats:
    """Gradients along 20 Newton steps of length 0.3 from an error on a quadratic, (21, d)."""
    path = [H @ error]
    for _ in range(20):
        path.append(path[-1] - 0.3 * H @ np.linalg.solve(H, path[-1]))
    return np.array(path)


@jax.jit
@jax.vmap
def _rank_one_errors(U: Array, singular: Array, Vt: Array) -> tuple[Array, Array, Array]:
    """Errors of U V^T for SOAP and for Shampoo^(1/4), and of U Sigma^-1 V^T for Shampoo^(1/2), on G = U Sigma V^T."""
    G = (U * singular) @ Vt
    L, R = shampoo_factors(G[None])
    quarter, half = (symmetric_power(L, q, 1e-12) @ G @ symmetric_power(R, q, 1e-12) for q in (-0.25, -0.5))
    soap = ideal_soap(second_moment(G[None]), M, N)
    return soap.direction(G) - U @ Vt, quarter - U @ Vt, (half - (U / singular) @ Vt) * singular[-1]


def _shampoo(F: Array, errors: Floats) -> list[Claim]:
    L, R = factors_of(F, M, N)
    records = []
    for power in (0.25, 0.5):
        left, right = (symmetric_power(factor, -power) for factor in (L, R))
        found = jnp.einsum("ij,bjk,kl->bil", left, jnp.asarray(errors).reshape(-1, M, N), right)
        expected = errors @ np.asarray(symmetric_power(F, -power))
        apart = _row_misalignments(found.reshape(len(errors), -1), jnp.asarray(expected))
        statement = f"For Kronecker F Shampoo with powers -{power:g} gives F^(-{power:g}) g."
        records.append(vanishes("T31", statement, "largest 1 - cos", apart, DIRECTION, CONDITIONAL, draws=50))
    return records


def _diagonal_hessians() -> list[Claim]:
    """Isotropic errors: SOAP is Newton's method where H is diagonal in SOAP's basis, and only there."""
    generator = np.random.default_rng([31, 2])
    errors = generator.standard_normal((50, M * N))
    apart, distances, identity = [], [], []
    for _ in range(20):
        Q = np.kron(random_orthogonal(generator, M), random_orthogonal(generator, N))
        H = jnp.asarray((Q * np.exp(generator.uniform(0, np.log(50), M * N))) @ Q.T)
        apart.append(_misalignments(_ideal_soap(H @ H, M, N), H, errors, errors))
        distances.append(float(_best(H, M, N).relative_error))
        H = jnp.asarray(random_positive_definite(generator, M * N, 100.0))
        soap = _ideal_soap(H @ H, M, N)
        rows = soap.basis().T @ H @ soap.basis()
        along = jnp.diagonal(rows) / jnp.linalg.norm(rows, axis=1)  # sqrt(1 - e_k^2)
        identity.append(jnp.sum((soap.matrix() @ H - jnp.eye(M * N)) ** 2) - 2 * jnp.sum(1 - along))
    swap = np.fliplr(np.eye(4))  # of eigenvalues 1 and -1 in the basis that turns each factor by 45 degrees
    equal = jnp.asarray(5 * np.eye(4) - 4 * swap)  # eigenvalues 1, 9, 9, 1; L = R = 82 I
    mixed = jnp.asarray(np.diag([2.0, 1, 1, 1]) + np.diag([1.0, 0, 0, 1]) @ swap)  # L = R = diag(6, 3)
    worst, turned = np.array([[4.0, 0, 0, 2]]), np.array([[1.0, 0, 0, -1]])
    return [
        vanishes(
            "T31vii",
            "Isotropic errors and H diagonal in a Kronecker basis Q_L kron Q_R, L and R without equal eigenvalues, "
            "make SOAP's direction Newton's.",
            "largest 1 - cos(SOAP, Newton), 20 Hessians, 50 errors each",
            apart,
            DIRECTION,
            CONDITIONAL,
            draws=1000,
        ),
        at_least(
            "T31vii",
            "At isotropic errors SOAP's direction is Newton's only where H is a Kronecker product.",
            "least relative distance of these 20 Hessians from the best Kronecker product",
            distances,
            0.2,
            0.0,
            "false in general",
            draws=20,
        ),
        vanishes(
            "T31vii",
            "Errors of covariance I give ||P H - I||^2 = 2 sum_k (1 - sqrt(1 - e_k^2)), e_k^2 the share of row k of H "
            "that lies off the diagonal in SOAP's basis: P is H^-1 only where H is diagonal there.",
            "largest error, 20 Hessians of condition number 100",
            identity,
            BOUND,
            draws=20,
        ),
        equals(
            "T31vii",
            "Isotropic errors without noise make SOAP Newton's method, whatever H.",
            "cosine to Newton, H = [2 0 0 1; 0 1 0 0; 0 0 1 0; 1 0 0 1], error (1, 0, 0, -1)",
            1 - _misalignments(_ideal_soap(mixed @ mixed, 2, 2), mixed, turned, turned),
            0.5**0.5,
            BOUND,
            "false in general",
        ),
        equals(
            "T31vii",
            "H diagonal in a Kronecker basis is enough where L and R have equal eigenvalues, too.",
            "cosine to Newton, eigenvalues 1, 9, 9, 1 in a basis turned by 45 degrees, L = R = 82 I",
            1 - _misalignments(_ideal_soap(equal @ equal, 2, 2), equal, worst, worst),
            0.6,  # SOAP's basis is that of the parameters and V constant: gradient descent, 2 sqrt(9) / (1 + 9)
            BOUND,
            "false in general",
        ),
    ]


def T32() -> list[Claim]:
    """Exact identities on a linear layer, whose Hessian is I kron Sigma."""
    generator = np.random.default_rng(32)
    covariance = jnp.asarray(random_positive_definite(generator, N, 736.0))
    H = jnp.kron(jnp.eye(M), covariance)
    errors = generator.standard_normal((50, M * N))
    newton = _ideal_soap(jnp.kron(jnp.eye(M), covariance @ covariance), M, N)
    whitening = _ideal_soap(H, M, N)
    root = np.asarray(jnp.kron(jnp.eye(M), symmetric_power(covariance, 0.5)))
    scores = []
    for sizes in [(3, 5), (2, 3, 3)]:
        jacobian = jnp.asarray(generator.standard_normal((sum(sizes), 12)))
        # (J^T J)^(-1/2) J^T = J^T K^(-1/2), and K is small and regular
        whitened = np.asarray(symmetric_power(kernel_matrix(jacobian), -0.5) @ jacobian)
        residual = generator.standard_normal(sum(sizes))
        ends = np.cumsum((0, *sizes))
        directions = [residual[a:b] @ whitened[a:b] for a, b in pairwise(ends)]
        scores.append(score(np.array(directions)) - null_value(len(sizes)))
    return [
        vanishes(
            "T32",
            "Linear layer, statistics I kron Sigma^2: SOAP's direction is the error (Newton).",
            "largest 1 - cos",
            _misalignments(newton, H, errors, errors),
            DIRECTION,
            draws=50,
        ),
        vanishes(
            "T32",
            "Linear layer, statistics I kron Sigma: SOAP's direction is G Sigma^(-1/2).",
            "largest 1 - cos",
            _misalignments(whitening, H, errors, errors @ root),
            DIRECTION,
            draws=50,
        ),
        equals(
            "T32",
            "Statistics I kron Sigma take the square root of the condition number.",
            "condition number, 736 before",
            _preconditioned(whitening, H),
            27.1,
            0.05,
        ),
        vanishes(
            "T32",
            "Gauss-Newton whitening by (J^T J)^(-1/2) scores exactly 2/n - 1.",
            "largest |A - 2/n + 1|, two and three losses",
            scores,
            BOUND,
            draws=2,
        ),
    ]


CHECKS = (T31, T32)


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
