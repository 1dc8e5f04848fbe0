"""What a process may use of its machine, from files as Linux writes them, and the message if that is too little."""

import os
import sys

import jax.numpy as jnp
import pytest
from experiments import line_reference, specification

from gradalign.base import machine
from gradalign.base.errors import ConfigurationError, MemoryLimitError
from gradalign.base.machine import Memory, available_memory, cores, out_of_memory
from gradalign.training import runner


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A machine with 8 cores and 10 GB free; a test writes its other files."""
    monkeypatch.setattr(machine, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "PROCESSES", tmp_path / "proc")
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    monkeypatch.delenv("NPROC", raising=False)
    files = {"proc/meminfo": "MemTotal: 16000000 kB\nMemAvailable: 10000000 kB\n", "proc/self/statm": "1000 1 1 1"}

    def write(more):
        for name, text in (files | more).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)

    write({})
    return write


def test_a_machine_without_limits(system):
    assert cores() == 8
    assert available_memory() == Memory(10_240_000_000, "the memory of this machine")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"proc/self/cgroup": "0::/a/b", "cgroup/a/cpu.max": "150000 100000", "cgroup/a/b/cpu.max": "max 100000"}, 1.5),
        ({"proc/self/cgroup": "0::/", "cgroup/cpu.max": "400000 100000"}, 4),
        ({"proc/self/cgroup": "0::/outside/of/it", "cgroup/cpu.max": "200000 100000"}, 2),
        (
            {
                "proc/self/cgroup": "4:memory:/\n3:cpu,cpuacct:/job",
                "cgroup/cpu/job/cpu.cfs_quota_us": "300000",
                "cgroup/cpu/job/cpu.cfs_period_us": "100000",
                "cgroup/cpu/cpu.cfs_quota_us": "-1",
                "cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            3,
        ),
        ({"proc/self/cgroup": "nonsense\n\n::::", "cgroup/cpu.max": "max"}, 8),
    ],
)
def test_the_quota_of_a_container_limits_the_cores(system, files, expected):
    system(files)
    assert cores() == expected


def test_affinity_and_nproc_limit_the_cores(system, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3}, raising=False)
    assert cores() == 1
    assert runner.device_name() == "cpu (1 core)"
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(6)), raising=False)
    monkeypatch.setenv("NPROC", "2")
    assert runner.device_name() == "cpu (2 cores)"
    for wrong in ("0", "-1", "two", "1.5"):
        monkeypatch.setenv("NPROC", wrong)
        with pytest.raises(ConfigurationError, match=f"NPROC is '{wrong}'"):
            cores()


@pytest.mark.parametrize(
    ("files", "free"),
    [
        (
            {
                "proc/self/cgroup": "0::/box",
                "cgroup/box/memory.max": "4000000000",
                "cgroup/box/memory.current": "3000000000",
                "cgroup/box/memory.stat": "anon 1\ninactive_file 400000000\nactive_file 100000000\n",
            },
            1_500_000_000,
        ),
        (
            {
                "proc/self/cgroup": "0::/box",
                "cgroup/box/memory.max": "max",
                "cgroup/box/memory.high": "2000000000",
                "cgroup/box/memory.current": "2500000000",
            },
            0,
        ),
        (
            {
                "proc/self/cgroup": "9:memory:/box",
                "cgroup/memory/box/memory.limit_in_bytes": "2000000000",
                "cgroup/memory/box/memory.usage_in_bytes": "500000000",
                "cgroup/memory/box/memory.stat": "cache 7\ntotal_inactive_file 100000000\ntotal_active_file 0\n",
            },
            1_600_000_000,
        ),
    ],
)
def test_the_limit_of_a_container_is_what_is_left(system, files, free):
    system(files)
    found = available_memory()
    assert found.free == free
    assert found.where.startswith("the memory of this container or job (limit ")


def test_files_that_say_nothing_limit_nothing(system):
    system({"proc/meminfo": "", "proc/self/cgroup": "0::/", "cgroup/memory.max": "", "cgroup/memory.current": "7"})
    assert available_memory() == Memory(sys.maxsize, "the memory of this machine")


@pytest.mark.slow
def test_a_run_that_does_not_fit_is_refused_before_its_first_step(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "available_memory", lambda: Memory(1000, "the memory of this container"))
    steps = []
    with pytest.raises(MemoryLimitError) as caught:
        runner.train(specification("adam"), line_reference(), tmp_path / "run", steps.append)
    said = str(caught.value)
    assert "the run 'burgers-adam' needs " in said
    assert "1.0 kB are free in the memory of this container" in said
    assert "fewer points" in said
    assert "GPU" not in said
    assert steps == []


def test_only_a_lack_of_memory_is_one():
    with pytest.raises(Exception) as caught:  # noqa: PT011 - an error of XLA, whatever its class
        jnp.zeros((10**6, 10**7)).block_until_ready()
    said = out_of_memory(caught.value)
    assert said.startswith("MemoryError: ")
    assert "fewer jobs at a time" in said
    assert "GPU" not in said
    for other in (RuntimeError("out of memory"), ValueError("RESOURCE_EXHAUSTED"), KeyError()):
        assert out_of_memory(other) == ""
