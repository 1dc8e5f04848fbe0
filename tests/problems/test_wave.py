"""Residuals of the wave equation on its solution and on a product, with both ways to impose the ends."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import wave as oracle
from pydantic import ValidationError
from tolerances import IDENTITY, ROUNDING

from gradalign import networks
from gradalign.errors import ConfigurationError
from gradalign.objective import Objective
from gradalign.problems.wave import DOMAIN, Settings, initial_condition, problem, solution
from gradalign.settings import NetworkSettings
from gradalign.weighting import causal_row_weights

COUNTS = {"ic": 6, "bc": 7, "pde": 32}
BOUNDARIES = ("penalised", "exact")


def posed(boundary="penalised", **coefficients):
    return problem(Settings(boundary=boundary, **coefficients))


def points(boundary="penalised", dtype=jnp.float64, seed=0):
    return posed(boundary).sample(jax.random.key(seed), COUNTS, jnp.dtype(dtype))


def exact(speed_squared=4.0):
    return lambda params, z: params * solution(z[:, :1], z[:, 1:], speed_squared)


def product(params, z):
    """The field of the oracle, as a network would give it."""
    return params * jnp.exp(0.7 * z[:, :1]) * jnp.cos(2 * z[:, 1:] + 0.3)


# Second derivatives reach 316; float32 keeps seven digits of the terms that cancel.
@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float64, IDENTITY), (jnp.float32, 1e-3)])
@pytest.mark.parametrize("speed_squared", [4.0, 2.25])
def test_the_solution_makes_every_residual_vanish(dtype, tolerance, speed_squared):
    wave = posed(speed_squared=speed_squared)
    found = jax.jit(lambda z: wave.residuals(exact(speed_squared), jnp.ones((), dtype), z))(points(dtype=dtype))
    assert set(found) == {"u0", "ut0", "bc", "pde"}
    for name, residual in found.items():
        assert residual.dtype == dtype
        np.testing.assert_allclose(residual, 0, atol=tolerance if name in ("ut0", "pde") else tolerance / 100)


def test_the_quotient_makes_every_residual_of_the_exact_boundary_vanish():
    """The network that the exact boundary asks for is u / (4 x (1 - x))."""

    def quotient(params, z):
        return exact()(params, z) / (4 * z[:, 1:] * (1 - z[:, 1:]))

    z = points("exact")
    for residual in posed("exact").residuals(quotient, jnp.ones(()), z).values():
        np.testing.assert_allclose(residual, 0, atol=1e-10)  # 1/x³ near the ends magnifies rounding
    observed = posed("exact").observe(quotient, jnp.ones(()), z["pde"])
    np.testing.assert_allclose(observed[:, 0], solution(*z["pde"].T), atol=ROUNDING)


@pytest.mark.parametrize("speed_squared", [4.0, 0.5])
def test_residuals_of_a_product_are_those_derived_by_hand(speed_squared):
    for boundary, expected in (("penalised", oracle.residual), ("exact", oracle.residual_of_product)):
        z = points(boundary)
        found = posed(boundary, speed_squared=speed_squared).residuals(product, jnp.ones(()), z)
        np.testing.assert_allclose(found["pde"], expected(*np.asarray(z["pde"]).T, speed_squared), atol=IDENTITY)
        t, x = np.asarray(z["ic"]).T
        value, slope = oracle.network(t, x)[:2]
        factor = 4 * x * (1 - x) if boundary == "exact" else 1
        np.testing.assert_allclose(found["u0"], factor * value - oracle.initial(x), atol=IDENTITY)
        np.testing.assert_allclose(found["ut0"], factor * slope, atol=IDENTITY)
        if boundary == "penalised":
            np.testing.assert_allclose(found["bc"], oracle.network(*np.asarray(z["bc"]).T)[0], atol=IDENTITY)


def test_only_a_squared_speed_of_four_fits_the_stated_solution():
    """What c = 4 would leave over: -12 ∂²u/∂x² of the stated solution."""
    z = points()
    t, x = np.asarray(z["pde"]).T
    curvature = -(np.pi**2) * np.sin(np.pi * x) * np.cos(2 * np.pi * t)
    curvature -= 8 * np.pi**2 * np.sin(4 * np.pi * x) * np.cos(8 * np.pi * t)
    found = posed(speed_squared=16.0).residuals(exact(), jnp.ones(()), z)["pde"]
    np.testing.assert_allclose(found, -12 * curvature, atol=1e-10)


def test_the_solution_at_the_nodes_is_that_of_leapfrog():
    cells, steps = 40, 80  # one period of the slow wave
    t, x = np.meshgrid(np.arange(steps + 1) / (2 * cells), np.linspace(0, 1, cells + 1), indexing="ij")
    np.testing.assert_allclose(solution(jnp.asarray(t), jnp.asarray(x)), oracle.leapfrog(cells, steps), atol=IDENTITY)
    np.testing.assert_allclose(initial_condition(jnp.asarray(x[0])), oracle.initial(x[0]), atol=ROUNDING)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_row_i_of_a_residual_depends_on_point_i_alone(boundary):
    """Gauss-Newton methods linearise point by point."""
    wave, z = posed(boundary), points(boundary)
    whole = wave.residuals(product, jnp.ones(()), z)
    for row in (0, 1, 5):
        alone = wave.residuals(product, jnp.ones(()), {name: value[row : row + 1] for name, value in z.items()})
        for name in wave.losses:
            np.testing.assert_allclose(alone[name], whole[name][row : row + 1], atol=IDENTITY)


@pytest.mark.parametrize(("dtype", "boundary"), [(jnp.float32, "exact"), (jnp.float64, "penalised")])
def test_points_lie_where_they_belong(dtype, boundary):
    wave = posed(boundary)
    drawn = jax.jit(lambda key: wave.sample(key, COUNTS, jnp.dtype(dtype)))(jax.random.key(3))
    assert {name: value.shape for name, value in drawn.items()} == {name: (COUNTS[name], 2) for name in wave.sets}
    assert {value.dtype for value in drawn.values()} == {jnp.dtype(dtype)}
    for value in drawn.values():
        for column, (low, high) in zip(value.T, DOMAIN, strict=True):
            assert bool(jnp.all((column >= low) & (column <= high)))
    assert bool(jnp.all(drawn["ic"][:, 0] == 0))
    assert bool(jnp.all(jnp.diff(drawn["pde"][:, 0]) > 0))
    if boundary == "penalised":
        assert drawn["bc"][:, 1].tolist() == [0, 1, 0, 1, 0, 1, 0]
    other = wave.sample(jax.random.key(4), COUNTS, jnp.dtype(dtype))
    assert not any(bool(jnp.any(drawn[name][:, 1] == other[name][:, 1])) for name in ("ic", "pde"))


@pytest.mark.parametrize(
    ("boundary", "terms", "sets"), [("penalised", 4, ("ic", "bc", "pde")), ("exact", 3, ("ic", "pde"))]
)
def test_contract(boundary, terms, sets):
    wave = posed(boundary)
    assert (wave.name, wave.coordinates, wave.fields, wave.observed) == ("wave", ("t", "x"), ("u",), ("u",))
    assert (len(wave.losses), wave.sets, wave.domain) == (terms, sets, ((0.0, 1.0), (0.0, 1.0)))
    assert (wave.causal, wave.periodic, wave.formulation) == (("pde",), (), ("boundary",))
    assert wave.point_sets["u0"] == wave.point_sets["ut0"] == "ic"
    assert not wave.given
    assert list(wave.residuals(product, jnp.ones(()), points(boundary))) == list(wave.losses)


def test_the_wave_equation_has_one_window():
    assert not posed().has_windows
    for windows in (0, 2):
        with pytest.raises(ConfigurationError, match=rf"{windows} windows .* allowed: 1.* set windows to 1"):
            problem(Settings(), windows=windows)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_ends_of_a_network_and_float32(boundary):
    wave = posed(boundary)
    chosen = NetworkSettings(architecture="mlp", width=4, depth=2, activation="tanh")
    network = networks.build(chosen, wave, jnp.dtype(jnp.float32))
    params = network.init(jax.random.key(0))
    ends = wave.observe(network.apply, params, jnp.asarray([[0.3, 0.0], [0.7, 1.0]], jnp.float32))
    assert ends.dtype == jnp.float32
    assert (jnp.max(jnp.abs(ends)) == 0) == (boundary == "exact")
    objective = Objective(
        {name: jnp.ones((), jnp.float32) for name in wave.losses},
        lambda params, z: wave.residuals(network.apply, params, z),
        lambda residuals: causal_row_weights(residuals, 1.0, 8, wave.causal),
    )
    found = jax.eval_shape(jax.grad(objective.loss), params, points(boundary, jnp.float32))
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {jnp.dtype(jnp.float32)}


def test_settings():
    assert (Settings().speed_squared, Settings().boundary) == (4.0, "penalised")
    for wrong in ({"speed_squared": 0.0}, {"boundary": "periodic"}, {"speed": 2.0}):
        with pytest.raises(ValidationError):
            Settings(**wrong)
