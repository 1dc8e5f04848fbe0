"""A training step with sines and cosines of ``gradalign.derivatives.sines`` against those of XLA, which takes them one
by one.

python benchmarks/sines.py            a minute, one core; writes results/sines-cpu.csv

Both are the same run, compiled twice, and take turns. The runs have sines in every layer, in the Fourier features or
in the start that is built in.
"""

import os

os.environ.setdefault("NPROC", "1")

from typing import Any

import jax
from built_in_start import ROOT, in_two_ways, written

from gradalign.base.precision import enable_float64
from gradalign.derivatives import growing_series, rules, waves
from gradalign.derivatives.sines import sine_and_cosine
from gradalign.pipeline import configuration

RUNS = {
    "laptop-best": ["wave-gauss_newton", "burgers-gauss_newton", "ginzburg_landau-soap_gauss_newton"],
    "laptop": ["wave-adam", "wave-soap"],
}


def use(pair: waves.Pair) -> None:
    """Take sines and cosines so, wherever derivatives of fields are taken."""
    for module in (rules, growing_series):
        module.sine_and_cosine = pair  # type: ignore[attr-defined]


if __name__ == "__main__":
    enable_float64()
    jax.config.update("jax_enable_compilation_cache", val=False)
    ways = {"one by one": lambda: use(waves.primitives), "at once": lambda: use(sine_and_cosine)}
    rows: list[dict[str, Any]] = []
    for scale, runs in RUNS.items():
        settings = configuration.load([ROOT / f"workflow/config/{scale}.yaml"])
        for run in runs:
            rows.append({"scale": scale, **in_two_ways(settings, run, ways)})
            print(rows[-1], flush=True)
    written(rows, "sines")
