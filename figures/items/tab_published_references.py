"""The error of published reference data beside the published error of SOAP, number by number."""

import pandas as pd

from figures.drawing.published_errors import CONDITIONS, RELATIVE_L2
from figures.drawing.study_tables import (
    ALLEN_CAHN,
    BURGERS,
    CAVITY,
    CAVITY_FILES,
    MEASURED_ON_THE_FILES,
    Studies,
    error_text,
)
from figures.drawing.summary import Summary
from figures.drawing.text import number

HEADER = ["problem", "published SOAP error", "solution", "against", "relative L2", "largest error", "uncertainty"]
HEADER += ["source"]
HERE = "computed here"


def render(summary: Summary) -> pd.DataFrame:
    """A row per comparison; the uncertainty is that of the solution against which it is made. All dimensionless."""
    studies = Studies(summary)
    parts = {BURGERS: _burgers, ALLEN_CAHN: _allen_cahn, CAVITY: _cavity}
    rows = [row for name, part in parts.items() if name in studies.names() for row in part(studies)]
    return pd.DataFrame(rows, columns=HEADER)


def _burgers(studies: Studies) -> list[dict[str, str]]:
    uncertainty = number(studies.value(BURGERS, "relative L2", "refined"), 2)
    kinds = {"published": "not dealiased, as the published data", "dealiased": "dealiased", "refined": "not dealiased"}
    return [
        {
            "problem": "Burgers",
            "published SOAP error": _published("burgers") if series == "published" else "–",
            "solution": f"{studies.count(BURGERS, 'modes', series)} Fourier modes, {kind}",
            "against": "closed form of Cole and Hopf",
            "relative L2": error_text(studies.value(BURGERS, "relative L2", series)),
            "largest error": _largest(studies, BURGERS, series),
            "uncertainty": uncertainty if series != "refined" else "–",  # it is what the others are judged by
            "source": HERE,
        }
        for series, kind in kinds.items()
    ]


def _allen_cahn(studies: Studies) -> list[dict[str, str]]:
    modes = {name: studies.count(ALLEN_CAHN, "modes", name) for name in ("published", "band-limited", "kinked")}
    uncertainties = {
        name: studies.value(ALLEN_CAHN, "change with half the modes", name) for name in ("band-limited", "kinked")
    }
    comparisons = {
        ("published", "band-limited"): f"{modes['published']} Fourier modes, not dealiased, as the published data",
        ("published", "kinked"): f"{modes['published']} Fourier modes, not dealiased, as the published data",
        ("kinked", "band-limited"): f"converged, kinked initial condition, {modes['kinked']} modes",
    }
    rows = []
    for (first, second), solution in comparisons.items():
        series = f"{first} against {second}"
        doubt = uncertainties[second] if first == "published" else max(uncertainties.values())
        rows.append(
            {
                "problem": "Allen-Cahn",
                "published SOAP error": _published("allen_cahn") if first == "published" else "–",
                "solution": solution,
                "against": f"converged, {second} initial condition, {modes[second]} modes",
                "relative L2": error_text(studies.value(ALLEN_CAHN, "relative L2", series)),
                "largest error": _largest(studies, ALLEN_CAHN, series),
                "uncertainty": number(doubt, 2),
                "source": HERE,
            }
        )
    return rows


def _cavity(studies: Studies) -> list[dict[str, str]]:
    reynolds, degree = (studies.value(CAVITY, name, "converged") for name in ("Reynolds number", "degree"))
    published = f"{_published('lid_driven_cavity')} ({CONDITIONS['lid_driven_cavity']})"
    shared = {"problem": f"Cavity, Re {reynolds:g}", "published SOAP error": published, "largest error": "–"}
    rows = []
    for lid in CAVITY_FILES:
        doubt = number(studies.value(CAVITY, "change with a lower degree", lid), 2)
        for cells, error in zip(*studies.line(CAVITY, "relative L2 of the speed by cells", lid), strict=True):
            rows.append(
                shared
                | {
                    "solution": f"second-order scheme, {cells:g} × {cells:g} cells, sharp lid",
                    "against": f"converged, {lid} lid, degree {degree:g}",
                    "relative L2": error_text(float(error)),
                    "uncertainty": doubt,
                    "source": HERE,
                }
            )
        if reynolds in CAVITY_FILES[lid]:
            rows.append(
                shared
                | {
                    "solution": "published files, sharp lid",
                    "against": f"converged, {lid} lid",
                    "relative L2": CAVITY_FILES[lid][reynolds],
                    "uncertainty": "–",
                    "source": MEASURED_ON_THE_FILES,
                }
            )
    between = {
        "solution": f"converged, regularised lid, degree {degree:g}",
        "against": f"converged, sharp lid, degree {degree:g}",
        "relative L2": error_text(studies.value(CAVITY, "relative L2 of the speed", "regularised against sharp")),
        "published SOAP error": "–",
        "uncertainty": number(max(studies.value(CAVITY, "change with a lower degree", lid) for lid in CAVITY_FILES), 2),
        "source": HERE,
    }
    return [*rows, shared | between]


def _published(problem: str) -> str:
    return error_text(RELATIVE_L2[problem]["soap"])


def _largest(studies: Studies, study: str, series: str) -> str:
    value, time, place = (studies.value(study, f"largest error{part}", series) for part in ("", ", time", ", place"))
    return f"{error_text(value)} at t = {number(time)}, x = {number(place)}"
