"""Claim T14: the cosine of consecutive gradients or updates.

On quadratics L = e^T H e / 2 the gradient is g = H e and every step theta -> theta - eta P g is a matrix. Matrices and
starting points are drawn from explicit seeds in float64; cosines near one are measured by ``misalignment`` = 1 - A,
which does not cancel. A record of status "false in general" reproduces a counterexample.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from gradalign.base.precision import dtype_of
from gradalign.claims._batches import misaligned, misalignments, score, scores
from gradalign.claims._checks import Measured, Tolerance, equals, holds, never, vanishes
from gradalign.claims._records import Curve, Numbers
from gradalign.claims._two_modes import MODES, MODES_START, SHOWN_SHARES, SHOWN_STEPS
from gradalign.diagnostics.matrices import random_positive_definite

Floats = NDArray[np.floating[Any]]

CLOSED_FORM = Tolerance(1e-9, "closed forms after a handful of products with matrices of condition up to 1e3")
LEADING_ORDER = Tolerance(1e-3, "relative; steps are small enough to leave the next order below it")
STOCHASTIC = Tolerance(0.01, "four standard errors of a lag-one correlation over 4e5 steps, 4 / sqrt(4e5) = 0.006")
NEWTON = Tolerance(1e-15, "numbers of at most 5e-5 computed from gradients of length one, a few roundings of 1e-16")

# On two modes: steps in units of 2 / (lambda_max + lambda_min), above which gradient descent turns
SHARES = {"below": 0.6, "above": 1.05}
LATE = 400  # steps

# The quadratic of the worked example has the spectrum 1e-2, 4, 7, 10. A score depends on the gradient only through
# the moments of its spectral measure. Two independent implementations printed numbers for gradients that are not known.
# These two measures (squared components of the unit gradient) were fitted to the printed numbers, so agreement shows
# that the numbers fit the formulas and each other, and is no reproduction.
SPECTRUM = np.array([0.01, 4.0, 7.0, 10.0])
STEP = 1e-2
EXPONENTS = (0.0, 0.5, 1.0)  # s of the preconditioner H^-s: gradient descent, between, Newton
EXAMPLES: dict[str, tuple[tuple[float, ...], dict[tuple[str, float], float], float]] = {
    "first gradient": (
        (0.010, 0.205, 0.473, 0.312),
        {
            ("measured", 0.0): 2.95e-4,
            ("measured", 0.5): 1.23e-5,
            ("projected", 0.0): 2.54e-4,
            ("projected", 0.5): 1.17e-5,
            ("unprojected", 0.0): 2.9e-3,
            ("unprojected", 0.5): 3.6e-4,
        },
        0.01,  # relative; half a unit of the last printed digit is 0.2% to 1.7%
    ),
    "second gradient": (
        (0.006, 0.008, 0.640, 0.346),
        {
            ("measured", 0.0): 1.50e-4,
            ("measured", 0.5): 5.81e-6,
            ("projected", 0.0): 1.27e-4,
            ("projected", 0.5): 5.49e-6,
            ("unprojected", 0.0): 3.3e-3,
            ("unprojected", 0.5): 4.0e-4,
        },
        0.01,
    ),
}


def curves() -> list[Curve]:
    """Late scores by step size, scores over time with their asymptotes, and 1 - A with its two terms by step size.

    Raises ``ConfigurationError`` while JAX's 64-bit types are off.
    """
    dtype_of("float64")
    late = scores(np.stack([late_gradients(eta) for eta in SHOWN_STEPS]))
    found = [Curve("T14", "late score", "gradient descent", SHOWN_SHARES, late)]
    for name, share in SHARES.items():
        distance, leading, _ = two_modes(share)
        t = np.arange(distance.size)
        found.append(Curve("T14", "distance from the limit", f"{name} the threshold", t, distance))
        found.append(Curve("T14", "distance from the limit", f"{name} the threshold, leading order", t, leading))
    g = np.sqrt(np.array(EXAMPLES["second gradient"][0]))
    steps = np.logspace(-4, -0.25, 31)
    for s in EXPONENTS:
        w = SPECTRUM ** (1 - s) * g
        terms = np.array([expansion(g, w, eta) for eta in steps])
        measured = misalignments(np.stack([np.stack([g, g - eta * w]) for eta in steps]))
        lines = {"measured": measured, "projected": terms[:, 0], "unprojected": terms[:, 1]}
        found += [Curve("T14", f"1 - A, s = {s:g}", name, steps, y) for name, y in lines.items()]
    return found


# T14a: the closed form on quadratics with a constant symmetric preconditioner


class Problem(NamedTuple):
    """H, P: (d, d), positive definite, d = 3 to 7. v: an update P H e, (d,). a, b: rates of ``update_rates``.

    eta: step size in [0, 2/a). score: of v and of the update after it.
    """

    H: Floats
    P: Floats
    v: Floats
    a: float
    b: float
    eta: float
    score: float


@cache
def quadratics() -> list[Problem]:
    """300 problems."""
    generator = np.random.default_rng([14, 1])
    found = []
    for _ in range(300):
        d = int(generator.integers(3, 8))
        H, P = (random_positive_definite(generator, d, 100.0) for _ in range(2))
        v = P @ H @ generator.standard_normal(d)
        a, b = update_rates(P @ H, v)
        eta = generator.uniform(0, 2) / a
        found.append(Problem(H, P, v, a, b, eta, score(np.stack([v, v - eta * P @ H @ v]))))
    return found


@vanishes(
    "T14a",
    "On quadratics A_inter = (1 - eta a)/sqrt((1 - eta a)^2 + eta^2 b^2).",
    "largest error, 300 problems",
    CLOSED_FORM,
    draws=300,
)
def closed_form_of_the_score() -> Numbers:
    return [problem.score - closed_form(problem.eta, problem.a, problem.b) for problem in quadratics()]


@vanishes(
    "T14a",
    "To leading order 1 - A_inter = eta^2 b^2/2.",
    "largest relative error, eta = 1e-4/hypot(a, b)",
    LEADING_ORDER,
    draws=300,
)
def leading_order_of_the_score() -> Numbers:
    errors = []
    for H, P, v, a, b, _, _ in quadratics():
        eta = 1e-4 / np.hypot(a, b)
        errors.append(misaligned(v, v - eta * P @ H @ v) / (eta**2 * b**2 / 2) - 1)
    return errors


@never("T14a", "A_inter is negative iff eta a > 1.", "violations, 300 problems", draws=300)
def sign_of_the_score() -> Measured:
    A = np.array([problem.score for problem in quadratics()])
    share = np.array([problem.eta * problem.a for problem in quadratics()])
    return Measured((A < 0) != (share > 1), of=[A, share])


@vanishes(
    "T14a",
    "For gradient descent A_inter is 1 on an eigenvector of H with eta a < 1.",
    "largest 1 - A",
    CLOSED_FORM,
    draws=300,
)
def score_on_eigenvectors() -> Numbers:
    """Here P = I and eta a is half the least eigenvalue over the largest."""
    found = []
    for H in (problem.H for problem in quadratics()):
        values, vectors = np.linalg.eigh(H)
        found.append(misaligned(vectors[:, 0], (np.eye(len(H)) - 0.5 / values[-1] * H) @ vectors[:, 0]))
    return found


@vanishes(
    "T14a",
    "For gradient descent b^2 is the variance of the Hessian eigenvalue under the spectral measure of g.",
    "largest error, in units of the largest eigenvalue squared",
    CLOSED_FORM,
    draws=300,
)
def spectral_variance() -> Numbers:
    errors = []
    for H, _, v, *_ in quadratics():
        values, vectors = np.linalg.eigh(H)
        g = H @ v
        share = (vectors.T @ g) ** 2 / (g @ g)
        variance = share @ (values - share @ values) ** 2
        errors.append((update_rates(H, g)[1] ** 2 - variance) / values[-1] ** 2)
    return errors


# T14b: the limit of the inter-step score of gradient descent


@vanishes(
    "T14b",
    "A_inter of gradient descent tends to +-1 like +-(1 - y_t (1 - nu)^2/2).",
    "largest relative error of the distance from +-1, where below 1e-5",
    LEADING_ORDER,
    draws=10,
)
def distance_from_the_limit() -> Numbers:
    errors = []
    for distance, leading, _ in map(two_modes, SHARES.values()):
        late = _near_the_limit(leading)
        errors.append(distance[late] / leading[late] - 1)
    return errors


@vanishes(
    "T14b",
    "The distance of A_inter from its limit decays at the rate 2 log|nu|.",
    "largest error of the slope",
    LEADING_ORDER,
    draws=len(SHARES),
)
def rate_of_the_limit() -> Measured:
    errors, distances = [], []
    for distance, leading, nu in map(two_modes, SHARES.values()):
        late = _near_the_limit(leading)
        slope = np.polyfit(np.flatnonzero(late), np.log(distance[late]), 1)[0]
        errors.append(slope - 2 * np.log(abs(nu)))
        distances.append(distance)
    return Measured(errors, of=distances)


@never(
    "T14b",
    "A_inter tends to -1 iff eta > 2/(lambda_max + lambda_min), else to +1.",
    "wrong signs, 100 spectra",
    draws=100,
)
def sign_of_the_limit() -> Measured:
    """Gradient descent on four modes of which one dominates, after 800 steps."""
    generator = np.random.default_rng([14, 2])
    violations: list[bool] = []
    compared: list[float] = []
    while len(violations) < 100:
        spectrum = np.sort(generator.uniform(0.2, 1, 4))
        edge = 2 / (spectrum[0] + spectrum[-1])
        eta = generator.uniform(0, 2 / spectrum[-1])
        mu = np.sort(np.abs(1 - eta * spectrum))
        if mu[-2] > 0.98 * mu[-1]:  # no dominant mode
            continue
        g = spectrum * generator.uniform(0.5, 1, 4) * ((1 - eta * spectrum) / mu[-1]) ** 800
        found = score(np.stack([g, (1 - eta * spectrum) * g]))
        violations.append(np.sign(found) != (-1 if eta > edge else 1))
        compared += [found, eta / edge]
    return Measured(violations, of=compared)


@equals(
    "T14b",
    "Gradient descent zig-zags with A_inter tending to -1.",
    "A_inter after 60 steps below the threshold step",
    1.0,
    CLOSED_FORM,
    "false in general",
)
def limit_below_the_threshold() -> Numbers:
    distance, _, _ = two_modes(SHARES["below"])
    return 1 - distance[-1]


@equals(
    "T14b",
    "An inter-step score of 1 is evidence of fast convergence.",
    "contraction per step at A_inter = 1: 1 - eta lambda_min",
    1 - SHARES["below"] * 2 / MODES.sum() * float(MODES[0]),
    CLOSED_FORM,
    "false in general",
)
def contraction_at_the_limit() -> Numbers:
    before, after = late_gradients(SHARES["below"] * 2 / MODES.sum())
    return np.linalg.norm(after) / np.linalg.norm(before)


# T14c: exact line search


@vanishes(
    "T14c",
    "With exact line search consecutive gradients are orthogonal.",
    "largest |A_inter|, 300 problems",
    CLOSED_FORM,
    draws=300,
)
def score_after_exact_line_search() -> Numbers:
    generator = np.random.default_rng([14, 3])
    found = []
    for _ in range(300):
        H = random_positive_definite(generator, int(generator.integers(3, 8)), 100.0)
        g = H @ generator.standard_normal(len(H))
        found.append(score(np.stack([g, g - (g @ g) / (g @ H @ g) * H @ g])))
    return found


# T14d: stationary stochastic gradient descent


@equals(
    "T14d",
    "In stationary SGD consecutive stochastic gradients correlate by -eta lambda/2.",
    "lag-one correlation, eta lambda = {step}",
    lambda seed, step: -step / 2,
    STOCHASTIC,
    cases=[{"seed": seed, "step": step} for seed, step in enumerate((0.1, 0.5, 1.0, 1.6))],
)
def correlation_of_stochastic_gradients(seed: int, step: float) -> Numbers:
    return stochastic_correlation(step, 400_000, np.random.default_rng([14, 4, seed]))


# T14e: the expansion of the raw inter-step score, with and without projection


class Step(NamedTuple):
    """A short step g -> g - eta w on a quadratic, w = H Q g.

    values: eigenvalues of H, ascending, (d,), d = 2 to 7. s: exponent of P = H^-s, in [0, 1). image: H P g, (d,).
    g, w: (d,). eta: step size. along, across: lengths of the parts of w along g and orthogonal to it.
    misalignment: 1 - A of g and the next gradient. projected, unprojected: its leading term, with and without the
    projection.
    """

    values: Floats
    s: float
    image: Floats
    g: Floats
    w: Floats
    eta: float
    along: float
    across: float
    misalignment: float
    projected: float
    unprojected: float

    @property
    def turns(self) -> bool:
        """Whether w turns the gradient enough for the leading term to be far from rounding."""
        return bool(self.across > 1e-3 * abs(self.along))


@cache
def short_steps() -> list[Step]:
    """500 problems."""
    generator = np.random.default_rng([14, 5])
    found = []
    for _ in range(500):
        d = int(generator.integers(2, 8))
        H = random_positive_definite(generator, d, 10.0 ** generator.uniform(0.5, 2))
        s = generator.uniform(0, 1)
        values, vectors = np.linalg.eigh(H)
        P = (vectors * values**-s) @ vectors.T
        g = generator.standard_normal(d)
        # The preconditioner H^-s is Newton's at s = 1, where the leading term vanishes; another one keeps it
        Q = P if s < 0.9 else random_positive_definite(generator, d, 10.0)
        w = H @ Q @ g
        eta = 1e-4 * float(np.linalg.norm(g) / np.linalg.norm(w))
        along = float(g @ w / np.linalg.norm(g))
        across = float(np.sqrt(np.maximum(w @ w - along**2, 0.0)))
        defect = misaligned(g, g - eta * w)
        found.append(Step(values, s, H @ P @ g, g, w, eta, along, across, defect, *expansion(g, w, eta)))
    return found


@vanishes(
    "T14e",
    "1 - A(g_t, g_t+1) = eta^2/2 ||w_perp||^2/||g||^2 + O(eta^3), w_perp the part of w = H P g orthogonal to g.",
    "largest relative error, 500 problems, relative step 1e-4",
    LEADING_ORDER,
    draws=400,
)
def projected_term_of_the_expansion() -> Numbers:
    return [step.misalignment / step.projected - 1 for step in short_steps() if step.turns]


@vanishes(
    "T14e",
    "On quadratics the closed form holds with w in place of P H v.",
    "largest error",
    CLOSED_FORM,
    draws=500,
)
def closed_form_for_gradients() -> Numbers:
    errors = []
    for step in short_steps():
        g, w, eta, length = step.g, step.w, 1e3 * step.eta, np.linalg.norm(step.g)
        expected = closed_form(eta, float(step.along / length), float(step.across / length))
        errors.append(score(np.stack([g, g - eta * w])) - expected)
    return errors


@vanishes(
    "T14e",
    "Without the projection the term is too large by 1 + (<g, w>/(||g|| ||w_perp||))^2.",
    "largest relative error of the factor",
    LEADING_ORDER,
    draws=400,
)
def factor_without_projection() -> Numbers:
    return [
        step.unprojected / step.misalignment / (1 + (step.along / step.across) ** 2) - 1
        for step in short_steps()
        if step.turns
    ]


@holds(
    "T14e",
    "The unprojected form is a lower bound on A at this order.",
    "least 1 - (1 - A)/term",
    LEADING_ORDER,
    draws=500,
)
def unprojected_lower_bound() -> Numbers:
    return [1 - step.misalignment / step.unprojected for step in short_steps()]


@holds(
    "T14e",
    "With the preconditioner H^-s, ||w_perp||^2/||g||^2 is at most (lambda_max^(1-s) - lambda_min^(1-s))^2/4.",
    "least slack, 500 problems",
    CLOSED_FORM,
    draws=500,
)
def largest_projected_term() -> Numbers:
    """Popoviciu's inequality for the variance of lambda^(1 - s); the preconditioner is H^-s."""
    slack = []
    for step in short_steps():
        least, largest = step.values[0] ** (1 - step.s), step.values[-1] ** (1 - step.s)
        slack.append((largest - least) ** 2 / 4 - 2 * expansion(step.g, step.image, 1.0)[0])
    return slack


# T14e: the worked example


def example_misalignment(name: str, s: float) -> Numbers:
    g, w = _example_step(name, s)
    return misaligned(g, g - STEP * w)


def example_projected(name: str, s: float) -> Numbers:
    return expansion(*_example_step(name, s), STEP)[0]


def example_unprojected(name: str, s: float) -> Numbers:
    return expansion(*_example_step(name, s), STEP)[1]


def _example_step(name: str, s: float) -> tuple[Floats, Floats]:
    """g and w = H^(1-s) g of the worked example, (4,) each."""
    g = np.sqrt(np.array(EXAMPLES[name][0]))
    return g, SPECTRUM * (SPECTRUM**-s * g)


def _printed(name: str, kind: str, s: float) -> tuple[float, Tolerance]:
    """A printed number, and the tolerance of its agreement."""
    _, printed, relative = EXAMPLES[name]
    reason = "1% of a printed number, the last digit of which is known to 0.2% to 1.7% of it"
    return printed[kind, s], Tolerance(relative * printed[kind, s], reason)


for _name in EXAMPLES:
    for _s in (0.0, 0.5):
        equals(
            "T14e",
            "Some gradient, fitted here, gives all printed numbers: measured 1 - A.",
            "measured 1 - A, {name}, s = {s:g}",
            *_printed(_name, "measured", _s),
            "consistency",
            cases=[{"name": _name, "s": _s}],
        )(example_misalignment)
        equals(
            "T14e",
            "Some gradient, fitted here, gives all printed numbers: projected 1 - A.",
            "projected 1 - A, {name}, s = {s:g}",
            *_printed(_name, "projected", _s),
            "consistency",
            cases=[{"name": _name, "s": _s}],
        )(example_projected)
        equals(
            "T14e",
            "Some gradient, fitted here, gives all printed numbers: unprojected 1 - A.",
            "unprojected 1 - A, {name}, s = {s:g}",
            *_printed(_name, "unprojected", _s),
            "consistency",
            cases=[{"name": _name, "s": _s}],
        )(example_unprojected)
    # Newton, s = 1: the score is exactly 1 on quadratics, and the unprojected term misses that by eta^2/2
    equals(
        "T14e",
        "1 - A(g_t, g_t+1) on the quadratic with spectrum 1e-2..10 and eta = 1e-2.",
        "measured 1 - A, {name}, s = {s:g}",
        0.0,
        NEWTON,
        cases=[{"name": _name, "s": 1.0}],
    )(example_misalignment)
    equals(
        "T14e",
        "The projected term of 1 - A on the same quadratic.",
        "projected 1 - A, {name}, s = {s:g}",
        0.0,
        NEWTON,
        cases=[{"name": _name, "s": 1.0}],
    )(example_projected)
    equals(
        "T14e",
        "1 - A(g_t, g_t+1) is the term without projection.",
        "unprojected 1 - A, {name}, s = {s:g}",
        STEP**2 / 2,
        NEWTON,
        "false in general",
        cases=[{"name": _name, "s": 1.0}],
    )(example_unprojected)


def closed_form(eta: float, a: float, b: float) -> float:
    """(1 - eta a) / sqrt((1 - eta a)^2 + eta^2 b^2), the inter-step score on a quadratic (T14)."""
    return float((1 - eta * a) / np.hypot(1 - eta * a, eta * b))


def update_rates(PH: Floats, v: Floats) -> tuple[float, float]:
    """a = <v, PH v> / ||v||^2 and b = ||part of PH v orthogonal to v|| / ||v|| (T14); PH (d, d), v (d,)."""
    image = PH @ v
    a = float(v @ image / (v @ v))
    return a, float(np.linalg.norm(image - a * v) / np.linalg.norm(v))


def expansion(g: Floats, w: Floats, eta: float) -> tuple[float, float]:
    """eta^2/2 ||w_perp||^2/||g||^2 and eta^2/2 ||w||^2/||g||^2: the terms with and without projection (T14e)."""
    across = w - (g @ w) / (g @ g) * g
    return float(eta**2 / 2 * (across @ across) / (g @ g)), float(eta**2 / 2 * (w @ w) / (g @ g))


def two_modes(share: float) -> tuple[Floats, Floats, float]:
    """Gradient descent on two modes, by steps of ``share`` thresholds 2/(lambda_max + lambda_min) (T14b).

    Returns, for t = 0..59, the distance of A(g_t, g_t+1) from its limit +-1, shape (60,), and its leading term
    y_t (1 - nu)^2/2 with y_t = (c_2/c_1)^2 nu^2t, shape (60,), c_1 and c_2 the dominant and the other component of g_0;
    and nu, the ratio of their factors.
    """
    mu = 1 - share * 2 / MODES.sum() * MODES
    gradients = MODES * MODES_START * mu ** np.arange(61)[:, None]
    top = int(np.argmax(np.abs(mu)))
    nu = mu[1 - top] / mu[top]
    distance = misalignments(np.stack([gradients[:-1], np.sign(mu[top]) * gradients[1:]], axis=1))
    y = (gradients[0, 1 - top] / gradients[0, top]) ** 2 * nu ** (2.0 * np.arange(60))
    return distance, y * (1 - nu) ** 2 / 2, float(nu)


def late_gradients(eta: float) -> Floats:
    """Two consecutive gradients of gradient descent after ``LATE`` steps, of a length near one, (2, 2)."""
    mu = 1 - eta * MODES
    gradient = MODES * MODES_START * (mu / np.abs(mu).max()) ** LATE
    return np.stack([gradient, mu * gradient])


def stochastic_correlation(step: float, count: int, generator: np.random.Generator) -> float:
    """E[g_t g_t+1] / E[g_t^2] of stationary SGD on lambda x^2 / 2 with gradient noise, step = eta lambda in (0, 2).

    In units of lambda = 1: g = x + xi with xi ~ N(0, 1), x_t+1 = x_t - step g, started from the stationary law.
    """
    noise = generator.standard_normal(count)
    start = generator.standard_normal() * np.sqrt(step / (2 - step))
    later = signal.lfilter([-step], [1.0, -(1 - step)], noise, zi=[(1 - step) * start])[0]
    gradients = np.concatenate([[start], later[:-1]]) + noise
    return float(np.mean(gradients[1:] * gradients[:-1]) / np.mean(gradients**2))


def _near_the_limit(leading: Floats) -> NDArray[np.bool_]:
    """Where the leading term of the distance from the limit is small, but above rounding."""
    return (leading < 1e-5) & (leading > 1e-12)
