"""Claims T24 and T25 as properties of drawn losses, against Newton's steps in NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles import definitions as oracle
from tolerances import CONDITIONED, IDENTITY, INVERSE_ROOTS, ROUNDING
from topic_contract import TopicContract

from gradalign.claims import definitions as topic
from gradalign.claims._batches import misaligned, score
from gradalign.diagnostics.matrices import random_positive_definite, symmetric_power

SEED = st.integers(0, 2**32 - 1)


class TestTopic(TopicContract):
    topic = topic
    claims = "T24 T25 T25a T25b T25c T25d"
    false_in_general = "T24 T25a T25b"
    measured = (
        "trajectories definitions_side_by_side score scores misalignments "
        "_common_state _newton_of_own_states _own_newton _own_soap"
    )


@given(SEED, st.integers(2, 5), st.floats(-0.99, 0.99), st.sampled_from(["hessian", "gauss_newton"]))
def test_T24_reparametrisation(seed, d, target, matrix):
    generator = np.random.default_rng(seed)
    rows = generator.standard_normal((2, 5, d)) / np.sqrt(d)
    solution = generator.standard_normal(d)
    offsets = rows @ solution
    start = solution + 0.3 * generator.standard_normal(d)
    plain = oracle.Losses(rows, offsets, np.eye(d))
    assume(np.linalg.cond(getattr(plain, matrix)(start)) < 100)
    values, directions = oracle.descend(plain, start, matrix, topic.STEP, topic.STEPS)
    assume(abs(oracle.cosine(*directions[0])) < 0.95)
    B = topic.aligning_map(*directions[0], target)
    assume(np.all(values > 1e-12))
    other = oracle.Losses(rows, offsets, B)
    found, mapped = oracle.descend(other, np.linalg.solve(B, start), matrix, topic.STEP, topic.STEPS)
    assert score(mapped[0]) == pytest.approx(target, abs=CONDITIONED)
    np.testing.assert_allclose(found, values, rtol=CONDITIONED, atol=0)
    lengths = np.linalg.norm(directions[0], axis=1)
    np.testing.assert_allclose(np.linalg.norm(mapped[0], axis=1), lengths, rtol=CONDITIONED)
    np.testing.assert_allclose(mapped[0] @ B.T, directions[0], atol=CONDITIONED)


@pytest.mark.parametrize(("method", "matrix"), [("newton", "hessian"), ("gauss_newton", "gauss_newton")])
def test_T24_trajectories_are_those_of_the_oracle(method, matrix):
    found = topic.trajectories(method, 5)
    generator = np.random.default_rng([24, 5])
    rows = generator.standard_normal((topic.PROBLEMS, 2, topic.RESIDUALS, 5)) / np.sqrt(5)
    solution = generator.standard_normal((topic.PROBLEMS, 5))
    start = solution + 0.3 * generator.standard_normal((topic.PROBLEMS, 5))
    for problem in (0, 7):
        for k in (0, 3):  # theta itself, and one of the systems
            B = found.maps[problem, k]
            losses = oracle.Losses(rows[problem], rows[problem] @ solution[problem], B)
            path = oracle.descend(losses, np.linalg.solve(B, start[problem]), matrix, topic.STEP, topic.STEPS)
            np.testing.assert_allclose(found.losses[problem, k], path[0], rtol=CONDITIONED, atol=0)
            np.testing.assert_allclose(found.directions[problem, k], path[1], atol=CONDITIONED)
    other = topic.trajectories("gauss_newton" if method == "newton" else "newton", 5)
    assert found.losses[0, 0, 1, 0] != other.losses[0, 0, 1, 0]


@given(SEED, st.integers(2, 4))
def test_T25b_own_newton_is_one_where_definite(seed, n):
    generator = np.random.default_rng(seed)
    e = generator.standard_normal(5)
    hessians = [random_positive_definite(generator, 5, 100.0) for _ in range(n)]
    directions = np.stack([np.asarray(symmetric_power(jnp.asarray(H), -1.0)) @ (H @ e) for H in hessians])
    assert misaligned(*directions) < CONDITIONED
    np.testing.assert_allclose(directions, np.tile(e, (n, 1)), atol=CONDITIONED)


@given(SEED)
def test_T25b_singular_states_project(seed):
    generator = np.random.default_rng(seed)
    jacobians = generator.standard_normal((1, 2, 3, 7))
    assume(max(np.linalg.cond(J) for J in jacobians[0]) < 100)
    e = generator.standard_normal((1, 7))
    directions, conflict = (np.asarray(part)[0] for part in topic._own_newton(jacobians, e))
    for J, found in zip(jacobians[0], directions, strict=True):
        np.testing.assert_allclose(found, np.linalg.pinv(J.T @ J, rcond=1e-12) @ (J.T @ J @ e[0]), atol=CONDITIONED)
    c = oracle.smallest_angle_cosine(*jacobians[0])
    assert float(conflict) == pytest.approx(c, abs=CONDITIONED)
    assert abs(score(directions)) <= c + CONDITIONED


@given(SEED, st.integers(1, 60))
def test_T25d_own_sign_descent(seed, d):
    pair = np.random.default_rng(seed).standard_normal((2, d))
    assert score(np.sign(pair)) == pytest.approx(oracle.sign_score(*pair), abs=IDENTITY)


@pytest.mark.parametrize("size", [1e-3, 0.1, 1.0, 30.0])
def test_T25_definitions_side_by_side(size):
    # e = (1, 0) and q = (s, +-c): H = 2 diag(s^2 + size, c^2 + size), by symmetry
    s, c = np.cos(np.arccos(-0.6) / 2), np.sin(np.arccos(-0.6) / 2)
    assert s * s - c * c == pytest.approx(-0.6, abs=ROUNDING)
    gradient = np.array([s * s + size, s * c])
    newton = gradient / (2 * np.array([s * s + size, c * c + size]))
    mirror = np.array([1.0, -1.0])
    found = topic.definitions_side_by_side(size)
    assert float(found.raw) == pytest.approx(oracle.cosine(gradient, mirror * gradient), abs=CONDITIONED)
    assert float(found.common_state) == pytest.approx(oracle.cosine(newton, mirror * newton), abs=CONDITIONED)
    assert float(found.own_state) == pytest.approx(1, abs=CONDITIONED)


def test_T25_own_states_jump_where_hessians_become_singular():
    assert float(topic.definitions_side_by_side(0.0).own_state) == pytest.approx(-0.6, abs=CONDITIONED)
    assert float(topic.definitions_side_by_side(1e-6).own_state) == pytest.approx(1, abs=CONDITIONED)


def test_T25c_soap_of_isotropic_errors_is_the_projection():
    generator = np.random.default_rng(3)
    left, right = (random_positive_definite(generator, 3, 10.0) for _ in range(2))
    singular = left @ np.diag([1.0, 1.0, 0.0]) @ left
    e = generator.standard_normal(9)
    for H in (np.kron(left, right), np.kron(singular, right)):
        found = np.asarray(topic._own_soap(H[None, None], e[None]))[0, 0]
        expected = np.linalg.pinv(H, rcond=1e-10, hermitian=True) @ H @ e
        assert misaligned(found, expected) < INVERSE_ROOTS
