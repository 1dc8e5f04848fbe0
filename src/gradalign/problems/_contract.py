"""The problem contract: a PDE is a function from parameters and points to named residual vectors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from gradalign.base.trees import Tree
from gradalign.problems._hard_start import ExactStart

Apply = Callable[[Tree, Array], Array]
"""``apply(params, coordinates)``: coordinates (N, D) to the fields of the network (N, F)."""

Points = dict[str, Array]
"""Collocation points by point set, each (N_s, D + G_s): the D coordinates, then what is given there."""

Quantity = Callable[[Mapping[str, NDArray[np.float64]]], NDArray[np.float64]]
"""What is scored, from the arrays of the observed fields; their shape, or stacked arrays of it."""


@dataclass(frozen=True)
class Statement:
    """A problem in words and formulas, as ``gradalign reference --list`` and the tables show it; dimensionless.

    equation: all equations, in Unicode. domain: space and time. conditions: initial and boundary conditions.
    """

    equation: str
    domain: str
    conditions: str


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
    fields: names of the F outputs of the network.
    losses: names of the n loss terms, in the order in which tables and figures show them.
    domain: ``((low, high), ...)`` per coordinate; in time, of the first window. Dimensionless.
    sample: ``sample(key, counts, dtype) -> points``, ``counts`` being the number of points by point set; traceable,
        so that points are redrawn on the device. The point sets of the losses in ``causal`` come sorted by time.
    residuals: ``residuals(apply, params, points) -> {loss: (N_s,)}``, row i from point i of its set alone; a loss term
        of the objective is the mean square of its vector. Traceable and differentiable.
    periodic: coordinates in which every field is periodic over the domain (networks embed them exactly).
    causal: loss terms whose rows may carry causal weights.
    formulation: settings that change how the problem is posed to a network but not its solution, so that runs which
        differ in them share one reference.
    driven: the field by loss term that its equation drives in a pseudo-time τ: ∂u/∂τ = -r has to be well-posed, with
        the solution as its steady state. Empty where no such flow is known; ∂u/∂τ = -∂²u/∂t² + ∂²u/∂x² is none.
    point_sets: the point set by loss term, where several terms are taken at the same points; a term that is not named
        has a set of its own name.
    given: names of the G_s columns behind the coordinates, by point set. Names of fields: their values at the start of
        the window, which from the second window on come from the network of the window before; without any, the
        problem cannot be cut into windows. Names of settings: parameters that a curriculum may change in steps.
    exact_start: how the fields get the initial condition of a window by construction (see ``exact_start``), without a
        loss term. None where it is a loss term.
    reflection, quarter_turn: a symmetry that the equation and all conditions have; networks can have it by
        construction. None: none of this kind is known. A problem names one of them at most.
    stretching: factors by coordinate (see ``stretching``): the network sees the coordinate stretched at both faces, and
        points lie more closely there, with weights that leave the mean squares as they are.
    observed: names of the fields that references hold and scores are made of; ``fields`` where left empty.
    observe: ``observe(apply, params, coordinates) -> (N, len(observed))``; the network itself where left out.
    quantities: what is scored by name, from the observed fields; each of them where left empty.
    score: the name of the quantity that stands in the main table; the first where left empty.
    """

    name: str
    coordinates: tuple[str, ...]
    fields: tuple[str, ...]
    losses: tuple[str, ...]
    domain: tuple[tuple[float, float], ...]
    sample: Callable[[Array, Mapping[str, int], jnp.dtype], Points]
    residuals: Callable[[Apply, Tree, Points], dict[str, Array]]
    periodic: tuple[str, ...] = ()
    causal: tuple[str, ...] = ()
    formulation: tuple[str, ...] = ()
    driven: Mapping[str, str] = field(default_factory=dict)
    point_sets: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    exact_start: ExactStart | None = None
    reflection: Reflection | None = None
    quarter_turn: QuarterTurn | None = None
    stretching: Mapping[str, float] = field(default_factory=dict)
    observed: tuple[str, ...] = ()
    observe: Callable[[Apply, Tree, Array], Array] | None = None
    quantities: Mapping[str, Quantity] = field(default_factory=dict)
    score: str = ""

    def __post_init__(self) -> None:
        """Fill in what follows from the rest, so that readers of a problem need not know the defaults."""
        fill = partial(object.__setattr__, self)  # frozen for everyone else
        fill("point_sets", {name: self.point_sets.get(name, name) for name in self.losses})
        fill("observed", self.observed or self.fields)
        fill("observe", self.observe or (lambda apply, params, coordinates: apply(params, coordinates)))
        fill("quantities", self.quantities or {name: itemgetter(name) for name in self.observed})
        fill("score", self.score or next(iter(self.quantities)))

    @property
    def sets(self) -> tuple[str, ...]:
        """The point sets, in the order of the loss terms."""
        return tuple(dict.fromkeys(self.point_sets.values()))

    @property
    def has_symmetry(self) -> bool:
        """Whether a network can have a symmetry of the problem by construction."""
        return self.reflection is not None or self.quarter_turn is not None

    @property
    def conditions(self) -> str:
        """How the initial and boundary conditions are met: their loss terms, or ``built in`` where there are none."""
        soft = [name for name in self.losses if self.point_sets[name] != "pde"]
        return f"soft: {', '.join(soft)}" if soft else "built in"

    @property
    def has_windows(self) -> bool:
        """Whether the problem can be cut into windows of time."""
        passed_on = any(name in self.fields for names in self.given.values() for name in names)
        return passed_on or self.exact_start is not None
