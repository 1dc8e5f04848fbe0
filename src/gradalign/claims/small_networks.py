"""Claim T33: small PINNs followed with exact matrices; measured, not proved.

Two problems with closed-form solutions, tanh networks, float64, seeds 0 to 2, every method at the untuned step size
3e-3 of SOAP's paper, on points drawn once (fixed) or at every step (redrawn). Single values of SOAP's scores are
chaotic at the level of rounding, so records use means over the last quarter of the steps. Expected values and
tolerances were set before these runs, from theory (2/n - 1, b1) and from runs of an independent implementation; the
statements that the first runs violated were restated, and the limits in the paper name them.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from gradalign.alignment import inter_step_score, null_value, score_from_gram
from gradalign.curvature import gauss_newton_gram, kernel_matrix
from gradalign.experiments import small_pinns
from gradalign.experiments.followed_runs import DAMPING, History, follow, structures
from gradalign.experiments.small_pinns import Fit
from gradalign.method import Method
from gradalign.optimizers import adam, gauss_newton, soap
from gradalign.precision import dtype_of
from gradalign.randomness import stream
from gradalign.records import Claim, Comparison, Curve, holds, timed

Floats = NDArray[np.floating[Any]]
Runs = dict[str, History]

WHITENED = {2: 1e-3, 3: 0.03}  # by n: damping leaves this much of the exact value 2/n - 1
BOUND = 1e-6  # of the bound on what damping leaves: eigenvalues of a kernel of condition 1e12 and more
WINDOW = 0.2  # of a mean over the last quarter: what SOAP's own noise leaves
RATE = 3e-3
B1 = 0.95
STEPS, EVERY, SEEDS = 2000, 25, (0, 1, 2)
NEWTON_STEPS, NEWTON_EVERY = 200, 10
LARGER_STEPS, LARGER_EVERY = 1000, 50
INITIAL_DRAWS = 400
OWN_MOMENTUM = "Own-state directions with momentum score farther from 2/n - 1 for Adam than for SOAP."
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


def check() -> list[Claim]:
    """All records of the claim T33.

    Raises ``ConfigurationError`` while JAX's 64-bit types are off.
    """
    dtype_of("float64")
    return timed([two_loss_records, momentum_records, structure_records, three_loss_records, larger_records])


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
    return followed(heat_fit(), STEPS, EVERY, SEEDS, spectra=False)


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


def farthest(values: Floats, centre: float) -> float:
    """The value that is farthest from the expected one."""
    return float(values[np.argmax(np.abs(values - centre))])


def measured(
    statement: str, quantity: str, expected: float, value: Any, comparison: Comparison, tolerance: float = 0.0
) -> Claim:
    """An empirical record of the claim."""
    return Claim("T33", statement, "empirical", quantity, expected, float(value), tolerance, comparison)


def score_records(runs: Runs, n: int, name: str) -> list[Claim]:
    """What is expected of every problem: whitened Gauss-Newton directions, and SOAP on redrawn points, at 2/n - 1."""
    null = null_value(n)
    first = {label: run for label, run in runs.items() if not label.startswith("Levenberg")}
    soap_runs = [run for label, run in first.items() if label.startswith("SOAP")]
    slack = [run.values["damping_bound"] - np.abs(run.values["whitened"] - null) for run in runs.values()]
    sources = {
        "common": "Common-state directions of SOAP on redrawn points score within 0.2 of 2/n - 1.",
        "own": "Own-state directions of SOAP on redrawn points score within 0.2 of 2/n - 1.",
        "own_momentum": "Own-state directions of SOAP with momentum, on redrawn points, score within 0.2 of 2/n - 1.",
    }
    return [
        measured(
            "Along SOAP's path damped Gauss-Newton directions of power 1/2 score 2/n - 1.",
            f"farthest window mean over points and seeds, mu = 1e-8 lambda_max, {name}",
            null,
            farthest(np.concatenate([window(run, "whitened") for run in soap_runs]), null),
            "equal",
            WHITENED[n],
        ),
        measured(
            "Along Adam's and SOAP's paths Gauss-Newton directions of power 1/2 score 2/n - 1 at small damping.",
            f"farthest window mean over methods, points and seeds, mu = 1e-12 lambda_max, {name}",
            null,
            farthest(np.concatenate([window(run, "whitened_fine") for run in first.values()]), null),
            "equal",
            WHITENED[n],
        ),
        holds(
            "T33",
            "Damping leaves at most 4/n^2 sum_(i<j) sqrt(e_i e_j/((1 - e_i)(1 - e_j))) of |A - 2/n + 1| at power 1/2.",
            f"least slack over all logged steps, mu = 1e-8 lambda_max, {name}",
            [float(np.min(part)) for part in slack],
            BOUND,
        ),
        *(
            measured(
                statement,
                f"mean over window and seeds, {name}",
                null,
                np.mean(window(runs[f"SOAP, {REDRAWN}"], quantity)),
                "equal",
                WINDOW,
            )
            for quantity, statement in sources.items()
        ),
    ]


def two_loss_records() -> list[Claim]:
    """Poisson's equation: scores, spectra and Levenberg-Marquardt."""
    runs = two_losses()
    newton = runs[f"Levenberg-Marquardt, {FIXED}"]
    adam_fixed, soap_fixed = runs[f"Adam, {FIXED}"], runs[f"SOAP, {FIXED}"]
    gains = {
        label: float(np.mean(np.log(run.values["condition"] / run.values["condition_preconditioned"])[:, late(run)]))
        for label, run in runs.items()
    }
    best = np.minimum(geometric_window(adam_fixed, "loss"), geometric_window(soap_fixed, "loss"))
    whitened, inverse = (
        np.concatenate([window(runs[f"SOAP, {points}"], f"cosine_{name}") for points in (FIXED, REDRAWN)])
        for name in ("whitened", "newton")
    )
    negative = float(np.mean(initial_newton_scores(poisson_fit(), INITIAL_DRAWS) < 0))
    over = "over seeds, Poisson, fixed points"
    return [
        *score_records(runs, 2, "Poisson"),
        *(
            measured(
                "SOAP improves lambda_1/lambda_12 of the Gauss-Newton matrix at least 5 times more than Adam does.",
                f"gain of SOAP / gain of Adam, geometric means over window and seeds, Poisson, {points}",
                5.0,
                np.exp(gains[f"SOAP, {points}"] - gains[f"Adam, {points}"]),
                "at least",
            )
            for points in (FIXED, REDRAWN)
        ),
        measured(
            "Levenberg-Marquardt reaches the lowest loss, in a tenth of the steps.",
            f"largest ratio of its loss to the best other one {over}, geometric window means",
            1.0,
            np.max(geometric_window(newton, "loss") / best),
            "at most",
        ),
        measured(
            "Levenberg-Marquardt reaches it with a Gauss-Newton score that is never near 1.",
            f"largest score over steps and seeds, Poisson, {FIXED}",
            0.5,
            np.max(newton.values["newton"]),
            "at most",
        ),
        measured(
            "The Gauss-Newton score at initialisation has no fixed sign where the boundary data are zero.",
            f"share of the rarer sign, Poisson, {INITIAL_DRAWS} networks",
            0.05,
            min(negative, 1 - negative),
            "at least",
        ),
        measured(
            "The Gauss-Newton score along Adam's path is negative after 100 steps.",
            f"mean {over}",
            0.0,
            np.mean(at(adam_fixed, "newton", 100)),
            "at most",
        ),
        measured(
            "The Gauss-Newton score along Adam's path ends positive.",
            f"least window mean {over}",
            0.0,
            np.min(window(adam_fixed, "newton")),
            "at least",
        ),
        measured(
            "The Gauss-Newton score along SOAP's path ends without a sign.",
            f"mean over window and seeds, Poisson, {FIXED}",
            0.0,
            np.mean(window(soap_fixed, "newton")),
            "equal",
            WINDOW,
        ),
        measured(
            "SOAP's linear map of the gradient is closer to the power -1/2 of the Gauss-Newton matrix than to -1.",
            "least difference of the cosines, window means, fixed and redrawn points, Poisson",
            0.0,
            np.min(whitened - inverse),
            "at least",
        ),
        measured(
            "SOAP's linear map of the gradient is far from the power -1/2 of the Gauss-Newton matrix.",
            "largest cosine, window means, fixed and redrawn points, Poisson",
            0.5,
            np.max(whitened),
            "at most",
        ),
    ]


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


def averages_of_unrelated_gradients(b1: float, size: int, steps: int, generator: np.random.Generator) -> float:
    """The cosine of consecutive momentum averages m <- b1 m + (1 - b1) g of independent Gaussian g (size,)."""
    m = np.zeros(size)
    for _ in range(steps):
        before, m = m, b1 * m + (1 - b1) * generator.standard_normal(size)
    return float(inter_step_score(jnp.asarray(before), jnp.asarray(m)))


def momentum_records() -> list[Claim]:
    """Consecutive updates of SOAP agree because consecutive momentum averages do."""
    size = 100_000
    with_momentum, without = two_losses()[f"SOAP, {REDRAWN}"], without_momentum()
    return [
        Claim(
            "T33",
            "The cosine of consecutive momentum averages of unrelated gradients is b1.",
            "proven",
            f"cosine in dimension {size}, b1 = {B1}",
            B1,
            averages_of_unrelated_gradients(B1, size, 400, np.random.default_rng([33, 1])),
            # m' = b1 m + sqrt(1 - b1^2) w with unrelated m and w of one length: four deviations of the cosine
            4 * float(np.sqrt((1 - B1**2) / size)),
        ),
        measured(
            "Consecutive updates of SOAP on redrawn points score near b1, like averages of unrelated gradients.",
            f"mean over window and seeds, Poisson, b1 = {B1}",
            B1,
            np.mean(window(with_momentum, "inter_update")),
            "equal",
            WINDOW,
        ),
        measured(
            "Without momentum consecutive updates of SOAP do not agree.",
            "mean over window and seeds, Poisson, redrawn points, b1 = 0",
            0.0,
            np.mean(window(without, "inter_update")),
            "at most",
            WINDOW,
        ),
        measured(
            "A step of SOAP without momentum overshoots: it turns the gradient on the same points around.",
            "mean cosine over window and seeds, Poisson, redrawn points, b1 = 0",
            0.0,
            np.mean(window(without, "inter_gradient")),
            "at most",
        ),
    ]


@cache
def structure() -> dict[str, Floats]:
    """Matrices of the Poisson problem along SOAP's path on fixed points; see ``structures``."""
    history = two_losses()[f"SOAP, {FIXED}"]
    return structures(poisson_fit(), history, SEEDS, CHECKPOINTS)


def structure_records() -> list[Claim]:
    """How far the Gauss-Newton matrix is from what SOAP can represent, and from the Hessian."""
    found = structure()
    where = f"Poisson, SOAP on {FIXED}"
    return [
        measured(
            "Early in training the Hessian differs from the Gauss-Newton matrix by as much as that matrix.",
            f"||H/2 - J^T J||/||J^T J|| at step {EVERY}, {where}",
            1.0,
            found["curvature"][0, 0],
            "at least",
        ),
        measured(
            "Late in training the Hessian is the Gauss-Newton matrix.",
            f"||H/2 - J^T J||/||J^T J|| at step {STEPS}, {where}",
            0.01,
            found["curvature"][0, -1],
            "at most",
        ),
        measured(
            "SOAP's basis brings the Gauss-Newton matrix closer to a diagonal than the basis of the parameters.",
            f"least fall of the off-diagonal energy over steps and seeds, {where}",
            0.0,
            np.min(found["identity"] - found["soap"]),
            "at least",
        ),
        measured(
            "In SOAP's basis most of the Frobenius norm of the Gauss-Newton matrix stays off the diagonal.",
            f"least off-diagonal energy over steps and seeds, {where}",
            0.5,
            np.min(found["soap"]),
            "at least",
        ),
        measured(
            "The Gauss-Newton block of the middle kernel is no Kronecker product.",
            f"least relative error of the best one over steps and seeds, {where}",
            0.1,
            np.min(found["kronecker"]),
            "at least",
        ),
    ]


def three_loss_records() -> list[Claim]:
    """The heat equation with the small network."""
    runs, name = three_losses(), "heat, 697 parameters"
    return [
        *score_records(runs, 3, name),
        *heat_records(runs, name, factor=10.0),
        measured(
            OWN_MOMENTUM,
            f"least difference of the distances, means over window and seeds, fixed and redrawn points, {name}",
            0.0,
            min(adam_is_farther(runs, points) for points in (FIXED, REDRAWN)),
            "at least",
        ),
        measured(
            "The common-state score of SOAP is farther from 2/n - 1 on fixed points than on redrawn ones.",
            f"difference of the distances, means over window and seeds, {name}",
            0.0,
            distance(runs, "SOAP", FIXED, "common") - distance(runs, "SOAP", REDRAWN, "common"),
            "at least",
        ),
    ]


def larger_records() -> list[Claim]:
    """The heat equation with the larger network: what carries over, and what does not."""
    runs, name = larger_network(), "heat, 8577 parameters"
    return [
        *score_records(runs, 3, name),
        *heat_records(runs, name, factor=1.0),
        Claim(
            "T33",
            OWN_MOMENTUM,
            "false in general",
            f"difference of the distances, means over window and seeds, redrawn points, {name}",
            0.0,
            adam_is_farther(runs, REDRAWN),
            0.0,
            "at most",
        ),
        measured(
            "With the larger network SOAP's common-state score is near 2/n - 1 on fixed points, too.",
            f"mean over window and seeds, {name}",
            null_value(3),
            np.mean(window(runs[f"SOAP, {FIXED}"], "common")),
            "equal",
            WINDOW,
        ),
    ]


def distance(runs: Runs, method: str, points: str, quantity: str) -> float:
    """Of a score, as a mean over window and seeds, from 2/n - 1 for three losses."""
    return abs(float(np.mean(window(runs[f"{method}, {points}"], quantity))) - null_value(3))


def adam_is_farther(runs: Runs, points: str) -> float:
    """By how much Adam's own-state score with momentum is farther from 2/n - 1 than SOAP's."""
    return distance(runs, "Adam", points, "own_momentum") - distance(runs, "SOAP", points, "own_momentum")


def heat_records(runs: Runs, name: str, factor: float) -> list[Claim]:
    """A low score means no harm, and the scores of two methods do not tell which one fits better."""

    def mean_log_loss(method: str, points: str) -> float:
        return float(np.mean(np.log(geometric_window(runs[f"{method}, {points}"], "loss"))))

    return [
        measured(
            "Damped Gauss-Newton directions score below 2/n - 1 along all paths.",
            f"largest mean over window and seeds, {name}",
            null_value(3),
            max(float(np.mean(window(run, "newton"))) for run in runs.values()),
            "at most",
        ),
        measured(
            "SOAP reaches a lower loss than Adam at the same step size.",
            f"least ratio, geometric means over window and seeds, fixed and redrawn points, {name}",
            factor,
            np.exp(min(mean_log_loss("Adam", p) - mean_log_loss("SOAP", p) for p in (FIXED, REDRAWN))),
            "at least",
        ),
    ]


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
    means = np.array([np.nan if np.all(np.isnan(row[part])) else np.nanmean(row[part]) for part in parts])
    centres = np.array([np.mean(history.steps[part]) for part in parts])
    return centres, np.exp(means) if quantity in ("gain", "loss") else means
