"""JAX without its 64-bit types, inside a block."""

from collections.abc import Iterator
from contextlib import contextmanager

import jax


@contextmanager
def without_64_bit_types() -> Iterator[None]:
    """Like ``jax.enable_x64(False)``, whose name differs between supported versions of JAX."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", False)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)
