"""Foreign files, file systems of other machines, outputs that end early: nothing is lost, and each cause is named."""

import ast
import errno
import fcntl
import io
import os
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from experiments import line_reference, specification
from typer.testing import CliRunner

from gradalign.base.errors import ConfigurationError, GradalignError, described
from gradalign.base.files import exclusive, require_own, write_atomically
from gradalign.claims._records import Claim, Curve
from gradalign.pipeline import cli
from gradalign.references._contract import Reference, set_aside, stated_error
from gradalign.training import checkpoints, records, runner
from gradalign.training.records import require_run_directory, seal

ROOT = Path(__file__).resolve().parents[2]
NO_LOCKS = [errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK]


def call(*arguments):
    return CliRunner().invoke(cli.application, [str(argument) for argument in arguments])


def failing(code):
    def fail(*_):
        raise OSError(code, os.strerror(code))

    return fail


@contextmanager
def no_more_files():
    """The limit on open files is reached: the system refuses the next one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# File systems without locks


@pytest.mark.parametrize("code", NO_LOCKS)
def test_a_training_needs_no_lock_where_there_is_none(tmp_path, monkeypatch, code):
    monkeypatch.setattr(fcntl, "flock", failing(code))
    said, entered = [], []
    with exclusive(tmp_path / "run" / ".lock", said.append):
        entered.append(True)
    assert entered
    (warning,) = said
    for text in (str(tmp_path / "run"), errno.errorcode[code], "see to it that only one is started"):
        assert text in warning


def test_a_lock_that_fails_for_another_reason_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", failing(errno.EIO))
    with pytest.raises(OSError, match=r"\[Errno") as caught, exclusive(tmp_path / ".lock", pytest.fail):
        pytest.fail("entered")
    assert (caught.value.errno, caught.value.filename) == (errno.EIO, str(tmp_path / ".lock"))


def test_a_lock_that_is_a_link_leaves_what_it_leads_to(tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    (tmp_path / ".lock").symlink_to("letter.txt")
    with exclusive(tmp_path / ".lock", pytest.fail):
        assert (tmp_path / "letter.txt").read_text() == "mine"


class WorkflowError(Exception):
    """Stands in for Snakemake's."""


@pytest.mark.parametrize("flock", [None, errno.EAGAIN, *NO_LOCKS])
def test_the_pipeline_removes_locks_left_behind_only_when_it_knows_that_it_is_alone(tmp_path, monkeypatch, flock):
    monkeypatch.chdir(tmp_path)
    if flock is not None:
        monkeypatch.setattr(fcntl, "flock", failing(flock))
    left = tmp_path / ".snakemake/locks/0.input.lock"
    left.parent.mkdir(parents=True)
    left.touch()
    warnings = run_lock_rules()
    assert left.exists() is (flock is not None)
    assert len(warnings) == (flock in NO_LOCKS)
    assert all(str(tmp_path / ".snakemake") in warning for warning in warnings)


def test_the_pipeline_names_why_its_lock_failed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fcntl, "flock", failing(errno.EIO))
    with pytest.raises(WorkflowError, match=r"Input/output error \(EIO\): \.snakemake/pipeline\.lock"):
        run_lock_rules()


def run_lock_rules():
    """Run the rules of the lock, which are Python, as a pipeline's main process; returns their warnings."""
    warnings = []
    given = {
        "workflow": SimpleNamespace(is_main_process=True),
        "logger": SimpleNamespace(warning=warnings.append),
        "Path": Path,
        "WorkflowError": WorkflowError,
        "described": described,
    }
    try:
        exec((ROOT / "workflow/rules/lock.smk").read_text(), given)
    finally:
        given["pipeline_lock"].close()
    return warnings


# Foreign files


def test_only_our_own_names_in_our_own_folders_are_removed(tmp_path):
    ours = [".runs.7.partial.csv", "parameters/.seed-0.31.partial.safetensors"]
    ours += ["checkpoints/.x.1.partial", "checkpoints/seed-0/.step-000000000004.12.partial.safetensors"]
    others = [
        ".movie.partial",
        ".movie.partial.mp4",
        ".a.x1.partial.csv",
        "movie.7.partial.csv",
        "videos/.a.7.partial.csv",
    ]
    others += ["parameters/old/.a.7.partial.csv", "checkpoints/backup/.a.7.partial.csv"]
    for name in (*ours, *others):
        path = tmp_path / "run" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    records.remove_partial(tmp_path / "run")
    left = {path.relative_to(tmp_path / "run").as_posix() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert left == set(others)


FOREIGN = {
    "runs.csv": "when,how far\n1 May,12 km\n",
    "curves.csv": "x\n1\n",
    "thesis.tex": "text",
    "specification.json": '{"openapi": "3.0"}',
    "checksums.sha256": "0" * 64 + "  disk.iso\n",
    "checkpoints/seed-0/step-100.safetensors": "weights",
    "checkpoints/latest.pt": "weights",
    "parameters/seed-0.safetensors": "weights",
}


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
@pytest.mark.parametrize("name", FOREIGN)
def test_a_folder_of_others_is_refused_and_stays_as_it_was(tmp_path, name, options):
    (tmp_path / "run.json").write_text(specification("adam").model_dump_json())
    path = tmp_path / "mine" / name
    path.parent.mkdir(parents=True)
    path.write_text(FOREIGN[name])
    given = ("--specification", tmp_path / "run.json", "--reference", tmp_path / "none.npz")
    found = call("train", "burgers-adam", *given, "--output", tmp_path / "mine", *options)
    assert found.exit_code == 1
    assert f"mine: holds {name}, which no training wrote; allowed: a new or empty folder" in found.output
    assert [file for file in (tmp_path / "mine").rglob("*") if file.is_file()] == [path]
    assert path.read_text() == FOREIGN[name]
    with pytest.raises(ConfigurationError, match="which no training wrote"):  # the library, before any compute
        runner.train(specification("adam"), line_reference(), tmp_path / "mine")


OURS = {
    "killed at once": [".lock"],
    "not finite": [".lock", "curves-failed-0.csv"],
    "prepared by Snakemake": ["parameters/.snakemake_timestamp"],
    "killed while writing": [".lock", "checkpoints/seed-0/.step-000000000004.12.partial.safetensors"],
    "killed later": ["checkpoints/seed-3/step-000000000004.safetensors", "runs.csv", "notes.txt"],
    "of large networks": ["checkpoints/seed-3/step-000000000004-part-1.safetensors", "runs.csv"],
}


@pytest.mark.parametrize("kind", OURS)
def test_a_folder_that_training_left_is_taken(tmp_path, kind):
    for name in OURS[kind]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    require_run_directory(tmp_path)


def test_a_new_folder_an_empty_one_and_a_finished_run_are_taken(tmp_path):
    require_run_directory(tmp_path / "new")
    require_run_directory(tmp_path)
    (tmp_path / "runs.csv").write_text("seed\n0\n")
    seal(tmp_path, [tmp_path / "runs.csv"])
    require_run_directory(tmp_path)
    (tmp_path / "checksums.sha256").rename(tmp_path / "checksums.damaged.sha256")
    require_run_directory(tmp_path)
    (tmp_path / "checksums.damaged.sha256").unlink()
    records.record(tmp_path, specification("adam"))
    require_run_directory(tmp_path)
    (tmp_path / "specification.json").unlink()
    with pytest.raises(ConfigurationError, match=r"holds runs\.csv"):
        require_run_directory(tmp_path)
    with pytest.raises(ConfigurationError, match=r"runs\.csv: is a file; allowed: a folder"):
        require_run_directory(tmp_path / "runs.csv")


@pytest.mark.parametrize("place", ["", "parameters", "checkpoints", "checkpoints/seed-0"])
def test_links_are_refused_with_where_they_lead(tmp_path, place):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / ".a.7.partial.csv").touch()
    link = tmp_path / "run" / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside)
    for refuse in (require_run_directory, records.set_aside):
        with pytest.raises(ConfigurationError) as caught:
            refuse(tmp_path / "run")
        for text in (f"{link}: is a symbolic link, to {outside}", "remove the link, or name the folder itself"):
            assert text in str(caught.value)
    assert len(list(outside.iterdir())) == 1


def warn_of_damage(warnings):
    """The function in the rules of the workflow that looks for damage."""
    module = ast.parse("".join(_lines_of("warn_of_damage")))
    given = {
        "logger": SimpleNamespace(warning=warnings.append),
        "WorkflowError": WorkflowError,
        "GradalignError": GradalignError,
        "described": described,
    }
    exec(compile(module, "common.smk", "exec"), given)
    return given["warn_of_damage"]


def _lines_of(name):
    lines = (ROOT / "workflow/rules/common.smk").read_text().splitlines(keepends=True)
    start = lines.index(next(line for line in lines if line.startswith(f"def {name}(")))
    end = next(number for number in range(start + 1, len(lines)) if lines[number][0] not in " \n")
    return lines[start:end]


def test_the_workflow_stops_at_a_link_and_at_a_file_that_cannot_be_read(tmp_path):
    """Snakemake removes outputs before their job starts, so nothing may start."""
    warnings = []
    look = warn_of_damage(warnings)
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(WorkflowError, match=r"nothing was started\n.*link: is a symbolic link, to "):
        look(records.set_aside, tmp_path / "link")
    line_reference().save(tmp_path / "burgers.npz")
    with no_more_files(), pytest.raises(WorkflowError, match=r"\(EMFILE\): .*burgers\.npz.*ulimit -n"):
        look(set_aside, tmp_path / "burgers.npz", "burgers")
    look(set_aside, tmp_path / "burgers.npz", "burgers")
    assert warnings == []
    (tmp_path / "burgers.npz").write_bytes(b"")
    look(set_aside, tmp_path / "burgers.npz", "burgers")
    assert len(warnings) == 1


def test_checkpoints_of_other_programs_are_not_removed(tmp_path):
    kept = [
        tmp_path / name for name in ("step-100.safetensors", "step-0000000000001.safetensors", "step-best.safetensors")
    ]
    for path in kept:
        path.write_text("weights")
    for step in (4, 8, 12):
        checkpoints.save_step(tmp_path, step, {"w": jnp.zeros(1)}, {}, {"identity": "a"})
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [*(path.name for path in kept), "step-000000000008.safetensors", "step-000000000012.safetensors"]
    )
    checkpoints.clear(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(kept)


@pytest.mark.parametrize(
    ("name", "content", "allowed"),
    [
        ("scores.csv", b"run,seed,score\na,0,u\n", True),
        ("scores.csv", b"seed,run\r\n", True),
        ("scores.csv", b"", True),
        ("scores.csv", b"\n", True),
        ("scores.csv", b"date,amount\n1,2\n", False),
        ("scores.csv", b"run,seeds\n", False),
        ("scores.csv", b"\nrun,seed\n", False),
        ("scores.csv", b"\x00\xff\x00" * 50_000, False),
        ("scores.csv", b'"' * 200_000, False),
        ("notes", b"the run and the seed\n", False),
        ("fields.npz", b"", True),
        ("fields.npz", b"PK\x03\x04 cut off", True),
        ("fields.npz", b"text", False),
        ("fields.npz", {"run": 1, "seed": 2, "more": 3}, True),
        ("fields.npz", {"run": 1, "weights": 2}, False),
    ],
)
def test_a_file_of_others_is_not_replaced(tmp_path, name, content, allowed):
    path = tmp_path / name
    np.savez(path, **content) if isinstance(content, dict) else path.write_bytes(content)
    if allowed:
        require_own(path, "run", "seed")
        return
    with pytest.raises(
        ConfigurationError, match=r"is there already, and gradalign did not write it.*allowed: a new file"
    ):
        require_own(path, "run", "seed")


def test_folders_and_devices_are_no_outputs(tmp_path):
    with pytest.raises(ConfigurationError, match="is a folder; allowed: a file"):
        require_own(tmp_path, "run")
    with pytest.raises(ConfigurationError, match="is a device or a pipe"):
        require_own(Path(os.devnull), "run")
    (tmp_path / "nowhere").symlink_to("gone")
    require_own(tmp_path / "nowhere", "run")
    require_own(tmp_path / "new", "run")


COMPUTING = [
    ["claim", "score", "--output", "there/x.csv"],
    ["claim", "score", "--output", "x.csv", "--curves", "there/y.csv"],
    ["study", "published_burgers", "--output", "there/x.csv"],
    ["reference", "burgers", "--output", "there/x.npz"],
    ["train", "burgers-adam", "--output", "there"],
    ["evaluate", "run", "--run", "burgers-adam", "--output", "there"],
]


@pytest.mark.parametrize("command", COMPUTING, ids=lambda command: " ".join(command[:1]))
@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_an_output_that_cannot_be_written_is_found_before_any_compute(tmp_path, monkeypatch, command, options):
    monkeypatch.chdir(tmp_path)
    Path("there").write_text("a file")
    found = call(*command, *options)
    assert found.exit_code == 1, found.output
    assert "there: is a file; allowed: a folder to write into; name another path" in found.output
    Path("there").unlink()

    def refuse(*arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied", "tmp1234")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    found = call(*command, *options)
    assert found.exit_code == 1, found.output
    said = " ".join(found.output.split())
    assert f"no file can be written there: Permission denied (EACCES): {tmp_path}. You have no permission" in said
    assert not list(tmp_path.iterdir())


TABLE = "date,amount\n1 May,12\n"


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["claim", "score"], "--output=notes.csv"),
        (["claim", "score", "--output", "new.csv"], "--curves=notes.csv"),
        (["study", "published_burgers", "--config", "smoke.yaml"], "--output=notes.csv"),
        (["reference", "burgers", "--config", "smoke.yaml"], "--output=notes.npz"),
        (["verify", "--expectations", "e.yaml", "--scale", "smoke", "--summary", "s"], "--output=notes.csv"),
        *(
            (["evaluate", "run", "--specification", "run.json", "--reference", "r.npz", "--output=."], name)
            for name in ("runs.csv", "curves.csv", "errors.csv", "errors_in_time.csv", "fields/run.npz")
        ),
    ],
)
def test_no_command_replaces_a_file_of_others(tmp_path, monkeypatch, command, option, options):
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "workflow/config/smoke.yaml", tmp_path)
    given = specification("adam").model_copy(update={"name": "run"})
    (tmp_path / "run.json").write_text(given.model_dump_json())
    path = tmp_path / option.rpartition("=")[2]
    path.parent.mkdir(exist_ok=True)
    path.write_text(TABLE)
    given = [option] if option.startswith("--") else []  # otherwise a file in the folder that the command writes into
    found = call(*command, *given, *(() if command[0] == "verify" else options))
    assert found.exit_code == 1, found.output
    assert f"{path.name}: is there already, and gradalign did not write it" in found.output
    assert path.read_text() == TABLE
    left = {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()}
    assert left == {"smoke.yaml", "run.json", path.relative_to(tmp_path).as_posix()}


def test_what_a_command_wrote_may_be_written_again(tmp_path, monkeypatch):
    """The columns that mark a file as ours are among those that the command writes."""
    one = Claim("T1", "1 = 1", "proven", "one", 1.0, 1.0, 0.0)
    monkeypatch.setattr("gradalign.claims._checks.checked", lambda checks: [one])
    monkeypatch.setattr("gradalign.claims.score.curves", lambda: [Curve("T1", "one", "ones", [1.0], [1.0])])
    for _ in range(2):
        found = call("claim", "score", "--output", tmp_path / "a.csv", "--curves", tmp_path / "b.csv")
        assert found.exit_code == 0, found.output


# Terminals and pipes


class Output(io.TextIOWrapper):
    """Standard output in a given encoding; ``text`` is what was written."""

    def __init__(self, encoding):
        super().__init__(io.BytesIO(), encoding=encoding)

    @property
    def text(self):
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


@pytest.mark.parametrize("encoding", ["iso-8859-9", "ascii"])
def test_a_terminal_without_the_symbols_gets_others(monkeypatch, encoding):
    output = Output(encoding)
    monkeypatch.setattr(sys, "stdout", output)
    with pytest.raises(SystemExit) as end:
        cli.application(["reference", "--list"])
    assert end.value.code == 0
    assert "burgers\n  equation        ?" in output.text  # stands for a partial derivative


@pytest.fixture
def closed_pipe(monkeypatch, capfd):  # capfd sets an output of its own, which is replaced here
    """Standard output is a pipe without a reader."""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        yield


def test_a_program_whose_list_nobody_reads_is_silent_to_its_end():
    """This includes the end of the process, which writes the rest of the output."""
    program = [
        sys.executable,
        "-c",
        "from gradalign.pipeline.cli import application; application()",
        "train",
        "--list-methods",
    ]
    reading, writing = os.pipe()
    os.close(reading)
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(program, stdout=writing, stderr=subprocess.PIPE, env=environment)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.usefixtures("closed_pipe")
def test_a_training_goes_to_its_end_though_nobody_reads_its_news(tmp_path, monkeypatch, capfd):
    (tmp_path / "run.json").write_text(specification("adam").model_dump_json())
    line_reference().save(tmp_path / "reference.npz")
    steps = []

    def train(specification, reference, directory, listen, say, max_seconds):
        for step in range(1, 13):
            listen(runner.Progress("burgers-adam", specification.seeds[-1], step, 12, 0.5, 0.5))
            say("a checkpoint is not used")
            steps.append(step)

    monkeypatch.setattr(runner, "train", train)
    given = ["--specification", tmp_path / "run.json", "--reference", tmp_path / "reference.npz"]
    with pytest.raises(SystemExit) as end:
        cli.application(["train", "burgers-adam", *map(str, given), "--output", str(tmp_path / "run")])
    assert end.value.code == 0
    assert steps == list(range(1, 13))
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("command", [["train", "--list-methods"], ["--help"]])
def test_a_full_disk_below_the_output_is_named(monkeypatch, capfd, command):
    output = open("/dev/full", "w")  # noqa: SIM115 - closing it writes the rest, which fails again
    try:
        monkeypatch.setattr(sys, "stdout", output)
        with pytest.raises(SystemExit) as end:
            cli.application(command)
    finally:
        os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
        output.close()
    assert end.value.code == 1
    said = capfd.readouterr().err
    assert said.startswith("OSError: No space left on device (ENOSPC): standard output. The disk is full")
    assert "Traceback" not in said


# Errors of the system


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EACCES, "no permission"),
        (errno.EPERM, "does not permit"),
        (errno.EROFS, "may only be read"),
        (errno.ENOENT, "nothing of this name"),
        (errno.EISDIR, "name a file"),
        (errno.ENOTDIR, "is a file and no folder"),
        (errno.ENAMETOOLONG, "shorter"),
        (errno.EMFILE, "ulimit -n"),
        (errno.EIO, "disk or the network failed"),
        (errno.ESTALE, "mount it again"),
        (errno.EXDEV, None),
        (errno.ENXIO, None),
    ],
)
def test_a_command_says_the_cause_and_guesses_nothing(tmp_path, monkeypatch, code, remedy):
    monkeypatch.setattr(os, "replace", failing(code))
    monkeypatch.setattr("gradalign.claims._checks.checked", lambda checks: [])
    found = call("claim", "score", "--output", tmp_path / "a.csv")
    assert found.exit_code == 1
    start = f"OSError: {os.strerror(code)} ({errno.errorcode[code]}): {tmp_path / 'a.csv'}. "
    assert found.output.startswith(start + ("" if remedy else "What was finished is kept"))
    assert (remedy or "") in found.output
    mistyped = code in (errno.ENOENT, errno.EISDIR, errno.ENOTDIR)  # then there is nothing to resume
    assert ("the same command resumes" in found.output) != mistyped
    others = ["disk", "full", "permission", "quota"]
    assert not [word for word in others if word in found.output.removeprefix(start) and not (remedy and code in DISK)]


DISK = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EIO)


def test_a_write_that_fails_names_its_file(tmp_path):
    with pytest.raises(OSError, match=r"\[Errno") as caught:
        write_atomically(tmp_path / "a.csv", failing(errno.ENOSPC))
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "a.csv"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EIO])
def test_a_file_system_that_flushes_no_folders_will_do(tmp_path, monkeypatch, code):
    genuine, flushed = os.fsync, []

    def fsync(descriptor):
        flushed.append(descriptor)
        return genuine(descriptor) if len(flushed) == 1 else failing(code)()

    monkeypatch.setattr(os, "fsync", fsync)
    if code == errno.EINVAL:
        write_atomically(tmp_path / "a.txt", lambda path: path.write_text("done"))
    else:
        with pytest.raises(OSError, match=r"\[Errno") as caught:
            write_atomically(tmp_path / "a.txt", lambda path: path.write_text("done"))
        assert (caught.value.errno, caught.value.filename) == (code, str(tmp_path))
    assert (tmp_path / "a.txt").read_text() == "done"
    assert len(flushed) == 2


def test_no_state_is_given_up_because_a_file_cannot_be_opened_now(tmp_path):
    """The reader of checkpoints calls too many open files "No such file"; without a checkpoint, a run starts anew."""
    like = {"w": jnp.zeros(1)}
    checkpoints.save_step(tmp_path, 4, like, {}, {"identity": "a"})
    path = tmp_path / "step-000000000004.safetensors"
    assert checkpoints.load_last(tmp_path, like, "a", pytest.fail) is not None
    with no_more_files(), pytest.raises(OSError, match=r"\[Errno") as caught:
        checkpoints.load(path, like)
    assert (caught.value.errno, caught.value.filename) == (errno.EMFILE, str(path))


def test_no_reference_is_set_aside_because_it_cannot_be_opened_now(tmp_path):
    path = tmp_path / "burgers.npz"
    line_reference().save(path)
    for read in (Reference.load, stated_error, lambda path: set_aside(path, "burgers")):
        with no_more_files(), pytest.raises(OSError, match=r"\[Errno") as caught:
            read(path)
        assert caught.value.errno == errno.EMFILE
    assert [file.name for file in tmp_path.iterdir()] == ["burgers.npz"]


def test_no_run_is_set_aside_because_it_cannot_be_opened_now(tmp_path, monkeypatch):
    (tmp_path / "runs.csv").write_text("seed\n0\n")
    (tmp_path / "curves.csv").write_text("seed\n0\n")
    seal(tmp_path, [tmp_path / "runs.csv", tmp_path / "curves.csv", records.record(tmp_path, specification("adam"))])
    monkeypatch.setattr(records, "_digest", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        records.set_aside(tmp_path)
    monkeypatch.undo()
    with no_more_files(), pytest.raises(OSError, match=r"\[Errno") as caught:
        records.require_same_settings(tmp_path, specification("soap"))
    assert (caught.value.errno, caught.value.filename) == (errno.EMFILE, str(tmp_path / "specification.json"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checksums.sha256",
        "curves.csv",
        "runs.csv",
        "specification.json",
    ]
