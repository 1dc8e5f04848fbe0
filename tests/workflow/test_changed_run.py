"""A run whose settings changed is trained again by the pipeline, in the same folder, and by hand it is refused."""

import json

import pytest
import yaml
from tiny_run import TINY, Pipeline

pytestmark = pytest.mark.slow

RUN = {"problem": "burgers", "method": "adam", "network": "burgers", "training": "first_order", "seeds": [0]}


def test_the_pipeline_trains_a_run_of_other_settings_again(tmp_path):
    pipeline = Pipeline(tmp_path / "pipeline", [RUN])
    folder = pipeline.folder / "results/smoke/runs/burgers-adam"
    left = []
    for width in (8, 6):
        settings = TINY | {"runs": [RUN], "networks": {"burgers": TINY["networks"]["burgers"] | {"width": width}}}
        (pipeline.folder / "tiny.yaml").write_text(yaml.safe_dump(settings))
        process = pipeline.start("--until", "train")
        said, _ = process.communicate()
        assert process.returncode == 0, said
        assert json.loads((folder / "specification.json").read_text())["network"]["width"] == width
        assert "specification.json" in (folder / "checksums.sha256").read_text()
        left.append((folder / "parameters/seed-0.safetensors").read_bytes())
    assert left[0] != left[1]
