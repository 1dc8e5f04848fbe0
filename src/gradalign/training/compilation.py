"""Options of XLA for programs that run a few times: less of what makes machine code fast, and half the compilation.

No JAX here: whoever sets ``XLA_FLAGS`` does so before JAX is imported.
"""

from importlib.metadata import version

QUICK: dict[str, str | bool] = {
    "xla_backend_optimization_level": "0",
    "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_parallel_codegen_split_count": "1",
}
"""Options of a compilation by their names, each of which some versions of XLA do not have."""


def quick_flags(jaxlib: str = version("jaxlib")) -> str:
    """The same for ``XLA_FLAGS``, where XLA stops at a name that it does not know.

    The older way to write fused loops was seen in jaxlib 0.10 and no more in 0.12.

    >>> quick_flags("0.10.2")
    '--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1'
    >>> quick_flags("0.12.0.1")
    '--xla_backend_optimization_level=0 --xla_cpu_parallel_codegen_split_count=1'
    """
    has_older_way = tuple(map(int, jaxlib.split(".")[:2])) < (0, 11)
    names = [name for name in QUICK if has_older_way or name != "xla_cpu_use_fusion_emitters"]
    return " ".join(f"--{name}={str(QUICK[name]).lower()}" for name in names)
