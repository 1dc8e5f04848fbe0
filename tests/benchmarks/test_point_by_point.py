"""The baselines of the speed tables: each way of the public codes to take derivatives, against closed forms."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import point_by_point
import pytest

from gradalign.base.discovery import module_names

NAMES = ("t", "x", "y")
POINTS = np.array([[0.3, 0.7, -0.4], [1.1, -0.2, 0.9]])
ORDERS = {word: tuple(map(word.count, NAMES)) for word in ("t", "x", "y", "tt", "xx", "yy", "xxx", "xxxx")}
RULES = {
    "nested gradients": (point_by_point.nested_gradients, tuple(ORDERS)),
    "reverse Jacobian": (point_by_point.reverse_jacobian, ("t", "x", "y")),
    "Hessian": (point_by_point.hessian, ("tt", "xx", "yy")),
    "Hessians": (partial(point_by_point.hessian_by_field, 2), ("xx", "yy")),
    "forward mode": (point_by_point.forward_mode, ("t", "x", "y", "tt", "xx", "yy")),
    "Taylor mode": (point_by_point.taylor_mode, ("x", "xx", "xxx", "xxxx")),
}
WAVES = np.array([[1.0, 2.0, -0.5], [-0.7, 0.6, 1.3]])


def waves(z):
    """The fields sin(k t + l x + m y), a row of wave numbers (k, l, m) for each."""
    return jnp.sin(z @ WAVES.T.astype(z.dtype))


def exact(word):
    """A derivative of order n is the product of its wave numbers times the sine, moved by n quarters of its period."""
    order = ORDERS[word]
    return np.prod(WAVES**order, axis=1) * np.sin(POINTS @ WAVES.T + sum(order) * np.pi / 2)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", RULES)
def test_every_way_gives_the_derivatives_of_waves(name, dtype):
    rule, words = RULES[name]
    points = jnp.asarray(POINTS, dtype)
    found = point_by_point.partial_derivatives({rule: words}, waves, points, ("", *words), NAMES)
    assert {value.dtype.name for value in found.values()} == {dtype}
    np.testing.assert_allclose(found.pop(""), waves(POINTS), atol=1e-6)
    tolerance = {"float64": 1e-12, "float32": 5e-5}[dtype]  # with factors up to 2⁴, and 4! between the orders
    for word in words:
        np.testing.assert_allclose(found[word], exact(word), rtol=0, atol=tolerance)


def test_an_operator_is_the_combination_of_its_derivatives():
    rules = {point_by_point.nested_gradients: ("t",), point_by_point.taylor_mode: ("x", "xx", "xxx")}
    operator = {"linear": {"t": 1.0, "xxx": -0.3}}
    found = point_by_point.partial_derivatives(rules, waves, jnp.asarray(POINTS), ("x",), NAMES, operator)
    assert set(found) == {"x", "linear"}
    np.testing.assert_allclose(found["linear"], exact("t") - 0.3 * exact("xxx"), rtol=0, atol=1e-12)


def test_fields_whose_derivative_no_equation_has_are_not_a_number():
    rules = {partial(point_by_point.hessian_by_field, 1): ("xx",)}
    found = point_by_point.partial_derivatives(rules, waves, jnp.asarray(POINTS), ("xx",), NAMES)["xx"]
    np.testing.assert_allclose(found[:, 0], exact("xx")[:, 0], rtol=0, atol=1e-12)
    assert np.isnan(found[:, 1]).all()


def test_a_derivative_that_an_example_does_not_take_is_refused():
    with pytest.raises(ValueError, match="no rule takes xxx"):
        point_by_point.partial_derivatives(point_by_point.FORWARD, waves, jnp.asarray(POINTS), ("t", "xxx"), NAMES)


def test_both_codes_have_an_example_of_every_problem():
    """Else the table would time nested gradients under the name of a code that does not take them."""
    for examples in point_by_point.EXAMPLES.values():
        assert set(examples) == set(module_names("problems"))


@pytest.mark.parametrize("problem", ["korteweg_de_vries", "kuramoto_sivashinsky"])
@pytest.mark.parametrize("code", point_by_point.EXAMPLES)
def test_derivatives_of_high_order_take_taylor_mode(code, problem):
    taken = point_by_point.EXAMPLES[code][problem]
    assert [rule for rule, words in taken.items() if "xxx" in words] == [point_by_point.taylor_mode]
    assert point_by_point.description(code, problem).endswith("Taylor mode")
