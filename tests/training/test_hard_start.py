"""Hard-constrained initial conditions: interpolants and flows against NumPy, and windows that pass them on."""

from dataclasses import replace
from importlib import import_module

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from experiments import line_reference, specification
from tolerances import IDENTITY

from gradalign.base import randomness
from gradalign.derivatives.partial import partial_derivatives
from gradalign.networks import architectures
from gradalign.networks.settings import NetworkSettings
from gradalign.problems._contract import At, HardStart, at_rest, diffusion
from gradalign.training.checkpoints import load
from gradalign.training.evaluation import predictor
from gradalign.training.hard_start import ConstrainedFields, Constraint
from gradalign.training.loop import build
from gradalign.training.runner import train

BUILT_IN = {
    "burgers": {},
    "korteweg_de_vries": {},
    "kuramoto_sivashinsky": {},
    "allen_cahn": {"initial_condition": "band_limited", "start_harmonics": 255},
    "gray_scott": {"start_harmonics": 24},
    "ginzburg_landau": {"start_harmonics": 40},
    "kolmogorov_flow": {"start_harmonics": 16},
}
NETWORK = NetworkSettings(architecture="mlp", width=5, depth=1, activation="tanh", harmonics=2)


def differentiated(values, box, rates, order, point):
    """∂^order of exp(t L) on a trigonometric interpolant in one or two dimensions, at a point, by NumPy's FFT."""
    found = np.fft.fftn(values) / values.size
    time, growth = point[0], np.zeros(values.shape)
    for axis, (low, high) in enumerate(box):
        count = values.shape[axis]
        k = 2 * np.pi / (high - low) * np.fft.fftfreq(count, 1 / count)
        along = np.reshape(k, [count if at == axis else 1 for at in range(values.ndim)])
        growth = growth + rates(along)
        found = found * (1j * along) ** order[axis + 1] * np.exp(1j * along * (point[axis + 1] - low))
    return float(np.real(np.sum(found * growth ** order[0] * np.exp(growth * time))))


@pytest.mark.slow
def test_the_flow_of_an_interpolant_is_that_of_numpy():
    generator = np.random.default_rng(0)
    values = generator.normal(size=(11, 2))
    start = Constraint(
        HardStart(((-0.5, 1.5),), 5, lambda x: [0 * x, 0 * x], (diffusion(0.01), lambda k: 0.05 * k**2 - 1e-3 * k**4))
    )
    found = start.fields(
        start.interpolated(jnp.asarray(values)), jnp.zeros((2, 2)), jnp.asarray([[0.0, 0.123], [0.7, 1.4]])
    )
    rates = (lambda k: -0.01 * k**2, lambda k: 0.05 * k**2 - 1e-3 * k**4)
    expected = [
        [differentiated(values[:, i], start.given.box, rates[i], (0, 0), place) for i in range(2)]
        for place in ((0.0, 0.123), (0.7, 1.4))
    ]
    np.testing.assert_allclose(found, expected, rtol=0, atol=IDENTITY)


@pytest.mark.slow
def test_the_interpolant_in_the_plane_meets_its_nodes_and_diffuses():
    start = Constraint(HardStart(((0.0, 1.0), (-1.0, 1.0)), 3, lambda x, y: [0 * x], (diffusion(0.1),)))
    nodes = start.nodes(jnp.dtype("float64"))
    values = jnp.asarray(np.random.default_rng(1).normal(size=(49, 1)))
    coefficients = start.interpolated(values)
    at_start = start.fields(coefficients, jnp.ones((49, 1)), jnp.insert(nodes, 0, 0.0, axis=1))
    np.testing.assert_allclose(at_start, values, rtol=0, atol=IDENTITY)

    def field(z):
        return start.fields(coefficients, jnp.zeros((len(z), 1)), z)

    places = jnp.asarray(np.random.default_rng(2).uniform(size=(20, 3)))
    heat = {"heat": {"t": 1.0, "xx": -0.1, "yy": -0.1}}
    found = partial_derivatives(field, places, (), ("t", "x", "y"), heat)["heat"]
    np.testing.assert_allclose(found, 0, atol=1e-10)


ORDERS = {1: ["", "t", "x", "xx", "xxx", "xxxx", "tx", "ttxx"], 2: ["", "t", "y", "xy", "xxy", "yyyy", "txx", "ttxy"]}


@pytest.mark.parametrize("dimension", ORDERS)
def test_derivatives_of_a_start_are_those_of_numpy(dimension):
    generator, names = np.random.default_rng(4), ("t", "x", "y")[: dimension + 1]
    box, rates = ((-0.5, 1.5), (0.0, 1.0))[:dimension], (lambda k: -0.01 * k**2, lambda k: 0.02 * k**2 - 1e-4 * k**4)
    values = generator.normal(size=(*(7,) * dimension, 2))
    start = Constraint(HardStart(box, 3, lambda *places: [0 * places[0]] * 2, rates))
    coefficients, places = (
        start.interpolated(jnp.asarray(values.reshape(-1, 2))),
        generator.uniform(size=(5, len(names))),
    )

    operator = {"t": 2.0, "xx": -0.3, "x": 0.7}
    still = ConstrainedFields(start, coefficients, lambda z: jnp.zeros((len(z), 2)), names)
    found = still.derivatives(At(jnp.asarray(places), names), ORDERS[dimension], {"operator": operator})
    # The program of the fields, differentiated, gives the same
    read = partial_derivatives(
        lambda z: start.fields(coefficients, jnp.zeros((len(z), 2)), z),
        jnp.asarray(places),
        ORDERS[dimension],
        names,
        {"operator": operator},
    )

    def expected(word):
        order = [word.count(name) for name in names]
        return np.asarray(
            [[differentiated(values[..., f], box, rates[f], order, place) for f in range(2)] for place in places]
        )

    for word in ORDERS[dimension]:
        np.testing.assert_allclose(found[word], expected(word), rtol=1e-10, atol=1e-9, err_msg=word)
        np.testing.assert_allclose(read[word], expected(word), rtol=1e-10, atol=1e-9, err_msg=word)
    total = sum(factor * expected(word) for word, factor in operator.items())
    np.testing.assert_allclose(found["operator"], total, rtol=1e-10, atol=1e-9)


def test_what_the_network_adds_is_differentiated_beside_the_start():
    """u = B + t N; fields without an initial condition are the network alone."""
    start = Constraint(HardStart(((0.0, 1.0),), 3, lambda x: [0 * x], (diffusion(0.02),)))
    coefficients = jnp.asarray(np.random.default_rng(5).normal(size=(1, 7)))
    places = jnp.asarray(np.random.default_rng(6).uniform(size=(4, 2)))
    names, words, heat = ("t", "x"), ("", "tx", "xxx"), {"heat": {"t": 1.0, "xx": -0.02}}

    def network(z):
        return jnp.stack([z[:, 0] ** 2 * z[:, 1] ** 3, jnp.sin(z[:, 1])], axis=1)

    found = ConstrainedFields(start, coefficients, network, names).derivatives(At(places, names), words, heat)
    alone = ConstrainedFields(start, coefficients, lambda z: 0 * network(z), names)
    base = alone.derivatives(At(places, names), words, heat)
    t, x = places.T
    added = {"": t**3 * x**3, "tx": 9 * t**2 * x**2, "xxx": 6 * t**3, "heat": 3 * t**2 * x**3 - 0.12 * t**3 * x}
    others = {"": jnp.sin(x), "tx": 0 * x, "xxx": -jnp.cos(x), "heat": 0.02 * jnp.sin(x)}
    for word, value in found.items():
        np.testing.assert_allclose(value[:, 0], base[word][:, 0] + added[word], rtol=1e-11, atol=1e-11, err_msg=word)
        np.testing.assert_allclose(value[:, 1], others[word], rtol=1e-11, atol=1e-11, err_msg=word)


def test_the_waves_of_a_start_are_not_differentiated_one_by_one():
    """Sine and cosine of the waves are reduced once along each axis (sines.py), not again for every derivative."""
    start = Constraint(HardStart(((0.0, 1.0), (0.0, 1.0)), 3, lambda x, y: [0 * x], (diffusion(0.1),)))

    def residual(z):
        heat = {"heat": {"t": 1.0, "xx": -0.1, "yy": -0.1}}
        still = ConstrainedFields(start, jnp.ones((1, 7, 7)), lambda z: jnp.zeros((len(z), 1)), ("t", "x", "y"))
        return still.derivatives(At(z, ("t", "x", "y")), (), heat)["heat"]

    text = jax.jit(residual).lower(jnp.ones((5, 3))).compile().as_text()
    assert [text.count(f" {name}(") for name in ("round-nearest-even", "cosine", "sine")] == [2, 0, 0]


def test_at_rest_nothing_moves():
    start = Constraint(HardStart(((0.0, 2.0),), 2, lambda x: [jnp.cos(jnp.pi * x)], (at_rest,)))
    places = jnp.asarray([[0.0, 0.3], [5.0, 0.3]])
    found = start.fields(start.first(places.dtype), jnp.asarray([[7.0], [7.0]]), places)[:, 0]
    np.testing.assert_allclose(found, np.cos(0.3 * np.pi) + np.asarray([0.0, 35.0]), rtol=0, atol=IDENTITY)


def test_the_tail_is_that_of_the_waves_of_numpy():
    generator = np.random.default_rng(3)
    line = Constraint(HardStart(((0.0, 1.0),), 20, lambda x: [0 * x, 0 * x, 0 * x], (at_rest,) * 3))
    values = generator.normal(size=(41, 3)) * np.asarray([1.0, 5.0, 0.0])
    found = []
    for column in values.T:
        waves = np.fft.rfft(column) * np.where(np.arange(21) == 0, 1, 2) / 41
        parts = np.maximum(np.abs(waves.real), np.abs(waves.imag))
        found.append(parts[19:].max() / parts.max() if parts.any() else 0)
    tail = line.tail(line.interpolated(jnp.asarray(values)))
    np.testing.assert_allclose(tail, max(found), rtol=1e-12)
    plane = Constraint(HardStart(((0.0, 1.0), (0.0, 1.0)), 20, lambda x, y: [0 * x], (at_rest,)))
    x, y = np.meshgrid(np.arange(41) / 41, np.arange(41) / 41, indexing="ij")
    for k, expected in ((18, 0.0), (19, 0.25)):
        wave = np.cos(2 * np.pi * x) + 0.25 * np.cos(2 * np.pi * x) * np.sin(2 * np.pi * k * y)
        tail = plane.tail(plane.interpolated(jnp.asarray(wave.reshape(-1, 1))))
        np.testing.assert_allclose(tail, expected, rtol=0, atol=IDENTITY)


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILT_IN)
def test_fields_have_their_initial_condition_whatever_the_network(name):
    module = import_module(f"gradalign.problems.{name}")
    exact = module.problem(module.Settings(start="exact", **BUILT_IN[name]))
    penalised = module.problem(module.Settings(**{k: v for k, v in BUILT_IN[name].items() if k != "start_harmonics"}))
    assert [name for name in penalised.losses if "ic" not in name and name != "bc"] == list(exact.losses)
    given = penalised.sample(jax.random.key(0), {"ic": 30, "bc": 4, "pde": 32}, jnp.dtype("float64"))["ic"]
    dimension = len(exact.coordinates)
    network = architectures.build(NETWORK, exact, jnp.dtype("float64"))
    outputs = network.apply(network.init(jax.random.key(1)), given[:, :dimension])
    start = Constraint(exact.hard_start)
    found = start.fields(start.first(given.dtype), outputs, given[:, :dimension])
    known = given.shape[1] - dimension
    # The Gaussians of Gray-Scott and Ginzburg-Landau are only approximately periodic
    tolerance = {"gray_scott": 5e-4, "ginzburg_landau": 1e-8}.get(name, 1e-11)
    np.testing.assert_allclose(found[:, :known], given[:, dimension:], rtol=0, atol=tolerance)
    np.testing.assert_array_equal(found[:, known:], outputs[:, known:])


def posed(steps=8, **training):
    return specification(
        "gauss_newton",
        steps=steps,
        learning_rate=None,
        problem="korteweg_de_vries",
        points={"pde": 24},
        problem_settings={"start": "exact", "start_harmonics": 12},
        weighting={"scheme": "constant"},
        windows={"count": 2, "network": "warm"},
        **training,
    )


@pytest.mark.slow
def test_a_window_starts_where_the_one_before_ended():
    experiment = build(posed())
    before = jax.jit(experiment.advance)(randomness.stream(3, "points"), experiment.start(3), np.int32(4))
    after = jax.jit(experiment.next_stage)(randomness.stream(3, "parameters"), before)
    nodes = experiment.model.constraint.nodes(jnp.dtype("float64"))
    first, second = (
        experiment.model.values({"network": loop.params, "start": loop.start}, jnp.insert(nodes, 0, t, axis=1))
        for loop, t in ((before, 0.5), (after, 0.0))
    )
    np.testing.assert_allclose(first, second, rtol=0, atol=IDENTITY)
    assert np.max(np.abs(np.asarray(after.start) - np.asarray(before.start))) > 1e-3
    logged = jax.jit(experiment.diagnose)(randomness.stream(3, "points"), after)["start_tail"]
    np.testing.assert_allclose(logged, experiment.model.constraint.tail(after.start), rtol=1e-12)
    solution = experiment.solution(after)
    np.testing.assert_array_equal(solution["start"][0], before.start)
    np.testing.assert_array_equal(solution["start"][1], after.start)


@pytest.mark.slow
def test_steps_on_the_same_points_are_single_steps():
    """Work that they share is computed once per draw; here draws end within and between the calls."""
    experiment = build(posed(points_every=3, own_state=False))
    key, advance, step = randomness.stream(3, "points"), jax.jit(experiment.advance), jax.jit(experiment.step)
    grouped = advance(key, advance(key, experiment.start(3), np.int32(2)), np.int32(5))
    single = experiment.start(3)
    for _ in range(7):
        single, _ = step(key, single)
    assert int(grouped.step) == 7
    for one, other in zip(jax.tree.leaves(grouped), jax.tree.leaves(single), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.slow
def test_a_run_leaves_its_starts_and_is_scored_with_them(tmp_path):
    given = posed()
    reference = replace(line_reference(), problem=given.problem, equation="")
    train(given, reference, tmp_path)
    experiment = build(given)
    like = jax.eval_shape(lambda: experiment.solution(experiment.start(0)))
    solution, _ = load(tmp_path / "parameters" / "seed-7.safetensors", like)
    x = np.linspace(-1, 1, 6)
    predicted = predictor(experiment, {"t": np.asarray([0.0, 0.25, 1.0]), "x": x})(solution)["u"]
    np.testing.assert_allclose(predicted[0], np.cos(np.pi * x), rtol=0, atol=1e-12)
    last = jax.tree.map(lambda leaf: leaf[1], solution)
    expected = experiment.model.values(last, jnp.column_stack([jnp.full(6, 0.5), jnp.asarray(x)]))[:, 0]
    np.testing.assert_allclose(predicted[2], expected, rtol=0, atol=1e-12)


@pytest.mark.slow
def test_one_loss_term_has_no_score():
    experiment = build(posed())
    found = jax.eval_shape(experiment.diagnose, randomness.stream(0, "points"), experiment.start(0))
    assert "gradient_norm/pde" in found
    assert "score_inter_update" in found
    assert not {"score_raw", "score_common_state", "minimum_cosine"} & set(found)
