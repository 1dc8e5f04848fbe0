"""Collocation points: inside the box, uniform, one per slab of time, reproducible, traceable."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gradalign.problems._sampling import lattice, stratified_in_time, uniform

BOX = ((0.5, 2.0), (-1.0, 3.0), (4.0, 4.0))


@pytest.mark.parametrize("draw", [uniform, stratified_in_time, lattice])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_points_fill_the_box_evenly(draw, dtype):
    points = np.asarray(jax.jit(lambda key: draw(key, BOX, 4096, jnp.dtype(dtype)))(jax.random.key(0)))
    assert points.shape == (4096, 3)
    assert points.dtype == dtype
    for column, (low, high) in zip(points.T, BOX, strict=True):
        assert np.all((column >= low) & (column <= high))
        # Mean of 4096 uniform draws: deviation (high - low) / sqrt(12 * 4096) = 0.0045 of the side; five times that.
        assert abs(np.mean(column) - (low + high) / 2) <= 0.0225 * (high - low)
    correlation = np.corrcoef(points[:, 0], points[:, 1])[0, 1]
    assert abs(correlation) < 5 / np.sqrt(4096)


@pytest.mark.parametrize("draw", [stratified_in_time, lattice])
@pytest.mark.parametrize("count", [1, 7, 1024])
def test_points_come_sorted_with_one_in_each_slab(draw, count):
    points = np.asarray(draw(jax.random.key(1), BOX, count, jnp.dtype("float64")))
    assert np.all(np.diff(points[:, 0]) >= 0)
    slabs = (points[:, 0] - 0.5) / 1.5 * count
    np.testing.assert_array_equal(np.floor(slabs), np.arange(count))


def test_the_lattice_is_the_golden_one_in_the_plane_and_that_of_the_plastic_number_in_space():
    for box, ratio in ((((0.0, 1.0),) * 2, (1 + 5**0.5) / 2), (((0.0, 1.0),) * 3, 1.324717957244746)):
        points = np.asarray(lattice(jax.random.key(2), box, 50, jnp.dtype("float64")))
        steps = np.asarray([1 / 50, *(ratio**-power for power in range(1, len(box)))])
        np.testing.assert_allclose(np.diff(points, axis=0) % 1, np.broadcast_to(steps, (49, len(box))), atol=1e-13)


def test_means_over_the_lattice_are_closer_to_the_integral():
    def errors(draw):
        keys = jax.random.split(jax.random.key(3), 40)
        points = jax.vmap(lambda key: draw(key, ((0.0, 1.0), (0.0, 1.0)), 1000, jnp.dtype("float64")))(keys)
        values = jnp.exp(points[..., 0]) * (1 + jnp.cos(2 * jnp.pi * points[..., 1]) ** 2)
        return np.sqrt(np.mean((np.mean(values, axis=1) - 1.5 * (np.e - 1)) ** 2))

    assert errors(lattice) < 0.1 * errors(uniform)


def test_float32_rounding_never_leaves_the_box():
    # A third is not a float32: low + (high - low) can round beyond high.
    points = stratified_in_time(jax.random.key(0), ((0.1, 1 / 3),), 100_000, jnp.dtype("float32"))
    assert float(jnp.max(points)) <= np.float32(1 / 3)
    assert bool(jnp.all(jnp.diff(points[:, 0]) >= 0))


def test_keys_decide_the_points():
    draws = [uniform(jax.random.key(seed), BOX, 16, jnp.dtype("float64")) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not bool(jnp.any(draws[0][:, :2] == draws[2][:, :2]))
