"""Gauss-Newton: the effects of damping."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import least_squares

from gradalign.optimizers._objective import Objective
from gradalign.optimizers.gauss_newton import Settings, method


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


def test_a_refused_step_is_tried_again_with_more_damping():
    # Newton's iteration for arctan overshoots beyond |z| = 1.39: (g^2 + mu) d = -g r with g = 1/10 and r = arctan 3
    params, state, metrics = one_step(line(jnp.arctan), 3.0, initial_damping=1e-3, refusal=10.0, acceleration=False)
    assert params == pytest.approx(3 - 0.1 * math.atan(3) / (0.01 + 0.1))  # mu = 0.01 would give -3.25
    assert [float(metrics[name]) for name in ("attempts", "damping")] == pytest.approx([3, 0.1])
    assert metrics["gradient_evaluations"] == 1 + 3  # no second derivatives
    # |r|^2 falls from 1.5601 to 1.1632; the linear model predicts (1.2490 - 0.1135)^2
    assert metrics["decrease_ratio"] == pytest.approx((1.5601 - 1.1632) / (1.5601 - 1.1355**2), rel=1e-3)
    assert state.damping == pytest.approx(0.1 / 3)


@pytest.mark.parametrize(("longest", "used"), [(0.79, True), (0.78, False)])
def test_the_acceleration_bends_the_step_unless_it_is_too_long(longest, used):
    # r = arctan z at z = 1: r' = 1/2, r'' = -1/2; (1/4 + 1/4) v = -r'/1 r, and the same matrix for a
    velocity = -0.5 * math.pi / 4 / 0.5
    correction = -0.5 * (-0.5 * velocity**2) / 0.5
    assert 0.78 < 2 * correction / abs(velocity) < 0.79
    params, *_ = one_step(line(jnp.arctan), 1.0, initial_damping=0.25, longest_acceleration=longest)
    assert params == pytest.approx(1 + velocity + (correction / 2 if used else 0))


def test_a_step_that_is_refused_to_the_end_changes_the_damping_alone():
    params, state, metrics = one_step(line(jnp.arctan), 3.0, initial_damping=1e-9, refusal=5.0, attempts=2)
    assert metrics["gradient_evaluations"] == 1 + 2 * 2
    assert params == 3.0
    assert metrics["decrease_ratio"] < 0
    assert state.damping == pytest.approx(25e-9)


def test_one_step_solves_a_linear_model_exactly():
    generator = np.random.default_rng(0)
    design, values = jnp.asarray(generator.normal(size=(9, 4))), jnp.asarray(generator.normal(size=9))
    points = {"fit": jnp.column_stack([design, values])}
    objective = Objective(
        {"fit": jnp.ones(())}, lambda theta, points: {"fit": points["fit"][:, :-1] @ theta - points["fit"][:, -1]}
    )
    chosen, theta = method(Settings(initial_damping=1e-14), 1), jnp.ones(4)
    found = chosen.step(objective, theta, chosen.init(theta), points)[0]
    np.testing.assert_allclose(found, np.linalg.lstsq(design, values, rcond=None)[0], rtol=1e-11)


def rosenbrock(theta, xp):
    """Residuals of Rosenbrock's function of any dimension; zero at (1, ..., 1)."""
    return xp.concatenate([10 * (theta[1:] - theta[:-1] ** 2), 1 - theta[:-1]])


@pytest.mark.parametrize("size", [2, 6])
def test_needs_about_as_many_steps_as_scipy_on_rosenbrock(size):
    start = np.full(size, -1.2)
    theirs = least_squares(rosenbrock, start, args=(np,), method="trf", xtol=1e-15, ftol=1e-15, gtol=1e-15)
    points = {"fit": jnp.eye(2 * (size - 1))}  # point i picks residual i
    objective = Objective({"fit": jnp.ones(())}, lambda theta, points: {"fit": points["fit"] @ rosenbrock(theta, jnp)})
    chosen, theta = method(Settings(initial_damping=1e-2), 1), jnp.asarray(start)
    state, step, steps = chosen.init(theta), jax.jit(chosen.step), 0
    while np.max(np.abs(theta - 1)) > 1e-10:
        theta, state, _ = step(objective, theta, state, points)
        steps += 1
        assert steps <= 1.5 * theirs.njev


def test_the_damping_never_falls_below_its_least():
    _, state, _ = one_step(line(lambda z: z - 3.0), 1.0, initial_damping=1e-6, least_damping=9e-7)
    assert state.damping == pytest.approx(9e-7)


def test_a_step_to_an_infinite_loss_is_refused():
    objective = line(lambda z: jnp.where(z > 2.0, jnp.inf, z - 3.0))
    params, state, metrics = one_step(objective, 1.0, initial_damping=1e-9, refusal=5.0, attempts=3)
    assert params == 1.0
    assert metrics["attempts"] == 3
    assert state.damping == pytest.approx(125e-9)
