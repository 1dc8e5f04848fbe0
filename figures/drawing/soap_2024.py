"""SOAP and its 2024 port side by side: what figure and table of the comparison share, and the verdict.

The port, variant ``soap-jax-2024``, throws the update of the second moment away at every step without a refresh of the
eigenbasis, gives every vector a factor, and counts the first call in its bias corrections
(``gradalign.optimizers.soap``). A published conclusion depends on this only if it reads differently with
the correct algorithm, so that every quantity is compared with that of Adam, once for each variant.
"""

from dataclasses import dataclass

import pandas as pd

from figures.drawing.names import problem_name, problem_order
from figures.drawing.summary import Run, Summary, late_means, read_runs, read_table
from figures.drawing.text import number

VARIANT, CHANGED = "soap-jax-2024", "2024 port"
ERROR = "relative L2 error"
SCORES = {
    "score_raw": "raw score",
    "score_common_state": "common-state score",
    "score_own_state": "own-state score",
    "score_inter_update": "cosine of updates",
}
"""Quantities of ``curves.csv`` that are compared, and their names."""
QUANTITIES = [ERROR, *SCORES.values()]


@dataclass(frozen=True)
class Comparison:
    """The runs of one problem, and the values of every seed by quantity; ``adam`` is empty without a run of Adam."""

    problem: str
    correct: Run
    port: Run
    values: dict[str, dict[str, pd.Series]]

    def order(self, quantity: str, variant: str) -> int | None:
        """Is ``correct`` or ``port`` above Adam (1) or below (-1) with every seed, or neither (0)?

        None where one of them was not measured.
        """
        soap, adam = self.values[quantity][variant], self.values[quantity]["adam"]
        if soap.empty or adam.empty:
            return None
        return int(soap.min() > adam.max()) - int(soap.max() < adam.min())

    def change(self, quantity: str) -> str | None:
        """``same``, ``reversed`` or ``blurred`` (clear with one variant only); None where it was not measured."""
        orders = (self.order(quantity, "correct"), self.order(quantity, "port"))
        if None in orders:
            return None
        if orders[0] == orders[1]:
            return "same"
        return "blurred" if 0 in orders else "reversed"

    @property
    def ratio(self) -> float:
        """Median error of the port over that of the correct algorithm."""
        errors = self.values[ERROR]
        return float(errors["port"].median() / errors["correct"].median())

    @property
    def overlap(self) -> bool:
        """Whether the ranges of the errors over the seeds overlap."""
        one, other = self.values[ERROR]["correct"], self.values[ERROR]["port"]
        return bool(one.min() <= other.max() and other.min() <= one.max())


def comparisons(summary: Summary) -> list[Comparison]:
    """One for every problem with a run of SOAP and one of its port that differ in nothing else."""
    table = read_table(summary, "runs", ["run", "problem", "seed", "variant", "relative_l2"])
    errors = {str(run): rows.set_index("seed")["relative_l2"] for run, rows in table.groupby("run")}
    ported = set(table.loc[table["variant"] == VARIANT, "run"])
    found = []
    for problem in sorted(set(table["problem"].astype(str)), key=problem_order):
        runs = read_runs(summary, problem, variations=True)
        port = next((run for run in runs if run.name in ported and run.changed == CHANGED), None)
        plain = {run.method: run for run in reversed(runs) if not run.changed and run.name not in ported}
        if port is None or "soap" not in plain:
            continue
        of_variant = {"correct": plain["soap"], "port": port, "adam": plain.get("adam")}
        values = {ERROR: {key: errors[run.name] if run else pd.Series(dtype=float) for key, run in of_variant.items()}}
        for quantity, name in SCORES.items():
            values[name] = {
                key: late_means(summary, run, quantity) if run else pd.Series(dtype=float)
                for key, run in of_variant.items()
            }
        found.append(Comparison(problem, plain["soap"], port, values))
    return found


def changes(found: list[Comparison]) -> dict[str, list[tuple[str, str]]]:
    """Pairs of a quantity and a problem by what the port does to the order of SOAP and Adam there."""
    pairs: dict[str, list[tuple[str, str]]] = {"same": [], "blurred": [], "reversed": []}
    for quantity in QUANTITIES:
        for comparison in found:
            if change := comparison.change(quantity):
                pairs[change].append((quantity, problem_name(comparison.problem)))
    return pairs


def verdict(found: list[Comparison]) -> str:
    """Whether any published conclusion depends on the port, in words computed from the runs.

    The conclusions are that SOAP is more accurate than Adam and that its scores are higher. One depends on the port
    where the order of SOAP and Adam, by all seeds, is another with the correct algorithm.
    """
    if not found:
        return "No problem has runs of both variants at this scale."
    ratios = [comparison.ratio for comparison in found]
    apart = [problem_name(comparison.problem) for comparison in found if not comparison.overlap]
    text = f"On {_count(len(found), 'problem')} the median error of the port is {_range(ratios)} times that of the "
    text += (
        f"correct algorithm; the ranges over the seeds are apart for {_listed(apart)}. "
        if apart
        else ("correct algorithm; the ranges over the seeds overlap on each. ")
    )
    pairs = changes(found)
    judged = sum(map(len, pairs.values()))
    if not judged:
        return f"{text}Without runs of Adam there is no ranking that could depend on the port."
    parts = [f"The order of SOAP and Adam is the same with both variants in {len(pairs['same'])} of {judged} rankings"]
    for change, words in (("blurred", "is clear with one variant only in"), ("reversed", "is reversed in")):
        if pairs[change]:
            parts.append(f"{words} {_listed(_by_quantity(pairs[change]))}")
    if not pairs["reversed"]:
        parts.append("is reversed in none")
    return f"{text}{'; it '.join(parts)}."


def _by_quantity(pairs: list[tuple[str, str]]) -> list[str]:
    """Every quantity once, with its problems.

    >>> _by_quantity([("raw score", "Wave"), ("own-state score", "Wave"), ("raw score", "Burgers")])
    ['raw score (Wave, Burgers)', 'own-state score (Wave)']
    """
    problems: dict[str, list[str]] = {}
    for quantity, problem in pairs:
        problems.setdefault(quantity, []).append(problem)
    return [f"{quantity} ({', '.join(names)})" for quantity, names in problems.items()]


def _range(values: list[float]) -> str:
    low, high = number(min(values), 2), number(max(values), 2)
    return low if low == high else f"{low} to {high}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _listed(names: list[str]) -> str:
    """Names as a list in a sentence.

    >>> _listed(["a"]), _listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
