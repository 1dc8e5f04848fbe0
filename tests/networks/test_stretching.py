"""Stretched coordinates against NumPy; they change neither the faces nor the mean squares."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import stretching as oracle
from tolerances import IDENTITY

from gradalign.networks import stretching

SIDES = [(0.0, 1.0), (-1.0, 3.0), (0.1, 1 / 3)]
FACTORS = [0.0, 0.5, 2.5, 4.0]


def uniform(side, count=1001):
    return np.linspace(*side, count)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("factor", FACTORS)
class TestEverySideAndFactor:
    def test_agrees_with_the_oracle(self, side, factor):
        """At the faces, ``place`` amplifies the rounding of z by sinh(2a)/(2a), which is 186 for a = 4."""
        z = uniform(side)
        np.testing.assert_allclose(stretching.moved(jnp.asarray(z), side, factor), oracle.moved(z, *side, factor))
        np.testing.assert_allclose(
            stretching.place(jnp.asarray(z), side, factor), oracle.place(z, *side, factor), atol=1e-11
        )
        np.testing.assert_allclose(
            stretching.share(jnp.asarray(z[1:-1]), side, factor), oracle.share(z[1:-1], *side, factor), rtol=1e-10
        )

    def test_points_that_are_uniform_become_uniform_in_the_place(self, side, factor):
        moved = stretching.moved(jnp.asarray(uniform(side)), side, factor)
        np.testing.assert_allclose(stretching.place(moved, side, factor), np.linspace(-1, 1, 1001), atol=1e-12)

    def test_weighted_means_over_moved_points_are_means_over_the_side(self, side, factor):
        """By the midpoint rule with 20000 points, whose error is of the order of (2a)² / 20000²."""
        low, high = side
        z = low + (high - low) * (np.arange(20000) + 0.5) / 20000
        moved = stretching.moved(jnp.asarray(z), side, factor)
        mean = float(jnp.mean(stretching.share(moved, side, factor) * moved**3))
        np.testing.assert_allclose(mean, (high**4 - low**4) / 4 / (high - low), atol=1e-6)

    @pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
    def test_faces_stay_to_the_last_bit_and_nothing_leaves_the_side(self, side, factor, dtype):
        """Equality of coordinates tells a wall from the lid."""
        low, high = (jnp.asarray(end, dtype) for end in side)
        z = jnp.clip(jnp.asarray(uniform(side, 10001), dtype), low, high)
        moved = jax.jit(lambda z: stretching.moved(z, side, factor))(z)
        assert moved.dtype == dtype
        assert (moved[0], moved[-1]) == (low, high)
        assert bool(jnp.all((moved >= low) & (moved <= high) & (jnp.diff(moved, prepend=low) >= 0)))
        place = stretching.place(moved, side, factor)
        assert place.dtype == stretching.share(moved, side, factor).dtype == dtype
        assert (
            float(jnp.max(jnp.abs(place))) < 1 + 1e-3
        )  # float32 at a = 4: 186 times 6e-8, less rounding of tanh(4); false for NaN


def test_points_beside_a_face_are_as_dense_as_the_docstring_says_and_those_on_it_have_no_weights():
    on_it, beside_it = stretching.share(jnp.asarray([0.0, 1e-15]), (0.0, 1.0), 3.0)
    assert (float(on_it), float(beside_it)) == (1.0, pytest.approx(6 / np.sinh(6), rel=1e-12))


def test_derivatives_of_the_place_are_finite_at_the_faces():
    slope = jax.vmap(jax.grad(lambda z: stretching.place(z, (0.0, 1.0), 2.0)))(jnp.asarray([0.0, 1.0]))
    np.testing.assert_allclose(slope, 2 * np.sinh(4.0) / 4.0, rtol=IDENTITY)  # dζ/dz = 2 / share
