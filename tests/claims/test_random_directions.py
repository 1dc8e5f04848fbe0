"""Claim T4: moments and laws of the score of drawn directions."""

import re

import jax
import numpy as np
import pytest
from scipy import stats
from tolerances import IDENTITY, ROUNDING, STANDARD_ERRORS, VARIANCE
from topic_contract import TopicContract

from gradalign.claims import random_directions
from gradalign.diagnostics.alignment import alignment_score, null_deviation, null_value


class TestTopic(TopicContract):
    topic = random_directions
    claims = "T4"
    measured = "scores"

    def test_histograms_have_the_mean_and_the_variance(self, curves):
        for curve in curves:
            if curve.quantity != "density of the score":
                continue
            n, d = (int(number) for number in re.findall(r"\d+", curve.series))
            width = curve.x[1] - curve.x[0]
            assert np.sum(curve.y) * width == pytest.approx(1, abs=IDENTITY)
            mean = np.sum(curve.x * curve.y) * width
            assert mean == pytest.approx(2 / n - 1, abs=width / 2)
            # A bin adds the variance of a uniform law to that of the score
            variance = np.sum((curve.x - mean) ** 2 * curve.y) * width - width**2 / 12
            assert variance == pytest.approx(8 * (n - 1) / n**3 / d, rel=VARIANCE, abs=0)

    def test_variances_follow_the_effective_dimension(self, curves):
        for curve in curves:
            if curve.quantity == "variance of the score":
                n = int(curve.series[4])
                # 10000 draws of a law with kurtosis up to d_eff = 20: four standard errors sqrt(20 / 10000)
                np.testing.assert_allclose(curve.y, 8 * (n - 1) / n**3 / np.array(curve.x), rtol=0.18)


@pytest.mark.parametrize(("n", "d"), [(2, 4), (3, 6), (5, 30)])
def test_T4_random_directions(n, d):
    vectors = np.random.default_rng([4, n, d]).standard_normal((40_000, n, d))
    value = np.asarray(jax.jit(jax.vmap(alignment_score))(vectors))
    assert abs(value.mean() - null_value(n)) < STANDARD_ERRORS * value.std() / 200
    assert np.var(value) == pytest.approx(8 * (n - 1) / n**3 / d, rel=VARIANCE, abs=0)
    assert null_deviation(n, d) ** 2 == pytest.approx(8 * (n - 1) / n**3 / d, rel=ROUNDING, abs=0)
    if n == 2:
        beta = stats.beta((d - 1) / 2, (d - 1) / 2)
        assert stats.kstest((1 + value) / 2, beta.cdf).pvalue > 1e-3
