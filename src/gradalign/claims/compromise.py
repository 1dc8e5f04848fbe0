"""Claim T22: what linear preconditioners make of the score at a compromise, and Newton's score around it.

A compromise is a point where the gradients of losses with different minimisers cancel, sum_i g_i = 0. The losses are
quadratics (theta - theta_i)^T H_i (theta - theta_i) / 2, drawn from explicit seeds in float64. Scores near one are
measured by ``misalignment`` = 1 - A, which does not cancel; A of two vectors v, w is -A of v, -w. A record of status
"false in general" reproduces a counterexample.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from gradalign.claims._batches import Floats, misalignments, score, scores, units
from gradalign.claims._checks import Measured, Tolerance, equals, holds, never, vanishes
from gradalign.claims._records import Curve, Numbers

CLOSED_FORM = Tolerance(
    1e-8, "rounding after solving with matrices of condition up to some 1e3 and preconditioning by as much"
)
LEADING_ORDER = Tolerance(1e-3, "relative; the point is far enough to leave the next order below it")

MINIMISERS = np.array([[-1.0, 0.0], [1.0, 0.0]])
"""Minimisers of the two losses in the plane whose Hessians are HESSIAN and 3 HESSIAN."""
HESSIAN = np.array([[2.0, 0.8], [0.8, 1.0]])


def curves() -> list[Curve]:
    """Newton's score in the plane, a series for each height, and scores near compromises against their imbalance."""
    axis, heights = np.linspace(-2, 2, 44), np.linspace(-1.8, 1.8, 40)  # neither holds a minimiser
    points = np.stack(np.meshgrid(axis, heights), axis=-1)
    plane = scores(newton_directions(points.reshape(-1, 1, 2), MINIMISERS, np.stack([HESSIAN, 3 * HESSIAN])))
    found = [
        Curve("T22", "Newton's score in the plane", f"{height:.6f}", axis, values)
        for height, values in zip(heights, plane.reshape(points.shape[:2]), strict=True)
    ]
    for n in (2, 3, 4):
        directions = near_compromises(np.random.default_rng([22, 3, n]), n, 300)
        found.append(Curve("T22", "score near a compromise", f"n = {n}", imbalances(directions), scores(directions)))
    return found


# T22a: every invertible linear preconditioner at a compromise, and near one


class Compromises(NamedTuple):
    """P g_i of n losses by n = 2, 3, 4: ``at`` a compromise (1000, n, 4), and ``near`` one (at most 1000, n, 4)."""

    at: dict[int, Floats]
    near: dict[int, Floats]


@cache
def preconditioned_compromises() -> Compromises:
    generator = np.random.default_rng([22, 1])
    at = {n: compromises(generator, n, 1000) for n in (2, 3, 4)}
    return Compromises(at, {n: near_compromises(generator, n, 1000) for n in (2, 3, 4)})


@vanishes(
    "T22a",
    "At a compromise of two losses A(P g_1, P g_2) = -1 for every invertible linear P.",
    "largest 1 + A, 1000 problems",
    CLOSED_FORM,
    draws=1000,
)
def score_at_a_compromise_of_two() -> Numbers:
    return misalignments(_flipped(preconditioned_compromises().at[2]))


@holds(
    "T22a",
    "At a compromise A(P g_1, .., P g_n) <= 2 ((n - 2)/n)^2 - 1 for every invertible linear P.",
    "least slack, n = {n}, 1000 problems",
    CLOSED_FORM,
    draws=1000,
    cases=[{"n": 3}, {"n": 4}],
)
def score_at_a_compromise(n: int) -> Numbers:
    return cancellation_bound(n) - scores(preconditioned_compromises().at[n])


@equals(
    "T22a",
    "A compromise of gradients u, .., u, -(n - 1) u attains that bound.",
    "A of Newton's directions, n = {n}",
    lambda n: {2: -1.0, 3: -7 / 9, 4: -1 / 2}[n],
    CLOSED_FORM,
    cases=[{"n": 2}, {"n": 3}, {"n": 4}],
)
def attained_bound(n: int) -> Numbers:
    return score(_gradients_of_multiples(np.array([1.0] * (n - 1) + [1.0 - n])))


@equals(
    "T22a",
    "Preconditioners of the symmetric compromise of three losses come as close to the bound as one likes.",
    "A after diag(1, 1e-5), -1 before",
    -7 / 9,
    CLOSED_FORM,
)
def score_of_a_squeezed_triangle() -> Numbers:
    # Three gradients at 120 degrees; the preconditioner diag(1, delta) turns two of them into one direction
    polygon = np.array([[-1.0, 0.0], [0.5, 0.75**0.5], [0.5, -(0.75**0.5)]])
    return score(polygon * np.array([1.0, 1e-5]))


@holds(
    "T22a",
    "Near a compromise A <= 2 ((n - 2 + 2 epsilon)/n)^2 - 1 with epsilon = ||P g||/max ||P g_i|| <= 1.",
    "least slack, n = 2, 3, 4, 2096 problems",
    CLOSED_FORM,
    draws=2096,
)
def score_near_a_compromise() -> Numbers:
    near = preconditioned_compromises().near
    return [cancellation_bound(n, imbalances(vectors)) - scores(vectors) for n, vectors in near.items()]


@holds(
    "T22a",
    "Near a compromise of two losses 1 + A <= 2 epsilon^2.",
    "least 2 - (1 + A)/epsilon^2, 754 problems",
    CLOSED_FORM,
    draws=754,
)
def score_near_a_compromise_of_two() -> Numbers:
    near = preconditioned_compromises().near[2]
    return 2 - misalignments(_flipped(near)) / imbalances(near) ** 2


@equals(
    "T22a",
    "Newton's preconditioner aligns the gradients of losses at the minimum of their sum.",
    "A of Newton's directions, two quadratics with different minimisers and Hessians",
    -1.0,
    CLOSED_FORM,
    "false in general",
)
def newton_at_a_compromise() -> Numbers:
    hessians = np.stack([HESSIAN, np.diag([1.0, 5.0])])
    return score(newton_directions(_minimum(MINIMISERS, hessians), MINIMISERS, hessians))


# T22b: Thales, Newton's score where the Hessians are proportional


class Proportional(NamedTuple):
    """2000 pairs of quadratics in four dimensions with proportional Hessians, and a point theta for each.

    hessians: (2000, 2, 4, 4). minimisers: (2000, 2, 4). offsets: unit vectors (2000, 4). distance: of
    theta = middle + distance offsets from the middle of the minimisers, (2000,). shares: in (0, 1), (2000, 1).
    """

    hessians: Floats
    minimisers: Floats
    offsets: Floats
    distance: Floats
    shares: Floats

    @property
    def difference(self) -> Floats:
        """theta_2 - theta_1, (2000, 4)."""
        return np.asarray(self.minimisers[:, 1] - self.minimisers[:, 0])

    @property
    def radius(self) -> Floats:
        """Half the distance of the minimisers, (2000,)."""
        return np.asarray(np.linalg.norm(self.difference, axis=1) / 2)

    @property
    def theta(self) -> Floats:
        return np.asarray(self.minimisers.mean(axis=1) + self.distance[:, None] * self.offsets)

    def newton(self, theta: Floats) -> Floats:
        """Newton's directions (2000, 2, 4) at theta (2000, 4)."""
        return newton_directions(theta[:, None], self.minimisers, self.hessians)


@cache
def proportional_hessians() -> Proportional:
    generator = np.random.default_rng([22, 2])
    draws, d = 2000, 4
    factors = generator.standard_normal((draws, 1, d, d))
    H = factors @ factors.swapaxes(2, 3) + 0.1 * np.eye(d)
    hessians = H * np.exp(generator.uniform(-2, 2, (draws, 2, 1, 1)))
    minimisers = generator.standard_normal((draws, 2, d))
    radius = np.linalg.norm(minimisers[:, 1] - minimisers[:, 0], axis=1) / 2
    offsets = units(generator.standard_normal((draws, d)))
    distance = radius * np.exp(generator.uniform(-1, 1, draws))
    return Proportional(hessians, minimisers, offsets, distance, generator.uniform(0.05, 0.95, (draws, 1)))


@vanishes(
    "T22b",
    "If H_1 is a multiple of H_2, Newton's score is the cosine of the angle at theta between both minimisers.",
    "largest error, 2000 problems",
    CLOSED_FORM,
    draws=2000,
)
def thales() -> Numbers:
    drawn = proportional_hessians()
    one, other = (units(drawn.theta - drawn.minimisers[:, k]) for k in (0, 1))
    return scores(drawn.newton(drawn.theta)) - np.sum(one * other, axis=1)


@never(
    "T22b",
    "If H_1 is a multiple of H_2, Newton's score is negative exactly inside the ball with the minimisers at the ends "
    "of a diameter.",
    "violations, 2000 points",
    draws=2000,
)
def sign_in_the_ball() -> Measured:
    drawn = proportional_hessians()
    found, distance, radius = scores(drawn.newton(drawn.theta)), drawn.distance, drawn.radius
    return Measured((found < 0) != (distance < radius), of=[found, distance, radius])


@vanishes(
    "T22b",
    "If H_1 is a multiple of H_2, Newton's score is -1 on the open segment between the minimisers.",
    "largest 1 + A, 2000 points",
    CLOSED_FORM,
    draws=2000,
)
def score_on_the_segment() -> Numbers:
    drawn = proportional_hessians()
    return misalignments(_flipped(drawn.newton(drawn.minimisers[:, 0] + drawn.shares * drawn.difference)))


@vanishes(
    "T22b",
    "If H_1 is a multiple of H_2, Newton's score is 1 on the rest of the line through the minimisers.",
    "largest 1 - A, 2000 points on either side",
    CLOSED_FORM,
    draws=4000,
)
def score_on_the_rest_of_the_line() -> Numbers:
    drawn = proportional_hessians()
    before = drawn.newton(drawn.minimisers[:, 0] - drawn.shares * drawn.difference)
    behind = drawn.newton(drawn.minimisers[:, 1] + drawn.shares * drawn.difference)
    return [misalignments(before), misalignments(behind)]


@vanishes(
    "T22b",
    "If H_1 is a multiple of H_2, Newton's score at distance D is 1 - ||Delta||^2/(2 D^2) + O(D^-3), Delta the part of "
    "theta_1 - theta_2 across theta.",
    "largest relative error of 1 - A, D = 5000 ||theta_1 - theta_2||",
    LEADING_ORDER,
    draws=2000,
)
def score_far_away() -> Numbers:
    drawn = proportional_hessians()
    offsets, difference = drawn.offsets, drawn.difference
    far = 1e4 * drawn.radius[:, None] * offsets
    across = difference - np.sum(difference * offsets, axis=1, keepdims=True) * offsets
    expected = np.sum(across**2, axis=1) / (2 * np.sum(far**2, axis=1))
    return misalignments(drawn.newton(drawn.minimisers[:, 0] + far)) / expected - 1


def cancellation_bound(n: int, imbalance: Floats | float = 0.0) -> Floats:
    """2 ((n - 2 + 2 epsilon)/n)^2 - 1, the largest score of n vectors with ||sum v|| = epsilon max ||v|| (T10, T22).

    Holds for epsilon in [0, 1], beyond which it exceeds 1. Dimensionless.

    >>> [round(float(cancellation_bound(n)), 4) for n in (2, 3, 4)]
    [-1.0, -0.7778, -0.5]
    """
    return np.asarray(2 * ((n - 2 + 2 * np.asarray(imbalance)) / n) ** 2 - 1)


def imbalances(vectors: Floats) -> Floats:
    """epsilon = ||sum_i v_i|| / max_i ||v_i|| of each (n, d) of a batch (B, n, d), in [0, n]: (B,). Dimensionless.

    >>> imbalances(np.array([[[1.0, 0.0], [-0.5, 0.0]]])).tolist()
    [0.5]
    """
    lengths = np.linalg.norm(vectors, axis=2)
    return np.asarray(np.linalg.norm(vectors.sum(axis=1), axis=1) / lengths.max(axis=1))


def newton_directions(theta: Floats, minimisers: Floats, hessians: Floats) -> Floats:
    """H^-1 g_i with H = sum_i H_i and g_i = H_i (theta - theta_i), for quadratics: (.., n, d). Dimensionless.

    theta: (.., 1, d). minimisers: (.., n, d). hessians: (.., n, d, d), with a regular sum.

    >>> newton_directions(np.array([[0.0]]), np.array([[-1.0], [1.0]]), np.array([[[1.0]], [[3.0]]])).tolist()
    [[0.25], [-0.75]]
    """
    gradients = np.squeeze(hessians @ (theta - minimisers)[..., None], axis=-1)
    return np.linalg.solve(hessians.sum(axis=-3)[..., None, :, :], gradients[..., None])[..., 0]


def compromises(generator: np.random.Generator, n: int, draws: int, d: int = 4) -> Floats:
    """P g_i at the minimum of the sum of n random quadratics, with random P: (draws, n, d)."""
    minimisers, hessians = _quadratics(generator, n, draws, d)
    theta = _minimum(minimisers, hessians)
    return _preconditioned(generator, np.squeeze(hessians @ (theta - minimisers)[..., None], axis=-1))


def near_compromises(generator: np.random.Generator, n: int, draws: int, d: int = 4) -> Floats:
    """The same at random distances from the minimum, where the imbalance is in [1e-3, 1]: (at most draws, n, d)."""
    minimisers, hessians = _quadratics(generator, n, draws, d)
    theta = _minimum(minimisers, hessians)
    theta = theta + generator.standard_normal(theta.shape) * 10.0 ** generator.uniform(-3, 0.5, (draws, 1, 1))
    found = _preconditioned(generator, np.squeeze(hessians @ (theta - minimisers)[..., None], axis=-1))
    imbalance = imbalances(found)
    return found[(imbalance >= 1e-3) & (imbalance <= 1)]


def _quadratics(generator: np.random.Generator, n: int, draws: int, d: int) -> tuple[Floats, Floats]:
    """Minimisers (draws, n, d) and Hessians (draws, n, d, d).

    All losses but the last are more or less alike, because n - 1 equal gradients attain the bound.
    """
    spread = 10.0 ** generator.uniform(-3, 0, (draws, 1, 1))
    minimisers, factors = generator.standard_normal((draws, n, d)), generator.standard_normal((draws, n, d, d))
    minimisers[:, 1:-1] = minimisers[:, :1] + spread * minimisers[:, 1:-1]
    factors[:, 1:-1] = factors[:, :1] + spread[..., None] * factors[:, 1:-1]
    return minimisers, factors @ factors.swapaxes(2, 3) + 0.1 * np.eye(d)


def _minimum(minimisers: Floats, hessians: Floats) -> Floats:
    """Minimum of the sum of quadratics: (.., 1, d)."""
    weighted = np.sum(hessians @ minimisers[..., None], axis=-3)
    return np.asarray(np.linalg.solve(hessians.sum(axis=-3), weighted)[..., None, :, 0])


def _preconditioned(generator: np.random.Generator, gradients: Floats) -> Floats:
    """P g_i with P not symmetric, of condition up to 1e3."""
    draws, _, d = gradients.shape
    left, right = (np.linalg.qr(generator.standard_normal((draws, d, d)))[0] for _ in range(2))
    P = left * 10.0 ** generator.uniform(-3, 0, (draws, 1, d)) @ right
    return gradients @ P.swapaxes(1, 2)


def _gradients_of_multiples(factors: Floats) -> Floats:
    """Newton's directions (n, 2) at the minimum of quadratics whose gradients at 0 are the factors times one vector."""
    hessians = np.stack([HESSIAN + k * np.eye(2) for k in range(len(factors))])
    minimisers = -np.linalg.solve(hessians, np.outer(factors, [1.0, 2.0])[..., None])[..., 0]
    return newton_directions(_minimum(minimisers, hessians), minimisers, hessians)


def _flipped(pairs: Floats) -> Floats:
    """The second of two vectors with the other sign: (B, 2, d)."""
    return pairs * np.array([1.0, -1.0])[:, None]
