"""The training loop: pure functions of a run, compiled once for all its seeds."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.sharding import Mesh

from gradalign.balancing import loss_weights
from gradalign.base import randomness, trees
from gradalign.base.precision import dtype_of
from gradalign.base.settings import StrictModel
from gradalign.base.trees import Tree
from gradalign.base.types import Points
from gradalign.networks import architectures, stretching
from gradalign.networks.layers import Network
from gradalign.optimizers._method import Method, State, all_finite, load_method
from gradalign.optimizers._objective import Objective
from gradalign.problems._contract import Problem
from gradalign.training import diagnose
from gradalign.training.model import Model
from gradalign.training.points import PointSource, stretched
from gradalign.training.settings import RunSpecification


class LoopState(NamedTuple):
    """Everything that changes during a run; a checkpoint holds exactly this.

    step: () int32, optimizer steps done.
    stage: () int32, the present time window or curriculum stage; 0 if there is only one.
    stage_start: () int32, steps done before the present stage.
    params: parameters of the network.
    previous: the parameters before the last step, from which the origin of a fault is found.
    start: coefficients of the initial condition of the present window, if it is hard-constrained; else empty.
    finished: solutions of the windows, leading axis the window, filled up to the present one; empty for one window.
    state: state of the method.
    own_states: by loss term, a state of the method that saw only that term; empty unless requested.
    loss_weights: by loss term, ().
    gradient_evaluations: () int32, the cost of all steps so far, over all stages, counted as ``Method`` says.
    failed_step: () int32, the first step after which a parameter, or at the end of ``advance`` a state, was not finite;
        -1 while all are.
    """

    step: Array
    stage: Array
    stage_start: Array
    params: Tree
    previous: Tree
    start: Tree
    finished: Tree
    state: State
    own_states: dict[str, State]
    loss_weights: dict[str, Array]
    gradient_evaluations: Array
    failed_step: Array


@dataclass(frozen=True, eq=False)
class Experiment:
    """A problem, a network and a method put together; all methods are pure and can be compiled.

    With a ``mesh``, the points of a step are sharded over its devices (see ``devices``).
    """

    specification: RunSpecification
    settings: StrictModel
    problem: Problem
    model: Model
    method: Method
    dtype: jnp.dtype
    mesh: Mesh | None = None

    @property
    def network(self) -> Network:
        """The network of the model."""
        return self.model.network

    @property
    def windows(self) -> int:
        """The number of time windows, each with its own parameters."""
        given = self.specification.training.windows
        return 1 if given is None else given.count

    def start(self, seed: int) -> LoopState:
        """The state before the first step, from the random streams of ``seed``."""
        params = self.model.network.init(randomness.stream(seed, "parameters"))
        constraint = self.model.constraint
        start = () if constraint is None else constraint.first(self.dtype)
        one = self.model.solution(params, start)
        finished = () if self.windows == 1 else jax.tree.map(lambda leaf: jnp.stack([leaf] * self.windows), one)
        state = self.method.init(params)
        return self._stage_start(jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32), params, state, start, finished)

    def next_stage(self, key: Array, loop: LoopState) -> LoopState:
        """The state before the first step of the next stage; ``key`` is the run's stream "parameters".

        The parameters are kept, or drawn anew for windows with fresh networks. Optimizer states and loss weights
        restart, except for what ``Method.enter`` keeps. With windows, the solution of the one that ends is stored, and
        gives the next initial condition.
        """
        stage = loop.stage + 1
        windows = self.specification.training.windows
        params, state = loop.params, loop.state
        if windows is not None and windows.network == "fresh":
            params = self.model.network.init(randomness.at_step(key, stage))
            state = self.method.init(params)
        start, constraint = loop.start, self.model.constraint
        if constraint is not None:
            nodes = constraint.nodes(self.dtype)
            at_end = jnp.insert(nodes, 0, self.problem.domain[0][1], axis=1)
            start = constraint.interpolated(self.model.values(self.model.solution(loop.params, loop.start), at_end))
        finished = self.solution(loop) if self.windows > 1 else ()
        after = self._stage_start(loop.step, stage, params, state, start, finished)
        return after._replace(gradient_evaluations=loop.gradient_evaluations, failed_step=loop.failed_step)

    def solution(self, loop: LoopState) -> Tree:
        """The result of a run, as ``Model.fields_of`` takes it; several windows are stacked along a leading axis."""
        present = self.model.solution(loop.params, loop.start)
        if self.windows == 1:
            return present
        return jax.tree.map(lambda every, one: every.at[loop.stage].set(one), loop.finished, present)

    def _stage_start(
        self, step: Array, stage: Array, params: Tree, state: Tree, start: Tree, finished: Tree
    ) -> LoopState:
        if self.method.enter is None:
            state = self.method.init(params)
        else:
            lengths = jnp.asarray(self.specification.training.stage_steps, jnp.int32)
            state = self.method.enter(params, state, lengths[stage])
        own = self.problem.losses if self.specification.training.own_state else ()
        initial = self.specification.training.weighting.initial
        return LoopState(
            step=step,
            stage=stage,
            stage_start=step + 0,  # a separate array, because the loop donates all of them
            params=params,
            previous=jax.tree.map(jnp.copy, params),
            start=jax.tree.map(jnp.copy, start),
            finished=finished,
            state=state,
            own_states={name: self.method.init(params) for name in own},
            loss_weights={name: jnp.asarray(initial.get(name, 1.0), self.dtype) for name in self.problem.losses},
            gradient_evaluations=jnp.zeros((), jnp.int32),
            failed_step=jnp.full((), -1, jnp.int32),
        )

    @property
    def source(self) -> PointSource:
        """The source of the points of a step."""
        return PointSource(self.specification, self.model, self.dtype, self.mesh)

    def points(self, key: Array, loop: LoopState) -> Points:
        """The points of a step, with the values given there in this stage; ``key`` is the run's stream "points"."""
        return self.source.draw(key, loop.step, loop.stage, loop.finished)

    def objective(self, loss_weights: dict[str, Array], start: Tree = ()) -> Objective:
        """The objective with these loss weights and the causal row weights of the specification.

        ``start`` is ``LoopState.start``, the coefficients of a hard-constrained initial condition.
        """
        return Objective(
            loss_weights,
            residuals=partial(self._residuals, start),
            row_weights=None if self.specification.training.causal is None else self._row_weights,
            point_sets=tuple(self.problem.point_sets.items()),
            fields=partial(self._driven, start) if self.problem.driven else None,
        )

    def step(self, key: Array, loop: LoopState) -> tuple[LoopState, dict[str, Array]]:
        """One optimizer step, after an update of the loss weights if one is due; also the method's metrics."""
        return self._step(self.points(key, loop), loop)

    def _step(self, points: Points, loop: LoopState) -> tuple[LoopState, dict[str, Array]]:
        loss_weights = self._loss_weights(loop, points)
        objective = self.objective(loss_weights, loop.start)
        gradient, own_states = None, loop.own_states
        if own_states:
            gradients = objective.loss_gradients(loop.params, points)
            gradient = trees.total(list(gradients.values()))
            own_states = {
                name: self.method.observe(loop.params, state, gradients[name]) for name, state in own_states.items()
            }
        params, state, metrics = self.method.step(objective, loop.params, loop.state, points, gradient)
        step = loop.step + 1
        failed_step = jnp.where((loop.failed_step < 0) & ~all_finite(params), step, loop.failed_step)
        after = loop._replace(
            step=step,
            params=params,
            previous=loop.params,
            state=state,
            own_states=own_states,
            loss_weights=loss_weights,
            gradient_evaluations=loop.gradient_evaluations + metrics.pop("gradient_evaluations"),
            failed_step=failed_step,
        )
        return after, metrics

    def advance(self, key: Array, loop: LoopState, steps: Array) -> LoopState:
        """Up to ``steps`` steps on the device; stops after a step whose parameters are not finite.

        At the end the states of the method are checked too: a number that is not finite there need not have reached the
        parameters yet.

        Steps on the same points run in an inner loop. XLA moves out of it what does not depend on the parameters, above
        all a hard-constrained initial condition with its derivatives, which is then computed once for these points.
        """
        last, every = loop.step + steps, self.specification.training.points_every

        def until(end: Array) -> Callable[[LoopState], Array]:
            return lambda loop: (loop.step < end) & (loop.failed_step < 0)

        def drawn(loop: LoopState) -> LoopState:
            points, end = self.points(key, loop), jnp.minimum(last, (loop.step // every + 1) * every)
            return jax.lax.while_loop(until(end), lambda loop: self._step(points, loop)[0], loop)

        loop = jax.lax.while_loop(until(last), drawn if every > 1 else lambda loop: self.step(key, loop)[0], loop)
        sound = all_finite((loop.state, loop.own_states, loop.loss_weights))
        return loop._replace(failed_step=jnp.where((loop.failed_step < 0) & ~sound, loop.step, loop.failed_step))

    def diagnose(self, key: Array, loop: LoopState) -> dict[str, Array]:
        """The diagnostics of the present state, as scalars by name; see ``gradalign.training.diagnose``."""
        return diagnose.row(self, key, loop)

    def _residuals(self, start: Tree, params: Tree, points: Points) -> dict[str, Array]:
        found = self.problem.residuals(self.model.fields(params, start), points)
        for index, side, factor in stretched(self.problem):
            found = {
                name: jnp.sqrt(stretching.share(points[self.problem.point_sets[name]][:, index], side, factor)) * r
                for name, r in found.items()
            }
        return found

    def _driven(self, start: Tree, params: Tree, points: Points) -> dict[str, Array]:
        """The field that each loss term drives, at the points of that term."""
        fields, found = self.model.fields(params, start), {}
        for name, field in self.problem.driven.items():
            at = self.problem.at(self.problem.point_sets[name], points[self.problem.point_sets[name]])
            found[name] = fields(at)[:, self.problem.fields.index(field)]
        return found

    def _row_weights(self, residuals: dict[str, Array]) -> dict[str, Array]:
        causal = self.specification.training.causal
        assert causal is not None  # the objective asks for row weights only where the specification has them
        return loss_weights.causal_row_weights(residuals, causal.tolerance, causal.chunks, self.problem.causal)

    def _loss_weights(self, loop: LoopState, points: Points) -> dict[str, Array]:
        settings = self.specification.training.weighting
        if settings.scheme == "constant":
            return loop.loss_weights

        def updated() -> dict[str, Array]:
            unweighted = self.objective({name: jnp.ones_like(w) for name, w in loop.loss_weights.items()}, loop.start)
            gradients = unweighted.loss_gradients(loop.params, points)
            return loss_weights.gradient_norm_weights(gradients, loop.loss_weights, settings.momentum)

        due = (loop.step - loop.stage_start) % settings.every == 0
        return jax.lax.cond(due, updated, lambda: loop.loss_weights)


def build(specification: RunSpecification, mesh: Mesh | None = None) -> Experiment:
    """The experiment of a specification; with a ``mesh``, one that trains on all its devices.

    Raises ``ConfigurationError`` for an unknown name or a value that is not allowed, ``TypeError`` for an unknown
    option of the method: the commands have checked the names before.
    """
    precision = specification.training.precision
    dtype = dtype_of(precision)
    module: ModuleType = import_module(f"gradalign.problems.{specification.problem}")
    windows = specification.training.windows
    settings_of_problem = module.Settings(**specification.problem_settings)
    problem: Problem = module.problem(settings_of_problem, 1 if windows is None else windows.count)
    optimizer = load_method(specification.method)
    settings = optimizer.Settings(**specification.method_settings)
    return Experiment(
        specification=specification,
        settings=settings_of_problem,
        problem=problem,
        model=Model(problem, architectures.build(specification.network, problem, dtype), precision),
        method=optimizer.method(settings, max(specification.training.stage_steps)),
        dtype=dtype,
        mesh=mesh,
    )
