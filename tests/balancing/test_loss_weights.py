"""Loss weights by gradient norm and causal row weights, against the formulas in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gradalign.balancing.loss_weights import causal_row_weights, gradient_norm_weights
from gradalign.base.errors import ConfigurationError
from gradalign.optimizers._objective import Objective


def gradients(dtype):
    return {
        "ic": {"a": jnp.asarray([[3.0, 0.0]], dtype), "b": jnp.asarray(4.0, dtype)},  # norm 5
        "pde": {"a": jnp.asarray([[0.0, 600.0]], dtype), "b": jnp.asarray(-800.0, dtype)},  # norm 1000
    }


def ones(dtype, names=("ic", "pde")):
    return {name: jnp.ones((), dtype) for name in names}


@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float32, 1e-6), (jnp.float64, 1e-14)])
def test_gradient_norm_weights_are_those_of_the_formula(dtype, tolerance):
    found = jax.jit(gradient_norm_weights)(gradients(dtype), ones(dtype), 0.9)
    mean = (5 + 1000) / 2
    for name, norm in (("ic", 5), ("pde", 1000)):
        assert found[name].dtype == dtype
        np.testing.assert_allclose(found[name], 0.9 + 0.1 * mean / (norm + 1e-5 * mean), rtol=tolerance)


def test_weighted_gradients_have_equal_norms_without_momentum():
    found = gradient_norm_weights(gradients(jnp.float64), ones(jnp.float64), 0.0)
    # The term 1e-5 m moves the norms apart by at most 1e-5 m / 5 = 1e-3.
    np.testing.assert_allclose(float(found["ic"]) * 5, float(found["pde"]) * 1000, rtol=2e-3)


def test_zero_gradients_are_bounded_and_do_not_become_nan():
    some = {**gradients(jnp.float64), "ic": jax.tree.map(jnp.zeros_like, gradients(jnp.float64)["ic"])}
    assert float(gradient_norm_weights(some, ones(jnp.float64), 0.0)["ic"]) == pytest.approx(1e5)
    none = jax.tree.map(jnp.zeros_like, gradients(jnp.float64))
    kept = gradient_norm_weights(none, {"ic": jnp.asarray(3.0), "pde": jnp.asarray(0.5)}, 0.9)
    assert {name: float(weight) for name, weight in kept.items()} == pytest.approx({"ic": 3.0, "pde": 0.5})


def test_a_nan_gradient_is_not_hidden():
    broken = {**gradients(jnp.float64), "pde": {"a": jnp.asarray([[jnp.nan, 1.0]])}}
    assert np.isnan(float(gradient_norm_weights(broken, ones(jnp.float64), 0.9)["ic"]))


def test_names_must_agree():
    with pytest.raises(KeyError, match="pde"):
        gradient_norm_weights(gradients(jnp.float64), ones(jnp.float64, ("ic",)), 0.9)


@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float32, 1e-6), (jnp.float64, 1e-14)])
def test_causal_weights_are_those_of_the_formula(dtype, tolerance):
    rows = np.random.default_rng(0).normal(size=24).astype(dtype)
    found = jax.jit(lambda r: causal_row_weights(r, 0.7, 6, ("pde",)))({"pde": jnp.asarray(rows), "ic": jnp.ones(3)})
    assert list(found) == ["pde"]
    assert found["pde"].dtype == dtype
    losses = [np.mean(rows[4 * j : 4 * j + 4] ** 2) for j in range(6)]
    expected = np.repeat([np.exp(-0.7 * sum(losses[:i])) for i in range(6)], 4)
    np.testing.assert_allclose(found["pde"], expected, rtol=tolerance)
    assert np.all(np.diff(found["pde"]) <= 0)


def test_a_system_takes_the_least_weight_of_its_equations():
    rows = {"ru": jnp.asarray([1.0, 0.0, 0.0]), "rv": jnp.asarray([0.0, 0.0, 2.0, 2.0, 0.0, 0.0])}
    found = causal_row_weights(rows, 1.0, 3, ("ru", "rv"))
    np.testing.assert_allclose(found["ru"], [1, np.exp(-1.0), np.exp(-4.0)], rtol=1e-14)
    np.testing.assert_allclose(found["rv"], np.repeat([1, np.exp(-1.0), np.exp(-4.0)], 2), rtol=1e-14)


def test_causal_weights_are_constants_under_differentiation():
    gradient = jax.grad(lambda r: jnp.sum(causal_row_weights({"pde": r}, 1.0, 2, ("pde",))["pde"]))(jnp.ones(4))
    np.testing.assert_array_equal(gradient, np.zeros(4))


def test_causal_weights_serve_an_objective_with_one_loss_term_only():
    objective = Objective(
        {"ic": jnp.ones(()), "pde": jnp.ones(())},
        lambda slope, points: {name: slope * z for name, z in points.items()},
        lambda residuals: causal_row_weights(residuals, 1.0, 2, ("pde",)),
    )
    points = {"ic": jnp.ones(2), "pde": jnp.asarray([1.0, 2.0])}
    expected = 1 + (1 + 4 * np.exp(-1.0)) / 2
    assert float(objective.loss(jnp.ones(()), points)) == pytest.approx(expected, rel=1e-14)
    assert float(objective.only("ic").loss(jnp.ones(()), points)) == pytest.approx(1.0, rel=1e-14)


def test_chunks_must_divide_the_rows():
    with pytest.raises(ConfigurationError, match=r"chunks are 3, but loss term 'pde' has 4 points; allowed: a divisor"):
        causal_row_weights({"pde": jnp.ones(4)}, 1.0, 3, ("pde",))
