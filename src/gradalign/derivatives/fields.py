"""Fields with derivatives, as the residuals of an equation receive them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from jax import Array

from gradalign.base.types import Operators
from gradalign.derivatives.partial import partial_derivatives


class HasCoordinates(Protocol):
    """Points: ``coordinates`` (N, D)."""

    @property
    def coordinates(self) -> Array: ...


@dataclass(frozen=True)
class FieldsOf:
    """A function as fields, with derivatives from its traced program (``partial_derivatives``).

    function: maps coordinates (N, D) to fields (N, F), row by row. names: the one-letter names of the D coordinates.

    >>> import jax.numpy as jnp
    >>> from gradalign.problems._contract import At
    >>> cubic = FieldsOf(lambda z: z[:, 1:] ** 3, ("t", "x"))
    >>> at = At(jnp.asarray([[0.0, 2.0]]), ("t", "x"))
    >>> float(cubic(at)[0, 0]), float(cubic.derivatives(at, ("xx",))["xx"][0, 0])
    (8.0, 12.0)
    """

    function: Callable[[Array], Array]
    names: Sequence[str]

    def __call__(self, at: HasCoordinates) -> Array:
        return self.function(at.coordinates)

    def derivatives(
        self, at: HasCoordinates, wanted: Sequence[str], operators: Operators | None = None
    ) -> dict[str, Array]:
        return partial_derivatives(self.function, at.coordinates, wanted, self.names, operators)
