"""Gauss-Newton in a norm of fields and in pseudo-time: the NumPy oracle, exact properties, and the purpose of each."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import pseudo_time as oracle
from tolerances import CONDITIONED, IDENTITY

from gradalign.base.errors import ConfigurationError
from gradalign.optimizers import soap, soap_then_gauss_newton
from gradalign.optimizers._objective import Objective
from gradalign.optimizers.gauss_newton import Settings, method

FREQUENCIES = jnp.arange(1.0, 13.0).reshape(3, 4) / 3
ONE = {"fit": jnp.ones(())}


def model(theta, x):
    return jnp.sin(x @ FREQUENCIES) @ theta["waves"] + (x @ theta["product"]) ** 2


def residuals(theta, points):
    u = model(theta, points["interior"])
    return {"interior": u**3 + 2 * u - 1, "edge": model(theta, points["edge"])}


def objective():
    weights = {name: jnp.asarray(value) for name, value in oracle.WEIGHTS.items()}
    return Objective(weights, residuals, fields=lambda theta, points: {"interior": model(theta, points["interior"])})


def start():
    return {"product": jnp.linspace(-1, 1, 7)[4:], "waves": jnp.linspace(-1, 1, 7)[:4]}


def batches(interior, count=5):
    generator = np.random.default_rng(interior)
    return [{"interior": generator.normal(size=(interior, 3)), "edge": generator.normal(size=(2, 3))}] * count


@pytest.mark.slow
@pytest.mark.parametrize("pseudo_step", [None, 0.3])
@pytest.mark.parametrize("norm", ["parameters", "fields"])
@pytest.mark.parametrize("interior", [3, 20])  # fewer and more rows than the 7 parameters
def test_five_iterates_are_those_of_the_oracle(interior, norm, pseudo_step):
    settings = Settings(
        initial_damping=0.1, norm=norm, parameter_share=0.01, pseudo_step=pseudo_step, longest_acceleration=0.5
    )
    chosen, params, visited = method(settings, 5), start(), []
    state, step = chosen.init(params), jax.jit(chosen.step)
    for points in batches(interior):
        params, state, _ = step(objective(), params, state, jax.tree.map(jnp.asarray, points))
        visited.append(np.concatenate([params["waves"], params["product"], [state.damping]]))
    expected = oracle.iterates(
        np.linspace(-1, 1, 7),
        batches(interior),
        0.1,
        norm=norm,
        share=0.01,
        pseudo_step=pseudo_step,
        good=0.75,
        bad=0.25,
        decrease=1 / 3,
        increase=2.0,
        refusal=4.0,
        longest=0.5,
    )
    np.testing.assert_allclose(visited, expected, rtol=0, atol=1e-10)


def fields_visited(coordinates, **settings):
    """The fields after each of six steps for u = Φ T θ, with the same initial fields for every T (4, 4)."""
    design = np.random.default_rng(0).normal(size=(9, 4))
    points = {"fit": jnp.asarray(design @ coordinates)}

    def driven(theta, points):
        return {"fit": points["fit"] @ theta}

    posed = Objective(ONE, lambda theta, points: {"fit": jnp.sin(driven(theta, points)["fit"]) - 0.7}, fields=driven)
    chosen, theta = method(Settings(**settings), 6), jnp.asarray(np.linalg.solve(coordinates, np.full(4, 0.5)))
    state, step, visited = chosen.init(theta), jax.jit(chosen.step), []
    for _ in range(6):
        theta, state, _ = step(posed, theta, state, points)
        visited.append(points["fit"] @ theta)
    return np.stack(visited)


@pytest.mark.parametrize("pseudo_step", [None, 0.3])
def test_damping_of_the_fields_knows_no_coordinates_of_the_parameters(pseudo_step):
    generator = np.random.default_rng(1)
    other = generator.normal(size=(4, 4)) * [1, 10, 0.1, 3]
    settings = {"initial_damping": 0.1, "pseudo_step": pseudo_step}
    given = fields_visited(np.eye(4), norm="fields", parameter_share=1e-14, **settings)
    np.testing.assert_allclose(
        fields_visited(other, norm="fields", parameter_share=1e-14, **settings), given, atol=CONDITIONED
    )
    plain = [fields_visited(coordinates, **settings) for coordinates in (np.eye(4), other)]
    assert np.max(np.abs(plain[0] - plain[1])) > 0.1


def test_the_length_of_a_first_step_is_that_of_the_fields():
    # With a large mu the step is -C^{-T} C^{-1} J^T r / mu: (Φ^T Φ / 9)^{-1} Φ^T (cos u (sin u - 0.7)) / 9 / mu
    design = np.random.default_rng(0).normal(size=(9, 4))
    u = design @ np.full(4, 0.5)
    moved = fields_visited(np.eye(4), norm="fields", parameter_share=1e-14, initial_damping=1e8)[0] - u
    right_side = design.T @ (np.cos(u) * (np.sin(u) - 0.7))
    expected = -design @ np.linalg.solve(design.T @ design, right_side) / 1e8
    np.testing.assert_allclose(moved * 1e8, expected * 1e8, atol=1e-6)  # u = O(1) is rounded at 1e-16; times 1e8


def linear():
    """r = A u - f for the field u, which is the parameter vector itself; three entries, one per point."""
    matrix = np.asarray([[2.0, -1.0, 0.0], [0.5, 3.0, -1.0], [0.0, 1.0, 1.0]])
    points = {"fit": jnp.column_stack([jnp.asarray(matrix), jnp.asarray([1.0, 2.0, 3.0]), jnp.eye(3)])}
    return (
        Objective(
            ONE,
            lambda u, points: {"fit": points["fit"][:, :3] @ u - points["fit"][:, 3]},
            fields=lambda u, points: {"fit": points["fit"][:, 4:] @ u},
        ),
        points,
        matrix,
        np.asarray([1.0, 2.0, 3.0]),
    )


@pytest.mark.slow
def test_steps_of_a_linear_equation_are_implicit_euler_steps():
    posed, points, A, f = linear()
    chosen, u = method(Settings(initial_damping=1e-14, least_damping=1e-14, pseudo_step=0.4), 4), jnp.zeros(3)
    state, expected = chosen.init(u), np.zeros(3)
    for _ in range(4):
        u, state, metrics = chosen.step(posed, u, state, points)
        rate = np.sqrt(np.mean((A @ expected - f) ** 2)) / 0.4
        assert metrics["pseudo_rate"] == pytest.approx(rate, rel=IDENTITY, abs=0)
        expected = expected - np.linalg.solve(A + rate * np.eye(3), A @ expected - f)
        np.testing.assert_allclose(u, expected, rtol=0, atol=IDENTITY)


@pytest.mark.parametrize(("pseudo_step", "end"), [(None, np.sqrt(2 / 3)), (0.5, -1.769292354238631)])
def test_pseudo_time_leaves_a_minimum_of_the_loss_that_solves_nothing(pseudo_step, end):
    # r = u^3 - 2 u + 2 has one root, |r| a minimum of 0.91 at sqrt(2/3); du/dtau = -r leads to the root from anywhere
    posed = Objective(ONE, lambda u, points: {"fit": u**3 - 2 * u + 2}, fields=lambda u, points: {"fit": u})
    chosen, u = method(Settings(initial_damping=1e-3, pseudo_step=pseudo_step), 1), jnp.asarray([1.0])
    state, step = chosen.init(u), jax.jit(chosen.step)
    for _ in range(100):
        u, state, _ = step(posed, u, state, {"fit": jnp.ones(1)})
    assert float(u[0]) == pytest.approx(end, rel=1e-6)


def test_at_a_solution_it_stands_still():
    posed, points, A, _ = linear()
    u = jnp.asarray([1.0, 2.0, 3.0])
    points = {"fit": points["fit"].at[:, 3].set(jnp.asarray(A) @ u)}
    chosen = method(Settings(pseudo_step=0.4), 1)
    after, _, metrics = chosen.step(posed, u, chosen.init(u), points)
    np.testing.assert_array_equal(after, u)
    assert metrics["pseudo_rate"] == 0


@pytest.mark.slow
def test_the_linear_map_of_a_norm_of_fields():
    points = jax.tree.map(jnp.asarray, batches(20)[0])
    params, settings = start(), Settings(initial_damping=0.1, norm="fields", parameter_share=0.01)
    chosen = method(settings, 1)
    gradient = jax.tree.map(lambda leaf: leaf**2 + 1, params)
    found = chosen.precondition(objective(), params, chosen.init(params), points, gradient)
    theta = np.linspace(-1, 1, 7)
    J = oracle.rows(theta, theta, batches(20)[0], 0.0)[1]
    Ju = oracle.field(theta, batches(20)[0]["interior"])[1] / np.sqrt(20)
    matrix = J.T @ J + 0.1 * (Ju.T @ Ju + 0.01 * np.trace(Ju.T @ Ju) / 7 * np.eye(7))
    given = np.concatenate([gradient["waves"], gradient["product"]])
    expected = np.linalg.solve(matrix, given)
    np.testing.assert_allclose(np.concatenate([found["waves"], found["product"]]), expected, rtol=CONDITIONED)


def test_the_norm_of_one_loss_term_is_that_of_all():
    # Own-state scores evaluate single terms, even those that drive no field
    points, params = jax.tree.map(jnp.asarray, batches(20)[0]), start()
    found = objective().only("edge").of_fields(params, points)
    assert found.loss(params, points) == pytest.approx(float(jnp.mean(model(params, points["interior"]) ** 2)))


@pytest.mark.parametrize("settings", [{"norm": "fields"}, {"pseudo_step": 1.0}])
def test_a_problem_without_driven_fields_is_refused(settings):
    chosen, posed = method(Settings(**settings), 1), Objective(ONE, lambda u, points: {"fit": u - 1})
    with pytest.raises(ConfigurationError, match="driven"):
        chosen.step(posed, jnp.ones(1), chosen.init(jnp.ones(1)), {"fit": jnp.ones(1)})


@pytest.mark.slow
def test_the_hand_over_carries_the_metrics_of_pseudo_time():
    second = Settings(pseudo_step=0.3)
    settings = soap_then_gauss_newton.Settings(
        soap=soap.Settings(learning_rate=0.01), gauss_newton=second, probe_every=2, damping=10.0
    )
    chosen, params = soap_then_gauss_newton.method(settings, 4), start()
    state, step, rates = chosen.init(params), jax.jit(chosen.step), []
    for points in batches(20, 4):
        params, state, metrics = step(objective(), params, state, jax.tree.map(jnp.asarray, points))
        rates.append(float(metrics["pseudo_rate"]))
    assert rates[0] == 0
    assert min(rates[1:]) > 0
