"""Lists of methods, claims and studies: complete, and readable in 80 columns, in 40 and on a pipe."""

import importlib
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gradalign.base.discovery import module_names
from gradalign.pipeline.cli import application
from gradalign.pipeline.listings import aligned, headline, methods, names

LISTS = {
    "train --list-methods": "optimizers",
    "claim --list": "claims",
    "study --list": "studies",
    "reference --list": "references",
}
PARTS = ["what", "cost per step", "memory", "precision", "use it"]


def listed(command):
    found = CliRunner().invoke(application, command.split())
    assert found.exit_code == 0, found.output
    return found.output


@pytest.mark.parametrize("package", ["optimizers", "claims", "studies"])
def test_headlines_are_those_of_the_imported_modules(package):
    for name in module_names(package):
        docstring = importlib.import_module(f"gradalign.{package}.{name}").__doc__
        assert headline(package, name) == " ".join(docstring.split("\n\n")[0].replace("``", "").split()), name


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("command", LISTS)
def test_lists_fit_the_terminal_and_are_complete(command, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = listed(command).splitlines()
    assert max(map(len, lines)) <= columns
    first_words = [line.split()[0] for line in lines if line[:1].strip()]
    assert [word for word in first_words if word in module_names(LISTS[command])] == module_names(LISTS[command])


@pytest.mark.parametrize("columns", [40, 80])
def test_the_list_of_methods_says_all_that_the_docstrings_say(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    blocks = dict(block.split("\n", 1) for block in list(methods())[:-1])
    assert list(blocks) == module_names("optimizers")
    for name, block in blocks.items():
        found, label = {}, ""
        for line in block.splitlines():
            if match := re.match(rf"  ({'|'.join(PARTS)})(?= |$)", line):
                label, line = match[1], line[2 + len(match[1]) :]
            found[label] = f"{found.get(label, '')} {line.strip()}".strip()
        assert list(found) == PARTS, name
        said = " ".join(
            f"{text}." for text in (found["what"], *(f"{part.capitalize()}: {found[part]}" for part in PARTS[1:]))
        )
        assert said.replace("Use it: ", "Use it ") == headline("optimizers", name), name


def test_studies_and_claims_are_a_name_and_a_sentence(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert names("references.studies").splitlines()[1] == (
        "published_burgers     The error of the published reference data of Burgers' equation, reproduced by a run of "
        "the same resolution."
    )
    assert "network_initialisation  Claim T37, measured: " in names("claims")


def test_a_text_goes_on_under_an_empty_label(monkeypatch):
    rows = [("one", "first text"), ("", "second text")]
    monkeypatch.setenv("COLUMNS", "80")
    assert list(aligned(rows, 6, indent=2)) == ["  one   first text", "        second text"]
    monkeypatch.setenv("COLUMNS", "40")
    assert list(aligned(rows, 6, indent=2)) == ["  one", "      first text", "      second text"]


def environment(**changes):
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
    return kept | {"TERM": "xterm-256color", "PYTHONPATH": str(Path(__file__).parents[2] / "src")} | changes


def on_a_terminal(program, columns, **changes):
    """What a Python program writes to a terminal of so many columns."""
    import fcntl
    import struct
    import termios

    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=terminal, stderr=terminal, stdin=terminal, env=environment(**changes)
    )
    os.close(terminal)
    parts = []
    while True:
        try:
            part = os.read(controller, 65536)
        except OSError:  # Linux says so where the other side is closed
            break
        if not part:
            break
        parts.append(part)
    os.close(controller)
    assert process.wait() == 0
    return b"".join(parts).decode()


def test_a_pipe_has_eighty_columns():
    program = "from gradalign.pipeline.listings import names; print(names('claims'))"
    found = subprocess.run(
        [sys.executable, "-c", program], env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    assert 70 < max(map(len, found.stdout.splitlines())) <= 80


PROGRESS = """
from gradalign.pipeline.cli import _progress
with _progress("train burgers-soap", 200) as progress:
    progress(0.5, "seed 0, loss 1.23e-02, error 4.56e-01")
"""
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3\d|38;5;\d+|9\d)m")


@pytest.mark.parametrize(("columns", "shown"), [(40, "50%"), (100, "error 4.56e-01")])
def test_progress_keeps_the_time_left_on_any_terminal(columns, shown):
    said = on_a_terminal(PROGRESS, columns)
    lines = [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line) for line in re.split(r"[\r\n]+", said)]
    last = [line for line in lines if "train burgers-soap" in line][-1]
    assert len(last) <= columns
    assert shown in last
    assert re.search(r"(-:--:--|\d:\d\d:\d\d)\s*$", last), last


def test_no_color_is_heeded():
    assert COLOUR.search(on_a_terminal(PROGRESS, 80))
    assert not COLOUR.search(on_a_terminal(PROGRESS, 80, NO_COLOR="1"))
