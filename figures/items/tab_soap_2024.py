"""SOAP and its 2024 port: errors and scores side by side, and whether a ranking against Adam depends on the port."""

import pandas as pd

from figures.drawing.names import problem_name
from figures.drawing.soap_2024 import ERROR, QUANTITIES, SCORES, Comparison, changes, comparisons, verdict
from figures.drawing.summary import Summary
from figures.drawing.text import number, spread

HEADER = ["problem", "quantity", "SOAP", "SOAP, 2024 port", "Adam", "port / SOAP", "SOAP against Adam"]


def render(summary: Summary) -> pd.DataFrame:
    """A row per problem and quantity: median and range over the seeds. The last row counts the rankings."""
    found = comparisons(summary)
    rows = [_row(comparison, quantity) for comparison in found for quantity in QUANTITIES]
    counts = ", ".join(f"{len(pairs)} {change}" for change, pairs in changes(found).items())
    last = {"problem": "all", "quantity": "rankings", HEADER[-1]: counts if found else verdict(found)}
    return pd.DataFrame([*rows, dict.fromkeys(HEADER, "") | last], columns=HEADER)


def _row(comparison: Comparison, quantity: str) -> dict[str, str]:
    digits = 3 if quantity == SCORES["score_inter_update"] else 2  # those are near one
    cells = {key: spread(v, digits) if len(v) else "–" for key, v in comparison.values[quantity].items()}
    steps = (comparison.correct.steps, comparison.port.steps)
    unequal = f" ({steps[0]} and {steps[1]} steps)" if steps[0] != steps[1] else ""
    return {
        "problem": problem_name(comparison.problem) + unequal,
        "quantity": quantity,
        "SOAP": cells["correct"],
        "SOAP, 2024 port": cells["port"],
        "Adam": cells["adam"],
        "port / SOAP": number(comparison.ratio, 2) if quantity == ERROR else "–",
        "SOAP against Adam": _ranking(comparison, quantity),
    }


def _ranking(comparison: Comparison, quantity: str) -> str:
    words = {1: "above", 0: "not apart", -1: "below"}
    correct, port = comparison.order(quantity, "correct"), comparison.order(quantity, "port")
    if correct is None or port is None:
        return "not measured"
    return f"{words[correct]} with both" if correct == port else f"{words[correct]}; the port {words[port]}"
