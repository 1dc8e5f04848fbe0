"""Errors of trained networks against reference solutions. All quantities are dimensionless."""

from collections.abc import Callable, Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from gradalign import checkpoints
from gradalign.files import write_atomically
from gradalign.reference import Reference
from gradalign.settings import RunSpecification
from gradalign.training import Experiment, build
from gradalign.trees import Tree

Fields = dict[str, np.ndarray]


def relative_l2(predicted: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray]) -> float:
    """||p - r||_2 / ||r||_2 over all grid points and all fields of ``reference``, in float64.

    Raises ``KeyError`` for a field that was not predicted, ``ValueError`` for unequal shapes or a zero reference.

    >>> relative_l2({"u": np.asarray([3.0, 5.0])}, {"u": np.asarray([3.0, 4.0])})
    0.2
    """
    difference, size = 0.0, 0.0
    for name, exact in reference.items():
        if predicted[name].shape != exact.shape:
            raise ValueError(f"field {name!r} has shape {predicted[name].shape}, its reference {exact.shape}")
        difference += float(np.sum((predicted[name].astype(np.float64) - exact) ** 2))
        size += float(np.sum(exact.astype(np.float64) ** 2))
    if size == 0:
        raise ValueError("the reference is zero everywhere: a relative error is not defined")
    return float(np.sqrt(difference / size))


def errors(predicted: Fields, reference: Reference) -> dict[str, float | str]:
    """The error columns of ``summary/runs.csv``: relative L2 over the grid and at the last time, largest error, place.

    ``largest_error`` is max |p - r| over points and fields, not relative. A problem without time has no error at the
    last time (NaN).
    """
    names, grids = list(reference.coordinates), list(reference.coordinates.values())
    gaps = {name: np.abs(predicted[name].astype(np.float64) - exact) for name, exact in reference.fields.items()}
    field = max(gaps, key=lambda name: float(np.max(gaps[name])))
    place = np.unravel_index(int(np.argmax(gaps[field])), gaps[field].shape)
    where = ", ".join(f"{name}={grid[i]:.6g}" for name, grid, i in zip(names, grids, place, strict=True))
    last = np.nan
    if names[0] == "t":
        at_end = {name: exact[-1] for name, exact in reference.fields.items()}
        last = relative_l2({name: predicted[name][-1] for name in at_end}, at_end)
    return {
        "relative_l2": relative_l2(predicted, reference.fields),
        "relative_l2_final_time": last,
        "largest_error": float(np.max(gaps[field])),
        "largest_error_at": f"{field}: {where}" if len(gaps) > 1 else where,
    }


def predictor(experiment: Experiment, reference: Reference, block: int = 16384) -> Callable[[Tree], Fields]:
    """A function from parameters to all fields on the reference's grid, compiled once, ``block`` points at a time."""
    grids = [np.asarray(reference.coordinates[name]) for name in experiment.problem.coordinates]
    shape = tuple(grid.size for grid in grids)
    nodes = np.stack([axis.ravel() for axis in np.meshgrid(*grids, indexing="ij")], axis=1)
    blocks = -(-len(nodes) // block)
    padded = np.concatenate([nodes, np.repeat(nodes[-1:], blocks * block - len(nodes), axis=0)])
    coordinates = jnp.asarray(padded.reshape(blocks, block, -1), experiment.dtype)
    apply = jax.jit(lambda params: jax.lax.map(lambda part: experiment.network.apply(params, part), coordinates))

    def predict(params: Tree) -> Fields:
        values = np.asarray(apply(params)).reshape(blocks * block, -1)[: len(nodes)]
        return {name: values[:, i].reshape(shape) for i, name in enumerate(experiment.problem.fields)}

    return predict


def evaluate(specification: RunSpecification, directory: Path, reference: Reference) -> tuple[pd.DataFrame, Fields]:
    """Score the final parameters of every seed of a finished run.

    Returns one row per seed (``run``, ``seed`` and the columns of ``errors``), and the arrays of the first seed's
    fields beside the reference: coordinates by name, ``reference_<field>``, ``predicted_<field>``.
    """
    experiment = build(specification)
    predict = predictor(experiment, reference)
    like = experiment.network.init(jax.random.key(0))
    rows, arrays = [], dict(reference.coordinates)
    for seed in specification.seeds:
        params, _ = checkpoints.load(directory / f"parameters-{seed}.safetensors", like)
        predicted = predict(params)
        rows.append({"run": specification.name, "seed": seed, **errors(predicted, reference)})
        if seed == specification.seeds[0]:
            for name, exact in reference.fields.items():
                arrays |= {f"reference_{name}": exact, f"predicted_{name}": predicted[name]}
    return pd.DataFrame(rows), arrays


def save_arrays(path: Path, arrays: Fields) -> None:
    """Write named arrays as one compressed ``.npz`` file, all or nothing."""
    write_atomically(path, lambda temporary: np.savez_compressed(temporary, allow_pickle=False, **arrays))
