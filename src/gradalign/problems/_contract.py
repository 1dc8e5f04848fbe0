"""The contract of a problem: its domain, and which residuals must vanish where."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
"""A quantity compared with the reference, from the arrays of the observed fields: in their shape, or stacked."""

Residuals = Mapping[str, Array]
"""Residuals by loss term, each (N,)."""

Condition = Literal["equation", "initial", "boundary"]


class At:
    """The points of one set, by name: ``at.t``, ``at.x``, and the given values, each (N,).

    coordinates: all coordinates (N, D). given: all given values (N, G).

    >>> at = At(jnp.asarray([[0.0, 0.5, 3.0]]), ("t", "x"), ("u",))
    >>> float(at.x[0]), float(at.u[0]), at.coordinates.shape
    (0.5, 3.0, (1, 2))
    """

    def __init__(self, columns: Array, coordinates: tuple[str, ...], given: tuple[str, ...] = ()) -> None:
        self._columns, self._names, self._given = columns, coordinates, given
        self.coordinates = columns[:, : len(coordinates)] if given else columns
        self.given = columns[:, len(coordinates) :]

    def __getattr__(self, name: str) -> Array:
        names = (*self.__dict__["_names"], *self.__dict__["_given"])
        if name not in names:
            raise AttributeError(f"these points have no column {name!r}; allowed: {', '.join(names)}")
        return self._columns[:, names.index(name)]

    def moved(self, **places: float) -> "At":
        """The same points with some coordinates set to a number: ``at.moved(x=1.0)``."""
        moved = self._columns
        for name, value in places.items():
            moved = moved.at[:, self._names.index(name)].set(value)
        return At(moved, self._names, self._given)

    def joined(self, other: "At") -> "At":
        """These points and those of another set with the same columns, one after the other."""
        return At(jnp.concatenate([self._columns, other._columns]), self._names, self._given)


class Fields(Protocol):
    """The fields u: R^D -> R^F that residuals receive, with their derivatives."""

    def __call__(self, at: At) -> Array:
        """The fields at the points: (N, F)."""

    def derivatives(self, at: At, wanted: Sequence[str], operators: Operators | None = None) -> dict[str, Array]:
        """Derivatives by word, as ``"xxt"``, and linear operators by name, each (N, F).

        A word holds the letters of the coordinates of differentiation; ``""`` is the field itself. See
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

    drives: the field u that the residual r drives in pseudo-time τ by ∂u/∂τ = -r, if that flow is well-posed and has
    the solution as its steady state; empty if no such flow is known. ∂u/∂τ = -∂²u/∂t² + ∂²u/∂x² is not one.
    """

    name: str
    drives: str = ""


@dataclass(frozen=True)
class PointSet:
    """Points of one kind, and the loss terms evaluated there.

    name: as in the settings of a run, for instance ``pde``.
    sample: ``sample(key, count, dtype)``: coordinates and given values (count, D + G), traceable.
    residuals: ``residuals(fields, at) -> {term: (N,)}``, row i from point i alone. Traceable and differentiable.
    terms: in the order in which tables and figures show them.
    given: names of the G columns after the coordinates. A field stands for its values at the start of the window, which
        from the second window on come from the network of the previous one. A setting is a parameter that a curriculum
        may change in steps.
    condition: what the terms impose; the point sets of a condition in ``Problem.built_in`` are left out.
    causal: whether the points are sorted by time, so that their rows may carry causal weights.
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

    coordinate: the name of x. centre: c, dimensionless. parities: p_f, 1 or -1, by output of the network: the parity of
    the field, unless the field is the output times an odd factor.
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
"""ρ(k): the growth rate of the waves of wave number k along one axis, (K + 1,) to (K + 1,); rates of axes add up."""


def at_rest(k: Array) -> Array:
    """ρ = 0: the flow that leaves the initial condition unchanged."""
    return jnp.zeros_like(k)


def diffusion(coefficient: float) -> Growth:
    """ρ(k) = -D k²: the flow of ∂u/∂t = D ∆u.

    >>> diffusion(0.5)(jnp.asarray([0.0, 2.0])).tolist()
    [-0.0, -2.0]
    """
    return lambda k: -coefficient * k**2


@dataclass(frozen=True)
class HardStart:
    """A hard-constrained initial condition, for a problem over (t, x) or (t, x, y) that is periodic in space.

    The fields are u_f(t, x) = B_f(t, x) + t N_f(t, x); see ``gradalign.training.hard_start``.

    box: ``(low, high)`` per spatial axis. harmonics: K, per axis. initial: ``initial(x) -> (fields...)`` or
    ``initial(x, y)``, for coordinates (M,), the F fields at t = 0 of the first window. growth: by field, ρ of the
    linear flow that advances B_f; further fields of the network stay unconstrained.
    """

    box: Box
    harmonics: int
    initial: Callable[..., Sequence[Array]]
    growth: tuple[Growth, ...]


@dataclass(frozen=True)
class Problem:
    """One PDE with its domain and conditions, as everything else in gradalign sees it.

    A module in ``gradalign.problems`` defines ``STATEMENT``, ``Settings`` and ``problem(settings, windows=1)``, which
    poses the equation on the first of ``windows`` equal time windows. All equations are autonomous, so the other
    windows restart time at 0 and differ only in their initial condition.

    Attributes
    ----------
    name: module name in ``gradalign.problems``.
    coordinates: names of the D coordinates, for instance ``("t", "x")``; time, if any, comes first and is named t.
    fields: names of the F fields.
    domain: ``((low, high), ...)`` per coordinate; in time, of the first window. Dimensionless.
    points: the point sets with their loss terms; each set has its own stream of random numbers.
    periodic: coordinates in which every field is periodic over the domain (networks embed them exactly).
    formulation: settings that change how the problem is posed to a network but not its solution; runs that differ only
        in these share a reference.
    built_in: conditions that are hard constraints and thus have no loss terms.
    hard_start: the hard-constrained initial condition of a window, with fields that are periodic in space, so that both
        conditions are built in. None: loss terms or ``ansatz`` impose the initial condition.
    ansatz: ``ansatz(coordinates, outputs) -> fields (N, F)``, from the outputs of the network (N, F); by default the
        outputs themselves.
    reflection, quarter_turn: a symmetry of the equation and all conditions, which networks can have by construction;
        None if none of this kind is known. A problem names at most one of them.
    stretching: factors by coordinate (see ``gradalign.networks.stretching``): the network sees the coordinate stretched
        at both faces, and points are denser there, with weights that preserve the mean squares.
    observed: names of the fields that references hold and errors are computed from; by default ``fields``.
    observe: ``observe(fields, at) -> (N, len(observed))``; by default the fields themselves.
    quantities: quantities compared with the reference, by name, from the observed fields; by default each of those.
    main_quantity: the name of the quantity in the main table; by default the first.
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
        """Fill in what follows from the rest, so that users of a problem need not know the defaults."""
        fill = partial(object.__setattr__, self)  # frozen for everyone else
        fill("observed", self.observed or self.fields)
        fill("observe", self.observe or (lambda fields, at: fields(at)))
        fill("quantities", self.quantities or {name: itemgetter(name) for name in self.observed})
        fill("main_quantity", self.main_quantity or next(iter(self.quantities)))
        if self.hard_start is not None:
            fill("periodic", self.coordinates[1:])
            fill("built_in", ("initial", "boundary"))
        for wrong in self._misfits():
            raise ValueError(f"problem {self.name!r}: {wrong}")

    def _misfits(self) -> Iterator[str]:
        """What would give wrong residuals without a sign of it."""
        sets, terms = [one.name for one in self.points], [term for one in self.points for term in one.terms]
        for what, names in (("point sets", sets), ("loss terms", [term.name for term in terms])):
            if len(set(names)) < len(names):
                yield f"its {what} are named {names}; allowed: each name once"
        for term in terms:
            if term.drives and term.drives not in self.fields:
                yield f"loss term {term.name!r} drives {term.drives!r}; allowed: a field, {', '.join(self.fields)}"
        if self.hard_start is not None and self.ansatz is not None:
            yield "it has an ansatz and a hard start; allowed: one of them"

    @property
    def imposed(self) -> tuple[PointSet, ...]:
        """The point sets that have loss terms: all but those of built-in conditions."""
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
        """By loss term, the field that its residual drives; see ``Term``."""
        return {term.name: term.drives for one in self.imposed for term in one.terms if term.drives}

    @property
    def causal(self) -> tuple[str, ...]:
        """Loss terms whose rows may carry causal weights."""
        return tuple(term.name for one in self.imposed if one.causal for term in one.terms)

    @property
    def given(self) -> dict[str, tuple[str, ...]]:
        """Names of the given values, by point set; see ``PointSet``."""
        return {one.name: one.given for one in self.imposed if one.given}

    def sample(self, key: Array, counts: Mapping[str, int], dtype: jnp.dtype) -> Points:
        """Points of every set, with ``counts`` by point set. Traceable, so that points are redrawn on the device."""
        keys = dict(zip((one.name for one in self.points), jax.random.split(key, len(self.points)), strict=True))
        return {one.name: one.sample(keys[one.name], counts[one.name], dtype) for one in self.imposed}

    def at(self, name: str, columns: Array) -> At:
        """The points of a set, with their columns by name."""
        return At(columns, self.coordinates, self.given.get(name, ()))

    def residuals(self, fields: Fields, points: Points) -> dict[str, Array]:
        """The residuals by loss term, each (N_s,): row i from point i of its set alone. Traceable, differentiable.

        A loss term of the objective is the mean square of its vector.
        """
        found: dict[str, Array] = {}
        for one in self.imposed:
            own = one.residuals(fields, self.at(one.name, points[one.name]))
            if set(own) != {term.name for term in one.terms}:
                named = [term.name for term in one.terms]
                raise ValueError(f"point set {one.name!r} gave residuals {sorted(own)}; allowed: those of {named}")
            found |= own
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
        """Whether the problem allows time marching with several windows."""
        passed_on = any(name in self.fields for names in self.given.values() for name in names)
        return passed_on or self.hard_start is not None


def components_and_both(first: str, second: str) -> dict[str, Quantity]:
    """Two fields, and both stacked, for relative errors of the whole solution of a system.

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
