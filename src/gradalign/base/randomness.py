"""All randomness of a run, from one seed, in named streams."""

import zlib

import jax
from jax import Array

from gradalign.base.jax_settings import require_our_draws


def stream(seed: int, name: str) -> Array:
    """The key of the stream ``name`` of the run with ``seed``.

    ``fold_in(key(seed), crc32(name))`` with the threefry generator, whose output does not depend on the
    device. A stream added later leaves the others unchanged. Range: ``seed`` is a non-negative integer
    below 2^32; raises ``ValueError`` otherwise, and ``ConfigurationError`` where a setting of JAX makes it draw other
    numbers (``jax_settings.DRAWS``).

    >>> import jax.numpy as jnp
    >>> bool(jnp.all(stream(0, "points") == stream(0, "points")))
    True
    >>> bool(jnp.all(stream(0, "points") == stream(0, "parameters")))
    False
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed is {seed}; allowed: integers from 0 to 2^32 - 1")
    require_our_draws()
    return jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), zlib.crc32(name.encode()))


def at_step(key: Array, step: Array | int) -> Array:
    """The key of one step of a stream: what is drawn at a step does not depend on how the run got there."""
    return jax.random.fold_in(key, step)
