"""Claim T23: Gauss-Newton steps in function space, where all losses decay at one rate and do not interfere.

L_i = ||r_i||^2 / 2 with Jacobians J_i, stacked to r and J; the step is delta = J^+ r and K = J J^T. Problems are drawn
from explicit seeds in float64. The network is that of ``gradalign.claims._least_squares``; "rich" means a first
kernel 15 times Glorot's and first biases N(0, 1). A record of status "false in general" reproduces a counterexample.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from gradalign.base.precision import dtype_of
from gradalign.claims._batches import Floats, score
from gradalign.claims._checks import Measured, Tolerance, at_least, at_most, counted, equals, holds, vanishes
from gradalign.claims._least_squares import (
    LOSSES,
    directions,
    grid,
    linearise,
    ordinary_network,
    random_problems,
    rich_network,
    stacked,
)
from gradalign.claims._records import Curve, Numbers
from gradalign.claims._shallow_networks import slope
from gradalign.diagnostics.alignment import interference_matrix
from gradalign.diagnostics.matrices import condition_number, random_orthogonal
from gradalign.optimizers._damped_least_squares import damped, damped_system

CLOSED_FORM = Tolerance(1e-10, "rounding of solutions with matrices of condition up to 1e4")
CONDITIONED = Tolerance(1e-6, "relative; rounding of solutions with kernels of networks, of condition up to 1e9")
RATE = Tolerance(0.02, "relative; what 100 steps of length 0.05 bend a decay in function space")
FLOW = Tolerance(1e-6, "relative; error of the Runge-Kutta flow, of order step^4")
SLOPE = Tolerance(0.05, "of a fitted power law; the next order in eta bends it")
LEADING_ORDER = Tolerance(1e-3, "relative; the next order of the expansion in mu/k is below it")

POINTS = 8
ETA = 0.05
STEPS = 100
NETWORKS = 5  # draws of the rich initialisation
BEST = 3  # the one of them with the least kappa(K), 1.4e5
ORDINARY = 16  # draws of Glorot's, without biases

_interference_matrix = jax.jit(interference_matrix)


@jax.jit
def _gauss_newton_step(jacobian: Array, damping: Array, residuals: Array) -> Array:
    return damped(damped_system(jacobian), damping).step(residuals)


def curves() -> list[Curve]:
    """Losses of a network under Gauss-Newton and gradient descent, and the interference of its losses.

    Raises ``ConfigurationError`` while JAX's 64-bit types are off.
    """
    dtype_of("float64")
    start = best_network()
    J, r = linearise(start, grid(POINTS))
    steepest = 1 / np.linalg.norm(stacked(J), 2) ** 2
    descent = follow(start, lambda J, r: steepest * J.T @ r)
    found = []
    for method, values in (("Gauss-Newton", gauss_newton_paths()[BEST]), ("gradient descent", descent)):
        for i, series in enumerate(LOSSES):
            found.append(Curve("T23", f"loss, {method}", series, np.arange(STEPS + 1), values[:, i] / values[0, i]))
    for name, power in (("raw", 0.0), ("Gauss-Newton", 1.0)):
        for series, row in zip(LOSSES, interference(J, r, power), strict=True):
            found.append(Curve("T23", f"interference, {name}", series, np.arange(len(LOSSES)), row))
    return found


# T23a: equal rates of all losses


class QuadraticModels(NamedTuple):
    """What 200 draws of models r(theta - x) = r - J x + [x^T B_k x / 2]_k show of a Gauss-Newton step delta = J^+ r.

    linear: errors of the factor 1 - eta for B = 0, relative to ||r||, (m,) for each draw, m from 1 to 4.
    bend: error of the factor over its bound L_J eta^2 ||delta||^2/2, for random B, (200,). sharp: the same for one
    residual with B = delta delta^T.
    """

    linear: list[Floats]
    bend: Floats
    sharp: Floats


@cache
def quadratic_models() -> QuadraticModels:
    generator = np.random.default_rng([23, 1])
    linear, bend, sharp = [], [], []
    for _ in range(200):
        m, d = int(generator.integers(1, 5)), int(generator.integers(5, 9))
        J, r = full_rank(generator, m, d), generator.standard_normal(m)
        delta = np.asarray(np.linalg.pinv(J) @ r)
        linear.append((gauss_newton_after(J, r) - (1 - ETA) * r) / np.linalg.norm(r))
        # The Jacobian of the model has a Lipschitz constant of at most ||sum_k B_k^2||^(1/2)
        B = generator.standard_normal((m, d, d))
        B = (B + B.transpose(0, 2, 1)) / 2
        bend.append(_bend(B, delta))
        sharp.append(_bend(np.outer(delta, delta)[None], delta))
    return QuadraticModels(linear, np.array(bend), np.array(sharp))


def best_network() -> Floats:
    """The parameters (321,) of the rich initialisation with the least kappa(K)."""
    return rich_network(np.random.default_rng([23, BEST]))


@vanishes(
    "T23a",
    "A Gauss-Newton step of length eta multiplies every residual by 1 - eta if J has full row rank, exactly for linear "
    "models.",
    "largest relative error, 200 draws",
    CLOSED_FORM,
    "proven under conditions",
    draws=200,
)
def factor_of_linear_models() -> Numbers:
    return quadratic_models().linear


@holds(
    "T23a",
    "A Gauss-Newton step of length eta multiplies every residual by 1 - eta if J has full row rank, up to "
    "L_J eta^2 ||delta||^2/2, L_J the Lipschitz constant of J.",
    "least slack relative to the bound, 200 quadratic models",
    CLOSED_FORM,
    "proven under conditions",
    draws=200,
)
def factor_of_quadratic_models() -> Numbers:
    return 1 - quadratic_models().bend


@vanishes(
    "T23a",
    "A Gauss-Newton step of length eta multiplies every residual by 1 - eta if J has full row rank, up to "
    "L_J eta^2 ||delta||^2/2, attained by one residual that bends along delta.",
    "largest slack relative to the bound, 200 quadratic models",
    CLOSED_FORM,
    "proven under conditions",
    draws=200,
)
def factor_of_a_residual_that_bends_along_the_step() -> Numbers:
    return 1 - quadratic_models().sharp


@equals(
    "T23a",
    "A Gauss-Newton step of length eta multiplies every residual by 1 - eta if J has full row rank, up to order eta^2.",
    "slope of the log error against log eta, network, best of 5 rich initialisations",
    2.0,
    SLOPE,
    "proven under conditions",
)
def order_of_the_error_of_the_factor() -> Measured:
    start = best_network()
    jacobian, before = _linearised(start)
    delta = np.linalg.lstsq(jacobian, before, rcond=None)[0]
    lengths = np.array([1e-2, 3e-3, 1e-3, 3e-4])
    errors = [np.linalg.norm(residuals_at(start - eta * delta) - (1 - eta) * before) for eta in lengths]
    return Measured(slope(lengths, np.array(errors)), of=errors)


@vanishes(
    "T23a",
    "All losses of a network decay at the one rate 2 log(1 - eta) of Gauss-Newton.",
    "largest relative error of a rate, three losses, 100 steps of 0.05, 5 rich initialisations",
    RATE,
    "proven under conditions",
    draws=3 * NETWORKS,
)
def rates_of_a_network() -> Numbers:
    # The slope of log L against the step, in units of the rate
    unit = (1 - ETA) ** (2 * np.arange(STEPS + 1.0))
    return [slope(unit, losses) - 1 for path in gauss_newton_paths() for losses in path.T]


@vanishes(
    "T23a",
    "Along the Gauss-Newton flow r(t) = exp(-t) r(0), so L_i(t) = exp(-2t) L_i(0) for every loss.",
    "largest relative error of a residual at t = 1, network, best of 5 rich initialisations",
    FLOW,
    "proven under conditions",
    draws=POINTS + 2,
)
def residuals_along_the_flow() -> Numbers:
    start = best_network()
    return residuals_at(gauss_newton_flow(start, 1.0, 40)) / (np.exp(-1) * residuals_at(start)) - 1


# T23b: losses do not interfere


@vanishes(
    "T23b",
    "The Gauss-Newton step for one loss has no first-order effect on another: <g_i, P g_j> = 0, ||r_i||^2 if i = j.",
    "largest |<g_i, P g_j> - delta_ij ||r_i||^2| / (||r_i|| ||r_j||), 60 draws, n = 2, 3, 4",
    CLOSED_FORM,
    "proven under conditions",
    draws=20 * (4 + 9 + 16),
)
def interference_of_drawn_losses() -> Numbers:
    errors = []
    for n in (2, 3, 4):
        J, r = random_problems(n, 20, np.random.default_rng([23, 2, n]))
        errors += [interference(*problem, 1.0) - np.eye(n) for problem in zip(J, r, strict=True)]
    return errors


@vanishes(
    "T23b",
    "The Gauss-Newton step for one loss has no first-order effect on another: <g_i, P g_j> = 0, ||r_i||^2 if i = j, "
    "for a network.",
    "largest |<g_i, P g_j> - delta_ij ||r_i||^2| / (||r_i|| ||r_j||), 5 rich initialisations",
    CONDITIONED,
    "proven under conditions",
    draws=9 * NETWORKS,
)
def interference_of_the_losses_of_a_network() -> Numbers:
    networks = [rich_network(np.random.default_rng([23, draw])) for draw in range(NETWORKS)]
    return [interference(*linearise(network, grid(POINTS)), 1.0) - np.eye(3) for network in networks]


def losses_at_60_degrees() -> tuple[Floats, Floats]:
    """J (2, 1, 2) and r (2, 1) of two losses of one residual each, whose raw gradients are at 60 degrees."""
    return np.array([[[1.0, 0.0]], [[0.5, np.sqrt(0.75)]]]), np.ones((2, 1))


@vanishes(
    "T23b",
    "The Gauss-Newton step for one loss has no first-order effect on another: <g_i, P g_j> = 0, ||r_i||^2 if i = j, "
    "whatever the score of the directions.",
    "largest |<g_i, P g_j> - delta_ij ||r_i||^2| / (||r_i|| ||r_j||), two losses of one residual each at 60 degrees",
    CLOSED_FORM,
    "proven under conditions",
)
def interference_at_60_degrees() -> Numbers:
    return interference(*losses_at_60_degrees(), 1.0) - np.eye(2)


@equals(
    "T23b",
    "Losses whose Gauss-Newton directions do not interfere have aligned Gauss-Newton directions.",
    "score of the Gauss-Newton directions of these two losses",
    -0.5,
    CLOSED_FORM,
    "false in general",
)
def score_at_60_degrees() -> Numbers:
    return score(directions(*losses_at_60_degrees(), 1.0))


# T23c: the Gauss-Newton step descends for every loss


class Descents(NamedTuple):
    """``descent`` of 300 draws of three losses: effects and ratios (300, 3), and ratios for orthonormal rows."""

    effects: Floats
    ratios: Floats
    orthonormal: Floats


@cache
def descents() -> Descents:
    generator = np.random.default_rng([23, 3])
    found = []
    for _ in range(300):
        sizes = generator.integers(1, 4, 3)
        J = full_rank(generator, int(sizes.sum()), 12)
        r = generator.standard_normal(len(J))
        found.append((*descent(J, r, sizes), descent(random_orthogonal(generator, 12)[: len(J)], r, sizes)[1]))
    return Descents(*(np.array(part) for part in zip(*found, strict=True)))


@vanishes(
    "T23c",
    "The first-order effect of the Gauss-Newton step on a loss is <g_i, delta> = ||r_i||^2.",
    "largest relative error, 300 draws",
    CLOSED_FORM,
    "proven under conditions",
    draws=900,
)
def first_order_effect() -> Numbers:
    return descents().effects - 1


@holds(
    "T23c",
    "cos(g_i, delta) >= ||r_i||/||r|| sigma_min(J)/sigma_max(J_i) > 0 for the Gauss-Newton step delta.",
    "least ratio to the bound, less 1, 300 draws",
    CLOSED_FORM,
    "proven under conditions",
    draws=900,
)
def cosine_of_gradient_and_step() -> Numbers:
    return descents().ratios - 1


@vanishes(
    "T23c",
    "cos(g_i, delta) >= ||r_i||/||r|| sigma_min(J)/sigma_max(J_i) > 0 for the Gauss-Newton step delta, with equality "
    "for orthonormal rows.",
    "largest relative error, 300 draws",
    CLOSED_FORM,
    "proven under conditions",
    draws=900,
)
def cosine_of_gradient_and_step_for_orthonormal_rows() -> Numbers:
    return descents().orthonormal - 1


# T23d: Levenberg-Marquardt on linear models


class DampedSteps(NamedTuple):
    """formula: errors of r - eta K (K + mu)^-1 r relative to ||r||, (300, 6). fast: relative errors of the term
    eta mu/k in the factor of the mode k = 1 at mu = 1e-4, (100,)."""

    formula: Floats
    fast: Floats


@cache
def damped_steps() -> DampedSteps:
    generator = np.random.default_rng([23, 4])
    values = 10.0 ** np.array([0, -1, -2, -3, -5, -6])
    formula, fast = [], []
    for _ in range(100):
        Q = random_orthogonal(generator, 6)
        J, r = (Q * np.sqrt(values)) @ random_orthogonal(generator, 10)[:6], generator.standard_normal(6)
        K = J @ J.T
        for damping in (1e-4, 1e-3, 1.0):
            after = r + ETA * J @ np.asarray(_gauss_newton_step(jnp.asarray(J), jnp.asarray(damping), jnp.asarray(r)))
            expected = r - ETA * K @ np.linalg.solve(K + damping * np.eye(6), r)
            formula.append((after - expected) / np.linalg.norm(r))
            if damping == 1e-4:
                fast.append((Q[:, 0] @ after / (Q[:, 0] @ r) - (1 - ETA)) / (ETA * damping) - 1)
    return DampedSteps(np.array(formula), np.array(fast))


@vanishes(
    "T23d",
    "A Levenberg-Marquardt step on a linear model leaves r - eta K (K + mu)^-1 r.",
    "largest relative error, 100 draws, mu in 1e-4, 1e-3, 1",
    CLOSED_FORM,
    draws=1800,
)
def residuals_after_a_damped_step() -> Numbers:
    return damped_steps().formula


@vanishes(
    "T23d",
    "A Levenberg-Marquardt step multiplies modes with k far above mu by 1 - eta + eta mu/k.",
    "largest relative error of the term eta mu/k, k = 1, mu = 1e-4, 100 draws",
    LEADING_ORDER,
    draws=100,
)
def factor_of_a_fast_mode() -> Numbers:
    return damped_steps().fast


# T23e: rank-deficient Jacobians


class DeficientSteps(NamedTuple):
    """A Gauss-Newton step r -> r_+ with J of rank 4 of 6 rows, Pi the projector on its range; (200,) each.

    formula: ||r_+ - (I - eta Pi) r||/||r||. normal: the change of (I - Pi) r, relative. tangential: the error of the
    factor ||Pi r_+||/||Pi r||.
    """

    formula: Floats
    normal: Floats
    tangential: Floats


@cache
def deficient_steps() -> DeficientSteps:
    generator = np.random.default_rng([23, 5])
    found = []
    for _ in range(200):
        Q = random_orthogonal(generator, 6)
        inside, outside = Q[:, :4], Q[:, 4:]
        J, r = inside @ full_rank(generator, 4, 8), generator.standard_normal(6)
        after = gauss_newton_after(J, r)
        formula = np.linalg.norm(after - (r - ETA * inside @ inside.T @ r)) / np.linalg.norm(r)
        normal = np.linalg.norm(outside.T @ (after - r)) / np.linalg.norm(outside.T @ r)
        tangential = np.linalg.norm(inside.T @ after) / np.linalg.norm(inside.T @ r) - (1 - ETA)
        found.append((formula, normal, tangential))
    return DeficientSteps(*np.array(found).T)


@vanishes(
    "T23e",
    "Without full row rank a Gauss-Newton step leaves (I - eta Pi) r, Pi the projector on the range of J.",
    "largest relative error, 200 draws of rank 4 of 6",
    CLOSED_FORM,
    draws=200,
)
def residuals_after_a_deficient_step() -> Numbers:
    return deficient_steps().formula


@vanishes(
    "T23e",
    "Without full row rank a Gauss-Newton step keeps the part of r off the range of J.",
    "largest relative change, 200 draws",
    CLOSED_FORM,
    draws=200,
)
def part_off_the_range() -> Numbers:
    return deficient_steps().normal


@vanishes(
    "T23e",
    "Without full row rank only the part of r in the range of J is multiplied by 1 - eta.",
    "largest error of the factor, 200 draws",
    CLOSED_FORM,
    draws=200,
)
def part_in_the_range() -> Numbers:
    return deficient_steps().tangential


# T23: how ill-conditioned the kernels of ordinary networks are


@at_most(
    "T23",
    "Glorot's initialisation without biases leaves K ill-conditioned.",
    "decades by which kappa(K) = {earlier} lies outside the range of 16 draws, {points} points",
    0.0,
    0.0,
    "observation",
    # Found by an earlier implementation in one draw each
    cases=[{"earlier": "2.6e5", "points": 4}, {"earlier": "6.9e13", "points": 8}],
)
def earlier_condition(earlier: str, points: int) -> Measured:
    found = ordinary_conditions(points)
    return Measured(outside_range(np.log10(float(earlier)), found), of=found)


@at_least(
    "T23",
    "Glorot's initialisation without biases leaves K ill-conditioned.",
    "median log10 kappa(K), 16 points, 16 draws",
    30.0,
    0.0,
    "observation",
)
def median_condition() -> Measured:
    return Measured(np.median(ordinary_conditions(16)), of=ordinary_conditions(16))


@holds(
    "T23",
    "Glorot's initialisation without biases leaves K ill-conditioned, and more so the more points there are.",
    "least growth of log10 kappa(K) from 4 to 8 and from 8 to 16 points, 16 draws",
    0.0,
    "observation",
    draws=2 * ORDINARY,
)
def growth_of_the_condition() -> Numbers:
    four, eight, sixteen = (ordinary_conditions(points) for points in (4, 8, 16))
    return [eight - four, sixteen - eight]


@counted(
    "T23",
    "For 16 points K has not full rank in float64.",
    "draws of 16 with lambda_min(K) < 18 rounding units of lambda_max(K)",
    ORDINARY,
    "observation",
    draws=ORDINARY,
)
def kernels_without_full_rank() -> Measured:
    rounding = -np.log10((16 + 2) * np.finfo(float).eps)
    return Measured(ordinary_conditions(16) > rounding, of=ordinary_conditions(16))


def full_rank(generator: np.random.Generator, rows: int, columns: int) -> Floats:
    """J (rows, columns) with singular values log-uniform in [0.1, 1]."""
    stretched = random_orthogonal(generator, rows) * 10.0 ** -generator.random(rows)
    return np.asarray(stretched @ random_orthogonal(generator, columns)[:rows])


def gauss_newton_after(J: Floats, r: Floats) -> Floats:
    """r - eta J J^+ r, the residuals of a linear model after a Gauss-Newton step of length 0.05; J (m, d), r (m,).

    >>> gauss_newton_after(np.array([[2.0, 0.0], [0.0, 0.0]]), np.array([1.0, 1.0])).round(12).tolist()
    [0.95, 1.0]
    """
    return np.asarray(r - ETA * J @ np.linalg.lstsq(J, r, rcond=1e-10)[0])


def outside_range(value: float, found: Floats) -> float:
    """By how much a value lies outside the range of some numbers; negative where it lies inside.

    >>> outside_range(3.0, np.array([1.0, 2.0])), outside_range(1.25, np.array([1.0, 2.0]))
    (1.0, -0.25)
    """
    return float(np.max(np.array([np.min(found) - value, value - np.max(found)])))


def descent(J: Floats, r: Floats, sizes: NDArray[np.integer[Any]]) -> tuple[Floats, Floats]:
    """<g_i, delta> / ||r_i||^2, and cos(g_i, delta) over its bound, both (n,); J (m, d), r (m,), sizes (n,) of losses.

    >>> effect, ratio = descent(np.eye(2), np.array([3.0, 4.0]), np.array([1, 1]))
    >>> effect.round(12).tolist(), ratio.round(12).tolist()
    ([1.0, 1.0], [1.0, 1.0])
    """
    delta = np.linalg.pinv(J) @ r
    effects, ratios = [], []
    smallest = np.linalg.norm(J, -2)
    ends = np.cumsum(sizes)[:-1]
    for Ji, ri in zip(np.split(J, ends), np.split(r, ends), strict=True):
        g = Ji.T @ ri
        bound = np.linalg.norm(ri) / np.linalg.norm(r) * smallest / np.linalg.norm(Ji, 2)
        effects.append(g @ delta / (ri @ ri))
        ratios.append(g @ delta / (np.linalg.norm(g) * np.linalg.norm(delta)) / bound)
    return np.array(effects), np.array(ratios)


def interference(J: Floats, r: Floats, power: float) -> Floats:
    """I_ij / sqrt(I_ii I_jj) of I_ij = <g_i, (J^T J)^(-p) g_j>, (n, n); for p = 1 in units of ||r_i|| ||r_j||.

    J (n, m, d), r (n, m). For p = 0 these are the cosines of the raw gradients.

    >>> interference(np.array([[[1.0, 0.0]], [[3.0, 4.0]]]), np.ones((2, 1)), 0.0).round(12).tolist()
    [[1.0, 0.6], [0.6, 1.0]]
    """
    g = np.einsum("nm,nmd->nd", r, J)
    found = np.asarray(_interference_matrix(jnp.asarray(g), jnp.asarray(directions(J, r, power) if power else g)))
    scales = np.linalg.norm(r, axis=1) if power == 1 else np.sqrt(np.diagonal(found))
    return np.asarray(found / np.outer(scales, scales))


def follow(theta: Floats, step: Callable[[Floats, Floats], Floats]) -> Floats:
    """The losses (STEPS + 1, 3) of theta -> theta - step(J, r), from theta (321,) on."""
    found = []
    for _ in range(STEPS + 1):
        J, r = linearise(theta, grid(POINTS))
        found.append(np.sum(r**2, axis=1) / 2)
        theta = theta - step(stacked(J), r.ravel())
    return np.array(found)


@cache
def gauss_newton_paths() -> list[Floats]:
    """The losses of ``follow`` under Gauss-Newton steps of length 0.05, from each rich initialisation."""
    return [
        follow(
            rich_network(np.random.default_rng([23, draw])),
            lambda J, r: ETA * np.linalg.lstsq(J, r, rcond=None)[0],
        )
        for draw in range(NETWORKS)
    ]


def gauss_newton_flow(theta: Floats, time: float, steps: int) -> Floats:
    """theta(time) of d theta/dt = -J^+ r for the network, by classical Runge-Kutta steps."""
    h = time / steps

    def velocity(point: Floats) -> Floats:
        return np.asarray(-np.linalg.lstsq(*_linearised(point), rcond=None)[0])

    for _ in range(steps):
        k1 = velocity(theta)
        k2 = velocity(theta + h / 2 * k1)
        k3 = velocity(theta + h / 2 * k2)
        k4 = velocity(theta + h * k3)
        theta = theta + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return theta


@cache
def ordinary_conditions(points: int) -> Floats:
    """log10 kappa(K) of the network with Glorot's initialisation and no biases, (draws,).

    kappa(K) = kappa(J)^2, which the singular values of J show up to some 1e32.
    """
    found = []
    for draw in range(ORDINARY):
        rows = stacked(linearise(ordinary_network(np.random.default_rng([23, draw])), grid(points))[0])
        present = np.any(rows != 0, axis=1)
        found.append(2 * np.log10(float(condition_number(jnp.asarray(rows[present])))))
    return np.array(found)


def residuals_at(theta: Floats) -> Floats:
    """r (10,) of the network, without the entries of the rows of zeros."""
    return _linearised(theta)[1]


def _linearised(theta: Floats) -> tuple[Floats, Floats]:
    """J (10, 321) and r (10,) of the network, without the rows of zeros."""
    J, r = linearise(theta, grid(POINTS))
    present = np.any(stacked(J) != 0, axis=1)
    return stacked(J)[present], r.ravel()[present]


def _bend(B: Floats, delta: Floats) -> float:
    """||[delta^T B_k delta / 2]_k|| over its bound L_J ||delta||^2 / 2."""
    lipschitz = np.sqrt(np.linalg.eigvalsh(np.einsum("kij,kjl->il", B, B))[-1])
    return float(np.linalg.norm(np.einsum("i,kij,j->k", delta, B, delta)) / (lipschitz * (delta @ delta)))
