"""Two small PINN problems with closed-form solutions, for runs that are followed with exact matrices.

All quantities are dimensionless and in float64.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax import Array

from gradalign.base import randomness
from gradalign.base.types import Points
from gradalign.networks import architectures
from gradalign.networks.layers import Network
from gradalign.networks.settings import NetworkSettings
from gradalign.optimizers._objective import Objective
from gradalign.problems._contract import At, Fields, PointSet, Problem, Residuals, Term
from gradalign.problems._sampling import uniform
from gradalign.problems._sets import at_both_ends
from gradalign.training.model import residuals_of

Solution = Callable[[Array], Array]

DIFFUSIVITY = 0.1


def poisson_solution(points: Array) -> Array:
    """u(x) = sin(pi x) at points (N, 1): (N,).

    >>> poisson_solution(jnp.asarray([[0.5]])).tolist()
    [1.0]
    """
    return jnp.sin(jnp.pi * points[:, 0])


def heat_solution(points: Array) -> Array:
    """u(t, x) = exp(-kappa pi^2 t) sin(pi x) with kappa = 0.1, at points (N, 2): (N,).

    >>> heat_solution(jnp.asarray([[0.0, 0.5]])).tolist()
    [1.0]
    """
    return jnp.exp(-DIFFUSIVITY * jnp.pi**2 * points[:, 0]) * jnp.sin(jnp.pi * points[:, 1])


@dataclass(frozen=True)
class _OneDraw(Problem):
    """A problem whose points in the interior are the only random ones: they have the whole stream."""

    def sample(self, key: Array, counts: Mapping[str, int], dtype: jnp.dtype) -> Points:
        return {one.name: one.sample(key, counts.get(one.name, 0), dtype) for one in self.points}


def poisson() -> Problem:
    """-u'' = pi^2 sin(pi x) on (0, 1), u(0) = u(1) = 0; losses ``bc`` (both ends) and ``pde``, n = 2.

    >>> import jax
    >>> problem = poisson()
    >>> points = problem.sample(jax.random.key(0), {"pde": 3}, jnp.dtype("float32"))
    >>> residuals = residuals_of(problem, lambda scale, x: scale * poisson_solution(x)[:, None], 1.0, points)
    >>> bool(jnp.max(jnp.abs(residuals["pde"])) < 1e-5)
    True
    """
    domain = ((0.0, 1.0),)

    def ends(key: Array, count: int, dtype: jnp.dtype) -> Array:
        del key, count
        return jnp.asarray(domain[0], dtype)[:, None]

    def inside(key: Array, count: int, dtype: jnp.dtype) -> Array:
        return uniform(key, domain, count, dtype)

    def equation(fields: Fields, at: At) -> Residuals:
        return {"pde": -fields.derivatives(at, ("xx",))["xx"][:, 0] - jnp.pi**2 * poisson_solution(at.coordinates)}

    points = (
        PointSet("bc", ends, lambda fields, at: {"bc": fields(at)[:, 0]}, (Term("bc"),), condition="boundary"),
        PointSet("pde", inside, equation, (Term("pde"),)),
    )
    return _OneDraw("poisson", ("x",), ("u",), domain, points)


def heat() -> Problem:
    """u_t = 0.1 u_xx on (0, 1)^2, u(0, x) = sin(pi x), u(t, 0) = u(t, 1) = 0; losses ``bc``, ``ic``, ``pde``, n = 3.

    >>> import jax
    >>> problem = heat()
    >>> points = problem.sample(jax.random.key(0), {"bc": 4, "ic": 3, "pde": 5}, jnp.dtype("float32"))
    >>> residuals = residuals_of(problem, lambda scale, z: scale * heat_solution(z)[:, None], 1.0, points)
    >>> max(float(jnp.max(jnp.abs(r))) for r in residuals.values()) < 1e-5
    True
    """
    domain = ((0.0, 1.0), (0.0, 1.0))

    def at_start(key: Array, count: int, dtype: jnp.dtype) -> Array:
        return uniform(key, ((0.0, 0.0), domain[1]), count, dtype)

    def inside(key: Array, count: int, dtype: jnp.dtype) -> Array:
        return uniform(key, domain, count, dtype)

    def start(fields: Fields, at: At) -> Residuals:
        return {"ic": fields(at)[:, 0] - heat_solution(at.coordinates)}

    def equation(fields: Fields, at: At) -> Residuals:
        d = fields.derivatives(at, ("t", "xx"))
        return {"pde": (d["t"] - DIFFUSIVITY * d["xx"])[:, 0]}

    points = (
        at_both_ends(domain, lambda fields, at: {"bc": fields(at)[:, 0]}, [Term("bc")]),
        PointSet("ic", at_start, start, (Term("ic"),), condition="initial"),
        PointSet("pde", inside, equation, (Term("pde"),)),
    )
    return Problem("heat", ("t", "x"), ("u",), domain, points)


@dataclass(frozen=True, eq=False)
class Fit:
    """A problem with a network to be fitted to it.

    counts: number of points by loss term. objective: the sum of mean squares with their loss weights. solution: the
    closed form.
    """

    problem: Problem
    solution: Solution
    network: Network
    objective: Objective
    counts: dict[str, int]


def fit(
    problem: Problem, solution: Solution, weights: dict[str, float], counts: dict[str, int], width: int, depth: int
) -> Fit:
    """A tanh MLP for ``problem`` with ``depth`` hidden layers of ``width`` units, in float64.

    >>> import jax
    >>> found = fit(poisson(), poisson_solution, {"bc": 1.0, "pde": 1.0}, {"bc": 2, "pde": 32}, 24, 2)
    >>> sum(leaf.size for leaf in jax.tree.leaves(found.network.init(jax.random.key(0))))
    673
    """
    dtype = jnp.dtype("float64")
    settings = NetworkSettings(architecture="mlp", width=width, depth=depth, activation="tanh")
    network = architectures.build(settings, problem, dtype)
    objective = Objective(
        {name: jnp.asarray(weights[name], dtype) for name in problem.losses},
        lambda params, points: residuals_of(problem, network.apply, params, points),
    )
    return Fit(problem, solution, network, objective, counts)


def draw(task: Fit, key: Array, step: Array | int) -> Points:
    """The points of a step; ``key`` is the stream "points" of a seed, and fixed points are those of step 0."""
    return task.problem.sample(randomness.at_step(key, step), task.counts, jnp.dtype("float64"))


def by_loss(task: Fit, *stacked: Array) -> list[dict[str, Array]]:
    """Arrays with a row per residual, such as r and J of ``Objective.linearisation``, cut into blocks by loss term."""
    ends = np.cumsum([task.counts[name] for name in task.problem.losses])[:-1]
    return [dict(zip(task.problem.losses, jnp.split(whole, ends), strict=True)) for whole in stacked]


def grid(problem: Problem) -> Array:
    """A regular grid of the domain for errors, (N, D): 129 points on a line, 33 by 33 on a rectangle.

    >>> grid(heat()).shape
    (1089, 2)
    """
    axes = [np.linspace(low, high, 129 if len(problem.domain) == 1 else 33) for low, high in problem.domain]
    return jnp.asarray(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes)))
