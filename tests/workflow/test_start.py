"""What comes before a pipeline: folders for caches, a hint on targets, and a Ctrl-C without tracebacks."""

import doctest
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import warm_snakemake
from tiny_run import started

from workflow.scripts import start

ROOT = Path(__file__).resolve().parents[2]


def test_the_examples_hold():
    assert doctest.testmod(start).failed == 0
    assert doctest.testmod(start).attempted > 0


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ("-n --config scale=smoke a b --cores 2", "snakemake a b -n --config scale=smoke --cores 2"),
        ("-C scale=smoke x=1 a -- c", "snakemake a -C scale=smoke x=1 -- c"),
        ("a --config scale=smoke", None),
        ("--config=scale=smoke a", None),
        ("--config scale=smoke -n", None),
        ("--cores 2 figures", None),
    ],
)
def test_targets_behind_the_settings_are_found(arguments, command):
    said = start.misplaced_targets(arguments.split())
    assert said.splitlines()[1:] == ([f"  {command}"] if command else [])


@pytest.mark.parametrize("form", ["--configfile {}", "--configfile={}", "--cores 2 --configfiles a.yaml {} -n"])
def test_a_configuration_that_snakemake_would_wait_for_is_named(form, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text("cores: 1\n")
    os.mkfifo("pipe.yaml")
    lines = ["a0: &a0 {x: 1, y: 2, z: 3}"]
    lines += [f"a{n}: &a{n} {{{', '.join(f'{key}: *a{n - 1}' for key in 'bcdefghijk')}}}" for n in range(1, 13)]
    Path("mappings.yaml").write_text("\n".join(lines))
    found = {name: start.unsafe_configuration(form.format(name).split()) for name in ("pipe.yaml", "mappings.yaml")}
    assert "pipe.yaml: is a named pipe; allowed: a regular file" in found["pipe.yaml"]
    assert "keys and values, those of aliases included" in found["mappings.yaml"]
    assert start.unsafe_configuration(form.format("a.yaml").split()) == ""
    assert start.unsafe_configuration(["--config", "scale=smoke", "pipe.yaml"]) == ""  # no configuration file


@pytest.fixture
def no_folder(tmp_path):
    (tmp_path / "file").touch()
    return tmp_path / "file" / "below"


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    return tmp_path / "own"


def chosen():
    return os.environ.get("XDG_CACHE_HOME")


def test_a_folder_that_takes_files_is_left_alone(tmp_path, own, capsys):
    start.choose_folder("XDG_CACHE_HOME", tmp_path / "usual", own)
    assert (chosen(), own.exists(), capsys.readouterr().err) == (None, False, "")
    assert list((tmp_path / "usual").iterdir()) == []


def test_where_no_folder_can_be_made_or_none_is_known_our_own_is_used(no_folder, own, capsys):
    start.choose_folder("XDG_CACHE_HOME", no_folder, own)
    assert chosen() == str(own)
    assert f"{no_folder} takes no files (Not a directory): XDG_CACHE_HOME is now {own}" in capsys.readouterr().err
    del os.environ["XDG_CACHE_HOME"]
    start.choose_folder("XDG_CACHE_HOME", None, own)
    assert chosen() == str(own)


def test_a_folder_that_takes_empty_files_only_is_full(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        found = start.fault(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert found == "File too large"
    assert start.fault(tmp_path) == ""


def test_where_no_folder_takes_files_one_sentence_names_the_variable(no_folder):
    with pytest.raises(
        SystemExit, match=r"^TMPDIR: .*below takes no files \(Not a directory\), nor does .* Set TMPDIR"
    ):
        start.choose_folder("TMPDIR", no_folder, no_folder)


def test_a_user_without_a_name_gets_one(monkeypatch):
    def nobody():
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", nobody)
    monkeypatch.setenv("LOGNAME", "")
    start.name_user()
    assert os.environ["LOGNAME"] == str(os.getuid())


def test_make_uses_folders_of_the_checkout_where_those_of_the_user_take_no_files(no_folder, tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    command = ["make", "--eval", 'show: ; @echo "$$XDG_CACHE_HOME+$$TMPDIR+$$HOME"', "show"]
    environment = {"PATH": os.environ["PATH"]}

    def said(**variables):
        found = subprocess.run(command, cwd=tmp_path, env=environment | variables, capture_output=True, text=True)
        assert found.stderr == ""
        return found.stdout.strip()

    home, below = tmp_path / "home", str(no_folder)
    assert said(HOME=str(home), TMPDIR=str(tmp_path)) == f"+{tmp_path}+{home}"
    assert said(HOME=below, TMPDIR=below) == f"{tmp_path}/.cache+{tmp_path}/.cache/tmp+{below}"
    assert said() == f"++{tmp_path}/.cache/home"


def snakemake(folder, *arguments, **variables):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "COLUMNS": "10000"} | variables
    environment.pop("XDG_CACHE_HOME", None)
    code = warm_snakemake.run(list(arguments), folder, environment, folder / "said.txt")
    return code, (folder / "said.txt").read_text()


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("Snakefile", "workflow", "figures", "profiles", "src", "paper", "CITATION.cff", "pyproject.toml"):
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--config", "scale=smoke", "results/smoke/verified"],
            "Targets come first:\n  snakemake results/smoke/verified --config scale=smoke\n",
        ),
        (
            ["results/smoke/figures/fig_claims.pdf", "-n"],
            "results/smoke/figures/fig_claims.pdf belongs to the scale smoke, and this is the scale laptop; the "
            "command for it is\n  snakemake results/smoke/figures/fig_claims.pdf --cores all --config scale=smoke\n",
        ),
        (
            ["results/smoke/figures/fig_claimz.pdf", "-n", "--config", "scale=smoke"],
            "no rule makes results/smoke/figures/fig_claimz.pdf; did you mean results/smoke/figures/fig_claims.pdf",
        ),
        (["figurs", "-n", "--config", "scale=smoke"], "no rule makes figurs; did you mean figures?"),
    ],
)
def test_a_target_that_cannot_be_made_gets_a_hint(checkout, arguments, message):
    code, said = snakemake(checkout, *arguments)
    assert code == 1
    assert message in said
    assert "Traceback" not in said


def test_a_home_that_takes_no_files_is_survived(checkout, no_folder):
    code, said = snakemake(
        checkout, "results/smoke/claims/score/claims.csv", "-n", "--config", "scale=smoke", HOME=str(no_folder)
    )
    assert code == 0, said
    assert f"XDG_CACHE_HOME is now {checkout}/.cache" in said
    assert "rule claim:" in said


@pytest.mark.slow
def test_one_interrupt_of_a_pipeline_says_how_to_resume_and_two_end_it(tmp_path):
    """A pipeline of one job, which does not hear of the first interrupt."""
    for name in ("profiles/default/config.yaml", "workflow/scripts/start.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "Snakefile").write_text("rule all:\n  output: 'made'\n  shell: 'trap \"\" INT; touch begun; sleep 2'\n")
    for interrupts in (1, 2):
        (tmp_path / "begun").unlink(missing_ok=True)
        process = started([sys.executable, "-m", "snakemake", "--cores", "1"], tmp_path, dict(os.environ))
        while not (tmp_path / "begun").exists() and process.poll() is None:
            pass
        os.killpg(process.pid, signal.SIGINT)
        said = ""
        while "stopped" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        if interrupts == 2:
            os.killpg(process.pid, signal.SIGINT)
        said += process.communicate()[0]
        assert process.returncode == (1 if interrupts == 1 else 130), said
        assert "stopped: the same command resumes" in said
        assert "Error" not in said
        assert "Traceback" not in said
