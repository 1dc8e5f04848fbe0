"""Operations of a Gauss-Newton step against XLA's count. The runs for a GPU: their settings fit, and a tiny one stops,
goes on, and leaves its row."""

import gpu_second_order
import jax
import jax.numpy as jnp
import pandas as pd
import pytest
import second_order

from gradalign.optimizers._damped_least_squares import damped_system
from gradalign.optimizers._objective import Objective
from gradalign.pipeline import configuration
from gradalign.training.loop import build

pytestmark = pytest.mark.slow

SETTINGS = configuration.load(gpu_second_order.CONFIGURATION)
TINY = """
scale: smoke
device: cpu
runs:
  - {problem: korteweg_de_vries, method: gauss_newton, network: circle, training: korteweg_de_vries_float64,
     points: {pde: 40}, settings: {start: exact, start_harmonics: 8}}
networks: {circle: {width: 4, depth: 1, harmonics: 2}}
training:
  korteweg_de_vries_float64:
    {steps: 12, log_every: 3, checkpoint_every: 6, points_every: 2, windows: {count: 2, network: warm}}
problems:
  korteweg_de_vries: {reference: {times: 5, points: 32, modes: 128, coarse_modes: 96, time_step: 1.0e-3}}
"""


def test_operations_are_those_that_xla_counts():
    """One stream, a linear layer without anything beside it: what is no product is a small part."""
    rows, width = 600, 300
    model = Objective({"fit": jnp.ones(())}, lambda kernel, points: {"fit": points["fit"] @ kernel})
    params, points = jnp.ones(width), {"fit": jnp.ones((rows, width))}
    count = second_order.operations(rows, width, 1, 1.0)

    def xla(function, *arguments):
        return jax.jit(function).lower(*arguments).cost_analysis()["flops"]

    assert xla(lambda j: damped_system(j).gram, points["fit"]) == pytest.approx(count["gram"], rel=0.01)
    assert xla(model.loss, params, points) == pytest.approx(count["loss"], rel=0.02)


@pytest.mark.parametrize("name", SETTINGS.run_names)
def test_the_runs_are_of_the_size_that_is_wanted(name):
    given = SETTINGS.run(name)
    experiment = build(given)
    loop = jax.eval_shape(lambda: experiment.start(0))

    def rows(loop):
        points = experiment.points(jax.random.key(0), loop)
        return experiment.objective(loop.loss_weights, loop.start).rows(loop.params, points)

    parameters, count = (
        sum(leaf.size for leaf in jax.tree.leaves(tree)) for tree in (loop.params, jax.eval_shape(rows, loop))
    )
    assert experiment.dtype == "float64"
    assert 1e4 <= parameters <= 3e4
    assert parameters < count <= 3e4


def test_a_run_that_used_up_its_time_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "tiny.yaml").write_text(TINY)
    table = tmp_path / "table.csv"
    command = ["--problem", "korteweg_de_vries", "--config", str(tmp_path / "tiny.yaml"), "--table", str(table)]
    command += ["--directory", str(tmp_path)]
    with pytest.raises(SystemExit) as stopped:
        gpu_second_order.main([*command, "--seconds", "0"])
    assert stopped.value.code == 75
    assert not table.exists()
    assert "step 3 of 12" in capsys.readouterr().out
    gpu_second_order.main(command)
    assert "step 3 of 12" not in capsys.readouterr().out  # it is behind
    gpu_second_order.main(command)  # a finished run keeps its row
    found = pd.read_csv(table)
    assert found["run"].tolist() == ["korteweg_de_vries-gauss_newton"]
    assert found[["steps", "windows", "points", "parameters"]].iloc[0].tolist() == [12, 2, 40, 29]
    assert found["network"][0] == "mlp 1 x 4"
    assert 0 < found["error"][0] < 10
    assert found["stated_error"][0] > 0
    assert found["seconds"][0] > 0


def test_without_a_gpu_nothing_starts(tmp_path):
    if jax.default_backend() == "gpu":
        pytest.skip("there is one")
    with pytest.raises(SystemExit, match="JAX sees only cpu"):
        gpu_second_order.main(
            ["--problem", "wave", "--directory", str(tmp_path), "--table", str(tmp_path / "table.csv")]
        )
