"""A job that the system kills, as it does where memory runs out, cannot say why it ended: the workflow does."""

import os

import pytest
import warm_snakemake
from tiny_run import ROOT, Pipeline


@pytest.mark.slow
def test_a_job_that_is_killed_gets_a_sentence(tmp_path):
    pipeline = Pipeline(tmp_path / "pipeline")
    environment = os.environ | {
        "PYTHONPATH": str(ROOT / "src"),
        "BASH_FUNC_gradalign%%": "() { sh -c 'kill -9 $$'; }",  # in the place of the command
    }
    said, target = tmp_path / "said", "results/smoke/claims/score/claims.csv"
    command = ["--cores", "1", target, "--config", "scale=smoke"]
    assert warm_snakemake.run(command, pipeline.folder, environment, said) == 1
    sentence = "killed (signal 9). The usual cause is too little memory: run fewer jobs at a time (--jobs 1)"
    assert any(line.startswith(sentence) for line in said.read_text().splitlines())  # not in the command, which is told
    assert not (pipeline.folder / target).exists()
