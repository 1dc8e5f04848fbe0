"""Claims T18 and T19 as properties of drawn problems, against Newton's steps in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_vectors import defect, inter_step
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles import newton_steps as oracle
from tolerances import CONDITIONED, IDENTITY, LEADING_ORDER, ROUNDING
from topic_contract import TopicContract

from gradalign.claims import newton_steps as topic
from gradalign.diagnostics.alignment import misalignment
from gradalign.diagnostics.matrices import hessian_matrix, random_positive_definite

SEED = st.integers(0, 2**32 - 1)
SIZE = st.integers(2, 5)


class TestTopic(TopicContract):
    topic = topic
    claims = "T18a T18b T19"
    false_in_general = "T19"
    measured = "score scores misalignments solve newton_flow near_minimiser away_from_minimisers"

    def test_newton_turns_at_full_steps(self, curves):
        late = next(curve for curve in curves if curve.quantity == "late score")
        assert late.y == pytest.approx(np.sign(1 - late.x), abs=ROUNDING)

    def test_points_of_the_orders_lie_on_lines(self, curves):
        for curve in curves:
            if curve.claim == "T19":
                power = 2 if curve.series == "cubic" else 4
                assert curve.y[0] == pytest.approx(curve.x[0] ** power, rel=0.02, abs=0)


def minimiser(seed, d):
    """Coefficients (g, H, T, Q) at a minimiser, H of condition number 10, and a unit vector."""
    generator = np.random.default_rng(seed)
    H = random_positive_definite(generator, d, 10.0)
    T, Q = (oracle.symmetric_tensor(generator, d, order) for order in (3, 4))
    T, Q = T / np.linalg.norm(T), Q / np.linalg.norm(Q)
    u = generator.standard_normal(d)
    return (np.zeros(d), H, T, Q), u / np.linalg.norm(u)


@given(SEED, st.integers(2, 8), st.floats(0.05, 1.95))
def test_T18_newton_inter_step(seed, d, eta):
    assume(abs(eta - 1) > 0.01)
    generator = np.random.default_rng(seed)
    H = random_positive_definite(generator, d, 100.0)
    theta = generator.standard_normal(d)
    g = H @ theta
    after = H @ (theta - eta * np.linalg.solve(H, g))
    assert inter_step(g, after) == pytest.approx(np.sign(1 - eta), abs=CONDITIONED)
    assert inter_step(theta, np.linalg.solve(H, after)) == pytest.approx(np.sign(1 - eta), abs=CONDITIONED)


@pytest.mark.slow
def test_T18_newton_flow_keeps_the_direction_of_the_gradient():
    def loss(theta):  # indefinite: a saddle
        return theta[0] ** 2 - theta[1] ** 2 + theta[0] ** 3 / 3 + jnp.sin(theta[0] * theta[1]) / 4

    start = jnp.asarray([0.4, 0.3])
    before, after, spectra = jax.jit(lambda theta: topic.newton_flow(loss, theta, 0.5, 50))(start)
    x, y = start  # the second derivatives by hand
    mixed = np.cos(x * y) / 4 - x * y * np.sin(x * y) / 4
    hessian = [[2 + 2 * x - y * y * np.sin(x * y) / 4, mixed], [mixed, -2 - x * x * np.sin(x * y) / 4]]
    assert np.asarray(spectra[0]) == pytest.approx(np.linalg.eigvalsh(np.array(hessian, float)), abs=IDENTITY)
    assert spectra[1, 0] < 0 < spectra[1, 1]
    assert np.max(np.abs(spectra[1] - spectra[0])) > 0.01  # those of the other end
    assert float(misalignment([before, after])) < IDENTITY
    assert float(jnp.linalg.norm(after) / jnp.linalg.norm(before)) == pytest.approx(np.exp(-0.5), rel=1e-8, abs=0)


@given(SEED)
def test_T19_polynomials_and_their_steps(seed):
    generator = np.random.default_rng(seed)
    (_, H, T, Q), e = minimiser(seed, topic.DIMENSION)
    g = generator.standard_normal(topic.DIMENSION)
    jet = topic.Jet(*(part[None] for part in (g, H, T, Q)))
    found = jet.gradient(e[None])[0]
    assert found == pytest.approx(oracle.gradient(g, H, T, Q, e), abs=ROUNDING)
    near = 0.01 * e
    assert jet.newton(near[None])[0] == pytest.approx(oracle.newton(g, H, T, Q, near), rel=CONDITIONED, abs=IDENTITY)


def test_T19_derivatives_of_the_polynomials():
    (_, H, T, Q), e = minimiser(0, 3)
    g = np.array([1.0, -2.0, 0.5])

    def loss(e):
        cubic = jnp.einsum("ijk,i,j,k", T, e, e, e) / 6
        return g @ e + e @ H @ e / 2 + cubic + jnp.einsum("ijkl,i,j,k,l", Q, e, e, e, e) / 24

    jet = topic.Jet(*(part[None] for part in (g, H, T, Q)))
    both = jax.jit(lambda e: (jax.grad(loss)(e), hessian_matrix(loss, e)))
    gradient, hessian = both(jnp.asarray(e))
    assert jet.gradient(e[None])[0] == pytest.approx(np.asarray(gradient), abs=ROUNDING)
    assert jet.hessian(e[None])[0] == pytest.approx(np.asarray(hessian), abs=ROUNDING)


@given(SEED, SIZE, st.floats(0.1, 0.8))
def test_T19_order_two_near_a_minimiser(seed, d, eta):
    problem, u = minimiser(seed, d)
    _, H, T, _ = problem
    update, gradient = oracle.update_constant(H, T, u, eta), oracle.gradient_constant(H, T, u, eta)
    # Constants far below the largest ones possible leave the next order visible
    assume(update > 1e-2 * eta**2 and gradient > 1e-3 * eta**4)
    e = 1e-6 * u
    n = oracle.newton(*problem, e)
    after = e - eta * n
    found = defect(n, oracle.newton(*problem, after))
    assert found == pytest.approx(update * 1e-12, rel=LEADING_ORDER, abs=0)
    found = defect(oracle.gradient(*problem, e), oracle.gradient(*problem, after))
    assert found == pytest.approx(gradient * 1e-12, rel=LEADING_ORDER, abs=0)


@given(SEED, SIZE, st.floats(0.1, 0.8))
def test_T19_order_four_without_third_derivatives(seed, d, eta):
    (g, H, T, Q), u = minimiser(seed, d)
    problem = (g, H, 0 * T, Q)
    update, gradient = oracle.quartic_update_constant(H, Q, u, eta), oracle.quartic_gradient_constant(H, Q, u, eta)
    assume(update > 1e-4 * eta**2 and gradient > 1e-6 * eta**4)
    e = 1e-3 * u
    n = oracle.newton(*problem, e)
    after = e - eta * n
    found = defect(n, oracle.newton(*problem, after))
    assert found == pytest.approx(update * 1e-12, rel=LEADING_ORDER, abs=0)
    found = defect(oracle.gradient(*problem, e), oracle.gradient(*problem, after))
    assert found == pytest.approx(gradient * 1e-12, rel=LEADING_ORDER, abs=0)


@pytest.mark.parametrize(("order", "power"), [(2, 2), (4, 4)])
def test_T19_the_laws_of_the_records(order, power):
    """The leading terms that the records compare with are those of the oracle."""
    generator = np.random.default_rng([19, order // 2])
    jet = topic.minimiser(generator, order)
    direction = generator.standard_normal((topic.PROBLEMS, topic.DIMENSION))
    eta = generator.uniform(0.1, 0.8, (topic.PROBLEMS, 1))[:, 0]
    laws = {
        2: {"updates": oracle.update_constant, "gradients": oracle.gradient_constant},
        4: {"updates": oracle.quartic_update_constant, "gradients": oracle.quartic_gradient_constant},
    }[order]
    tensors = {2: jet.T, 4: jet.Q}[order]
    for kind, law in laws.items():
        for k in range(topic.PROBLEMS):
            u = direction[k] / np.linalg.norm(direction[k])
            expected = law(jet.H[k], tensors[k], u, eta[k]) * topic.LENGTHS**power
            assert topic.near_minimiser(order)[kind][1][:, k] == pytest.approx(expected, rel=CONDITIONED, abs=0)


@given(SEED, SIZE)
def test_T19_full_steps_lose_the_direction(seed, d):
    problem, u = minimiser(seed, d)
    tau = np.linalg.solve(problem[1], oracle.contract(problem[2], u, 2))
    assume(np.linalg.norm(tau) > 0.1)
    e = 1e-6 * u
    n = oracle.newton(*problem, e)
    assert inter_step(n, oracle.newton(*problem, e - n)) == pytest.approx(inter_step(u, tau), abs=LEADING_ORDER)


def test_T19_full_steps_reach_any_cosine():
    cosines = np.array([-0.999, -0.3, 0.0, 0.8])
    jet, e = topic.with_cosines(np.random.default_rng(3), cosines)
    for k, expected in enumerate(cosines):
        assert np.linalg.norm(e[k]) == pytest.approx(1, abs=ROUNDING)
        assert jet.T[k] == pytest.approx(np.transpose(jet.T[k], (2, 0, 1)), abs=ROUNDING)
        assert jet.T[k] == pytest.approx(np.transpose(jet.T[k], (1, 0, 2)), abs=ROUNDING)
        tau = np.linalg.solve(jet.H[k], oracle.contract(jet.T[k], e[k], 2))
        assert inter_step(e[k], tau) == pytest.approx(expected, abs=IDENTITY)


@given(SEED, SIZE)
def test_T19_small_steps_away_from_minimisers(seed, d):
    generator = np.random.default_rng(seed)
    (_, H, T, Q), g = minimiser(seed, d)
    signs = generator.choice([-1.0, 1.0], d)
    values, vectors = np.linalg.eigh(H)
    H = (vectors * signs * np.sqrt(values)) @ vectors.T
    problem = (g, H, T, Q)
    n = np.linalg.solve(H, g)
    bend = oracle.contract(T, n, 2)
    eta = 1e-6
    share = (vectors.T @ g) ** 2
    curvature = signs * np.sqrt(values)
    variance = share @ (curvature - share @ curvature) ** 2
    gradient, update = oracle.across(bend, g), oracle.across(np.linalg.solve(H, bend), n)
    assume(variance > 1e-3 and np.linalg.norm(gradient) > 0.05 and np.linalg.norm(update) > 0.05 * np.linalg.norm(n))
    found = defect(g, oracle.gradient(*problem, -eta * g))
    assert found == pytest.approx(eta**2 / 2 * variance, rel=LEADING_ORDER, abs=0)
    found = defect(n, oracle.newton(*problem, -eta * n))
    assert found == pytest.approx(eta**2 / 2 * (update @ update) / (n @ n), rel=LEADING_ORDER, abs=0)
    found = defect(g, oracle.gradient(*problem, -1e-4 * n))
    assert found == pytest.approx(1e-16 / 8 * (gradient @ gradient), rel=20 * LEADING_ORDER, abs=0)
