"""XLA options for programs that run only a few times: a low optimisation level, which halves the compilation time.

Imports no JAX, because ``XLA_FLAGS`` must be set before JAX is imported.
"""

from importlib.metadata import version

QUICK: dict[str, str | bool] = {
    "xla_backend_optimization_level": "0",
    "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_parallel_codegen_split_count": "1",
}
"""Compiler options by name. Some versions of XLA lack some of them."""


def quick_flags(jaxlib: str = version("jaxlib")) -> str:
    """The same options for ``XLA_FLAGS``, in which XLA stops at an unknown name.

    The option for fusion emitters was seen in jaxlib 0.10 and no longer in 0.12.

    >>> quick_flags("0.10.2")
    '--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1'
    >>> quick_flags("0.12.0.1")
    '--xla_backend_optimization_level=0 --xla_cpu_parallel_codegen_split_count=1'
    """
    has_older_way = tuple(map(int, jaxlib.split(".")[:2])) < (0, 11)
    names = [name for name in QUICK if has_older_way or name != "xla_cpu_use_fusion_emitters"]
    return " ".join(f"--{name}={str(QUICK[name]).lower()}" for name in names)
