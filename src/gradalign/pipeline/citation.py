"""BibTeX for this software, for the paper that it checks, and for everything that one run uses. Loads no JAX."""

import re
from importlib import metadata
from typing import Any

from gradalign.base.errors import ConfigurationError
from gradalign.pipeline.shipped import shipped
from gradalign.training.settings import RunSpecification

PAPER = "wang2025gradient"
"""The paper that gradalign checks."""

BIBLIOGRAPHIES = ("references.bib", "sources.bib")
"""The bibliography of the typeset paper, and the sources that it does not cite."""

ADAM, SOAP = ("kingma2014adam",), ("vyas2024soap",)
GAUSS_NEWTON = ("levenberg1944method", "marquardt1963algorithm")
ETDRK4 = ("cox2002exponential", "kassam2005fourth")

METHODS = {
    "adam": ADAM,
    "gauss_newton": GAUSS_NEWTON,
    "kron": ("li2015preconditioned", "pooladzandi2024curvature"),
    "lbfgs": ("liu1989limited",),
    "muon": ("jordan2024muon", "liu2025muon", *ADAM),
    "shampoo": ("gupta2018shampoo",),
    "soap": SOAP,
    "soap_gauss_newton": SOAP,
    "soap_then_gauss_newton": (*SOAP, *GAUSS_NEWTON),
    "spring": ("goldshlager2024kaczmarz", "guzmancordero2025improving"),
    "ssbroyden": ("urban2024unveiling", "kiyani2025optimizer"),
}
"""Keys of the sources of each method. A user's own method may be missing."""

PROBLEMS = {
    "allen_cahn": ("raissi2017physics", "wang2022causality", *ETDRK4),
    "burgers": ("basdevant1986burgers", "raissi2017physics", "hopf1950partial", "cole1951quasilinear", *ETDRK4),
    "ginzburg_landau": ("wang2024piratenets", *ETDRK4),
    "gray_scott": ("wang2024piratenets", *ETDRK4),
    "kolmogorov_flow": ETDRK4,
    "korteweg_de_vries": ("zabusky1965solitons", *ETDRK4),
    "kuramoto_sivashinsky": ("wang2022causality", *ETDRK4),
    "lid_driven_cavity": ("ghia1982high", "erturk2005numerical"),
    "rayleigh_taylor": ETDRK4,
    "wave": ("wang2020fail",),
}
"""Keys of the sources of each equation with its coefficients, and of the solvers of its reference solution."""

ARCHITECTURES = {
    "modified_mlp": ("wang2020pathologies",),
    "pirate_net": ("wang2024piratenets",),
    "spectral": ("xia2022spectrally",),
}


def bibliography(name: str) -> dict[str, str]:
    """The entries of a BibTeX file that ships with gradalign, as text, by key.

    >>> bibliography("references.bib")["kingma2014adam"].splitlines()[0]
    '@article{kingma2014adam,'
    """
    text = shipped(name).read_text(encoding="utf-8")
    return {match[1]: match[0] for match in re.finditer(r"^@\w+\{(\w+),.*?^\}", text, re.MULTILINE | re.DOTALL)}


def keys_of(run: RunSpecification) -> list[str]:
    """Keys of the sources of a run's method, equation, reference, network and training, each once."""
    keys = [*METHODS.get(run.method, ()), *PROBLEMS.get(run.problem, ())]
    settings: Any = run.method_settings
    if run.method in ("gauss_newton", "soap_then_gauss_newton"):
        inner = settings if run.method == "gauss_newton" else settings.get("gauss_newton", {})
        keys += ["transtrum2012improvements"] if inner.get("acceleration", True) else []
        keys += ["pseudotime2026spurious"] if inner.get("pseudo_step") is not None else []
    keys += ARCHITECTURES.get(run.network.architecture, ())
    keys += ["wang2022factorization"] if run.network.weight_factorisation else []
    training = run.training
    guided = training.weighting.scheme == "gradient_norm" or training.windows or training.curriculum
    keys += ["wang2023guide"] if guided else []
    keys += ["wang2022causality"] if training.causal else []
    return list(dict.fromkeys(keys))


def software() -> str:
    """The entry of gradalign itself, from the metadata of the package: title, authors, version, licence.

    Raises ``ConfigurationError`` if the package is not installed.
    """
    try:
        known = metadata.metadata("gradalign")
    except metadata.PackageNotFoundError:
        raise ConfigurationError(
            "gradalign is not installed, so that its version is not known; allowed: an environment with the package; "
            "install it (pip install . in the checkout)"
        ) from None
    fields = {
        "title": f"{{{known['Name']}}}: {known['Summary']}",
        "author": f"{{{known['Author']}}}",
        "version": known["Version"],
        "note": f"Licence {known['License-Expression']}",
    }
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
    return f"@software{{gradalign,\n{lines}}}"


def bibtex(run: RunSpecification | None = None) -> str:
    """Entries for gradalign and the paper that it checks, followed by the sources of ``run`` if one is given."""
    entries = {key: entry for name in BIBLIOGRAPHIES for key, entry in bibliography(name).items()}
    keys = [PAPER, *(keys_of(run) if run else [])]
    return "\n\n".join([software(), *(entries[key] for key in keys)])
