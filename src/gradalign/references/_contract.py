"""Reference solutions with their stated errors, and the files that hold them."""

import errno
import hashlib
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradalign.base import untrusted
from gradalign.base.errors import ConfigurationError, ForeignFileError, cause
from gradalign.base.files import write_atomically
from gradalign.base.provenance import commit

Values = NDArray[np.float64]

Measured = float | Sequence[float] | Values
"""One measured error, or several of one kind; each of them counts."""

Progress = Callable[[float, str], object]
"""``progress(share, text)``: the share of the work that is done, in [0, 1], and what is being done."""

_LISTS = ("coordinates", "fields")
_NUMBERS = ("step", "self_convergence_error", "independent_difference", "stated_error", "seconds")
_TEXTS = ("problem", "solver", "resolution", "independent_check", "commit", "inputs", "equation")
_MAY_BE_EMPTY = ("inputs", "equation")
_RESERVED = {*_LISTS, *_NUMBERS, *_TEXTS, "evidence", "evidence_values", "checksum"}

_ADVICE = "write it anew with 'gradalign reference PROBLEM --output FILE.npz'; the pipeline does so by itself"


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
    self_convergence_error: relative L2 differences to the same method at other resolutions; the largest is kept.
    independent_check, independent_difference: another method, in words, and the relative L2 differences to it, of which
        the largest is kept.
    stated_error: relative L2, the largest of all that was measured; it cannot be given.
    seconds: wall-clock time of the whole computation, checks included.
    commit: the commit of the program that made it.
    evidence: further relative errors by name, such as the drift of a conserved quantity or the difference to a
        published number; of several of one name the largest is kept.
    inputs: digest of the settings and sources that made it (``reference_cache.digest``); empty where it was computed
        directly.
    equation: the settings of the problem that were solved, as JSON (``equation.described``); empty as above.

    Raises ``ValueError`` for an array of another shape or dtype and for a name that the file needs itself, and
    ``ConfigurationError``, naming the quantity, for one that was not measured, or is not finite, or is negative (see
    ``largest``).
    """

    problem: str
    coordinates: dict[str, Values]
    fields: dict[str, Values]
    solver: str
    resolution: str
    step: float
    self_convergence_error: Measured
    independent_check: str
    independent_difference: Measured
    seconds: float
    commit: str = field(default_factory=commit)
    evidence: Mapping[str, Measured] = field(default_factory=dict)
    inputs: str = ""
    equation: str = ""

    def __post_init__(self) -> None:
        shape = tuple(values.size for values in self.coordinates.values())
        for name, values in (self.coordinates | self.fields).items():
            kind, allowed = ("field", shape) if name in self.fields else ("coordinate", (values.size,))
            if values.shape != allowed:
                raise ValueError(
                    f"{kind} {name!r} has shape {values.shape}; allowed: {allowed}, as the coordinates span"
                )
            if values.dtype != np.float64:
                raise ValueError(f"{kind} {name!r} has dtype {values.dtype}; allowed: float64")
        if reserved := sorted((self.coordinates.keys() | self.fields.keys()) & _RESERVED):
            raise ValueError(f"coordinates or fields named {', '.join(reserved)}; these names are taken by the file")
        # The one place where errors become one number: a recipe that took the larger of two might lose a NaN
        for name in ("self_convergence_error", "independent_difference"):
            object.__setattr__(self, name, largest(name, getattr(self, name)))
        evidence = {name: largest(f"evidence {name!r}", values) for name, values in self.evidence.items()}
        object.__setattr__(self, "evidence", evidence)

    @property
    def stated_error(self) -> float:
        """Relative L2, the largest of all that was measured."""
        own = [self.self_convergence_error, self.independent_difference]
        return largest("stated_error", np.array([*own, *self.evidence.values()], np.float64))

    def save(self, path: Path | str) -> None:
        """Write an ``.npz`` file: one array per coordinate and field, and every other attribute under its name.

        Two lists of names, ``coordinates`` and ``fields``, give their order; ``evidence`` lists the names of
        ``evidence_values``. ``checksum`` is the SHA-256 of all other entries. The file appears whole or not at all, and
        the same reference gives the same bytes. Raises ``ConfigurationError`` for another suffix than ``.npz``, for a
        number that is not finite, and for a text of the provenance that is empty.

        >>> import tempfile
        >>> t, x = np.linspace(0, 1, 2), np.linspace(-1, 1, 3)
        >>> wave = Reference("wave", {"t": t, "x": x}, {"u": np.outer(t, x)}, "closed form", "exact", float("nan"),
        ...     [0.0, 2e-16], "none", 0.0, 0.1)
        >>> path = Path(tempfile.mkdtemp()) / "wave.npz"
        >>> wave.save(path)
        >>> Reference.load(path).fields["u"].tolist(), Reference.load(path).stated_error
        ([[-0.0, 0.0, 0.0], [-1.0, 0.0, 1.0]], 2e-16)
        """
        path = Path(path)
        require_npz(path)
        if defect := self._defect():
            raise ConfigurationError(
                f"{path}: not written, because {defect}; a solution that is not finite comes from settings at which "
                "the method is unstable: shorten the time step or refine the grid"
            )
        entries = {
            **self.coordinates,
            **self.fields,
            **{name: np.array(list(getattr(self, name)), np.str_) for name in _LISTS},
            **{name: np.asarray(getattr(self, name)) for name in _NUMBERS + _TEXTS},
            "evidence": np.array(list(self.evidence), np.str_),
            "evidence_values": np.array(list(self.evidence.values()), np.float64),
        }
        arrays: dict[str, Any] = {**entries, "checksum": np.asarray(_checksum(entries))}
        write_atomically(path, lambda temporary: np.savez(temporary, **arrays))

    @classmethod
    def load(cls, path: Path | str, problem: str = "") -> "Reference":
        """The reference in a file written by ``save``, whose every number was checked.

        Raises ``ConfigurationError``, naming the file, what is wrong with it, and what to do, where it does not exist,
        cannot be read, lacks an entry, holds a field of another shape than its coordinates span or a number that is not
        finite, does not say where it came from, has another checksum than its content, or belongs to another problem
        than ``problem``, if one is given. Python objects in a file are refused.
        """
        path = Path(path)
        values = _read(path)
        try:
            named = {kind: {str(name): values[str(name)] for name in values[kind]} for kind in _LISTS}
            numbers = {name: float(values[name]) for name in _NUMBERS}
            stated = numbers.pop("stated_error")
            texts = {name: str(values[name]) for name in _TEXTS if name != "equation"}
            texts["equation"] = str(values.get("equation", ""))  # files of former versions do not say it
            pairs = zip(values["evidence"], values["evidence_values"], strict=True)
            evidence, checksum = {str(name): float(value) for name, value in pairs}, str(values["checksum"])
        except KeyError as error:
            raise ConfigurationError(
                f"{path}: has no entry {error}; allowed: a reference solution, here only {', '.join(sorted(values))}; "
                f"the file was written by another program or another version of this one; {_ADVICE}"
            ) from None
        except (TypeError, ValueError) as error:
            raise _damaged(path, f"has an entry of another kind ({error})") from error
        try:
            found = cls(**named, **numbers, **texts, evidence=evidence)  # type: ignore[arg-type]
        except ValueError as error:
            raise _damaged(path, str(error)) from error
        if defect := found._defect():
            raise _damaged(path, defect)
        if stated != found.stated_error:
            raise _damaged(
                path, f"stated_error is {stated}; allowed: {found.stated_error}, the largest that was measured"
            )
        if checksum != _checksum({name: array for name, array in values.items() if name != "checksum"}):
            raise _damaged(path, "its content does not fit its checksum")
        if problem and found.problem != problem:
            raise ConfigurationError(
                f"{path}: holds the solution of {found.problem!r}; allowed: that of {problem!r}; the file was renamed; "
                f"{_ADVICE}"
            )
        return found

    def _defect(self) -> str:
        """What makes the content unusable, in words; empty where nothing does."""
        if not self.coordinates or not self.fields:
            return "it has no coordinates or no fields"
        for name, values in (self.coordinates | self.fields).items():
            if bad := values.size - np.count_nonzero(np.isfinite(values)):
                return f"{name!r} holds {bad} of {values.size} numbers that are not finite"
        numbers = {"stated_error": self.stated_error, "seconds": self.seconds}
        if not math.isnan(self.step):  # a method without time steps
            numbers["step"] = self.step
        for name, value in numbers.items():
            if not (math.isfinite(value) and value >= 0):
                return f"{name} is {value}, which is not a finite number >= 0"
        if empty := [name for name in _TEXTS if name not in _MAY_BE_EMPTY and not getattr(self, name).strip()]:
            return f"it does not say its {', '.join(empty)}"
        return ""


def require_npz(path: Path) -> None:
    """Raise ``ConfigurationError`` for another suffix than ``.npz``."""
    if path.suffix != ".npz":
        raise ConfigurationError(f"{path}: suffix {path.suffix!r}; allowed: '.npz'; rename the output")


def stated_error(path: Path) -> float:
    """The stated error in a file, for listings: read without the fields, hence without the checks of ``load``.

    Raises ``ConfigurationError`` for a file that cannot be read or has no such number.
    """
    value = _read(path, "stated_error")["stated_error"]
    if value.shape != () or value.dtype != np.float64:
        raise _damaged(path, "its stated error is no number")
    return float(value)


def set_aside(path: Path, problem: str) -> str:
    """Rename a file that does not hold a sound reference of ``problem`` to ``<stem>.damaged.npz``.

    Returns what is wrong and what was done; an empty text where the file is sound, or where there is none. Raises
    ``OSError`` where the system does not let it read: such a file need not be damaged.
    """
    if not path.exists():
        return ""
    if path.is_file():
        path.open("rb").close()
    try:
        Reference.load(path, problem)
    except ConfigurationError as error:
        damaged = path.with_suffix(".damaged.npz")
        try:
            os.replace(path, damaged)
        except OSError as obstacle:
            return f"{error}\n{path.name} could not be renamed: remove it yourself. {cause(obstacle)}"
        return f"{error}\n{path.name} was renamed to {damaged.name}, so that it is computed again"
    return ""


def largest(name: str, measured: Measured) -> float:
    """max_i e_i of one or several measured errors e_i of the kind ``name``, which are relative and dimensionless.

    Raises ``ConfigurationError``, naming the kind, where there is none, or where any of them is NaN, infinite or
    negative: none of these is an error that was measured. Python's ``max(0.0, nan)`` is 0.0.

    >>> largest("difference", [1e-9, 3e-9])
    3e-09
    """
    errors = np.asarray(measured, np.float64).ravel()
    if not errors.size:
        raise ConfigurationError(f"{name} is empty; allowed: one number or more, each finite and >= 0")
    if not np.all(sound := np.isfinite(errors) & (errors >= 0)):
        raise ConfigurationError(
            f"{name} is {errors[~sound][0]}, which is not a finite number >= 0; a solution that is not finite comes "
            "from settings at which the method is unstable: shorten the time step or refine the grid"
        )
    return float(np.max(errors))


def relative_l2(values: Values, reference: Values) -> float:
    """||values - reference||_2 / ||reference||_2 over all entries; NaN where an entry of either is not finite.

    Both have the same shape, any. Raises ``ValueError`` for unequal shapes, and where the reference has no entry or is
    zero everywhere: no relative error is defined.

    >>> relative_l2(np.array([3.0, 4.5]), np.array([3.0, 4.0]))
    0.1
    """
    if np.shape(values) != np.shape(reference):
        raise ValueError(f"the values have shape {np.shape(values)}, their reference {np.shape(reference)}")
    if not np.any(reference):
        raise ValueError(f"a reference of shape {np.shape(reference)} without an entry other than zero; allowed: any")
    if not np.all(np.isfinite(values) & np.isfinite(reference)):
        return math.nan
    return float(np.linalg.norm(values - reference) / np.linalg.norm(reference))


def part_of(progress: Progress, start: float, end: float) -> Progress:
    """The progress of one part of the work, which spans the shares from ``start`` to ``end`` of the whole.

    >>> part_of(lambda share, text: print(share, text), 0.5, 1.0)(0.5, "half of the second half")
    0.75 half of the second half
    """
    return lambda share, text: progress(start + (end - start) * share, text)


def _read(path: Path, *names: str) -> dict[str, NDArray[Any]]:
    """The named entries of an ``.npz`` file, or all of them; the archive has checksums of its own for each."""
    try:
        return untrusted.arrays(path, *names)
    except ForeignFileError:
        raise
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file; allowed: a reference solution; {_ADVICE}") from None
    except PermissionError as error:
        raise ConfigurationError(
            f"{path}: cannot be opened ({error.strerror}); allowed: a file that you may read; correct its permissions, "
            "or give another path"
        ) from error
    except OSError as error:
        if error.errno in (None, errno.EINVAL):  # no error of the system: a damaged archive names wrong places in it
            raise _damaged(path, f"cannot be read as a reference solution ({error})") from error
        error.filename = str(path)
        raise
    except Exception as error:  # damaged bytes make the readers of zip and npy fail in many ways
        raise _damaged(path, f"cannot be read as a reference solution ({error})") from error


def _damaged(path: Path, what: str) -> ConfigurationError:
    return ConfigurationError(
        f"{path}: {what}; the file is damaged (a copy that broke off, a full or failing disk) or was written by "
        f"another program; {_ADVICE}"
    )


def _checksum(entries: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 over names, dtypes, shapes and contents, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for name in sorted(entries):
        array = np.asarray(entries[name], order="C")
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array)  # type: ignore[arg-type]  # any contiguous array is a buffer
    return digest.hexdigest()
