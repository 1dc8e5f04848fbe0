"""The jobs of the pipeline in a reader's words: while one runs, and when several are counted."""

from collections.abc import Mapping
from typing import NamedTuple


class Words(NamedTuple):
    """The words for a rule; ``doing`` may hold ``{}`` for the name that distinguishes its jobs."""

    doing: str
    one: str
    many: str


SETTINGS = Words("writing the settings of {}", "file of settings", "files of settings")
WORDS = {
    "sources": Words("listing the sources of {}", "list of sources", "lists of sources"),
    "claim": Words("checking the claims of {}", "topic of claims", "topics of claims"),
    "reference_specification": SETTINGS,
    "study_specification": SETTINGS,
    "run_specification": SETTINGS,
    "reference": Words("solving the reference {}", "reference solution", "reference solutions"),
    "study": Words("making the study {}", "study", "studies"),
    "train": Words("training {}", "training", "trainings"),
    "evaluate": Words("evaluating {}", "evaluation", "evaluations"),
    **{
        f"summary_{kind}": Words(f"gathering the tables of {kind}", "gathering of tables", "gatherings of tables")
        for kind in ("claims", "references", "studies", "runs")
    },
    "figure": Words("drawing {}", "figure", "figures"),
    "table": Words("writing {}", "table", "tables"),
    "paper": Words("typesetting the paper", "paper", "papers"),
    "copy_paper": Words("copying the paper", "copy of the paper", "copies of the paper"),
    "report": Words("writing the report", "report", "reports"),
    "verify": Words("comparing with the expectations", "comparison with the expectations", "comparisons"),
}
SMALL = {"sources", "reference_specification", "study_specification", "run_specification"}
"""Rules with many jobs that take no time."""
GATHERING = {
    "all",
    "claims",
    "references",
    "studies",
    "runs",
    "evaluations",
    "summary",
    "figures",
    "tables",
    "paper_pdf",
}
"""Rules that only gather files; their jobs do nothing."""


def doing(rule: str, name: str) -> str:
    """What a job does. A rule without words here is called by its name.

    >>> doing("train", "burgers-soap")
    'training burgers-soap'
    >>> doing("rule_of_tomorrow", "a")
    'rule_of_tomorrow a'
    """
    return WORDS[rule].doing.format(name) if rule in WORDS else f"{rule} {name}".strip()


def counted(plan: Mapping[str, int]) -> list[str]:
    """The numbers of jobs by kind, in the order of ``plan``, without rules that only gather files.

    >>> counted({"reference_specification": 2, "run_specification": 3, "train": 1, "all": 1})
    ['5 files of settings', '1 training']
    """
    sums: dict[Words, int] = {}
    for rule, number in plan.items():
        if rule not in GATHERING:
            words = WORDS.get(rule, Words(rule, f"job {rule}", f"jobs {rule}"))
            sums[words] = sums.get(words, 0) + number
    return [f"{number} {words.one if number == 1 else words.many}" for words, number in sums.items()]
