"""The precision of a run: its network's products take the algorithm that was asked for, nothing else does."""

from typing import get_args

import jax
import jax.numpy as jnp
import pytest
from experiments import line_reference, specification
from jax.extend import core
from jax.lax import DotAlgorithmPreset

from gradalign import precision, randomness
from gradalign.errors import ConfigurationError, DeviceError
from gradalign.precision import PRECISIONS, Precision, refusal, require_precision
from gradalign.runs import train
from gradalign.settings import TrainingSettings
from gradalign.training import build

HIGHEST = (jax.lax.Precision.HIGHEST, jax.lax.Precision.HIGHEST)
TF32X3 = DotAlgorithmPreset.TF32_TF32_F32_X3

only_cpu = pytest.mark.skipif(jax.default_backend() != "cpu", reason="says what XLA's CPU compiler does")


def algorithms(function, *arguments):
    """The algorithm of every matrix product of a program, before any compiler sees it."""
    return list(_algorithms(jax.make_jaxpr(function)(*arguments).jaxpr))


def _algorithms(jaxpr):
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            yield equation.params["precision"]
        for inner in core.jaxprs_in_params(equation.params):
            yield from _algorithms(inner)


def started(method, name, **given):
    experiment = build(specification(method, precision=name, own_state=False, **given))
    state, key = experiment.start(0), randomness.stream(0, "points")
    return experiment, state, key, experiment.points(key, state), experiment.objective(state.loss_weights)


def test_the_settings_know_every_precision():
    assert get_args(TrainingSettings.model_fields["precision"].annotation) == tuple(PRECISIONS)


def test_products_of_residuals_derivatives_and_gradients_take_the_algorithm():
    _, state, _, points, objective = started(
        "adam", "tf32x3", problem="kuramoto_sivashinsky", points={"ic": 4, "pde": 8}
    )
    residuals = algorithms(objective.losses, state.params, points)
    gradient = algorithms(objective.gradient, state.params, points)
    assert set(residuals) == set(gradient) == {TF32X3}
    assert len(gradient) > len(residuals) > 10  # the chain up to the fourth derivative, and its transpose


@pytest.mark.parametrize("method", ["adam", "soap"])
def test_a_step_has_the_algorithm_in_the_network_alone(method):
    experiment, state, key, points, objective = started(method, "tf32x3")
    step = algorithms(experiment.step, key, state)
    assert set(step) <= {TF32X3, HIGHEST}
    assert step.count(TF32X3) == 2 * algorithms(objective.gradient, state.params, points).count(TF32X3)
    assert (HIGHEST in step) == (method == "soap")


def test_what_is_given_at_the_points_is_exact():
    # The initial vorticity of this problem is a sum of modes, by a product of matrices
    _, state, _, points, objective = started("adam", "bf16x6", problem="kolmogorov_flow", points={"ic": 4, "pde": 8})
    found = algorithms(objective.losses, state.params, points)
    assert found.count(HIGHEST) == 1
    assert set(found) == {HIGHEST, DotAlgorithmPreset.BF16_BF16_F32_X6}


@only_cpu
@pytest.mark.parametrize(
    ("name", "reason"), [("tf32x3", "is not supported by dot_general on CPU"), ("bf16x6", "multiplies in float32")]
)
def test_a_precision_that_the_device_lacks_is_refused_before_any_compute(tmp_path, name, reason):
    wanted = rf"'{name}' \(key 'precision'.*{reason}.*Possible on this device: float32, float64\..*'precision: float32'"
    with pytest.raises(DeviceError, match=wanted):
        require_precision(name)
    with pytest.raises(DeviceError, match=f"'{name}'"):
        train(specification("adam", precision=name), line_reference(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_every_device_can_do_is_not_refused():
    for name in ("float32", "float64"):
        require_precision(name)


@only_cpu
def test_an_algorithm_is_possible_where_its_products_differ_from_those_in_float32(monkeypatch):
    monkeypatch.setitem(precision.PRECISIONS, "half", Precision(jnp.float32, "F16_F16_F16"))
    assert refusal("half") == ""


def test_unknown_names_are_readable():
    with pytest.raises(ConfigurationError, match="unknown precision 'half'; allowed: bf16x6, float32, float64, tf32x3"):
        precision.products_of("half")
