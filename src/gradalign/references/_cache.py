"""A store of reference solutions by what decides them: no solution is computed twice on one machine.

A file is named after the problem and a digest of its settings and sources, so that any change of either gives another
file, and one that is there never needs to be replaced. The store is a convenience: whatever is wrong with it is said,
and the solution is computed.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gradalign.base.errors import ConfigurationError, described
from gradalign.base.provenance import source_digest
from gradalign.base.settings import StrictModel
from gradalign.references import _equation as equation
from gradalign.references._contract import Reference

KEPT = 8
"""Files of one problem that are kept, those used last; a scale needs one."""

Say = Callable[[str], object]


def digest(problem: str, settings: StrictModel, problem_settings: StrictModel) -> str:
    """SHA-256 of all that decides a reference solution, as 64 hexadecimal digits.

    These are the name of the problem, all ``settings`` of its reference and ``problem_settings``, those with defaults
    included, and the sources of ``gradalign.references.<problem>`` with all that they import. Settings that change how
    the problem is posed to a network but not its solution (``Problem.formulation``) do not count, nor does the scale.

    >>> from gradalign.problems import burgers as problem
    >>> from gradalign.references import burgers as reference
    >>> coarse, fine = (digest("burgers", reference.Settings(points=n), problem.Settings()) for n in (256, 512))
    >>> len(fine), fine == digest("burgers", reference.Settings(), problem.Settings()), fine == coarse
    (64, True, False)
    """
    inputs = {
        "problem": problem,
        "problem_settings": equation.settings_of(problem, problem_settings),
        "reference_settings": settings.model_dump(mode="json"),
        "sources": source_digest([f"gradalign.references.{problem}"]),
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def location(problem: str, inputs: str) -> Path:
    """``$XDG_CACHE_HOME/gradalign/references/<problem>-<inputs>.npz``, with ``~/.cache`` where the variable is not set.

    Raises ``RuntimeError`` where the home directory is not known.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "gradalign" / "references" / f"{problem}-{inputs}.npz"


def fetch(problem: str, inputs: str, say: Say) -> Reference | None:
    """The stored solution of ``problem`` with the digest ``inputs``; None where there is none that is sound.

    ``say`` hears why a file that is there is not used. Raises nothing of its own.
    """
    try:
        path = location(problem, inputs)
        if not path.exists():
            return None
        found = Reference.load(path, problem)
        if found.inputs != inputs:
            raise ConfigurationError(f"{path}: holds a solution of other settings or sources; the file was renamed")
    except (ConfigurationError, OSError, RuntimeError) as error:
        say(f"warning: the solution in the cache is not used. {_said(error)}")
        return None
    with suppress(OSError):  # a cache that may only be read
        os.utime(path)
    return found


def store(reference: Reference, say: Say) -> None:
    """Keep a solution, whose ``inputs`` must be given; of its problem, the ``KEPT`` files used last stay.

    ``say`` hears why that failed, if it did. Raises nothing of its own.
    """
    try:
        path = location(reference.problem, reference.inputs)
        reference.save(path)
        stored = re.compile(rf"{reference.problem}-[0-9a-f]+\.npz")
        files = [file for file in path.parent.iterdir() if stored.fullmatch(file.name)]
        files.sort(key=lambda file: file.stat().st_mtime_ns)
        for file in files[:-KEPT]:
            file.unlink(missing_ok=True)
    except (OSError, RuntimeError) as error:
        say(f"warning: the solution is not kept in the cache. {_said(error)}")


def _said(error: Exception) -> object:
    return described(error) if isinstance(error, OSError) else error
