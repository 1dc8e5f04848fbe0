"""Claims T12 and T13 as properties of drawn two-loss problems, against NumPy."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles import conditioning as oracle
from tolerances import CONDITIONED, DIFFERENCES, IDENTITY, INVERSE_ROOTS
from topic_contract import TopicContract

from gradalign.claims import conditioning as topic
from gradalign.claims._batches import scores
from gradalign.claims._checks import checked, checks_of
from gradalign.claims._linear_residuals import TwoLosses, random_jacobian, raw_directions

SEED = st.integers(0, 2**32 - 1)
ROWS = st.integers(1, 4)


class TestTopic(TopicContract):
    topic = topic
    claims = "T12 T13a T13b T13c T13d"
    false_in_general = "T13d"
    measured = "conditions descent_step newton_step _conflicts scores score_certificate best_weights"

    def test_records_belong_to_known_problems(self):
        sizes = [(problem.first, len(problem.J) - problem.first) for problem in topic.problems()]
        assert set(sizes) == set(topic.SHAPES)
        c, q = topic.irreducible_conflicts(), topic.irreducible_factors()
        for k in range(0, 300, 7):
            problem = topic.problems()[k]
            expected = oracle.conflict(problem.J @ problem.J.T, problem.first)
            assert c[k] == pytest.approx(expected, abs=CONDITIONED)
            assert q[k] == pytest.approx((1 + expected) / (1 - expected), rel=INVERSE_ROOTS, abs=0)

    def test_curves_obey_the_bounds(self, curves):
        q = topic.irreducible_factors()
        found = {curve.series: np.asarray(curve.y) for curve in curves if curve.quantity.startswith("kappa by irr")}
        assert all(np.all(values >= q * (1 - CONDITIONED)) for values in found.values())
        assert found["block whitening"] == pytest.approx(q, rel=INVERSE_ROOTS, abs=0)
        run = topic.certified_run()
        assert run.q < run.best < run.kappa
        assert np.max(run.certificates) > run.q / 2  # close enough to be of use


def problem(seed, first, second):
    generator = np.random.default_rng(seed)
    size = first + second
    return TwoLosses(random_jacobian(generator, 10 ** -generator.uniform(0, 2, size), 8), first), generator


@given(st.floats(0.02, np.pi - 0.02), st.floats(-6, 6))
def test_T12_kappa(angle, log_ratio):
    ratio = np.exp(log_ratio)
    H = topic.two_quadratics(np.full(2, angle), ratio)
    kappa = topic.conditions(H)[0]
    assert kappa == pytest.approx(oracle.two_quadratics_condition(angle, ratio), rel=INVERSE_ROOTS, abs=0)
    trace, determinant = 1 + ratio, ratio * np.sin(angle) ** 2
    assert np.trace(H[0]) == pytest.approx(trace, rel=IDENTITY, abs=0)
    assert np.linalg.det(H[0]) == pytest.approx(determinant, rel=DIFFERENCES, abs=0)
    bound = topic.best_condition(np.array([angle]))[0]
    assert kappa >= bound * (1 - DIFFERENCES)
    assert bound == pytest.approx(oracle.two_quadratics_condition(angle, 1.0), rel=INVERSE_ROOTS, abs=0)
    over_weights = topic.weighted_conditions(np.array([angle]), np.array([ratio]))[0]
    assert over_weights.min() == pytest.approx(bound, rel=DIFFERENCES, abs=0)
    assert over_weights[0] == pytest.approx(
        oracle.two_quadratics_condition(angle, np.exp(-4)), rel=INVERSE_ROOTS, abs=0
    )


@given(st.floats(0.05, np.pi - 0.05), st.floats(-5, 5), SEED)
def test_T12_gradient_descent_rate(angle, log_ratio, seed):
    H = topic.two_quadratics(np.array([angle]), np.exp(log_ratio))[0]
    kappa = oracle.condition(H)
    assume(kappa > 1 + 1e-3)
    error = np.random.default_rng(seed).standard_normal(2)
    after = topic.descent_step(H, error)
    contraction = np.linalg.norm(after) / np.linalg.norm(error)
    assert contraction == pytest.approx((kappa - 1) / (kappa + 1), rel=INVERSE_ROOTS, abs=0)


@given(SEED, ROWS, ROWS)
def test_T13_irreducible(seed, first, second):
    two, generator = problem(seed, first, second)
    K = two.J @ two.J.T
    c = oracle.conflict(K, first)
    q = (1 + c) / (1 - c)
    D = oracle.block_diagonal(
        generator.standard_normal((first, first)) + 2 * np.eye(first), np.exp(generator.uniform(-3, 3)) * np.eye(second)
    )
    assume(np.linalg.cond(D) < 1e3)
    assert topic.squared_conditions([D @ two.J])[0] >= q * (1 - CONDITIONED)
    assert topic.squared_conditions([D @ two.J])[0] == pytest.approx(
        oracle.condition(D @ K @ D.T), rel=INVERSE_ROOTS, abs=0
    )
    whitening = topic.block_whitening(two)
    assert whitening == pytest.approx(
        oracle.block_diagonal(oracle.inverse_root(K[:first, :first]), oracle.inverse_root(K[first:, first:])),
        abs=CONDITIONED,
    )
    assert oracle.condition(whitening @ K @ whitening.T) == pytest.approx(q, rel=INVERSE_ROOTS, abs=0)
    assert topic.conditions((whitening @ two.J)[None].repeat(2, 0))[0] ** 2 == pytest.approx(
        q, rel=INVERSE_ROOTS, abs=0
    )


@given(SEED, ROWS, ROWS)
def test_T13_best_loss_weights(seed, first, second):
    two, _ = problem(seed, first, second)
    K = two.J @ two.J.T
    log, kappa = topic.best_weights([two])
    assert kappa[0] == pytest.approx(oracle.best_weight_condition(K, first), rel=INVERSE_ROOTS, abs=0)
    assert abs(log[0]) < topic.BRACKET / 2
    c = oracle.conflict(K, first)
    blocks = oracle.condition(K[:first, :first]), oracle.condition(K[first:, first:])
    assert kappa[0] >= max((1 + c) / (1 - c), *blocks) * (1 - CONDITIONED)
    if first == second == 1:
        assert kappa[0] == pytest.approx((1 + c) / (1 - c), rel=INVERSE_ROOTS, abs=0)


@pytest.mark.slow
def test_T13_gaussian_problems():
    chosen = topic.gaussian_problems()
    assert len(chosen) == topic.GAUSSIAN
    entries = np.concatenate([problem.J.ravel() for problem in chosen])
    assert np.mean(entries**2) == pytest.approx(1, abs=4 * np.sqrt(2 / entries.size))
    ratios = []
    for two in chosen:
        K = two.J @ two.J.T
        c = oracle.conflict(K, 2)
        ratios.append(oracle.best_weight_condition(K, 2, 2, 6) * (1 - c) / (1 + c))
    (record,) = checked([check for check in checks_of(topic) if "Gaussian" in check.quantity])
    assert record.measured == pytest.approx(np.median(ratios), rel=INVERSE_ROOTS, abs=0)


@given(SEED, ROWS, ROWS)
def test_T13_sandwich(seed, first, second):
    two, _ = problem(seed, first, second)
    K = two.J @ two.J.T
    c = oracle.conflict(K, first)
    q = (1 + c) / (1 - c)
    within = oracle.condition(oracle.block_diagonal(K[:first, :first], K[first:, first:]))
    kappa = topic.squared_conditions([two.J])[0]
    assert max(within, q) * (1 - CONDITIONED) <= kappa <= within * q * (1 + CONDITIONED)


@given(SEED, ROWS, ROWS, st.floats(0.1, 1))
def test_T13_certificate(seed, first, second, power):
    two, generator = problem(seed, first, second)
    r = generator.standard_normal((4, first + second))
    c = oracle.conflict(two.J @ two.J.T, first)
    raw, own = raw_directions(two, r), topic.own_directions(two, r, power)
    for k in range(4):
        one, other = two.J[:first].T @ r[k, :first], two.J[first:].T @ r[k, first:]
        assert abs(oracle.cosine(one, other)) <= c + CONDITIONED
        assert raw[k] == pytest.approx(np.stack([one, other]), abs=IDENTITY)
        # (J_i^T J_i)^-p by the matrix of the parameters' size, on its range
        values, vectors = np.linalg.eigh(two.J[:first].T @ two.J[:first])
        kept = values > 1e-8
        expected = vectors[:, kept] * values[kept] ** -power @ vectors[:, kept].T @ one
        assert own[k, 0] == pytest.approx(expected, rel=INVERSE_ROOTS, abs=INVERSE_ROOTS)
    assert np.all(np.abs(scores(np.concatenate([raw, own]))) <= c + CONDITIONED)
