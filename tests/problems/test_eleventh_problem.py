"""The guide docs/how-to/new-equation.md, followed with the heat equation on a copy of the package."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gradalign.references._contract import Reference

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "eleventh_problem"
RUN = "heat-gauss_newton"


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the package with two more files: all that the guide asks for beside the configuration."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "src" / "gradalign", folder / "gradalign", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HERE / "problem.py", folder / "gradalign" / "problems" / "heat.py")
    shutil.copy(HERE / "reference.py", folder / "gradalign" / "references" / "heat.py")
    return folder


def command(copy, *arguments):
    """``gradalign`` of the copy, with its output."""
    environment = os.environ | {"PYTHONPATH": str(copy), "XDG_CACHE_HOME": str(copy / "cache")}
    program = "from gradalign.pipeline.cli import application; application()"
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], capture_output=True, text=True, env=environment, cwd=copy
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def solved(copy):
    configuration = ["--config", ROOT / "workflow/config/smoke.yaml", "--config", HERE / "heat.yaml"]
    command(copy, "reference", "heat", *configuration, "--output", copy / "heat.npz")
    return configuration


def test_the_listing_names_it(copy):
    listed = command(copy, "reference", "--list")
    assert "∂u/∂t = κ ∂²u/∂x²" in listed
    assert "closed form" in listed


def test_its_reference_is_the_closed_form_with_an_error(copy, solved):
    found = Reference.load(copy / "heat.npz")
    t, x = found.coordinates["t"], found.coordinates["x"]
    np.testing.assert_allclose(found.fields["u"], np.exp(-0.1 * np.pi**2 * t)[:, None] * np.sin(np.pi * x), atol=1e-15)
    assert 1e-5 < found.stated_error < 1e-3  # second order on 40 cells


def test_it_trains_and_is_scored(copy, solved):
    reference = ["--reference", copy / "heat.npz"]
    command(copy, "train", RUN, *solved, *reference, "--output", copy / "run")
    command(copy, "evaluate", copy / "run", "--run", RUN, *solved, *reference, "--output", copy / "scores")
    scores = pd.read_csv(copy / "scores" / "runs.csv")
    assert scores["score"].unique().tolist() == ["u"]
    assert scores["relative_l2"].max() < 0.2


def test_an_exact_solution_leaves_no_residual(copy):
    program = (
        "import jax, jax.numpy as jnp; jax.config.update('jax_enable_x64', True)\n"
        "from gradalign.derivatives.fields import FieldsOf\n"
        "from gradalign.problems.heat import Settings, problem\n"
        "heat = problem(Settings())\n"
        "points = heat.sample(jax.random.key(0), {'ic': 4, 'bc': 4, 'pde': 8}, jnp.dtype('float64'))\n"
        "exact = lambda z: jnp.exp(-0.1 * jnp.pi**2 * z[:, :1]) * jnp.sin(jnp.pi * z[:, 1:])\n"
        "found = heat.residuals(FieldsOf(exact, ('t', 'x')), points)\n"
        "print(*(float(jnp.max(jnp.abs(r))) for r in found.values()))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(copy)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert max(map(float, done.stdout.split())) < 1e-12
