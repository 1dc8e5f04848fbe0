"""Scores of many NumPy vectors at once, for claims: few programs to compile, whatever the sizes.

Zeros at the end of vectors change no score, and neither do more members of a batch. So batches are cut into chunks of
one size, and dimensions are padded to one of a few, which leaves a program for each function, n and padded dimension.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from gradalign.diagnostics.alignment import alignment_score, misalignment

Floats = NDArray[np.floating[Any]]

CHUNK = 1000
DIMENSIONS = (8, 64, 1024)


@cache
def _compiled(function: Callable[[Array], Any]) -> Callable[[Array], Any]:
    return jax.jit(jax.vmap(function))


def batched(function: Callable[[Array], Any], vectors: Floats) -> Any:
    """``function`` of each (n, d) of a batch (B, n, d): arrays (B, ...) or a tree of them.

    ``function`` must not depend on zeros at the end of the vectors. Arrays that have the padded dimension keep it.

    >>> batched(alignment_score, np.eye(2)[None]).tolist()
    [0.0]
    """
    draws, n, d = vectors.shape
    chunk = 1 if draws == 1 else CHUNK  # a single one is not worth a chunk
    wide = next((size for size in DIMENSIONS if d <= size), d)
    padded = np.zeros((-(-draws // chunk) * chunk, n, wide))
    padded[:draws, :, :d] = vectors
    parts = [_compiled(function)(jnp.asarray(part)) for part in np.split(padded, len(padded) // chunk)]
    return jax.tree.map(lambda *leaves: np.concatenate([np.asarray(leaf) for leaf in leaves])[:draws], *parts)


def scores(vectors: Floats) -> Floats:
    """A of each (n, d) of a batch (B, n, d): (B,).

    >>> scores(np.array([[[1.0, 0.0], [2.0, 0.0]], [[1.0, 0.0], [-1.0, 0.0]]])).tolist()
    [1.0, -1.0]
    """
    return np.asarray(batched(alignment_score, vectors))


def score(vectors: Floats) -> float:
    """A of the rows of one matrix (n, d).

    >>> score(np.array([[1.0, 0.0], [0.0, 3.0]]))
    0.0
    """
    return float(scores(np.asarray(vectors)[None])[0])


def misalignments(vectors: Floats) -> Floats:
    """1 - A of each (n, d) of a batch (B, n, d), without cancellation: (B,).

    >>> misalignments(np.array([[[1.0, 0.0], [-1.0, 0.0]]])).tolist()
    [2.0]
    """
    return np.asarray(batched(misalignment, vectors))


def misaligned(*vectors: Floats) -> float:
    """1 - A of some vectors (d,), without cancellation; 1 - cos for two.

    >>> misaligned(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    1.0
    """
    return float(misalignments(np.stack(vectors)[None])[0])


def units(vectors: Floats) -> Floats:
    """v / ||v|| along the last axis.

    >>> units(np.array([[3.0, 4.0]])).tolist()
    [[0.6, 0.8]]
    """
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
