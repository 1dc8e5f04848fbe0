"""Claim T33: small PINNs followed with exact matrices; observed, not proved, but for two lemmas.

Two problems with closed-form solutions, tanh networks, float64, seeds 0 to 4, every method at the untuned step size
3e-3 of SOAP's paper, on points drawn once (fixed) or at every step (redrawn). Single values of SOAP's scores are
chaotic at the level of rounding, so records use means over the last quarter of the steps, a number per seed. Records
about means over seeds state the range of the seeds, too. Some bounds are older than the runs, from theory (2/n - 1, b1)
and from runs of an independent implementation; statements that runs violated were restated, and the limits in the
paper name them.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from gradalign.base.randomness import stream
from gradalign.claims import _small_pinns as small_pinns
from gradalign.claims._checks import Measured, Tolerance, at_least, at_most, counted, equals, holds
from gradalign.claims._followed_runs import DAMPING, History, follow, structures
from gradalign.claims._records import Comparison, Curve, Numbers
from gradalign.claims._small_pinns import Fit
from gradalign.diagnostics.alignment import inter_step_score, null_value, score_from_gram
from gradalign.diagnostics.angles import gauss_newton_gram
from gradalign.diagnostics.matrices import kernel_matrix
from gradalign.optimizers import adam, gauss_newton, soap
from gradalign.optimizers._method import Method

Floats = NDArray[np.floating[Any]]
Runs = dict[str, History]

WHITENED = {
    2: Tolerance(1e-3, "what damping leaves of the exact value 2/n - 1 for two losses"),
    3: Tolerance(0.03, "what damping leaves of the exact value 2/n - 1 for three losses"),
}
"""By the number of losses n."""
BOUND = Tolerance(1e-6, "eigenvalues of a kernel of condition 1e12 and more, in the bound on what damping leaves")
WINDOW = Tolerance(0.1, "what SOAP's own noise leaves of a mean over the last quarter of the steps in one seed")
LARGER_WINDOW = Tolerance(0.15, "the distance that the statement allows")
RATE = 3e-3
B1 = 0.95
STEPS, EVERY, SEEDS = 2000, 25, tuple(range(5))
NEWTON_STEPS, NEWTON_EVERY = 200, 10
HEAT_EVERY = 50
LARGER_STEPS, LARGER_EVERY = 1000, 50
INITIAL_DRAWS = 400
SIZE = 100_000  # of unrelated gradients
UNRELATED = Tolerance(
    4 * float(np.sqrt((1 - B1**2) / SIZE)),
    "m' = b1 m + sqrt(1 - b1^2) w with unrelated m and w of one length: four deviations of the cosine",
)
BINS = 20
FIXED, REDRAWN = "fixed points", "redrawn points"
SCORES = {
    "raw": "raw gradients",
    "common": "common state",
    "own": "own state",
    "own_momentum": "own state, momentum",
    "whitened": "Gauss-Newton, power 1/2",
    "newton": "Gauss-Newton, power 1",
}
CHECKPOINTS = (25, 200, 1000, 2000)
POISSON, SMALL, LARGER = "Poisson", "heat, 697 parameters", "heat, 8577 parameters"
LOSSES = {POISSON: 2, SMALL: 3, LARGER: 3}
"""The number of losses n by problem."""
FACTORS = {SMALL: 10.0, LARGER: 1.0}
"""At least so many times lower is SOAP's loss than Adam's."""
POINTS = (FIXED, REDRAWN)
MOST: tuple[Comparison, int] = ("at least", 4)
FEW: tuple[Comparison, int] = ("at most", 1)
_ABOVE: dict[str, dict[str, tuple[tuple[Comparison, int], ...]]] = {
    POISSON: {"raw": (MOST, FEW), "common": (MOST, FEW), "own": (MOST, FEW), "own_momentum": (MOST, ("at least", 3))},
    SMALL: {
        "raw": (MOST, ("at least", 2)),  # close to each other on redrawn points
        "common": (("at most", 4), FEW),
        "own": (MOST, FEW),
        "own_momentum": (MOST, MOST),
    },
    LARGER: {
        "raw": (MOST, FEW),
        "common": (("at most", 4), FEW),
        "own": (("at least", 3), FEW),
        "own_momentum": (MOST, MOST),
    },
}
ORDERS = {
    name: {
        (quantity, points): order
        for quantity, orders in rows.items()
        for points, order in zip(POINTS, orders, strict=True)
    }
    for name, rows in _ABOVE.items()
}
"""In how many of the seeds SOAP scores above Adam, by problem, definition of the score and points: as measured, with a
seed to spare where single seeds are close."""


def poisson_fit(width: int = 24, count: int = 32) -> Fit:
    """Two losses: Poisson's equation, 32 + 2 residuals, weights 1; 673 parameters."""
    weights, counts = {"bc": 1.0, "pde": 1.0}, {"bc": 2, "pde": count}
    return small_pinns.fit(small_pinns.poisson(), small_pinns.poisson_solution, weights, counts, width, 2)


def heat_fit(width: int = 24, depth: int = 2, count: int = 64) -> Fit:
    """Three losses: the heat equation, 64 PDE, 16 IC and 16 BC residuals, weights 1, 10, 10; 697 parameters."""
    weights = {"bc": 10.0, "ic": 10.0, "pde": 1.0}
    counts = {"bc": count // 4, "ic": count // 4, "pde": count}
    return small_pinns.fit(small_pinns.heat(), small_pinns.heat_solution, weights, counts, width, depth)


def first_order(b1: float = B1) -> dict[str, Method]:
    """Adam and SOAP at one step size."""
    return {
        "Adam": adam.method(adam.Settings(learning_rate=RATE), STEPS),
        "SOAP": soap.method(soap.Settings(learning_rate=RATE, b1=b1), STEPS),
    }


def followed(task: Fit, steps: int, every: int, seeds: Sequence[int], keep: str = "", spectra: bool = True) -> Runs:
    """Adam and SOAP on fixed and on redrawn points; with states of the method named ``keep``."""
    runs: Runs = {}
    for name, method in first_order().items():
        fixed, redrawn = follow(task, method, steps, every, seeds, keep=name == keep, spectra=spectra)
        runs |= {f"{name}, {FIXED}": fixed, f"{name}, {REDRAWN}": redrawn}
    return runs


@cache
def two_losses() -> Runs:
    """All runs of the Poisson problem, Levenberg-Marquardt among them."""
    task = poisson_fit()
    newton = gauss_newton.method(gauss_newton.Settings(), NEWTON_STEPS)
    (fixed,) = follow(task, newton, NEWTON_STEPS, NEWTON_EVERY, SEEDS, redraw=[False], own=False)
    return {**followed(task, STEPS, EVERY, SEEDS, keep="SOAP"), f"Levenberg-Marquardt, {FIXED}": fixed}


@cache
def without_momentum() -> History:
    """SOAP with b1 = 0 on redrawn points of the Poisson problem."""
    (redrawn,) = follow(poisson_fit(), first_order(b1=0.0)["SOAP"], STEPS, EVERY, SEEDS, redraw=[True], own=False)
    return redrawn


@cache
def three_losses() -> Runs:
    """All runs of the heat equation with the small network."""
    return followed(heat_fit(), STEPS, HEAT_EVERY, SEEDS, spectra=False)


@cache
def larger_network() -> Runs:
    """All runs of the heat equation with three hidden layers of 64 units, 8577 parameters."""
    return followed(heat_fit(width=64, depth=3), LARGER_STEPS, LARGER_EVERY, SEEDS, spectra=False)


def late(history: History) -> NDArray[np.bool_]:
    """Which logs are in the last quarter of the steps."""
    return np.asarray(history.steps > 0.75 * history.steps[-1])


def window(history: History, quantity: str) -> Floats:
    """Mean over the last quarter of the steps, one per seed."""
    return np.asarray(np.mean(history.values[quantity][:, late(history)], axis=1))


def geometric_window(history: History, quantity: str) -> Floats:
    """The same with the geometric mean, for losses."""
    return np.asarray(np.exp(np.mean(np.log(history.values[quantity][:, late(history)]), axis=1)))


def at(history: History, quantity: str, step: int) -> Floats:
    """Values at a logged step, one per seed."""
    return history.values[quantity][:, int(np.flatnonzero(history.steps == step)[0])]


def spread(values: Floats) -> str:
    """Median and range in words.

    >>> spread(np.array([0.1, -0.25, 0.3]))
    'median 0.10, from -0.25 to 0.30'
    """
    return f"median {np.median(values):.2f}, from {np.min(values):.2f} to {np.max(values):.2f}"


def runs_of(problem: str) -> Runs:
    """All runs of a problem."""
    return {POISSON: two_losses, SMALL: three_losses, LARGER: larger_network}[problem]()


def null_of(problem: str) -> float:
    """2/n - 1."""
    return null_value(LOSSES[problem])


# T33, every problem: whitened Gauss-Newton directions, and SOAP on redrawn points, score 2/n - 1


def register_scores(problem: str) -> None:
    """The records of scores that every problem has, in this order."""
    null, exact, cases = null_of(problem), WHITENED[LOSSES[problem]], [{"problem": problem}]
    equals(
        "T33",
        "Along SOAP's path damped Gauss-Newton directions of power 1/2 score 2/n - 1.",
        "farthest window mean over points and seeds, mu = 1e-8 lambda_max, {problem}",
        null,
        exact,
        "observation",
        draws=2 * len(SEEDS),
        cases=cases,
    )(whitened_scores_along_soap)
    equals(
        "T33",
        "Along Adam's and SOAP's paths Gauss-Newton directions of power 1/2 score 2/n - 1 at small damping.",
        "farthest window mean over methods, points and seeds, mu = 1e-12 lambda_max, {problem}",
        null,
        exact,
        "observation",
        draws=4 * len(SEEDS),
        cases=cases,
    )(whitened_scores_at_small_damping)
    holds(
        "T33",
        "Damping leaves at most 4/n^2 sum_(i<j) sqrt(e_i e_j/((1 - e_i)(1 - e_j))) of |A - 2/n + 1| at power 1/2.",
        "least slack over all logged steps, mu = 1e-8 lambda_max, {problem}",
        BOUND,
        draws=(5 if problem == POISSON else 4) * len(SEEDS),  # Levenberg-Marquardt, too
        cases=cases,
    )(slack_of_the_bound_on_damping)
    equals(
        "T33",
        "Common-state directions of SOAP on redrawn points score within 0.1 of 2/n - 1.",
        "farthest window mean over seeds, {problem}",
        null,
        WINDOW,
        "observation",
        draws=len(SEEDS),
        cases=cases,
    )(common_state_scores)
    at_least(
        "T33",
        "Own-state directions of SOAP on redrawn points score above 2/n - 1.",
        "least window mean over seeds, {problem}",
        null,
        0.0,
        "observation",
        draws=len(SEEDS),
        cases=cases,
    )(own_state_scores)
    if problem == LARGER:
        at_least(
            "T33",
            "With the larger network own-state directions of SOAP with momentum score above 2/n - 1 on redrawn points.",
            "least window mean over seeds, {problem}",
            null,
            0.0,
            "observation",
            draws=len(SEEDS),
            cases=cases,
        )(own_state_scores_with_momentum)
    else:
        equals(
            "T33",
            "Own-state directions of SOAP with momentum, on redrawn points, score within 0.1 of 2/n - 1.",
            "farthest window mean over seeds, {problem}",
            null,
            WINDOW,
            "observation",
            draws=len(SEEDS),
            cases=cases,
        )(own_state_scores_with_momentum)


def whitened_scores_along_soap(problem: str) -> Numbers:
    return [window(run, "whitened") for label, run in runs_of(problem).items() if label.startswith("SOAP")]


def whitened_scores_at_small_damping(problem: str) -> Numbers:
    runs = {label: run for label, run in runs_of(problem).items() if not label.startswith("Levenberg")}
    return [window(run, "whitened_fine") for run in runs.values()]


def slack_of_the_bound_on_damping(problem: str) -> Numbers:
    null = null_of(problem)
    return [run.values["damping_bound"] - np.abs(run.values["whitened"] - null) for run in runs_of(problem).values()]


def common_state_scores(problem: str) -> Measured:
    return _of_soap_on_redrawn_points(problem, "common")


def own_state_scores(problem: str) -> Measured:
    return _of_soap_on_redrawn_points(problem, "own")


def own_state_scores_with_momentum(problem: str) -> Measured:
    return _of_soap_on_redrawn_points(problem, "own_momentum")


def _of_soap_on_redrawn_points(problem: str, quantity: str) -> Measured:
    found = window(runs_of(problem)[f"SOAP, {REDRAWN}"], quantity)
    return Measured(found, note=spread(found))


# T33, every problem: is the intra-step score of SOAP above that of Adam?


def register_orders(problem: str) -> None:
    """A record by definition of the score and by set of points."""
    for (quantity, points), (comparison, count) in ORDERS[problem].items():
        counted(
            "T33",
            f"SOAP scores above Adam in {comparison} {count} of 5 seeds: {SCORES[quantity]}, {points}.",
            "seeds in which SOAP's window mean is the higher one, {problem}",
            count,
            "observation",
            comparison,
            draws=len(SEEDS),
            cases=[{"problem": problem, "quantity": quantity, "points": points}],
        )(seeds_with_soap_above_adam)


def seeds_with_soap_above_adam(problem: str, quantity: str, points: str) -> Measured:
    scores = {method: window(runs_of(problem)[f"{method}, {points}"], quantity) for method in ("SOAP", "Adam")}
    spreads = ", ".join(f"{method} {spread(values)}" for method, values in scores.items())
    return Measured(scores["SOAP"] > scores["Adam"], of=list(scores.values()), note=spreads)


# T33, the heat equation: a low score means no harm, and the scores of two methods do not tell which one fits better


def register_heat(problem: str) -> None:
    """The records of both networks, in this order."""
    at_most(
        "T33",
        "Damped Gauss-Newton directions score below 2/n - 1 along all paths, on average over seeds.",
        "largest mean over window and seeds of all methods and points, {problem}",
        null_of(problem),
        0.0,
        "observation",
        draws=4,
        cases=[{"problem": problem}],
    )(newton_scores)
    at_least(
        "T33",
        "SOAP reaches a lower loss than Adam at the same step size.",
        "least ratio over fixed and redrawn points and seeds, geometric window means, {problem}",
        FACTORS[problem],
        0.0,
        "observation",
        draws=2 * len(SEEDS),
        cases=[{"problem": problem}],
    )(loss_of_adam_over_that_of_soap)


def newton_scores(problem: str) -> Measured:
    found = [window(run, "newton") for run in runs_of(problem).values()]
    return Measured([np.mean(values) for values in found], of=found, note=f"seeds: {spread(np.concatenate(found))}")


def loss_of_adam_over_that_of_soap(problem: str) -> Numbers:
    losses = {label: geometric_window(run, "loss") for label, run in runs_of(problem).items()}
    return [losses[f"Adam, {points}"] / losses[f"SOAP, {points}"] for points in POINTS]


# T33, Poisson's equation: scores, spectra and Levenberg-Marquardt

register_scores(POISSON)
register_orders(POISSON)


@at_least(
    "T33",
    "SOAP improves lambda_1/lambda_12 of the Gauss-Newton matrix at least 5 times more than Adam does.",
    "least gain of SOAP / gain of Adam over seeds, geometric window means, Poisson, {points}",
    5.0,
    0.0,
    "observation",
    draws=len(SEEDS),
    cases=[{"points": points} for points in POINTS],
)
def gain_of_soap_over_that_of_adam(points: str) -> Numbers:
    runs = two_losses()
    return gain(runs[f"SOAP, {points}"]) / gain(runs[f"Adam, {points}"])


def gain(history: History) -> Floats:
    """By how much P improves lambda_1/lambda_12, geometric window means, one per seed."""
    logarithms = np.log(history.values["condition"] / history.values["condition_preconditioned"])
    return np.asarray(np.exp(np.mean(logarithms[:, late(history)], axis=1)))


@at_most(
    "T33",
    "Levenberg-Marquardt reaches the lowest loss, in a tenth of the steps.",
    "largest ratio of its loss to the best other one over seeds, Poisson, fixed points, geometric window means",
    1.0,
    0.0,
    "observation",
    draws=len(SEEDS),
)
def loss_of_levenberg_marquardt() -> Measured:
    newton, adam_loss, soap_loss = (
        geometric_window(two_losses()[f"{method}, {FIXED}"], "loss")
        for method in ("Levenberg-Marquardt", "Adam", "SOAP")
    )
    return Measured(newton / np.minimum(adam_loss, soap_loss), of=[adam_loss, soap_loss])


@at_most(
    "T33",
    "Levenberg-Marquardt reaches it with a Gauss-Newton score that is never near 1.",
    "largest score over steps and seeds, Poisson, fixed points",
    0.5,
    0.0,
    "observation",
    draws=len(SEEDS) * (NEWTON_STEPS // NEWTON_EVERY + 1),
)
def score_of_levenberg_marquardt() -> Numbers:
    return two_losses()[f"Levenberg-Marquardt, {FIXED}"].values["newton"]


@at_least(
    "T33",
    "The Gauss-Newton score at initialisation has no fixed sign where the boundary data are zero.",
    "share of the rarer sign, Poisson, 400 networks",
    0.05,
    0.0,
    "observation",
)
def rarer_sign_at_initialisation() -> Measured:
    initial = initial_newton_scores(poisson_fit(), INITIAL_DRAWS)
    negative = np.mean(initial < 0)
    return Measured(np.minimum(negative, 1 - negative), of=initial)


def initial_newton_scores(task: Fit, count: int) -> Floats:
    """Gauss-Newton scores of ``count`` freshly drawn networks, each on points of its own."""

    def one(key: Array) -> Array:
        params = task.network.init(jax.random.fold_in(key, 0))
        points = small_pinns.draw(task, jax.random.fold_in(key, 1), 0)
        residuals, jacobians = small_pinns.by_loss(task, *task.objective.linearisation(params, points))
        largest = jnp.linalg.eigvalsh(kernel_matrix(jnp.concatenate(list(jacobians.values()))))[-1]
        return score_from_gram(gauss_newton_gram(jacobians, residuals, 1.0, DAMPING * largest))

    keys = jax.random.split(stream(33, "initial networks"), count)
    return np.asarray(jax.jit(lambda keys: jax.lax.map(one, keys))(keys))


@at_most(
    "T33",
    "The Gauss-Newton score along Adam's path is negative after 100 steps.",
    "largest over seeds, Poisson, fixed points",
    0.0,
    0.0,
    "observation",
    draws=len(SEEDS),
)
def early_newton_score_along_adam() -> Numbers:
    return at(two_losses()[f"Adam, {FIXED}"], "newton", 100)


@at_least(
    "T33",
    "The Gauss-Newton score along Adam's path ends positive.",
    "least window mean over seeds, Poisson, fixed points",
    0.0,
    0.0,
    "observation",
    draws=len(SEEDS),
)
def late_newton_score_along_adam() -> Numbers:
    return window(two_losses()[f"Adam, {FIXED}"], "newton")


@equals(
    "T33",
    "The Gauss-Newton score along SOAP's path ends near 0, without a sign.",
    "farthest window mean over seeds, Poisson, fixed points",
    0.0,
    WINDOW,
    "observation",
    draws=len(SEEDS),
)
def late_newton_score_along_soap() -> Measured:
    found = window(two_losses()[f"SOAP, {FIXED}"], "newton")
    return Measured(found, note=spread(found))


def cosines_of_soap(power: str) -> Floats:
    """Of SOAP's map of the gradient to that of a power of the Gauss-Newton matrix, both sets of points: (10,)."""
    return np.concatenate([window(two_losses()[f"SOAP, {points}"], f"cosine_{power}") for points in POINTS])


@at_least(
    "T33",
    "SOAP's linear map of the gradient is closer to the power -1/2 of the Gauss-Newton matrix than to -1.",
    "least difference of the cosines, window means, fixed and redrawn points, Poisson",
    0.0,
    0.0,
    "observation",
    draws=2 * len(SEEDS),
)
def soap_closer_to_the_square_root() -> Numbers:
    return cosines_of_soap("whitened") - cosines_of_soap("newton")


@at_most(
    "T33",
    "SOAP's linear map of the gradient is far from the power -1/2 of the Gauss-Newton matrix.",
    "largest cosine, window means, fixed and redrawn points, Poisson",
    0.5,
    0.0,
    "observation",
    draws=2 * len(SEEDS),
)
def soap_far_from_the_square_root() -> Numbers:
    return cosines_of_soap("whitened")


# T33, Poisson's equation: consecutive updates of SOAP agree because consecutive momentum averages do


@equals(
    "T33",
    "The cosine of consecutive momentum averages of unrelated gradients is b1.",
    "cosine in dimension 100000, b1 = 0.95",
    B1,
    UNRELATED,
)
def cosine_of_averages() -> Numbers:
    return averages_of_unrelated_gradients(B1, SIZE, 400, np.random.default_rng([33, 1]))


def averages_of_unrelated_gradients(b1: float, size: int, steps: int, generator: np.random.Generator) -> float:
    """The cosine of consecutive momentum averages m <- b1 m + (1 - b1) g of independent Gaussian g (size,)."""
    m = np.zeros(size)
    for _ in range(steps):
        before, m = m, b1 * m + (1 - b1) * generator.standard_normal(size)
    return float(inter_step_score(jnp.asarray(before), jnp.asarray(m)))


@at_least(
    "T33",
    "Consecutive updates of SOAP on redrawn points agree: they score above 0.7.",
    "least mean over the window of 5 seeds, Poisson, b1 = 0.95",
    0.7,
    0.0,
    "observation",
    draws=len(SEEDS),
)
def agreement_of_updates() -> Measured:
    found = window(two_losses()[f"SOAP, {REDRAWN}"], "inter_update")
    return Measured(found, note=spread(found))


@at_most(
    "T33",
    "They agree less than averages of unrelated gradients, which score b1.",
    "largest mean over the window of 5 seeds, Poisson, b1 = 0.95",
    B1,
    0.0,
    "observation",
    draws=len(SEEDS),
)
def agreement_below_that_of_averages() -> Numbers:
    return window(two_losses()[f"SOAP, {REDRAWN}"], "inter_update")


@at_most(
    "T33",
    "Without momentum consecutive updates of SOAP oppose each other.",
    "largest mean over the window of 5 seeds, Poisson, redrawn points, b1 = 0",
    0.0,
    0.0,
    "observation",
    draws=len(SEEDS),
)
def opposition_without_momentum() -> Measured:
    found = window(without_momentum(), "inter_update")
    return Measured(found, note=spread(found))


@at_most(
    "T33",
    "A step of SOAP without momentum overshoots: it turns the gradient on the same points around.",
    "largest mean cosine over the window of 5 seeds, Poisson, redrawn points, b1 = 0",
    0.0,
    0.0,
    "observation",
    draws=len(SEEDS),
)
def gradient_turned_without_momentum() -> Measured:
    found = window(without_momentum(), "inter_gradient")
    return Measured(found, note=spread(found))


# T33, Poisson's equation: how far the Gauss-Newton matrix is from what SOAP can represent, and from the Hessian


@cache
def structure() -> dict[str, Floats]:
    """Matrices of the Poisson problem along SOAP's path on fixed points; see ``structures``."""
    history = two_losses()[f"SOAP, {FIXED}"]
    return structures(poisson_fit(), history, SEEDS, CHECKPOINTS)


@at_least(
    "T33",
    "Early in training the Hessian differs from the Gauss-Newton matrix by as much as that matrix.",
    "least ||H/2 - J^T J||/||J^T J|| over seeds at step 25, Poisson, SOAP on fixed points",
    1.0,
    0.0,
    "observation",
    draws=len(SEEDS),
)
def early_distance_of_the_hessian() -> Numbers:
    return structure()["curvature"][:, 0]


@at_most(
    "T33",
    "Late in training the Hessian is within 1 % of the Gauss-Newton matrix.",
    "largest ||H/2 - J^T J||/||J^T J|| over seeds at step 2000, Poisson, SOAP on fixed points",
    0.01,
    0.0,
    "observation",
    draws=len(SEEDS),
)
def late_distance_of_the_hessian() -> Numbers:
    return structure()["curvature"][:, -1]


@at_least(
    "T33",
    "SOAP's basis brings the Gauss-Newton matrix closer to a diagonal than the basis of the parameters.",
    "least fall of the off-diagonal energy over steps and seeds, Poisson, SOAP on fixed points",
    0.0,
    0.0,
    "observation",
    draws=len(SEEDS) * len(CHECKPOINTS),
)
def fall_of_the_off_diagonal_energy() -> Numbers:
    return structure()["identity"] - structure()["soap"]


@at_least(
    "T33",
    "In SOAP's basis most of the Frobenius norm of the Gauss-Newton matrix stays off the diagonal.",
    "least off-diagonal energy over steps and seeds, Poisson, SOAP on fixed points",
    0.5,
    0.0,
    "observation",
    draws=len(SEEDS) * len(CHECKPOINTS),
)
def off_diagonal_energy_in_the_basis_of_soap() -> Numbers:
    return structure()["soap"]


@at_least(
    "T33",
    "The Gauss-Newton block of the middle kernel is no Kronecker product.",
    "least relative error of the best one over steps and seeds, Poisson, SOAP on fixed points",
    0.1,
    0.0,
    "observation",
    draws=len(SEEDS) * len(CHECKPOINTS),
)
def distance_from_a_kronecker_product() -> Numbers:
    return structure()["kronecker"]


# T33, the heat equation with the small network

register_scores(SMALL)
register_orders(SMALL)
register_heat(SMALL)


@at_least(
    "T33",
    "Own-state directions with momentum score farther from 2/n - 1 for Adam than for SOAP.",
    "least difference of the distances, means over window and seeds, fixed and redrawn points, heat, 697 parameters",
    0.0,
    0.0,
    "observation",
    draws=2,
)
def adam_is_farther_with_the_small_network() -> Numbers:
    return [adam_is_farther(three_losses(), points) for points in POINTS]


def distance(runs: Runs, method: str, points: str, quantity: str) -> float:
    """Of a score, as a mean over window and seeds, from 2/n - 1 for three losses."""
    return abs(float(np.mean(window(runs[f"{method}, {points}"], quantity))) - null_value(3))


def adam_is_farther(runs: Runs, points: str) -> float:
    """By how much Adam's own-state score with momentum is farther from 2/n - 1 than SOAP's."""
    return distance(runs, "Adam", points, "own_momentum") - distance(runs, "SOAP", points, "own_momentum")


@at_least(
    "T33",
    "The common-state score of SOAP is farther from 2/n - 1 on fixed points than on redrawn ones.",
    "difference of the distances, means over window and seeds, heat, 697 parameters",
    0.0,
    0.0,
    "observation",
)
def fixed_points_are_farther_than_redrawn_ones() -> Measured:
    runs = three_losses()
    fixed, redrawn = (window(runs[f"SOAP, {points}"], "common") for points in POINTS)
    return Measured(
        distance(runs, "SOAP", FIXED, "common") - distance(runs, "SOAP", REDRAWN, "common"),
        note=f"fixed {spread(fixed)}; redrawn {spread(redrawn)}",
    )


# T33, the heat equation with the larger network: what carries over, and what does not

register_scores(LARGER)
register_orders(LARGER)
register_heat(LARGER)


@at_most(
    "T33",
    "Own-state directions with momentum score farther from 2/n - 1 for Adam than for SOAP.",
    "difference of the distances, means over window and seeds, redrawn points, heat, 8577 parameters",
    0.0,
    0.0,
    "false in general",
)
def adam_is_farther_with_the_larger_network() -> Numbers:
    return adam_is_farther(larger_network(), REDRAWN)


@equals(
    "T33",
    "With the larger network SOAP's common-state score is within 0.15 of 2/n - 1 on fixed points, too.",
    "farthest window mean over seeds, heat, 8577 parameters",
    null_value(3),
    LARGER_WINDOW,
    "observation",
    draws=len(SEEDS),
)
def common_state_scores_on_fixed_points() -> Measured:
    found = window(larger_network()[f"SOAP, {FIXED}"], "common")
    return Measured(found, note=spread(found))


def curves() -> list[Curve]:
    """Points of the figures of the claim: runs on Poisson's equation, and window means on the heat equation."""
    found = []
    runs = {**two_losses(), f"SOAP without momentum, {REDRAWN}": without_momentum()}
    shown = {
        "loss": (FIXED,),
        "common": (REDRAWN,),
        "newton": (FIXED,),
        "inter_update": (REDRAWN,),
        "gain": (FIXED,),
    }
    for quantity, sets in shown.items():
        for label, run in runs.items():
            if label.endswith(sets):
                found += [
                    Curve("T33", quantity, label, *binned(run, quantity, seed), seed=seed) for seed in range(len(SEEDS))
                ]
    for name, values in structure().items():
        steps = CHECKPOINTS[:: len(CHECKPOINTS) - 1] if name == "curvature" else CHECKPOINTS
        found += [Curve("T33", "structure", name, steps, row, seed=seed) for seed, row in enumerate(values)]
    for name, heat_runs in (("697 parameters", three_losses()), ("8577 parameters", larger_network())):
        for label, run in heat_runs.items():
            method, points = label.split(", ")
            for place, (quantity, words) in enumerate(SCORES.items()):
                found += [
                    Curve("T33", f"{name}, {points}", f"{method}: {words}", [place], [value], seed=seed)
                    for seed, value in enumerate(window(run, quantity))
                ]
    return found


def binned(history: History, quantity: str, seed: int) -> tuple[Floats, Floats]:
    """Means over each of ``BINS`` equal parts of the steps after the first log; geometric ones of positive quantities.

    ``gain`` is the preconditioned over the raw condition number, upside down: how much the method gains.
    """
    values = history.values
    if quantity == "gain":
        row = np.log(values["condition"] / values["condition_preconditioned"])[seed]
    else:
        row = np.log(values["loss"])[seed] if quantity == "loss" else values[quantity][seed]
    parts = np.array_split(np.arange(1, history.steps.size), BINS)
    defined = [row[part][~np.isnan(row[part])] for part in parts]  # no update is before the first one
    means = np.array([np.mean(values) if values.size else np.nan for values in defined])
    centres = np.array([np.mean(history.steps[part]) for part in parts])
    return centres, np.exp(means) if quantity in ("gain", "loss") else means
