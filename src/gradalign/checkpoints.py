"""Trees of arrays in safetensors files: parameters, and everything a run needs to go on as if never interrupted."""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from gradalign.errors import CheckpointError
from gradalign.files import write_atomically
from gradalign.trees import Tree


def save(path: Path, tree: Tree, metadata: dict[str, Any]) -> None:
    """Write every array of ``tree``, named by its path, and the JSON-serialisable ``metadata``; all or nothing.

    Arrays keep shape, dtype and every bit. Floats in the metadata survive exactly (shortest round-trip form).
    """
    arrays = {name: np.array(leaf, order="C", ndmin=0) for name, leaf in _named(jax.device_get(tree)).items()}
    text = {key: json.dumps(value) for key, value in metadata.items()}
    write_atomically(path, lambda temporary: save_file(arrays, temporary, metadata=text))


def load(path: Path, like: Tree) -> tuple[Tree, dict[str, Any]]:
    """The tree and the metadata of a file written by ``save``; ``like`` gives structure, shapes and dtypes.

    Raises ``CheckpointError`` where the file is damaged, or holds other arrays than ``like``.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "state.safetensors"
    >>> save(path, {"w": jnp.arange(3.0)}, {"step": 5})
    >>> tree, metadata = load(path, {"w": jnp.zeros(3)})
    >>> tree["w"].tolist(), metadata
    ([0.0, 1.0, 2.0], {'step': 5})
    """
    arrays, found_metadata = _read(path)
    expected = {name: (leaf.shape, leaf.dtype) for name, leaf in _named(like).items()}
    found = {name: (array.shape, array.dtype) for name, array in arrays.items()}
    if differing := sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)):
        name = differing[0]
        raise CheckpointError(
            f"{path} belongs to another network or method: {len(differing)} arrays differ, the first is {name!r}, "
            f"expected {expected.get(name)}, found {found.get(name)}; delete the file to start anew"
        )
    leaves = [jnp.asarray(arrays[name]) for name in expected]
    return jax.tree.unflatten(jax.tree.structure(like), leaves), found_metadata


def metadata(path: Path) -> dict[str, Any]:
    """The metadata of a file written by ``save``. Raises ``CheckpointError`` where it is damaged."""
    return _read(path)[1]


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            return arrays, {key: json.loads(value) for key, value in (file.metadata() or {}).items()}
    except (SafetensorError, json.JSONDecodeError, OSError) as error:
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint ({error}); it is damaged or was written by another program: "
            "delete it to start anew"
        ) from error


def _named(tree: Tree) -> dict[str, Any]:
    paths, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/") or "value": leaf for path, leaf in paths}
