"""Operations of a Gauss-Newton step against XLA's count, and the size of the runs that are meant for a GPU."""

from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
import second_order

from gradalign.optimizers._damped_least_squares import damped_system
from gradalign.optimizers._objective import Objective
from gradalign.pipeline import configuration
from gradalign.training.loop import build

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SETTINGS = configuration.load([ROOT / "workflow/config/paper.yaml", ROOT / "benchmarks/gpu_second_order.yaml"])


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
