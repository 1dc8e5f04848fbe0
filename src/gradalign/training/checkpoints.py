"""Trees of arrays in safetensors files: parameters, and checkpoints from which a run resumes as if never interrupted.

Every file carries a SHA-256 checksum of its content, so a damaged number is never used. Nothing is unpickled.
"""

import hashlib
import json
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import safe_open
from safetensors.numpy import save as serialised

from gradalign.base import untrusted
from gradalign.base.errors import CheckpointError, ForeignFileError
from gradalign.base.files import write_atomically
from gradalign.base.trees import Tree, named_leaves

LARGEST = 15_000_000
"""Most bytes of arrays in one file of a checkpoint. A larger state is split, so that every file stays below 16 MB."""

KEPT = 2
"""Checkpoints kept per run: the last one, and the one before it in case that one is damaged."""

Arrays = dict[str, np.ndarray]
Say = Callable[[str], object]


def save(path: Path, tree: Tree, metadata: dict[str, Any]) -> None:
    """Write every array of ``tree``, named by its path, and the JSON-serialisable ``metadata``; all or nothing.

    Arrays keep shape, dtype and every bit. Floats in the metadata are restored exactly (shortest round-trip form).
    """
    _write(path, named_leaves(jax.device_get(tree)), metadata)


def load(path: Path, like: Tree) -> tuple[Tree, dict[str, Any]]:
    """The tree and the metadata of a file written by ``save``; ``like`` gives structure, shapes and dtypes.

    Raises ``CheckpointError`` if the file is damaged or its arrays differ from those of ``like``.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "state.safetensors"
    >>> save(path, {"w": jnp.arange(3.0)}, {"step": 5})
    >>> tree, metadata = load(path, {"w": jnp.zeros(3)})
    >>> tree["w"].tolist(), metadata
    ([0.0, 1.0, 2.0], {'step': 5})
    """
    arrays, metadata = _read(path)
    return _as_tree(path, arrays, like), metadata


def save_step(directory: Path, step: int, tree: Tree, log: dict[str, np.ndarray], metadata: dict[str, Any]) -> None:
    """Write a checkpoint of a run: state, log by column, metadata. Then remove all but the last two checkpoints.

    The file is ``step-<step>.safetensors``. A larger state continues in ``step-<step>-part-<n>.safetensors``, each
    below 16 MB. The main file is written last; without it the parts count for nothing.
    """
    named = named_leaves(jax.device_get(tree)) | {f"log/{name}": np.asarray(column) for name, column in log.items()}
    parts = [{name: named[name] for name in names} for names in split({n: a.nbytes for n, a in named.items()})]
    main = _main_file(directory, step)
    checksums = {
        (path := main.with_name(f"{main.stem}-part-{number}.safetensors")).name: _write(path, arrays, {})
        for number, arrays in enumerate(parts[1:], start=1)
    }
    _write(main, parts[0], metadata | {"columns": list(log), "parts": checksums})
    _remove_all_but(directory, _main_files(directory)[:KEPT])


def split(sizes: dict[str, int]) -> list[list[str]]:
    """Names of arrays by file, in order, for arrays of these ``sizes`` in bytes.

    A file holds at most ``LARGEST`` bytes of arrays, unless a single array is larger.

    >>> split({"a": 9_000_000, "b": 6_000_000, "c": 1})
    [['a', 'b'], ['c']]
    """
    files: list[list[str]] = [[]]
    used = 0
    for name, size in sizes.items():
        if files[-1] and used + size > LARGEST:
            files.append([])
            used = 0
        files[-1].append(name)
        used += size
    return files


def load_last(
    directory: Path, like: Tree, identity: str, say: Say
) -> tuple[Tree, dict[str, list[float]], dict[str, Any]] | None:
    """State, log and metadata of the last sound checkpoint with this ``identity``; None if there is none.

    ``say`` hears of every damaged file that is skipped. Checkpoints with another identity are skipped silently: they
    belong to other settings, sources or references.
    """
    for path in _main_files(directory):
        try:
            arrays, metadata = _read(path)
            if metadata.get("identity") != identity:
                continue
            for name, checksum in metadata.pop("parts").items():
                part, _ = _read(path.parent / Path(name).name, checksum)
                arrays |= part
            log = {name: arrays.pop(f"log/{name}").tolist() for name in metadata.pop("columns")}
            return _as_tree(path, arrays, like), log, metadata
        except CheckpointError as error:
            say(f"warning: a checkpoint is not used, the run goes on from an earlier state. {error}")
    return None


def clear(directory: Path) -> None:
    """Remove every checkpoint of a run."""
    _remove_all_but(directory, [])


def _main_file(directory: Path, step: int) -> Path:
    return directory / f"step-{step:012d}.safetensors"


def _main_files(directory: Path) -> list[Path]:
    """The main files of all checkpoints, the latest first."""
    return sorted((path for path in _files(directory) if "-part-" not in path.name), reverse=True)


def _files(directory: Path) -> list[Path]:
    """The files of all checkpoints that ``save_step`` wrote, without those of other programs."""
    named = re.compile(r"step-\d{12}(-part-\d+)?\.safetensors")
    return [path for path in directory.glob("step-*.safetensors") if named.fullmatch(path.name)]


def _remove_all_but(directory: Path, kept: list[Path]) -> None:
    for path in _files(directory):
        if not any(path.name.startswith(main.stem) for main in kept):
            path.unlink(missing_ok=True)


def _write(path: Path, arrays: Arrays, metadata: dict[str, Any]) -> str:
    """Write a file and return its checksum."""
    arrays = {name: np.array(array, order="C", ndmin=0) for name, array in arrays.items()}
    text = json.dumps(metadata)
    checksum = _checksum(arrays, text)
    # One entry: safetensors writes several in a varying order, and equal runs should leave equal files
    content = serialised(arrays, metadata={"gradalign": json.dumps({"checksum": checksum, "metadata": text})})
    write_atomically(path, lambda temporary: temporary.write_bytes(content))
    return checksum


def _read(path: Path, checksum: str | None = None) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and metadata of a file, which must have the ``checksum`` if one is given.

    Raises ``OSError`` if the system refuses to read the file: it need not be damaged, so its state is not given up.
    """
    # The reader below maps the file: it reports too many open files as "No such file", and a failing disk would kill us
    with suppress(FileNotFoundError, ForeignFileError), untrusted.opened(path) as readable:
        readable.read()
    try:
        with untrusted.opened(path), safe_open(path, framework="numpy") as file:  # safe_open would wait on a named pipe
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            entry = json.loads((file.metadata() or {}).get("gradalign", "{}"))
        if entry["checksum"] != _checksum(arrays, entry["metadata"]):
            raise ValueError("its content does not agree with its checksum")
        if checksum not in (None, entry["checksum"]):
            raise ValueError("it belongs to another checkpoint")
        return arrays, json.loads(entry["metadata"])
    except Exception as error:  # a damaged header can make the reader raise anything
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint ({error}); it is damaged or was written by another program: "
            "delete it to start anew"
        ) from error


def _checksum(arrays: Arrays, text: str) -> str:
    """SHA-256 of names, dtypes, shapes and bytes of all arrays, and of the metadata."""
    described = {name: [array.dtype.str, array.shape] for name, array in sorted(arrays.items())}
    digest = hashlib.sha256(json.dumps([described, text]).encode())
    for name in described:
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def _as_tree(path: Path, arrays: Arrays, like: Tree) -> Tree:
    expected = {name: (leaf.shape, leaf.dtype) for name, leaf in named_leaves(like).items()}
    found = {name: (array.shape, array.dtype) for name, array in arrays.items()}
    if differing := sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)):
        name = differing[0]
        raise CheckpointError(
            f"{path} belongs to another network or method: {len(differing)} arrays differ, the first is {name!r}, "
            f"expected {expected.get(name)}, found {found.get(name)}; delete the file to start anew"
        )
    return jax.tree.unflatten(jax.tree.structure(like), [jnp.asarray(arrays[name]) for name in expected])
