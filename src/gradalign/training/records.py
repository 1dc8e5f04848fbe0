"""The files that a run leaves, and whether they are still as written.

``checksums.sha256`` lists every file of a finished run in the format of ``sha256sum``, so that ``sha256sum --check`` in
the run's directory gives the same verdict. It is written last: without it a run is not finished. One of the listed
files, ``specification.json``, holds the settings of the run.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

from gradalign.base import files, untrusted
from gradalign.base.errors import ConfigurationError, ForeignFileError, RunRecordError, cause
from gradalign.base.files import write_atomically
from gradalign.base.settings import differing
from gradalign.training.settings import RunSpecification

CHECKSUMS = "checksums.sha256"
DAMAGED = "checksums.damaged.sha256"
SPECIFICATION = "specification.json"

CHECKPOINT = re.compile(r"checkpoints/seed-\d+/step-\d{12}(-part-\d+)?\.safetensors")
LEFTOVER = re.compile(
    r"\.lock|reference\.npz|curves-failed-\d+\.csv|parameters|checkpoints|checkpoints/seed-\d+|(parameters/)?\.snakemake_timestamp"
)
"""Paths in the directory of a run without a checkpoint yet: its lock, its own reference, what Snakemake prepared."""

FREE = {"seeds", "name", "changed"}
"""Settings that change nothing in the computation of one seed: a run may resume when they differ."""


def record(directory: Path, specification: RunSpecification) -> Path:
    """Write the settings of a run, and return their file."""
    path, text = directory / SPECIFICATION, specification.model_dump_json(indent=2) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    return path


def require_run_directory(directory: Path) -> None:
    """Raise ``ConfigurationError`` if ``directory`` may not become, or remain, that of a run.

    It may if it does not exist, is empty, or was made by training: it has checkpoints, or checksums that list
    ``runs.csv``, or a specification. Other files beside those are left alone. The directory and its own folders must
    not be symbolic links, because a run must not remove files outside its directory.
    """
    for path in (directory, *_folders(directory)):
        if path.is_symlink():
            raise ConfigurationError(
                f"{path}: is a symbolic link, to {os.path.realpath(path)}; allowed: a folder, for files of a run are "
                "removed and written anew; remove the link, or name the folder itself"
            )
    files.require_folder(directory)
    if not os.path.lexists(directory):
        return
    if _made_by_training(directory):
        return
    foreign = [path.relative_to(directory).as_posix() for path in _within(directory)]
    for name in sorted(foreign):
        if LEFTOVER.fullmatch(name) or files.PARTIAL.fullmatch(Path(name).name):
            continue
        raise ConfigurationError(
            f"{directory}: holds {name}, which no training wrote; allowed: a new or empty folder, or that of a "
            "run; name another folder, for instance one in it"
        )


def _folders(directory: Path) -> list[Path]:
    """The folders of a run in its directory, including symbolic links."""
    checkpoints = directory / "checkpoints"
    return [directory / "parameters", checkpoints, *sorted(checkpoints.glob("seed-*"))]


def _within(directory: Path) -> list[Path]:
    """All files in a directory and in the folders of a run in it."""
    return [path for folder in (directory, *_folders(directory)) if folder.is_dir() for path in folder.iterdir()]


def _made_by_training(directory: Path) -> bool:
    """Whether a directory holds something that only training writes."""
    if any(CHECKPOINT.fullmatch(path.relative_to(directory).as_posix()) for path in directory.glob("checkpoints/*/*")):
        return True
    for name in (CHECKSUMS, DAMAGED):
        path = directory / name
        if path.is_file() and re.search(rb"(?m)^[0-9a-f]{64}  runs\.csv$", untrusted.contents(path)):
            return True
    try:
        found = json.loads(untrusted.contents(directory / SPECIFICATION))
    except (FileNotFoundError, ForeignFileError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and {"problem", "method", "network", "training"} <= found.keys()  # of any version


def remove_partial(directory: Path) -> None:
    """Remove unfinished files that killed trainings left in the directory of a run and in its own folders alone."""
    for folder in (directory, *_folders(directory)):
        if folder.is_dir():
            files.remove_partial(folder)


def require_same_settings(directory: Path, specification: RunSpecification) -> None:
    """Raise ``ConfigurationError``, naming the differences, if a directory holds a finished run with other settings.

    The settings in ``FREE`` may differ. An unfinished run passes: its checkpoints have their own identity. So does a
    run with damaged files and without readable settings, which is to be trained again. The pipeline removes the outputs
    of a run before it trains it with other settings.
    """
    if not (directory / CHECKSUMS).exists():
        return
    asked = json.loads(specification.model_dump_json(exclude=FREE))
    way_on = f"name another directory, or remove {CHECKSUMS} there to give that run up"
    try:
        found = json.loads(untrusted.contents(directory / SPECIFICATION))
        differences = differing({name: value for name, value in found.items() if name not in FREE}, asked)
    except (FileNotFoundError, ValueError, AttributeError, RecursionError):
        if damage(directory):
            return
        raise ConfigurationError(
            f"{directory}: holds a finished run of another version, which does not say its settings; allowed: the run "
            f"of the same settings; {way_on}"
        ) from None
    if differences:
        raise ConfigurationError(
            f"{directory}: holds a finished run of other settings than {specification.name!r}: "
            + "; ".join(f"{name} is {there} there, {here} here" for name, there, here in differences)
            + f"; allowed: the same settings; {way_on}"
        )


def seal(directory: Path, files: Iterable[Path]) -> None:
    """Write the checksums of ``files``, which lie in ``directory`` or below it.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "runs.csv").write_text("seed\\n0\\n")
    >>> seal(folder, [folder / "runs.csv"])
    >>> (folder / "checksums.sha256").read_text().split()[1]
    'runs.csv'
    >>> _ = (folder / "runs.csv").write_text("seed\\n1\\n")
    >>> damage(folder)
    'runs.csv does not agree with its checksum'
    """
    lines = [f"{_digest(path)}  {path.relative_to(directory).as_posix()}\n" for path in sorted(files)]
    write_atomically(directory / CHECKSUMS, lambda temporary: temporary.write_text("".join(lines), encoding="utf-8"))


def damage(directory: Path) -> str:
    """What is wrong with the files of a run; an empty string if all are as written.

    Raises ``OSError`` if the system refuses to read a file: it need not be damaged.
    """
    try:
        lines = untrusted.contents(directory / CHECKSUMS).decode("utf-8").splitlines()
    except FileNotFoundError:
        return f"{CHECKSUMS} is missing: the run is not finished"
    except ForeignFileError as error:
        return f"{CHECKSUMS} {error.what}"
    except UnicodeDecodeError as error:
        return f"{CHECKSUMS} cannot be read ({error})"
    if not lines:
        return f"{CHECKSUMS} is empty"
    listed = {line.partition("  ")[2] for line in lines}
    if len(listed) < len(lines):  # else one large file could be read a thousand times
        return f"{CHECKSUMS} lists a file twice"
    for line in lines:
        digest, _, name = line.partition("  ")
        path = directory / name
        if not name or directory.resolve() not in path.resolve().parents or not path.is_file():
            return f"{name or CHECKSUMS} is not there, though {CHECKSUMS} names it"
        try:
            agrees = _digest(path) == digest
        except ForeignFileError as error:
            return f"{name} {error.what}"
        if not agrees:
            return f"{name} does not agree with its checksum"
    found = [*directory.glob("parameters/*.safetensors"), *directory.glob(SPECIFICATION)]
    left = {path.relative_to(directory).as_posix() for path in found}
    if unlisted := sorted({"runs.csv", "curves.csv", *left} - listed):
        return f"{CHECKSUMS} does not list {unlisted[0]}"
    return ""


def require_sound(directory: Path) -> None:
    """Raise ``RunRecordError`` if a file of a run is missing, damaged, or newer than its checksum."""
    if found := damage(directory):
        raise RunRecordError(
            f"{directory}: {found}. The usual causes are a damaged disk, an edited file, or a training that was "
            "stopped while it wrote: train the run again, which from its last checkpoint takes seconds. The pipeline "
            "does so by itself"
        )


def set_aside(directory: Path) -> str:
    """Mark a run with a damaged file as unfinished; returns what was wrong and done, or an empty string.

    ``checksums.sha256`` is renamed to ``checksums.damaged.sha256``. The pipeline asks for the former and trains the run
    again. A run without checksums was never finished and is left alone. Raises ``ConfigurationError`` if the directory
    is not that of a run (see ``require_run_directory``), and ``OSError`` if a file cannot be read.
    """
    require_run_directory(directory)
    path = directory / CHECKSUMS
    if not path.exists() or not (found := damage(directory)):
        return ""
    try:
        os.replace(path, directory / DAMAGED)
    except OSError as obstacle:
        return f"{directory}: {found}\n{CHECKSUMS} could not be renamed: remove it yourself. {cause(obstacle)}"
    return f"{directory}: {found}\n{CHECKSUMS} was renamed, so that the run is trained again from its last checkpoint"


def _digest(path: Path) -> str:
    with untrusted.opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
