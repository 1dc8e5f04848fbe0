"""Trigonometric polynomials on a rectangle: exact series, products without aliasing, and order in time."""

import numpy as np
import pytest
from tolerances import IDENTITY

from gradalign.references.solvers.plane import Plane
from gradalign.references.solvers.spectral import solve

BOX = ((-1.0, 2.0), (0.5, 2.5))  # unequal sides: exchanged axes are seen
PLANE = Plane(8, 12, BOX)
KAPPA, MU = 2 * np.pi / 3, np.pi


def u(x, y):
    """A polynomial of the plane with waves in both directions and along the axes."""
    p, q = KAPPA * (x + 1), MU * (y - 0.5)
    return 2 + np.cos(p) - 3 * np.sin(3 * p - 2 * q) + 0.5 * np.cos(2 * p + 5 * q) + np.sin(4 * q)


def u_xyy(x, y):
    p, q = KAPPA * (x + 1), MU * (y - 0.5)
    inner = 3 * 4 * 3 * np.cos(3 * p - 2 * q) + 0.5 * 2 * 25 * np.sin(2 * p + 5 * q)
    return KAPPA * MU**2 * inner


def u_xxy(x, y):
    p, q = KAPPA * (x + 1), MU * (y - 0.5)
    return KAPPA**2 * MU * (-3 * 9 * 2 * np.cos(3 * p - 2 * q) + 0.5 * 4 * 5 * np.sin(2 * p + 5 * q))


def random_field(seed):
    """Coefficients of a real field in all modes of the plane, and all of them, j = -4..3 by k = -6..6."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(8, 12))
    half = np.fft.rfft2(values) / values.size
    half[4] = half[:, -1] = 0
    full = np.fft.fft2(np.fft.irfft2(half, (8, 12)))
    return half, np.fft.fftshift(full)


def convolution(first, second):
    """Coefficients of a product: the plain double sum, without any grid."""
    found = np.zeros(np.add(first.shape, second.shape) - 1, complex)
    for (j, k), value in np.ndenumerate(first):
        found[j : j + second.shape[0], k : k + second.shape[1]] += value * second
    return found


def cut(full, factors):
    """The modes of the plane among those of a product of so many fields, in its own order."""
    j, k = 4 * factors, 6 * factors  # the place of the constant
    kept = np.concatenate([full[j : j + 4, k : k + 7], np.zeros((1, 7)), full[j - 3 : j, k : k + 7]])
    kept[:, -1] = 0
    return kept


def test_values_and_derivatives_are_exact_at_any_point():
    v = PLANE.interpolate(u)
    x, y = np.linspace(-3, 4, 17), np.linspace(-2, 5, 13)
    np.testing.assert_allclose(PLANE.evaluate(v, x, y), u(x[:, None], y), atol=IDENTITY)
    for orders, exact in (((1, 2), u_xyy), ((2, 1), u_xxy)):
        found = PLANE.evaluate(PLANE.derivative(v, *orders), x, y)
        np.testing.assert_allclose(found, exact(x[:, None], y), atol=1e-10)  # terms of 2e3
    both = PLANE.evaluate(np.stack([v, 2 * v])[:, None], x, y)
    assert both.shape == (2, 1, 17, 13)
    np.testing.assert_allclose(both[1, 0], 2 * u(x[:, None], y), atol=IDENTITY)


def test_coefficients_are_those_of_numpy():
    x, y = -1 + 3 * np.arange(8) / 8, 0.5 + 2 * np.arange(12) / 12
    values = u(x[:, None], y)
    np.testing.assert_allclose(PLANE.interpolate(u), np.fft.rfft2(values) / 96, atol=1e-15)
    kappa, mu = PLANE.wavenumbers
    assert (kappa.shape, mu.shape) == ((8, 1), (1, 7))
    np.testing.assert_allclose(kappa[:, 0] / KAPPA, [0, 1, 2, 3, -4, -3, -2, -1])
    np.testing.assert_allclose(mu[0] / MU, np.arange(7))


def test_the_middle_modes_are_zero():
    rough = np.random.default_rng(0).normal(size=(8, 12))
    for v in (PLANE.interpolate(lambda x, y: rough), PLANE.project(lambda x, y: np.exp(x * y), 3, 8)):
        assert not np.any(v[4])
        assert not np.any(v[:, 6])
        assert np.all(v[3, :-1] != 0)


def test_projection_is_exact_for_polynomials_of_the_plane():
    np.testing.assert_allclose(PLANE.project(u, 4, 16), PLANE.interpolate(u), atol=1e-14)


def test_projection_of_a_function_that_is_not_periodic():
    """exp(x) y: coefficients by parts, and the mean of both sides at the jumps."""
    plane = Plane(16, 8, BOX)
    found = plane.project(lambda x, y: np.exp(x) * y, 8, 12)
    kappa, mu = plane.wavenumbers
    along_x = (np.exp(2) - np.exp(-1)) / (3 * (1 - 1j * kappa))
    along_y = np.where(mu == 0, 1.5, 1j / np.where(mu == 0, 1, mu))
    exact = along_x * along_y
    exact[8] = exact[:, -1] = 0
    np.testing.assert_allclose(found, exact, atol=1e-14)
    fine = Plane(256, 8, BOX).project(lambda x, y: np.exp(x) + 0 * y, 64, 16)
    jump = Plane(256, 8, BOX).evaluate(fine, np.array([-1.0, 2.0]), np.array([1.0]))
    np.testing.assert_allclose(jump, (np.exp(-1) + np.exp(2)) / 2, rtol=1e-2)  # as 1/M


def test_products_are_free_of_aliasing():
    (first, full_first), (second, full_second) = random_field(0), random_field(1)
    square = convolution(full_first, full_second)
    product = PLANE.pointwise(lambda f, g: f * g, first, second)
    np.testing.assert_allclose(product, cut(square, 2), atol=1e-15)
    cubic = PLANE.pointwise(lambda f, g: f * g**2, first, second, degree=3)
    np.testing.assert_allclose(cubic, cut(convolution(square, full_second), 3), atol=1e-15)
    aliased = PLANE.pointwise(lambda f, g: f * g**2, first, second, degree=1)
    assert np.max(np.abs(aliased - cubic)) > 1e-2


def test_several_results_of_one_function():
    (first, _), (second, _) = random_field(0), random_field(1)
    found = PLANE.pointwise(lambda f, g: (f * g, f - g), first, second)
    assert found.shape == (2, 8, 7)
    np.testing.assert_allclose(found[0], PLANE.pointwise(np.multiply, first, second), atol=1e-16)
    np.testing.assert_allclose(found[1], first - second, atol=1e-15)


def test_arguments_are_left_as_they_were():
    v, _ = random_field(0)
    before = v.copy()
    PLANE.pointwise(lambda f: np.multiply(f, f, out=f), v)
    PLANE.derivative(v, 1, 1)
    np.testing.assert_array_equal(v, before)


def test_mean_square_is_that_of_the_values():
    v = PLANE.interpolate(u)
    x, y = -1 + 3 * np.arange(24) / 24, 0.5 + 2 * np.arange(36) / 36
    mean = np.mean(PLANE.evaluate(v, x, y) ** 2)
    np.testing.assert_allclose(PLANE.mean_square(np.stack([v, 3 * v])), [mean, 9 * mean], rtol=1e-14)


def test_order_four_in_time_and_spectral_in_space():
    """w = log(3 + decaying waves) solves ∂w/∂t = D Δw + D |∇w|², because exp(w) solves the heat equation."""
    diffusion, end = 0.1, 0.5

    def exact(t, x, y):
        p, q = KAPPA * (x + 1), MU * (y - 0.5)
        mixed = np.exp(-diffusion * (4 * KAPPA**2 + MU**2) * t) * np.sin(2 * p + q)
        return np.log(3 + np.exp(-diffusion * KAPPA**2 * t) * np.cos(p) + mixed)

    def error(modes, step):
        plane = Plane(modes, modes, BOX)
        kappa, mu = plane.wavenumbers

        def steepening(w):
            slopes = plane.derivative(w, 1, 0), plane.derivative(w, 0, 1)
            return diffusion * plane.pointwise(lambda w_x, w_y: w_x**2 + w_y**2, *slopes)

        start = plane.interpolate(lambda x, y: exact(0, x, y))
        found = solve(-diffusion * (kappa**2 + mu**2), steepening, start, [0.0, end], step)[-1]
        x, y = np.linspace(-1, 2, 21), np.linspace(0.5, 2.5, 23)
        return np.max(np.abs(plane.evaluate(found, x, y) - exact(end, x[:, None], y)))

    errors = [error(48, end / count) for count in (5, 10, 20)]
    assert np.all(np.log2(np.divide(errors[:-1], errors[1:])) >= 3.8), errors
    in_space = [error(modes, end / 400) for modes in (12, 24, 48)]
    assert in_space[0] > 30 * in_space[1] > 900 * in_space[2]
    assert in_space[2] < 1e-9


def test_wrong_numbers_of_modes_are_refused():
    for modes in ((5, 8), (8, 5), (2, 8), (8, 2)):
        with pytest.raises(ValueError, match=f"{modes[0]} by {modes[1]} modes; allowed: even numbers from 4"):
            Plane(*modes, BOX)
