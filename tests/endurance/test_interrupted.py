"""Ctrl-C ends a command with one line and exit code 130, whatever the command is doing."""

import os
import subprocess
import sys

import pytest

INTERRUPT = "os.kill(os.getpid(), signal.SIGINT)"
MOMENTS = {
    "modules are imported": ("typer.py", INTERRUPT),
    "a command works": ("figures/manifest.py", INTERRUPT),
    "memory is freed": ("figures/manifest.py", f"class Last:\n  def __del__(self):\n    {INTERRUPT}\nLast()"),
    "the first one is handled": ("figures/manifest.py", f"try:\n  {INTERRUPT}\nfinally:\n  {INTERRUPT}"),
}


@pytest.mark.parametrize(
    ("command", "moment", "end"),
    [("train", "modules are imported", "resumes"), *(("render", moment, "starts it again") for moment in MOMENTS)],
)
def test_an_interrupt_ends_with_one_line(tmp_path, command, moment, end):
    """The scripts of figures stand for everything that a command does."""
    name, text = MOMENTS[moment]
    (tmp_path / "figures").mkdir()
    for file in ("__init__.py", "manifest.py"):
        (tmp_path / "figures" / file).touch()
    (tmp_path / name).write_text(f"import os, signal\n{text}\nprint('went on')\n")
    figures = str(tmp_path / "figures")
    arguments = ["fig", "--summary", ".", "--output", ".", "--figures", figures] if command == "render" else []
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "gradalign", command, *arguments],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr.strip()) == (130, "", f"stopped: the same command {end}")
