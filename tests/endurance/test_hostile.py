"""Malicious inputs: none of their commands is run, and no file outside the results is written."""

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from gradalign.base import machine, yaml_files
from gradalign.base.errors import ConfigurationError, MemoryLimitError
from gradalign.pipeline import configuration
from gradalign.training import runner
from gradalign.training.settings import RunSpecification

ROOT = Path(__file__).resolve().parents[2]
SMOKE = ROOT / "workflow/config/smoke.yaml"
RUN = {"problem": "burgers", "method": "adam", "network": "burgers", "training": "first_order"}
COMMANDS = ["$(touch harm)", "; touch harm", "`touch harm`", "a' && touch harm && '", "x\ntouch harm", "| touch harm"]
WAYS_OUT = ["../harm", "/harm", "a/../../harm", "..", "a\0b", "~"]
LONG = "x" * 100_000


def rejected(tmp_path, overlay):
    path = tmp_path / "mine.yaml"
    path.write_text(overlay if isinstance(overlay, str) else yaml.safe_dump(overlay))
    with pytest.raises(ConfigurationError) as caught:
        configuration.load([SMOKE, path])
    message = str(caught.value)
    assert "allowed:" in message
    assert len(message) < 5000
    return message


def test_a_megabyte_is_refused_like_any_other_name_and_ten_unread(tmp_path):
    run = "".join(f", {name}: {value}" for name, value in RUN.items())
    assert "runs[0].name" in rejected(tmp_path, f"runs: [{{name: {'x' * 1_000_000}{run}}}]")
    found = rejected(tmp_path, f"runs: [{{name: {'x' * 10_000_000}{run}}}]")
    assert "mine.yaml: has 10.0 MB; allowed: at most 1.0 MB" in found


@pytest.mark.parametrize("text", [*COMMANDS, *WAYS_OUT, LONG], ids=lambda text: repr(text[:12]))
@pytest.mark.parametrize("place", ["name", "problem", "method", "network", "training"])
def test_no_name_of_a_run_holds_more_than_letters(tmp_path, place, text):
    assert f"runs[0].{place}" in rejected(tmp_path, {"runs": [RUN | {place: text}]})


@pytest.mark.parametrize("text", [*COMMANDS, *WAYS_OUT, LONG], ids=lambda text: repr(text[:12]))
@pytest.mark.parametrize("place", ["claims", "references", "studies"])
def test_no_list_holds_a_name_that_is_not_known(tmp_path, place, text):
    assert f"{place}[0]" in rejected(tmp_path, {place: [text]})


@pytest.mark.parametrize("text", [*COMMANDS, LONG], ids=lambda text: repr(text[:12]))
def test_keys_are_as_strict_as_values(tmp_path, text):
    for overlay in ({text: 1}, {"problems": {"burgers": {text: 1}}}, {"methods": {"adam": {text: 1}}}):
        assert "unknown key" in rejected(tmp_path, overlay)
    assert "label" not in rejected(tmp_path, {"runs": [RUN | {"points": {text: 1}}]})
    assert "runs[0].changed" in rejected(tmp_path, {"runs": [RUN | {"name": "a", "changed": LONG}]})


@pytest.mark.parametrize(
    "content",
    [
        b"scale: !!python/object/apply:os.system ['touch harm']",
        b"scale: !!python/name:os.system",
        b"scale: !include /etc/passwd",
        b"scale: \xff\xfe\x00smoke",
        b"a: &a [x, x]\nb: [*a, *a",
        b"\x00" * 100,
        b"- smoke",
        b"{" * 100_000,
    ],
    ids=["call", "name", "include", "not UTF-8", "unfinished", "zeros", "a list", "braces"],
)
def test_a_file_that_is_no_plain_mapping_is_refused(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"(?s)mine\.yaml.*allowed:"):
        yaml_files.read(path)
    assert [found.name for found in tmp_path.iterdir()] == ["mine.yaml"]


@pytest.mark.parametrize("text", [*COMMANDS, *WAYS_OUT, LONG], ids=lambda text: repr(text[:12]))
@pytest.mark.parametrize("key", ["name", "problem", "method"])
def test_a_specification_is_as_strict_as_a_configuration(tmp_path, key, text):
    """`gradalign train --specification` reads a file that somebody may have written by hand."""
    written = configuration.load([SMOKE]).run("burgers-adam").model_dump(mode="json") | {key: text}
    with pytest.raises(ValidationError, match=f"1 validation error for RunSpecification\n{key}\n"):
        RunSpecification.model_validate_json(json.dumps(written))


@pytest.mark.slow
def test_a_label_with_metacharacters_reaches_its_run_as_text(tmp_path):
    """The only free text of a configuration passes through the shell into a specification as text."""
    checkout = tmp_path / "my checkout; touch harm $(touch harm)"
    checkout.mkdir()
    label = "$(touch harm) `touch harm` '; touch harm; \" \\ %s {x}"
    overlay = checkout / "my runs; touch harm.yaml"  # a path with a space and a command in it
    overlay.write_text(yaml.safe_dump({"runs": [RUN, RUN | {"name": "varied", "changed": label}]}))
    target = "results/smoke/specifications/runs/varied.json"
    for name in ("Snakefile", "workflow", "figures", "paper", "profiles", "src"):
        (checkout / name).symlink_to(ROOT / name)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", target, "--config", "scale=smoke"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    run = subprocess.run(
        [*command, "--configfile", overlay.name], cwd=checkout, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert json.loads((checkout / target).read_text())["changed"] == label
    assert not list(tmp_path.rglob("harm"))  # no file of exactly this name; the name of the checkout is longer
    assert not (ROOT / "harm").exists()


@pytest.mark.parametrize("given", ["JAX_DEBUG_NANS=perhaps", "JAX_DEFAULT_MATMUL_PRECISION=perhaps"])
def test_a_value_that_jax_does_not_know_is_named_without_a_traceback(tmp_path, given):
    """JAX refuses it during its import, before any of our settings."""
    name, value = given.split("=")
    command = [sys.executable, "-c", "from gradalign.pipeline.cli import application; application()"]
    asked = ["reference", "wave", "--no-cache", "--output", "wave.npz", "--config", str(SMOKE)]
    environment = os.environ | {name: value}
    run = subprocess.run([*command, *asked], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert run.stderr.startswith("ConfigurationError: JAX cannot start: ")
    assert name.lower() in run.stderr.lower()
    assert value in run.stderr
    assert not list(tmp_path.iterdir())


def test_a_wrong_setting_of_a_program_keeps_its_own_error():
    with pytest.raises(ValueError, match="perhaps") as caught:
        jax.config.update("jax_default_matmul_precision", "perhaps")
    assert machine.wrong_setting(caught.value) == ""


@pytest.mark.slow
def test_an_import_of_any_module_changes_no_setting_of_the_program():
    """A library leaves the settings of the program: those of JAX, the environment, NumPy's errors, devices."""
    program = """
import importlib, os, pkgutil
import jax, numpy, gradalign
from jax._src import xla_bridge

def settings():
    return dict(jax.config.values), dict(os.environ), numpy.geterr(), xla_bridge.backends_are_initialized()

importlib.import_module("gradalign.pipeline.cli")  # and the packages of others with it
before = settings()
names = [found.name for found in pkgutil.walk_packages(gradalign.__path__, "gradalign.")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
assert len(names) > 50
assert settings() == before
"""
    others = {"JAX_ENABLE_X64": "0", "JAX_DEBUG_NANS": "1", "JAX_DISABLE_JIT": "1", "JAX_THREEFRY_PARTITIONABLE": "0"}
    run = subprocess.run([sys.executable, "-c", program], env=os.environ | others, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_a_program_needs_its_arguments_its_results_and_all_in_between(monkeypatch):
    """A product of three matrices needs between three and four times the memory of one."""
    program = jax.jit(lambda x: jnp.sin(x @ x) @ x).lower(np.ones((1000, 1000))).compile()
    matrix = np.ones((1000, 1000)).nbytes
    # The argument, the result, and at least one of the two intermediate products; never more than four matrices
    for free, suffices in ((2 * matrix, False), (3 * matrix - 1, False), (4 * matrix, True), (10 * matrix, True)):
        monkeypatch.setattr(machine, "available_memory", lambda free=free: machine.Memory(free, "this box"))
        refused = nullcontext() if suffices else pytest.raises(MemoryLimitError, match="are free in this box")
        with refused:
            runner.require_memory("a", [lambda: None, program])
