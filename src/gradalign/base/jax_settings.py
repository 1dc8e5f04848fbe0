"""Settings of JAX and XLA in a user's environment that would change results or stop a command.

Commands override such settings of JAX, and say so. They refuse such flags of XLA by name, because they cannot override
them. A program that imports gradalign keeps its settings, but gets an error where its random numbers would differ.
"""

import os
from collections.abc import Callable
from typing import Any

import jax

from gradalign.base.errors import ConfigurationError
from gradalign.base.untrusted import text

DRAWS: dict[str, Any] = {"jax_threefry_partitionable": True, "jax_random_seed_offset": 0}
"""Settings of JAX that change what a key or seed draws, with the values required here."""

FIXED: dict[str, Any] = DRAWS | {
    "jax_default_prng_impl": "threefry2x32",
    "jax_enable_custom_prng": False,
    # These change rounding
    "jax_disable_jit": False,
    "jax_disable_most_optimizations": False,
    "jax_use_direct_linearize": True,
    # NaN marks undefined values, and the run itself detects and names a loss that is not finite
    "jax_debug_nans": False,
    "jax_debug_infs": False,
    # These turn what programs do on purpose into errors
    "jax_numpy_rank_promotion": "allow",
    "jax_transfer_guard": "allow",
    "jax_transfer_guard_host_to_device": "allow",
    "jax_transfer_guard_device_to_device": "allow",
    "jax_transfer_guard_device_to_host": "allow",
    "jax_debug_key_reuse": False,
    "jax_check_tracer_leaks": False,
    "jax_enable_checks": False,
    "jax_no_tracing": False,
    "jax_no_execution": False,
}
"""Settings that every command forces, whatever the environment says; those unknown to this JAX are skipped."""

INEXACT = ("fast_math", "fast_min_max", "xla_gpu_ftz", "xla_allow_excess_precision")
"""Parts of the names of XLA flags that break IEEE 754 arithmetic."""

Say = Callable[[str], object]


def fix(say: Say) -> None:
    """Apply ``FIXED``, and say which values of the environment are overridden.

    Raises ``ConfigurationError``, naming the flag, where ``XLA_FLAGS`` asks for inexact arithmetic.
    """
    require_exact_arithmetic()
    for name, value in FIXED.items():
        given = jax.config.values.get(name)
        if given not in (None, value):  # the transfer guards are unset by default
            say(f"note: {name.upper()}={given} in the environment is not followed; every command has {value}")
            jax.config.update(name, value)


def require_exact_arithmetic() -> None:
    """Raise ``ConfigurationError`` for XLA flags that let it round, reorder or drop what IEEE 754 preserves.

    ``XLA_FLAGS`` holds flags, or the name of a file of flags.
    """
    given = os.environ.get("XLA_FLAGS", "").strip()
    if given and not given.startswith("-"):
        try:
            given = text(given)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"XLA_FLAGS is {given!r}: cannot be read ({error}); allowed: flags, or a file of them; correct it"
            ) from None
    for flag in given.split():
        name, _, value = flag.lstrip("-").partition("=")
        if any(part in name for part in INEXACT) and value.strip("'\"").lower() not in ("false", "0"):
            raise ConfigurationError(
                f"XLA_FLAGS holds {flag!r}, with which numbers are others and NaN may pass unseen; allowed: flags that "
                f"keep the arithmetic of IEEE 754; take it out of XLA_FLAGS, or set --{name}=false"
            )


def require_our_draws() -> None:
    """Raise ``ConfigurationError``, naming the setting, where JAX would draw other numbers than in published runs.

    The setting is not changed: a program that imports gradalign keeps its settings.
    """
    for name, value in DRAWS.items():
        given = jax.config.values.get(name, value)
        if given != value:
            raise ConfigurationError(
                f"{name} is {given} in JAX, with which a seed gives other random numbers; allowed: {value}; call "
                f"jax.config.update({name!r}, {value}), or take {name.upper()} out of the environment"
            )
