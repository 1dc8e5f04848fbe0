"""Claim T23: Gauss-Newton steps in function space, where all losses decay at one rate and do not interfere.

L_i = ||r_i||^2 / 2 with Jacobians J_i, stacked to r and J; the step is delta = J^+ r and K = J J^T. Problems are drawn
from explicit seeds in float64. The network is that of ``gradalign.claims._least_squares``; "rich" means a first
kernel 15 times Glorot's and first biases N(0, 1). A record of status "false in general" reproduces a counterexample.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from gradalign.base.precision import dtype_of
from gradalign.claims._batches import score
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
from gradalign.claims._records import Claim, Curve, Status, at_least, at_most, counted, equals, holds, timed, vanishes
from gradalign.claims._shallow_networks import slope
from gradalign.diagnostics.alignment import interference_matrix
from gradalign.diagnostics.curvature import condition_number, random_orthogonal
from gradalign.optimizers._damped_least_squares import damped, damped_system

Floats = NDArray[np.floating[Any]]

CLOSED_FORM = 1e-10  # solving with matrices of condition up to 1e4
CONDITIONED = 1e-6  # relative: the same at condition up to 1e9, for networks
RATE = 0.02  # relative: what 100 steps of length 0.05 bend a decay in function space
FLOW = 1e-6  # relative error of the Runge-Kutta flow, of order step^4
SLOPE = 0.05
LEADING_ORDER = 1e-3  # relative; the next order of an expansion is below it

POINTS = 8
ETA = 0.05
STEPS = 100
NETWORKS = 5  # draws of the rich initialisation
BEST = 3  # the one of them with the least kappa(K), 1.4e5
ORDINARY = 16  # draws of Glorot's, without biases

CONDITIONS: Status = "proven under conditions"


_interference_matrix = jax.jit(interference_matrix)


@jax.jit
def _gauss_newton_step(jacobian: Array, damping: Array, residuals: Array) -> Array:
    return damped(damped_system(jacobian), damping).step(residuals)


def check() -> list[Claim]:
    """All records of the claim T23.

    Raises ``ConfigurationError`` while JAX's 64-bit types are off.
    """
    dtype_of("float64")
    return timed(CHECKS)


def curves() -> list[Curve]:
    """Losses of a network under Gauss-Newton and gradient descent, and the interference of its losses.

    Raises ``ConfigurationError`` while JAX's 64-bit types are off.
    """
    dtype_of("float64")
    start = rich_network(np.random.default_rng([23, BEST]))
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


def T23a() -> list[Claim]:
    """Equal rates of all losses."""
    generator = np.random.default_rng([23, 1])
    linear, slacks, sharp = [], [], []
    delta: Floats
    for _ in range(200):
        m, d = int(generator.integers(1, 5)), int(generator.integers(5, 9))
        J, r = full_rank(generator, m, d), generator.standard_normal(m)
        delta = np.linalg.pinv(J) @ r
        linear.append((gauss_newton_after(J, r) - (1 - ETA) * r) / np.linalg.norm(r))
        # r(theta - x) = r - J x + [x^T B_k x / 2]_k has a Jacobian of Lipschitz constant at most ||sum_k B_k^2||^(1/2)
        B = generator.standard_normal((m, d, d))
        B = (B + B.transpose(0, 2, 1)) / 2
        slacks.append(1 - _bend(B, delta))
        sharp.append(1 - _bend(np.outer(delta, delta)[None], delta))
    start = rich_network(np.random.default_rng([23, BEST]))
    jacobian, before = _linearised(start)
    delta = np.linalg.lstsq(jacobian, before, rcond=None)[0]
    lengths = np.array([1e-2, 3e-3, 1e-3, 3e-4])
    errors = [np.linalg.norm(residuals_at(start - eta * delta) - (1 - eta) * before) for eta in lengths]
    # The slope of log L against the step, in units of the rate
    rates = [
        slope((1 - ETA) ** (2 * np.arange(STEPS + 1.0)), values) for path in gauss_newton_paths() for values in path.T
    ]
    statement = "A Gauss-Newton step of length eta multiplies every residual by 1 - eta if J has full row rank"
    return [
        vanishes(
            "T23a",
            f"{statement}, exactly for linear models.",
            "largest relative error, 200 draws",
            linear,
            CLOSED_FORM,
            CONDITIONS,
            draws=200,
        ),
        holds(
            "T23a",
            f"{statement}, up to L_J eta^2 ||delta||^2/2, L_J the Lipschitz constant of J.",
            "least slack relative to the bound, 200 quadratic models",
            slacks,
            CLOSED_FORM,
            CONDITIONS,
            draws=200,
        ),
        vanishes(
            "T23a",
            f"{statement}, up to L_J eta^2 ||delta||^2/2, attained by one residual that bends along delta.",
            "largest slack relative to the bound, 200 quadratic models",
            sharp,
            CLOSED_FORM,
            CONDITIONS,
            draws=200,
        ),
        equals(
            "T23a",
            f"{statement}, up to order eta^2.",
            f"slope of the log error against log eta, network, best of {NETWORKS} rich initialisations",
            slope(lengths, np.array(errors)),
            2.0,
            SLOPE,
            CONDITIONS,
            of=errors,
        ),
        vanishes(
            "T23a",
            "All losses of a network decay at the one rate 2 log(1 - eta) of Gauss-Newton.",
            f"largest relative error of a rate, three losses, {STEPS} steps of {ETA}, {NETWORKS} rich initialisations",
            np.array(rates) - 1,
            RATE,
            CONDITIONS,
            draws=3 * NETWORKS,
        ),
        vanishes(
            "T23a",
            "Along the Gauss-Newton flow r(t) = exp(-t) r(0), so L_i(t) = exp(-2t) L_i(0) for every loss.",
            f"largest relative error of a residual at t = 1, network, best of {NETWORKS} rich initialisations",
            residuals_at(gauss_newton_flow(start, 1.0, 40)) / (np.exp(-1) * before) - 1,
            FLOW,
            CONDITIONS,
            draws=POINTS + 2,
        ),
    ]


def T23b() -> list[Claim]:
    """Losses do not interfere."""
    errors = []
    for n in (2, 3, 4):
        J, r = random_problems(n, 20, np.random.default_rng([23, 2, n]))
        errors += [interference(*problem, 1.0) - np.eye(n) for problem in zip(J, r, strict=True)]
    networks = [linearise(rich_network(np.random.default_rng([23, draw])), grid(POINTS)) for draw in range(NETWORKS)]
    # Two losses of one residual each, at 60 degrees
    J, r = np.array([[[1.0, 0.0]], [[0.5, np.sqrt(0.75)]]]), np.ones((2, 1))
    statement = (
        "The Gauss-Newton step for one loss has no first-order effect on another: <g_i, P g_j> = 0, ||r_i||^2 if i = j"
    )
    quantity = "largest |<g_i, P g_j> - delta_ij ||r_i||^2| / (||r_i|| ||r_j||)"
    return [
        vanishes(
            "T23b",
            f"{statement}.",
            f"{quantity}, 60 draws, n = 2, 3, 4",
            errors,
            CLOSED_FORM,
            CONDITIONS,
            draws=20 * (4 + 9 + 16),
        ),
        vanishes(
            "T23b",
            f"{statement}, for a network.",
            f"{quantity}, {NETWORKS} rich initialisations",
            [interference(*problem, 1.0) - np.eye(3) for problem in networks],
            CONDITIONED,
            CONDITIONS,
            draws=9 * NETWORKS,
        ),
        vanishes(
            "T23b",
            f"{statement}, whatever the score of the directions.",
            f"{quantity}, two losses of one residual each at 60 degrees",
            interference(J, r, 1.0) - np.eye(2),
            CLOSED_FORM,
            CONDITIONS,
        ),
        equals(
            "T23b",
            "Losses whose Gauss-Newton directions do not interfere have aligned Gauss-Newton directions.",
            "score of the Gauss-Newton directions of these two losses",
            score(directions(J, r, 1.0)),
            -0.5,
            CLOSED_FORM,
            "false in general",
        ),
    ]


def T23c() -> list[Claim]:
    """The Gauss-Newton step descends for every loss."""
    generator = np.random.default_rng([23, 3])
    slacks, effects, equality = [], [], []
    for _ in range(300):
        sizes = generator.integers(1, 4, 3)
        J = full_rank(generator, int(sizes.sum()), 12)
        r = generator.standard_normal(len(J))
        effect, ratio = descent(J, r, sizes)
        effects.append(effect - 1)
        slacks.append(ratio - 1)
        equality.append(descent(random_orthogonal(generator, 12)[: len(J)], r, sizes)[1] - 1)
    statement = "cos(g_i, delta) >= ||r_i||/||r|| sigma_min(J)/sigma_max(J_i) > 0 for the Gauss-Newton step delta"
    return [
        vanishes(
            "T23c",
            "The first-order effect of the Gauss-Newton step on a loss is <g_i, delta> = ||r_i||^2.",
            "largest relative error, 300 draws",
            effects,
            CLOSED_FORM,
            CONDITIONS,
            draws=900,
        ),
        holds(
            "T23c",
            f"{statement}.",
            "least ratio to the bound, less 1, 300 draws",
            slacks,
            CLOSED_FORM,
            CONDITIONS,
            draws=900,
        ),
        vanishes(
            "T23c",
            f"{statement}, with equality for orthonormal rows.",
            "largest relative error, 300 draws",
            equality,
            CLOSED_FORM,
            CONDITIONS,
            draws=900,
        ),
    ]


def T23d() -> list[Claim]:
    """Levenberg-Marquardt on linear models."""
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
    return [
        vanishes(
            "T23d",
            "A Levenberg-Marquardt step on a linear model leaves r - eta K (K + mu)^-1 r.",
            "largest relative error, 100 draws, mu in 1e-4, 1e-3, 1",
            formula,
            CLOSED_FORM,
            draws=1800,
        ),
        vanishes(
            "T23d",
            "A Levenberg-Marquardt step multiplies modes with k far above mu by 1 - eta + eta mu/k.",
            "largest relative error of the term eta mu/k, k = 1, mu = 1e-4, 100 draws",
            fast,
            LEADING_ORDER,
            draws=100,
        ),
    ]


def T23e() -> list[Claim]:
    """Rank-deficient Jacobians."""
    generator = np.random.default_rng([23, 5])
    formula, normal, tangential = [], [], []
    for _ in range(200):
        Q = random_orthogonal(generator, 6)
        inside, outside = Q[:, :4], Q[:, 4:]
        J, r = inside @ full_rank(generator, 4, 8), generator.standard_normal(6)
        after = gauss_newton_after(J, r)
        formula.append(np.linalg.norm(after - (r - ETA * inside @ inside.T @ r)) / np.linalg.norm(r))
        normal.append(np.linalg.norm(outside.T @ (after - r)) / np.linalg.norm(outside.T @ r))
        tangential.append(np.linalg.norm(inside.T @ after) / np.linalg.norm(inside.T @ r) - (1 - ETA))
    return [
        vanishes("T23e", statement, quantity, errors, CLOSED_FORM, draws=200)
        for statement, quantity, errors in (
            (
                "Without full row rank a Gauss-Newton step leaves (I - eta Pi) r, Pi the projector on the range of J.",
                "largest relative error, 200 draws of rank 4 of 6",
                formula,
            ),
            (
                "Without full row rank a Gauss-Newton step keeps the part of r off the range of J.",
                "largest relative change, 200 draws",
                normal,
            ),
            (
                "Without full row rank only the part of r in the range of J is multiplied by 1 - eta.",
                "largest error of the factor, 200 draws",
                tangential,
            ),
        )
    ]


def T23() -> list[Claim]:
    """How ill-conditioned the kernels of ordinary networks are."""
    statement = "Glorot's initialisation without biases leaves K ill-conditioned"
    decades = {points: ordinary_conditions(points) for points in (4, 8, 16)}
    records = []
    for points, earlier in ((4, "2.6e5"), (8, "6.9e13")):  # found by an earlier implementation in one draw each
        value, found = np.log10(float(earlier)), decades[points]
        quantity = f"decades by which kappa(K) = {earlier} lies outside the range of {ORDINARY} draws, {points} points"
        outside = outside_range(value, found)
        records.append(at_most("T23", f"{statement}.", quantity, outside, 0.0, 0.0, "observation", of=found))
    rounding = -np.log10((16 + 2) * np.finfo(float).eps)
    return [
        *records,
        at_least(
            "T23",
            f"{statement}.",
            f"median log10 kappa(K), 16 points, {ORDINARY} draws",
            [np.median(decades[16])],
            30.0,
            0.0,
            "observation",
            of=decades[16],
        ),
        holds(
            "T23",
            f"{statement}, and more so the more points there are.",
            f"least growth of log10 kappa(K) from 4 to 8 and from 8 to 16 points, {ORDINARY} draws",
            [decades[8] - decades[4], decades[16] - decades[8]],
            0.0,
            "observation",
            draws=2 * ORDINARY,
        ),
        counted(
            "T23",
            "For 16 points K has not full rank in float64.",
            f"draws of {ORDINARY} with lambda_min(K) < 18 rounding units of lambda_max(K)",
            decades[16] > rounding,
            ORDINARY,
            "observation",
            draws=ORDINARY,
            of=decades[16],
        ),
    ]


CHECKS = (T23a, T23b, T23c, T23d, T23e, T23)


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
