"""Settings of every test: 64-bit types, strict promotion of dtypes, full-precision products, fixed examples."""

from pathlib import Path

import jax
import pytest
from hypothesis import HealthCheck, settings

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_default_matmul_precision", "highest")
# Many tests compile the same programs; the second one finds them here
jax.config.update("jax_compilation_cache_dir", str(Path(__file__).parent / ".pytest_cache" / "compiled"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=1, help="kills of each kind in tests/test_killed.py")
    parser.addoption("--whole-pipeline", action="store_true", help="kill the whole smoke pipeline, not a part of it")


settings.register_profile(
    "gradalign",
    max_examples=60,
    derandomize=True,
    deadline=None,  # the first example of a test pays for compilation
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("gradalign")
