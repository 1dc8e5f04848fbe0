"""Claim T22: what linear preconditioners make of the score at a compromise, and Newton's score around it.

A compromise is a point where the gradients of losses with different minimisers cancel, sum_i g_i = 0. The losses are
quadratics (theta - theta_i)^T H_i (theta - theta_i) / 2, drawn from explicit seeds in float64. Scores near one are
measured by ``misalignment`` = 1 - A, which does not cancel; A of two vectors v, w is -A of v, -w. A record of status
"false in general" reproduces a counterexample.
"""

import numpy as np

from gradalign.base.precision import dtype_of
from gradalign.claims._batches import Floats, misalignments, score, scores, units
from gradalign.claims._records import Claim, Curve, equals, holds, never, timed, vanishes

CLOSED_FORM = 1e-8  # after solving with matrices of condition up to some 1e3 and preconditioning by as much
LEADING_ORDER = 1e-3  # relative; the point is far enough to leave the next order below it

MINIMISERS = np.array([[-1.0, 0.0], [1.0, 0.0]])
"""Minimisers of the two losses in the plane whose Hessians are HESSIAN and 3 HESSIAN."""
HESSIAN = np.array([[2.0, 0.8], [0.8, 1.0]])


def check() -> list[Claim]:
    """All records of the claim T22.

    Raises ``ConfigurationError`` while JAX's 64-bit types are off.
    """
    dtype_of("float64")
    return timed(CHECKS)


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


def T22a() -> list[Claim]:
    """Every invertible linear preconditioner at a compromise, and near one."""
    generator = np.random.default_rng([22, 1])
    at = {n: compromises(generator, n, 1000) for n in (2, 3, 4)}
    flipped = at[2] * np.array([1.0, -1.0])[:, None]
    near = {n: near_compromises(generator, n, 1000) for n in (2, 3, 4)}
    slack = np.concatenate(
        [cancellation_bound(n, imbalances(vectors)) - scores(vectors) for n, vectors in near.items()]
    )
    ratio = misalignments(near[2] * np.array([1.0, -1.0])[:, None]) / imbalances(near[2]) ** 2
    sharp = {n: _gradients_of_multiples(np.array([1.0] * (n - 1) + [1.0 - n])) for n in (2, 3, 4)}
    # Three gradients at 120 degrees; the preconditioner diag(1, delta) turns two of them into one direction
    polygon = np.array([[-1.0, 0.0], [0.5, 0.75**0.5], [0.5, -(0.75**0.5)]])
    bound = "At a compromise A(P g_1, .., P g_n) <= 2 ((n - 2)/n)^2 - 1 for every invertible linear P."
    return [
        vanishes(
            "T22a",
            "At a compromise of two losses A(P g_1, P g_2) = -1 for every invertible linear P.",
            "largest 1 + A, 1000 problems",
            misalignments(flipped),
            CLOSED_FORM,
            draws=1000,
        ),
        *(
            holds(
                "T22a",
                bound,
                f"least slack, n = {n}, 1000 problems",
                cancellation_bound(n) - scores(at[n]),
                CLOSED_FORM,
                draws=1000,
            )
            for n in (3, 4)
        ),
        *(
            equals(
                "T22a",
                "A compromise of gradients u, .., u, -(n - 1) u attains that bound.",
                f"A of Newton's directions, n = {n}",
                score(sharp[n]),
                expected,
                CLOSED_FORM,
            )
            for n, expected in ((2, -1.0), (3, -7 / 9), (4, -1 / 2))
        ),
        equals(
            "T22a",
            "Preconditioners of the symmetric compromise of three losses come as close to the bound as one likes.",
            "A after diag(1, 1e-5), -1 before",
            score(polygon * np.array([1.0, 1e-5])),
            -7 / 9,
            CLOSED_FORM,
        ),
        holds(
            "T22a",
            "Near it A <= 2 ((n - 2 + 2 epsilon)/n)^2 - 1 with epsilon = ||P g||/max ||P g_i|| <= 1.",
            f"least slack, n = 2, 3, 4, {slack.size} problems",
            slack,
            CLOSED_FORM,
            draws=1500,
        ),
        holds(
            "T22a",
            "Near a compromise of two losses 1 + A <= 2 epsilon^2.",
            f"least 2 - (1 + A)/epsilon^2, {ratio.size} problems",
            2 - ratio,
            CLOSED_FORM,
            draws=500,
        ),
        equals(
            "T22a",
            "Newton's preconditioner aligns the gradients of losses at the minimum of their sum.",
            "A of Newton's directions, two quadratics with different minimisers and Hessians",
            _newton_at_a_compromise(),
            -1.0,
            CLOSED_FORM,
            "false in general",
        ),
    ]


def T22b() -> list[Claim]:
    """Thales: Newton's score where the Hessians are proportional."""
    generator = np.random.default_rng([22, 2])
    draws, d = 2000, 4
    factors = generator.standard_normal((draws, 1, d, d))
    H = factors @ factors.swapaxes(2, 3) + 0.1 * np.eye(d)
    hessians = H * np.exp(generator.uniform(-2, 2, (draws, 2, 1, 1)))
    minimisers = generator.standard_normal((draws, 2, d))
    middle, difference = minimisers.mean(axis=1), minimisers[:, 1] - minimisers[:, 0]
    radius = np.linalg.norm(difference, axis=1) / 2
    offsets = units(generator.standard_normal((draws, d)))
    distance = radius * np.exp(generator.uniform(-1, 1, draws))
    theta = middle + distance[:, None] * offsets
    found = scores(newton_directions(theta[:, None], minimisers, hessians))
    one, other = (units(theta - minimisers[:, k]) for k in (0, 1))
    shares = generator.uniform(0.05, 0.95, (draws, 1))
    segment = newton_directions((minimisers[:, 0] + shares * difference)[:, None], minimisers, hessians)
    line = newton_directions((minimisers[:, 1] + shares * difference)[:, None], minimisers, hessians)
    far = 1e4 * radius[:, None] * offsets
    across = difference - np.sum(difference * offsets, axis=1, keepdims=True) * offsets
    defects = misalignments(newton_directions((minimisers[:, 0] + far)[:, None], minimisers, hessians))
    expected = np.sum(across**2, axis=1) / (2 * np.sum(far**2, axis=1))
    thales = "If H_1 is a multiple of H_2, Newton's score is the cosine of the angle at theta between both minimisers"
    return [
        vanishes(
            "T22b",
            f"{thales}.",
            "largest error, 2000 problems",
            found - np.sum(one * other, axis=1),
            CLOSED_FORM,
            draws=draws,
        ),
        never(
            "T22b",
            "It is negative exactly inside the ball with the minimisers at the ends of a diameter.",
            "violations, 2000 points",
            (found < 0) != (distance < radius),
            draws=draws,
            of=[found, distance, radius],
        ),
        vanishes(
            "T22b",
            "It is -1 on the open segment between the minimisers.",
            "largest 1 + A, 2000 points",
            misalignments(segment * np.array([1.0, -1.0])[:, None]),
            CLOSED_FORM,
            draws=draws,
        ),
        vanishes(
            "T22b",
            "It is 1 on the rest of their line.",
            "largest 1 - A, 2000 points",
            misalignments(line),
            CLOSED_FORM,
            draws=draws,
        ),
        vanishes(
            "T22b",
            "At distance D it is 1 - ||Delta||^2/(2 D^2) + O(D^-3), Delta the part of theta_1 - theta_2 across theta.",
            "largest relative error of 1 - A, D = 5000 ||theta_1 - theta_2||",
            defects / expected - 1,
            LEADING_ORDER,
            draws=draws,
        ),
    ]


CHECKS = (T22a, T22b)


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


def _newton_at_a_compromise() -> float:
    hessians = np.stack([HESSIAN, np.diag([1.0, 5.0])])
    return score(newton_directions(_minimum(MINIMISERS, hessians), MINIMISERS, hessians))
