"""Made-up results of the runs behind T33, as its topic describes them. Their numbers mean nothing."""

import numpy as np

from gradalign.claims import _followed_runs as followed_runs
from gradalign.claims import small_networks as topic


def made_up(value, **others):
    """A history of 41 logs in which every score is 0.9 early and ``value`` late; seeds differ by thousandths."""
    steps = np.arange(0, 1001, 25)
    apart = 1e-3 * np.arange(len(topic.SEEDS))[:, None]
    names = ("raw", "common", "own", "own_momentum", "whitened", "whitened_fine", "newton", "inter_update")
    constants = {"loss": 1e-3, "damping_bound": 2.0, "condition": 1e4, "condition_preconditioned": 1e4}
    constants |= {"cosine_whitened": 0.3, "cosine_newton": 0.1, "inter_gradient": -0.2}
    values = {name: np.where(steps > 750, value, 0.9) - apart for name in names}
    values |= {name: np.full((len(apart), len(steps)), other) for name, other in (constants | others).items()}
    return followed_runs.History(steps, values, None, None)


def ordered_runs(name, null):
    """Runs of Adam and SOAP in the order that the topic states; SOAP is closer to the null value."""
    runs = {}
    for points in (topic.FIXED, topic.REDRAWN):
        shared = {"whitened": null, "whitened_fine": null, "newton": null - 0.1}
        first, second = made_up(null, loss=1.0, **shared), made_up(null, condition_preconditioned=1e2, **shared)
        second.values["own"] += 0.05
        for quantity in ("raw", "common", "own", "own_momentum"):
            comparison, count = topic.ORDERS[name][quantity, points]
            lower = np.arange(len(topic.SEEDS))[:, None] < (count if comparison == "at least" else 0)
            first.values[quantity] = second.values[quantity] + np.where(lower, -0.5, 0.1)
        runs |= {f"Adam, {points}": first, f"SOAP, {points}": second}
    return runs


def made_up_experiments():
    """Results of all functions that run networks, as the topic describes them."""
    poisson, small, larger = (
        ordered_runs(*pair) for pair in (("Poisson", 0.0), (topic.SMALL, -1 / 3), (topic.LARGER, -1 / 3))
    )
    for points in (topic.FIXED, topic.REDRAWN):
        poisson[f"SOAP, {points}"].values["newton"] *= 0
        poisson[f"SOAP, {points}"].values["inter_update"] = made_up(0.8).values["inter_update"]
    poisson[f"Adam, {topic.FIXED}"].values["newton"] = np.where(np.arange(41) > 30, 0.2, -0.2) + np.zeros(
        (len(topic.SEEDS), 1)
    )
    poisson[f"Levenberg-Marquardt, {topic.FIXED}"] = made_up(0.0, loss=1e-6, newton=0.3)
    small[f"SOAP, {topic.FIXED}"].values["common"] -= 0.05
    for method, shift in (("SOAP", 0.2), ("Adam", 0.4)):  # neither method is near -1/3, and Adam is closer
        larger[f"{method}, {topic.REDRAWN}"].values["own_momentum"] += shift
    ones = np.ones((len(topic.SEEDS), len(topic.CHECKPOINTS)))
    structure = {"identity": 0.9 * ones, "soap": 0.8 * ones, "kronecker": 0.3 * ones}
    structure |= {"curvature": ones[:, :2] * [2.0, 1e-3]}
    return {
        "two_losses": lambda: poisson,
        "without_momentum": lambda: made_up(-0.3),
        "three_losses": lambda: small,
        "larger_network": lambda: larger,
        "structure": lambda: structure,
        "initial_newton_scores": lambda task, count: np.linspace(-1, 1, count),
        "averages_of_unrelated_gradients": lambda b1, *_: b1 + 1e-4,
    }
