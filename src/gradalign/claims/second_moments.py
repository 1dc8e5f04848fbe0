"""Claims T26 and T26b: what second moments of gradients say of the curvature, and what they do to the score.

J (m, d) is the Jacobian of m residuals r, F the second moment of the gradients an optimizer sees. Where a claim is
about an expectation, the whole ensemble is enumerated, so that nothing is left to chance. Problems are drawn from
explicit seeds in float64. A record of status "false in general" reproduces a counterexample.
"""

from functools import cache
from itertools import combinations, product
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gradalign.claims._batches import Floats, score, scores, units
from gradalign.claims._checks import Tolerance, equals, holds, vanishes
from gradalign.claims._ideal_soap import ideal_soap
from gradalign.claims._records import Curve, Numbers
from gradalign.claims.compromise import cancellation_bound
from gradalign.diagnostics.kronecker import rank_one_fraction
from gradalign.diagnostics.matrices import (
    gauss_newton_matrix,
    hessian_matrix,
    jacobian_matrix,
    second_moment,
    symmetric_power,
)

IDENTITY = Tolerance(1e-12, "rounding of sums of some hundred terms of order one")
DERIVATIVES = Tolerance(1e-10, "rounding of second derivatives, and differences of matrices a thousand times larger")
INVERSION = Tolerance(1e-6, "rounding after the pseudo-inverse of matrices of condition up to 1e6")
LIMIT = Tolerance(
    1e-5, "distance from the limit at epsilon = 1e-8 ||g||^2, with vectors up to 40 times longer along g than across"
)
SLOPE = Tolerance(0.05, "of a power law fitted over two decades; the next order in epsilon bends it")

STEP = 0.1  # eta of the steps of T26(b)
DRAWS = 200  # problems of T26b, and points of its curves: one size leaves one program to compile
MOST = 4  # losses of T26b; fewer are padded by zeros


def curves() -> list[Curve]:
    """Residuals after a step (T26) and scores against epsilon (T26b)."""
    lines = []
    sizes = np.geomspace(0.05, 2.0, 40)
    matrix = np.linalg.qr(np.random.default_rng([26, 5]).standard_normal((8, 5)))[0].T
    after = [_steps(matrix, np.array([size, 0.5, -0.7, 1.1, -1.3]))[:, 0] for size in sizes]
    for k, series in enumerate(("empirical Fisher", "Gauss-Newton")):
        lines.append(Curve("T26", "residual after a step", series, sizes, np.array([step[k] for step in after])))
    for n in (2, 3, 4):
        layers = np.random.default_rng([26, 4, n]).standard_normal((n, 3, 4))
        layers[1:-1] = layers[0] + 0.3 * layers[1:-1]  # alike, so that the limit is not near -1 for every n
        lengths = np.logspace(3, -8, DRAWS)
        gradients = np.broadcast_to(layers.reshape(n, 12), (DRAWS, n, 12))
        matrix_form = scores(common_state(gradients, lengths))
        soap_form = scores(common_soap(np.broadcast_to(layers, (DRAWS, n, 3, 4)), lengths)[0])
        lines.append(Curve("T26b", "score of the matrix form", f"n = {n}", lengths, matrix_form))
        lines.append(Curve("T26b", "score of the SOAP form", f"n = {n}", lengths, soap_form))
        total = layers.reshape(n, 12).sum(axis=0)
        for quantity, value in (
            ("raw score", score(layers.reshape(n, 12))),
            ("limit of the matrix form", score(_across(layers.reshape(n, 12), total))),
        ):
            lines.append(Curve("T26b", quantity, f"n = {n}", lengths[[0, -1]], np.array([value, value])))
    return lines


# T26(a): sampled noise of equal size, whose second moment is the Gauss-Newton matrix


@vanishes(
    "T26(a)",
    "Residual noise with E xi xi^T = sigma^2 I gives E[J^T xi xi^T J] = sigma^2 J^T J.",
    "largest error, all 32 sign vectors, 20 Jacobians",
    IDENTITY,
    "proven under conditions",
    draws=20 * 64,
)
def moment_of_sampled_noise() -> Numbers:
    jacobians = np.random.default_rng([26, 1]).standard_normal((20, 5, 8))
    noise = 0.7 * np.array(list(product((-1.0, 1.0), repeat=5)))  # E xi xi^T = 0.49 I, exactly
    moments = np.asarray(_moments((noise @ jacobians)[..., None]))
    return moments - 0.49 * np.asarray(_gauss_newton(jacobians))


# T26(b): the actual residuals and the empirical Fisher matrix


class Residuals(NamedTuple):
    """300 problems of five residuals and eight parameters.

    jacobians: (300, 5, 8). orthonormal: Jacobians with the same row spaces and orthonormal rows. signs, residuals:
    (300, 5).
    """

    jacobians: Floats
    orthonormal: Floats
    signs: Floats
    residuals: Floats


@cache
def drawn_residuals() -> Residuals:
    generator = np.random.default_rng([26, 2])
    draws, m, d = 300, 5, 8
    left, right = (np.linalg.qr(generator.standard_normal((draws, size, m)))[0] for size in (m, d))
    orthonormal = right.swapaxes(1, 2)
    jacobians = left * 10.0 ** generator.uniform(-0.5, 0.5, (draws, 1, m)) @ orthonormal
    signs = generator.choice([-1.0, 1.0], (draws, m))
    return Residuals(jacobians, orthonormal, signs, signs * 10.0 ** generator.uniform(-0.5, 0.5, (draws, m)))


@vanishes(
    "T26(b)",
    "With J of full row rank J F^+ g = 1/r elementwise, for F = J^T diag(r^2) J.",
    "largest relative error, 300 problems",
    INVERSION,
    "proven under conditions",
    draws=300 * 5,
)
def inverted_residuals() -> Numbers:
    jacobians, _, _, residuals = drawn_residuals()
    inverted = np.array([residual - _steps(J, residual)[0] for J, residual in zip(jacobians, residuals, strict=True)])
    return inverted / STEP * residuals - 1


def small_residual_after() -> Floats:
    """A residual 0.1 of five after a step with the empirical Fisher matrix, and with the Gauss-Newton matrix: (2,)."""
    return _steps(drawn_residuals().jacobians[0], np.array([0.1, 0.5, -0.7, 1.1, -1.3]))[:, 0]


@equals(
    "T26(b)",
    "The step F^+ g of the empirical Fisher matrix shrinks residuals, as that of Gauss-Newton does.",
    "|r_+|/|r| at r = 0.1, eta = 0.1; 0.9 for Gauss-Newton",
    9.0,
    INVERSION,
    "false in general",
)
def growth_by_the_empirical_fisher_matrix() -> Numbers:
    return abs(small_residual_after()[0]) / 0.1


@equals(
    "T26(b)",
    "The Gauss-Newton step shrinks every residual by 1 - eta.",
    "|r_+|/|r| at r = 0.1, eta = 0.1",
    0.9,
    INVERSION,
    "proven under conditions",
)
def shrinking_by_gauss_newton() -> Numbers:
    return abs(small_residual_after()[1]) / 0.1


@vanishes(
    "T26(b)",
    "Residuals of equal magnitude make F a multiple of J^T J.",
    "largest min_c ||F - c J^T J||/||c J^T J||, 300 problems",
    IDENTITY,
    "proven under conditions",
    draws=300,
)
def distance_for_equal_magnitudes() -> Numbers:
    jacobians, _, signs, _ = drawn_residuals()
    return _best_scaled(_empirical_fisher(jacobians, 0.3 * signs), np.asarray(_gauss_newton(jacobians)))[0]


@holds(
    "T26(b)",
    "Only they do: ||F - c J^T J|| >= lambda_min(K) ||r^2 - mean r^2|| for every c.",
    "least slack, in units of ||c J^T J||, 300 problems",
    IDENTITY,
    "proven under conditions",
    draws=300,
)
def distance_for_unequal_magnitudes() -> Numbers:
    jacobians, _, _, residuals = drawn_residuals()
    errors, scales = _best_scaled(_empirical_fisher(jacobians, residuals), np.asarray(_gauss_newton(jacobians)))
    least = np.linalg.eigvalsh(jacobians @ jacobians.swapaxes(1, 2))[:, 0]
    return errors - least * _spread(residuals) / scales


@vanishes(
    "T26(b)",
    "For orthonormal rows the distance of F from multiples of J^T J is the coefficient of variation of r^2.",
    "largest error of ||F - c J^T J||/||c J^T J|| at the nearest multiple, 300 problems",
    IDENTITY,
    draws=300,
)
def distance_for_orthonormal_rows() -> Numbers:
    _, orthonormal, _, residuals = drawn_residuals()
    varied, _ = _best_scaled(_empirical_fisher(orthonormal, residuals), np.asarray(_gauss_newton(orthonormal)))
    return varied - _spread(residuals) / np.sqrt(residuals.shape[1]) / (residuals**2).mean(axis=1)


# T26(c): mini-batches, every one of them


class Batches(NamedTuple):
    """gradients: g_B of every batch, (batches, 6). moment: what E[g_B g_B^T] has to be, (6, 6). fraction: the same of
    the rank-one fraction."""

    gradients: Array
    moment: Floats
    fraction: float


@cache
def all_batches() -> dict[str, Batches]:
    """Batches of two of four samples ``with`` and ``without`` replacement, and the ``full`` batch."""
    generator = np.random.default_rng([26, 3])
    samples = generator.standard_normal((4, 6)) + generator.standard_normal(6)
    mean, first = samples.mean(axis=0), samples.T @ samples / 4
    centre = np.outer(mean, mean)
    found = {}
    for name, batches, expected in (
        ("with", product(range(4), repeat=2), first / 2 + centre / 2),
        ("without", combinations(range(4), 2), centre + (4 - 2) / (4 - 1) / 2 * (first - centre)),
        ("full", combinations(range(4), 4), centre),
    ):
        gradients = jnp.asarray(samples[list(batches)].mean(axis=1))
        found[name] = Batches(gradients, expected, float(mean @ mean / np.trace(expected)))
    return found


@vanishes(
    "T26(c)",
    "Batches with replacement: E[g_B g_B^T] = F_1/B + (1 - 1/B) gbar gbar^T.",
    "largest error, all batches, N = 4, B = 2",
    IDENTITY,
    draws=36,
)
def moment_with_replacement() -> Numbers:
    return _moment_error(all_batches()["with"])


@vanishes(
    "T26(c)",
    "Batches without: E[g_B g_B^T] = gbar gbar^T + (N - B)/(N - 1)/B (F_1 - gbar gbar^T).",
    "largest error, all batches, N = 4, B = 2",
    IDENTITY,
    draws=36,
)
def moment_without_replacement() -> Numbers:
    return _moment_error(all_batches()["without"])


@vanishes(
    "T26(c)",
    "The rank-one fraction of the batch gradients is ||gbar||^2/tr F.",
    "largest error, with and without replacement",
    IDENTITY,
    draws=3,
)
def rank_one_fractions() -> Numbers:
    return [float(rank_one_fraction(batches.gradients)) - batches.fraction for batches in all_batches().values()]


@vanishes(
    "T26(c)",
    "Full batches have the second moment gbar gbar^T, of rank one.",
    "largest error, and 1 - rank-one fraction, B = N = 4",
    IDENTITY,
    draws=37,
)
def moment_of_full_batches() -> Numbers:
    full = all_batches()["full"]
    return [_moment_error(full), 1 - float(rank_one_fraction(full.gradients))]


# T26(d): the Hessian and the Gauss-Newton matrix


@cache
def remainders() -> dict[str, Floats]:
    """The norms of ``_remainders`` for 50 networks, (50, 3) each."""
    generator = np.random.default_rng([26, 6])
    params, offsets = generator.standard_normal((50, 12)), generator.standard_normal((50, 6))
    return {name: np.asarray(part) for name, part in _remainders(params, offsets).items()}


@vanishes(
    "T26(d)",
    "The Hessian is J^T J + sum_k r_k (Hessian of r_k).",
    "largest relative error, 50 tanh networks",
    DERIVATIVES,
    draws=150,
)
def parts_of_the_hessian() -> Numbers:
    return remainders()["identity"]


@holds(
    "T26(d)",
    "||Hessian - J^T J|| <= ||r|| (sum_k ||Hessian of r_k||^2)^(1/2), in Frobenius norm.",
    "least slack in units of ||J^T J||, 50 tanh networks",
    IDENTITY,
    draws=100,
)
def bound_on_the_remainder() -> Numbers:
    found = remainders()
    return ((found["bound"] - found["remainder"]) / found["gauss_newton"])[:, 1:]


@vanishes(
    "T26(d)",
    "At an exact fit the remainder vanishes.",
    "largest remainder relative to J^T J, r = 0",
    IDENTITY,
    draws=50,
)
def remainder_at_an_exact_fit() -> Numbers:
    return (remainders()["remainder"] / remainders()["gauss_newton"])[:, 0]


@vanishes(
    "T26(d)",
    "At fixed parameters the remainder is proportional to the size of the residuals.",
    "largest relative error of the ratio of remainders for r and r/1000",
    DERIVATIVES,
    draws=50,
)
def remainder_in_proportion_to_the_residuals() -> Numbers:
    relative = remainders()["remainder"] / remainders()["gauss_newton"]
    return relative[:, 1] / relative[:, 2] / 1000 - 1


# T26b: statistics of the summed gradient amplify disagreement

EPSILONS = (1e-4, 1e-5, 1e-6, 1e-8)
"""epsilon in units of ||g||^2."""


class SmallEpsilons(NamedTuple):
    """Scores of 200 draws of n losses at small epsilon, and what they tend to.

    gradients: (200, n, 12). matrix: of (g g^T + epsilon I)^(-1/2) g_i at each of ``EPSILONS``, (4, 200). matrix_limit:
    of the parts of the g_i across g, (200,). soap: of SOAP's directions with V + 1e-8 ||g||^2, (200,). soap_limit: of
    the off-diagonal parts in the basis of g, (200,). off: these parts, (200, n, 3, 4).
    """

    gradients: Floats
    matrix: Floats
    matrix_limit: Floats
    soap: Floats
    soap_limit: Floats
    off: Floats


@cache
def small_epsilons() -> dict[int, SmallEpsilons]:
    """By the number n = 2, 3, 4 of losses."""
    generator = np.random.default_rng([26, 7])
    found = {}
    for n in (2, 3, 4):
        layers = generator.standard_normal((DRAWS, n, 3, 4))
        gradients = layers.reshape(DRAWS, n, 12)
        matrix = np.stack([scores(common_state(gradients, np.full(DRAWS, epsilon))) for epsilon in EPSILONS])
        directions, rotated = common_soap(layers, np.full(DRAWS, 1e-8))
        off = rotated * (1 - np.eye(3, 4))
        found[n] = SmallEpsilons(
            gradients,
            matrix,
            scores(_across(gradients, gradients.sum(axis=1, keepdims=True))),
            scores(directions),
            scores(off.reshape(DRAWS, n, 12)),
            off,
        )
    return found


@vanishes(
    "T26b",
    "As epsilon tends to 0 the common-state score of (g g^T + epsilon I)^(-1/2) tends to the score of the parts of the "
    "g_i across g.",
    "largest error at epsilon = 1e-8 ||g||^2, n = 2, 200 problems",
    LIMIT,
    draws=DRAWS,
)
def limit_of_the_matrix_form_of_two_losses() -> Numbers:
    found = small_epsilons()[2]
    return found.matrix[-1] - found.matrix_limit


@vanishes(
    "T26b",
    "For two losses the common-state score of (g g^T + epsilon I)^(-1/2) tends to -1.",
    "largest A + 1 at epsilon = 1e-8 ||g||^2, 200 problems",
    LIMIT,
    draws=DRAWS,
)
def conflict_of_the_matrix_form_of_two_losses() -> Numbers:
    return small_epsilons()[2].matrix[-1] + 1


@vanishes(
    "T26b",
    "As epsilon tends to 0 the common-state score of SOAP with V + epsilon tends to the score of the off-diagonal "
    "parts in the basis of g.",
    "largest error at epsilon = 1e-8 ||g||^2, n = 2, 200 problems",
    LIMIT,
    draws=DRAWS,
)
def limit_of_the_soap_form_of_two_losses() -> Numbers:
    found = small_epsilons()[2]
    return found.soap - found.soap_limit


@vanishes(
    "T26b",
    "For two losses the common-state score of SOAP with V + epsilon tends to -1.",
    "largest A + 1 at epsilon = 1e-8 ||g||^2, 200 problems",
    LIMIT,
    draws=DRAWS,
)
def conflict_of_the_soap_form_of_two_losses() -> Numbers:
    return small_epsilons()[2].soap + 1


# The records of three losses come before those of four
for _case in ({"n": 3}, {"n": 4}):

    @vanishes(
        "T26b",
        "As epsilon tends to 0 the common-state score of (g g^T + epsilon I)^(-1/2) tends to the score of the parts of "
        "the g_i across g.",
        "largest error at epsilon = 1e-8 ||g||^2, n = {n}, 200 problems",
        LIMIT,
        draws=DRAWS,
        cases=[_case],
    )
    def limit_of_the_matrix_form(n: int) -> Numbers:
        found = small_epsilons()[n]
        return found.matrix[-1] - found.matrix_limit

    @holds(
        "T26b",
        "The limit for (g g^T + epsilon I)^(-1/2) is at most 2 ((n - 2)/n)^2 - 1.",
        "least slack at epsilon = 1e-8 ||g||^2, n = {n}, 200 problems",
        LIMIT,
        draws=DRAWS,
        cases=[_case],
    )
    def bound_on_the_matrix_form(n: int) -> Numbers:
        return cancellation_bound(n) - small_epsilons()[n].matrix[-1]

    @vanishes(
        "T26b",
        "As epsilon tends to 0 the common-state score of SOAP with V + epsilon tends to the score of the off-diagonal "
        "parts in the basis of g.",
        "largest error at epsilon = 1e-8 ||g||^2, n = {n}, 200 problems",
        LIMIT,
        draws=DRAWS,
        cases=[_case],
    )
    def limit_of_the_soap_form(n: int) -> Numbers:
        found = small_epsilons()[n]
        return found.soap - found.soap_limit

    @holds(
        "T26b",
        "The limit for SOAP with V + epsilon is at most 2 ((n - 2)/n)^2 - 1.",
        "least slack at epsilon = 1e-8 ||g||^2, n = {n}, 200 problems",
        LIMIT,
        draws=DRAWS,
        cases=[_case],
    )
    def bound_on_the_soap_form(n: int) -> Numbers:
        return cancellation_bound(n) - small_epsilons()[n].soap


@vanishes(
    "T26b",
    "The off-diagonal parts of the g_i in SOAP's basis of g cancel.",
    "largest sum, relative, n = 2, 3, 4",
    IDENTITY,
    draws=3 * DRAWS * 12,
)
def sum_of_off_diagonal_parts() -> Numbers:
    parts = [found.off for found in small_epsilons().values()]
    return [off.sum(axis=1) / np.max(np.abs(off), axis=(1, 2, 3))[:, None, None] for off in parts]


@vanishes(
    "T26b",
    "With the matrix form the score approaches its limit in proportion to epsilon.",
    "largest |slope - 1| in logarithms, epsilon = 1e-4..1e-6 ||g||^2, 600 problems",
    SLOPE,
    draws=3 * DRAWS,
)
def order_of_the_approach() -> Numbers:
    slopes = []
    for found in small_epsilons().values():
        distances = np.abs(found.matrix[:3] - found.matrix_limit)
        slopes.append(np.polyfit(np.log(EPSILONS[:3]), np.log(distances), 1)[0] - 1)
    return slopes


@vanishes(
    "T26b",
    "For two losses with parts a_i along g and -+p across it, A = (rho a_1 a_2 - p^2)/sqrt((rho a_1^2 + p^2)"
    "(rho a_2^2 + p^2)), rho = epsilon/(||g||^2 + epsilon).",
    "largest error, four epsilon, 200 problems",
    DERIVATIVES,
    draws=4 * DRAWS,
)
def matrix_form_of_two_losses() -> Numbers:
    found = small_epsilons()[2]
    by_epsilon = zip(EPSILONS, found.matrix, strict=True)
    return [values - _score_of_two(found.gradients, epsilon) for epsilon, values in by_epsilon]


@jax.jit
@jax.vmap
def _remainders(params: Array, offset: Array) -> dict[str, Array]:
    """Norms of T26(d) for r = t offset with t = 0, 1, 1/1000 (in turn), the network having 4 units and 6 points."""
    points = jnp.linspace(-1, 1, 6)

    def network(theta: Array) -> Array:
        a, w, b = theta.reshape(3, 4)
        return jnp.tanh(points[:, None] * w + b) @ a

    values, second = network(params), jax.hessian(network)(params)
    G = gauss_newton_matrix(jacobian_matrix(network, params))

    def norms(scale: Array) -> dict[str, Array]:
        r = scale * offset
        H = hessian_matrix(lambda theta: jnp.sum((network(theta) - (values - r)) ** 2) / 2, params)
        return {
            "identity": jnp.linalg.norm(H - G - jnp.einsum("k,kij->ij", r, second)) / jnp.linalg.norm(H),
            "remainder": jnp.linalg.norm(H - G),
            "bound": jnp.linalg.norm(r) * jnp.linalg.norm(second),
            "gauss_newton": jnp.linalg.norm(G),
        }

    return jax.vmap(norms)(jnp.asarray([0.0, 1.0, 1e-3]))


def common_state(gradients: Floats, lengths: Floats) -> Floats:
    """(g g^T + epsilon I)^(-1/2) g_i with g = sum g_i and epsilon = length ||g||^2: (B, n, d). Dimensionless.

    gradients: (B, n, d), n <= 4. lengths: (B,), positive.

    >>> found = common_state(np.array([[[1.0, 1.0], [1.0, -1.0]]]), np.array([3.0]))  # g = (2, 0), epsilon = 12
    >>> [round(float(value), 4) for value in found.ravel()]
    [0.25, 0.2887, 0.25, -0.2887]
    """
    return np.asarray(_common_state(_padded(gradients), lengths))[:, : gradients.shape[1]]


def common_soap(layers: Floats, lengths: Floats) -> tuple[Floats, Floats]:
    """SOAP's directions of G_i (B, n, m, k) from the one gradient G = sum G_i, with V + length ||G||^2 in place of V.

    Returns the directions, (B, n, m k), and the G_i in SOAP's basis, (B, n, m, k), rows and columns by falling singular
    value of G. n <= 4, lengths (B,) positive. Dimensionless.
    """
    directions, rotated = _common_soap(_padded(layers), lengths)
    return np.asarray(directions)[:, : layers.shape[1]], np.asarray(rotated)[:, : layers.shape[1]]


def _padded(losses: Floats) -> Floats:
    """Losses without gradient change no sum."""
    return np.pad(losses, [(0, 0), (0, MOST - losses.shape[1])] + [(0, 0)] * (losses.ndim - 2))


@jax.jit
@jax.vmap
def _common_state(gradients: Array, length: Array) -> Array:
    g = jnp.sum(gradients, axis=0)
    moment = jnp.outer(g, g) + length * (g @ g) * jnp.eye(len(g))
    return gradients @ symmetric_power(moment, -0.5)


@jax.jit
@jax.vmap
def _common_soap(layers: Array, length: Array) -> tuple[Array, Array]:
    G = jnp.sum(layers, axis=0)
    state = ideal_soap(second_moment(G[None]), *G.shape)
    damped = state._replace(squares=state.squares + length * jnp.sum(G**2))
    directions = jax.vmap(lambda layer: jnp.ravel(damped.direction(layer)))(layers)
    return directions, state.left.T[::-1] @ layers @ state.right[:, ::-1]


_moment = jax.jit(second_moment)
_moments = jax.jit(jax.vmap(second_moment))
_gauss_newton = jax.jit(jax.vmap(gauss_newton_matrix))
_pseudo_inverse = jax.jit(lambda matrix: symmetric_power(matrix, -1.0, 1e-12))


def _empirical_fisher(jacobians: Floats, residuals: Floats) -> Floats:
    """J^T diag(r^2) J, the sum of the second moments of the gradients r_k J_k of single residuals: (B, d, d)."""
    return residuals.shape[1] * np.asarray(_moments((residuals[..., None] * jacobians)[..., None]))


def _spread(residuals: Floats) -> Floats:
    """||r^2 - mean r^2||: (B,) of (B, m)."""
    squares = residuals**2
    return np.linalg.norm(squares - squares.mean(axis=1, keepdims=True), axis=1)


def _moment_error(batches: Batches) -> Floats:
    return np.asarray(_moment(batches.gradients[..., None])) - batches.moment


def _best_scaled(moments: Floats, matrices: Floats) -> tuple[Floats, Floats]:
    """||F - c G||/||c G|| with the c that minimises the numerator, and ||c G||: (B,) each."""
    scale = np.sum(moments * matrices, axis=(1, 2)) / np.sum(matrices**2, axis=(1, 2))
    nearest = scale[:, None, None] * matrices
    length = np.linalg.norm(nearest, axis=(1, 2))
    return np.linalg.norm(moments - nearest, axis=(1, 2)) / length, length


def _steps(jacobian: Floats, residual: Floats) -> Floats:
    """Linear residuals after a step of length STEP with the empirical Fisher and the Gauss-Newton matrix: (2, m)."""
    fisher = _empirical_fisher(jacobian[None], residual[None])[0]
    directions = [
        np.asarray(_pseudo_inverse(matrix)) @ (jacobian.T @ residual) for matrix in (fisher, jacobian.T @ jacobian)
    ]
    return np.stack([residual - STEP * jacobian @ direction for direction in directions])


def _across(gradients: Floats, total: Floats) -> Floats:
    """The parts of the gradients (.., n, d) orthogonal to the total (.., 1, d) or (d,)."""
    along = units(total)
    return gradients - np.sum(gradients * along, axis=-1, keepdims=True) * along


def _score_of_two(gradients: Floats, length: float) -> Floats:
    """The closed form of T26b for two losses (B, 2, d): (B,)."""
    total = gradients.sum(axis=1, keepdims=True)
    a = np.sum(gradients * units(total), axis=-1)
    p = np.sum(_across(gradients, total)[:, 0] ** 2, axis=-1)
    rho = length / (1 + length)
    return np.asarray((rho * a[:, 0] * a[:, 1] - p) / np.sqrt((rho * a[:, 0] ** 2 + p) * (rho * a[:, 1] ** 2 + p)))
