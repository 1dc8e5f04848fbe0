"""What every problem of the package owes to everything else, whatever its equation: the contract of ``Problem``.

A new problem is tested here as soon as it has an entry under ``problems`` in the configuration of the scale smoke.
"""

from importlib import import_module
from pathlib import Path
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import point_by_point
import pytest
from tolerances import IDENTITY

from gradalign.balancing.loss_weights import causal_row_weights
from gradalign.base.discovery import module_names
from gradalign.networks import architectures
from gradalign.networks.settings import NetworkSettings
from gradalign.optimizers._objective import Objective
from gradalign.pipeline import configuration
from gradalign.training.model import Model, observed_of, residuals_of

ENTRIES = configuration.load([Path(__file__).parents[2] / "workflow/config/smoke.yaml"]).problems
NETWORK = NetworkSettings(architecture="mlp", width=6, depth=2, activation="tanh", harmonics=2)
COUNTS = {"ic": 6, "bc": 8, "pde": 32}


def formulations(name):
    """The settings of a problem of the scale smoke, and each other way of posing it to a network, one at a time."""
    module = import_module(f"gradalign.problems.{name}")
    own = {"start_harmonics": 255} if name == "allen_cahn" else {}  # as many as its initial condition has
    chosen = module.Settings.model_validate(ENTRIES[name].settings | own)
    ways = [{}]
    for key in module.problem(chosen).formulation:
        choices = get_args(module.Settings.model_fields[key].annotation)
        ways += [{key: choice} for choice in choices if choice != getattr(chosen, key)]
    return [(name, chosen.model_copy(update=way)) for way in ways]


POSED = [pair for name in module_names("problems") for pair in formulations(name)]
DESCRIBED = [
    "-".join([name, *(str(getattr(settings, key)) for key in ("boundary", "start") if hasattr(settings, key))])
    for name, settings in POSED
]


@pytest.fixture(scope="module", params=POSED, ids=DESCRIBED)
def posed(request):
    name, settings = request.param
    return import_module(f"gradalign.problems.{name}").problem(settings)


def sampler(problem, dtype):
    """Points by seed, compiled once."""
    counts = {name: COUNTS[name] for name in problem.sets}
    sample = jax.jit(lambda key: problem.sample(key, counts, jnp.dtype(dtype)))
    return lambda seed=0: sample(jax.random.key(seed))


def network(problem, dtype):
    built = architectures.build(NETWORK, problem, jnp.dtype(dtype))
    return built.apply, built.init(jax.random.key(1))


@pytest.fixture(scope="module")
def draw(posed):
    return sampler(posed, "float64")


@pytest.fixture(scope="module")
def initialised(posed):
    return network(posed, "float64")


@pytest.fixture(scope="module")
def residuals(posed, initialised):
    """Of the network, by parameters and points; compiled once."""
    return jax.jit(lambda params, z: residuals_of(posed, initialised[0], params, z))


def test_every_problem_is_tried():
    assert {name for name, _ in POSED} == set(module_names("problems")) == set(ENTRIES)


def test_names_belong_together(posed):
    assert len(posed.domain) == len(posed.coordinates)
    assert all(low < high for low, high in posed.domain)
    assert "t" not in posed.coordinates[1:]
    assert set(posed.periodic) < set(posed.coordinates)
    assert posed.main_quantity in posed.quantities
    assert not posed.causal or posed.coordinates[0] == "t"


def test_residuals_come_in_the_order_of_the_losses_with_a_row_for_each_point(posed, initialised, draw):
    apply, params = initialised

    def rows(params, z):
        found = residuals_of(posed, apply, params, z)
        assert list(found) == list(posed.losses)
        return found

    found = jax.eval_shape(rows, params, draw())
    assert {name: rows.shape for name, rows in found.items()} == {
        name: (COUNTS[used],) for name, used in posed.point_sets.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("code", point_by_point.EXAMPLES)
def test_derivatives_of_the_batch_are_those_point_by_point(posed, initialised, draw, residuals, code):
    """JAX's gradients, Hessians, forward products and Taylor mode at one point share nothing with the batch's."""
    apply, params = initialised
    z = draw()
    found = residuals(params, z)
    with point_by_point.in_use(posed.name, code):
        expected = jax.jit(lambda params, z: residuals_of(posed, apply, params, z))(params, z)
    for name in posed.losses:
        scale = max(1.0, float(jnp.max(jnp.abs(expected[name]))))
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-10 * scale)


@pytest.mark.slow
def test_a_symmetry_of_the_network_is_one_of_the_residual(posed, draw):
    """With a built-in start this says so of the initial condition too."""
    if not posed.has_symmetry:
        return
    built = architectures.build(NETWORK.model_copy(update={"symmetric": True}), posed, jnp.dtype("float64"))
    model, params = Model(posed, built, "float64"), built.init(jax.random.key(1))
    start = () if model.constraint is None else model.constraint.first(jnp.dtype("float64"))
    z = draw()
    rows = jax.jit(lambda at: posed.residuals(model.fields(params, start), z | {"pde": at}))
    found, image = rows(z["pde"]), rows(_image(posed, z["pde"]))
    inside = [name for name, points in posed.point_sets.items() if points == "pde"]
    # A quarter turn takes the equation of a field to that of another one
    sources = range(len(inside)) if posed.quarter_turn is None else posed.quarter_turn.sources
    for name, source in zip(inside, sources, strict=True):
        here, there = found[inside[source]], image[name]
        scale = float(jnp.max(jnp.abs(here)))
        assert scale > 0.1, name
        signs = {float(sign) for sign in jnp.sign(here * there)}
        assert len(signs) == 1, name
        rounding = 1e-8 * scale  # of 128 waves, differentiated four times
        np.testing.assert_allclose(jnp.abs(here), jnp.abs(there), rtol=0, atol=rounding)


def _image(posed, points):
    if posed.quarter_turn is None:
        axis = posed.coordinates.index(posed.reflection.coordinate)
        return points.at[:, axis].set(2 * posed.reflection.centre - points[:, axis])
    x, y = (posed.coordinates.index(name) for name in posed.quarter_turn.coordinates)
    return points.at[:, x].set(-points[:, y]).at[:, y].set(points[:, x])


@pytest.mark.slow
def test_pseudo_time_damps_short_waves_of_every_driven_field(posed, initialised, draw, residuals):
    """Along du/dtau = -r a short wave in u must not grow: <δu, r(u + δu) - r(u)> > 0, or 0 without diffusion."""
    apply, params = initialised
    z = draw()
    for loss, field in posed.driven.items():
        column = jnp.eye(len(posed.fields))[posed.fields.index(field)]

        def wave(coordinates, column=column):
            phase = 40 * jnp.pi * jnp.sum(coordinates[:, -2:], axis=1, keepdims=True)  # of period 1 in every box
            return 1e-3 * jnp.sin(phase) * column

        def of_the_sum(params, z, wave=wave):
            return residuals_of(posed, lambda p, x: apply(p, x) + wave(x), params, z)

        change = jax.jit(of_the_sum)(params, z)[loss] - residuals(params, z)[loss]
        place = z[posed.point_sets[loss]][:, : len(posed.coordinates)]
        assert jnp.sum(jnp.sum(wave(place), axis=1) * change) >= -1e-9


def test_row_i_of_a_residual_depends_on_point_i_alone(posed, initialised, draw, residuals):
    """Gauss-Newton methods linearise point by point."""
    _, params = initialised
    z = draw()
    whole = residuals(params, z)
    for name, used in posed.point_sets.items():
        for row in (0, 1, 5):
            single = {other: value[:1] for other, value in z.items()} | {used: z[used][row : row + 1]}
            alone = residuals(params, single)[name]
            scale = max(1.0, float(jnp.max(jnp.abs(whole[name]))))
            np.testing.assert_allclose(alone, whole[name][row : row + 1], atol=IDENTITY * scale)


@pytest.mark.slow
def test_every_residual_depends_on_its_points_and_on_the_network(posed, initialised, draw, residuals):
    _, params = initialised
    z, others = draw(), draw(seed=4)
    found = residuals(params, z)
    slopes = jax.jit(jax.jacrev(lambda params: {name: jnp.sum(r**2) for name, r in residuals(params, z).items()}))(
        params
    )
    for name, used in posed.point_sets.items():
        moved = residuals(params, z | {used: others[used]})
        assert not np.array_equal(moved[name], found[name]), name
        assert any(bool(jnp.any(leaf != 0)) for leaf in jax.tree.leaves(slopes[name])), name


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_points_lie_in_the_domain_and_change_with_the_key(posed, dtype):
    draw = sampler(posed, dtype)
    drawn, others = draw(seed=3), draw(seed=4)
    dimension = len(posed.coordinates)
    assert {name: value.shape for name, value in drawn.items()} == {
        name: (COUNTS[name], dimension + len(posed.given.get(name, ()))) for name in posed.sets
    }
    for name, value in drawn.items():
        assert value.dtype == jnp.dtype(dtype)
        for column, (low, high) in zip(value.T, posed.domain, strict=False):
            assert bool(jnp.all((column >= low) & (column <= jnp.asarray(high, dtype)))), name
        assert not np.array_equal(value[:, :dimension], others[name][:, :dimension]), name
    if posed.coordinates[0] == "t":
        assert "ic" not in drawn or bool(jnp.all(drawn["ic"][:, 0] == 0))
        times, end = drawn["pde"][:, 0], posed.domain[0][1]
        assert bool(jnp.all(jnp.diff(times) > 0))  # causal weights count on it
        assert float(times[-1]) > end * (1 - 1 / COUNTS["pde"]) * (1 - 1e-6)  # the last of as many equal slabs


def test_float32_stays_float32(posed):
    apply, params = network(posed, "float32")
    points = jax.eval_shape(sampler(posed, "float32"))
    objective = Objective(
        {name: jnp.ones((), jnp.float32) for name in posed.losses},
        lambda given, z: residuals_of(posed, apply, given, z),
        lambda residuals: causal_row_weights(residuals, 1.0, 8, posed.causal),
        tuple(posed.point_sets.items()),
    )
    found = jax.eval_shape(jax.grad(objective.loss), params, points)
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {jnp.dtype("float32")}
    observed = jax.eval_shape(
        lambda z: observed_of(posed, apply, params, z["pde"][:, : len(posed.coordinates)]), points
    )
    assert (observed.shape, observed.dtype) == ((COUNTS["pde"], len(posed.observed)), jnp.dtype("float32"))


def test_observed_fields_of_a_network_are_periodic_where_the_problem_says_so(posed, initialised, draw):
    apply, params = initialised
    z = draw()["pde"][:, : len(posed.coordinates)]
    observed = jax.jit(jax.vmap(lambda params, z: observed_of(posed, apply, params, z), in_axes=(None, 0)))
    for axis, name in enumerate(posed.coordinates):
        ends = jnp.stack([z.at[:, axis].set(end) for end in posed.domain[axis]])
        left, right = observed(params, ends)
        same = np.allclose(left, right, atol=1e-9)  # derivatives of size 100 round to less
        # A network that is built to vanish at both ends has equal ends without being periodic
        assert same == (name in posed.periodic) or not np.any(left), name


def test_the_horizon_is_that_of_the_settings(posed):
    settings = next(settings for name, settings in POSED if name == posed.name)
    if hasattr(settings, "horizon"):
        shorter = settings.model_copy(update={"horizon": 0.7 * settings.horizon})
        found = import_module(f"gradalign.problems.{posed.name}").problem(shorter)
        assert found.domain == ((0.0, shorter.horizon), *posed.domain[1:])


def test_windows_cut_the_time_and_nothing_else(posed):
    module = import_module(f"gradalign.problems.{posed.name}")
    settings = next(settings for name, settings in POSED if name == posed.name)
    whole = module.problem(settings)
    with pytest.raises(ValueError, match=r"0 windows.*allowed: 1"):
        module.problem(settings, 0)
    if not posed.has_windows:
        with pytest.raises(ValueError, match=r"2 windows.*allowed: 1"):
            module.problem(settings, 2)
        return
    quarter = module.problem(settings, 4)
    assert quarter.domain == ((0.0, whole.domain[0][1] / 4), *whole.domain[1:])
    assert (quarter.losses, quarter.given, quarter.periodic) == (whole.losses, whole.given, whole.periodic)
    drawn = sampler(quarter, "float64")()
    assert float(jnp.max(drawn["pde"][:, 0])) <= quarter.domain[0][1]
    # The values at t = 0 that stand behind the coordinates are what the initial residuals compare with
    shifted = drawn | {"ic": drawn["ic"].at[:, len(whole.coordinates) :].add(1.0)}
    apply, params = network(quarter, "float64")
    residuals = jax.jit(lambda z: residuals_of(quarter, apply, params, z))
    found, other = residuals(drawn), residuals(shifted)
    for name, used in quarter.point_sets.items():
        np.testing.assert_allclose(other[name] - found[name], -1.0 if used == "ic" else 0.0, atol=1e-12)
