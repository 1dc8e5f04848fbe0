"""The tables of speed in Markdown, from what the benchmarks have written.

python benchmarks/table.py                         on the screen
python benchmarks/table.py docs/results/speed.md   into its block, so that no value there is typed by hand
"""

import sys
from functools import partial
from math import isnan
from pathlib import Path

import pandas as pd

sys.path.append(str(Path(__file__).parents[1]))

from point_by_point import EXAMPLES

from figures.drawing.names import problem_name
from figures.drawing.text import markdown, number
from figures.items.tab_runs import short_commit
from figures.pages import replace_block
from gradalign.base.files import write_atomically

RESULTS = Path(__file__).parent / "results"


def steps_table() -> str:
    """Milliseconds of a step with Adam, and of it the multiples with derivatives of the public codes and with SOAP."""
    table = pd.read_csv(RESULTS / "steps-cpu.csv")
    rows = []
    for (problem, width, blocks, points), group in table.groupby(["problem", "width", "blocks", "points"], sort=False):
        kinds = {str(row["compared"]): row for row in group.to_dict("records")}
        public = {code: kinds[f"{code} / batch"] for code in EXAMPLES}
        rows.append(
            {
                "problem": problem_name(str(problem)),
                "network, points": f"{blocks} × {width}, {points}",
                **{f"derivatives in {code}": str(row["derivatives"]) for code, row in public.items()},
                "Adam, ms": number(kinds["SOAP / Adam"]["milliseconds_of_second"], 3),
                **{f"as in {code} / ours": _quartiles(row) for code, row in public.items()},
                "SOAP / Adam": _quartiles(kinds["SOAP / Adam"]),
            }
        )
    return f"{_source(table)}\n\n{markdown(pd.DataFrame(rows))}"


def floor_table() -> str:
    """Operations a second against products of matrices."""
    table = pd.read_csv(RESULTS / "floor-cpu.csv")
    rows = [
        {
            "problem": problem_name(str(row["problem"])),
            "network, points": f"{row['blocks']} × {row['width']}, {row['points']}",
            "operations a step": number(row["operations_per_step"], 3),
            "GFLOP/s": number(row["operations_per_second"] / 1e9, 3),
            "peak, GFLOP/s": number(max(row["peak_square"], row["peak_layer"]) / 1e9, 3),
            "share": number(row["share"], 2),
        }
        for row in table.to_dict("records")
    ]
    return f"{_source(table)}\n\n{markdown(pd.DataFrame(rows))}"


def second_order_table() -> str:
    """Parts of a Gauss-Newton step in percent of its time, and its share of the peak in float64."""
    table = pd.read_csv(RESULTS / "second_order-cpu.csv")
    rows = []
    for row in table.to_dict("records"):
        evaluations = row["milliseconds_acceleration"] + row["milliseconds_loss"]
        parts = {
            "Jacobian": row["milliseconds_jacobian"],
            "Gram": row["milliseconds_gram"],
            "Cholesky": row["attempts"] * row["milliseconds_cholesky"],
            "acceleration, loss": row["attempts"] * evaluations,
        }
        rows.append(
            {
                "problem": problem_name(str(row["problem"])),
                "parameters, points": f"{row['parameters']}, {row['points']}",
                "operations a step": number(row["operations_per_step"], 3),
                "by XLA": number(row["operations_by_xla"], 3),
                "dampings": number(row["attempts"], 2),
                "step, ms": number(row["milliseconds_step"], 3),
                **{f"{name}, %": number(100 * part / row["milliseconds_step"], 2) for name, part in parts.items()},
                "GFLOP/s": number(row["operations_per_second"] / 1e9, 3),
                "peak, GFLOP/s": number(row["peak"] / 1e9, 3),
                "share": number(row["share"], 2),
                "compiling, s": number(row["compile_seconds"], 2),
            }
        )
    return f"{_source(table, 'float64')}\n\n{markdown(pd.DataFrame(rows))}"


def loop_table() -> str:
    """Shares of the time of a run in percent, and compilation."""
    table = pd.read_csv(RESULTS / "loop-cpu.csv")
    rows = [
        {
            "run": str(row["run"]),
            **{f"{name}, %": number(100 * row[name], 2) for name in ("training", "diagnosis", "prediction", "host")},
            "compiling, s": number(row["compile_seconds"], 2),
            "from the cache, s": number(row["compile_seconds_cached"], 2),
            "compilations later": int(row["compilations_after_the_first"]),
        }
        for row in table.to_dict("records")
    ]
    return f"{_source(table)}\n\n{markdown(pd.DataFrame(rows))}"


def cost_table() -> str:
    """Operations and memory of a step of every run of the scale `paper`, and the hours that follow from them."""
    table = pd.read_csv(RESULTS / "paper_cost.csv")
    rows = [
        {
            "run": str(row["run"]),
            "steps": int(row["steps"]),
            "operations a step": number(row["operations_per_step"], 3),
            "peak memory, GB": number(row["peak_bytes"] / 1e9, 2),
            "second step here, s": number(row["cpu_seconds_second_step"], 2),
            **{
                f"{device.upper()}, h": number(row[f"hours_{device}_float32"], 2)
                for device in ("a6000", "h100", "h200")
            },
            "H200, TF32x3, h": number(row["hours_h200_tf32x3"], 2),
            "published, A6000 h": "–" if isnan(row["published_hours_a6000"]) else number(row["published_hours_a6000"]),
        }
        for row in table.to_dict("records")
    ]
    share = number(float(table["share"].iloc[0]), 2)
    commits = ", ".join(sorted({short_commit(str(commit)) for commit in table["commit"]}))
    return f"at {share} of the peak, float32 but for the last, commit {commits}.\n\n{markdown(pd.DataFrame(rows))}"


def answers_table() -> str:
    """What scripts of earlier commits have measured, a line each."""
    lines = []
    for row in pd.read_csv(RESULTS / "answered.csv", dtype=str).to_dict("records"):
        where = (
            f"{row['measured']}; {row['device']}, `benchmarks/{row['script']}` of commit {short_commit(row['commit'])}"
        )
        lines.append(f"- {row['question']}: {row['answer']} ({where}).\n")
    return f"the scripts are no longer here.\n\n{''.join(lines)}"


def _quartiles(row: dict[str, float]) -> str:
    return f"{number(row['ratio'], 3)} ({number(row['ratio_low'], 3)} to {number(row['ratio_high'], 3)})"


def _source(table: pd.DataFrame, precision: str = "float32") -> str:
    commits = ", ".join(sorted({short_commit(str(commit)) for commit in table["commit"]}))
    return f"{', '.join(sorted(set(table['device'])))}, {precision}, commit {commits}."


def main() -> None:
    blocks = [f"{title}: {make()}" for title, make in TITLES.items()]
    text = "\n\n".join(blocks)
    if len(sys.argv) == 1:
        print(text)
        return
    readme = Path(sys.argv[1])
    text = replace_block(readme.read_text(encoding="utf-8"), "speed", text, readme)
    write_atomically(readme, partial(Path.write_text, data=text, encoding="utf-8"))


TITLES = {
    "One training step, medians of programs that took turns, with the quartiles of their ratios": steps_table,
    "Operations a second of a step with Adam, as XLA counts them, against products of matrices": floor_table,
    "Operations a second of a Gauss-Newton step, and its parts": second_order_table,
    "Parts of the time of a SOAP run of the scale `laptop`": loop_table,
    "Two steps of every run of the scale `paper` on this CPU, and projected hours on GPUs": cost_table,
    "Measured once": answers_table,
}

if __name__ == "__main__":
    main()
