"""Errors of trained networks against reference solutions. All quantities are dimensionless."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from gradalign.base import untrusted
from gradalign.base.files import write_atomically
from gradalign.base.trees import Tree
from gradalign.problems._contract import At, Problem
from gradalign.references import _equation as equation
from gradalign.references._contract import Reference, relative_l2
from gradalign.training import checkpoints
from gradalign.training.loop import Experiment, build
from gradalign.training.records import require_same_settings, require_sound
from gradalign.training.settings import RunSpecification

Fields = dict[str, np.ndarray]
Row = dict[str, Any]

SNAPSHOTS = 11
"""Times of a field over (t, x, y) that are kept for figures, including the first and the last."""


class Scores(NamedTuple):
    """The errors of one run.

    main: a row per seed, with the errors of the main quantity and the stated error of the reference.
    quantities: a row per seed and quantity, with the same errors. in_time: a row per seed, quantity and time.
    arrays: coordinates by name, ``reference_<field>``, ``predicted_<field>`` of the first seed.
    """

    main: pd.DataFrame
    quantities: pd.DataFrame
    in_time: pd.DataFrame
    arrays: Fields


def errors(predicted: np.ndarray, reference: np.ndarray, coordinates: Fields) -> Row:
    """The errors of one quantity: relative L2 over the grid and at the last time, the largest error, and its place.

    Both arrays span the coordinates with their last axes. ``relative_l2`` is ||p - r||_2 / ||r||_2 over all entries, in
    float64. ``relative_l2_final_time`` is the same at the last time, NaN without time. ``largest_error`` is
    max |p - r|, not relative. Raises ``ValueError`` for unequal shapes or a zero reference.

    >>> row = errors(np.asarray([3.0, 5.0]), np.asarray([3.0, 4.0]), {"x": np.asarray([0.0, 0.5])})
    >>> row["relative_l2"], row["largest_error"], row["largest_error_at"]
    (0.2, 1.0, 'x=0.5')
    """
    if predicted.shape != reference.shape:
        raise ValueError(f"the prediction has shape {predicted.shape}, its reference {reference.shape}")
    if not np.any(reference):
        raise ValueError("the reference is zero everywhere: a relative error is not defined")
    predicted = predicted.astype(np.float64)
    gaps = np.abs(predicted - reference)
    place = np.unravel_index(int(np.argmax(gaps)), gaps.shape)[gaps.ndim - len(coordinates) :]
    where = ", ".join(f"{name}={grid[i]:.6g}" for (name, grid), i in zip(coordinates.items(), place, strict=True))
    last = np.nan
    if "t" in coordinates:
        final = relative_l2_in_time(predicted, reference, len(coordinates))[-1]
        last = float(final)
    return {
        "relative_l2": relative_l2(predicted, reference),
        "relative_l2_final_time": last,
        "largest_error": float(np.max(gaps)),
        "largest_error_at": where,
    }


def relative_l2_in_time(predicted: np.ndarray, reference: np.ndarray, dimensions: int) -> np.ndarray:
    """||p - r||_2 / ||r||_2 at every time, the first of the last ``dimensions`` axes: (T,); NaN where r is zero.

    >>> relative_l2_in_time(np.asarray([[1.0], [3.0]]), np.asarray([[1.0], [2.0]]), 2).tolist()
    [0.0, 0.5]
    """
    time = reference.ndim - dimensions
    others = tuple(axis for axis in range(reference.ndim) if axis != time)
    gap = np.sqrt(np.sum((predicted.astype(np.float64) - reference) ** 2, axis=others))
    size = np.sqrt(np.sum(reference**2, axis=others))
    return gap / np.where(size == 0, np.nan, size)


def quantities(problem: Problem, fields: Fields) -> Fields:
    """The evaluated quantities by name, from the observed fields."""
    return {name: quantity(fields) for name, quantity in problem.quantities.items()}


def thinned(reference: Reference, limit: int) -> tuple[Fields, Fields]:
    """Coordinates and fields at every k-th point of each spatial axis, with the least k that keeps ``limit``."""
    grids, fields = dict(reference.coordinates), dict(reference.fields)
    step = 1
    while np.prod([-(-grid.size // (1 if name == "t" else step)) for name, grid in grids.items()]) > limit:
        step += 1
    strides = {name: slice(None, None, 1 if name == "t" else step) for name in grids}
    cut = tuple(strides.values())
    return {name: grid[strides[name]] for name, grid in grids.items()}, {n: f[cut] for n, f in fields.items()}


def window_of(times: np.ndarray, problem: Problem, windows: int) -> np.ndarray:
    """The window of each time, from 0: the one that starts at or before it. The last time belongs to the last window.

    So every sample of a grid is evaluated, including the last.

    >>> from gradalign.problems.burgers import Settings, problem
    >>> window_of(np.asarray([0.0, 0.2, 0.25, 1.0]), problem(Settings(), 4), 4).tolist()
    [0, 0, 1, 3]
    """
    start, end = problem.domain[0]
    return np.clip(np.floor((times - start) / (end - start) + 1e-9), 0, windows - 1).astype(int)


def predictor(experiment: Experiment, coordinates: Fields, block: int = 16384) -> Callable[[Tree], Fields]:
    """A function from the solution of a run (``Experiment.solution``) to the observed fields on a grid.

    Compiled once; evaluates at most ``block`` points at a time. With several windows, ``window_of`` assigns the times.
    """
    problem, windows = experiment.problem, experiment.windows
    grids = [np.asarray(coordinates[name], np.float64) for name in problem.coordinates]
    shape = tuple(grid.size for grid in grids)
    nodes = np.stack([axis.ravel() for axis in np.meshgrid(*grids, indexing="ij")], axis=1)
    window = np.zeros(len(nodes), int)
    if windows > 1:
        window = window_of(nodes[:, 0], problem, windows)
        nodes[:, 0] -= window * (problem.domain[0][1] - problem.domain[0][0])
    # Each block belongs to one window, whose rows are repeated up to a whole number of blocks
    rows = [np.flatnonzero(window == index) for index in range(windows)]
    block = min(block, max(found.size for found in rows))
    rows = [np.resize(found, -(-found.size // block) * block) for found in rows]
    order = np.concatenate(rows)
    place = np.empty(len(nodes), int)
    place[order] = np.arange(len(order))
    owner = jnp.asarray(window[order[::block]])
    blocks = jnp.asarray(nodes[order].reshape(-1, block, len(grids)), experiment.dtype)

    @jax.jit
    def observed(solution: Tree) -> jax.Array:
        def part(given: tuple[jax.Array, jax.Array]) -> jax.Array:
            params = solution if windows == 1 else jax.tree.map(lambda leaf: leaf[given[0]], solution)
            assert problem.observe is not None  # filled in by the problem itself
            return problem.observe(experiment.model.fields_of(params), At(given[1], problem.coordinates))

        return jax.lax.map(part, (owner, blocks)).reshape(len(order), -1)[place]

    def predict(solution: Tree) -> Fields:
        values = np.asarray(observed(solution))
        return {name: values[:, i].reshape(shape) for i, name in enumerate(problem.observed)}

    return predict


def evaluate(specification: RunSpecification, directory: Path, reference: Reference) -> Scores:
    """The errors of the final parameters of every seed of a finished run, in all quantities of the problem.

    Raises ``RunRecordError`` if a file of the run has changed since it was written, ``ConfigurationError`` if the run
    has other settings than ``specification`` or the reference solves another equation.
    """
    require_sound(directory)
    require_same_settings(directory, specification)
    equation.require_same(reference, specification.problem, specification.problem_settings, specification.name)
    experiment = build(specification)
    problem, grids = experiment.problem, reference.coordinates
    predict = predictor(experiment, grids)
    like = jax.eval_shape(lambda: experiment.solution(experiment.start(0)))
    exact = quantities(problem, reference.fields)
    main, every, in_time, arrays = [], [], [], dict[str, np.ndarray]()
    for seed in specification.seeds:
        solution, _ = checkpoints.load(directory / "parameters" / f"seed-{seed}.safetensors", like)
        predicted = predict(solution)
        found = quantities(problem, predicted)
        rows = {name: errors(found[name], exact[name], grids) for name in exact}
        labels = {"run": specification.name, "problem": problem.name, "method": specification.method, "seed": seed}
        about = {"score": problem.main_quantity, "reference_error": reference.stated_error}
        main.append({"run": specification.name, "seed": seed, **about, **rows[problem.main_quantity]})
        every += [{**labels, "quantity": name, **row} for name, row in rows.items()]
        if "t" in grids:
            in_time += [
                {**labels, "quantity": name, "t": t, "relative_l2": error}
                for name in exact
                for t, error in zip(grids["t"], relative_l2_in_time(found[name], exact[name], len(grids)), strict=True)
            ]
        if seed == specification.seeds[0]:
            arrays = _for_figures(reference, predicted)
    columns = ["run", "problem", "method", "seed", "quantity", "t", "relative_l2"]
    return Scores(pd.DataFrame(main), pd.DataFrame(every), pd.DataFrame(in_time, columns=columns), arrays)


def tables(scores: Scores, directory: Path) -> dict[str, pd.DataFrame]:
    """The summary tables of the run in ``directory`` alone: ``runs``, ``curves``, ``errors`` and ``errors_in_time``.

    ``runs`` has the columns of the training, then those of ``scores.main``.
    """
    trained, curves = (untrusted.table(directory / f"{name}.csv") for name in ("runs", "curves"))
    runs = trained.merge(scores.main, on=["run", "seed"], validate="one_to_one")
    return {"runs": runs, "curves": curves, "errors": scores.quantities, "errors_in_time": scores.in_time}


def save_arrays(path: Path, arrays: Fields) -> None:
    """Write named arrays as one compressed ``.npz`` file, all or nothing."""
    named: dict[str, Any] = {**arrays}  # Any: NumPy's types reserve a name for a flag, which old versions would store
    write_atomically(path, lambda temporary: np.savez_compressed(temporary, **named))


def _for_figures(reference: Reference, predicted: Fields) -> Fields:
    """Both fields with their grid; fields over (t, x, y) only at ``SNAPSHOTS`` times."""
    grids = dict(reference.coordinates)
    times: slice | np.ndarray = slice(None)
    if "t" in grids and len(grids) > 2:
        chosen = np.unique(np.linspace(0, grids["t"].size - 1, SNAPSHOTS).round().astype(int))
        grids["t"], times = grids["t"][chosen], chosen
    arrays = dict(grids)
    for name, exact in reference.fields.items():
        arrays |= {f"reference_{name}": exact[times], f"predicted_{name}": predicted[name][times]}
    return arrays
