"""A diverging run stops alone: the pipeline continues with the others, and says which run failed and why."""

import pandas as pd
import pytest
from tiny_run import Pipeline

pytestmark = [pytest.mark.slow, pytest.mark.endurance]

RUN = {"problem": "burgers", "method": "adam", "network": "burgers", "training": "first_order", "seeds": [0]}
DIVERGING = RUN | {"name": "diverging", "changed": "a step of 1e30", "method_settings": {"learning_rate": 1e30}}


def test_the_pipeline_goes_on_without_a_run_that_diverges(tmp_path):
    pipeline = Pipeline(tmp_path / "pipeline", [DIVERGING, RUN])
    process = pipeline.start("--keep-going", "--until", "train")
    said, _ = process.communicate()
    assert process.returncode == 1, said
    results = pipeline.folder / "results/smoke"
    # Snakemake names the run and its log and, with `show-failed-logs` of our profile, prints the log
    assert said.count("Error in rule train:") >= 1
    assert "results/smoke/logs/runs/diverging.log" in said
    message = (results / "logs/runs/diverging.log").read_text()
    assert "NonFiniteLossError: run 'diverging' stopped at step " in message
    assert "(problem 'burgers', method 'adam', seed 0)" in message
    assert "NonFiniteLossError: run 'diverging' stopped at step " in said
    # The log up to the failure remains, and nothing that looks finished
    log = pd.read_csv(results / "runs/diverging/curves-failed-0.csv")
    assert log["step"].unique().tolist() == [0]
    assert not (results / "runs/diverging/checksums.sha256").exists()
    # The other run is complete
    assert (results / "runs/burgers-adam/checksums.sha256").exists()
    assert pd.read_csv(results / "runs/burgers-adam/runs.csv")["steps"].tolist() == [400]
