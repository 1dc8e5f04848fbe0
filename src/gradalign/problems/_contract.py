"""The contract of an equation: its domain, and where which residuals have to vanish."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import Literal, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from gradalign.base.types import Box, Operators, Points

Quantity = Callable[[Mapping[str, NDArray[np.float64]]], NDArray[np.float64]]
"""What is scored, from the arrays of the observed fields; their shape, or stacked arrays of it."""

Residuals = Mapping[str, Array]
"""Residuals by loss term, each (N,)."""

Condition = Literal["equation", "initial", "boundary"]


class At:
    """The points of one set, by name: ``at.t``, ``at.x``, and what is given there, each (N,).

    coordinates: all coordinates (N, D).

    >>> at = At(jnp.asarray([[0.0, 0.5, 3.0]]), ("t", "x"), ("u",))
    >>> float(at.x[0]), float(at.u[0]), at.coordinates.shape
    (0.5, 3.0, (1, 2))
    """

    def __init__(self, columns: Array, coordinates: tuple[str, ...], given: tuple[str, ...] = ()) -> None:
        self._columns, self._names, self._given = columns, coordinates, given
        self.coordinates = columns[:, : len(coordinates)] if given else columns

    def __getattr__(self, name: str) -> Array:
        names = (*self.__dict__["_names"], *self.__dict__["_given"])
        if name not in names:
            raise AttributeError(f"these points have no column {name!r}; allowed: {', '.join(names)}")
        return self._columns[:, names.index(name)]

    def __getitem__(self, name: str) -> Array:
        return self.__getattr__(name)

    def moved(self, **places: float) -> "At":
        """The same points with some coordinates set to a number: ``at.moved(x=1.0)``."""
        moved = self._columns
        for name, value in places.items():
            moved = moved.at[:, self._names.index(name)].set(value)
        return At(moved, self._names, self._given)


class Fields(Protocol):
    """The fields u: R^D -> R^F that residuals receive: they know their values and their derivatives."""

    def __call__(self, at: At) -> Array:
        """The fields at the points: (N, F)."""

    def derivatives(self, at: At, wanted: Sequence[str], operators: Operators | None = None) -> dict[str, Array]:
        """Derivatives by word, as ``"xxt"``, and linear operators by name, each (N, F).

        A word holds the letters of the coordinates in which the derivative is taken; ``""`` is the field itself. See
        ``gradalign.derivatives.partial.partial_derivatives``.
        """


@dataclass(frozen=True)
class Statement:
    """A problem in words and formulas, as ``gradalign reference --list`` and the tables show it; dimensionless.

    equation: all equations, in Unicode. domain: space and time. conditions: initial and boundary conditions.
    """

    equation: str
    domain: str
    conditions: str


@dataclass(frozen=True)
class Term:
    """One loss term: the mean square of one residual over the points of its set.

    drives: the field that its equation drives in a pseudo-time τ, ∂u/∂τ = -r, where that flow is well-posed and has the
    solution as its steady state; empty where no such flow is known. ∂u/∂τ = -∂²u/∂t² + ∂²u/∂x² is none.
    """

    name: str
    drives: str = ""


@dataclass(frozen=True)
class PointSet:
    """Points of one kind, and the loss terms that are taken there.

    name: as in the settings of a run, for instance ``pde``.
    sample: ``sample(key, count, dtype)``: coordinates and given values (count, D + G), traceable.
    residuals: ``residuals(fields, at) -> {term: (N,)}``, row i from point i alone. Traceable and differentiable.
    terms: in the order in which tables and figures show them.
    given: names of the G columns behind the coordinates. Names of fields: their values at the start of the window,
        which from the second window on come from the network of the window before. Names of settings: parameters that
        a curriculum may change in steps.
    condition: what the terms impose; ``Problem.built_in`` leaves out the point sets of a condition.
    causal: whether the points come sorted by time, so that their rows may carry causal weights.
    """

    name: str
    sample: Callable[[Array, int, jnp.dtype], Array]
    residuals: Callable[[Fields, At], Residuals]
    terms: tuple[Term, ...]
    given: tuple[str, ...] = ()
    condition: Condition = "equation"
    causal: bool = False


@dataclass(frozen=True)
class Reflection:
    """A symmetry of the solution that a network can have: N_f(t, 2c - x) = p_f N_f(t, x) for all its outputs f.

    coordinate: the name of x. centre: c, dimensionless. parities: p_f, 1 or -1, by output of the network; that of the
    field, unless the field is the output times something odd.
    """

    coordinate: str
    centre: float
    parities: tuple[int, ...]


@dataclass(frozen=True)
class QuarterTurn:
    """A symmetry about the origin of a plane that a network can have: N_f(t, -y, x) = s_f N_g(t, x, y), g = source(f).

    coordinates: the names of x and y. sources: the indices g by output f of the network. signs: s_f, 1 or -1, by f.
    """

    coordinates: tuple[str, str]
    sources: tuple[int, ...]
    signs: tuple[int, ...]


Growth = Callable[[Array], Array]
"""ρ(k): the rate of growth of the waves of wave number k along one axis, (K + 1,) to (K + 1,); rates of axes add up."""


def at_rest(k: Array) -> Array:
    """ρ = 0: the flow that leaves the initial condition as it is."""
    return jnp.zeros_like(k)


def diffusion(coefficient: float) -> Growth:
    """ρ(k) = -D k²: the flow of ∂u/∂t = D ∆u.

    >>> diffusion(0.5)(jnp.asarray([0.0, 2.0])).tolist()
    [-0.0, -2.0]
    """
    return lambda k: -coefficient * k**2


@dataclass(frozen=True)
class HardStart:
    """What a hard-constrained initial condition is made of, for a problem over (t, x) or (t, x, y), periodic in space.

    The fields are then u_f(t, x) = B_f(t, x) + t N_f(t, x), see ``gradalign.training.hard_start``.

    box: ``(low, high)`` per spatial axis. harmonics: K, per axis. initial: ``initial(x) -> (fields...)`` or
    ``initial(x, y)``, for coordinates (M,), the F fields at t = 0 of the first window. growth: ρ of the linear flow
    that carries B_f on, by field; the network may have more fields than these, which stay as they are.
    """

    box: Box
    harmonics: int
    initial: Callable[..., Sequence[Array]]
    growth: tuple[Growth, ...]


@dataclass(frozen=True)
class Problem:
    """One PDE with its domain and conditions, as everything else in gradalign sees it.

    A module in ``gradalign.problems`` defines ``STATEMENT``, ``Settings`` and ``problem(settings, windows=1)``, which
    poses the equation on the first of ``windows`` equal windows of time. All equations are autonomous, so that the
    other windows differ from it in their initial condition only: their time starts at 0 again.

    Attributes
    ----------
    name: module name in ``gradalign.problems``.
    coordinates: names of the D coordinates, for instance ``("t", "x")``; time, if any, comes first and is named t.
    fields: names of the F fields.
    domain: ``((low, high), ...)`` per coordinate; in time, of the first window. Dimensionless.
    points: the point sets with their loss terms; every one has a stream of random numbers of its own.
    periodic: coordinates in which every field is periodic over the domain (networks embed them exactly).
    formulation: settings that change how the problem is posed to a network but not its solution, so that runs which
        differ in them share one reference.
    built_in: conditions that the fields meet by construction, so that they have no loss terms.
    hard_start: how the fields have the initial condition of a window by construction, being periodic in space: both
        conditions are built in. None: loss terms impose it, or ``ansatz`` has it.
    ansatz: ``ansatz(coordinates, outputs) -> fields (N, F)``, from the outputs of the network (N, F); the outputs
        themselves where left out.
    reflection, quarter_turn: a symmetry that the equation and all conditions have; networks can have it by
        construction. None: none of this kind is known. A problem names one of them at most.
    stretching: factors by coordinate (see ``gradalign.networks.stretching``): the network sees the coordinate stretched
        at both faces, and points lie more closely there, with weights that leave the mean squares as they are.
    observed: names of the fields that references hold and errors are made of; ``fields`` where left empty.
    observe: ``observe(fields, at) -> (N, len(observed))``; the fields themselves where left out.
    quantities: what is compared with the reference by name, from the observed fields; each of them where left empty.
    main_quantity: the name of the quantity that stands in the main table; the first where left empty.
    labels: settings that tell rows of this problem apart in tables, such as a Reynolds number.
    """

    name: str
    coordinates: tuple[str, ...]
    fields: tuple[str, ...]
    domain: Box
    points: tuple[PointSet, ...]
    periodic: tuple[str, ...] = ()
    formulation: tuple[str, ...] = ()
    built_in: tuple[Condition, ...] = ()
    hard_start: HardStart | None = None
    ansatz: Callable[[Array, Array], Array] | None = None
    reflection: Reflection | None = None
    quarter_turn: QuarterTurn | None = None
    stretching: Mapping[str, float] = field(default_factory=dict)
    observed: tuple[str, ...] = ()
    observe: Callable[[Fields, At], Array] | None = None
    quantities: Mapping[str, Quantity] = field(default_factory=dict)
    main_quantity: str = ""
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Fill in what follows from the rest, so that readers of a problem need not know the defaults."""
        fill = partial(object.__setattr__, self)  # frozen for everyone else
        fill("observed", self.observed or self.fields)
        fill("observe", self.observe or (lambda fields, at: fields(at)))
        fill("quantities", self.quantities or {name: itemgetter(name) for name in self.observed})
        fill("main_quantity", self.main_quantity or next(iter(self.quantities)))
        if self.hard_start is not None:
            fill("periodic", self.coordinates[1:])
            fill("built_in", ("initial", "boundary"))

    @property
    def imposed(self) -> tuple[PointSet, ...]:
        """The point sets that have loss terms: all, or without those of the conditions that are built in."""
        return tuple(one for one in self.points if one.condition not in self.built_in)

    @property
    def sets(self) -> tuple[str, ...]:
        """Names of the point sets that have loss terms."""
        return tuple(one.name for one in self.imposed)

    @property
    def losses(self) -> tuple[str, ...]:
        """Names of the n loss terms, in the order in which tables and figures show them."""
        return tuple(term.name for one in self.imposed for term in one.terms)

    @property
    def point_sets(self) -> dict[str, str]:
        """The name of the point set by loss term."""
        return {term.name: one.name for one in self.imposed for term in one.terms}

    @property
    def driven(self) -> dict[str, str]:
        """The field by loss term that its equation drives; see ``Term``."""
        return {term.name: term.drives for one in self.imposed for term in one.terms if term.drives}

    @property
    def causal(self) -> tuple[str, ...]:
        """Loss terms whose rows may carry causal weights."""
        return tuple(term.name for one in self.imposed if one.causal for term in one.terms)

    @property
    def given(self) -> dict[str, tuple[str, ...]]:
        """What is given at the points, by point set; see ``PointSet``."""
        return {one.name: one.given for one in self.imposed if one.given}

    def sample(self, key: Array, counts: Mapping[str, int], dtype: jnp.dtype) -> Points:
        """Points of every set, ``counts`` being their number by point set. Traceable, so that points are redrawn on the
        device."""
        keys = dict(zip((one.name for one in self.points), jax.random.split(key, len(self.points)), strict=True))
        return {one.name: one.sample(keys[one.name], counts[one.name], dtype) for one in self.imposed}

    def at(self, name: str, columns: Array) -> At:
        """The points of a set by name of their columns."""
        return At(columns, self.coordinates, self.given.get(name, ()))

    def residuals(self, fields: Fields, points: Points) -> dict[str, Array]:
        """The residuals by loss term, each (N_s,): row i from point i of its set alone. Traceable, differentiable.

        A loss term of the objective is the mean square of its vector.
        """
        found: dict[str, Array] = {}
        for one in self.imposed:
            found |= one.residuals(fields, self.at(one.name, points[one.name]))
        return {name: found[name] for name in self.losses}

    @property
    def has_symmetry(self) -> bool:
        """Whether a network can have a symmetry of the problem by construction."""
        return self.reflection is not None or self.quarter_turn is not None

    @property
    def conditions(self) -> str:
        """How the initial and boundary conditions are met: their loss terms, or ``built in`` where there are none."""
        soft = [term.name for one in self.imposed for term in one.terms if one.condition != "equation"]
        return f"soft: {', '.join(soft)}" if soft else "built in"

    @property
    def has_windows(self) -> bool:
        """Whether the problem can be cut into windows of time."""
        passed_on = any(name in self.fields for names in self.given.values() for name in names)
        return passed_on or self.hard_start is not None


def components_and_both(first: str, second: str) -> dict[str, Quantity]:
    """Two fields, and both stacked: relative errors of the whole solution of a system.

    >>> both = components_and_both("u", "v")["u and v"]
    >>> both({"u": np.zeros(3), "v": np.ones(3)}).shape
    (2, 3)
    """
    whole: Quantity = lambda fields: np.stack([fields[first], fields[second]])  # noqa: E731
    return {first: itemgetter(first), second: itemgetter(second), f"{first} and {second}": whole}


def components_and_speed(*names: str) -> dict[str, Quantity]:
    """The fields of these names, and the speed of the first two, sqrt(u² + v²).

    >>> float(components_and_speed("u", "v")["speed"]({"u": np.array(3.0), "v": np.array(4.0)}))
    5.0
    """
    speed: Quantity = lambda fields: np.hypot(fields[names[0]], fields[names[1]])  # noqa: E731
    return {**{name: itemgetter(name) for name in names}, "speed": speed}
