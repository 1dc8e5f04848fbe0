"""Published velocities on the centre lines of the cavity with the sharp lid, and their differences from a flow.

U. Ghia, K. N. Ghia and C. T. Shin (J. Comput. Phys. 48, 1982, Tables I and II) with their known misprints, and
E. Erturk, T. C. Corke and C. Gökçöl (Int. J. Numer. Meth. Fluids 48, 2005). The files in ``data`` state their sources.
Both used finite differences of low order: their errors are 1e-3 to 3e-2, far above those of ``cavity``.
"""

import csv
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal, Protocol

import numpy as np

from gradalign.base.errors import ConfigurationError, unknown_name
from gradalign.references._contract import Values

Source = Literal["ghia1982", "erturk2005"]
Component = Literal["u", "v"]

SOURCES: tuple[Source, ...] = ("ghia1982", "erturk2005")
COMPONENTS: tuple[Component, ...] = ("u", "v")


class HasVelocity(Protocol):
    """A flow of any solver."""

    def velocity(self, x: Values, y: Values) -> tuple[Values, Values]:
        """(u, v) on a tensor grid."""


@dataclass(frozen=True)
class Table:
    """u on x = 1/2 at places y, or v on y = 1/2 at places x: values (P,) by Reynolds number, at places (P,)."""

    source: Source
    component: Component
    places: Values
    values: dict[int, Values]


def load(source: Source, component: Component) -> Table:
    """The published table, with places in the printed order. Raises ``ConfigurationError`` for an unknown name.

    >>> table = load("ghia1982", "u")
    >>> list(table.values), float(table.places[8]), float(table.values[100][8])
    ([100, 400, 1000, 3200, 5000], 0.5, -0.20581)
    """
    if source not in SOURCES:
        raise unknown_name("table", source, SOURCES)
    if component not in COMPONENTS:
        raise unknown_name("component", component, COMPONENTS)
    text = files("gradalign.references").joinpath("data", f"ldc_{source}_{component}.csv").read_text(encoding="utf-8")
    heads, *rows = csv.reader(line for line in text.splitlines() if not line.startswith("#"))
    places, *columns = np.array(rows, float).T
    numbers = [int(head.removeprefix("Re")) for head in heads[1:]]
    return Table(source, component, places, dict(zip(numbers, columns, strict=True)))


def table_differences(flow: HasVelocity, reynolds: float) -> dict[tuple[Source, Component], Values]:
    """Published minus computed velocity, in the order of the table, for every table that has the Reynolds number.

    The flow must be that of the sharp lid. Raises ``ConfigurationError`` if no table has the Reynolds number.

    >>> class Rest:
    ...     def velocity(self, x, y):
    ...         return np.zeros((len(x), len(y))), np.zeros((len(x), len(y)))
    >>> found = table_differences(Rest(), 5000)
    >>> sorted(found), float(found["erturk2005", "v"][5])
    ([('erturk2005', 'u'), ('erturk2005', 'v'), ('ghia1982', 'u'), ('ghia1982', 'v')], 0.4426)
    """
    tables = [load(source, component) for source in SOURCES for component in COMPONENTS]
    middle = np.array([0.5])
    found = {}
    for table in tables:
        if reynolds not in table.values:
            continue
        if table.component == "u":
            computed = flow.velocity(middle, table.places)[0][0]
        else:
            computed = flow.velocity(table.places, middle)[1][:, 0]
        found[table.source, table.component] = table.values[int(reynolds)] - computed
    if not found:
        allowed = sorted({number for table in tables for number in table.values})
        raise ConfigurationError(
            f"no published table has Re = {reynolds:g}; allowed: {', '.join(map(str, allowed))}; choose one of them"
        )
    return found
