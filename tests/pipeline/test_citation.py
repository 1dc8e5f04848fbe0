"""BibTeX of gradalign: every source of a run that its modules name is there, and every key has an entry."""

import importlib
import re

import pytest
import typst
from experiments import specification
from typer.testing import CliRunner

from gradalign.balancing.settings import CausalSettings, WeightingSettings
from gradalign.base.discovery import module_names
from gradalign.base.errors import ConfigurationError
from gradalign.pipeline import citation
from gradalign.pipeline.citation import METHODS, PAPER, PROBLEMS, bibliography, bibtex, keys_of
from gradalign.pipeline.cli import application
from gradalign.pipeline.configuration import load
from gradalign.pipeline.shipped import shipped
from gradalign.training.records import record
from gradalign.training.settings import CurriculumSettings, CurriculumStage, WindowSettings

ENTRIES = {key: entry for name in citation.BIBLIOGRAPHIES for key, entry in bibliography(name).items()}
NUMBER = re.compile(r"\d{4}\.\d{4,5}")


def keys(text):
    return re.findall(r"^@\w+\{(\w+),$", text, re.MULTILINE)


def changed(given, **settings):
    """The settings of a run with those of its training or network changed."""
    parts = {
        part: getattr(given, part).model_copy(
            update={name: value for name, value in settings.items() if name in type(getattr(given, part)).model_fields}
        )
        for part in ("training", "network")
    }
    return given.model_copy(update=parts)


def plain(method="adam", **method_settings):
    run = specification(method).model_copy(update={"method_settings": method_settings})
    return changed(run, weighting=WeightingSettings(scheme="constant"), causal=None, windows=None, curriculum=None)


def test_every_entry_is_found_and_has_one_key():
    texts = [shipped(name).read_text(encoding="utf-8") for name in citation.BIBLIOGRAPHIES]
    written = [key for text in texts for key in re.findall(r"@\w+\{(\w+)", text)]
    assert sorted(written) == sorted(ENTRIES)
    for key, entry in ENTRIES.items():
        assert entry.count("{") == entry.count("}"), key
        assert "title = {" in entry, key
        assert re.search(r"year = \{(19|20)\d\d\}", entry), key


def test_another_program_reads_the_bibliographies(tmp_path):
    for name in citation.BIBLIOGRAPHIES:
        (tmp_path / name).write_text("\n\n".join(bibliography(name).values()), encoding="utf-8")
    names = ", ".join(f'"{name}"' for name in citation.BIBLIOGRAPHIES)
    (tmp_path / "main.typ").write_text(f"#bibliography(({names}), full: true)")
    assert typst.compile(tmp_path / "main.typ").startswith(b"%PDF")


@pytest.mark.parametrize(("package", "table"), [("optimizers", METHODS), ("problems", PROBLEMS)])
def test_every_preprint_that_a_module_names_is_cited(package, table):
    assert set(table) <= set(module_names(package))
    for name in module_names(package):
        docstring = importlib.import_module(f"gradalign.{package}.{name}").__doc__
        named = {number for place in re.findall(r"arXiv[\s\d.,]+", docstring) for number in NUMBER.findall(place)}
        found = {number for key in (PAPER, *table.get(name, ())) for number in NUMBER.findall(ENTRIES[key])}
        assert named <= found, name


def test_software_and_paper_come_first():
    text = bibtex()
    assert keys(text) == ["gradalign", "wang2025gradient"]
    assert "version = {0.1.0}" in text
    assert "author = {{gradalign developers}}" in text
    assert "doi = {10.52202/085713-5615}" in text
    assert "arXiv:2502.00604" in text
    assert "volume = {38}" in text


@pytest.mark.parametrize(
    ("run", "added"),
    [
        (plain(), ["kingma2014adam"]),
        (plain("soap"), ["vyas2024soap"]),
        (plain("muon"), ["jordan2024muon", "liu2025muon", "kingma2014adam"]),
        (plain("gauss_newton"), ["levenberg1944method", "marquardt1963algorithm", "transtrum2012improvements"]),
        (
            plain("gauss_newton", acceleration=False, pseudo_step=0.1),
            ["levenberg1944method", "marquardt1963algorithm", "pseudotime2026spurious"],
        ),
        (changed(plain(), architecture="pirate_net"), ["kingma2014adam", "wang2024piratenets"]),
        (changed(plain(), architecture="modified_mlp"), ["kingma2014adam", "wang2020pathologies"]),
        (changed(plain(), weight_factorisation=True), ["kingma2014adam", "wang2022factorization"]),
        (changed(plain(), causal=CausalSettings(tolerance=1.0, chunks=4)), ["kingma2014adam", "wang2022causality"]),
        (changed(plain(), windows=WindowSettings(count=2, network="warm")), ["kingma2014adam", "wang2023guide"]),
        (changed(plain(), weighting=WeightingSettings(scheme="gradient_norm")), ["kingma2014adam", "wang2023guide"]),
        (
            changed(
                plain(),
                curriculum=CurriculumSettings(
                    parameter="viscosity", stages=[CurriculumStage(value=v, steps=4) for v in (0.1, 0.01)]
                ),
            ),
            ["kingma2014adam", "wang2023guide"],
        ),
    ],
)
def test_a_run_adds_what_it_uses_and_nothing_else(run, added):
    found = keys(bibtex(run))
    assert found[:2] == ["gradalign", "wang2025gradient"]
    assert set(found[2:]) == {*added, *PROBLEMS["burgers"]}
    assert len(found) == len(set(found))


def test_a_method_or_equation_of_ones_own_adds_nothing():
    run = plain().model_copy(update={"method": "mine", "problem": "heat"})
    assert keys_of(run) == []


def test_every_shipped_run_has_sources():
    configuration = load([shipped("smoke.yaml")])
    for name in configuration.run_names:
        assert set(keys_of(configuration.run(name))) <= set(ENTRIES), name


def test_the_command_takes_no_run_a_name_or_the_directory_of_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(application, ["cite"]).output == f"{bibtex()}\n"
    named = CliRunner().invoke(application, ["cite", "wave-adam"])
    assert {"kingma2014adam", "wang2020fail"} <= set(keys(named.stdout))
    assert "settings: the scale smoke" in named.stderr  # and not in the file that stdout goes to
    assert named.stdout.startswith("@software{gradalign,")
    record(tmp_path / "run", plain("soap"))
    assert CliRunner().invoke(application, ["cite", "run"]).output == f"{bibtex(plain('soap'))}\n"
    unknown = CliRunner().invoke(application, ["cite", "astrology"])
    assert unknown.exit_code == 1
    assert "unknown run 'astrology'; allowed: allen_cahn-adam" in unknown.output


def test_a_package_that_is_not_installed_is_said(monkeypatch):
    def missing(name):
        raise citation.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(citation.metadata, "metadata", missing)
    with pytest.raises(ConfigurationError, match="gradalign is not installed"):
        bibtex()
