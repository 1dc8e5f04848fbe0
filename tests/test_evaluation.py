"""Errors against a reference, with numbers worked out by hand."""

from dataclasses import replace

import jax
import numpy as np
import pandas as pd
import pytest
from experiments import line_reference, specification

from gradalign import evaluation
from gradalign.runs import train
from gradalign.training import build


def test_relative_l2_over_all_fields():
    reference = {"u": np.asarray([3.0, 0.0]), "v": np.asarray([4.0, 0.0])}
    predicted = {"u": np.asarray([3.0, 0.3]), "v": np.asarray([4.0, 0.4])}
    assert evaluation.relative_l2(predicted, reference) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="shape"):
        evaluation.relative_l2({"u": np.zeros(3)}, {"u": np.zeros(2)})
    with pytest.raises(ValueError, match="zero everywhere"):
        evaluation.relative_l2({"u": np.ones(2)}, {"u": np.zeros(2)})


def test_errors_name_size_and_place():
    reference = line_reference()
    predicted = reference.fields["u"].copy()
    predicted[-1, 1] += 0.5
    found = evaluation.errors({"u": predicted}, reference)
    # ||u||^2 is 1 + 1/4 + 0 + 1/4 + 1 at each of three times
    assert found["relative_l2"] == pytest.approx(0.5 / np.sqrt(7.5))
    assert found["relative_l2_final_time"] == pytest.approx(0.5 / np.sqrt(2.5))
    assert found["largest_error"] == 0.5
    assert found["largest_error_at"] == "t=1, x=-0.5"


def test_a_steady_problem_has_no_error_at_the_last_time():
    reference = line_reference()
    steady = replace(reference, coordinates={"x": reference.coordinates["x"]}, fields={"u": reference.fields["u"][0]})
    assert np.isnan(evaluation.errors({"u": reference.fields["u"][0]}, steady)["relative_l2_final_time"])


@pytest.mark.parametrize("block", [4, 15, 100])
def test_predictions_do_not_depend_on_the_block(block):
    experiment, reference = build(specification("adam")), line_reference()
    params = experiment.start(0).params
    found = evaluation.predictor(experiment, reference, block)(params)["u"]
    t, x = reference.coordinates["t"], reference.coordinates["x"]
    expected = [[float(experiment.network.apply(params, np.asarray([[a, b]]))[0, 0]) for b in x] for a in t]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_evaluation_scores_the_stored_parameters(tmp_path):
    given, reference = specification("adam", steps=4), line_reference()
    train(given, reference, tmp_path)
    table, arrays = evaluation.evaluate(given, tmp_path, reference)
    assert table["seed"].tolist() == [0, 7]
    logged = pd.read_csv(tmp_path / "curves.csv").query("quantity == 'error' and step == 4")["value"]
    np.testing.assert_allclose(table["relative_l2"], logged, rtol=1e-12)
    assert set(arrays) == {"t", "x", "reference_u", "predicted_u"}
    evaluation.save_arrays(tmp_path / "fields.npz", arrays)
    with np.load(tmp_path / "fields.npz", allow_pickle=False) as stored:
        np.testing.assert_array_equal(stored["predicted_u"], arrays["predicted_u"])
    jax.tree.map(np.testing.assert_array_equal, arrays["reference_u"], reference.fields["u"])
