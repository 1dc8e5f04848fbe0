"""The learning rate against NumPy, alone and in the updates of every method that uses one."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gradalign.base.discovery import module_names
from gradalign.optimizers._method import load_method
from gradalign.optimizers._objective import Objective
from gradalign.optimizers._schedules import ScheduleSettings, learning_rate

RISE, FALL = 7, 13
GIVEN = {"learning_rate": 0.3, "warmup_steps": RISE, "decay_rate": 0.9, "decay_steps": FALL}
METHODS = [name for name in module_names("optimizers") if issubclass(load_method(name).Settings, ScheduleSettings)]


def expected(step):
    """The formula of ``ScheduleSettings`` in NumPy's float64."""
    return np.float64(0.3) * min(1.0, step / RISE) * np.float64(0.9) ** (max(0, step - RISE) / FALL)


@pytest.mark.parametrize("step", [0, 1, RISE - 1, RISE, RISE + 1, 100, 1000])
def test_rate_is_that_of_numpy_to_the_last_digits(step):
    rate = jax.jit(learning_rate(ScheduleSettings(**GIVEN)))(jnp.asarray(step, jnp.int32))
    assert rate.dtype == jnp.float64
    np.testing.assert_allclose(rate, expected(step), rtol=1e-15, atol=0)


@pytest.mark.parametrize("given", [{"warmup_steps": 0}, {"decay_rate": 1.0}, {"warmup_steps": 0, "decay_rate": 1.0}])
def test_rate_without_a_rise_or_a_fall(given):
    settings = ScheduleSettings(**{**GIVEN, **given})
    rates = jax.vmap(learning_rate(settings))(jnp.arange(20))
    rise = np.minimum(1, np.arange(20) / settings.warmup_steps) if settings.warmup_steps else 1.0
    fall = settings.decay_rate ** (np.maximum(0, np.arange(20) - settings.warmup_steps) / FALL)
    np.testing.assert_allclose(rates, 0.3 * rise * fall, rtol=1e-15, atol=0)


def test_a_float_count_keeps_its_dtype():
    schedule = learning_rate(ScheduleSettings(**GIVEN))
    for dtype in (jnp.float32, jnp.float64):
        assert schedule(jnp.asarray(3.0, dtype)).dtype == dtype


def moves(name, dtype, **schedule):
    """The parameters after each of 30 steps that all start from zero, as flat arrays."""
    module = load_method(name)
    fields = [each.name for each in dataclasses.fields(module.Settings)]
    free = {key: None for key in ("last_share", "longest_step") if key in fields}  # only the schedule acts
    chosen = module.method(module.Settings(**schedule, **free), 1000)
    rng = np.random.default_rng(1)
    points = {"fit": jnp.asarray(rng.normal(size=(9, 8)), dtype)}

    def residuals(theta, points):
        flat = jnp.concatenate([theta["matrix"].ravel(), theta["vector"]])
        return {"fit": points["fit"] @ flat - 1}

    objective = Objective({"fit": jnp.ones((), dtype)}, residuals)
    params = {"matrix": jnp.zeros((2, 3), dtype), "vector": jnp.zeros(2, dtype)}
    compilations = 0

    def counted(params, state):
        nonlocal compilations
        compilations += 1
        return chosen.step(objective, params, state, points)[:2]

    step, state, found = jax.jit(counted), chosen.init(params), []
    kinds = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), state)
    for _ in range(30):
        after, state = step(params, state)
        assert all(leaf.dtype == dtype for leaf in jax.tree.leaves(after))
        assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), state) == kinds
        found.append(np.concatenate([after["matrix"].ravel(), after["vector"]]))
    assert compilations == 1
    return found


@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float64, 1e-13), (jnp.float32, 1e-5)])
@pytest.mark.parametrize("name", METHODS)
def test_every_step_has_the_rate_in_the_precision_of_the_parameters(name, dtype, tolerance):
    scheduled, plain = moves(name, dtype, **GIVEN), moves(name, dtype, learning_rate=1.0)
    assert np.any(plain[-1])
    for step, (move, direction) in enumerate(zip(scheduled, plain, strict=True)):
        wanted = expected(step) * direction
        np.testing.assert_allclose(move, wanted, rtol=tolerance, atol=tolerance * np.max(np.abs(wanted)))
