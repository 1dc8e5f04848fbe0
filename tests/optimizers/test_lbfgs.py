"""L-BFGS against a full inverse Hessian in NumPy, against SciPy, and on points that change at every step."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from jax.flatten_util import ravel_pytree
from oracles.lbfgs import inverse_hessian, wolfe

from gradalign.base.errors import ConfigurationError
from gradalign.optimizers._line_search import End
from gradalign.optimizers._objective import Objective
from gradalign.optimizers.lbfgs import Settings, method


def least_squares(residuals):
    return Objective({"fit": jnp.ones(())}, lambda theta, points: {"fit": residuals(theta, points["fit"])})


def quadratic(size, draws, seed=0):
    """Residuals A theta - b with one A, and a b for every draw: the same Hessian, different gradients."""
    rng = np.random.default_rng(seed)
    design = rng.normal(size=(size + 3, size)) @ np.diag(np.geomspace(0.3, 3, size))
    return design, [rng.normal(size=size + 3) for _ in range(draws)]


def rosenbrock(theta, _=None):
    return jnp.concatenate([10 * (theta[1:] - theta[:-1] ** 2), 1 - theta[:-1]])


def iterates(objective, theta, points_of_steps, **settings):
    """Parameters before and after every step, the step sizes, and the final state."""
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
        direction = -inverse_hessian(moves[-memory:], changes[-memory:], size) @ g
        np.testing.assert_allclose(after, before + steps[k] * direction, rtol=0, atol=1e-10)
        slopes = [gradient(theta) @ direction for theta in (before, after)]
        assert wolfe(loss(before), slopes[0], loss(after), slopes[1], steps[k], 1e-4, 0.9)
        moves.append(after - before)
        changes.append(gradient(after) - g)  # on the points of this step


def convex(seed):
    """x^T A x / 2 in 30 dimensions with condition 1e3."""
    rng = np.random.default_rng(seed)
    U = np.linalg.qr(rng.normal(size=(30, 30)))[0]
    root = jnp.asarray((U * np.sqrt(30 * np.geomspace(1, 1e3, 30) / 2)) @ U.T)
    return least_squares(lambda theta, _: root @ theta), rng.normal(size=30)


def valley(seed):
    """Rosenbrock in 20 dimensions, from near the usual start."""
    start = np.resize([-1.2, 1.0], 20) + 0.1 * np.random.default_rng(seed).normal(size=20)
    return least_squares(lambda theta, _: np.sqrt(38) * rosenbrock(theta)), start


def network(seed):
    """A tanh network, 1-12-12-1, fitted to sin(3 x) exp(x) at 40 points."""
    rng = np.random.default_rng(seed)
    x = jnp.linspace(-1, 1, 40)[:, None]
    sizes = [(1, 12), (12, 12), (12, 1)]
    start, unravel = ravel_pytree([(rng.normal(size=s) / np.sqrt(s[0]), 0.3 * rng.normal(size=s[1])) for s in sizes])

    def residuals(theta, _):
        *hidden, (matrix, shift) = unravel(theta)
        found = functools.reduce(lambda h, layer: jnp.tanh(h @ layer[0] + layer[1]), hidden, x)
        return (found @ matrix + shift - jnp.sin(3 * x) * jnp.exp(x))[:, 0]

    return least_squares(residuals), np.asarray(start)


def evaluations_of_scipy(function, start, tolerance):
    """Evaluations of value and gradient that SciPy needs until no entry of the gradient exceeds the tolerance."""
    found = scipy.optimize.minimize(
        lambda theta: [np.asarray(one, np.float64) for one in function(theta)],
        start,
        jac=True,
        method="L-BFGS-B",
        options={"ftol": 0, "gtol": tolerance, "maxcor": 10, "maxfun": 5000, "maxiter": 5000},
    )
    assert np.max(np.abs(found.jac)) <= tolerance
    return found.nfev


def evaluations(objective, start, tolerance):
    """Evaluations until the same tolerance: those counted where the function is called, and those reported."""
    seen = []

    def residuals(theta, points):
        jax.debug.callback(lambda: seen.append(1))
        return objective.residuals(theta, points)

    counted, points = Objective(objective.loss_weights, residuals), {"fit": jnp.zeros(1)}
    gradient = jax.jit(objective.gradient)
    chosen = method(Settings(), 1)
    step, theta, reported = jax.jit(chosen.step), jnp.asarray(start), 0
    state = chosen.init(theta)
    while np.max(np.abs(gradient(theta, points))) > tolerance:
        theta, state, metrics = step(counted, theta, state, points)
        reported += int(metrics["gradient_evaluations"])
        assert reported < 5000
    jax.effects_barrier()
    return len(seen), reported


@pytest.mark.slow
@pytest.mark.parametrize(("problem", "tolerance"), [(convex, 1e-8), (valley, 1e-8), (network, 1e-4)])
def test_evaluates_at_most_a_tenth_more_often_than_scipy(problem, tolerance):
    theirs = ours = 0
    for seed in range(3):  # summed, since paths from one start differ by a fifth either way
        objective, start = problem(seed)
        function = jax.jit(jax.value_and_grad(lambda theta, o=objective: o.loss(theta, {"fit": jnp.zeros(1)})))
        theirs += evaluations_of_scipy(function, start, tolerance)
        happened, reported = evaluations(objective, start, tolerance)
        assert happened == reported
        ours += happened
    assert ours <= 1.1 * theirs


def test_the_end_of_a_line_search_is_used_again_only_for_the_same_function():
    objective = Objective({"fit": jnp.ones(())}, lambda theta, points: {"fit": points["fit"] @ theta})
    points = [{"fit": jnp.asarray(np.random.default_rng(seed).normal(size=(6, 4)))} for seed in (0, 1)]
    chosen = method(Settings(), 1)
    step, theta = jax.jit(chosen.step), jnp.ones(4)
    state, last = chosen.init(theta), None
    # Points, weight, whether the caller moved the parameters, whether it passes the gradient
    for given in (
        (0, 1, 0, 0),
        (0, 1, 0, 0),
        (0, 1, 0, 1),
        (1, 1, 0, 1),
        (1, 1, 0, 0),
        (1, 2, 0, 0),
        (1, 2, 0, 0),
        (1, 2, 1, 0),
    ):
        draw, weight, moved, with_gradient = given
        theta = theta + 0.1 * moved
        function = Objective({"fit": jnp.asarray(float(weight))}, objective.residuals)
        gradient = function.gradient(theta, points[draw]) if with_gradient else None
        found = step(function, theta, state, points[draw], gradient)
        forgetful = step(function, theta, state._replace(end=End.unknown(theta)), points[draw], gradient)
        used_again = int(forgetful[2]["gradient_evaluations"] - found[2]["gradient_evaluations"])
        assert used_again == (last == (draw, weight) and not moved)
        np.testing.assert_allclose(found[0], forgetful[0], rtol=0, atol=1e-12)
        theta, state, _ = found
        np.testing.assert_allclose(state.end.gradient, function.gradient(theta, points[draw]), rtol=0, atol=1e-12)
        last = (draw, weight)


@pytest.mark.slow
def test_a_line_search_that_finds_no_step_leaves_the_parameters_and_empties_the_memory():
    chosen = method(Settings(), 1)
    start, points = jnp.asarray([-1.2, 1.0]), {"fit": jnp.zeros(1)}
    params, state, _ = chosen.step(least_squares(rosenbrock), start, chosen.init(start), points)
    assert np.any(state.pairs.moves)
    wall = least_squares(lambda theta, _: jnp.where(theta == params, theta, jnp.nan))
    after, state, metrics = chosen.step(wall, params, state, points)
    np.testing.assert_array_equal(after, params)
    assert metrics["step_size"] == 0
    assert not np.any(state.pairs.moves)
    assert not np.any(state.pairs.changes)
    after, _, metrics = chosen.step(least_squares(rosenbrock), after, state, points)
    assert metrics["step_size"] > 0


def test_what_a_new_draw_changes_does_not_enter_the_curvature():
    design, sides = quadratic(4, 8)
    sides = [1e3 * b for b in sides]
    _, _, state = iterates(least_squares(lambda theta, b: jnp.asarray(design) @ theta - b), jnp.ones(4), sides)
    hessian = 2 * design.T @ design / len(design)
    moves, changes = state.pairs
    assert np.count_nonzero(np.linalg.norm(moves, axis=1)) == 8
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
        state.end.gradient, 2 * design.T @ (weights * residuals[1]) / len(weights), rtol=1e-10, atol=1e-12
    )


def test_the_linear_map_is_the_inverse_hessian_that_the_next_step_uses():
    design, sides = quadratic(5, 1)
    objective = least_squares(lambda theta, b: jnp.asarray(design) @ theta - b)
    before, _, state = iterates(objective, jnp.ones(5), sides * 4)
    after, steps, _ = iterates(objective, jnp.ones(5), sides * 5)
    points, theta = {"fit": jnp.asarray(sides[0])}, jnp.asarray(before[-1])
    direction = method(Settings(), 1).precondition(objective, theta, state, points, objective.gradient(theta, points))
    np.testing.assert_allclose(after[-1], before[-1] - steps[-1] * direction, rtol=0, atol=1e-10)


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
    chosen = method(Settings(memory_size=2), 1)
    state = chosen.init(jnp.zeros(2))
    # A first gradient far from the initial parameters makes no pair
    for theta, gradient in (([5.0, 5.0], [1.0, 1.0]), ([6.0, 5.0], [2.0, 1.0])):
        state = chosen.observe(jnp.asarray(theta), state, jnp.asarray(gradient))
    np.testing.assert_array_equal(state.pairs.moves, [[0.0, 0.0], [1.0, 0.0]])
    # s^T y is -1, not a number, and positive only by rounding
    for gradient in ([1.0, 1.0], [np.nan, 1.0], [2.0 + 1e-14, 1e3]):
        after = chosen.observe(jnp.asarray([7.0, 5.0]), state, jnp.asarray(gradient))
        np.testing.assert_array_equal(after.pairs.moves, state.pairs.moves)
        np.testing.assert_array_equal(after.pairs.changes, state.pairs.changes)
        np.testing.assert_array_equal(after.end.gradient, gradient)
    further = chosen.observe(jnp.asarray([7.0, 6.0]), after, jnp.asarray([2.0 + 1e-14, 1e3 + 3]))
    np.testing.assert_allclose(further.pairs.changes, [[1.0, 0.0], [0.0, 3.0]])


def test_tolerances_in_the_wrong_order_are_refused():
    with pytest.raises(ConfigurationError, match=r"curvature_tolerance must exceed slope_tolerance = 0\.4"):
        Settings(slope_tolerance=0.4, curvature_tolerance=0.1)
