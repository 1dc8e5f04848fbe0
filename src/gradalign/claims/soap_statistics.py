"""Claims T28-T32: Shampoo's factors, SOAP's basis and diagonal, and what the power -1/2 makes of them.

A layer's gradient is a matrix G (m, n); F = E[vec G vec G^T] is the second moment of the gradients that the optimizer
sees (row-major vec). ``IdealSoap`` is SOAP without momentum, averaging lag, stale bases or epsilon. On a quadratic
with Hessian H the gradient is g = H e. Matrices are drawn from explicit seeds in float64. A record of status "false
in general" reproduces a counterexample.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from gradalign.alignment import alignment_score, misalignment, null_value
from gradalign.curvature import (
    best_kronecker,
    condition_number,
    kernel_matrix,
    random_orthogonal,
    random_positive_definite,
    rearrange,
    second_moment,
    shampoo_factors,
    symmetric_power,
)
from gradalign.precision import dtype_of
from gradalign.records import Claim, Status, timed

Floats = NDArray[np.floating[Any]]

BOUND = 1e-9  # inequalities between Frobenius norms of matrices of order one and condition up to 1e3
IDENTITY = 1e-10  # Kronecker identities, without any inverse
DIRECTION = 1e-6  # directions and condition numbers after inverse square roots at condition 3000 (9e6 for H^2)
QUALITY = 0.02  # worst of 20 draws; the printed values come from other draws

M, N = 4, 5  # shape of the layer in T31
KAPPA = 3000.0  # condition number of its Hessian, a Kronecker product of factors with 50 and 60
SHAPES = ((2, 3), (5, 2), (3, 4), (4, 5))  # of the layers in T28 and T29


class IdealSoap(NamedTuple):
    """SOAP's preconditioner for a second moment F (m n, m n): eigenbases of L and R, and V = diag(Q^T F Q).

    left: Q_L, (m, m). right: Q_R, (n, n). squares: V, (m, n), the second moment of each entry of Q_L^T G Q_R.
    """

    left: Array
    right: Array
    squares: Array

    def basis(self) -> Array:
        """Q = Q_L kron Q_R, (m n, m n)."""
        return jnp.kron(self.left, self.right)

    def direction(self, gradient: Array, cutoff: float = 1e-13) -> Array:
        """Q_L [(Q_L^T G Q_R) / sqrt V] Q_R^T, (m, n); 0 where V <= cutoff max V, the rounding of V."""
        rotated = self.left.T @ gradient @ self.right
        seen = self.squares > cutoff * jnp.max(self.squares)
        return self.left @ jnp.where(seen, rotated / jnp.sqrt(jnp.where(seen, self.squares, 1)), 0) @ self.right.T

    def matrix(self) -> Array:
        """P = Q diag(V)^(-1/2) Q^T, (m n, m n)."""
        Q = self.basis()
        return (Q / jnp.sqrt(self.squares.ravel())) @ Q.T


def factors_of(moment: Array, m: int, n: int) -> tuple[Array, Array]:
    """L and R from F: vec L = R(F) vec I_n and vec R = R(F)^T vec I_m (T28a)."""
    rearranged = rearrange(moment, m, n)
    left, right = rearranged @ jnp.eye(n).ravel(), rearranged.T @ jnp.eye(m).ravel()
    return left.reshape(m, m), right.reshape(n, n)


def ideal_soap(moment: Array, m: int, n: int) -> IdealSoap:
    """SOAP's eigenbases and diagonal for the second moment F (m n, m n), row-major vec."""
    left, right = (jnp.linalg.eigh(factor)[1] for factor in factors_of(moment, m, n))
    Q = jnp.kron(left, right)
    return IdealSoap(left, right, jnp.sum(Q * (moment @ Q), axis=0).reshape(m, n))


def check() -> list[Claim]:
    """All records of the claims T28-T32.

    Raises ``ConfigurationError`` while JAX's 64-bit types are off.
    """
    dtype_of("float64")
    return timed([T28, T29, T30, T31, T32])


def T28() -> list[Claim]:
    """Shampoo's factors and power iteration."""
    generator = np.random.default_rng(28)
    half_steps, kronecker, slack = 0.0, 0.0, np.inf
    for m, n in SHAPES:
        found = _structure_of(_samples(generator, 100, m, n))
        half_steps = max(half_steps, _largest(found["half_steps"]))
        slack = min(slack, float(np.min(found["slack"])))
        B, C = random_positive_definite(generator, m, 50.0), random_positive_definite(generator, n, 50.0)
        F = jnp.asarray(np.kron(B, C))
        L, R = factors_of(F, m, n)
        kronecker = max(kronecker, _largest(F - jnp.kron(L, R) / jnp.trace(L)))
    # Gradients that are zero only scale F
    samples = generator.standard_normal((3, 20, 100, M, N))
    for k, count in enumerate((1, 10, 100)):
        samples[k, :, count:] = 0
    quality = _structure_of(samples.reshape(60, 100, M, N))["quality"].reshape(3, 20)
    qualities = dict(zip((1, 10, 100), quality.min(axis=1), strict=True))
    printed = {1: 0.839, 10: 0.980, 100: 0.9997}
    return [
        _at_most(
            "T28a",
            "vec L and vec R are half-steps of power iteration on the rearranged F, started from the identity.",
            "largest error",
            half_steps,
            IDENTITY,
        ),
        _at_most("T28b", "F = B kron C implies F = L kron R/tr L.", "largest error", kronecker, IDENTITY),
        _at_least(
            "T28c",
            "L and R are within tan^2 <= (n - 1)(sigma_2/sigma_1)^2, (m - 1)(...)^2 of the best Kronecker factors.",
            "least slack of both bounds",
            slack,
        ),
        *(
            _equal(
                "T28c",
                "L kron R approximates F nearly as well as the best Kronecker product.",
                "empirical",
                f"cosine to F relative to the best one, worst of 20, {count} samples of 4 x 5 gradients",
                printed[count],
                float(quality),
                QUALITY,
            )
            for count, quality in qualities.items()
        ),
    ]


def T29() -> list[Claim]:
    """SOAP's basis and diagonal."""
    generator = np.random.default_rng(29)
    worst = dict.fromkeys(("diagonal", "pythagoras", "frobenius", "logdet"), 0.0)
    margin, better, worse, exact = np.inf, 0, 0, 0.0
    for m, n in SHAPES:
        found = _structure_of(_samples(generator, 100, m, n))
        worst = {name: max(worst[name], float(np.max(found[name]))) for name in worst}
        margin = min(margin, float(np.min(found["margin"])))
        better += int(np.sum(found["against_best"] > 0))
        worse += int(np.sum(found["against_best"] < 0))
        Q = np.kron(random_orthogonal(generator, m), random_orthogonal(generator, n))
        F = jnp.asarray((Q * generator.uniform(0.1, 2, m * n)) @ Q.T)
        soap = _ideal_soap(F, m, n)
        exact = max(exact, _largest((soap.basis() * soap.squares.ravel()) @ soap.basis().T - F))
    total = better + worse
    return [
        _at_most("T29a", "V = E[(Q_L^T G Q_R)^2], entry by entry.", "largest error", worst["diagonal"], IDENTITY),
        _at_most(
            "T29a",
            "||F - Q diag(V) Q^T||^2 = ||F||^2 - ||V||^2.",
            "largest relative error",
            worst["pythagoras"],
            IDENTITY,
        ),
        _at_most(
            "T29a",
            "V is the diagonal nearest to F in the basis Q, in Frobenius norm.",
            "largest gain of 20 other diagonals",
            worst["frobenius"],
            BOUND,
        ),
        _at_most(
            "T29a",
            "V is the best diagonal in the basis Q by the LogDet divergence.",
            "largest gain of 20 other diagonals",
            worst["logdet"],
            BOUND,
        ),
        _at_least(
            "T29b",
            "SOAP's approximation of F is never worse than gamma L kron R, for any gamma.",
            f"least relative margin, {total} draws",
            margin,
        ),
        _at_most(
            "T29c",
            "SOAP is exact for every F that is diagonal in a Kronecker basis.",
            "largest error",
            exact,
            BOUND,
        ),
        Claim(
            "T29d",
            "SOAP's approximation of F is always better than the best Kronecker product.",
            "false in general",
            f"draws of {total} in which it is worse",
            1.0,
            float(worse),
            0.0,
            "at least",
        ),
    ]


def T30() -> list[Claim]:
    """From off-diagonal energy to conditioning and direction."""
    generator = np.random.default_rng(30)
    conditioning, direction, sine, blocks, kantorovich, sharp = ([np.inf] for _ in range(6))
    for d in range(2, 9):
        for _ in range(60):
            E = generator.standard_normal((d, d))
            E = E + E.T
            np.fill_diagonal(E, 0)
            epsilon = generator.uniform(0.01, 0.99)
            C = np.eye(d) + epsilon * E / np.linalg.norm(E, 2)
            kappa = np.linalg.cond(C)
            conditioning.append((1 + epsilon) / (1 - epsilon) / kappa - 1)
            D = np.exp(generator.uniform(-2, 2, d))
            moment = np.sqrt(D)[:, None] * C * np.sqrt(D)
            g = generator.standard_normal(d)
            one, other = g / D, np.linalg.solve(moment, g)
            cosine = one @ (D * other) / np.sqrt((one @ (D * one)) * (other @ (D * other)))
            direction.append(cosine - 2 * np.sqrt(kappa) / (1 + kappa))
            sine.append(cosine - np.sqrt(1 - epsilon**2))
            factor = generator.standard_normal((2 * d, 2 * d))
            H = factor @ factor.T
            first, second = np.linalg.cholesky(H[:d, :d]), np.linalg.cholesky(H[d:, d:])
            whiten = np.zeros((2 * d, 2 * d))
            whiten[:d, :d], whiten[d:, d:] = np.linalg.inv(first), np.linalg.inv(second)
            blocks.append(2 - float(np.linalg.eigvalsh(whiten @ H @ whiten.T)[-1]))
            S = random_positive_definite(generator, d, 10.0 ** generator.uniform(0, 3))
            kappa = np.linalg.cond(S)
            image = S @ g
            bound = 2 * np.sqrt(kappa) / (1 + kappa)
            kantorovich.append(g @ image / np.linalg.norm(g) / np.linalg.norm(image) - bound)
            values, vectors = np.linalg.eigh(S)
            x = vectors[:, 0] / np.sqrt(values[0]) + vectors[:, -1] / np.sqrt(values[-1])
            sharp.append(-abs(x @ S @ x / np.linalg.norm(x) / np.linalg.norm(S @ x) - bound))
    quantity = "least slack, 420 draws"
    return [
        _at_least(
            "T30",
            "With unit diagonal and off-diagonal part of norm epsilon, kappa <= (1 + epsilon)/(1 - epsilon).",
            "least relative slack, 420 draws",
            min(conditioning),
        ),
        _at_least(
            "T30",
            "In the D-metric the diagonal direction has cosine at least 2 sqrt(kappa)/(1 + kappa) to the full one.",
            quantity,
            min(direction),
        ),
        _at_least("T30", "That cosine is at least sqrt(1 - epsilon^2).", quantity, min(sine)),
        _at_least(
            "T30",
            "With exact diagonal blocks the preconditioned Hessian has eigenvalues at most the number of blocks.",
            "least slack, two blocks, 420 draws",
            min(blocks),
        ),
        _at_least("T30", "cos(x, M x) >= 2 sqrt(kappa)/(1 + kappa) for every SPD M.", quantity, min(kantorovich)),
        _at_least("T30", "Some x attains that bound.", "minus the largest error", min(sharp)),
    ]


def T31() -> list[Claim]:
    """What the power -1/2 gives in six regimes of the gradient statistics."""
    generator = np.random.default_rng(31)
    factors = [
        (random_positive_definite(generator, M, 50.0), random_positive_definite(generator, N, KAPPA / 50))
        for _ in range(20)
    ]
    hessians = jnp.asarray(np.array([np.kron(B, C) for B, C in factors]))
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
    ]


def _isotropic_errors(hessians: Array, errors: Floats) -> list[Claim]:
    H = hessians[0]
    soap = _ideal_soap(H @ H, M, N)
    cosines = {
        count: float(
            np.mean([_mean_cosine(_from_snapshots(h, count, k), h, errors, errors) for k, h in enumerate(hessians)])
        )
        for count in (100, 1000)
    }
    statement = "SOAP from finitely many snapshots of gradients at isotropic errors approaches Newton."
    return [
        _at_most(
            "T31i",
            "Isotropic errors and a Kronecker Hessian make SOAP's direction Newton's.",
            "largest 1 - cos(SOAP, Newton)",
            _misalignments(soap, H, errors, errors),
            DIRECTION,
        ),
        _equal(
            "T31i",
            "Its preconditioned Hessian has condition number 1.",
            "proven under conditions",
            "condition number, 3000 before",
            1.0,
            _preconditioned(soap, H),
            DIRECTION,
        ),
        Claim(
            "T31i",
            statement,
            "empirical",
            "mean cosine to Newton, 100 snapshots, 20 Hessians",
            0.985,
            cosines[100],
            0.0,
            "at least",
        ),
        Claim(
            "T31i",
            statement,
            "empirical",
            "mean cosine to Newton, 1000 snapshots, 20 Hessians",
            0.998,
            cosines[1000],
            0.0,
            "at least",
        ),
    ]


def _noise(H: Array, errors: Floats) -> list[Claim]:
    soap = _ideal_soap(H, M, N)
    whitened = errors @ np.asarray(symmetric_power(H, 0.5))
    return [
        _at_most(
            "T31ii",
            "Noise statistics F = H make SOAP's direction H^(-1/2) g.",
            "largest 1 - cos(SOAP, H^(-1/2) g)",
            _misalignments(soap, H, errors, whitened),
            DIRECTION,
        ),
        _equal(
            "T31ii",
            "Noise statistics take the square root of the condition number.",
            "proven under conditions",
            "condition number, 3000 before",
            KAPPA**0.5,
            _preconditioned(soap, H),
            DIRECTION,
        ),
        _equal(
            "T31ii",
            "SOAP approximates Newton's preconditioner without isotropic errors.",
            "false in general",
            "cosine to Newton at the worst error, condition number 3000",
            2 * KAPPA**0.25 / (1 + KAPPA**0.5),  # Kantorovich for H^(1/2), see T30
            _mean_cosine(soap, H, _worst_errors(H), _worst_errors(H)),
            DIRECTION,
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
        _at_most(
            "T31iii",
            statement,
            "largest 1 - cos(SOAP, Sigma^(-1/2) e)",
            _misalignments(soap, H, errors, whitened),
            DIRECTION,
        ),
        _equal(
            "T31iii",
            statement,
            "proven under conditions",
            "condition number divided by kappa(Sigma)^(1/2)",
            1.0,
            _preconditioned(soap, H) / float(np.sqrt(np.max(spread) / np.min(spread))),
            DIRECTION,
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
        _at_most(
            "T31iv",
            "Signal and noise: SOAP's gain on eigenvalue lambda is 1/(sigma_e sqrt(lambda (lambda + lambda_c))): "
            "Newton's above lambda_c, H^(-1/2) below.",
            "largest relative error of the gain, eigenvalues on both sides of lambda_c",
            _largest(gains - 1),
            DIRECTION,
        ),
        _at_most(
            "T31iv",
            "Its direction follows that gain.",
            "largest 1 - cos",
            _misalignments(soap, H, errors, expected),
            DIRECTION,
        ),
    ]


def _gradient_flow(H: Array, errors: Floats) -> list[Claim]:
    values, vectors = (np.asarray(part) for part in jnp.linalg.eigh(H))

    def history(eta: float) -> Floats:
        """Sum of E[g_t g_t^T] over gradient descent from an isotropic start, by doubling the number of steps."""
        step = np.eye(M * N) - eta * np.asarray(H)
        total, power = np.eye(M * N), step @ step
        for _ in range(40):
            total, power = total + power @ total, power @ power
        return np.asarray(H @ total @ H)

    eta = 1e-3 / values[-1]
    slow = eta * history(eta)
    soap = _ideal_soap(jnp.asarray(slow), M, N)
    whitened = errors @ np.asarray(symmetric_power(H, 0.5))
    coarse = 1.5 / values[-1]
    expected = (vectors * values / (coarse * (2 - coarse * values))) @ vectors.T
    return [
        _at_most(
            "T31v",
            "The history of gradient flow from an isotropic start has F = H/2.",
            "relative error at eta lambda_max = 1e-3",
            _largest(slow - np.asarray(H) / 2) / _largest(np.asarray(H) / 2),
            1e-3,  # the discrete history is lambda / (2 - eta lambda), eta lambda / 2 above
        ),
        _at_most(
            "T31v",
            "The history of gradient descent has eigenvalues lambda/(eta (2 - eta lambda)).",
            "largest relative error, eta lambda_max = 1.5",
            _largest(history(coarse) - expected) / _largest(expected),
            BOUND,
        ),
        _at_most(
            "T31v",
            "On the history of gradient flow SOAP's direction is H^(-1/2) g.",
            "largest 1 - cos",
            _misalignments(soap, H, errors, whitened),
            DIRECTION,
        ),
    ]


def _rank_one(generator: np.random.Generator) -> list[Claim]:
    singular = np.array([1.0, 0.7, 0.4, 0.1]) * generator.uniform(1, 1.2, (20, M))
    left = np.array([random_orthogonal(generator, M) for _ in range(20)])
    right = np.array([random_orthogonal(generator, N)[:M] for _ in range(20)])
    orthogonalised, shampoo, inverted = (_largest(errors) for errors in _rank_one_errors(left, singular, right))
    H = random_positive_definite(generator, M * N, 100.0)
    path = [H @ generator.standard_normal(M * N)]
    for _ in range(20):
        path.append(path[-1] - 0.3 * H @ np.linalg.solve(H, path[-1]))
    lengths = np.linalg.svd(np.array(path), compute_uv=False)
    statement = "One gradient direction in the window makes SOAP orthogonalise it, U V^T: no curvature is left."
    return [
        _at_most("T31vi", statement, "largest error", orthogonalised, DIRECTION),
        _at_most("T31vi", "Shampoo with powers -1/4 gives the same.", "largest error", shampoo, DIRECTION),
        _at_most(
            "T31vi",
            "Shampoo with powers -1/2 gives U Sigma^-1 V^T.",
            "largest error, in units of the largest entry of Sigma^-1",
            inverted,
            DIRECTION,
        ),
        _at_most(
            "T31vi",
            "A damped Newton trajectory on a quadratic has a single gradient direction.",
            "sigma_2/sigma_1 of its gradients",
            float(lengths[1] / lengths[0]),
            DIRECTION,
        ),
    ]


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
        worst = float(jnp.max(_row_misalignments(found.reshape(len(errors), -1), jnp.asarray(expected))))
        statement = f"For Kronecker F Shampoo with powers -{power:g} gives F^(-{power:g}) g."
        records.append(_at_most("T31", statement, "largest 1 - cos", worst, DIRECTION))
    return records


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
        scores.append(float(alignment_score(jnp.asarray(np.array(directions)))) - null_value(len(sizes)))
    return [
        _at_most(
            "T32",
            "Linear layer, statistics I kron Sigma^2: SOAP's direction is the error (Newton).",
            "largest 1 - cos",
            _misalignments(newton, H, errors, errors),
            DIRECTION,
        ),
        _at_most(
            "T32",
            "Linear layer, statistics I kron Sigma: SOAP's direction is G Sigma^(-1/2).",
            "largest 1 - cos",
            _misalignments(whitening, H, errors, errors @ root),
            DIRECTION,
        ),
        _equal(
            "T32",
            "Statistics I kron Sigma take the square root of the condition number.",
            "proven",
            "condition number, 736 before",
            27.1,
            _preconditioned(whitening, H),
            0.05,
        ),
        _at_most(
            "T32",
            "Gauss-Newton whitening by (J^T J)^(-1/2) scores exactly 2/n - 1.",
            "largest |A - 2/n + 1|, two and three losses",
            _largest(np.array(scores)),
            BOUND,
        ),
    ]


def _samples(generator: np.random.Generator, draws: int, m: int, n: int) -> Floats:
    """Correlated gradients (draws, 30, m, n); all but the first 1 to 30 are zero, which only scales F."""
    count = generator.integers(1, 31, draws)
    left, right = generator.standard_normal((draws, 1, m, m)), generator.standard_normal((draws, 1, n, n))
    gradients = left @ generator.standard_normal((draws, 30, m, n)) @ right
    gradients /= np.sqrt(np.mean(gradients**2, axis=(1, 2, 3), keepdims=True))
    return np.asarray(gradients * (np.arange(30) < count[:, None])[:, :, None, None])


@jax.jit
@jax.vmap
def _structure(samples: Array, others: Array) -> dict[str, Array]:
    """The quantities of T28 and T29, scalars, for samples (S, m, n) and other diagonals (k, m n) relative to V."""
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
        "slack": jnp.minimum(
            (n - 1) * ratio - _squared_tangent(L, u[:, 0]), (m - 1) * ratio - _squared_tangent(R, wt[0])
        ),
        "quality": overlap / singular[0],
        "diagonal": jnp.max(jnp.abs(soap.squares - jnp.mean(rotated**2, axis=0))),
        "pythagoras": jnp.abs(distance - (1 - jnp.sum(V**2))),
        "frobenius": jnp.max(distance - jax.vmap(lambda D: jnp.sum((F - (Q * D * V) @ Q.T) ** 2))(others)),
        "logdet": jnp.max(logdet - jnp.sum(1 / others + jnp.log(others * regular), axis=1)),
        "margin": (1 - overlap**2) - distance,
        "against_best": nearest.relative_error**2 - distance,
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


def _from_snapshots(H: Array, count: int, seed: int) -> IdealSoap:
    gradients = np.random.default_rng([31, count, seed]).standard_normal((count, M * N)) @ np.asarray(H)
    return _ideal_soap(jnp.asarray(gradients.T @ gradients / count), M, N)


_ideal_soap = jax.jit(ideal_soap, static_argnums=(1, 2))
_row_misalignments = jax.jit(jax.vmap(lambda one, other: misalignment([one, other])))


@jax.jit
def _against(soap: IdealSoap, H: Array, errors: Array, expected: Array) -> Array:
    """1 - cos of SOAP's directions for the gradients H e and the expected ones; errors and expected (B, m n)."""
    gradients = (errors @ H).reshape(-1, *soap.squares.shape)
    found = jax.vmap(soap.direction)(gradients)
    return _row_misalignments(found.reshape(errors.shape), expected)


def _misalignments(soap: IdealSoap, H: Array, errors: Floats, expected: Floats) -> float:
    return _largest(_against(soap, H, jnp.asarray(errors), jnp.asarray(expected)))


def _mean_cosine(soap: IdealSoap, H: Array, errors: Floats, expected: Floats) -> float:
    return 1 - float(jnp.mean(_against(soap, H, jnp.asarray(errors), jnp.asarray(expected))))


@jax.jit
def _preconditioned_condition(soap: IdealSoap, H: Array) -> Array:
    root = symmetric_power(soap.matrix(), 0.5)
    return condition_number(root @ H @ root)


def _preconditioned(soap: IdealSoap, H: Array) -> float:
    """kappa(P H), by the symmetric P^(1/2) H P^(1/2)."""
    return float(_preconditioned_condition(soap, H))


def _largest(errors: Floats | Array) -> float:
    return float(np.max(np.abs(errors)))


def _at_most(claim: str, statement: str, quantity: str, measured: float, tolerance: float) -> Claim:
    status: Status = "proven under conditions" if claim.startswith("T31") else "proven"
    return Claim(claim, statement, status, quantity, 0.0, float(measured), tolerance, "at most")


def _at_least(claim: str, statement: str, quantity: str, measured: float) -> Claim:
    return Claim(claim, statement, "proven", quantity, 0.0, float(measured), BOUND, "at least")


def _equal(
    claim: str, statement: str, status: Status, quantity: str, expected: float, measured: float, tolerance: float
) -> Claim:
    return Claim(claim, statement, status, quantity, expected, float(measured), tolerance)
