"""What a record does with the arrays that it is given: known answers, and everything that must never be confirmed."""

import math

import numpy as np
import pytest

from gradalign.claims import _checks
from gradalign.claims._records import at_least, at_most, counted, equals, holds, in_band, never, tally, vanishes

WORDS = ("T1", "A statement.", "quantity")
SOUND = {
    "vanishes": lambda values, **more: vanishes(*WORDS, values, 1.0, **more),
    "holds": lambda values, **more: holds(*WORDS, values, 1.0, **more),
    "at_most": lambda values, **more: at_most(*WORDS, values, 0.0, 1.0, **more),
    "at_least": lambda values, **more: at_least(*WORDS, values, 0.0, 1.0, **more),
    "equals": lambda values, **more: equals(*WORDS, values, 0.0, 1.0, **more),
    "never": lambda values, **more: never(*WORDS, np.zeros(np.shape(values)), **({"of": values} | more)),
    "counted": lambda values, **more: counted(*WORDS, np.zeros(np.shape(values)), 0, **({"of": values} | more)),
}


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("values", [[0.5], [0.5, -0.5, 0.0], np.zeros((2, 3)), 0.25])
def test_sound_numbers_are_confirmed(name, values):
    record = SOUND[name](values)
    assert record.verdict == "confirmed"
    assert record.count == np.size(values)


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_no_number_that_is_not_finite_is_confirmed(name, bad, place):
    values = np.zeros(3)
    values[place] = bad
    assert SOUND[name](values).verdict == "violated"
    assert SOUND[name](np.zeros(3), of=values).verdict == "violated"


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("nothing", [[], np.empty(0), np.empty((3, 0))])
def test_no_empty_array_is_confirmed(name, nothing):
    assert SOUND[name](nothing).verdict == "violated"


@pytest.mark.parametrize("name", SOUND)
def test_fewer_draws_than_asked_for_are_not_confirmed(name):
    assert SOUND[name](np.zeros(9), draws=9).verdict == "confirmed"
    assert SOUND[name](np.zeros(9), draws=10).verdict == "violated"


def test_counts_need_what_was_compared():
    assert never(*WORDS, [False], of=[]).verdict == "violated"


def test_arrays_of_several_shapes_are_one_sample():
    ragged = [np.zeros((2, 3)), np.array([-4.0]), [1.0, [2.0, 3.0]]]
    assert vanishes(*WORDS, ragged, 5.0).measured == 4.0
    assert vanishes(*WORDS, ragged, 5.0).count == 10
    assert holds(*WORDS, ragged, 5.0).measured == -4.0
    assert at_most(*WORDS, ragged, 3.0, 0.0).measured == 3.0
    assert equals(*WORDS, ragged, 1.0, 6.0).measured == -4.0


def test_a_negative_number_does_not_vanish():
    assert vanishes(*WORDS, -5.0, 1.0).verdict == "violated"


def test_events_are_counted_and_nothing_else():
    drawn = np.array([0.5, -0.5, -0.1])
    assert never(*WORDS, drawn < 0, of=drawn).verdict == "violated"
    assert counted(*WORDS, drawn < 0, 2, of=drawn).verdict == "confirmed"
    assert counted(*WORDS, drawn < 0, 1, comparison="at least", of=drawn).verdict == "confirmed"
    with pytest.raises(ValueError, match="neither True nor False"):
        counted(*WORDS, [0.5], 0, of=drawn)


def test_means_are_tested_against_their_standard_error():
    sample = np.random.default_rng(0).standard_normal(10_000)
    z = np.mean(sample) / (np.std(sample) / 100)
    assert in_band(*WORDS, sample, 0.0).measured == pytest.approx(abs(z), rel=1e-12)
    assert in_band(*WORDS, [sample, sample + 1], [0.0, 1.0]).measured == pytest.approx(abs(z), rel=1e-9)
    assert in_band(*WORDS, sample, 0.1).verdict == "violated"
    assert in_band(*WORDS, [sample, sample], [0.0, 0.1]).verdict == "violated"
    assert in_band(*WORDS, sample, 0.0, draws=10_001).verdict == "violated"
    assert in_band(*WORDS, np.append(sample, math.nan), 0.0).verdict == "violated"
    assert in_band(*WORDS, np.zeros(100), 0.0).verdict == "violated"  # no spread, no standard error
    assert in_band(*WORDS, [], 0.0).verdict == "violated"


def test_statuses_are_counted_apart():
    statuses = [
        "proven",
        "proven under conditions",
        "false in general",
        "observation",
        "consistency",
        "by construction",
    ]
    assert tally(statuses * 2) == (
        "2 proven, 2 under conditions, 2 counterexamples, 2 observations, 2 consistency checks, 2 by construction"
    )
    assert tally(statuses[::-1]) == (
        "1 proven, 1 under conditions, 1 counterexample, 1 observation, 1 consistency check, 1 by construction"
    )


def test_a_mean_hides_no_bad_number_it_was_made_from():
    assert in_band("T1", "s", "q", [-1.0, 1.0], 0.0, of=[1.0]).verdict == "confirmed"
    assert in_band("T1", "s", "q", [-1.0, 1.0], 0.0, of=[np.nan]).verdict == "violated"


def test_two_checks_of_one_name_are_refused():
    """They are called by name: the records of the first would hold the numbers of the second."""

    def first():
        return 0.0

    def second():
        return 1.0

    second.__name__ = first.__name__
    register = _checks.vanishes("T1", "zero", "largest error", 1e-12)
    register(first)
    with pytest.raises(ValueError, match="two checks named first"):
        register(second)
