"""Fourier spaces and the exponential Runge-Kutta step: exact solutions, and orders for each class of operator."""

import numpy as np
import pytest

from gradalign.references.solvers import spectral
from gradalign.references.solvers.spectral import ExponentialStep, Fourier, solve

SYMBOLS = {
    "zero": 0.0,
    "real": -3.0,
    "real and stiff": -40.0,
    "imaginary": 5.0j,
    "imaginary and fast": -20.0j,
    "complex": -2.0 + 6.0j,
}


def bernoulli(symbol, start, t):
    """v of v' = λv - v², v(0) = start: 1/v is linear in exp(-λt)."""
    if symbol == 0:
        return 1 / (1 / start + t)
    return 1 / (1 / symbol + (1 / start - 1 / symbol) * np.exp(-symbol * t))


@pytest.mark.parametrize("kind", SYMBOLS)
def test_order_four_for_every_class_of_operator(kind):
    symbol, start = SYMBOLS[kind], 0.4 + 0.3j
    end = 2.0 if kind != "real and stiff" else 0.1  # later only rounding is left of a stiff decay
    exact = bernoulli(symbol, start, end)
    errors = []
    for count in (32, 64, 128):
        found = solve(np.array([symbol]), lambda v: -(v**2), np.array([start]), [0.0, end], end / count)[-1, 0]
        errors.append(abs(found - exact))
    slopes = np.log2(np.divide(errors[:-1], errors[1:]))
    assert np.all(slopes >= 3.8), (errors, slopes)
    assert errors[-1] < 1e-5 * abs(exact)


def test_weights_agree_with_their_series_near_zero_and_their_formulas_far_from_it():
    small = ExponentialStep.of(np.array([1e-5, -1e-5j]), 1.0)
    z = np.array([1e-5, -1e-5j])
    np.testing.assert_allclose(small.first, 1 / 6 + z / 6, atol=1e-10)
    np.testing.assert_allclose(small.middle, 1 / 6 + z / 12, atol=1e-10)
    np.testing.assert_allclose(small.last, 1 / 6, atol=1e-10)
    np.testing.assert_allclose(small.average, 1 / 2 + z / 8, atol=1e-10)
    z = np.array([-30.0, 25.0j, -10 + 10j])
    large = ExponentialStep.of(z, 1.0)
    np.testing.assert_allclose(large.first, (-4 - z + np.exp(z) * (4 - 3 * z + z**2)) / z**3, rtol=1e-12)
    np.testing.assert_allclose(large.middle, (2 + z + np.exp(z) * (z - 2)) / z**3, rtol=1e-12)
    np.testing.assert_allclose(large.last, (-4 - 3 * z - z**2 + np.exp(z) * (4 - z)) / z**3, rtol=1e-12)
    np.testing.assert_allclose(large.average, (np.exp(z / 2) - 1) / z, rtol=1e-12)
    assert np.max(np.abs(large.first.imag)) > 1e-3  # what a real-valued version would throw away


def test_symbols_of_any_shape_taken_in_blocks(monkeypatch):
    symbol = np.array([[0.0, -3.0, 5.0j], [-40.0, -20.0j, -2.0 + 6.0j]])
    flat = ExponentialStep.of(symbol.ravel(), 0.1)
    monkeypatch.setattr(spectral, "_BLOCK", 4)  # two blocks, the second of which is not full
    shaped = ExponentialStep.of(symbol, 0.1)
    for name in ("whole", "half", "average", "first", "middle", "last"):
        assert getattr(shaped, name).shape == (2, 3)
        np.testing.assert_array_equal(getattr(shaped, name).ravel(), getattr(flat, name))


def test_a_system_is_solved_like_its_parts():
    """Two uncoupled equations in one array of shape (2, 1, 1), and a symbol that broadcasts against it."""
    times, start = [0.0, 0.5, 1.0], np.array([0.4 + 0.3j, 0.2]).reshape(2, 1, 1)
    found = solve(np.array([[-3.0]]), lambda v: -(v**2), start, times, 0.05)
    assert found.shape == (3, 2, 1, 1)
    for part in range(2):
        alone = solve(np.array([-3.0]), lambda v: -(v**2), start[part, 0], times, 0.05)
        np.testing.assert_allclose(found[:, part, 0], alone, rtol=1e-14)


def test_a_coupled_system_has_order_four():
    """u' = -u + u v, v' = -2 v - u², against a much finer solution."""
    symbol, start = np.array([[-1.0], [-2.0]]), np.array([[0.8], [0.5]])

    def coupling(w):
        return np.stack([w[0] * w[1], -(w[0] ** 2)])

    fine = solve(symbol, coupling, start, [0.0, 1.0], 1 / 512)[-1]
    errors = [np.max(np.abs(solve(symbol, coupling, start, [0.0, 1.0], 1 / n)[-1] - fine)) for n in (8, 16, 32)]
    assert np.all(np.log2(np.divide(errors[:-1], errors[1:])) >= 3.8), errors


def test_soliton_of_the_korteweg_de_vries_equation():
    """u = 3c sech²(sqrt(c)/(2δ) (x - ct)) solves ∂u/∂t + u ∂u/∂x + δ² ∂³u/∂x³ = 0; its tails at ±1 are below 1e-12."""
    delta, speed = 0.022, 0.5
    space = Fourier(256, -1.0, 1.0)

    def soliton(x):
        return 3 * speed / np.cosh(np.sqrt(speed) / (2 * delta) * x) ** 2

    found = solve(
        -(delta**2) * (1j * space.wavenumbers) ** 3,
        lambda v: -0.5 * space.derivative(space.pointwise(np.square, v)),
        space.interpolate(soliton),
        [0.0, 0.1, 0.2],
        1e-3,
    )
    x = np.linspace(-0.5, 0.5, 101)
    for t, coefficients in zip((0.0, 0.1, 0.2), found, strict=True):
        np.testing.assert_allclose(space.evaluate(coefficients, x), soliton(x - speed * t), atol=2e-6)


def test_derivatives_and_values_of_trigonometric_polynomials_are_exact():
    space = Fourier(16, 0.0, 3.0)
    k = 2 * np.pi / 3

    def u(x):
        return 2 + np.cos(k * x) - 3 * np.sin(5 * k * x) + np.cos(7 * k * x)

    x = np.linspace(-1, 4, 41)
    v = space.interpolate(u)
    np.testing.assert_allclose(space.evaluate(v, x), u(x), atol=1e-13)
    slope = -k * np.sin(k * x) - 15 * k * np.cos(5 * k * x) - 7 * k * np.sin(7 * k * x)
    np.testing.assert_allclose(space.evaluate(space.derivative(v), x), slope, atol=1e-11)
    curvature = -(k**2) * np.cos(k * x) + 75 * k**2 * np.sin(5 * k * x) - 49 * k**2 * np.cos(7 * k * x)
    np.testing.assert_allclose(space.evaluate(space.derivative(v, 2), x), curvature, atol=1e-10)


@pytest.mark.parametrize("degree", [2, 3])
def test_powers_are_free_of_aliasing(degree):
    space = Fourier(16, -1.0, 1.0)
    random = np.random.default_rng(0)
    v = random.normal(size=9) + 1j * random.normal(size=9)
    v[0], v[-1] = v[0].real, 0
    full = np.concatenate([np.conj(v[:0:-1]), v])  # k = -8..8
    power = full
    for _ in range(degree - 1):
        power = np.convolve(power, full)
    exact = power[len(power) // 2 :][:9].copy()
    exact[-1] = 0
    np.testing.assert_allclose(space.pointwise(lambda u: u**degree, v, degree), exact, atol=1e-12)
    aliased = space.pointwise(lambda u: u**degree, v, degree=1)
    assert np.max(np.abs(aliased - exact)) > 0.1


def test_times_may_be_uneven_and_need_not_be_multiples_of_the_step():
    times = [0.0, 0.1, 0.25, 1.0]
    found = solve(np.array([-1.0]), lambda v: -(v**2), np.array([0.5]), times, 0.03)[:, 0]
    np.testing.assert_allclose(found, [bernoulli(-1.0, 0.5, t) for t in times], atol=1e-8)


def test_wrong_arguments_and_blow_up_are_readable():
    one = np.ones(1)
    with pytest.raises(ValueError, match="allowed: a positive step, increasing times"):
        solve(one, lambda v: v, one, [0.0, 0.0], 0.1)
    with pytest.raises(ValueError, match="allowed: a positive step"):
        solve(one, lambda v: v, one, [0.0, 1.0], 0.0)
    with pytest.raises(ValueError, match="5 modes; allowed: even numbers"):
        Fourier(5, 0.0, 1.0)
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.raises(FloatingPointError, match=r"not finite at t = 2.0; .* make it shorter than 0.5"),
    ):
        solve(one, lambda v: v**9, 9 * one, [0.0, 2.0], 0.5)
