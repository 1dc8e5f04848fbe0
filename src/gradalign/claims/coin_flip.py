"""Claim T38: the coin flip of the score when a new tanh network meets Laplace's equation.

The network u(x) = sum_k a_k tanh(w_k x + b_k) is to solve -u'' = 0 with u = g at 0 and 1, the equation at 33 points of
[0, 1]. At the start a, w ~ N(0, s^2) and b = bias N(0, s^2) with bias 0 (zero biases) or 1 (random biases); all are
trained. A direction map takes the gradient to the first step of an optimizer. Draws have explicit seeds, in float64.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from gradalign.base.precision import dtype_of
from gradalign.claims._batches import units
from gradalign.claims._checks import Measured, Tolerance, at_most, equals, in_band, vanishes
from gradalign.claims._records import STANDARD_ERRORS, Curve, Numbers
from gradalign.claims._shallow_networks import (
    Poisson,
    conflicts,
    gram,
    gram_scores,
    losses,
    shallow_gradients,
    shallow_network,
    slope,
    tanh_derivatives,
)
from gradalign.diagnostics.alignment import alignment_score

Floats = NDArray[np.floating[Any]]
Data = tuple[float, float]
"""u(0) and u(1)."""

IDENTITY = Tolerance(1e-12, "some thousand roundings of 1e-16, in identities between numbers of order one")
DERIVATIVES = Tolerance(1e-10, "relative rounding of third derivatives of 100 neurons by two routes")
MEAN = Tolerance(0.005, "from the mean or the deviation of |A| over 100 or more draws to its limit")
SLOPE = Tolerance(0.1, "far below 1/2, the least step between exponents; higher orders and few draws bend the lines")
THIRD_DECIMAL = Tolerance(5e-4, "half a unit of the third decimal, the last one printed")
FOURTH_DECIMAL = Tolerance(5e-5, "half a unit of the fourth decimal, the last one printed")

POINTS = np.linspace(0, 1, 33)
WIDTHS = (64, 512, 4096)
DRAWS = 400
MANY = 3600  # in the limit s -> 0; four standard errors of the mean |A| are 0.005 then
SMALL = 1e-3  # s
UNIT: Data = (0.0, 1.0)
OTHER_DATA: tuple[Data, ...] = ((1.0, 0.5), (-2.0, 1.0))
BIASES = {"zero biases": 0.0, "random biases": 1.0}

DIRECTIONS: dict[str, Callable[[Floats], Floats]] = {"GD": lambda gradients: gradients, "sign": np.sign, "UV^T": units}
"""Maps of gradients (..., 3, M) with rows a, w, b. For a layer of one row or column, U V^T is the unit vector."""


def curves() -> list[Curve]:
    """Histograms of the score by direction map, the limit law, and the standard deviation of |A| against M.

    Raises ``ConfigurationError`` while JAX's 64-bit types are off.
    """
    dtype_of("float64")
    edges = np.linspace(-1.01, 1.01, 102)  # 1 and -1 are middles
    middles = (edges[1:] + edges[:-1]) / 2

    def shares(name: str, scores: Floats) -> Curve:
        return Curve("T38", "share of draws", name, middles, np.histogram(scores, edges)[0] / scores.size)

    lines = [shares("limit law, GD", limit_law("GD", UNIT, 1.0))]
    for direction in DIRECTIONS:
        c = limit_constant(direction, UNIT)
        lines.append(Curve("T38", "limit law, zero biases", direction, [-c, c], [0.5, 0.5]))
    for name, bias in BIASES.items():
        deviations = [float(np.std(np.abs(scores(M, bias)["GD"]))) for M in WIDTHS]
        lines.append(Curve("T38", "standard deviation of |A|", name, WIDTHS, deviations))
        lines += [shares(f"{name}, {direction}", found) for direction, found in scores(WIDTHS[-1], bias).items()]
    return lines


# T38: gradients by formula, and their limit for small parameters


@vanishes(
    "T38",
    "The gradients of a tanh network with one hidden layer have closed forms.",
    "largest relative distance of the gradients and their score from automatic differentiation",
    DERIVATIVES,
    draws=3,
)
def closed_forms_of_the_gradients() -> Numbers:
    parameters = np.random.default_rng([38, 1]).standard_normal((3, 100))
    problem = laplace((0.3, 1.0))
    pair = losses(shallow_network(jnp.tanh), problem)
    automatic = jax.jit(lambda params: [jax.grad(loss)(params) for loss in pair])(jnp.asarray(parameters))
    gradients = shallow_gradients(parameters, problem, tanh_derivatives)
    distances = [np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in zip(gradients, automatic, strict=True)]
    score = gram_scores(gram(gradients.reshape(1, 2, -1)))[0]
    return [*distances, score - alignment_score(automatic)]


@equals(
    "T38",
    "As s -> 0 gradients align with p D1 + q D0 and -(g1 w + (g0 + g1) b, g1 a, (g0 + g1) a), at rate s^2.",
    "slope of the median |A - limit| in s, 20 networks, M = 64, {biases}",
    2.0,
    SLOPE,
    cases=[{"biases": biases} for biases in BIASES],
)
def rate_of_the_limit_of_small_parameters(biases: str) -> Measured:
    problem, scales = laplace((0.5, 1.0)), 10.0 ** -np.arange(1, 4)
    networks = np.stack(list(initial_parameters(np.random.default_rng([38, 2]), 20, 64, BIASES[biases])))
    limit = direction_scores(small_gradients(one, problem) for one in networks)["GD"]
    found = [direction_scores(gradients_at(s * networks, problem))["GD"] for s in scales]
    return Measured(slope(scales, np.median(np.abs(found - limit), axis=1)), of=[*found, limit])


# T38: both signs have the same probability at every width


@cache
def sums_of_flipped_scores() -> dict[str, list[Floats]]:
    """A(a) + A(-a) of 100 networks (100,) each of M = 3, 64, 512 with zero biases, by direction map."""
    sums: dict[str, list[Floats]] = {name: [] for name in DIRECTIONS}
    for M in (3, 64, 512):
        networks = SMALL * np.stack(list(initial_parameters(np.random.default_rng([38, 3, M]), 100, M, 0.0)))
        flipped = networks * np.array([-1.0, 1.0, 1.0])[:, None]
        found, other = (direction_scores(gradients_at(part, laplace(UNIT))) for part in (networks, flipped))
        for name, values in sums.items():
            values.append(found[name] + other[name])
    return sums


@vanishes(
    "T38",
    "With zero biases a flip of the signs of a flips A, if the map commutes with signs of layers.",
    "largest |A(a) + A(-a)|, {name}, 100 networks each of M = 3, 64, 512",
    IDENTITY,
    "proven under conditions",
    draws=300,
    cases=[{"name": name} for name in DIRECTIONS],
)
def flip_of_the_last_layer(name: str) -> Numbers:
    return sums_of_flipped_scores()[name]


@in_band(
    "T38",
    "Each sign of A has probability 1/2 at every width.",
    "|z| of the share of A < 0, 400 networks, M = {M}, {biases}, GD",
    0.5,
    "proven under conditions",
    draws=DRAWS,
    cases=[{"M": M, "biases": biases} for biases in BIASES for M in WIDTHS],
)
def share_of_conflicts(M: int, biases: str) -> Numbers:
    return conflicts(scores(M, BIASES[biases])["GD"])


# T38: with zero biases A becomes two-valued


@equals(
    "T38",
    "With zero biases A tends to two values +-c.",
    "c, GD, data 0 and 1",
    0.6196,
    FOURTH_DECIMAL,
    "consistency",
)
def limit_of_gradient_descent() -> Numbers:
    return limit_constant("GD", UNIT)


@equals("T38", "With zero biases A tends to two values +-c.", "c, sign, data 0 and 1", 1.0, IDENTITY, "consistency")
def limit_of_signs() -> Numbers:
    return limit_constant("sign", UNIT)


@equals(
    "T38",
    "With zero biases A tends to two values +-c.",
    "c, UV^T, data 0 and 1",
    0.643,
    THIRD_DECIMAL,
    "consistency",
)
def limit_of_orthogonalised_steps() -> Numbers:
    return limit_constant("UV^T", UNIT)


@equals(
    "T38",
    "With zero biases A tends to two values +-c.",
    "mean |A|, {name}, M = 4096",
    None,
    MEAN,
    "proven under conditions",
    cases=[{"name": name} for name in DIRECTIONS],
)
def mean_magnitude_with_zero_biases(name: str) -> Measured:
    found = np.abs(scores(4096, 0.0)[name])
    return Measured(np.mean(found), of=found, expected=limit_constant(name, UNIT))


@vanishes(
    "T38",
    "With zero biases and g1 (g0 + g1) > 0 the first steps of Adam score exactly 1 or -1 at every width.",
    "largest ||A| - 1|, sign, 1200 networks",
    IDENTITY,
    "proven under conditions",
    draws=3 * DRAWS,
)
def magnitude_of_the_first_steps_of_adam() -> Numbers:
    return [np.abs(scores(M, 0.0)["sign"]) - 1 for M in WIDTHS]


@cache
def scores_for(data: Data) -> dict[str, Floats]:
    """Scores (100,) by direction map with zero biases, M = 4096 and s = 1e-3."""
    networks = initial_parameters(np.random.default_rng([38, 4]), 100, 4096, 0.0)
    return direction_scores(gradients_at((SMALL * one for one in networks), laplace(data)))


@equals(
    "T38",
    "With zero biases A tends to two values +-c, which depend on the data.",
    "mean |A|, {name}, data {data[0]:g} and {data[1]:g}, M = 4096",
    None,
    MEAN,
    "proven under conditions",
    cases=[{"name": name, "data": data} for data in OTHER_DATA for name in DIRECTIONS],
)
def mean_magnitude_for_other_data(name: str, data: Data) -> Measured:
    found = scores_for(data)[name]
    return Measured(np.mean(np.abs(found)), of=found, expected=limit_constant(name, data))


@equals(
    "T38",
    "With zero biases A tends to two values +-c: the spread of |A| falls like M^-1/2.",
    "slope of the standard deviation of |A| from M = 512 to 4096, GD",
    -0.5,
    SLOPE,
    "proven under conditions",
)
def rate_of_the_two_values() -> Measured:
    found = [scores(M, 0.0)["GD"] for M in WIDTHS]
    deviations = np.array([np.std(np.abs(one)) for one in found])
    return Measured(slope(np.array(WIDTHS[1:]), deviations[1:]), of=found)


# T38: with random biases the limit law is not two-valued


@cache
def magnitudes_of_many() -> dict[str, Floats]:
    """|A| (3600,) by direction map in the limit s -> 0, random biases, M = 8192."""
    networks = initial_parameters(np.random.default_rng([38, 5]), MANY, 8192, 1.0)
    found = direction_scores(small_gradients(one, laplace(UNIT)) for one in networks)
    return {name: np.abs(values) for name, values in found.items()}


def law_of_magnitudes(name: str) -> Floats:
    """Equally probable |A| under the limit law with random biases."""
    return np.abs(limit_law(name, UNIT, 1.0))


@equals(
    "T38",
    "With random biases A tends to a law of the angle of (alpha, beta).",
    "mean |A| under the law, GD",
    0.535,
    THIRD_DECIMAL,
    "consistency",
)
def mean_of_the_law() -> Numbers:
    return law_of_magnitudes("GD").mean()


@equals(
    "T38",
    "With random biases A tends to a law of the angle of (alpha, beta).",
    "deviation of |A| under the law, GD",
    0.074,
    THIRD_DECIMAL,
    "consistency",
)
def deviation_of_the_law() -> Numbers:
    return law_of_magnitudes("GD").std()


@equals(
    "T38",
    "With random biases A tends to a law of the angle of (alpha, beta).",
    "mean |A|, GD, 3600 networks with s -> 0, M = 8192",
    None,
    MEAN,
    "proven under conditions",
)
def mean_magnitude_with_random_biases() -> Measured:
    found = magnitudes_of_many()["GD"]
    return Measured(found.mean(), of=found, expected=float(law_of_magnitudes("GD").mean()))


@equals(
    "T38",
    "With random biases A tends to two values as well, so that |A| does not vary.",
    "standard deviation of |A|, GD, 3600 networks with s -> 0, M = 8192",
    None,
    MEAN,
    "false in general",
)
def deviation_with_random_biases() -> Measured:
    found = magnitudes_of_many()["GD"]
    return Measured(found.std(), of=found, expected=float(law_of_magnitudes("GD").std()))


@at_most(
    "T38",
    "With random biases A tends to a law of the angle of (alpha, beta).",
    "|z| of the mean |A|, {name}, 3600 networks with s -> 0",
    STANDARD_ERRORS,
    0.0,
    "proven under conditions",
    cases=[{"name": "sign"}, {"name": "UV^T"}],
)
def distance_of_many_from_the_law(name: str) -> Measured:
    sample, law = magnitudes_of_many()[name], law_of_magnitudes(name)
    return Measured(distance(sample, law), of=[sample, law])


@at_most(
    "T38",
    "With random biases A tends to a law of the angle of (alpha, beta).",
    "|z| of the mean |A|, GD, 400 networks, M = {M}",
    STANDARD_ERRORS,
    0.0,
    "proven under conditions",
    cases=[{"M": M} for M in WIDTHS[1:]],
)
def distance_from_the_law(M: int) -> Measured:
    sample, law = np.abs(scores(M, 1.0)["GD"]), law_of_magnitudes("GD")
    return Measured(distance(sample, law), of=[sample, law])


# The networks, their scores and the limits


def distance(sample: Floats, law: Floats) -> float:
    """Distance of the mean of a sample from that of a law, in standard errors; equally probable values of the law.

    >>> distance(np.array([1.0, 1.0, 1.0, 1.0]), np.array([-1.0, 1.0]))
    2.0
    """
    return float(abs(sample.mean() - law.mean()) / law.std() * np.sqrt(sample.size))


def laplace(data: Data) -> Poisson:
    """-u'' = 0 at 33 points of [0, 1] with u(0) and u(1) given.

    >>> laplace((0.0, 1.0)).values.tolist()
    [0.0, 1.0]
    """
    return Poisson(np.array([0.0, 1.0]), np.array(data), POINTS, np.zeros(POINTS.size))


def initial_parameters(generator: np.random.Generator, draws: int, M: int, bias: float) -> Iterable[Floats]:
    """a, w ~ N(0, 1) and b ~ N(0, bias^2) as rows (3, M), one network after the other.

    >>> [one.shape for one in initial_parameters(np.random.default_rng(0), 2, 5, 0.0)]
    [(3, 5), (3, 5)]
    """
    for _ in range(draws):
        yield generator.standard_normal((3, M)) * np.array([1.0, 1.0, bias])[:, None]


def gradients_at(networks: Iterable[Floats], problem: Poisson) -> Iterable[Floats]:
    """Both gradients (2, 3, M) of one network (3, M) after the other."""
    return (shallow_gradients(parameters, problem, tanh_derivatives) for parameters in networks)


def direction_scores(gradients: Iterable[Floats]) -> dict[str, Floats]:
    """Scores (draws,) of the steps that the direction maps make of pairs of gradients (2, 3, M), by map.

    >>> pair = np.array([[[1.0, 2.0], [3.0, 0.0], [1.0, 1.0]], [[-2.0, -4.0], [1.0, 0.0], [1.0, 1.0]]])
    >>> {name: round(float(score[0]), 3) for name, score in direction_scores([pair]).items()}
    {'GD': -0.261, 'sign': 0.2, 'UV^T': 0.333}
    """
    grams: dict[str, list[Floats]] = {name: [] for name in DIRECTIONS}
    for pair in gradients:
        for name, direction in DIRECTIONS.items():
            grams[name].append(gram(direction(pair).reshape(2, -1)))
    return {name: gram_scores(np.stack(found)) for name, found in grams.items()}


@cache
def scores(M: int, bias: float) -> dict[str, Floats]:
    """Scores (400,) by direction map for the data 0 and 1, M neurons and s = 1e-3."""
    networks = initial_parameters(np.random.default_rng([38, M, int(bias)]), DRAWS, M, bias)
    return direction_scores(gradients_at((SMALL * parameters for parameters in networks), laplace(UNIT)))


def small_gradients(parameters: Floats, problem: Poisson) -> Floats:
    """p D1 + q D0 and -(g1 w + (g0 + g1) b, g1 a, (g0 + g1) a), the gradients for small parameters up to factors > 0.

    D1 = (w^3, 3 a w^2, 0), D0 = (w^2 b, 2 a w b, a w^2), p = alpha m2 + beta m1, q = alpha m1 + beta with
    alpha = sum a w^3, beta = sum a w^2 b and m_j the mean of x^j over the points. parameters (3, M); returns (2, 3, M).
    """
    a, w, b = parameters
    p, q = slopes(np.sum(a * w**3), np.sum(a * w**2 * b))
    g1, total = problem.values[1], problem.values.sum()
    equation = [p * w**3 + q * w**2 * b, 3 * p * a * w**2 + 2 * q * a * w * b, q * a * w**2]
    return np.array([[-g1 * w - total * b, -g1 * a, -total * a], equation])


def slopes(alpha: Floats, beta: Floats) -> tuple[Floats, Floats]:
    """p = alpha m2 + beta m1 and q = alpha m1 + beta, m_j the mean of x^j over the points."""
    m1, m2 = POINTS.mean(), np.mean(POINTS**2)
    return alpha * m2 + beta * m1, alpha * m1 + beta


def wide_score(name: str, p: Floats, q: Floats, data: Data, bias: float) -> Floats:
    """A for M -> infinity at given p and q, from the second moments of the gradients of one neuron in rows a, w, b."""
    g1, total = data[1], data[0] + data[1]
    if name == "sign":
        angles = [
            angle_share(p, bias * q, g1, bias * total),
            angle_share(3 * p, 2 * bias * q, g1, 0.0),
            np.sign(q * total),
        ]
        return -np.mean(angles, axis=0)
    products = np.array([3 * p * g1 + bias**2 * q * total, 3 * p * g1, q * total])
    equation = np.array([15 * p**2 + 3 * (bias * q) ** 2, 27 * p**2 + 4 * (bias * q) ** 2, 3 * q**2])
    boundary = np.array([g1**2 + (bias * total) ** 2, g1**2, total**2])
    if name == "GD":
        return -products.sum(axis=0) / np.sqrt(equation.sum(axis=0) * boundary.sum())
    return -np.mean(products / np.sqrt(equation * boundary[:, None]), axis=0)


def angle_share(x: Floats, y: Floats, u: float, v: float) -> Floats:
    """E sgn(x X + y Y) sgn(u X + v Y) = 1 - 2 angle/pi for independent standard normal X, Y."""
    return 1 - 2 / np.pi * np.abs(np.arctan2(x * v - y * u, x * u + y * v))


def limit_constant(name: str, data: Data) -> float:
    """c: with zero biases A tends to -c sgn(alpha)."""
    return float(-wide_score(name, *slopes(np.ones(1), np.zeros(1)), data, 0.0)[0])


def limit_law(name: str, data: Data, bias: float) -> Floats:
    """A at equally probable angles of (alpha, beta) ~ N(0, 15) x N(0, 3 bias^2); A does not depend on their length."""
    angle = (np.arange(10_000) + 0.5) / 10_000 * 2 * np.pi
    p, q = slopes(np.sqrt(15) * np.cos(angle), bias * np.sqrt(3) * np.sin(angle))
    return wide_score(name, p, q, data, bias)
