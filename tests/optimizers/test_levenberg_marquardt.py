"""Levenberg-Marquardt: both forms of its linear solve against NumPy, and what the damping does."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradalign.objective import Objective
from gradalign.optimizers.levenberg_marquardt import Settings, damped_solve, gauss_newton_step, method


@given(st.integers(0, 2**32 - 1), st.sampled_from([(7, 3), (3, 7), (4, 4)]), st.floats(1e-3, 10))
def test_primal_and_dual_solves_agree_with_numpy(seed, shape, damping):
    generator = np.random.default_rng(seed)
    jacobian = generator.normal(size=shape)
    residuals, right_side = (generator.normal(size=length) for length in shape)
    matrix = jacobian.T @ jacobian + damping * np.eye(shape[1])
    found = damped_solve(jnp.asarray(jacobian), jnp.asarray(damping), jnp.asarray(right_side))
    # The dual form divides by the damping, and so by up to 1e3 of cancellation
    np.testing.assert_allclose(found, np.linalg.solve(matrix, right_side), rtol=1e-8, atol=1e-9)
    found = gauss_newton_step(jnp.asarray(jacobian), jnp.asarray(damping), jnp.asarray(residuals))
    np.testing.assert_allclose(found, -np.linalg.solve(matrix, jacobian.T @ residuals), rtol=1e-8, atol=1e-9)


def line(residual):
    return Objective({"fit": jnp.ones(())}, lambda theta, points: {"fit": residual(theta * points["fit"])})


def one_step(objective, theta, **settings):
    chosen = method(Settings(**settings), 1)
    params = jnp.asarray(theta)
    return chosen.step(objective, params, chosen.init(params), {"fit": jnp.ones(1)})


def test_a_good_step_is_taken_and_the_damping_falls():
    params, state, metrics = one_step(line(lambda z: z - 3.0), 1.0, initial_damping=1.0, decrease=0.25)
    assert params == pytest.approx(2.0)  # (1 + 1) d = 2
    assert metrics["decrease_ratio"] == pytest.approx(1.0)  # the model of a linear residual is exact
    assert state.damping == pytest.approx(0.25)


def test_a_bad_step_is_refused_and_the_damping_rises():
    # Newton's iteration for arctan overshoots beyond |z| = 1.39
    params, state, metrics = one_step(line(jnp.arctan), 3.0, initial_damping=1e-9, increase=5.0)
    assert params == 3.0
    assert metrics["decrease_ratio"] < 0
    assert state.damping == pytest.approx(5e-9)


def test_the_damping_never_falls_below_its_least():
    _, state, _ = one_step(line(lambda z: z - 3.0), 1.0, initial_damping=1e-6, least_damping=9e-7)
    assert state.damping == pytest.approx(9e-7)


def test_a_step_to_an_infinite_loss_is_refused():
    params, state, _ = one_step(line(lambda z: jnp.where(z > 2.0, jnp.inf, z - 3.0)), 1.0, initial_damping=1e-9)
    assert params == 1.0
    assert state.damping == pytest.approx(2e-9)
