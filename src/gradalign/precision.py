"""Floating-point formats that a run can ask for."""

import jax
import jax.numpy as jnp

from gradalign.errors import ConfigurationError, unknown_name

PRECISIONS = {"float32": jnp.float32, "float64": jnp.float64}


def dtype_of(precision: str) -> jnp.dtype:
    """The dtype named by a configuration: ``float32`` or ``float64``.

    Raises ``ConfigurationError`` for another name, and for ``float64`` while 64-bit types are off in JAX,
    where every array would silently be float32.

    >>> dtype_of("float32")
    dtype('float32')
    """
    if precision not in PRECISIONS:
        raise unknown_name("precision", precision, PRECISIONS)
    if precision == "float64" and jax.dtypes.canonicalize_dtype(jnp.float64) != jnp.float64:
        raise ConfigurationError(
            "precision 'float64' needs JAX's 64-bit types; call jax.config.update('jax_enable_x64', True) "
            "before the first array is made"
        )
    return jnp.dtype(PRECISIONS[precision])


def enable_float64() -> None:
    """Turn on 64-bit types and full-precision matrix products, as every gradalign command does."""
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_default_matmul_precision", "highest")
