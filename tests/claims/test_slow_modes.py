"""Claims T15 and T17 against NumPy: scores at single modes, gradient descent, and the linear PINN."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles import slow_modes as oracle
from tolerances import CONDITIONED, DIFFERENCES, IDENTITY, INVERSE_ROOTS
from topic_contract import TopicContract

from gradalign.claims import slow_modes as topic
from gradalign.claims._batches import scores
from gradalign.claims._linear_residuals import (
    TwoLosses,
    damped_newton,
    descend,
    exponential_pinn,
    legendre_rows,
    newton_directions,
    random_jacobian,
    raw_directions,
    sines,
)

SEED = st.integers(0, 2**32 - 1)


class TestTopic(TopicContract):
    topic = topic
    claims = "T15 T17a T17b"
    false_in_general = "T17a T17b"
    measured = (
        "scores misaligned _loss_gradients descend least_squares_paths pinn_paths two_mode_scores "
        "weighted_condition best_weighting legendre_conflicts"
    )

    def test_signs_along_one_run_are_observations(self, records):
        seen = {record.quantity for record in records if record.status == "observation"}
        assert seen == {
            "A_raw at the start, N = 10",
            "-A_Newton at the start, N = 10",
            "-A_raw after 200000 steps",
            "A_Newton after 200000 steps",
            "A_raw after 200000 steps, N = 10",
        }


@given(SEED, st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_T15_mode_signs(seed, first, second, bottom):
    generator = np.random.default_rng(seed)
    problem = TwoLosses(random_jacobian(generator, 10 ** -generator.uniform(0, 2, first + second), 9), first)
    vectors = np.linalg.eigh(problem.J @ problem.J.T)[1]
    z = vectors[:, 0 if bottom else -1]
    assume(min(np.linalg.norm(z[:first]), np.linalg.norm(z[first:])) > 0.01)
    raw, newton = topic.mode_scores(problem, not bottom)
    assert (raw, newton) == pytest.approx(oracle.closed_form(problem.J, first, bottom), abs=INVERSE_ROOTS)
    assert (raw, newton) == pytest.approx(oracle.raw_and_newton(problem.J, first, z), abs=INVERSE_ROOTS)
    assert scores(raw_directions(problem, z[None]))[0] == pytest.approx(raw, abs=INVERSE_ROOTS)
    assert scores(newton_directions(problem, z[None]))[0] == pytest.approx(newton, abs=INVERSE_ROOTS)
    sign = -1 if bottom else 1
    assert sign * raw >= 0 >= sign * newton


def test_T15_orthogonal_losses_stay_orthogonal():
    problem = TwoLosses(np.diag([1.0, 2.0, 3.0, 4.0]), 2)
    path = descend(problem, np.ones(4), 0.1, 10)
    assert np.max(np.abs(path.raw)) < IDENTITY
    assert np.max(np.abs(path.newton)) < IDENTITY


@given(SEED, st.floats(0.05, 0.95))
def test_T15_paths_are_those_of_the_steps(seed, share):
    generator = np.random.default_rng(seed)
    problem = TwoLosses(random_jacobian(generator, 10 ** -generator.uniform(0, 2, 6), 9), 3)
    start = generator.standard_normal(6)
    eta = 2 * share / np.linalg.norm(problem.J, 2) ** 2
    path = descend(problem, start, eta, 30)
    assert path.steps[[0, -1]].tolist() == [0, 30]
    for step in (1, 7, 30):
        k = int(np.flatnonzero(path.steps == step)[0])
        expected = oracle.gradient_descent(problem.J, start, eta, step)
        assert path.residuals[k] == pytest.approx(expected, abs=CONDITIONED)
        assert path.loss[k] == pytest.approx(expected @ expected / 2, abs=CONDITIONED)
        found = oracle.raw_and_newton(problem.J, 3, expected)
        assert (path.raw[k], path.newton[k]) == pytest.approx(found, abs=INVERSE_ROOTS)
    newton = damped_newton(problem, start, share, 5)
    for step in range(6):
        assert newton.residuals[step] == pytest.approx((1 - share) ** step * start, abs=CONDITIONED)


@pytest.mark.parametrize("orthonormal", [False, True])
@pytest.mark.parametrize("N", [4, 7, 10])
def test_T17_legendre_rows_give_the_exact_quadratic_forms(N, orthonormal):
    boundary, interior = legendre_rows(N, orthonormal)
    values, integrals = oracle.legendre_blocks(N, orthonormal)
    assert boundary.T @ boundary == pytest.approx(values, rel=IDENTITY, abs=IDENTITY)
    assert interior.T @ interior == pytest.approx(integrals, rel=IDENTITY, abs=IDENTITY * integrals.max())
    assert interior[:, 2] == pytest.approx(-12 * (np.sqrt(5) if orthonormal else 1) * interior_weights(N))


def interior_weights(N):
    return np.sqrt(np.polynomial.legendre.leggauss(N)[1] / 2)


@pytest.mark.parametrize(("N", "even", "odd"), [(4, 3, 3), (5, 4, 3), (9, 6, 5), (14, 8, 8)])
def test_T17_angles(N, even, odd):
    plain, orthonormal = (topic.legendre_conflicts(np.array([N]), flag)[0] for flag in (False, True))
    assert plain**2 == pytest.approx(1 - 1 / max(even, odd), abs=IDENTITY)
    assert orthonormal**2 == pytest.approx(
        max(1 - 1 / (even * (2 * even - 1)), 1 - 3 / (odd * (2 * odd + 1))), abs=IDENTITY
    )


@pytest.mark.parametrize("N", [4, 9])
def test_T17_sines_give_the_exact_quadratic_form(N):
    boundary, interior = sines(N)
    for weight in (1.0, 30.0):
        H = oracle.sine_hessian(N, weight)
        assert weight * boundary.T @ boundary + interior.T @ interior == pytest.approx(H, abs=IDENTITY * H.max())
        values = np.linalg.eigvalsh(H)
        found = topic.weighted_condition(boundary, interior, weight)
        assert found == pytest.approx(values[-1] / values[0], rel=DIFFERENCES, abs=0)
    assert topic.best_weighting(N) == pytest.approx(N**4, rel=CONDITIONED, abs=0)


def test_T17_exponential_is_the_solution_of_the_pinn():
    problem, start = exponential_pinn(10)
    coefficients = np.linalg.solve(problem.J, -start)
    u = np.polynomial.Legendre(coefficients, domain=[0, 1])
    x = np.linspace(0, 1, 5)
    assert u(x) == pytest.approx(np.exp(x), abs=CONDITIONED)


def test_T17_gradient_descent_turns_both_signs_and_newton_neither():
    problem, start = exponential_pinn(topic.RUN)
    descent, newton = topic.pinn_paths()["gradient descent"], topic.pinn_paths()["damped Newton"]
    expected = oracle.raw_and_newton(problem.J, 2, start)
    for path in (descent, newton):
        assert (path.raw[0], path.newton[0]) == pytest.approx(expected, abs=DIFFERENCES)
    assert descent.raw[0] > 0.5 > -0.5 > descent.raw[-1]
    assert descent.newton[0] < -0.5 < 0.5 < descent.newton[-1]
    assert topic.two_mode_scores(problem, descent) == pytest.approx((descent.raw[-1], descent.newton[-1]), abs=1e-5)
    assert newton.newton == pytest.approx(np.full(26, expected[1]), abs=DIFFERENCES)
    assert newton.loss / newton.loss[0] == pytest.approx(0.25 ** np.arange(26.0), rel=CONDITIONED, abs=0)
