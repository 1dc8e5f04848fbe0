"""Residuals of the lid-driven cavity on exact flows and by hand, with signs, conditions, points and curriculum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import lid_driven_cavity as oracle
from pydantic import ValidationError
from tolerances import IDENTITY

from gradalign.base.errors import ConfigurationError
from gradalign.problems.lid_driven_cavity import DOMAIN, STEEPNESS, Settings, lid_speed, problem
from gradalign.references.solvers import cavity, cavity_lids
from gradalign.training.model import observed_of, residuals_of

COUNTS = {"bc": 10, "pde": 32}
REYNOLDS = 40.0
LIDS = ("regularised", "sharp")


def posed(lid="regularised", reynolds=REYNOLDS):
    return problem(Settings(reynolds=reynolds, lid=lid))


def points(dtype=jnp.float64, seed=0, reynolds=REYNOLDS):
    return posed(reynolds=reynolds).sample(jax.random.key(seed), COUNTS, jnp.dtype(dtype))


def kovasznay(params, z):
    """The exact flow of the oracle, as a network would give it; params scales the velocity, and the pressure twice."""
    x, y = z[:, 0], z[:, 1]
    k = REYNOLDS / 2 - (REYNOLDS**2 / 4 + 4 * np.pi**2) ** 0.5
    e = jnp.exp(k * x)
    u = 1 - e * jnp.cos(2 * jnp.pi * y)
    v = k / (2 * np.pi) * e * jnp.sin(2 * jnp.pi * y)
    return jnp.stack([params * u, params * v, params**2 * (1 - e**2) / 2], axis=1)


def manufactured(params, z):
    x, y = z[:, 0], z[:, 1]
    return jnp.stack([x**2 * y + 2 * y**3, x * y**2 - x**3, x**2 + 3 * x * y - y**2], axis=1)


@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float64, 1e-13), (jnp.float32, 1e-5)])
def test_exact_flow_solves_the_equations(dtype, tolerance):
    found = jax.jit(lambda z: residuals_of(posed(), kovasznay, jnp.ones((), dtype), z))(points(dtype))
    for name in ("ru", "rv", "rc"):
        assert found[name].dtype == dtype
        np.testing.assert_allclose(found[name], 0, atol=tolerance)


def test_the_function_of_the_test_is_the_flow_of_the_oracle():
    z = points()["pde"]
    exact = oracle.kovasznay(*np.asarray(z).T[:2], REYNOLDS)
    np.testing.assert_allclose(kovasznay(jnp.ones(()), z), np.stack(exact, axis=1), atol=IDENTITY)


def test_residuals_are_those_derived_by_hand():
    z = points(reynolds=7.0)
    x, y, reynolds = np.asarray(z["pde"]).T
    (_, _, _), expected = oracle.manufactured(x, y, reynolds)
    found = residuals_of(posed(), manufactured, None, z)
    for name, values in zip(("ru", "rv", "rc"), expected, strict=True):
        np.testing.assert_allclose(found[name], values, atol=IDENTITY)


def test_the_reynolds_number_of_the_rows_is_used():
    """A curriculum raises it there; the settings say only what is drawn."""
    z = points()
    assert bool(jnp.all(z["pde"][:, 2] == REYNOLDS))
    numbers = np.linspace(10, 1000, COUNTS["pde"])
    changed = z | {"pde": z["pde"].at[:, 2].set(numbers)}
    x, y = np.asarray(z["pde"]).T[:2]
    (_, _, _), (ru, rv, _) = oracle.manufactured(x, y, numbers)
    for reynolds in (REYNOLDS, 3.0):
        found = residuals_of(posed(reynolds=reynolds), manufactured, None, changed)
        np.testing.assert_allclose(found["ru"], ru, atol=IDENTITY)
        np.testing.assert_allclose(found["rv"], rv, atol=IDENTITY)


def test_pressure_is_free_up_to_a_constant_only():
    z, one = points(), jnp.ones(())
    found, shifted, tilted = (
        residuals_of(posed(), lambda params, y, change=change: kovasznay(params, y).at[:, 2].add(change(y)), one, z)
        for change in (lambda y: 0.0, lambda y: 5.0, lambda y: 2 * y[:, 0] - 3 * y[:, 1])
    )
    for name in posed().losses:
        np.testing.assert_allclose(shifted[name], found[name], atol=IDENTITY)
    np.testing.assert_allclose(tilted["ru"], 2, atol=1e-11)
    np.testing.assert_allclose(tilted["rv"], -3, atol=1e-11)


@pytest.mark.parametrize("lid", LIDS)
def test_walls_and_lid(lid):
    z = points()["bc"]
    x, y = np.asarray(z).T
    assert y[0::4].tolist() == [1, 1, 1]
    assert x[1::4].tolist() == [0, 0, 0]
    assert x[2::4].tolist() == [1, 1]
    assert y[3::4].tolist() == [0, 0]
    found = residuals_of(
        posed(lid), lambda params, y: jnp.stack([y[:, 0], 2 * y[:, 1], y[:, 1]], axis=1), None, points()
    )
    prescribed = np.where(y == 1, oracle.lid(x, lid), 0)
    np.testing.assert_allclose(found["u_bc"], x - prescribed, atol=IDENTITY)
    np.testing.assert_allclose(found["v_bc"], 2 * y, atol=IDENTITY)
    np.testing.assert_allclose(lid_speed(jnp.asarray(x), lid), oracle.lid(x, lid), atol=IDENTITY)
    np.testing.assert_allclose(lid_speed(jnp.asarray(x), lid), cavity_lids.speed(lid, x), atol=IDENTITY)


@pytest.mark.parametrize("lid", LIDS)
def test_ends_of_the_lid_belong_to_the_lid(lid):
    corners = jnp.asarray([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [1.0, 0.0]])
    found = residuals_of(posed(lid), lambda params, y: 0 * y @ jnp.ones((2, 3)), None, points() | {"bc": corners})
    np.testing.assert_allclose(found["u_bc"], {"sharp": [-1, -1, 0, 0], "regularised": 0}[lid], atol=IDENTITY)


def test_the_lid_is_that_of_the_solver():
    assert STEEPNESS == cavity_lids.STEEPNESS


@pytest.mark.slow
@pytest.mark.parametrize("lid", LIDS)
def test_the_reference_flow_has_small_residuals(lid):
    """Velocity interpolated on Chebyshev points away from the corners; the pressure is what its gradient leaves."""
    count, low, high = 28, 0.3, 0.6
    [flow] = cavity.solve([100.0], lid, 40)
    nodes, _ = oracle.chebyshev(low, high, count)
    u, v = (jnp.asarray(_chebyshev_coefficients(values)) for values in flow.velocity(nodes, nodes))
    inner = low + (high - low) * np.linspace(0.05, 0.95, 30)
    x, y = (axis.ravel() for axis in np.meshgrid(inner, inner, indexing="ij"))
    z = {"bc": points()["bc"], "pde": jnp.asarray(np.stack([x, y, np.full(len(x), 100.0)], axis=1))}

    def series(c, z):
        """Σ c_kl T_k T_l, which JAX may differentiate."""
        angles = jnp.arccos(2 * (z - low) / (high - low) - 1)
        t_x, t_y = (jnp.cos(angle[:, None] * jnp.arange(float(len(c)))) for angle in angles.T)
        return jnp.sum((t_x @ c) * t_y, axis=1)

    def apply(p, z):
        return jnp.stack([series(u, z), series(v, z), series(p, z)], axis=1)

    def momentum(p):
        found = residuals_of(posed(lid, 100.0), apply, p, z)
        return jnp.concatenate([found["ru"], found["rv"]])

    none = jnp.zeros((12, 12))
    without = momentum(none)
    t = np.polynomial.chebyshev.chebvander(2 * (inner - low) / (high - low) - 1, len(none) - 1)
    slopes = np.polynomial.chebyshev.chebder(np.eye(len(none))) * 2 / (high - low)
    gradient = np.concatenate([np.kron(t[:, :-1] @ slopes, t), np.kron(t, t[:, :-1] @ slopes)])
    p = np.linalg.lstsq(gradient, -np.asarray(without))[0].reshape(none.shape)
    found = residuals_of(posed(lid, 100.0), apply, jnp.asarray(p), z)
    size = float(jnp.max(jnp.abs(without)))  # 0.3: as large as every term of the equations
    left = float(jnp.max(jnp.abs(momentum(jnp.asarray(p)))))
    assert left < {"regularised": 2e-5, "sharp": 6e-4}[lid] * size  # measured 9e-6 and 3e-4: third derivatives of ψ
    assert float(jnp.max(jnp.abs(found["rc"]))) < 1e-9
    wrong = residuals_of(posed(lid, 100.0), apply, jnp.asarray(p), z | {"pde": z["pde"].at[:, 2].set(200.0)})
    assert float(jnp.max(jnp.abs(wrong["ru"]))) > 2e-2 * size


def _chebyshev_coefficients(values):
    """Of the polynomial that has the values on the Chebyshev points of the oracle, in both directions."""
    z = np.cos(np.pi * np.arange(len(values)) / (len(values) - 1))
    inverse = np.linalg.inv(np.polynomial.chebyshev.chebvander(z, len(values) - 1))
    return inverse @ values @ inverse.T


def test_points_are_uniform_inside_and_new_along_every_wall():
    one, other = (posed().sample(jax.random.key(seed), COUNTS, jnp.dtype("float64")) for seed in (3, 4))
    assert not bool(jnp.any(one["bc"][0::4, 0] == other["bc"][0::4, 0]))
    inside = posed().sample(jax.random.key(5), {"bc": 4, "pde": 4000}, jnp.dtype("float64"))["pde"][:, :2]
    np.testing.assert_allclose(jnp.mean(inside, axis=0), 0.5, atol=4 / np.sqrt(12 * 4000))


def test_the_lid_keeps_float32():
    """1 - cosh(50 (x - 1/2))/cosh(25) rounds angles of up to 25 to 1e-6."""
    x = jnp.linspace(0, 1, 201, dtype=jnp.float32)
    np.testing.assert_allclose(lid_speed(x, "regularised"), oracle.lid(np.asarray(x, float), "regularised"), atol=1e-5)


def test_contract():
    found = posed()
    assert (found.name, found.coordinates, found.fields) == ("lid_driven_cavity", ("x", "y"), ("u", "v", "p"))
    assert found.losses == ("u_bc", "v_bc", "ru", "rv", "rc")
    assert (found.sets, found.given) == (("bc", "pde"), {"pde": ("reynolds",)})
    assert (found.domain, found.periodic, found.causal, found.has_windows) == (DOMAIN, (), (), False)
    assert (found.observed, list(found.quantities), found.main_quantity) == (("u", "v"), ["u", "v", "speed"], "speed")
    assert list(residuals_of(found, kovasznay, jnp.ones(()), points())) == list(found.losses)
    z = points()["pde"][:, :2]
    np.testing.assert_array_equal(observed_of(found, kovasznay, jnp.ones(()), z), kovasznay(jnp.ones(()), z)[:, :2])
    fields = {"u": np.array([[3.0]]), "v": np.array([[-4.0]])}
    assert [quantity(fields).item() for quantity in found.quantities.values()] == [3, -4, 5]


@pytest.mark.parametrize("windows", [0, 2])
def test_there_are_no_windows_of_time(windows):
    with pytest.raises(
        ConfigurationError, match=rf"in {windows} windows; allowed: 1, .* steady; .* 'reynolds' instead"
    ):
        problem(Settings(reynolds=100.0), windows)


def test_stretching_is_a_formulation_of_the_same_problem():
    assert posed().stretching == {}
    found = problem(Settings(reynolds=100.0, stretching=3.0))
    assert (found.stretching, found.formulation) == ({"x": 3.0, "y": 3.0}, ("stretching",))
    for wrong in (-0.1, 4.1):
        with pytest.raises(ValidationError, match="stretching"):
            Settings(reynolds=100.0, stretching=wrong)


def test_settings():
    chosen = Settings(reynolds=100.0)
    assert chosen.lid == "regularised"
    for wrong in ({}, {"reynolds": 0.0}, {"reynolds": 100.0, "lid": "round"}, {"reynolds": 100.0, "viscosity": 0.1}):
        with pytest.raises(ValidationError):
            Settings(**wrong)
