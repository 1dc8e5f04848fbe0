"""Claims T26 and T26b: what second moments of gradients say of the curvature, and what they do to the score.

J (m, d) is the Jacobian of m residuals r, F the second moment of the gradients an optimizer sees. Where a claim is
about an expectation, the whole ensemble is enumerated, so that nothing is left to chance. Problems are drawn from
explicit seeds in float64. A record of status "false in general" reproduces a counterexample.
"""

from itertools import combinations, product

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gradalign.base.precision import dtype_of
from gradalign.claims._batches import Floats, score, scores, units
from gradalign.claims._ideal_soap import ideal_soap
from gradalign.claims._records import Claim, Curve, equals, holds, timed, vanishes
from gradalign.claims.compromise import cancellation_bound
from gradalign.diagnostics.curvature import (
    gauss_newton_matrix,
    hessian_matrix,
    jacobian_matrix,
    rank_one_fraction,
    second_moment,
    symmetric_power,
)

IDENTITY = 1e-12  # sums of some hundred terms of order one
DERIVATIVES = 1e-10  # second derivatives, and differences of matrices a thousand times larger
INVERSION = 1e-6  # after the pseudo-inverse of matrices of condition up to 1e6
LIMIT = 1e-5  # of the score at epsilon = 1e-8 ||g||^2, with vectors up to 40 times longer along g than across
SLOPE = 0.05  # of a power law over two decades

STEP = 0.1  # eta of the steps of T26(b)
DRAWS = 200  # problems of T26b, and points of its curves: one size leaves one program to compile
MOST = 4  # losses of T26b; fewer are padded by zeros


def check() -> list[Claim]:
    """All records of the claims T26 and T26b.

    Raises ``ConfigurationError`` while JAX's 64-bit types are off.
    """
    dtype_of("float64")
    return timed(CHECKS)


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


def T26_a() -> list[Claim]:
    """Sampled noise of equal size: the second moment is the Gauss-Newton matrix."""
    jacobians = np.random.default_rng([26, 1]).standard_normal((20, 5, 8))
    noise = 0.7 * np.array(list(product((-1.0, 1.0), repeat=5)))  # E xi xi^T = 0.49 I, exactly
    moments = np.asarray(_moments((noise @ jacobians)[..., None]))
    return [
        vanishes(
            "T26(a)",
            "Residual noise with E xi xi^T = sigma^2 I gives E[J^T xi xi^T J] = sigma^2 J^T J.",
            "largest error, all 32 sign vectors, 20 Jacobians",
            moments - 0.49 * np.asarray(_gauss_newton(jacobians)),
            IDENTITY,
            "proven under conditions",
            draws=20 * 64,
        )
    ]


def T26_b() -> list[Claim]:
    """The actual residuals: the empirical Fisher matrix."""
    generator = np.random.default_rng([26, 2])
    draws, m, d = 300, 5, 8
    left, right = (np.linalg.qr(generator.standard_normal((draws, size, m)))[0] for size in (m, d))
    jacobians = left * 10.0 ** generator.uniform(-0.5, 0.5, (draws, 1, m)) @ right.swapaxes(1, 2)
    signs = generator.choice([-1.0, 1.0], (draws, m))
    residuals = signs * 10.0 ** generator.uniform(-0.5, 0.5, (draws, m))
    inverted = np.array([residual - _steps(J, residual)[0] for J, residual in zip(jacobians, residuals, strict=True)])
    squares = residuals**2
    spread = np.linalg.norm(squares - squares.mean(axis=1, keepdims=True), axis=1)
    variation = spread / np.sqrt(m) / squares.mean(axis=1)
    matrices = np.asarray(_gauss_newton(jacobians))
    errors, scales = _best_scaled(_empirical_fisher(jacobians, residuals), matrices)
    least = np.linalg.eigvalsh(jacobians @ jacobians.swapaxes(1, 2))[:, 0]
    equal, _ = _best_scaled(_empirical_fisher(jacobians, 0.3 * signs), matrices)
    orthonormal = right.swapaxes(1, 2)
    varied, _ = _best_scaled(_empirical_fisher(orthonormal, residuals), np.asarray(_gauss_newton(orthonormal)))
    small = _steps(jacobians[0], np.array([0.1, 0.5, -0.7, 1.1, -1.3]))[:, 0]
    return [
        vanishes(
            "T26(b)",
            "With J of full row rank J F^+ g = 1/r elementwise, for F = J^T diag(r^2) J.",
            f"largest relative error, {draws} problems",
            inverted / STEP * residuals - 1,
            INVERSION,
            "proven under conditions",
            draws=draws * m,
        ),
        equals(
            "T26(b)",
            "The step F^+ g of the empirical Fisher matrix shrinks residuals, as that of Gauss-Newton does.",
            "|r_+|/|r| at r = 0.1, eta = 0.1; 0.9 for Gauss-Newton",
            abs(small[0]) / 0.1,
            9.0,
            INVERSION,
            "false in general",
        ),
        equals(
            "T26(b)",
            "The Gauss-Newton step shrinks every residual by 1 - eta.",
            "|r_+|/|r| at r = 0.1, eta = 0.1",
            abs(small[1]) / 0.1,
            0.9,
            INVERSION,
            "proven under conditions",
        ),
        vanishes(
            "T26(b)",
            "Residuals of equal magnitude make F a multiple of J^T J.",
            f"largest min_c ||F - c J^T J||/||c J^T J||, {draws} problems",
            equal,
            IDENTITY,
            "proven under conditions",
            draws=draws,
        ),
        holds(
            "T26(b)",
            "Only they do: ||F - c J^T J|| >= lambda_min(K) ||r^2 - mean r^2|| for every c.",
            f"least slack, in units of ||c J^T J||, {draws} problems",
            errors - least * spread / scales,
            IDENTITY,
            "proven under conditions",
            draws=draws,
        ),
        vanishes(
            "T26(b)",
            "For orthonormal rows the distance of F from multiples of J^T J is the coefficient of variation of r^2.",
            f"largest error of ||F - c J^T J||/||c J^T J|| at the nearest multiple, {draws} problems",
            varied - variation,
            IDENTITY,
            draws=draws,
        ),
    ]


def T26_c() -> list[Claim]:
    """Mini-batches, every one of them."""
    generator = np.random.default_rng([26, 3])
    errors: dict[str, list[Floats | float]] = {name: [] for name in ("with", "without", "fraction", "full")}
    samples = generator.standard_normal((4, 6)) + generator.standard_normal(6)
    mean, first = samples.mean(axis=0), samples.T @ samples / 4
    centre = np.outer(mean, mean)
    for name, batches, expected in (
        ("with", product(range(4), repeat=2), first / 2 + centre / 2),
        ("without", combinations(range(4), 2), centre + (4 - 2) / (4 - 1) / 2 * (first - centre)),
        ("full", combinations(range(4), 4), centre),
    ):
        gradients = jnp.asarray(samples[list(batches)].mean(axis=1))
        errors[name].append(np.asarray(_moment(gradients[..., None])) - expected)
        fraction = float(rank_one_fraction(gradients))
        errors["fraction"].append(fraction - float(mean @ mean / np.trace(expected)))
    errors["full"].append(1 - fraction)
    return [
        vanishes(
            "T26(c)",
            "Batches with replacement: E[g_B g_B^T] = F_1/B + (1 - 1/B) gbar gbar^T.",
            "largest error, all batches, N = 4, B = 2",
            errors["with"],
            IDENTITY,
            draws=36,
        ),
        vanishes(
            "T26(c)",
            "Batches without: E[g_B g_B^T] = gbar gbar^T + (N - B)/(N - 1)/B (F_1 - gbar gbar^T).",
            "largest error, all batches, N = 4, B = 2",
            errors["without"],
            IDENTITY,
            draws=36,
        ),
        vanishes(
            "T26(c)",
            "The rank-one fraction of the batch gradients is ||gbar||^2/tr F.",
            "largest error, with and without replacement",
            errors["fraction"],
            IDENTITY,
            draws=3,
        ),
        vanishes(
            "T26(c)",
            "Full batches have the second moment gbar gbar^T, of rank one.",
            "largest error, and 1 - rank-one fraction, B = N = 4",
            errors["full"],
            IDENTITY,
            draws=37,
        ),
    ]


def T26_d() -> list[Claim]:
    """The Hessian and the Gauss-Newton matrix."""
    generator = np.random.default_rng([26, 6])
    params, offsets = generator.standard_normal((50, 12)), generator.standard_normal((50, 6))
    found = {name: np.asarray(part) for name, part in _remainders(params, offsets).items()}
    relative = found["remainder"] / found["gauss_newton"]
    statement = "The remainder grows with the residuals, at fixed parameters: none at an exact fit"
    return [
        vanishes(
            "T26(d)",
            "The Hessian is J^T J + sum_k r_k (Hessian of r_k).",
            "largest relative error, 50 tanh networks",
            found["identity"],
            DERIVATIVES,
            draws=150,
        ),
        holds(
            "T26(d)",
            "||Hessian - J^T J|| <= ||r|| (sum_k ||Hessian of r_k||^2)^(1/2), in Frobenius norm.",
            "least slack in units of ||J^T J||, 50 tanh networks",
            ((found["bound"] - found["remainder"]) / found["gauss_newton"])[:, 1:],
            IDENTITY,
            draws=100,
        ),
        vanishes(
            "T26(d)",
            f"{statement}.",
            "largest remainder relative to J^T J, r = 0",
            relative[:, 0],
            IDENTITY,
            draws=50,
        ),
        vanishes(
            "T26(d)",
            f"{statement}, in proportion to their size.",
            "largest relative error of the ratio of remainders for r and r/1000",
            relative[:, 1] / relative[:, 2] / 1000 - 1,
            DERIVATIVES,
            draws=50,
        ),
    ]


def T26b() -> list[Claim]:
    """Statistics of the summed gradient amplify disagreement."""
    generator = np.random.default_rng([26, 7])
    lengths = np.array([1e-4, 1e-5, 1e-6, 1e-8])  # epsilon / ||g||^2
    slopes, law, cancelling, records = [], [], [], []
    for n in (2, 3, 4):
        layers = generator.standard_normal((DRAWS, n, 3, 4))
        gradients = layers.reshape(DRAWS, n, 12)
        total = gradients.sum(axis=1, keepdims=True)
        limit = scores(_across(gradients, total))
        found = np.stack([scores(common_state(gradients, np.full(DRAWS, length))) for length in lengths])
        slopes.append(np.polyfit(np.log(lengths[:3]), np.log(np.abs(found[:3] - limit)), 1)[0] - 1)
        if n == 2:
            law = [row - _score_of_two(gradients, length) for row, length in zip(found, lengths, strict=True)]
        directions, rotated = common_soap(layers, np.full(DRAWS, 1e-8))
        off = rotated * (1 - np.eye(3, 4))
        cancelling.append(off.sum(axis=1) / np.max(np.abs(off), axis=(1, 2, 3))[:, None, None])
        for form, values, expected in (
            ("(g g^T + epsilon I)^(-1/2)", found[-1], limit),
            ("SOAP with V + epsilon", scores(directions), scores(off.reshape(DRAWS, n, 12))),
        ):
            projected = "parts of the g_i across g" if form.startswith("(") else "off-diagonal parts in the basis of g"
            records.append(
                vanishes(
                    "T26b",
                    f"As epsilon tends to 0 the common-state score of {form} tends to the score of the {projected}.",
                    f"largest error at epsilon = 1e-8 ||g||^2, n = {n}, 200 problems",
                    values - expected,
                    LIMIT,
                    draws=DRAWS,
                )
            )
            if n == 2:
                records.append(
                    vanishes(
                        "T26b",
                        f"For two losses the common-state score of {form} tends to -1.",
                        "largest A + 1 at epsilon = 1e-8 ||g||^2, 200 problems",
                        values + 1,
                        LIMIT,
                        draws=DRAWS,
                    )
                )
            else:
                records.append(
                    holds(
                        "T26b",
                        f"The limit for {form} is at most 2 ((n - 2)/n)^2 - 1.",
                        f"least slack at epsilon = 1e-8 ||g||^2, n = {n}, 200 problems",
                        cancellation_bound(n) - values,
                        LIMIT,
                        draws=DRAWS,
                    )
                )
    return [
        *records,
        vanishes(
            "T26b",
            "The off-diagonal parts of the g_i in SOAP's basis of g cancel.",
            "largest sum, relative, n = 2, 3, 4",
            cancelling,
            IDENTITY,
            draws=3 * DRAWS * 12,
        ),
        vanishes(
            "T26b",
            "The score approaches its limit in proportion to epsilon.",
            "largest |slope - 1| in logarithms, epsilon = 1e-4..1e-6 ||g||^2, 600 problems",
            slopes,
            SLOPE,
            draws=3 * DRAWS,
        ),
        vanishes(
            "T26b",
            "For two losses with parts a_i along g and -+p across it, A = (rho a_1 a_2 - p^2)/sqrt((rho a_1^2 + p^2)"
            "(rho a_2^2 + p^2)), rho = epsilon/(||g||^2 + epsilon).",
            "largest error, four epsilon, 200 problems",
            law,
            DERIVATIVES,
            draws=4 * DRAWS,
        ),
    ]


CHECKS = (T26_a, T26_b, T26_c, T26_d, T26b)


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
