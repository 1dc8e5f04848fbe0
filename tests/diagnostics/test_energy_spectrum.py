"""The radial energy spectrum: Parseval's identity, single waves, and a spectrum known in closed form."""

import numpy as np
import pytest
from oracles import kolmogorov_flow as oracle
from tolerances import IDENTITY, ROUNDING

from gradalign.diagnostics.energy_spectrum import energy_spectrum


def test_the_sum_is_the_mean_kinetic_energy_at_every_time():
    u, v = np.random.default_rng(0).normal(size=(2, 3, 9, 12))
    k, found = energy_spectrum(u, v)
    assert found.shape == (3, len(k))
    np.testing.assert_array_equal(k, np.arange(len(k)))
    assert k[-1] == 7  # the corner, |(4, 6)| = 7.2
    assert np.all(found >= 0)
    np.testing.assert_allclose(found.sum(axis=-1), np.mean(u**2 + v**2, axis=(-2, -1)) / 2, atol=ROUNDING)


# |κ| = 2.24, 2.83 (rounds up), 0 (the mean flow), and 4, which a grid of eight points sees only as (-1)^i
@pytest.mark.parametrize(("wave", "shell", "share"), [((2, -1), 2, 2), ((2, 2), 3, 2), ((0, 0), 0, 1), ((4, 0), 4, 1)])
def test_a_single_wave_is_in_its_shell(wave, shell, share):
    x = np.arange(8) / 8
    cosine = np.cos(2 * np.pi * (wave[0] * x[:, None] + wave[1] * x))
    _, found = energy_spectrum(3 * cosine, 4 * cosine)
    expected = np.zeros_like(found)
    expected[shell] = 25 / 2 / share  # the mean of cos² is 1/2, unless it is 1 at every point
    np.testing.assert_allclose(found, expected, atol=IDENTITY)


def test_the_initial_spectrum_of_kolmogorov_flow():
    """|û|² = (2π|k| a_k)² / 4 for each of k and -k, in closed form; two square grids hold the same spectrum."""
    expected = oracle.initial_spectrum(3.0, 6)
    for count in (16, 26):
        x = np.arange(count) / count
        u, v = oracle.initial_velocity(x[:, None], x[None, :], 3.0, 6)
        k, found = energy_spectrum(u, v)
        np.testing.assert_allclose(found[: len(expected)], expected, atol=ROUNDING)
        np.testing.assert_allclose(found[len(expected) :], 0, atol=ROUNDING)
    assert k[np.argmax(expected)] == 2


def test_shapes_are_checked():
    for shapes in (((4, 4), (4, 5)), ((4,), (4,))):
        with pytest.raises(ValueError, match="allowed: one shape"):
            energy_spectrum(*(np.zeros(shape) for shape in shapes))
