"""JAX without its 64-bit types, for the length of a block."""

from collections.abc import Iterator
from contextlib import contextmanager

import jax


@contextmanager
def without_64_bit_types() -> Iterator[None]:
    """As ``jax.enable_x64(False)``, which not every supported version of JAX has under one name."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", False)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)
