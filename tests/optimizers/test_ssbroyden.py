"""Self-scaled quasi-Newton steps against the NumPy oracle, the identities of the update, and SciPy's BFGS."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.quasi_newton import iterates, rosenbrock_gradient, updated_hessian
from scipy.optimize import minimize

from gradalign.optimizers._line_search import End
from gradalign.optimizers._objective import Objective
from gradalign.optimizers.ssbroyden import Settings, method, updated_inverse_hessian

VARIANTS = ["ssbroyden", "ssbfgs", "bfgs"]
POINTS = {"first": jnp.zeros(1)}
ONE = {"first": jnp.ones(())}


def rosenbrock():
    """Rosenbrock's function as least squares: the mean over 2 (n - 1) rows times their number."""

    def residuals(x, points):
        rows = jnp.concatenate([10 * (x[1:] - x[:-1] ** 2), 1 - x[:-1]])
        return {"first": np.sqrt(rows.size) * rows}

    return Objective(ONE, residuals)


def quadratic(size, condition):
    """x^T A x / 2 with logarithmically spaced eigenvalues from 1 to ``condition``."""
    generator = np.random.default_rng(size)
    U = np.linalg.qr(generator.normal(size=(size, size)))[0]
    values = np.logspace(0, np.log10(condition), size)
    root = jnp.asarray((U * np.sqrt(values / 2)) @ U.T * np.sqrt(size))
    return Objective(ONE, lambda x, points: {"first": root @ x}), (U * values) @ U.T, generator.normal(size=size)


def run(objective, start, most, target=-np.inf, **settings):
    """Iterates and metrics of at most ``most`` steps, or until the loss is below ``target``, and the final state."""
    chosen = method(Settings(**settings), most)
    params, state = jnp.asarray(start), chosen.init(jnp.asarray(start))
    step = jax.jit(chosen.step)
    visited, metrics = [], []
    for _ in range(most):
        params, state, found = step(objective, params, state, POINTS)
        visited.append(np.asarray(params))
        metrics.append({name: float(value) for name, value in found.items()})
        if state.end.value < target:
            break
    return visited, metrics, state


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("scale_first", [True, False])
@pytest.mark.parametrize("size", [2, 10])
def test_five_iterates_on_rosenbrock_are_those_of_the_oracle(variant, scale_first, size):
    start = np.resize([-1.2, 1.0], size)
    visited, metrics, state = run(rosenbrock(), start, 5, variant=variant, scale_first=scale_first)
    expected = iterates(rosenbrock_gradient, start, lambda k, d, g: metrics[k]["step_length"], variant, scale_first)
    np.testing.assert_allclose(visited, expected, rtol=0, atol=1e-10)
    np.testing.assert_allclose(state.end.gradient, rosenbrock_gradient(visited[-1]), rtol=0, atol=1e-9)


@pytest.mark.parametrize("variant", VARIANTS)
def test_five_iterates_with_exact_line_searches_are_those_of_the_oracle(variant):
    objective, A, start = quadratic(6, 100.0)
    # With so small a final slope the line search is exact up to rounding: the cubic through two points is the function
    visited, _, _ = run(objective, start, 5, variant=variant, curvature=1e-12, most_evaluations=30)
    expected = iterates(lambda x: A @ x, start, lambda k, d, g: -(g @ d) / (d @ A @ d), variant)
    np.testing.assert_allclose(visited, expected, rtol=0, atol=1e-10)


def positive_definite(generator, size):
    U = np.linalg.qr(generator.normal(size=(size, size)))[0]
    return (U * 10 ** generator.uniform(-2, 2, size)) @ U.T


@functools.cache
def compiled(variant):
    return jax.jit(functools.partial(updated_inverse_hessian, variant=variant))


@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 3, 7]), st.sampled_from(VARIANTS), st.floats(-3, 3))
def test_update_satisfies_its_identities(seed, size, variant, scale):
    generator = np.random.default_rng(seed)
    H = positive_definite(generator, size)
    H = (H + H.T) / 2
    s = generator.normal(size=size)
    y = 10**scale * positive_definite(generator, size) @ s  # y^T s > 0
    sBs = s @ np.linalg.solve(H, s)
    found = np.asarray(compiled(variant)(jnp.asarray(H), jnp.asarray(s), jnp.asarray(y), jnp.asarray(sBs)))
    size_of_terms = np.linalg.norm(found) * np.linalg.norm(y)
    np.testing.assert_allclose(found @ y, s, rtol=0, atol=1e-12 * size_of_terms)  # secant equation
    assert np.array_equal(found, found.T)
    assert np.all(np.linalg.eigvalsh(found) > 0)
    expected = np.linalg.inv(updated_hessian(np.linalg.inv(H), s, y, variant))
    # Inverses of matrices of condition up to 1e8 lose up to eight digits
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7 * np.linalg.norm(expected))
    if variant == "bfgs":
        determinant = sBs / (y @ s) * np.linalg.det(H)
        assert np.linalg.det(found) == pytest.approx(determinant, rel=1e-7)


def test_determinant_is_that_of_the_docstring():
    # theta = (1 - b) / b where neither bound is active: H = I, s = (1, 0), y = (2, 1) give h = 5/2, b = 1/2, a = 1/4
    s, y = jnp.asarray([1.0, 0.0]), jnp.asarray([2.0, 1.0])
    found = updated_inverse_hessian(jnp.eye(2), s, y, jnp.asarray(1.0))
    r = min(1, 2.5 * (1 - np.sqrt(0.25 / 1.25)))
    theta = max((r - 1) / 0.25, min(1 / r, 1.0))
    assert theta == 1.0
    tau = min(1 / 1.25, 1 / theta)
    assert float(jnp.linalg.det(found)) == pytest.approx(0.5 / (1.25 * tau), rel=1e-12)


@pytest.mark.parametrize("y", [[-1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [np.nan, 0.0]])
def test_step_without_positive_curvature_changes_nothing(y):
    H = jnp.asarray([[2.0, 1.0], [1.0, 3.0]])
    found = updated_inverse_hessian(H, jnp.asarray([1.0, 0.0]), jnp.asarray(y), jnp.asarray(0.5))
    assert np.array_equal(found, H)


def test_parallel_step_and_change_and_one_parameter_are_sound():
    found = updated_inverse_hessian(jnp.eye(3), jnp.asarray([1.0, 0, 0]), jnp.asarray([4.0, 0, 0]), jnp.asarray(1.0))
    assert float(found[0, 0]) == pytest.approx(0.25, abs=1e-15)
    assert np.all(np.linalg.eigvalsh(found) > 0)
    found = updated_inverse_hessian(jnp.eye(1), jnp.asarray([1.0]), jnp.asarray([4.0]), jnp.asarray(1.0))
    assert float(found[0, 0]) == pytest.approx(0.25, abs=1e-15)


@functools.cache
def steps_of_scipy(case):
    objective, start = cases()[case]
    function = jax.jit(jax.value_and_grad(lambda x: objective.loss(x, POINTS)))
    seen = []

    def evaluate(x):
        value, gradient = function(jnp.asarray(x))
        return float(value), np.asarray(gradient)

    def note(intermediate_result):
        seen.append(intermediate_result.fun)

    minimize(evaluate, start, jac=True, method="BFGS", callback=note, options={"maxiter": 400, "gtol": 1e-14})
    return 1 + next(k for k, value in enumerate(seen) if value < 1e-14)


def cases():
    return {
        "rosenbrock 2": (rosenbrock(), np.asarray([-1.2, 1.0])),
        "rosenbrock 10": (rosenbrock(), np.zeros(10)),
        "condition 1e4": (quadratic(20, 1e4)[0], quadratic(20, 1e4)[2]),
        "condition 1e8": (quadratic(20, 1e8)[0], quadratic(20, 1e8)[2]),
    }


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("case", cases())
def test_takes_at_most_half_as_many_steps_again_as_bfgs_of_scipy(variant, case):
    objective, start = cases()[case]
    visited, metrics, state = run(objective, start, 400, 1e-14, variant=variant, scale_first=False)
    assert state.end.value < 1e-14
    assert len(visited) <= 1.5 * steps_of_scipy(case)
    assert metrics[-1]["resets"] == 0
    assert np.all(np.linalg.eigvalsh(state.inverse_hessian) > 0)
    assert np.array_equal(state.inverse_hessian, state.inverse_hessian.T)


def test_gradient_is_computed_anew_only_where_the_function_has_changed():
    chosen = method(Settings(), 1)
    objective = Objective(ONE, lambda x, points: {"first": points["first"] @ x})
    points = [{"first": jnp.asarray(np.random.default_rng(seed).normal(size=(4, 4)))} for seed in (0, 1)]
    params = jnp.ones(4)
    state = chosen.init(params)
    step = jax.jit(chosen.step)
    last = None
    for given_points, weight in ((0, 1.0), (0, 1.0), (1, 1.0), (1, 1.0), (1, 2.0), (1, 2.0)):
        function = Objective({"first": jnp.asarray(weight)}, objective.residuals)
        before, stored = params, state
        params, state, metrics = step(function, params, state, points[given_points])
        forgetful = step(function, before, stored._replace(end=End.unknown(before)), points[given_points])
        np.testing.assert_array_equal(params, forgetful[0])
        used_again = float(forgetful[2]["gradient_evaluations"] - metrics["gradient_evaluations"])
        assert used_again == (last == (given_points, weight))
        last = (given_points, weight)
        np.testing.assert_allclose(state.end.gradient, function.gradient(params, points[given_points]), atol=1e-13)


def test_row_weights_are_held_fixed_within_a_step():
    def row_weights(residuals):
        return {name: jnp.exp(-(r**2)) for name, r in residuals.items()}

    rows = rosenbrock().residuals
    start = jnp.asarray([-1.2, 1.0])
    fixed = row_weights(rows(start, POINTS))
    chosen = method(Settings(), 1)
    for weighting in (row_weights, lambda residuals: fixed):
        found = chosen.step(Objective(ONE, rows, weighting), start, chosen.init(start), POINTS)[0]
        if weighting is row_weights:
            expected = found
    np.testing.assert_array_equal(found, expected)
    assert not np.array_equal(found, start)


def test_line_search_that_fails_leaves_the_parameters_and_starts_anew():
    start = jnp.asarray([-1.2, 1.0])
    chosen = method(Settings(), 1)
    params, state, _ = chosen.step(rosenbrock(), start, chosen.init(start), POINTS)
    assert not state.fresh

    def elsewhere_infinite(x, points):
        return {"first": jnp.where(x == params, x, jnp.inf)}

    after, state, metrics = chosen.step(Objective(ONE, elsewhere_infinite), params, state, POINTS)
    assert np.array_equal(after, params)
    assert metrics["step_length"] == 0
    assert metrics["resets"] == 1
    assert np.array_equal(state.inverse_hessian, np.eye(2))
    assert state.fresh
    after, state, metrics = chosen.step(rosenbrock(), after, state, POINTS)
    assert metrics["step_length"] > 0
    assert rosenbrock().loss(after, POINTS) < rosenbrock().loss(params, POINTS)
