"""Claim T14 as properties of drawn quadratics, against the steps in NumPy."""

from itertools import pairwise

import numpy as np
import pytest
from drawn_vectors import defect, inter_step
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles import inter_step as oracle
from tolerances import CONDITIONED, IDENTITY, LEADING_ORDER, ROUNDING, STOCHASTIC
from topic_contract import TopicContract

from gradalign.claims import inter_step as topic
from gradalign.diagnostics.matrices import random_positive_definite

SEED = st.integers(0, 2**32 - 1)
SIZE = st.integers(2, 8)


class TestTopic(TopicContract):
    topic = topic
    claims = "T14a T14b T14c T14d T14e"
    false_in_general = "T14b T14e"
    measured = "score misaligned misalignments closed_form update_rates expansion late_gradients stochastic_correlation"

    def test_numbers_that_gradients_were_fitted_to_prove_nothing(self, records):
        fitted = {name: printed for name, (_, printed, _) in topic.EXAMPLES.items()}
        consistent = {record.quantity: record.expected for record in records if record.status == "consistency"}
        assert consistent == {
            f"{kind} 1 - A, {name}, s = {s:g}": number
            for name, printed in fitted.items()
            for (kind, s), number in printed.items()
        }
        assert len(consistent) == 12

    def test_gradient_descent_turns_at_the_threshold(self, curves):
        late = next(curve for curve in curves if curve.quantity == "late score")
        assert late.y == pytest.approx(np.sign(1 - late.x), abs=CONDITIONED)

    def test_the_printed_term_is_too_large(self, curves):
        lines = {(curve.quantity, curve.series): curve.y for curve in curves if curve.quantity.startswith("1 - A")}
        for s in ("0", "0.5"):
            measured, projected, unprojected = (
                lines[f"1 - A, s = {s}", kind] for kind in ("measured", "projected", "unprojected")
            )
            assert measured[0] == pytest.approx(projected[0], rel=0.02, abs=0)
            assert unprojected[0] > 20 * measured[0]


def problem(seed, d, condition=100.0):
    generator = np.random.default_rng(seed)
    H, P = (random_positive_definite(generator, d, condition) for _ in range(2))
    return H, P, generator.standard_normal(d)


@given(SEED, SIZE, st.floats(0.01, 2))
def test_T14_inter_step_formula(seed, d, share):
    H, P, theta = problem(seed, d)
    v = P @ H @ theta
    a, b = topic.update_rates(P @ H, v)
    assume(abs(share - 1) > CONDITIONED)
    eta = share / a
    after = P @ H @ (theta - eta * v)
    assert inter_step(v, after) == pytest.approx(oracle.closed_form(H, P, v, eta), abs=CONDITIONED)
    assert topic.closed_form(eta, a, b) == pytest.approx(oracle.closed_form(H, P, v, eta), abs=CONDITIONED)
    assert (inter_step(v, after) < 0) == (share > 1)


@given(SEED, SIZE)
def test_T14_eigenvectors_and_line_search(seed, d):
    H, _, theta = problem(seed, d)
    values, vectors = np.linalg.eigh(H)
    mode = vectors[:, 0]
    assert defect(mode, mode - 0.7 / values[-1] * H @ mode) < ROUNDING
    g = H @ theta
    assert inter_step(g, g - (g @ g) / (g @ H @ g) * H @ g) == pytest.approx(0, abs=CONDITIONED)
    _, b = topic.update_rates(H, g)
    share = (vectors.T @ g) ** 2 / (g @ g)
    assert b**2 == pytest.approx(share @ (values - share @ values) ** 2, abs=IDENTITY)


@pytest.mark.parametrize(("share", "limit"), [(0.3, 1), (0.95, 1), (1.05, -1), (1.3, -1)])
def test_T14b_gradient_descent_tends_to_plus_or_minus_one(share, limit):
    H = np.diag([0.4, 0.7, 1.0])
    eta = share * 2 / 1.4
    gradients = oracle.gradient_descent(H, np.array([1.0, -0.5, 0.8]), eta, 300)
    found = [defect(one, limit * other) for one, other in pairwise(gradients)]
    assert found[-1] < ROUNDING
    mu = np.sort(np.abs(1 - eta * np.diag(H)))
    top = np.argmax(np.abs(1 - eta * np.diag(H)))
    second = np.argsort(np.abs(1 - eta * np.diag(H)))[-2]
    ratio = (1 - eta * H[second, second]) / (1 - eta * H[top, top])
    assert abs(ratio) == pytest.approx(mu[-2] / mu[-1], abs=ROUNDING)
    t = np.argmax((np.array(found) < 1e-6) & (np.arange(300) > 30))
    y = (gradients[0][second] / gradients[0][top]) ** 2 * ratio ** (2 * t)
    assert (mu[0] / mu[-1]) ** (2 * t) < 1e-3 * abs(ratio) ** (2 * t)  # the third mode is gone
    assert found[t] == pytest.approx(y * (1 - ratio) ** 2 / 2, rel=0.02, abs=0)


@pytest.mark.parametrize("step", [0.1, 0.5, 1.0, 1.6])
def test_T14d_stochastic_gradients_anticorrelate(step):
    generator = np.random.default_rng(7)
    x, noise, found = 0.0, generator.standard_normal(20_000), []
    for xi in noise:
        found.append(x + xi)
        x -= step * found[-1]
    g = np.array(found[100:])
    assert np.mean(g[1:] * g[:-1]) / np.mean(g**2) == pytest.approx(-step / 2, abs=4 / np.sqrt(g.size))
    measured = topic.stochastic_correlation(step, 400_000, np.random.default_rng(0))
    assert measured == pytest.approx(-step / 2, abs=STOCHASTIC)


@given(SEED, st.integers(2, 7), st.floats(0, 0.9))
def test_T14e_projected_expansion(seed, d, s):
    H, _, g = problem(seed, d, 30.0)
    values, vectors = np.linalg.eigh(H)
    w = (vectors * values ** (1 - s)) @ vectors.T @ g
    eta = 1e-4 * np.linalg.norm(g) / np.linalg.norm(w)
    along = g @ w / np.linalg.norm(g)
    across = w - along * g / np.linalg.norm(g)
    assume(np.linalg.norm(across) > 0.01 * np.linalg.norm(w))
    found = defect(g, g - eta * w)
    assert found == pytest.approx(oracle.defect(g, g - eta * w), rel=1e-6, abs=0)
    projected, unprojected = topic.expansion(g, w, eta)
    assert projected == pytest.approx(eta**2 / 2 * (across @ across) / (g @ g), rel=CONDITIONED, abs=0)
    assert found == pytest.approx(projected, rel=LEADING_ORDER, abs=0)
    assert found <= unprojected * (1 + LEADING_ORDER)
    factor = 1 + along**2 / (across @ across)
    assert unprojected / projected == pytest.approx(factor, rel=CONDITIONED, abs=0)
    assert (across @ across) / (g @ g) <= (values[-1] ** (1 - s) - values[0] ** (1 - s)) ** 2 / 4 + IDENTITY


@pytest.mark.parametrize("name", sorted(topic.EXAMPLES))
@pytest.mark.parametrize("s", [0.0, 0.5, 1.0])
def test_T14e_worked_example(name, s):
    weights, printed, relative = topic.EXAMPLES[name]
    assert sum(weights) == pytest.approx(1, abs=ROUNDING)
    H = np.diag(topic.SPECTRUM)
    g = np.sqrt(np.array(weights))
    # theta - eta H^-s g changes the gradient by -eta H^(1-s) g
    after = H @ (np.linalg.solve(H, g) - topic.STEP * np.diag(topic.SPECTRUM**-s) @ g)
    if s == 1:
        assert oracle.defect(g, after) < ROUNDING
    else:
        assert oracle.defect(g, after) == pytest.approx(printed["measured", s], rel=relative, abs=0)
        assert printed["unprojected", s] > 5 * printed["measured", s]


def test_T14_late_gradients_of_the_figure(monkeypatch):
    monkeypatch.setattr(topic, "LATE", 3)  # the limit hides how it is reached
    for eta in (0.3, 0.9, 1.6):
        expected = oracle.gradient_descent(np.diag(topic.MODES), topic.MODES_START, eta, 4)[-2:]
        assert inter_step(*topic.late_gradients(eta)) == pytest.approx(inter_step(*expected), abs=IDENTITY)
