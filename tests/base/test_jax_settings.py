"""Settings of JAX from a user's environment: none changes a number silently, none ends in a traceback."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from gradalign.base import jax_settings, randomness
from gradalign.base.errors import ConfigurationError

CHANGED = {
    "jax_threefry_partitionable": False,
    "jax_random_seed_offset": 7,
    "jax_debug_nans": True,
    "jax_disable_jit": True,
    "jax_numpy_rank_promotion": "raise",
    "jax_default_prng_impl": "rbg",
}


@pytest.fixture
def changed():
    before = {name: jax.config.values[name] for name in CHANGED}
    for name, value in CHANGED.items():
        jax.config.update(name, value)
    yield
    for name, value in before.items():
        jax.config.update(name, value)


def test_commands_have_one_set_of_settings_and_say_what_was_otherwise(changed):
    said = []
    jax_settings.fix(said.append)
    assert all(jax.config.values[name] == jax_settings.FIXED[name] for name in CHANGED)
    for name, value in CHANGED.items():
        assert f"note: {name.upper()}={value} in the environment is not followed" in "\n".join(said)
    again = []
    jax_settings.fix(again.append)
    assert again == []


@pytest.mark.parametrize(("name", "value"), [("jax_threefry_partitionable", False), ("jax_random_seed_offset", 7)])
def test_a_program_that_imports_gradalign_is_told_that_its_draws_are_others(name, value):
    before = jax.config.values[name]
    expected = np.asarray(jax.random.key_data(randomness.stream(0, "a")))
    jax.config.update(name, value)
    try:
        with pytest.raises(ConfigurationError, match=f"{name} is {value} in JAX"):
            randomness.stream(0, "a")
        assert jax.config.values[name] == value  # the user's own
    finally:
        jax.config.update(name, before)
    np.testing.assert_array_equal(jax.random.key_data(randomness.stream(0, "a")), expected)


@pytest.mark.parametrize(
    ("flags", "refused"),
    [
        ("--xla_cpu_enable_fast_math=true", True),
        ("--xla_cpu_enable_fast_math", True),
        ("--xla_a=1 --xla_gpu_ftz=1", True),
        ("--xla_cpu_enable_fast_math=false", False),
        ("--xla_force_host_platform_device_count=2", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("in_a_file", [False, True])
def test_flags_of_inexact_arithmetic_are_refused_by_name(flags, refused, in_a_file, tmp_path, monkeypatch):
    if in_a_file and flags:
        (tmp_path / "flags").write_text(flags)
        flags = str(tmp_path / "flags")
    monkeypatch.setenv("XLA_FLAGS", flags)
    if not refused:
        jax_settings.require_exact_arithmetic()
        return
    with pytest.raises(ConfigurationError, match="XLA_FLAGS holds '--xla_"):
        jax_settings.require_exact_arithmetic()


def test_flags_in_a_file_that_is_not_there_are_named(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "/nowhere/flags")
    with pytest.raises(ConfigurationError, match=r"XLA_FLAGS is '/nowhere/flags': cannot be read"):
        jax_settings.require_exact_arithmetic()


@pytest.mark.slow
def test_a_command_in_a_hostile_environment_gives_the_same_reference(tmp_path):
    hostile = {
        "JAX_THREEFRY_PARTITIONABLE": "0",
        "JAX_DEBUG_NANS": "1",
        "JAX_DISABLE_JIT": "1",
        "JAX_NUMPY_RANK_PROMOTION": "raise",
    }
    said = []
    for name, more in (("plain", {}), ("hostile", hostile)):
        command = [sys.executable, "-m", "gradalign", "reference", "wave", "--no-cache", "--output", f"{name}.npz"]
        done = subprocess.run(command, cwd=tmp_path, env=os.environ | more, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert all(f"note: {name}=" in said[1] for name in hostile)
    assert "note:" not in said[0]
    plain, found = (np.load(tmp_path / f"{name}.npz") for name in ("plain", "hostile"))
    np.testing.assert_array_equal(plain["u"], found["u"])
