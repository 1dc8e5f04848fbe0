"""Errors against a reference, with numbers worked out by hand."""

import jax
import numpy as np
import pandas as pd
import pytest
from experiments import line_reference, specification

from gradalign.training import evaluation
from gradalign.training.loop import build
from gradalign.training.runner import train


def test_errors_refuse_what_has_no_relative_error():
    x = {"x": np.arange(3.0)}
    with pytest.raises(ValueError, match="shape"):
        evaluation.errors(np.zeros(3), np.zeros(2), x)
    with pytest.raises(ValueError, match="zero everywhere"):
        evaluation.errors(np.ones(3), np.zeros(3), x)


def test_errors_name_size_and_place():
    reference = line_reference()
    predicted = reference.fields["u"].copy()
    predicted[-1, 1] += 0.5
    found = evaluation.errors(predicted, reference.fields["u"], reference.coordinates)
    # ||u||^2 is 1 + 1/4 + 0 + 1/4 + 1 at each of three times
    assert found["relative_l2"] == pytest.approx(0.5 / np.sqrt(7.5))
    assert found["relative_l2_final_time"] == pytest.approx(0.5 / np.sqrt(2.5))
    assert found["largest_error"] == 0.5
    assert found["largest_error_at"] == "t=1, x=-0.5"


def test_errors_of_stacked_fields():
    grids = {"t": np.asarray([0.0, 1.0]), "x": np.asarray([0.0, 0.5])}
    exact = np.asarray([[[3.0, 0.0], [0.0, 0.0]], [[0.0, 4.0], [1.0, 0.0]]])  # two fields, times, places
    predicted = exact.copy()
    predicted[1, 0, 1] += 0.5
    found = evaluation.errors(predicted, exact, grids)
    assert found["relative_l2"] == pytest.approx(0.5 / np.sqrt(26))
    assert found["relative_l2_final_time"] == 0.0
    assert found["largest_error_at"] == "t=0, x=0.5"
    assert evaluation.relative_l2_in_time(predicted, exact, 2).tolist() == pytest.approx([0.1, 0.0])


def test_a_steady_problem_has_no_error_at_the_last_time():
    found = evaluation.errors(np.asarray([1.0, 2.0]), np.asarray([1.0, 1.0]), {"x": np.asarray([0.0, 1.0])})
    assert np.isnan(found["relative_l2_final_time"])


def test_no_relative_error_at_a_time_where_the_reference_is_zero():
    found = evaluation.relative_l2_in_time(np.asarray([[1.0], [1.5]]), np.asarray([[0.0], [1.0]]), 2)
    assert np.isnan(found[0])
    assert found[1] == 0.5


def test_thinning_leaves_the_times_and_the_places_of_a_coarser_grid():
    reference = line_reference()
    grids, fields = evaluation.thinned(reference, 9)
    assert grids["t"].tolist() == [0, 0.5, 1]
    assert grids["x"].tolist() == [-1, 0, 1]
    np.testing.assert_array_equal(fields["u"], reference.fields["u"][:, ::2])
    assert evaluation.thinned(reference, 15)[1]["u"].shape == (3, 5)


@pytest.mark.parametrize("block", [4, 15, 100])
def test_predictions_do_not_depend_on_the_block(block):
    experiment, reference = build(specification("adam")), line_reference()
    params = experiment.start(0).params
    found = evaluation.predictor(experiment, reference.coordinates, block)(params)["u"]
    t, x = reference.coordinates["t"], reference.coordinates["x"]
    expected = [[float(experiment.network.apply(params, np.asarray([[a, b]]))[0, 0]) for b in x] for a in t]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.slow
def test_evaluation_scores_the_stored_parameters(tmp_path):
    given, reference = specification("adam", steps=4), line_reference()
    train(given, reference, tmp_path)
    table, quantities, in_time, arrays = evaluation.evaluate(given, tmp_path, reference)
    assert table["seed"].tolist() == [0, 7]
    logged = pd.read_csv(tmp_path / "curves.csv").query("quantity == 'error' and step == 4")["value"]
    np.testing.assert_allclose(table["relative_l2"], logged, rtol=1e-12)
    assert quantities["quantity"].tolist() == ["u", "u"]
    np.testing.assert_array_equal(quantities["relative_l2"], table["relative_l2"])
    assert in_time["t"].tolist() == [0, 0.5, 1] * 2
    squares = (
        in_time.assign(share=in_time["relative_l2"] ** 2).groupby("seed")["share"].mean()
    )  # every time has the same norm
    np.testing.assert_allclose(np.sqrt(squares), table["relative_l2"], rtol=1e-12)
    assert set(arrays) == {"t", "x", "reference_u", "predicted_u"}
    evaluation.save_arrays(tmp_path / "fields.npz", arrays)
    with np.load(tmp_path / "fields.npz", allow_pickle=False) as stored:
        np.testing.assert_array_equal(stored["predicted_u"], arrays["predicted_u"])
    jax.tree.map(np.testing.assert_array_equal, arrays["reference_u"], reference.fields["u"])
