"""The precision of a run: the products of its network use the requested algorithm, and nothing else does."""

from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from experiments import line_reference, specification
from jax.lax import DotAlgorithmPreset
from oracles.emulated_products import emulated, inner_jaxprs

from gradalign.base import randomness
from gradalign.base.errors import ConfigurationError, DeviceError
from gradalign.base.precision import PRECISIONS, products_of, refusal, require_precision
from gradalign.training.loop import build
from gradalign.training.runner import train
from gradalign.training.settings import TrainingSettings

HIGHEST = (jax.lax.Precision.HIGHEST, jax.lax.Precision.HIGHEST)
TF32X3 = DotAlgorithmPreset.TF32_TF32_F32_X3

only_cpu = pytest.mark.skipif(jax.default_backend() != "cpu", reason="says what XLA's CPU compiler does")


def algorithms(function, *arguments):
    """The algorithm of every matrix product of a program, before compilation."""
    return list(_algorithms(jax.make_jaxpr(function)(*arguments).jaxpr))


def _algorithms(jaxpr):
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            yield equation.params["precision"]
        for inner in inner_jaxprs(equation.params):
            yield from _algorithms(inner)


def started(method, name, **given):
    plain = {"own_state": False, "weighting": {"scheme": "constant"}}
    experiment = build(specification(method, precision=name, **plain, **given))
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
    assert step.count(TF32X3) == len(algorithms(objective.gradient, state.params, points))
    assert (HIGHEST in step) == (method == "soap")


@pytest.mark.parametrize(
    "given",
    # An initial velocity that matrix products sum from modes; the end of the previous window
    [
        {"problem": "kolmogorov_flow", "points": {"ic": 4, "pde": 8}},
        {"windows": {"count": 2, "network": "warm"}, "steps": 8},
    ],
)
def test_what_is_given_at_the_points_is_exact(given):
    experiment, state, key, _, _ = started("adam", "bf16x6", **given)
    assert set(algorithms(experiment.points, key, state)) == {HIGHEST}


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
def test_an_algorithm_is_possible_where_its_products_differ_from_those_in_float32():
    assert refusal("F16_F16_F16") == ""


def test_unknown_names_are_readable():
    with pytest.raises(ConfigurationError, match="unknown precision 'half'; allowed: bf16x6, float32, float64, tf32x3"):
        products_of("half")


@pytest.mark.parametrize(
    ("algorithm", "least", "most"),
    # Each factor rounds to 8 or 11 bits, an error of 2^-9 or 2^-12, squared with two parts; else float32 sums dominate
    [
        ("BF16_BF16_F32", 2e-3, 3e-3),
        ("TF32_TF32_F32", 2.5e-4, 4e-4),
        ("BF16_BF16_F32_X3", 4e-6, 6e-6),
        ("TF32_TF32_F32_X3", 1e-8, 2.5e-7),
        ("BF16_BF16_F32_X6", 1e-8, 2.5e-7),
        ("BF16_BF16_F32_X9", 1e-8, 2.5e-7),
    ],
)
def test_emulated_products_have_the_error_of_their_parts(algorithm, least, most):
    left, right = np.random.default_rng(0).standard_normal((2, 64, 64)).astype(np.float32)

    def products(x, y):
        with jax.default_matmul_precision(algorithm):
            return jax.vjp(jnp.matmul, x, y)[0], jax.jit(
                jax.grad(lambda x: jnp.sum(jax.checkpoint(jnp.matmul)(x, y) ** 2))
            )(x)

    value, gradient = jax.jit(emulated(products))(left, right)
    exact = left.astype(np.float64) @ right
    for found, true in ((value, exact), (gradient, 2 * exact @ right.T.astype(np.float64))):
        noise = np.linalg.norm(np.asarray(found, np.float64) - true) / np.linalg.norm(true)
        assert least < noise < most


def test_products_that_cannot_be_emulated_are_not_passed_over():
    def looped(x):
        with jax.default_matmul_precision("TF32_TF32_F32_X3"):
            return jax.lax.fori_loop(0, 2, lambda _, y: x @ y, x)

    with pytest.raises(NotImplementedError, match="products inside of"):
        emulated(looped)(jnp.ones((2, 2), jnp.float32))
