"""Wave equation: two standing waves, one four times as fast as the other. All quantities dimensionless.

    ∂²u/∂t² = c² ∂²u/∂x²,   x in [0, 1],   t in [0, 1]
    u(0, x) = sin(πx) + ½ sin(4πx),   ∂u/∂t(0, x) = 0,   u(t, 0) = u(t, 1) = 0

with the solution u = sin(πx) cos(πct) + ½ sin(4πx) cos(4πct).

Signs: the residual is ∂²u/∂t² - c² ∂²u/∂x².

Coefficients: c² = 4, initial conditions, domain and horizon from the released settings of arXiv 2502.00604; the same
problem is in arXiv 2007.14527. Some texts write the equation with c = 4: only c² = 4 gives the solution
sin(πx) cos(2πt) + ½ sin(4πx) cos(8πt) that they state.

Two ways to impose the boundary conditions, with the same solution:

- ``penalised``: loss terms ``u0`` (u - u(0, x) at t = 0), ``ut0`` (∂u/∂t at t = 0), ``bc`` (u at both ends) and
  ``pde`` (the residual); n = 4, null value -1/2.
- ``exact``: a hard constraint. The field u = 4 x (1 - x) N(t, x), where N is the network, vanishes at both ends;
  ``u0``, ``ut0`` and ``pde`` remain; n = 3, null value -1/3.

With ``start: exact`` the initial conditions are hard constraints: the field is u(0, x) + t² N(t, x), or
u(0, x) + 4 t² x (1 - x) N(t, x) with both options, and the first two terms drop out.

``u0`` and ``ut0`` share the point set ``ic``. The equation is of second order in time: a window would have to pass on
u and ∂u/∂t, but only values of fields are passed on, so this problem has a single window.

What is hard: nothing dissipates, so an error made at one time persists, and the frequencies differ by a factor of four.
The loss weights are decisive: terms of the residual reach (4πc)²/2 ≈ 316, while the initial value is about 1.

Good values to start from: tanh, gradient-norm weights, random Fourier features of scale 10, causal weights with
tolerance 0.01 and 32 chunks (arXiv 2502.00604, released settings); float64 for the last digits.
"""

import math
from typing import Literal

import jax.numpy as jnp
from jax import Array
from pydantic import Field, PositiveFloat

from gradalign.base.errors import ConfigurationError
from gradalign.base.settings import StrictModel
from gradalign.problems._contract import At, Condition, Fields, PointSet, Problem, Residuals, Statement, Term
from gradalign.problems._sampling import uniform
from gradalign.problems._sets import at_both_ends, interior

DOMAIN = ((0.0, 1.0), (0.0, 1.0))
"""Domain: t in [0, 1], x in [0, 1]."""

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

    >>> import jax
    >>> from gradalign.derivatives.fields import FieldsOf
    >>> wave = problem(Settings())
    >>> points = wave.sample(jax.random.key(0), {"ic": 4, "bc": 4, "pde": 8}, jnp.dtype("float32"))
    >>> product = FieldsOf(lambda z: 3 * z[:, :1] * z[:, 1:], ("t", "x"))  # u = 3tx
    >>> residuals = wave.residuals(product, points)
    >>> bool(jnp.allclose(residuals["ut0"], 3 * points["ic"][:, 1]))
    True
    """
    if windows != 1:
        raise ConfigurationError(
            f"problem 'wave' was asked for in {windows} windows of time; allowed: 1. Its equation is of second order "
            "in time, so that a window would have to start from u and ∂u/∂t, and only u is passed on; set windows to 1"
        )
    at_ends, at_start = settings.boundary == "exact", settings.start == "exact"
    built_in: tuple[Condition, ...] = (*(("initial",) if at_start else ()), *(("boundary",) if at_ends else ()))
    (start, _), (left, right) = DOMAIN

    def ansatz(coordinates: Array, outputs: Array) -> Array:
        x, field = coordinates[:, 1:2], outputs
        if at_ends:
            field = 4 * (x - left) * (right - x) * field
        if at_start:
            field = initial_condition(x) + coordinates[:, :1] ** 2 * field
        return field

    def initial_points(key: Array, count: int, dtype: jnp.dtype) -> Array:
        return uniform(key, ((start, start), DOMAIN[1]), count, dtype)

    def initial(fields: Fields, at: At) -> Residuals:
        d = fields.derivatives(at, ("", "t"))
        return {"u0": d[""][:, 0] - initial_condition(at.x), "ut0": d["t"][:, 0]}

    def equation(fields: Fields, at: At) -> Residuals:
        return {"pde": fields.derivatives(at, (), {"wave": {"tt": 1.0, "xx": -settings.speed_squared}})["wave"][:, 0]}

    return Problem(
        name="wave",
        coordinates=("t", "x"),
        fields=("u",),
        domain=DOMAIN,
        points=(
            PointSet("ic", initial_points, initial, (Term("u0"), Term("ut0")), condition="initial"),
            at_both_ends(DOMAIN, lambda fields, at: {"bc": fields(at)[:, 0]}, [Term("bc")]),
            interior(DOMAIN, equation, [Term("pde")]),
        ),
        formulation=("boundary", "start"),
        built_in=built_in,
        ansatz=ansatz if at_start or at_ends else None,
    )


def initial_condition(x: Array) -> Array:
    """u(0, x) = sin(πx) + ½ sin(4πx), in the shape and dtype of x.

    >>> round(float(initial_condition(jnp.asarray(0.125))), 6)  # sin(π/8) + ½
    0.882683
    """
    return jnp.sin(jnp.pi * x) + 0.5 * jnp.sin(4 * jnp.pi * x)


def solution(t: Array, x: Array, speed_squared: float = 4.0) -> Array:
    """u(t, x) = sin(πx) cos(πct) + ½ sin(4πx) cos(4πct) for t and x of one shape, in their dtype.

    >>> t, x = jnp.asarray([0.0, 0.25, 1.0]), jnp.asarray([0.125, 0.125, 0.125])
    >>> [round(float(u), 6) for u in solution(t, x)]  # cos(π/2) = 0 and cos(2π) = 1 leave ½ at t = ¼
    [0.882683, 0.5, 0.882683]
    """
    angle = jnp.pi * math.sqrt(speed_squared) * t
    return jnp.sin(jnp.pi * x) * jnp.cos(angle) + 0.5 * jnp.sin(4 * jnp.pi * x) * jnp.cos(4 * angle)
