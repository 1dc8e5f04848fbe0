"""Claims T27 and T27b as properties of drawn layers, against NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import layer_structure as oracle
from tolerances import CONDITIONED, IDENTITY, INVERSE_ROOTS
from topic_contract import TopicContract

from gradalign.claims import layer_structure as topic
from gradalign.diagnostics.kronecker import best_kronecker
from gradalign.diagnostics.matrices import second_moment

SEED = st.integers(0, 2**32 - 1)


class TestTopic(TopicContract):
    topic = topic
    claims = "T27(a) T27(b) T27b"
    false_in_general = "T27(a)"
    measured = "_moment _best best_kronecker hessian_matrix pinn_rows"


def moment(outputs, inputs):
    return np.asarray(second_moment(jnp.asarray(np.einsum("si,sj->sij", outputs, inputs))))


@given(SEED)
def test_T27_linear_layer(seed):
    generator = np.random.default_rng(seed)
    outputs, inputs = generator.standard_normal((8, 3)), generator.standard_normal((8, 4))
    outputs *= 1 + np.abs(inputs[:, :1])
    F = moment(outputs, inputs)
    split = np.kron(outputs.T @ outputs / 8, inputs.T @ inputs / 8)
    scale = np.linalg.norm(F)
    np.testing.assert_allclose(F - split, oracle.kronecker_covariance(outputs, inputs), atol=IDENTITY * scale)
    expected = oracle.failure_scalar(F, 3, 4)
    found = topic._best(F, 3, 4)
    assert float(found.relative_error) == pytest.approx(expected, abs=CONDITIONED)
    distance = np.linalg.norm(F - np.kron(found.left, found.right)) / scale
    assert distance == pytest.approx(expected, abs=CONDITIONED)
    assert np.linalg.norm(F - split) / scale >= expected - CONDITIONED


@given(SEED)
def test_T27_independent_inputs_and_outputs(seed):
    generator = np.random.default_rng(seed)
    outputs, inputs = generator.standard_normal((5, 3)), generator.standard_normal((6, 4))
    F = moment(np.repeat(outputs, 6, axis=0), np.tile(inputs, (5, 1)))
    np.testing.assert_allclose(F, np.kron(outputs.T @ outputs / 5, inputs.T @ inputs / 6), atol=IDENTITY)
    assert oracle.failure_scalar(F, 3, 4) == pytest.approx(0, abs=INVERSE_ROOTS)  # the root of a rounding error


def test_T27_failure_scalar_of_two_samples():
    F = moment(np.eye(2), np.eye(2))
    np.testing.assert_allclose(F, np.diag([0.5, 0, 0, 0.5]), atol=IDENTITY)
    assert oracle.failure_scalar(F, 2, 2) == pytest.approx(np.sqrt(0.5), abs=IDENTITY)
    assert float(best_kronecker(jnp.asarray(F), 2, 2).relative_error) == pytest.approx(np.sqrt(0.5), abs=IDENTITY)


def test_T27b_rows_are_derivatives_of_the_residual():
    rows = topic.pinn_rows()
    generator = np.random.default_rng([27, 3])
    inner = 1.5 * generator.standard_normal((5, 2, topic.WIDTH))
    middle = generator.standard_normal((5, topic.WIDTH, topic.WIDTH)) / np.sqrt(topic.WIDTH)
    outer = generator.standard_normal((5, topic.WIDTH))
    points, step = np.linspace(-1, 1, 20), 1e-4
    for network, point in ((0, 3), (4, 11)):
        for i, j in ((0, 0), (2, 5)):
            shift = np.zeros_like(middle[network])
            shift[i, j] = step
            high, low = (
                oracle.pinn_residual(inner[network], middle[network] + sign * shift, outer[network], points[point])
                for sign in (1, -1)
            )
            expected = (high - low) / (2 * step)
            # Differences of second differences: 1e-16 / (1e-3)^2 / 1e-4
            assert rows["pde"][network, point, i, j] == pytest.approx(expected, abs=1e-5)
            z = middle[network] @ np.tanh(inner[network][0] * points[point] + inner[network][1])
            slope = outer[network][i] * (1 - np.tanh(z[i]) ** 2)
            assert rows["bc"][network, point, i, j] == pytest.approx(
                slope * rows["h"][network, point, 0, j], abs=IDENTITY
            )


def test_T27b_ranks():
    rows = topic.pinn_rows()
    pde = np.linalg.svd(rows["pde"], compute_uv=False)
    bc = np.linalg.svd(rows["bc"], compute_uv=False)
    assert np.all(pde[..., 3] < IDENTITY * pde[..., 0])
    assert np.all(pde[..., 2] > INVERSE_ROOTS * pde[..., 0])
    assert np.all(bc[..., 1] < IDENTITY * bc[..., 0])
    outer = sum(np.einsum("ksp,ksi->kspi", rows["b"][:, :, a], rows["h"][:, :, a]) for a in range(3))
    np.testing.assert_allclose(rows["pde"], outer, atol=CONDITIONED)
