"""Claim T21: losses with a shared minimiser under Newton's method.

The losses are convex quadratics L_i = e^T H_i e / 2 of the error e = theta - theta_*, so g_i = H_i e and H = sum_i H_i.
Curvatures and errors are drawn from explicit seeds in float64. Matrices are padded with zeros to one size, which
pseudo-powers and scores do not see, and one program serves all draws. A record of status "false in general" reproduces
a counterexample.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gradalign.base.precision import dtype_of
from gradalign.claims._batches import Floats, batched, misalignments, score, scores, units
from gradalign.claims._checks import Measured, Tolerance, equals, holds, in_band, never, vanishes
from gradalign.claims._records import Curve, Numbers
from gradalign.claims._shallow_networks import conflicts, slope
from gradalign.diagnostics.alignment import pairwise_cosines
from gradalign.diagnostics.matrices import random_orthogonal, random_positive_definite, symmetric_power

CLOSED_FORM = Tolerance(1e-9, "rounding of a handful of products with matrices of condition up to 1e3")
RATES = Tolerance(1e-7, "rounding after pseudo-inverses of sums of singular matrices, of condition up to 1e6")
LEADING_ORDER = Tolerance(1e-3, "the next order in delta = 1e-4, 8/9 delta, is below it")
SLOPE = Tolerance(0.05, "of a fitted power law; the next order in ||e|| bends it")

SIZE = 6  # parameters, with padding
DRAWS = 2000
ETA = 0.3
KERNEL = 1e-12  # relative cutoff of eigenvalues, between rounding and the least ones of sums of singular H_i
ANGLES = (0.3, 0.1, 0.03, 0.01)  # delta of the three losses that conflict in the metric of H
LEAST_SCORE = -7 / 9  # their limit as delta -> 0
DECAY_ETA = 0.05
DECAY_STEPS = 100

_power = jax.jit(jax.vmap(partial(symmetric_power, relative_cutoff=KERNEL), (0, None)))


def power(matrices: Floats, exponent: float) -> Floats:
    """The pseudo-powers S^q of positive semi-definite matrices (B, d, d): zero on the kernels.

    >>> power(np.diag([4.0, 0.0])[None], -0.5)[0].tolist()
    [[0.5, 0.0], [0.0, 0.0]]
    """
    return np.asarray(_power(jnp.asarray(matrices), exponent))


def curves() -> list[Curve]:
    """Three losses with a shared minimiser against the step, relative to the start, under Newton and gradient descent.

    Raises ``ConfigurationError`` while JAX's 64-bit types are off.
    """
    dtype_of("float64")
    H, e = three_valleys()
    total = H.sum(axis=0)
    found = []
    for name, P in (
        ("Newton", DECAY_ETA * np.linalg.inv(total)),
        ("gradient descent", np.eye(2) / np.linalg.eigvalsh(total)[-1]),
    ):
        path = [e]
        for _ in range(DECAY_STEPS):
            path.append(path[-1] - P @ total @ path[-1])
        values = losses(H, np.stack(path))
        for i, series in enumerate(("first loss", "second loss", "third loss")):
            found.append(Curve("T21", f"loss, {name}", series, np.arange(DECAY_STEPS + 1), values[:, i] / values[0, i]))
    return found


# T21a: simultaneous descent at equal rates, and that gradient descent has no such property


class NewtonSteps(NamedTuple):
    """A Newton step for 2000 draws each of n = 2, 3, 4 losses; arrays (2000, n) by n.

    effects: relative errors of <g_i, H^+ g> = 2 L_i. rates: errors of the factor (1 - eta)^2 of a loss.
    """

    effects: Sequence[Floats]
    rates: Sequence[Floats]


@cache
def newton_steps() -> NewtonSteps:
    effects, rates = [], []
    for n in (2, 3, 4):
        H, e = shared_minimiser(n, DRAWS, np.random.default_rng([21, 1, n]))
        g, before = gradients(H, e), losses(H, e)
        step = np.einsum("bkl,bl->bk", power(H.sum(axis=1), -1.0), g.sum(axis=1))
        effects.append(np.einsum("bik,bk->bi", g, step) / (2 * before) - 1)
        rates.append(losses(H, e - ETA * step) / before - (1 - ETA) ** 2)
    return NewtonSteps(effects, rates)


@vanishes(
    "T21a",
    "The first-order effect of a Newton step on every loss is <g_i, H^+ g> = 2 L_i.",
    "largest relative error, 6000 draws, singular H_i included",
    RATES,
    "proven under conditions",
    draws=DRAWS * (2 + 3 + 4),
)
def first_order_effect_of_newton() -> Numbers:
    return newton_steps().effects


@vanishes(
    "T21a",
    "A damped Newton step multiplies every loss by (1 - eta)^2.",
    "largest error of the factor, 6000 draws, eta = 0.3",
    RATES,
    "proven under conditions",
    draws=DRAWS * (2 + 3 + 4),
)
def rate_of_newton() -> Numbers:
    return newton_steps().rates


@equals(
    "T21a",
    "Gradient descent lowers every loss to first order if they share a minimiser.",
    "<g_1, g>/(2 L_1) for curvatures 1 and 4 at 60 degrees",
    -1.0,
    CLOSED_FORM,
    "false in general",
)
def loss_raised_by_gradient_descent() -> Numbers:
    # Two losses of one residual each, <q_1, e>^2 / 2 and 4 <q_2, e>^2 / 2, at 60 degrees, with residuals 1 and -1
    q = np.array([[1.0, 0.0], [0.5, np.sqrt(0.75)]])
    H, e = np.array([1.0, 4.0])[:, None, None] * np.einsum("ik,il->ikl", q, q), np.linalg.solve(q, [1.0, -1.0])
    g, twice = gradients(H[None], e[None])[0], 2 * losses(H, e[None])[0]
    return g[0] @ g.sum(axis=0) / twice[0]


@in_band(
    "T21a",
    "Gradient descent raises one of two losses of unit curvature in random directions of the plane with "
    "probability 4/pi^2 sum over odd k of 3^-k/k^2 = 0.137.",
    "|z| of the share, 400000 draws",
    4 / np.pi**2 * sum(3.0**-k / k**2 for k in range(1, 60, 2)),
    draws=400_000,
)
def share_raised_by_gradient_descent() -> Numbers:
    return conflicts(first_order_effects(np.random.default_rng([21, 2]), 400_000))


# T21b: two losses in the metric of H


@cache
def two_losses() -> tuple[Floats, Floats]:
    """H_i (2000, 2, 6, 6) and e (2000, 6)."""
    return shared_minimiser(2, DRAWS, np.random.default_rng([21, 3]))


@holds(
    "T21b",
    "Two losses with a shared minimiser never conflict once whitened: cos(H^-1/2 g_1, H^-1/2 g_2) >= 0.",
    "least cosine, 2000 draws, singular H_i included",
    RATES,
    "proven under conditions",
    draws=DRAWS,
)
def whitened_cosine() -> Numbers:
    return scores(directions(*two_losses(), 0.5))


@vanishes(
    "T21b",
    "Whitening is the metric of H on Newton directions.",
    "largest difference of the cosines, 2000 draws",
    RATES,
    draws=DRAWS,
)
def cosine_in_the_metric() -> Numbers:
    H, e = two_losses()
    steps = directions(H, e, 1.0)
    # <H^-1 g_1, H^-1 g_2> in the metric of H, the same number
    metric = np.einsum("bik,bkl,bjl->bij", steps, H.sum(axis=1), steps)
    cosines = metric[:, 0, 1] / np.sqrt(metric[:, 0, 0] * metric[:, 1, 1])
    return scores(directions(H, e, 0.5)) - cosines


@equals(
    "T21b",
    "The bound 0 on the whitened cosine is attained, by losses of one residual each.",
    "whitened cosine at 60 degrees",
    0.0,
    CLOSED_FORM,
    "proven under conditions",
)
def whitened_cosine_of_two_valleys() -> Numbers:
    return score(directions(*two_valleys(np.pi / 3), 0.5)[0])


# T21c: what fails, Newton directions in the Euclidean metric and three losses in the metric of H


@equals(
    "T21c",
    "Newton directions of two losses with a shared minimiser do not conflict.",
    "cosine of Newton directions, two losses of one residual each at angle 0.1",
    -float(np.cos(0.1)),
    CLOSED_FORM,
    "false in general",
)
def newton_cosine_of_two_valleys() -> Numbers:
    return score(directions(*two_valleys(0.1), 1.0)[0])


@equals(
    "T21c",
    "Two losses whose Newton directions conflict may have raw gradients that agree.",
    "cosine of the raw gradients of the same losses",
    float(np.cos(0.1)),
    CLOSED_FORM,
)
def raw_cosine_of_two_valleys() -> Numbers:
    return score(directions(*two_valleys(0.1), 0.0)[0])


@equals(
    "T21c",
    "Whitened directions of three losses with a shared minimiser score at least 2/n - 1.",
    "A = -1/3 - 4/9 (cos 2 delta - 2 sin delta), delta = {delta:g}",
    lambda delta: float(-1 / 3 - 4 / 9 * (np.cos(2 * delta) - 2 * np.sin(delta))),
    CLOSED_FORM,
    "false in general",
    cases=[{"delta": delta} for delta in ANGLES],
)
def whitened_score_of_a_conflicting_triple(delta: float) -> Numbers:
    return score(directions(*conflicting_triple(delta), 0.5)[0])


@equals(
    "T21c",
    "The whitened score of three losses with a shared minimiser comes as close to -7/9 as one likes.",
    "(A + 7/9)/delta at delta = 1e-4, expected 8/9",
    8 / 9,
    LEADING_ORDER,
)
def approach_of_the_least_whitened_score() -> Numbers:
    return (score(directions(*conflicting_triple(1e-4), 0.5)[0]) - LEAST_SCORE) / 1e-4


# T21d: commuting curvatures


@cache
def cosines_of_commuting_losses() -> dict[str, list[Floats]]:
    """Pairwise cosines, (2000, n (n - 1)/2), for n = 2, 3, 4 losses; by the directions that are compared."""
    generator = np.random.default_rng([21, 4])
    cosines: dict[str, list[Floats]] = {"raw gradients": [], "P = f(H), f random and positive": []}
    for n in (2, 3, 4):
        Q = np.stack([random_orthogonal(generator, SIZE) for _ in range(DRAWS)])
        # Exact zeros among the eigenvalues leave each loss with a kernel of its own
        values = generator.uniform(0.1, 1, (DRAWS, n, SIZE)) * (generator.random((DRAWS, n, SIZE)) < 0.5)
        values[..., 0] += 0.1
        e = np.einsum("bkl,bl->bk", np.swapaxes(Q, 1, 2), generator.standard_normal((DRAWS, SIZE)))
        factors = np.exp(generator.uniform(-5, 5, (DRAWS, 1, SIZE)))
        for name, f in (("raw gradients", np.ones((1, 1, 1))), ("P = f(H), f random and positive", factors)):
            v = np.einsum("bkl,bil->bik", Q, f * values * e[:, None, :])
            cosines[name].append(batched(pairwise_cosines, v))
    return cosines


@holds(
    "T21d",
    "Losses with a shared minimiser and commuting curvatures never conflict, whatever P = f(H).",
    "least pairwise cosine, {vectors}, 6000 draws",
    CLOSED_FORM,
    draws=DRAWS * (1 + 3 + 6),
    cases=[{"vectors": "raw gradients"}, {"vectors": "P = f(H), f random and positive"}],
)
def cosine_of_commuting_losses(vectors: str) -> Numbers:
    return cosines_of_commuting_losses()[vectors]


# T21e: when Newton directions are parallel


class ParallelLosses(NamedTuple):
    """300 draws of losses whose H_i e are parallel, and others.

    e, other: errors (300, 6). proportional: three multiples of one curvature, (300, 3, 6, 6). pair: H and H + D with
    D e = 0, (300, 2, 6, 6). plane: pairs of any curvatures in the plane, (300, 2, 2, 2).
    """

    e: Floats
    other: Floats
    proportional: Floats
    pair: Floats
    plane: Floats


@cache
def parallel_losses() -> ParallelLosses:
    generator = np.random.default_rng([21, 5])
    e, other = generator.standard_normal((2, 300, SIZE))
    H = np.stack([random_positive_definite(generator, SIZE, 100.0) for _ in e])
    shares = generator.uniform(0.1, 1, (300, 3, 1, 1))
    # A curvature D with D e = 0 leaves H_1 e parallel to H_2 e, though H_1 = H and H_2 = H + D are not proportional
    D = np.stack([random_positive_definite(generator, SIZE, 10.0) for _ in e])
    De = np.einsum("bkl,bl->bk", D, e)
    D -= np.einsum("bk,bl->bkl", De, De) / np.einsum("bk,bk->b", e, De)[:, None, None]
    plane = np.stack([[random_positive_definite(generator, 2, 100.0) for _ in range(2)] for _ in e])
    return ParallelLosses(e, other, shares * H[:, None], np.stack([H, H + D], axis=1), plane)


@vanishes(
    "T21e",
    "Newton directions score 1 where all H_i e are positive multiples of each other, so for every e if H_i is "
    "proportional to H.",
    "largest 1 - A, 300 draws, n = 3",
    CLOSED_FORM,
    draws=300,
)
def misalignment_for_proportional_curvatures() -> Numbers:
    drawn = parallel_losses()
    return misalignments(directions(drawn.proportional, drawn.e, 1.0))


@vanishes(
    "T21e",
    "Newton directions score 1 where all H_i e are positive multiples of each other, also where no H_i is proportional "
    "to H.",
    "largest 1 - A, 300 draws",
    CLOSED_FORM,
    draws=300,
)
def misalignment_for_parallel_gradients() -> Numbers:
    drawn = parallel_losses()
    return misalignments(directions(drawn.pair, drawn.e, 1.0))


@never(
    "T21e",
    "If the H_i are not proportional, the score is below 1 for some e.",
    "draws with 1 - A < 1e-6 at another e, 300 draws",
    draws=300,
)
def alignment_at_another_error() -> Measured:
    drawn = parallel_losses()
    elsewhere = misalignments(directions(drawn.pair, drawn.other, 1.0))
    return Measured(elsewhere < 1e-6, of=elsewhere)


@holds(
    "T21e",
    "Newton directions are parallel only if the H_i e are: the tangent of half their angle is at least that of "
    "the raw gradients over kappa(H).",
    "least ratio to the bound, less 1, 300 draws in the plane",
    CLOSED_FORM,
    draws=300,
)
def half_angle_of_newton_directions() -> Numbers:
    # In the plane every two directions span the space, and the image of their angle under H^-1 can be at the bound
    e, plane = parallel_losses().e[:, :2], parallel_losses().plane
    raw, newton = (_half_angle(directions(plane, e, exponent)) for exponent in (0.0, 1.0))
    return newton / raw * np.linalg.cond(plane.sum(axis=1)) - 1


# T21f: smooth losses with a common minimiser


class Cubics(NamedTuple):
    """200 draws of 2 to 4 cubic losses at three distances ||e|| from their minimiser.

    effects: <g_i, step> of the losses, (n,) for each draw and distance. slopes: of the log relative error of
    <g_i, step> = e^T H_i e, the largest of all losses, against log ||e||, (200,).
    """

    effects: Sequence[Floats]
    slopes: Floats


@cache
def cubics() -> Cubics:
    generator = np.random.default_rng([21, 6])
    distances = np.array([1e-2, 1e-3, 1e-4])
    slopes, effects = [], []
    for _ in range(200):
        n, d = int(generator.integers(2, 5)), int(generator.integers(2, 6))
        H = np.stack([random_positive_definite(generator, d, 10.0) for _ in range(n)])
        T = generator.standard_normal((n, d, d, d))
        T = (T + T.transpose(0, 2, 3, 1) + T.transpose(0, 3, 1, 2)) / 3
        T = (T + T.transpose(0, 1, 3, 2)) / 2  # third derivatives are symmetric
        direction = units(generator.standard_normal(d))
        errors = []
        for distance in distances:
            effect, losses_doubled = newton_effect(H, T, distance * direction)
            effects.append(effect)
            errors.append(np.abs(effect / losses_doubled - 1))
        slopes.append(slope(distances, np.max(errors, axis=1)))
    return Cubics(effects, np.array(slopes))


@never(
    "T21f",
    "Near a common minimiser of smooth losses with definite H_i the Newton step lowers every loss to first order.",
    "losses with <g_i, step> <= 0, 200 cubics, distances 1e-2 to 1e-4",
    "proven under conditions",
    draws=1200,
)
def cubics_raised_by_newton() -> Measured:
    effects = cubics().effects
    return Measured([effect <= 0 for effect in effects], of=effects)


@equals(
    "T21f",
    "Near a common minimiser of smooth losses with definite H_i the Newton step lowers every loss by "
    "<g_i, step> = e^T H_i e (1 + O(||e||)).",
    "slope of the log relative error against log ||e||, median of 200 cubics",
    1.0,
    SLOPE,
    "proven under conditions",
)
def order_of_the_error_for_cubics() -> Measured:
    return Measured(np.median(cubics().slopes), of=cubics().slopes)


def shared_minimiser(n: int, draws: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """Positive semi-definite H_i, (draws, n, 6, 6), and errors e, (draws, 6), in 2 to 6 dimensions.

    Each H_i has a rank of its own from 1 to d and eigenvalues log-uniform in [1e-2, 1]; what is beyond d is zero.
    """
    H, e = np.zeros((draws, n, SIZE, SIZE)), np.zeros((draws, SIZE))
    for k in range(draws):
        d = int(generator.integers(2, SIZE + 1))
        e[k, :d] = generator.standard_normal(d)
        for i in range(n):
            Q = random_orthogonal(generator, d)[:, : int(generator.integers(1, d + 1))]
            H[k, i, :d, :d] = (Q * 10 ** generator.uniform(-2, 0, Q.shape[1])) @ Q.T
    return H, e


def two_valleys(angle: float) -> tuple[Floats, Floats]:
    """Losses <q_i, e>^2 / 2 with unit q_i at ``angle``, and e with <q_i, e> = 1; (1, 2, 2, 2) and (1, 2)."""
    q = np.array([[1.0, 0.0], [np.cos(angle), np.sin(angle)]])
    return np.einsum("ik,il->ikl", q, q)[None], np.linalg.solve(q, np.ones(2))[None]


def three_valleys() -> tuple[Floats, Floats]:
    """Losses of the figure: curvatures 1, 2, 4 along three directions of the plane, and e; (3, 2, 2), (2,)."""
    angles = np.deg2rad([0.0, 6.0, 172.0])
    q = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.array([1.0, 2.0, 4.0])[:, None, None] * np.einsum("ik,il->ikl", q, q), np.array([0.2, 1.0])


def conflicting_triple(delta: float) -> tuple[Floats, Floats]:
    """H_1 = eps a a^T, H_2 = eps b b^T, H_3 = I - H_1 - H_2 with eps = delta^2/10, and e = (1, 0); H = I.

    a and b are unit vectors at angles +-(pi/2 - delta) to e. Shapes (1, 3, 2, 2) and (1, 2).
    """
    q = np.array([[np.sin(delta), np.cos(delta)], [np.sin(delta), -np.cos(delta)]])
    small = delta**2 / 10 * np.einsum("ik,il->ikl", q, q)
    return np.stack([*small, np.eye(2) - small.sum(axis=0)])[None], np.array([[1.0, 0.0]])


def gradients(H: Floats, e: Floats) -> Floats:
    """g_i = H_i e: (B, n, d) of (B, n, d, d) and (B, d).

    >>> gradients(np.diag([2.0, 3.0])[None, None], np.array([[1.0, 1.0]])).tolist()
    [[[2.0, 3.0]]]
    """
    return np.asarray(np.einsum("bikl,bl->bik", H, e))


def losses(H: Floats, e: Floats) -> Floats:
    """L_i = e^T H_i e / 2: (B, n) of (B, n, d, d), or one (n, d, d) for all, and (B, d).

    >>> losses(np.diag([2.0, 4.0])[None, None], np.array([[1.0, 1.0]])).tolist()
    [[3.0]]
    """
    e = e[:, None, :]
    return np.asarray(np.einsum("...k,...kl,...l->...", e, H, e) / 2)


def directions(H: Floats, e: Floats, exponent: float) -> Floats:
    """v_i = H^(-p) g_i with H = sum_i H_i: (B, n, d) of H_i (B, n, d, d), e (B, d) and p.

    >>> directions(np.diag([2.0, 4.0])[None, None], np.array([[1.0, 1.0]]), 1.0).tolist()
    [[[1.0, 1.0]]]
    """
    return np.asarray(np.einsum("bkl,bil->bik", power(H.sum(axis=1), -exponent), gradients(H, e)))


def newton_effect(H: Floats, T: Floats, e: Floats) -> tuple[Floats, Floats]:
    """<g_i, H(e)^-1 g(e)> and e^T H_i e, both (n,), of L_i = e^T H_i e / 2 + T_i(e, e, e) / 6; H (n, d, d), e (d,)."""
    bent = np.einsum("iklm,m->ikl", T, e)
    g = (H + bent / 2) @ e
    step = np.linalg.solve((H + bent).sum(axis=0), g.sum(axis=0))
    return np.asarray(g @ step), np.asarray(np.einsum("k,ikl,l->i", e, H, e))


def _half_angle(vectors: Floats) -> Floats:
    """tan of half the angle of pairs (B, 2, d): sqrt((1 - c) / (1 + c)), c their cosine; (B,)."""
    defect = misalignments(vectors)
    return np.asarray(np.sqrt(defect / (2 - defect)))


def first_order_effects(generator: np.random.Generator, draws: int) -> Floats:
    """min_i <g_i, g_1 + g_2> of <q_1, e>^2 / 2 and <q_2, e>^2 / 2: (draws,).

    Negative where gradient descent raises one of them. q_1, q_2 and e are random unit vectors of the plane.

    >>> first_order_effects(np.random.default_rng(0), 3).shape
    (3,)
    """
    angles = generator.uniform(0, 2 * np.pi, (draws, 3))
    q, e = np.stack([np.cos(angles), np.sin(angles)], axis=2)[:, :2], angles[:, 2]
    r = np.einsum("bik,bk->bi", q, np.stack([np.cos(e), np.sin(e)], axis=1))
    g = r[:, :, None] * q
    return np.asarray(np.min(np.einsum("bik,bk->bi", g, g.sum(axis=1)), axis=1))
