"""Training in jobs of Slurm, with programs that answer as Slurm's do; its profile has a trial with a real one."""

import re
from pathlib import Path

import pytest
import yaml

from workflow.scripts import slurm_pieces

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """``answer(name, text, code)`` makes a program that says ``text`` and exits with ``code``; all write ``calls``."""

    class Slurm:
        calls = tmp_path / "calls"

        def answer(self, name: str, text: str = "", code: int = 0) -> None:
            program = tmp_path / name
            program.write_text(f'#!/bin/sh\necho "{name} $*" >> "{self.calls}"\necho "{text}"\nexit {code}\n')
            program.chmod(0o755)

    fake = Slurm()
    fake.answer("squeue", "2:00")
    fake.answer("scontrol")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setattr(slurm_pieces, "KILL_WAIT", 0.0)
    return fake


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("45", 45),
        ("9:05", 545),
        ("11:50:00", 42600),
        ("2-11:00:30", 212430),
        ("UNLIMITED", float("inf")),
        ("NOT_SET", float("inf")),
        ("INVALID", 0),
    ],
)
def test_the_time_that_is_left_is_read_in_all_forms_of_slurm(text, value):
    assert slurm_pieces.seconds(text) == value


@pytest.mark.parametrize(("left", "value"), [("2:00", "90.0"), ("12:00:00", "42900.0"), ("UNLIMITED", "inf")])
def test_training_stops_before_the_time_of_its_job_is_up(slurm, left, value):
    slurm.answer("squeue", left)
    slurm.answer("train")
    assert slurm_pieces.main(["train", "a run"]) == 0
    assert slurm.calls.read_text().splitlines() == [
        "squeue --noheader --job 7 --format %L",
        f"train a run --max-seconds {value}",
    ]


def test_a_training_out_of_time_goes_back_into_the_queue(slurm):
    slurm.answer("train", code=75)
    slurm_pieces.main(["train"])
    assert slurm.calls.read_text().splitlines()[-1] == "scontrol requeue 7"


def test_a_training_that_fails_is_not_put_back_and_its_exit_code_is_kept(slurm):
    slurm.answer("train", code=1)
    assert slurm_pieces.main(["train"]) == 1
    assert "scontrol" not in slurm.calls.read_text()


def test_a_training_that_is_killed_ends_as_a_shell_says_it(slurm, tmp_path):
    """Above 128, by the number of the signal: the workflow knows a lack of memory by 137."""
    (tmp_path / "train").write_text("#!/bin/sh\nkill -9 $$\n")
    (tmp_path / "train").chmod(0o755)
    assert slurm_pieces.main(["train"]) == 137


def test_where_slurm_takes_nothing_back_the_training_fails_for_snakemake_to_start_it_again(slurm, capfd):
    slurm.answer("train", code=75)
    slurm.answer("scontrol", code=1)
    assert slurm_pieces.main(["train"]) == 75
    assert "retries" in capfd.readouterr().out


def test_the_profile_names_rules_that_there_are():
    rules = re.findall(r"^rule (\w+):", "".join(path.read_text() for path in ROOT.glob("workflow/rules/*.smk")), re.M)
    profile = yaml.safe_load((ROOT / "workflow/profiles/slurm/config.yaml").read_text())
    assert {*profile["set-threads"], *profile["set-resources"]} <= set(rules)
