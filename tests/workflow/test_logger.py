"""Snakemake with our logger, on a terminal and on a pipe: a small pipeline with failures, retries and a checkpoint."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
import warm_snakemake

ROOT = Path(__file__).resolve().parents[2]
PIPELINE = """
rule all:
    default_target: True
    input: "results/tiny/summary", "results/tiny/evaluation/a", "results/tiny/verified"

checkpoint train:
    output: "results/tiny/runs/{run}"
    log: "results/tiny/logs/runs/{run}.log"
    shell:
        "echo 'train {wildcards.run}:  42% seed 1, loss 1e-3' > {log}; sleep 1.5; echo x > {output}"

rule evaluate:
    input: "results/tiny/runs/{run}"
    output: "results/tiny/evaluation/{run}"
    log: "results/tiny/logs/evaluation/{run}.log"
    retries: 1
    shell:
        "if test -e tried; then touch {output}; "
        "else touch tried; echo 'the first time nothing works, '$(printf 'long %.0s' {{1..40}}) > {log}; exit 3; fi"

def figures(wildcards):
    checkpoints.train.get(run="a")
    return expand("results/tiny/figures/{figure}.pdf", figure=["fig_one", "fig_two"])

rule figure:
    output: "results/tiny/figures/{figure}.pdf"
    log: "results/tiny/logs/figures/{figure}.log"
    shell: "touch {output} > {log}"

rule summary:
    input: figures
    output: "results/tiny/summary"
    shell: "echo what a job prints; touch {output}"

rule verify:
    input: "results/tiny/summary"
    output: "results/tiny/verified"
    log: "results/tiny/verification.csv"
    shell:
        "printf 'expectation,kind,description,measured,comparison,expected,tolerance,verdict\\\\n' > {log}; "
        "printf 'rank,required,x,1,at most,2,,held\\\\n' >> {log}; touch {output}"
"""
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": str(ROOT / "src")}


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "Snakefile").write_text(PIPELINE)
    return tmp_path


def on_terminal(folder: Path, columns: int, *arguments: str, press: bool = False) -> tuple[int, str]:
    """Run Snakemake on a terminal so wide, pressing Ctrl-C in the middle if asked to: its exit code, what it said."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--logger", "gradalign", "--cores", "1", *arguments],
        cwd=folder,
        env=ENVIRONMENT | {"TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    said, pressed, end = b"", not press, time.time() + 60
    while time.time() < end:
        if select.select([ours], [], [], 0.1)[0]:
            try:
                more = os.read(ours, 65536)
            except OSError:  # how Linux says that nobody has the other end any more
                more = b""
            if not more:
                break
            said += more
        if not pressed and b"training a (seed 1, 42 %)" in said:
            pressed = True
            os.killpg(process.pid, signal.SIGINT)  # what the terminal does on Ctrl-C
    os.close(ours)
    return process.wait(10), said.decode()


def on_pipe(folder: Path, *arguments: str) -> tuple[int, str]:
    output = folder / "said"
    code = warm_snakemake.run(["--logger", "gradalign", "--cores", "1", *arguments], folder, ENVIRONMENT, output)
    return code, output.read_text()


@pytest.mark.slow
def test_a_run_on_a_terminal_is_one_line_and_a_last_screen(folder):
    code, said = on_terminal(folder, 80)
    assert code == 0, said
    assert "\x1b" not in said
    # No line is as wide as the terminal, whose cursor would then stand in the next; but for what a job's log says
    lines = [line for line in re.split(r"[\r\n]+", said) if not line.startswith("  | ")]
    assert max(map(len, lines)) < 80
    assert re.search(r"\r0 of 5 jobs, \d s: training a \(seed 1, 42 %\)", said)
    assert "what a job prints" not in said
    # The first evaluation failed, the second did not
    assert said.count("FAILED, tried again: evaluating a, after ") == 1
    assert "  | the first time nothing works, long long" in said
    last = said.split("\r\n\r\n", 1)[0].splitlines()[-1]
    assert re.fullmatch(r"All 7 jobs are done, in \d+ s\.", last), said
    assert "1 of 1 required expectations held." in said
    assert "results/tiny/figures" in said
    # Snakemake's own pages, and what jobs print, are in the file that the first screen names
    named = re.search(r"Details: (\S+)", said)
    assert named is not None
    log = (folder / named.group(1)).read_text()
    assert "what a job prints" in log
    assert "localrule all:" in log or "rule all:" in log
    assert (folder / "results/tiny/logs/seconds.csv").read_text().count("\n") == 8  # and a header


@pytest.mark.slow
def test_ctrl_c_on_a_terminal_is_one_line(folder):
    code, said = on_terminal(folder, 80, press=True)
    assert code != 0
    assert said.rstrip().endswith("stopped: the same command resumes")
    assert said.count("stopped") == 1
    assert "FAILED" not in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_run_on_a_pipe_has_short_lines(folder):
    code, said = on_pipe(folder)
    assert code == 0, said
    assert not re.search(r"[^\n -~]", said)
    assert re.search(r"^\[[2-4]/[57]\] drawing fig_one: \d s$", said, re.MULTILINE)
    assert "All 7 jobs are done, in " in said
    code, said = on_pipe(folder, "--logger-gradalign-results", "results/tiny")
    assert said.startswith("Nothing to do: everything that was asked for is there and up to date.\n")
    assert "1 of 1 required expectations held." in said


def test_what_is_wrong_before_any_job_is_said_once(folder):
    with (folder / "Snakefile").open("a") as file:
        file.write('from snakemake.exceptions import WorkflowError\nraise WorkflowError("the scale is wrong")\n')
    code, said = on_pipe(folder)
    assert code == 1
    assert said.count("the scale is wrong") == 1
    assert "jobs" not in said


def test_a_dry_run_counts_and_starts_nothing(folder):
    code, said = on_pipe(folder, "--dry-run")
    assert code == 0
    assert said.startswith("would run 5 jobs: ")
    assert "1 training, " in said
    assert len(said.splitlines()) <= 4
    assert not (folder / "results").exists()


def test_without_our_logger_snakemake_says_what_it_always_does(folder):
    output = folder / "said"
    assert warm_snakemake.run(["--cores", "1", "--dry-run"], folder, ENVIRONMENT, output) == 0
    assert "Job stats:" in output.read_text()
    assert "would run" not in output.read_text()


def test_make_reproduce_uses_it_and_the_profile_does_not():
    assert re.search(r"snakemake --logger gradalign .*results/\$\(SCALE\)", (ROOT / "Makefile").read_text())
    assert "logger" not in (ROOT / "profiles/default/config.yaml").read_text()
