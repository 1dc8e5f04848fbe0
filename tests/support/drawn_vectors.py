"""Random vectors and layer gradients by seed, and scores that compile one program per number of vectors."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

from gradalign.diagnostics.alignment import alignment_score, inter_step_score, misalignment

SEED = st.integers(0, 2**32 - 1)
WIDTH = 32

_score = jax.jit(alignment_score)
_inter_step = jax.jit(lambda pair: inter_step_score(pair[0], pair[1]))
_misalignment = jax.jit(misalignment)


def padded(vectors):
    """Pad with zeros, which change no score, to one width, so that only one program per n is compiled."""
    vectors = np.asarray(vectors, float)
    return jnp.asarray(np.pad(vectors, ((0, 0), (0, WIDTH - vectors.shape[1]))))


def score(vectors):
    return float(_score(padded(vectors)))


def inter_step(one, other):
    return float(_inter_step(padded([one, other])))


def defect(one, other):
    """1 - cos, from the library."""
    return float(_misalignment(padded([one, other])))


def draw(seed, n, d, decades=0.0):
    generator = np.random.default_rng(seed)
    return generator.standard_normal((n, d)) * 10.0 ** generator.uniform(-decades, decades, (n, 1))


def units(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def samples(seed, count, m, n):
    """Correlated gradients (count, m, n) of a layer, with entries of order one."""
    generator = np.random.default_rng(seed)
    left, right = generator.standard_normal((m, m)), generator.standard_normal((n, n))
    found = left @ generator.standard_normal((count, m, n)) @ right
    return found / np.sqrt(np.mean(found**2))


def cosine(one, other):
    one, other = np.ravel(one), np.ravel(other)
    return one @ other / np.linalg.norm(one) / np.linalg.norm(other)
