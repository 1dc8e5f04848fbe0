"""Input derivatives against closed forms and against JAX's per-point Hessian."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gradalign.base.errors import ConfigurationError
from gradalign.derivatives.partial import partial_derivatives

WORDS = [
    "".join(letters) for order in range(5) for letters in itertools.combinations_with_replacement("txy", order)
]  # all 35 derivatives of three coordinates up to order 4


def waves(z):
    """Two fields with simple derivatives of every order: exp(t/2 + x - y/3) and sin(t + 2x + 3y)."""
    t, x, y = z[:, 0], z[:, 1], z[:, 2]
    return jnp.stack([jnp.exp(t / 2 + x - y / 3), jnp.sin(t + 2 * x + 3 * y)], axis=1)


def waves_derivative(z, word):
    growth = np.prod([{"t": 1 / 2, "x": 1.0, "y": -1 / 3}[letter] for letter in word])
    factor = np.prod([{"t": 1.0, "x": 2.0, "y": 3.0}[letter] for letter in word])
    t, x, y = np.asarray(z, np.float64).T
    sine = np.sin(t + 2 * x + 3 * y + len(word) * np.pi / 2)
    return np.stack([growth * np.exp(t / 2 + x - y / 3), factor * sine], axis=1)


# The largest derivative here is 3^4 sin; float32 keeps about seven digits of it.
@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float64, 1e-10), (jnp.float32, 5e-4)])
def test_all_orders_agree_with_closed_forms(dtype, tolerance):
    points = jax.random.uniform(jax.random.key(0), (7, 3), dtype, -1, 1)
    found = jax.jit(lambda z: partial_derivatives(waves, z, WORDS, names="txy"))(points)
    assert set(found) == set(WORDS)
    for word, value in found.items():
        assert value.dtype == dtype
        np.testing.assert_allclose(value, waves_derivative(points, word), rtol=0, atol=tolerance, err_msg=word)


def test_agrees_with_the_hessian_of_a_network_per_point():
    weights = jax.random.normal(jax.random.key(1), (3, 8)), jax.random.normal(jax.random.key(2), (8, 2))
    points = jax.random.normal(jax.random.key(3), (5, 3))

    def network(z):
        return jnp.tanh(z @ weights[0]) @ weights[1]

    gradients = jax.jit(jax.vmap(jax.jacfwd(lambda z: network(z[None])[0])))(points)
    hessians = jax.jit(jax.vmap(jax.hessian(lambda z: network(z[None])[0])))(points)
    words = [word for word in WORDS if 1 <= len(word) <= 2]
    found = jax.jit(lambda z: partial_derivatives(network, z, words, names="txy"))(points)
    for word, value in found.items():
        place = ["txy".index(letter) for letter in word]
        expected = gradients[..., place[0]] if len(place) == 1 else hessians[..., place[0], place[1]]
        np.testing.assert_allclose(value, expected, rtol=0, atol=1e-10, err_msg=word)


def test_letters_may_come_in_any_order_and_keep_their_spelling():
    points = jax.random.normal(jax.random.key(0), (4, 3))
    found = partial_derivatives(waves, points, ["ytx", "xty"], names="txy")
    np.testing.assert_array_equal(found["ytx"], found["xty"])
    np.testing.assert_allclose(found["ytx"], waves_derivative(points, "txy"), rtol=0, atol=1e-10)


def test_only_what_is_wanted_is_returned():
    assert list(partial_derivatives(waves, jnp.zeros((1, 3)), ["xx"], names="txy")) == ["xx"]
    assert partial_derivatives(waves, jnp.zeros((1, 3)), [], names="txy") == {}


def test_gradients_with_respect_to_parameters_agree_with_reverse_mode():
    points = jax.random.normal(jax.random.key(0), (6, 2))
    weights = {"in": jax.random.normal(jax.random.key(1), (2, 5)), "out": jax.random.normal(jax.random.key(2), (5, 1))}

    def network(params, z):
        return jnp.tanh(z @ params["in"]) @ params["out"]

    def forward(params):
        found = partial_derivatives(lambda z: network(params, z), points, ("t", "xx"))
        return jnp.sum((found["t"] - found["xx"]) ** 2)

    def reverse(params):
        def residual(z):
            u = jax.grad(lambda w: network(params, w[None])[0, 0])
            return u(z)[0] - jax.grad(lambda w: u(w)[1])(z)[1]

        return jnp.sum(jax.vmap(residual)(points) ** 2)

    left, right = jax.jit(jax.grad(forward))(weights), jax.jit(jax.grad(reverse))(weights)
    for name in weights:
        np.testing.assert_allclose(left[name], right[name], rtol=0, atol=1e-10)


def products(function, *arguments):
    """Number of matrix products in the program of ``function``, before compilation."""

    def count(program):
        inner = [value for equation in program.eqns for value in equation.params.values() if hasattr(value, "eqns")]
        assert not any(equation.primitive.name in ("jit", "pjit") for equation in program.eqns)  # these would hide some
        return sum(equation.primitive.name == "dot_general" for equation in program.eqns) + sum(map(count, inner))

    return count(jax.make_jaxpr(function)(*arguments).jaxpr)


@pytest.mark.parametrize(
    ("words", "least"),
    # Two layers; ∂²/∂x² of the coordinates is zero, so the first product is missing for orders above one.
    [(("",), 2), (("", "t"), 4), (("", "t", "x", "xx"), 3 + 4), (("xxxx",), 2 + 5), (("", "t", "x", "tx"), 3 + 4)],
)
def test_nothing_is_computed_twice(words, least):
    weights = jnp.ones((2, 5)), jnp.ones((5, 1))

    def found(w, z):
        return partial_derivatives(lambda c: jnp.tanh(c @ w[0]) @ w[1], z, words)

    assert products(found, weights, jnp.ones((3, 2))) == least


@pytest.mark.parametrize(
    ("words", "operators", "least"),
    # An operator is one stream, with the lower derivatives that it needs: ∂/∂t - ∂²/∂x² needs u and ∂u/∂x.
    [
        ((), {"heat": {"t": 1.0, "xx": -1.0}}, 3 + 3),
        (("", "x"), {"heat": {"t": 1.0, "xx": -1.0}}, 3 + 3),
        ((), {"fourth": {"xx": 1.0, "xxxx": 1.0}}, 2 + 5),
        ((), {"slope": {"t": 1.0, "x": 2.0}}, 2 + 2),
    ],
)
def test_an_operator_is_one_stream(words, operators, least):
    weights = jnp.ones((2, 5)), jnp.ones((5, 1))

    def found(w, z):
        return partial_derivatives(lambda c: jnp.tanh(c @ w[0]) @ w[1], z, words, operators=operators)

    assert products(found, weights, jnp.ones((3, 2))) == least


ACTIVATIONS = {
    "tanh": jnp.tanh,
    "logistic": lambda u: u * jax.lax.logistic(u),
    "sin and cos": lambda u: jnp.sin(u) * jnp.cos(u),
    "powers": lambda u: u**3 - 2 / (3 + u**2) + jnp.square(u),
    "exp": jnp.exp,
    "rules that are not written": lambda u: jnp.sqrt(2 + u) * jnp.log1p(u**2) + jnp.arctan2(u, 1 + u),
    "custom": jax.nn.silu,
    "with a condition": lambda u: jnp.where(u > 0, u**2, jnp.sin(u)),
    "integers": lambda u: u**2 * jnp.floor(9 * u) + (9 * u).astype(int).astype(u.dtype) * u,
    "inner program": jax.jit(lambda u: jnp.tanh(u) + u**2),
    "loop": lambda u: jax.lax.fori_loop(0, 3, lambda i, v: jnp.sin(v) + i, u),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_operation_agrees_with_nested_gradients_per_point(name):
    """Derivatives and operators of a function whose operations receive streams of every order."""
    key, other = jax.random.split(jax.random.key(7))
    weights = 0.4 * jax.random.normal(key, (2, 3)), 0.4 * jax.random.normal(other, (3, 2))
    points = jax.random.uniform(jax.random.key(8), (3, 2), minval=-0.5, maxval=0.5)

    def function(z):
        hidden = ACTIVATIONS[name](jnp.sin(z @ weights[0]) * jnp.exp(z[:, :1]))
        return (hidden @ weights[1]) * hidden[:, :2] / 2

    words = ("", "x", "tx", "xxx")
    operators = {
        "first": {"t": 2.0, "x": -1.0},
        "heat": {"t": 1.0, "xx": jnp.asarray(-0.3)},
        "fourth": {"xxxx": 1.0, "ttxx": 2.0, "ttx": 1.5, "tt": 0.7},
    }
    found = jax.jit(lambda z: partial_derivatives(function, z, words, "tx", operators))(points)

    def nested(word):
        derivative = lambda t, x: function(jnp.stack([t, x])[None])[0]  # noqa: E731
        for letter in word:
            derivative = jax.jacfwd(derivative, argnums="tx".index(letter))
        return jax.vmap(derivative)(*points.T)

    def expected(z):
        del z
        combined = {
            operator: sum(c * nested(word) for word, c in terms.items()) for operator, terms in operators.items()
        }
        return {word: nested(word) for word in words} | combined

    for word, value in jax.jit(expected)(points).items():
        np.testing.assert_allclose(found[word], value, rtol=0, atol=1e-12 * (1 + np.max(np.abs(value))), err_msg=word)


def test_wrong_requests_are_readable():
    with pytest.raises(ConfigurationError, match=r"unknown coordinate 'z'; allowed: t, x"):
        partial_derivatives(lambda z: z, jnp.zeros((1, 2)), ["tz"])
    with pytest.raises(ValueError, match="order 5; allowed: up to 4"):
        partial_derivatives(lambda z: z, jnp.zeros((1, 2)), ["xxxxx"])
    for operators in ({"heat": {}}, {"heat": {"": 1.0}}, {"t": {"xx": 1.0}}):
        with pytest.raises(ValueError, match="allowed: derivatives, and a name that is not wanted"):
            partial_derivatives(lambda z: z, jnp.zeros((1, 2)), ["t"], operators=operators)
    with pytest.raises(ValueError, match="allowed: 3 different letters"):
        partial_derivatives(lambda z: z, jnp.zeros((1, 3)), ["x"])
