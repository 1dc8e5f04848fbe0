"""Reference solutions with their stated errors, and the files that hold them."""

import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradalign.errors import ConfigurationError
from gradalign.files import write_atomically
from gradalign.provenance import commit

Values = NDArray[np.float64]

Progress = Callable[[float, str], object]
"""``progress(share, text)``: the share of the work that is done, in [0, 1], and what is being done."""

_NUMBERS = ("step", "self_convergence_error", "independent_difference", "stated_error", "seconds")
_TEXTS = ("problem", "solver", "resolution", "independent_check", "commit")


@dataclass(frozen=True)
class Reference:
    """A solution on a grid, with everything needed to judge it. All quantities are dimensionless.

    Attributes
    ----------
    problem: name of the problem.
    coordinates: 1-D float64 arrays by name, in the order of the axes of the fields.
    fields: float64 arrays by name, each of the shape that the coordinates span.
    solver, resolution: the method and its numerical parameters, in words.
    step: the time step; NaN for a method without one.
    self_convergence_error: relative L2 difference to the same method at a finer resolution.
    independent_check, independent_difference: another method, in words, and the relative L2 difference to it.
    stated_error: relative L2, the largest of all that was measured.
    seconds: wall-clock time of the whole computation, checks included.
    commit: the commit of the program that made it.
    """

    problem: str
    coordinates: dict[str, Values]
    fields: dict[str, Values]
    solver: str
    resolution: str
    step: float
    self_convergence_error: float
    independent_check: str
    independent_difference: float
    stated_error: float
    seconds: float
    commit: str = field(default_factory=commit)

    def __post_init__(self) -> None:
        shape = tuple(len(values) for values in self.coordinates.values())
        for name, values in self.fields.items():
            if values.shape != shape:
                raise ValueError(f"field {name!r} has shape {values.shape}; allowed: {shape}, as the coordinates span")
        if reserved := sorted((self.coordinates.keys() | self.fields.keys()) & {*_NUMBERS, *_TEXTS, *_LISTS}):
            raise ValueError(f"coordinates or fields named {', '.join(reserved)}; these names are taken by the file")

    def save(self, path: Path | str) -> None:
        """Write an ``.npz`` file: one array per coordinate and field, and every other attribute under its name.

        Two lists of names, ``coordinates`` and ``fields``, give their order. The file appears whole or not at all.
        Raises ``ConfigurationError`` for another suffix than ``.npz``.

        >>> import tempfile
        >>> t, x = np.linspace(0, 1, 2), np.linspace(-1, 1, 3)
        >>> wave = Reference("wave", {"t": t, "x": x}, {"u": np.outer(t, x)}, "closed form", "exact", float("nan"),
        ...     0.0, "none", 0.0, 0.0, 0.1)
        >>> path = Path(tempfile.mkdtemp()) / "wave.npz"
        >>> wave.save(path)
        >>> Reference.load(path).fields["u"].tolist()
        [[-0.0, 0.0, 0.0], [-1.0, 0.0, 1.0]]
        """
        path = Path(path)
        if path.suffix != ".npz":
            raise ConfigurationError(f"{path}: suffix {path.suffix!r}; allowed: '.npz'; rename the output")
        plain = {name: value for name, value in asdict(self).items() if name not in _LISTS}
        names = {name: np.array(list(getattr(self, name))) for name in _LISTS}
        arrays = {**self.coordinates, **self.fields, **names, **plain}
        write_atomically(path, lambda temporary: np.savez(temporary, **arrays))

    @classmethod
    def load(cls, path: Path | str) -> "Reference":
        """The reference in a file written by ``save``.

        Raises ``ConfigurationError``, naming the file, where it does not exist, is damaged, lacks an entry, or holds
        a field of another shape than its coordinates span. Python objects in a file are refused.
        """
        path = Path(path)
        advice = "write it with 'gradalign reference PROBLEM --output FILE.npz'"
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                values = {name: stored[name] for name in stored.files}
        except FileNotFoundError:
            raise ConfigurationError(f"{path}: no such file; allowed: a reference solution; {advice}") from None
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, TypeError, AttributeError) as error:
            raise ConfigurationError(
                f"{path}: cannot be read as a reference solution ({error}); the file is damaged or was written by "
                f"another program; {advice}"
            ) from error
        try:
            named = {kind: {str(name): values[str(name)] for name in values[kind]} for kind in _LISTS}
            numbers = {name: float(values[name]) for name in _NUMBERS}
            texts = {name: str(values[name]) for name in _TEXTS}
        except KeyError as error:
            raise ConfigurationError(
                f"{path}: has no entry {error}; allowed: a reference solution, here only {', '.join(sorted(values))}; "
                f"{advice}"
            ) from None
        try:
            return cls(**named, **numbers, **texts)  # type: ignore[arg-type]
        except ValueError as error:
            raise ConfigurationError(f"{path}: {error}; the file is damaged; {advice}") from error


_LISTS = ("coordinates", "fields")


def relative_l2(values: Values, reference: Values) -> float:
    """||values - reference||_2 / ||reference||_2 over all entries.

    >>> relative_l2(np.array([3.0, 4.5]), np.array([3.0, 4.0]))
    0.1
    """
    return float(np.linalg.norm(values - reference) / np.linalg.norm(reference))


def part_of(progress: Progress, start: float, end: float) -> Progress:
    """The progress of one part of the work, which spans the shares from ``start`` to ``end`` of the whole.

    >>> part_of(lambda share, text: print(share, text), 0.5, 1.0)(0.5, "half of the second half")
    0.75 half of the second half
    """
    return lambda share, text: progress(start + (end - start) * share, text)
