"""The trained model: a network, with the hard constraints and the ansatz of the problem."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
from jax import Array

from gradalign.base.precision import products_of
from gradalign.base.trees import Tree
from gradalign.base.types import Apply, Points
from gradalign.derivatives.fields import FieldsOf
from gradalign.networks.layers import Network
from gradalign.problems._contract import At, Fields, Problem
from gradalign.training.hard_start import ConstrainedFields, Constraint


@dataclass(frozen=True)
class Model:
    """The fields of a problem, made of the outputs of a network.

    precision: of the network's products in training. A *solution* of one time window is the tree that ``values`` takes:
    the parameters, with the initial condition of the window if it is hard-constrained.
    """

    problem: Problem
    network: Network
    precision: str

    @property
    def constraint(self) -> Constraint | None:
        """The hard-constrained initial condition of a window; None if the problem has none."""
        given = self.problem.hard_start
        return None if given is None else Constraint(given)

    def solution(self, params: Tree, start: Tree) -> Tree:
        """The solution of one window from its parameters and its initial condition."""
        return params if self.constraint is None else {"network": params, "start": start}

    def values(self, solution: Tree, coordinates: Array) -> Array:
        """The fields (N, F) at coordinates (N, D) of one window of a solution, whose time starts at 0."""
        return self.fields_of(solution)(At(coordinates, self.problem.coordinates))

    def fields_of(self, solution: Tree) -> Fields:
        """The fields of one window of a solution."""
        params, start = (solution, ()) if self.constraint is None else (solution["network"], solution["start"])
        return self._fields(partial(self.network.apply, params), start)

    def fields(self, params: Tree, start: Tree = ()) -> Fields:
        """The fields in training, with products at the run's precision."""

        def outputs(coordinates: Array) -> Array:
            # A product keeps this algorithm when it is differentiated. Nothing else uses it: not given values, not hard
            # constraints, not the optimizer, not the error
            with jax.default_matmul_precision(products_of(self.precision)):
                return self.network.apply(params, coordinates)

        return self._fields(outputs, start)

    def _fields(self, outputs: Callable[[Array], Array], start: Tree) -> Fields:
        if self.constraint is not None:
            return ConstrainedFields(self.constraint, start, outputs, self.problem.coordinates)
        return fields_from(self.problem, outputs)


def fields_from(problem: Problem, outputs: Callable[[Array], Array]) -> Fields:
    """The fields of a problem from the outputs of its network, (N, D) to (N, F), with its ansatz if it has one."""
    ansatz = problem.ansatz
    return FieldsOf(outputs if ansatz is None else lambda z: ansatz(z, outputs(z)), problem.coordinates)


def residuals_of(problem: Problem, apply: Apply, params: Tree, points: Points) -> dict[str, Array]:
    """The residuals of a problem for the outputs ``apply(params, coordinates)``, by loss term, each (N_s,).

    A hard start is left out: with one, the outputs stand for the fields themselves.

    >>> import jax.numpy as jnp
    >>> from gradalign.problems.burgers import Settings, problem
    >>> points = {"ic": jnp.zeros((1, 3)), "bc": jnp.zeros((1, 2)), "pde": jnp.asarray([[0.0, 0.5]])}
    >>> double = residuals_of(problem(Settings()), lambda slope, z: slope * z[:, 1:], 2.0, points)  # u = 2x
    >>> float(double["pde"][0])  # u ∂u/∂x
    2.0
    """
    return problem.residuals(fields_from(problem, partial(apply, params)), points)


def observed_of(problem: Problem, apply: Apply, params: Tree, coordinates: Array) -> Array:
    """The observed fields for the outputs ``apply(params, coordinates)``: (N, number of observed fields)."""
    assert problem.observe is not None  # filled in by the problem itself
    return problem.observe(fields_from(problem, partial(apply, params)), At(coordinates, problem.coordinates))
