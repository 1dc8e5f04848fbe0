"""Viscous Burgers equation: a smooth wave steepens into an almost discontinuous front. All quantities dimensionless.

    ∂u/∂t + u ∂u/∂x = ν ∂²u/∂x²,   x in [-1, 1],   t in [0, 1]
    u(0, x) = -sin(πx),   u(t, -1) = u(t, 1) = 0

Signs: the convective term is on the left-hand side with a plus, the diffusive term on the right-hand side with a plus;
the residual is ∂u/∂t + u ∂u/∂x - ν ∂²u/∂x². u is positive for x < 0 and negative for x > 0: both sides move towards
x = 0, where a stationary front forms.

Coefficients: ν = 0.01/π ≈ 3.183e-3 (arXiv 1711.10561, section 3.1, and the released settings of arXiv 2502.00604);
initial condition, domain and horizon from the same sources.

Loss terms: ``ic`` (u - u(0, x) at t = 0), ``bc`` (u at both ends), ``pde`` (the residual); n = 3, null value -1/3.

With ``start: exact`` the initial condition is a hard constraint: in every window the field is s(x) + t N(t, x), where
s is the initial condition there and N a network of period 2. The equation preserves odd symmetry, so the periodic
solution vanishes at -1, 0 and 1 and solves this problem. ``pde`` is then the only loss term, and there is no score. A
network with ``symmetric: true`` is itself odd. The heat flow of s cannot replace s: it widens the front that convection
sustains, and N would have to restore it. When the front is steepest, its harmonics decay by a factor exp(-π²ν) each, to
3e-4 after 256 and 1.5e-7 after 500. ν ∂²s/∂x² amplifies the truncation error by 10⁴, and also the noise that windows
pass on in too many harmonics.

What is hard: the front is steepest at t ≈ 0.51, with |∂u/∂x| ≈ 152 over a width of about 4ν = 0.013. Few uniformly
drawn points fall on it, and the residual there outweighs all the rest. The solution is odd in x.

Good values to start from: width 64, depth 4, tanh, float32 with SOAP; points ic 128, bc 128, pde 1024; gradient-norm
weights; causal weights with tolerance 1 and 32 chunks (arXiv 2502.00604, released settings).
"""

import math

import jax.numpy as jnp
from jax import Array
from pydantic import Field, PositiveFloat

from gradalign.problems._contract import At, Fields, Problem, Reflection, Residuals, Statement, Term, at_rest
from gradalign.problems._sampling import first_window
from gradalign.problems._sets import at_both_ends, initial_values, interior
from gradalign.problems._start import FORMULATION, StartSettings

DOMAIN = ((0.0, 1.0), (-1.0, 1.0))
"""Domain: t in [0, 1], x in [-1, 1]."""

STATEMENT = Statement(
    equation="∂u/∂t + u ∂u/∂x = ν ∂²u/∂x²",
    domain="x in [-1, 1], t in [0, 1]",
    conditions="u(0, x) = -sin(πx); u = 0 at x = -1 and x = 1",
)


class Settings(StartSettings):
    """Coefficients of Burgers' equation."""

    viscosity: PositiveFloat = Field(default=0.01 / math.pi, description="ν; the front is about 4ν wide")


def problem(settings: Settings, windows: int = 1) -> Problem:
    """Burgers' equation as residuals of one field u over the coordinates (t, x), in the first time window.

    >>> import jax
    >>> from gradalign.derivatives.fields import FieldsOf
    >>> burgers = problem(Settings())
    >>> points = burgers.sample(jax.random.key(0), {"ic": 4, "bc": 4, "pde": 8}, jnp.dtype("float32"))
    >>> residuals = burgers.residuals(FieldsOf(lambda z: 2 * z[:, 1:], ("t", "x")), points)  # u = 2x
    >>> bool(jnp.allclose(residuals["pde"], 4 * points["pde"][:, 1]))  # u ∂u/∂x = 4x
    True
    """
    domain = first_window(DOMAIN, windows)

    def equation(fields: Fields, at: At) -> Residuals:
        d = fields.derivatives(at, ("", "x"), {"heat": {"t": 1.0, "xx": -settings.viscosity}})
        return {"pde": (d["heat"] + d[""] * d["x"])[:, 0]}

    def start(x: Array) -> list[Array]:
        return [initial_condition(x)]

    return Problem(
        name="burgers",
        coordinates=("t", "x"),
        fields=("u",),
        domain=domain,
        points=(
            initial_values(domain, ("u",), start),
            at_both_ends(domain, lambda fields, at: {"bc": fields(at)[:, 0]}, [Term("bc")]),
            interior(domain, equation, [Term("pde")]),
        ),
        formulation=FORMULATION,
        hard_start=settings.hard_start(domain[1:], start, (at_rest,)),
        reflection=Reflection("x", 0.0, (-1,)),
        labels=("viscosity",),
    )


def initial_condition(x: Array) -> Array:
    """u(0, x) = -sin(πx), in the shape and dtype of x.

    >>> round(float(initial_condition(jnp.asarray(0.5))), 6)
    -1.0
    """
    return -jnp.sin(jnp.pi * x)
