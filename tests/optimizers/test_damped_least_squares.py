"""Damped least squares: both forms against NumPy, and the behaviour where a matrix cannot be factorised."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradalign.optimizers._damped_least_squares import BLOCKS, damped, damped_system, norm_factor


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1), st.sampled_from([(7, 3), (3, 7), (4, 4)]), st.floats(1e-3, 10))
def test_primal_and_dual_agree_with_numpy(seed, shape, damping):
    generator = np.random.default_rng(seed)
    jacobian = generator.normal(size=shape)
    residuals, right_side = (generator.normal(size=length) for length in shape)
    matrix = jacobian.T @ jacobian + damping * np.eye(shape[1])
    found = damped(damped_system(jnp.asarray(jacobian)), jnp.asarray(damping))
    # The dual form divides by the damping, which costs a factor of up to 1e3 in cancellation
    np.testing.assert_allclose(
        found.solve(jnp.asarray(right_side)), np.linalg.solve(matrix, right_side), rtol=1e-8, atol=1e-9
    )
    expected = -np.linalg.solve(matrix, jacobian.T @ residuals)
    np.testing.assert_allclose(found.step(jnp.asarray(residuals)), expected, rtol=1e-8, atol=1e-9)
    assert found.damping == damping


@pytest.mark.parametrize("shape", [(400, 301), (301, 400)])
def test_the_bands_of_a_large_gram_matrix(shape):
    assert min(shape) >= 64 * BLOCKS
    jacobian = np.random.default_rng(0).normal(size=shape)
    expected = jacobian.T @ jacobian if shape[0] > shape[1] else jacobian @ jacobian.T
    found = damped_system(jnp.asarray(jacobian)).gram
    np.testing.assert_allclose(np.tril(found), np.tril(expected), rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("shape", [(40, 30), (30, 40)])
def test_the_damping_grows_until_a_singular_matrix_can_be_factorised(shape):
    generator = np.random.default_rng(0)
    jacobian = 1e3 * generator.normal(size=(shape[0], 2)) @ generator.normal(size=(2, shape[1]))  # of rank 2
    residuals = generator.normal(size=shape[0])
    found = damped(damped_system(jnp.asarray(jacobian)), jnp.asarray(1e-30))
    assert 1e-30 < found.damping < 1e-6
    least = np.linalg.norm(residuals - jacobian @ np.linalg.pinv(jacobian, rcond=1e-10) @ residuals)
    # The rounding of J^T J, eps |J|^2, is as large as the damping and leaves some thousandths, depending on LAPACK
    assert np.linalg.norm(residuals + jacobian @ found.step(jnp.asarray(residuals))) < 1.01 * least


def test_a_jacobian_that_is_not_finite_is_not_hidden():
    found = damped(damped_system(jnp.full((3, 2), jnp.nan)), jnp.asarray(1.0))
    assert np.all(np.isnan(found.step(jnp.ones(3))))


@pytest.mark.parametrize("shape", [(7, 3), (3, 7)])
def test_the_factor_of_a_norm_gives_the_length_of_what_the_jacobian_makes(shape):
    jacobian = np.random.default_rng(0).normal(size=shape)
    factor = np.asarray(norm_factor(jnp.asarray(jacobian), 0.01))
    assert np.all(np.triu(factor, 1) == 0)
    shift = 0.01 * np.sum(jacobian**2) / shape[1]
    expected = jacobian.T @ jacobian + shift * np.eye(shape[1])
    np.testing.assert_allclose(factor @ factor.T, expected, rtol=1e-12, atol=1e-12)
