"""All randomness of a run: named streams from one seed."""

import zlib

import jax
from jax import Array

from gradalign.base.jax_settings import require_our_draws


def stream(seed: int, name: str) -> Array:
    """The key of the stream ``name`` of the run with ``seed``.

    ``fold_in(key(seed), crc32(name))`` with the threefry generator, whose output does not depend on the device. Adding
    a stream leaves the others unchanged. Raises ``ValueError`` unless ``seed`` is an integer from 0 to 2^32 - 1, and
    ``ConfigurationError`` where a setting of JAX changes what is drawn (``jax_settings.DRAWS``).

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
    """The key of one step of a stream, independent of how the run reached that step."""
    return jax.random.fold_in(key, step)
