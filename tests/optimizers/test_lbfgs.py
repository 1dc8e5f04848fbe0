"""L-BFGS against a full inverse Hessian in NumPy, against optax and SciPy, and on points that change at every step."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.optimize
from oracles.lbfgs import inverse_hessian, wolfe
from pydantic import ValidationError

from gradalign.objective import Objective
from gradalign.optimizers.lbfgs import Settings, method


def least_squares(residuals):
    return Objective({"fit": jnp.ones(())}, lambda theta, points: {"fit": residuals(theta, points["fit"])})


def quadratic(size, draws, seed=0):
    """Residuals A theta - b with one A and a b for every draw: the same Hessian, other gradients."""
    rng = np.random.default_rng(seed)
    design = rng.normal(size=(size + 3, size)) @ np.diag(np.geomspace(0.3, 3, size))
    return design, [rng.normal(size=size + 3) for _ in range(draws)]


def rosenbrock(theta, _=None):
    return jnp.concatenate([10 * (theta[1:] - theta[:-1] ** 2), 1 - theta[:-1]])


def iterates(objective, theta, points_of_steps, **settings):
    """Parameters before and after every step, the step sizes, and the last state."""
    chosen = method(Settings(**settings), 1)
    step, state = jax.jit(chosen.step), chosen.init(theta)
    found, sizes = [np.asarray(theta)], []
    for points in points_of_steps:
        theta, state, metrics = step(objective, theta, state, {"fit": jnp.asarray(points)})
        found.append(np.asarray(theta))
        sizes.append(float(metrics["step_size"]))
    return found, sizes, state


@pytest.mark.parametrize("redrawn", [False, True])
@pytest.mark.parametrize("memory", [2, 10])
def test_first_iterates_agree_with_the_full_matrix(memory, redrawn):
    size = 6
    design, sides = quadratic(size, 5)
    sides = sides if redrawn else sides[:1] * 5
    objective = least_squares(lambda theta, b: jnp.asarray(design) @ theta - b)
    found, steps, _ = iterates(objective, jnp.ones(size), sides, memory_size=memory)
    moves, changes = [], []
    for k, b in enumerate(sides):

        def gradient(theta, b=b):
            return 2 * design.T @ (design @ theta - b) / len(b)

        def loss(theta, b=b):
            return np.mean((design @ theta - b) ** 2)

        before, after = found[k], found[k + 1]
        g = gradient(before)
        direction = -inverse_hessian(moves[-memory:], changes[-memory:], g) @ g
        np.testing.assert_allclose(after, before + steps[k] * direction, rtol=0, atol=1e-10)
        slopes = [gradient(theta) @ direction for theta in (before, after)]
        assert wolfe(loss(before), slopes[0], loss(after), slopes[1], steps[k], 1e-4, 0.9)
        moves.append(after - before)
        changes.append(gradient(after) - g)  # on the points of the move


def test_on_fixed_points_the_iterates_are_those_of_optax():
    start = jnp.asarray([-1.2, 1.0, 0.5])
    objective = least_squares(rosenbrock)
    found, _, _ = iterates(objective, start, [np.zeros(1)] * 12)

    def loss(theta):
        return jnp.mean(rosenbrock(theta) ** 2)

    solver, theta = optax.lbfgs(), start
    state = solver.init(theta)
    with jax.numpy_dtype_promotion("standard"):
        for expected in found[1:]:
            value, gradient = jax.value_and_grad(loss)(theta)
            updates, state = solver.update(gradient, state, theta, value=value, grad=gradient, value_fn=loss)
            theta = optax.apply_updates(theta, updates)
            np.testing.assert_allclose(theta, expected, rtol=0, atol=1e-8)  # rounding grows along the valley


@pytest.mark.parametrize("size", [2, 6])
def test_rosenbrock_takes_about_as_many_steps_as_with_scipy(size):
    start = np.tile([-1.2, 1.0], size // 2)

    def loss(theta):
        return jnp.mean(rosenbrock(theta) ** 2)

    losses = []
    scipy.optimize.minimize(
        jax.value_and_grad(loss),
        start,
        jac=True,
        method="L-BFGS-B",
        options={"ftol": 0, "gtol": 1e-12},
        callback=lambda theta: losses.append(float(loss(jnp.asarray(theta)))),
    )
    found, _, _ = iterates(least_squares(rosenbrock), jnp.asarray(start), [np.zeros(1)] * 2 * len(losses))
    ours, theirs = (
        next(k for k, value in enumerate(values) if value < 1e-12)
        for values in ([float(loss(jnp.asarray(theta))) for theta in found[1:]], losses)
    )
    assert ours <= 1.3 * theirs


def test_what_a_new_draw_changes_does_not_enter_the_curvature():
    design, sides = quadratic(4, 8)
    sides = [1e3 * b for b in sides]
    _, _, state = iterates(least_squares(lambda theta, b: jnp.asarray(design) @ theta - b), jnp.ones(4), sides)
    hessian = 2 * design.T @ design / len(design)
    moves, changes = state.pairs.diff_params_memory, state.pairs.diff_updates_memory
    assert np.count_nonzero(np.linalg.norm(moves, axis=1)) == 7
    np.testing.assert_allclose(changes, moves @ hessian, rtol=1e-9, atol=1e-9 * float(jnp.max(jnp.abs(changes))))


def test_redrawn_points_of_a_consistent_fit_do_not_keep_it_from_converging():
    rng = np.random.default_rng(3)
    designs = [rng.normal(size=(12, 5)) for _ in range(60)]
    found, _, _ = iterates(least_squares(lambda theta, A: A @ (theta - 2.0)), jnp.zeros(5), designs)
    np.testing.assert_allclose(found[-1], 2.0, rtol=1e-9)


def test_causal_weights_are_those_of_the_start_of_the_step():
    design, sides = quadratic(4, 1)

    def row_weights(residuals):
        return {"fit": jnp.exp(-jnp.cumsum(residuals["fit"] ** 2) / 10)}

    objective = least_squares(lambda theta, b: jnp.asarray(design) @ theta - b)
    objective = Objective(objective.loss_weights, objective.residuals, row_weights)
    found, sizes, state = iterates(objective, jnp.ones(4), sides)
    assert sizes[0] > 0.1  # weights that rise along the step would shrink it to nothing
    residuals = [design @ theta - sides[0] for theta in found]
    weights = np.exp(-np.cumsum(residuals[0] ** 2) / 10)
    np.testing.assert_allclose(
        state.gradient_after, 2 * design.T @ (weights * residuals[1]) / len(weights), rtol=1e-10, atol=1e-12
    )


def test_the_linear_map_is_the_inverse_hessian_that_the_last_step_used():
    design, sides = quadratic(5, 1)
    objective = least_squares(lambda theta, b: jnp.asarray(design) @ theta - b)
    found, steps, state = iterates(objective, jnp.ones(5), sides * 4)
    points = {"fit": jnp.asarray(sides[0])}
    before = jnp.asarray(found[-2])
    direction = method(Settings(), 1).precondition(objective, before, state, points, objective.gradient(before, points))
    np.testing.assert_allclose(found[-1], found[-2] - steps[-1] * direction, rtol=0, atol=1e-10)


def test_the_map_is_the_inverse_of_a_hessian_that_it_has_seen_in_every_direction():
    hessian = jnp.diag(jnp.asarray([1.0, 4.0, 9.0]))
    chosen = method(Settings(), 1)
    theta, state = jnp.zeros(3), chosen.init(jnp.zeros(3))
    for move in (*jnp.eye(3), jnp.zeros(3)):
        state = chosen.observe(theta, state, hessian @ theta)
        theta = theta + move
    found = chosen.precondition(None, theta, state, None, jnp.asarray([1.0, 4.0, 9.0]))
    np.testing.assert_allclose(found, 1.0, rtol=1e-12)


def test_a_pair_without_positive_curvature_is_passed_over():
    chosen = method(Settings(), 1)
    state = chosen.init(jnp.zeros(2))
    for theta, gradient in (([0.0, 0.0], [1.0, 1.0]), ([1.0, 0.0], [2.0, 1.0])):
        state = chosen.observe(jnp.asarray(theta), state, jnp.asarray(gradient))
    after = chosen.observe(jnp.asarray([2.0, 0.0]), state, jnp.asarray([1.0, 1.0]))  # s^T y = -1
    assert after.pairs.count == state.pairs.count == 2
    np.testing.assert_array_equal(after.pairs.diff_params_memory, state.pairs.diff_params_memory)
    np.testing.assert_array_equal(after.pairs.updates, [1.0, 1.0])
    further = chosen.observe(jnp.asarray([2.0, 1.0]), after, jnp.asarray([1.0, 4.0]))
    np.testing.assert_allclose(further.pairs.diff_updates_memory[1], [0.0, 3.0])


def test_tolerances_in_the_wrong_order_are_refused():
    with pytest.raises(ValidationError, match=r"curvature_tolerance must exceed slope_tolerance = 0\.5"):
        Settings(slope_tolerance=0.5, curvature_tolerance=0.1)
