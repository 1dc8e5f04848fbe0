"""Settings of JAX and XLA that a user's environment may hold and that would change numbers or stop a command.

The commands set what they can, and say so where it was set otherwise; what only XLA's own flags decide is refused by
name. A program that imports gradalign keeps all of its settings: it is told where random numbers would be others.
"""

import os
from collections.abc import Callable
from typing import Any

import jax

from gradalign.base.errors import ConfigurationError
from gradalign.base.untrusted import text

DRAWS: dict[str, Any] = {"jax_threefry_partitionable": True, "jax_random_seed_offset": 0}
"""Settings with which JAX draws other numbers from the same key or seed, and their values here."""

FIXED: dict[str, Any] = DRAWS | {
    "jax_default_prng_impl": "threefry2x32",
    "jax_enable_custom_prng": False,
    # Results are rounded otherwise
    "jax_disable_jit": False,
    "jax_disable_most_optimizations": False,
    "jax_use_direct_linearize": True,
    # NaN stands for what is not defined, and a loss that is not finite is found and named by the run itself
    "jax_debug_nans": False,
    "jax_debug_infs": False,
    # What programs do on purpose is an error with these
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
"""Settings of JAX that every command has, whatever the environment says, but for those that this JAX does not know."""

INEXACT = ("fast_math", "fast_min_max", "xla_gpu_ftz", "xla_allow_excess_precision")
"""Parts of the names of XLA's flags with which its arithmetic is not that of IEEE 754."""

Say = Callable[[str], object]


def fix(say: Say) -> None:
    """Set ``FIXED``, and say which of these settings the environment had set otherwise.

    Raises ``ConfigurationError``, naming the flag, where ``XLA_FLAGS`` asks for inexact arithmetic.
    """
    require_exact_arithmetic()
    for name, value in FIXED.items():
        given = jax.config.values.get(name)
        if given not in (None, value):  # the transfer guard has no value by default
            say(f"note: {name.upper()}={given} in the environment is not followed; every command has {value}")
            jax.config.update(name, value)


def require_exact_arithmetic() -> None:
    """Refuse flags of XLA that let it round, order or drop what IEEE 754 says to keep (``ConfigurationError``).

    ``XLA_FLAGS`` holds the flags, or the name of a file with them.
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
    """Refuse to draw where JAX is set to draw other numbers than those of every published run.

    Raises ``ConfigurationError``, naming the setting: a program that imports gradalign keeps its settings.
    """
    for name, value in DRAWS.items():
        given = jax.config.values.get(name, value)
        if given != value:
            raise ConfigurationError(
                f"{name} is {given} in JAX, with which a seed gives other random numbers; allowed: {value}; call "
                f"jax.config.update({name!r}, {value}), or take {name.upper()} out of the environment"
            )
