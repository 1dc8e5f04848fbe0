"""Networks against a NumPy oracle, their parameter counts, dtypes, and the promises of their initial state."""

import itertools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import networks as oracle

from gradalign.base.errors import ConfigurationError
from gradalign.derivatives.partial import partial_derivatives
from gradalign.networks import architectures, layers
from gradalign.networks.settings import NetworkSettings
from gradalign.problems._contract import Problem, QuarterTurn, Reflection

DOMAIN = ((0.0, 2.0), (-1.0, 3.0))
ARCHITECTURES = ["mlp", "modified_mlp", "pirate_net"]


def problem(periodic=(), fields=("u", "v"), reflection=None, stretching=None):
    """A problem of which only what networks use is set; the sides of its domain differ in length."""
    return Problem(
        name="shape",
        coordinates=("t", "x"),
        fields=fields,
        domain=DOMAIN,
        points=(),
        periodic=periodic,
        reflection=reflection,
        stretching=stretching or {},
    )


def settings(architecture, **changes):
    plain = {"width": 6, "depth": 2, "activation": "tanh"}
    return NetworkSettings(architecture=architecture, **(plain | changes))


def points(dtype=jnp.float64, count=5):
    unit = jax.random.uniform(jax.random.key(7), (count, 2), dtype)
    low, high = (jnp.asarray(side, dtype) for side in zip(*DOMAIN, strict=True))
    return low + (high - low) * unit


def generic(network):
    """Parameters of the network with no entry at its initial value, so that nothing is tested at 0."""
    random = np.random.default_rng(8)
    shapes = jax.eval_shape(network.init, jax.random.key(0))
    return jax.tree.map(lambda leaf: jnp.asarray(0.5 * random.normal(size=leaf.shape), leaf.dtype), shapes)


CASES = [
    *[(architecture, "tanh", (), 0, False) for architecture in ARCHITECTURES],
    *[(architecture, "tanh", ("x",), 4, True) for architecture in ARCHITECTURES],
    ("mlp", "tanh", ("x",), 0, False),
    ("mlp", "tanh", (), 4, False),
    *[("modified_mlp", activation, (), 0, False) for activation in ("swish", "gelu", "sin")],
]


@pytest.mark.parametrize(("architecture", "activation", "periodic", "features", "factorised"), CASES)
def test_agrees_with_the_oracle(architecture, activation, periodic, features, factorised):
    chosen = settings(
        architecture, activation=activation, fourier_features=features, weight_factorisation=factorised, harmonics=3
    )
    network = architectures.build(chosen, problem(periodic), jnp.dtype(jnp.float64))
    params = generic(network)
    frequencies = np.asarray(params["frequencies"]) if features else None
    repeats = ["x" in periodic and name == "x" for name in ("t", "x")]
    expected = [
        oracle.ARCHITECTURES[architecture](
            params, oracle.embed(point, DOMAIN, repeats, 3, frequencies), oracle.ACTIVATIONS[activation]
        )
        for point in np.asarray(points())
    ]
    np.testing.assert_allclose(jax.jit(network.apply)(params, points()), expected, rtol=0, atol=1e-13)


def test_a_stretched_coordinate_enters_by_its_place():
    network = architectures.build(settings("mlp"), problem(stretching={"x": 2.0}), jnp.dtype(jnp.float64))
    params = generic(network)
    embedded = [oracle.embed(point, DOMAIN, [False, False], 1, None, (0, 2.0)) for point in np.asarray(points())]
    expected = [oracle.mlp(params, z, np.tanh) for z in embedded]
    np.testing.assert_allclose(network.apply(params, points()), expected, rtol=0, atol=1e-13)
    derivative = partial_derivatives(lambda z: network.apply(params, z), points(), ("x",), ("t", "x"))["x"]
    step = jnp.asarray([0.0, 1e-5])
    slope = (network.apply(params, points() + step) - network.apply(params, points() - step)) / 2e-5
    np.testing.assert_allclose(derivative, slope, atol=1e-8)  # the step squared, times third derivatives


@pytest.mark.parametrize(("periodic", "features", "factorised"), [*itertools.product([(), ("x",)], [0, 10], [0, 1])])
def test_parameter_counts_are_those_of_the_docstring(periodic, features, factorised):
    w, d, h, F, D, C = 7, 3, 2, 2, 2, len(periodic)

    def q(a, b):
        return a * b + (2 if factorised else 1) * b

    e = D - C + 2 * h * C
    embedding = e * features // 2
    e = features or e
    expected = {
        "mlp": embedding + q(e, w) + (d - 1) * q(w, w) + q(w, F),
        "modified_mlp": embedding + 3 * q(e, w) + (d - 1) * q(w, w) + q(w, F),
        "pirate_net": embedding + 2 * q(e, w) + d * (q(e, w) + q(w, w) + q(w, e) + 1) + q(e, F),
    }
    for architecture, count in expected.items():
        chosen = settings(
            architecture,
            width=w,
            depth=d,
            harmonics=h,
            fourier_features=features,
            weight_factorisation=bool(factorised),
        )
        network = architectures.build(chosen, problem(periodic), jnp.dtype(jnp.float64))
        params = jax.eval_shape(network.init, jax.random.key(0))
        assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count, architecture


@pytest.mark.parametrize("features", [0, 8])
def test_initial_pirate_net_is_linear_in_its_embedding(features):
    network = architectures.build(settings("pirate_net", fourier_features=features), problem(), jnp.dtype(jnp.float64))
    params = network.init(jax.random.key(0))
    assert [float(block["skip"]) for block in params["blocks"]] == [0.0, 0.0]
    frequencies = np.asarray(params["frequencies"]) if features else None
    embedded = np.stack([oracle.embed(p, DOMAIN, [False, False], 1, frequencies) for p in np.asarray(points())])
    expected = embedded @ np.asarray(params["output"]["kernel"])
    np.testing.assert_allclose(network.apply(params, points()), expected, rtol=0, atol=1e-14)
    shifts = jax.jit(jax.grad(lambda p, z: jnp.sum(network.apply(p, z))))(params, points())
    assert all(float(block["skip"]) != 0 for block in shifts["blocks"])  # the skips learn even from zero


@pytest.mark.parametrize("architecture", [*ARCHITECTURES, "spectral"])
@pytest.mark.parametrize("activation", ["tanh", "swish", "gelu", "sin"])
def test_float32_stays_float32_through_derivatives_and_gradients(architecture, activation):
    chosen = settings(
        architecture, activation=activation, fourier_features=4, weight_factorisation=True, depth=1, width=3
    )
    network = architectures.build(chosen, problem(("x",)), jnp.dtype(jnp.float32))

    def gradient(p, z):
        def loss(q):
            found = partial_derivatives(lambda c: network.apply(q, c), z, ("", "t", "xx"))
            return sum(jnp.sum(value**2) for value in found.values())

        return jax.grad(loss)(p)

    def forward(key, z):  # only traced: dtypes need no compilation
        p = network.init(key)
        return p, network.apply(p, z), gradient(p, z)

    found = jax.eval_shape(forward, jax.random.key(0), jax.ShapeDtypeStruct((5, 2), jnp.float32))
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {jnp.dtype(jnp.float32)}


@pytest.mark.parametrize("activation", list(layers.ACTIVATIONS))
def test_no_activation_hides_shared_work(activation):
    """One product per layer and derivative: 4 for u, u_t, u_x, u_xx. Second derivatives of the coordinates vanish, so
    the first layer and the gates need 3."""
    least = {"mlp": 3 + 4 + 4, "modified_mlp": 3 * 3 + 4 + 4, "pirate_net": 3 * 3 + 5 * 4 + 4}
    for architecture, count in least.items():
        network = architectures.build(settings(architecture, activation=activation), problem(), jnp.dtype(jnp.float64))

        def derivatives(params, z, apply=network.apply):
            return partial_derivatives(lambda c: apply(params, c), z, ("", "t", "x", "xx"))

        program = str(jax.make_jaxpr(derivatives)(generic(network), points()))
        assert program.count("dot_general") == count, architecture


def test_float32_and_float64_agree():
    found = {}
    params = generic(architectures.build(settings("pirate_net"), problem(), jnp.dtype(jnp.float64)))
    for dtype in (jnp.float32, jnp.float64):
        network = architectures.build(settings("pirate_net"), problem(), jnp.dtype(dtype))
        found[dtype] = network.apply(
            jax.tree.map(lambda leaf, to=dtype: leaf.astype(to), params), points().astype(dtype)
        )
    np.testing.assert_allclose(found[jnp.float32], found[jnp.float64], rtol=0, atol=1e-5)


@pytest.mark.parametrize("architecture", [*ARCHITECTURES, "spectral"])
def test_periodic_coordinates_are_periodic_with_all_derivatives(architecture):
    chosen = settings(architecture, harmonics=2, depth=1, width=4)
    network = architectures.build(chosen, problem(("x",)), jnp.dtype(jnp.float64))
    params = generic(network)
    z = points(count=3)
    period = jnp.asarray([0.0, DOMAIN[1][1] - DOMAIN[1][0]])
    words = ("", "x", "xx", "xxx")

    @jax.jit
    def derivatives(c):
        return partial_derivatives(lambda y: network.apply(params, y), c, words)

    here, there = derivatives(z), derivatives(z + period)
    for word in words:
        np.testing.assert_allclose(there[word], here[word], rtol=0, atol=1e-11, err_msg=word)
    assert float(jnp.max(jnp.abs(here[""] - derivatives(z + period / 3)[""]))) > 1e-3  # and not constant


@pytest.mark.parametrize("factorised", [False, True])
def test_kernels_start_from_the_normal_distribution_of_glorot(factorised):
    chosen = settings("mlp", width=200, depth=2, weight_factorisation=factorised)
    params = architectures.build(chosen, problem(), jnp.dtype(jnp.float64)).init(jax.random.key(0))
    layer = params["hidden"][1]
    kernel = layer["kernel"] * jnp.exp(layer["log_scale"]) if factorised else layer["kernel"]
    # 40,000 draws: the standard deviation has the relative error 1/sqrt(2 * 40,000) = 0.4 %; 2 % is five times that.
    assert float(jnp.std(kernel)) == pytest.approx(np.sqrt(2 / 400), rel=0.02)
    assert abs(float(jnp.mean(kernel))) < 5 * np.sqrt(2 / 400 / 40000)
    if factorised:
        assert float(jnp.mean(layer["log_scale"])) == pytest.approx(1.0, abs=5 * 0.1 / np.sqrt(200))
        assert float(jnp.std(layer["log_scale"])) == pytest.approx(0.1, rel=0.25)


def test_layers_and_seeds_differ_and_the_same_seed_repeats():
    network = architectures.build(settings("modified_mlp", depth=3), problem(), jnp.dtype(jnp.float64))
    one, again, other = (network.init(jax.random.key(seed)) for seed in (0, 0, 1))
    assert jax.tree.all(jax.tree.map(lambda a, b: bool(jnp.all(a == b)), one, again))
    assert not bool(jnp.any(one["output"]["kernel"] == other["output"]["kernel"]))
    assert not bool(jnp.any(one["gates"][0]["kernel"] == one["gates"][1]["kernel"]))
    assert not bool(jnp.any(one["hidden"][1]["kernel"] == one["hidden"][2]["kernel"]))


@pytest.mark.parametrize("architecture", ["mlp", "pirate_net"])
def test_rows_do_not_see_each_other(architecture):
    network = architectures.build(settings(architecture), problem(), jnp.dtype(jnp.float64))
    params = generic(network)
    together = jax.jit(network.apply)(params, points())
    alone = jnp.concatenate([jax.jit(network.apply)(params, point[None]) for point in points()])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-14)


def test_a_symmetric_network_is_the_mean_of_its_mirror_images():
    reflected = problem(reflection=Reflection("x", 0.4, (1, -1)))
    plain = architectures.build(settings("mlp"), reflected, jnp.dtype("float64"))
    symmetric = architectures.build(settings("mlp", symmetric=True), reflected, jnp.dtype("float64"))
    params, z = generic(plain), points()
    mirrored = np.stack([z[:, 0], 0.8 - z[:, 1]], axis=1)
    found, image = symmetric.apply(params, z), symmetric.apply(params, jnp.asarray(mirrored))

    def expected(places):
        embedded = [oracle.embed(point, DOMAIN, [False, False], 1, None) for point in places]
        return np.asarray([oracle.mlp(params, z, oracle.ACTIVATIONS["tanh"]) for z in embedded])

    np.testing.assert_allclose(found, (expected(np.asarray(z)) + expected(mirrored) * [1, -1]) / 2, rtol=0, atol=1e-13)
    np.testing.assert_allclose(image, found * jnp.asarray([1.0, -1.0]), rtol=0, atol=1e-13)
    assert float(jnp.min(jnp.abs(found))) > 1e-3
    with pytest.raises(ConfigurationError, match="shape has no known symmetry"):
        architectures.build(settings("mlp", symmetric=True), problem(), jnp.dtype("float64"))


def test_a_network_with_a_quarter_turn_is_the_mean_of_its_turned_images():
    """A = u + iv with A(t, -y, x) = -i A(t, x, y), in complex numbers."""
    plane = replace(
        problem(),
        quarter_turn=QuarterTurn(("x", "y"), (1, 0), (1, -1)),
        coordinates=("t", "x", "y"),
        domain=(DOMAIN[0], (-1.0, 1.0), (-1.0, 1.0)),
    )
    plain = architectures.build(settings("mlp"), plane, jnp.dtype("float64"))
    symmetric = architectures.build(settings("mlp", symmetric=True), plane, jnp.dtype("float64"))
    params, (t, x, y) = generic(plain), np.random.default_rng(1).uniform(-0.9, 0.9, (3, 7))

    def value(network, x, y):
        return np.asarray(network.apply(params, jnp.asarray(np.stack([t, x, y], axis=1)))) @ [1, 1j]

    images = [(x, y), (-y, x), (-x, -y), (y, -x)]
    expected = np.mean([1j**k * value(plain, *image) for k, image in enumerate(images)], axis=0)
    np.testing.assert_allclose(value(symmetric, x, y), expected, rtol=0, atol=1e-13)
    np.testing.assert_allclose(value(symmetric, -y, x), -1j * value(symmetric, x, y), rtol=0, atol=1e-13)
    assert np.min(np.abs(expected)) > 1e-3


@pytest.mark.parametrize(("parities", "centre"), [((0, 0), DOMAIN[1][0]), ((1, -1), 0.4)])
def test_a_spectral_network_is_a_fourier_series_with_coefficients_of_time(parities, centre):
    shape = problem(("x",), reflection=Reflection("x", 0.4, (1, -1)))
    chosen = settings("spectral", harmonics=3, symmetric=0 not in parities)
    network = architectures.build(chosen, shape, jnp.dtype("float64"))
    params, z = generic(network), points()
    expected = [
        oracle.spectral(params, t - 1, x - centre, 4.0, 3, parities, oracle.ACTIVATIONS["tanh"])  # t - 1: t on [-1, 1]
        for t, x in np.asarray(z)
    ]
    np.testing.assert_allclose(jax.jit(network.apply)(params, z), expected, rtol=0, atol=1e-13)
    coefficients = len(params["output"]["bias"])
    assert coefficients == (7 if chosen.symmetric else 14)
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert count == (1 * 6 + 6) + (6 * 6 + 6) + (6 * coefficients + coefficients)


@pytest.mark.slow
def test_derivatives_of_a_spectral_network_are_those_of_its_waves():
    network = architectures.build(settings("spectral", harmonics=2), problem(("x",), ("u",)), jnp.dtype("float64"))
    params, z = generic(network), points()
    found = partial_derivatives(lambda c: network.apply(params, c), z, ("", "xxxx", "txx"))
    nested = {"xxxx": (1, 1, 1, 1), "txx": (0, 1, 1)}
    for word, order in nested.items():
        function = lambda c: network.apply(params, c[None])[0, 0]  # noqa: E731
        for index in order:
            function = lambda c, f=function, i=index: jax.grad(f)(c)[i]  # noqa: E731
        np.testing.assert_allclose(found[word][:, 0], jax.vmap(function)(z), rtol=0, atol=1e-10, err_msg=word)


def test_a_spectral_network_starts_at_zero_with_biases_that_are_none():
    network = architectures.build(
        settings("spectral", harmonics=2, width=400), problem(("x",), ("u",)), jnp.dtype("float64")
    )
    params = network.init(jax.random.key(0))
    assert not bool(jnp.any(network.apply(params, points())))
    bias = params["hidden"][0]["bias"]
    assert float(jnp.max(jnp.abs(bias))) < 1
    # 400 draws of U(-1, 1): their standard deviation, 1/sqrt(3), has an error of 0.013, and their mean one of 0.029
    assert float(jnp.std(bias)) == pytest.approx(1 / np.sqrt(3), abs=5 * 0.013)
    assert abs(float(jnp.mean(bias))) < 5 * 0.029
    assert not bool(jnp.any(params["hidden"][1]["bias"]))


@pytest.mark.parametrize(("periodic", "found"), [((), "0 periodic"), (("t", "x"), "2 periodic")])
def test_a_spectral_network_needs_one_periodic_coordinate(periodic, found):
    with pytest.raises(ConfigurationError, match=found):
        architectures.build(settings("spectral"), problem(periodic), jnp.dtype("float64"))


@pytest.mark.parametrize("architecture", ["mlp", "modified_mlp", "pirate_net"])
@pytest.mark.parametrize("periodic", [(), ("x",)])
def test_one_point_has_the_fields_of_its_row(architecture, periodic):
    posed = problem(periodic)
    network = architectures.build(settings(architecture, fourier_features=4), posed, jnp.dtype(jnp.float64))
    params = generic(network)
    points = jax.random.uniform(jax.random.key(1), (5, len(posed.coordinates)), jnp.float64)
    alone = jnp.stack([network.apply(params, point) for point in points])
    # Products with a vector and with a matrix round differently
    np.testing.assert_allclose(alone, network.apply(params, points), rtol=0, atol=1e-13)
