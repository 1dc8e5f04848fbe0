"""Settings of every test: 64-bit types, strict promotion of dtypes, full-precision products, fixed examples."""

import jax
from hypothesis import HealthCheck, settings

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_default_matmul_precision", "highest")

settings.register_profile(
    "gradalign",
    max_examples=60,
    derandomize=True,
    deadline=None,  # the first example of a test pays for compilation
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("gradalign")
