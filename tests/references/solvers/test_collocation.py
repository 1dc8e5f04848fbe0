"""Fourier collocation with an odd number of modes: interpolation, aliasing, and agreement with the dealiased space."""

import numpy as np
import pytest
from tolerances import IDENTITY

from gradalign.references.solvers.collocation import Collocation
from gradalign.references.solvers.spectral import Fourier


def test_interpolant_goes_through_its_points_and_is_exact_for_its_modes():
    space = Collocation(15, -1.0, 2.0)

    def wave(x):
        phase = 2 * np.pi * (x + 1) / 3
        return 0.5 + np.cos(7 * phase) - 2 * np.sin(7 * phase) + np.sin(3 * phase)

    coefficients = space.interpolate(wave)
    points = np.linspace(-1, 2, 40)
    assert coefficients.shape == space.wavenumbers.shape == (8,)
    np.testing.assert_allclose(space.evaluate(coefficients, points), wave(points), atol=IDENTITY)
    slope = space.evaluate(1j * space.wavenumbers * coefficients, np.array([0.3]))
    h = 1e-5
    np.testing.assert_allclose(slope, (wave(0.3 + h) - wave(0.3 - h)) / (2 * h), rtol=1e-8)
    rough = space.interpolate(np.abs)
    np.testing.assert_allclose(space.evaluate(rough, space.points), np.abs(space.points), atol=IDENTITY)


@pytest.mark.parametrize(("mode", "alias"), [(3, 6), (4, 7), (5, 5), (7, 1)])
def test_a_product_beyond_the_modes_is_taken_for_a_lower_one(mode, alias):
    space = Collocation(15, 0.0, 1.0)
    wave = space.interpolate(lambda x: np.cos(2 * np.pi * mode * x))
    square = space.pointwise(np.square, wave)  # (1 + cos(2 mode ·))/2, of 15 modes
    expected = np.zeros(8)
    expected[0] += 0.5
    expected[alias] += 0.25
    np.testing.assert_allclose(square, expected, atol=IDENTITY)


def test_without_aliasing_it_is_the_dealiased_space():
    def function(x):
        return np.exp(np.sin(np.pi * x))

    odd, even = Collocation(63, -1.0, 1.0), Fourier(64, -1.0, 1.0)
    first = odd.pointwise(np.square, odd.interpolate(function))
    second = even.pointwise(np.square, even.interpolate(function))
    np.testing.assert_allclose(first, second[:-1], atol=IDENTITY)
    np.testing.assert_allclose(odd.wavenumbers, even.wavenumbers[:-1])


def test_several_times_at_once():
    space = Collocation(5, 0.0, 1.0)
    both = np.stack([space.interpolate(np.cos), space.interpolate(np.sin)])
    assert space.evaluate(both, np.linspace(0, 1, 7)).shape == (2, 7)


@pytest.mark.parametrize("modes", [0, 1, 4, 512])
def test_even_numbers_of_modes_are_refused(modes):
    with pytest.raises(ValueError, match=f"{modes} modes; allowed: odd numbers from 3"):
        Collocation(modes, 0.0, 1.0)
