"""SOAP, then Gauss-Newton: a hand-over once Gauss-Newton steps need little damping, or after a given number of steps.
Cost per step: that of SOAP, or of Gauss-Newton at every ``probe_every``-th step; after the hand-over that of
Gauss-Newton. Memory: that of both. Precision: float64, as Gauss-Newton needs. Use it when Gauss-Newton alone gets stuck
early, far from a solution, at a large damping."""

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradalign.base.options import Options, option
from gradalign.base.trees import Tree
from gradalign.base.types import Points
from gradalign.optimizers import gauss_newton as second_method
from gradalign.optimizers import soap as first_method
from gradalign.optimizers._method import Method, State
from gradalign.optimizers._objective import Objective


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    """Settings of the hand-over, and those of the two methods."""

    soap: first_method.Settings = option(first_method.Settings(learning_rate=3e-3), description="settings of SOAP")
    gauss_newton: second_method.Settings = option(second_method.Settings(), description="settings of Gauss-Newton")
    probe_every: int = option(100, description="steps of SOAP between two trials of Gauss-Newton", gt=0)
    damping: float = option(1e-3, description="mu with which a trial has to succeed", gt=0)
    longest: int | None = option(
        None, description="steps of SOAP after which Gauss-Newton takes over in any case; no limit if left out", gt=0
    )


class HandOverState(NamedTuple):
    """steps: () int32, steps so far. handed_over: () bool. soap, gauss_newton: states of the two methods."""

    steps: Array
    handed_over: Array
    soap: Any
    gauss_newton: Any


def method(settings: Settings, steps: int) -> Method:
    """SOAP until a trial step of Gauss-Newton succeeds, or for ``longest`` steps; then Gauss-Newton.

    Every ``probe_every``-th step is such a trial, with mu = ``damping`` alone. It succeeds if the loss falls by at
    least ``bad_ratio`` of the decrease that the linear model predicts (see ``gauss_newton``). A failed trial that
    lowers the loss is kept, and SOAP resumes with its state unchanged. Metrics are those of Gauss-Newton, with zero
    ``attempts`` in a step of SOAP, and ``handed_over``, 0 or 1. The preconditioner is that of the active method; only
    SOAP's state observes gradients.
    """
    once = replace(settings.gauss_newton, attempts=1, initial_damping=settings.damping)
    trial = second_method.method(once, steps)
    first, second = first_method.method(settings.soap, steps), second_method.method(settings.gauss_newton, steps)

    def init(params: Tree) -> HandOverState:
        return HandOverState(
            jnp.zeros((), jnp.int32),
            jnp.zeros((), bool),
            first.init(params),
            second.init(jax.tree.map(jnp.copy, params)),
        )

    def step(
        objective: Objective, params: Tree, state: HandOverState, points: Points, gradient: Tree = None
    ) -> tuple[Tree, HandOverState, dict[str, Array]]:
        def by_soap() -> tuple[Tree, State, State, dict[str, Array]]:
            after, soap_state, counted = first.step(objective, params, state.soap, points, gradient)
            idle = jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), jax.eval_shape(by_gauss_newton)[3])
            return after, soap_state, state.gauss_newton, idle | {"damping": state.gauss_newton.damping} | counted

        def by_gauss_newton() -> tuple[Tree, State, State, dict[str, Array]]:
            after, newton_state, metrics = second.step(objective, params, state.gauss_newton, points)
            return after, state.soap, newton_state, metrics

        def by_trial() -> tuple[Tree, State, State, dict[str, Array]]:
            after, newton_state, metrics = trial.step(objective, params, trial.init(params), points)
            return after, state.soap, newton_state, metrics

        done = state.steps + 1
        probe = ~state.handed_over & (done % settings.probe_every == 0)
        which = jnp.where(state.handed_over, 2, probe.astype(jnp.int32))
        after, soap_state, newton_state, metrics = jax.lax.switch(which, (by_soap, by_trial, by_gauss_newton))
        handed_over = state.handed_over | (probe & (metrics["decrease_ratio"] >= settings.gauss_newton.bad_ratio))
        if settings.longest is not None:
            handed_over |= done >= settings.longest
        state = HandOverState(done, handed_over, soap_state, newton_state)
        return after, state, metrics | {"handed_over": state.handed_over.astype(metrics["damping"].dtype)}

    def precondition(objective: Objective, params: Tree, state: HandOverState, points: Points, gradient: Tree) -> Tree:
        return jax.lax.cond(
            state.handed_over,
            lambda: second.precondition(objective, params, state.gauss_newton, points, gradient),
            lambda: first.precondition(objective, params, state.soap, points, gradient),
        )

    def observe(params: Tree, state: HandOverState, gradient: Tree) -> HandOverState:
        return state._replace(soap=first.observe(params, state.soap, gradient))

    # If no stage is long enough for a trial, the period leaves trials out
    trials = settings.probe_every if settings.probe_every <= steps else 1
    period = math.lcm(first.period, trials)
    return Method(init, step, precondition, observe, evaluations=second.evaluations, period=period)
