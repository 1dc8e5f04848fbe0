"""Floating-point formats of a run, and the algorithm of its network's matrix products."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gradalign.base.errors import ConfigurationError, DeviceError, unknown_name


class Precision(NamedTuple):
    """One entry of ``PRECISIONS``.

    dtype: of parameters, points, statistics and everything else outside matrix products.
    products: the algorithm of the network's matrix products, a name known to ``jax.default_matmul_precision``.
    """

    dtype: type
    products: str


PRECISIONS: dict[str, Precision] = {
    "float32": Precision(jnp.float32, "highest"),
    "tf32x3": Precision(jnp.float32, "TF32_TF32_F32_X3"),
    "bf16x6": Precision(jnp.float32, "BF16_BF16_F32_X6"),
    "float64": Precision(jnp.float64, "highest"),
}
"""By name. ``tf32x3`` and ``bf16x6`` split every factor into two parts of 11 or three of 8 significant bits, and sum
three or six products of parts in float32 (arXiv 1803.04014, 1904.06376): float32 on tensor cores, up to rounding."""


def dtype_of(precision: str) -> jnp.dtype:
    """The dtype named by a configuration: float64 for ``float64``, float32 for all others.

    Raises ``ConfigurationError`` for an unknown name, and for ``float64`` while JAX's 64-bit types are off, when
    every array would silently be float32.

    >>> dtype_of("float32"), dtype_of("tf32x3")
    (dtype('float32'), dtype('float32'))
    """
    dtype = _known(precision).dtype
    if dtype == jnp.float64 and jax.dtypes.canonicalize_dtype(jnp.float64) != jnp.float64:
        raise ConfigurationError(
            f"precision {precision!r} needs JAX's 64-bit types; call jax.config.update('jax_enable_x64', True) "
            "before the first array is made"
        )
    return jnp.dtype(dtype)


def products_of(precision: str) -> str:
    """The algorithm of the network's matrix products, for ``jax.default_matmul_precision``.

    Raises ``ConfigurationError`` for an unknown name.

    >>> products_of("float32"), products_of("bf16x6")
    ('highest', 'BF16_BF16_F32_X6')
    """
    return _known(precision).products


def refusal(algorithm: str) -> str:
    """Why JAX's default device cannot multiply float32 matrices by an algorithm; empty where it can.

    ``algorithm`` is a name known to ``jax.default_matmul_precision``; ``highest`` is possible everywhere. The device
    compiles and runs a product of two 128 x 128 matrices, forward and backward. A result equal to that of float32 in
    every bit counts as a refusal: the compiler accepts the name and still multiplies in float32, which would label a
    run with a precision that it never had.

    >>> refusal("highest")
    ''
    """
    if algorithm == "highest":
        return ""
    factors = np.random.default_rng(0).standard_normal((2, 128, 128)).astype(np.float32)

    def layer(left: jax.Array, right: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        value, backward = jax.vjp(jnp.matmul, left, right)
        return value, backward(value)

    def products(name: str) -> list[np.ndarray]:
        with jax.default_matmul_precision(name):
            return jax.tree.leaves(jax.device_get(jax.jit(layer)(*factors)))

    try:
        found = products(algorithm)
    except (ValueError, NotImplementedError, jax.errors.JaxRuntimeError) as error:
        return str(error).splitlines()[0]
    if all(np.array_equal(*pair) for pair in zip(found, products("highest"), strict=True)):
        return "its compiler takes the name, and multiplies in float32 all the same"
    return ""


def require_precision(precision: str) -> None:
    """Raise ``DeviceError`` where the device cannot do a precision's matrix products."""
    reason = refusal(products_of(precision))
    if not reason:
        return
    device = jax.devices()[0]
    possible = ", ".join(name for name, found in PRECISIONS.items() if not refusal(found.products))
    raise DeviceError(
        f"precision {precision!r} (key 'precision' of the training settings) needs matrix products by "
        f"{products_of(precision)}, which {device.device_kind!r} ({device.platform}) cannot do: {reason}. Possible on "
        f"this device: {possible}. 'tf32x3' and 'bf16x6' are meant for the tensor cores of a GPU (NVIDIA Ampere or "
        "later); set 'precision: float32' here, which computes the same to rounding, or run on such a GPU"
    )


def enable_float64() -> None:
    """Turn on 64-bit types and full-precision matrix products, as every gradalign command does."""
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_default_matmul_precision", "highest")


def _known(precision: str) -> Precision:
    if precision not in PRECISIONS:
        raise unknown_name("precision", precision, PRECISIONS)
    return PRECISIONS[precision]
