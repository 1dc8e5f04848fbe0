"""Wave equation: two standing waves, one four times as fast as the other. All quantities dimensionless.

    ∂²u/∂t² = c² ∂²u/∂x²,   x in [0, 1],   t in [0, 1]
    u(0, x) = sin(πx) + ½ sin(4πx),   ∂u/∂t(0, x) = 0,   u(t, 0) = u(t, 1) = 0

with the solution u = sin(πx) cos(πct) + ½ sin(4πx) cos(4πct).

Signs: the residual is ∂²u/∂t² - c² ∂²u/∂x².

Coefficients: c² = 4, initial conditions, domain and horizon from the released settings of arXiv 2502.00604; the same
problem is in arXiv 2007.14527. Some texts write the equation with c = 4: only c² = 4 gives the solution
sin(πx) cos(2πt) + ½ sin(4πx) cos(8πt) that they state.

Two ways to pose the conditions at the ends, which have the same solution:

- ``penalised``: loss terms ``u0`` (u - u(0, x) at t = 0), ``ut0`` (∂u/∂t at t = 0), ``bc`` (u at both ends) and
  ``pde`` (the residual); n = 4, null value -1/2.
- ``exact``: the field is u = 4 x (1 - x) N(t, x) with the network N, so that it vanishes at both ends; ``u0``, ``ut0``
  and ``pde`` are left; n = 3, null value -1/3.

With ``start: exact`` the field is u(0, x) + t² N(t, x), or u(0, x) + 4 t² x (1 - x) N(t, x), and the first two terms
fall away.

``u0`` and ``ut0`` share the point set ``ic``. The equation is of second order in time: a window would have to pass on
u and ∂u/∂t, and only values of fields are passed on, so that this problem has a single window.

What is hard: nothing dissipates, so that an error made at one time stays for good, and the frequencies differ by four.
The weights of the loss terms decide: the terms of the residual reach (4πc)²/2 ≈ 316, and the initial value is about 1.

Good values to start from: tanh, gradient-norm weights, random Fourier features of scale 10, causal weights with
tolerance 0.01 and 32 chunks (arXiv 2502.00604, released settings); float64 for the last digits.
"""

import math
from collections.abc import Mapping
from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array
from pydantic import Field, PositiveFloat

from gradalign.base.errors import ConfigurationError
from gradalign.base.settings import StrictModel
from gradalign.base.trees import Tree
from gradalign.derivatives.partial import partial_derivatives
from gradalign.problems._contract import Apply, Points, Problem, Statement
from gradalign.problems._sampling import stratified_in_time, uniform

DOMAIN = ((0.0, 1.0), (0.0, 1.0))
"""Times and places: t in [0, 1], x in [0, 1]."""

STATEMENT = Statement(
    equation="∂²u/∂t² = c² ∂²u/∂x²",
    domain="x in [0, 1], t in [0, 1]",
    conditions="u(0, x) = sin(πx) + ½ sin(4πx), ∂u/∂t(0, x) = 0; u = 0 at x = 0 and x = 1",
)


class Settings(StrictModel):
    """The speed of the waves, and how the conditions at the ends are imposed."""

    speed_squared: PositiveFloat = Field(default=4.0, description="c²; the fast wave has the frequency 2c")
    boundary: Literal["penalised", "exact"] = Field(
        default="penalised", description="a loss term, or the factor 4 x (1 - x) in front of the network"
    )
    start: Literal["penalised", "exact"] = Field(
        default="penalised", description="two loss terms, or u(0, x) and the factor t² in front of the network"
    )


def problem(settings: Settings, windows: int = 1) -> Problem:
    """The wave equation as residuals of one field u over (t, x).

    Raises ``ConfigurationError`` for more than one window.

    >>> wave = problem(Settings())
    >>> points = wave.sample(jax.random.key(0), {"ic": 4, "bc": 4, "pde": 8}, jnp.dtype("float32"))
    >>> residuals = wave.residuals(lambda params, z: params * z[:, :1] * z[:, 1:], jnp.float32(3.0), points)  # u = 3tx
    >>> bool(jnp.allclose(residuals["ut0"], 3 * points["ic"][:, 1]))
    True
    """
    if windows != 1:
        raise ConfigurationError(
            f"problem 'wave' was asked for in {windows} windows of time; allowed: 1. Its equation is of second order "
            "in time, so that a window would have to start from u and ∂u/∂t, and only u is passed on; set windows to 1"
        )
    exact, started = settings.boundary == "exact", settings.start == "exact"
    losses = (*(() if started else ("u0", "ut0")), *(() if exact else ("bc",)), "pde")
    sets = (*(() if started else ("ic",)), *(() if exact else ("bc",)), "pde")
    (start, _), (left, right) = DOMAIN

    def observe(apply: Apply, params: Tree, coordinates: Array) -> Array:
        field = apply(params, coordinates)
        if exact:
            x = coordinates[:, 1:2]
            field = 4 * (x - left) * (right - x) * field
        if started:
            field = initial_condition(coordinates[:, 1:2]) + coordinates[:, :1] ** 2 * field
        return field

    def sample(key: Array, counts: Mapping[str, int], dtype: jnp.dtype) -> Points:
        keys = dict(zip(("ic", "bc", "pde"), jax.random.split(key, 3), strict=True))
        points = {"pde": stratified_in_time(keys["pde"], DOMAIN, counts["pde"], dtype)}
        if not started:
            points["ic"] = uniform(keys["ic"], ((start, start), DOMAIN[1]), counts["ic"], dtype)
        if not exact:
            ends = uniform(keys["bc"], (DOMAIN[0], (left, left)), counts["bc"], dtype)
            points["bc"] = ends.at[1::2, 1].set(right)
        return {name: points[name] for name in sets}

    def residuals(apply: Apply, params: Tree, points: Points) -> dict[str, Array]:
        def field(z: Array) -> Array:
            return observe(apply, params, z)

        wave = {"wave": {"tt": 1.0, "xx": -settings.speed_squared}}
        d = partial_derivatives(field, points["pde"], (), ("t", "x"), wave)
        found = {"pde": d["wave"][:, 0]}
        if not started:
            initial = partial_derivatives(field, points["ic"], ("", "t"), ("t", "x"))
            found["u0"] = initial[""][:, 0] - initial_condition(points["ic"][:, 1])
            found["ut0"] = initial["t"][:, 0]
        if not exact:
            found["bc"] = field(points["bc"])[:, 0]
        return {name: found[name] for name in losses}

    return Problem(
        name="wave",
        coordinates=("t", "x"),
        fields=("u",),
        losses=losses,
        domain=DOMAIN,
        sample=sample,
        residuals=residuals,
        causal=("pde",),
        formulation=("boundary", "start"),
        point_sets={} if started else {"u0": "ic", "ut0": "ic"},
        observe=observe,
    )


def initial_condition(x: Array) -> Array:
    """u(0, x) = sin(πx) + ½ sin(4πx), of the shape and dtype of x.

    >>> round(float(initial_condition(jnp.asarray(0.125))), 6)  # sin(π/8) + ½
    0.882683
    """
    return jnp.sin(jnp.pi * x) + 0.5 * jnp.sin(4 * jnp.pi * x)


def solution(t: Array, x: Array, speed_squared: float = 4.0) -> Array:
    """u(t, x) = sin(πx) cos(πct) + ½ sin(4πx) cos(4πct) for t and x of one shape; their dtype.

    >>> t, x = jnp.asarray([0.0, 0.25, 1.0]), jnp.asarray([0.125, 0.125, 0.125])
    >>> [round(float(u), 6) for u in solution(t, x)]  # cos(π/2) = 0 and cos(2π) = 1 leave ½ at t = ¼
    [0.882683, 0.5, 0.882683]
    """
    angle = jnp.pi * math.sqrt(speed_squared) * t
    return jnp.sin(jnp.pi * x) * jnp.cos(angle) + 0.5 * jnp.sin(4 * jnp.pi * x) * jnp.cos(4 * angle)
