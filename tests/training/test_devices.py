"""Training on eight devices gives the same as training on one; batches that cannot be divided are refused at once."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pandas as pd
import pytest
from experiments import line_reference, specification
from parallel_runs import RESUMED, RUNS
from safetensors.numpy import load_file
from typer.testing import CliRunner

from gradalign.base import machine
from gradalign.base.errors import ConfigurationError
from gradalign.pipeline.cli import application
from gradalign.training import devices
from gradalign.training.runner import train

pytestmark = pytest.mark.slow

SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The directory that ``parallel_runs.py`` fills when JAX sees eight devices."""
    directory = tmp_path_factory.mktemp("trained")
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "JAX_ENABLE_X64": "1",
        "JAX_NUMPY_DTYPE_PROMOTION": "strict",
        "JAX_DEFAULT_MATMUL_PRECISION": "highest",
        "XLA_FLAGS": f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=8",
        "JAX_COMPILATION_CACHE_DIR": str(directory / "compiled"),  # a resumed run finds its programs here
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
    }
    command = [sys.executable, "-W", "error", SUPPORT / "parallel_runs.py", directory]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert found.returncode == 0, found.stderr
    return directory


def assert_same(one, other):
    """Losses, weights and errors during training, and the final parameters, agree to 1e-10."""
    curves = [pd.read_csv(directory / "curves.csv") for directory in (one, other)]
    assert curves[0]["step"].unique().tolist() == [0, 25, 50]
    pd.testing.assert_frame_equal(*(table.drop(columns="seconds") for table in curves), rtol=1e-10, atol=1e-12)
    assert_same_arrays(one / "parameters" / "seed-0.safetensors", other / "parameters" / "seed-0.safetensors")


def assert_same_arrays(one, other):
    arrays, others = load_file(one), load_file(other)
    assert arrays.keys() == others.keys()
    for name, array in arrays.items():
        assert array.dtype == np.float64
        np.testing.assert_allclose(array, others[name], rtol=0, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("name", RUNS)
def test_eight_devices_give_the_losses_and_parameters_of_one(trained, name):
    assert_same(trained / "1" / name, trained / "8" / name)


def test_steps_of_gauss_newton_are_the_same_on_eight_devices(trained):
    assert_same_arrays(*(trained / count / "gauss_newton.safetensors" for count in ("1", "8")))


@pytest.mark.parametrize("devices", ["1", "8"])
def test_a_run_goes_on_with_another_number_of_devices(trained, devices):
    assert_same(trained / "1" / RESUMED, trained / devices / "resumed")


def test_every_set_of_points_is_cut_into_eight(trained):
    assert json.loads((trained / "parts.json").read_text()) == {"bc": 8, "ic": 8, "pde": 8}


def test_the_tables_name_the_number_of_devices(trained):
    names = [pd.read_csv(trained / count / RESUMED / "runs.csv")["device"][0] for count in ("1", "8")]
    cores = machine.cores()
    one = f"cpu ({cores:g} core{'s' if cores != 1 else ''})"
    assert names == [one, f"{one} x8"]


def test_points_that_cannot_be_shared_out_are_refused_before_any_compute(monkeypatch, tmp_path):
    eight = jax.devices() * 8
    monkeypatch.setattr(jax, "devices", lambda: eight)
    given = specification("adam", points={"ic": 8, "bc": 12, "pde": 16})
    with pytest.raises(ConfigurationError, match=r"sees 8 devices.*'bc' has 12 points.*multiples of 8.*\(bc: 16\)"):
        train(given, line_reference(), tmp_path / "run")
    path = tmp_path / "run.json"
    path.write_text(given.model_dump_json())
    files = ["--specification", str(path), "--reference", str(tmp_path / "none.npz"), "--output", str(tmp_path / "run")]
    found = CliRunner().invoke(application, ["train", given.name, *files, "--dry-run"])
    assert found.exit_code == 1
    assert "'bc' has 12 points" in " ".join(found.output.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.json"]


@pytest.mark.parametrize(
    ("platform", "advice", "other"),
    [("cpu", "--xla_force_host_platform_device_count", "CUDA"), ("gpu", "CUDA_VISIBLE_DEVICES=0", "XLA_FLAGS")],
)
def test_the_advice_about_devices_is_that_for_their_kind(platform, advice, other):
    with pytest.raises(ConfigurationError, match=f"sees 3 devices.*multiples of 3.*{advice}") as caught:
        devices.mesh_for({"pde": 32}, [SimpleNamespace(platform=platform)] * 3)
    assert other not in str(caught.value)


def test_one_device_needs_no_mesh():
    assert devices.mesh_for({"pde": 7}, jax.devices()[:1]) is None
