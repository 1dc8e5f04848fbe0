"""Korteweg-de Vries equation: a wave steepens and breaks up into a train of solitons. All quantities dimensionless.

    ∂u/∂t + u ∂u/∂x + δ² ∂³u/∂x³ = 0,   x in [-1, 1],   t in [0, 1],   periodic in x
    u(0, x) = cos(πx)

Signs: all three terms are on the left-hand side with a plus; the residual is ∂u/∂t + u ∂u/∂x + δ² ∂³u/∂x³. Solitons
are positive, and higher ones are faster.

Coefficients: δ = 0.022, hence δ² = 4.84e-4, and the initial condition (N. J. Zabusky and M. D. Kruskal, Phys. Rev.
Lett. 15, 1965, page 240); domain and horizon from the released settings of arXiv 2502.00604.

Loss terms: ``ic`` (u - u(0, x) at t = 0) and ``pde`` (the residual); the network is periodic by construction; n = 2,
null value 0.

With ``start: exact`` the initial condition is a hard constraint: in every window the field is u(0, x) + t N(t, x),
where N is the network. ``pde`` is then the only loss term, and there is no score. Dispersion is not built in: it moves
short waves so fast that the network would have to undo it.

What is hard: without dispersion the wave would break at t = 1/π. Instead its slope grows from π to 65 at t = 0.5, and
eight solitons about 0.05 wide pass through each other. A small dispersion times a large third derivative balances the
steepening. Nothing dissipates, so errors persist. Time marching with windows helps.

Good values to start from: tanh, random Fourier features of scale 1, gradient-norm weights, causal weights with
tolerance 0.1 and 16 chunks (arXiv 2502.00604, released settings); some harmonics of the periodic embedding.
"""

import jax.numpy as jnp
from jax import Array
from pydantic import Field, PositiveFloat

from gradalign.problems._contract import At, Fields, Problem, Residuals, Statement, Term, at_rest
from gradalign.problems._sampling import first_window
from gradalign.problems._sets import initial_values, interior
from gradalign.problems._start import FORMULATION, StartSettings

DOMAIN = ((0.0, 1.0), (-1.0, 1.0))
"""Domain: t in [0, 1], x in [-1, 1]."""

STATEMENT = Statement(
    equation="∂u/∂t + u ∂u/∂x + δ² ∂³u/∂x³ = 0",
    domain="x in [-1, 1], t in [0, 1]",
    conditions="u(0, x) = cos(πx); periodic in x",
)


class Settings(StartSettings):
    """The coefficient of the Korteweg-de Vries equation."""

    dispersion: PositiveFloat = Field(default=0.022**2, description="δ²; a soliton of height A is δ sqrt(12/A) wide")


def problem(settings: Settings, windows: int = 1) -> Problem:
    """The Korteweg-de Vries equation as residuals of one field u over (t, x), in the first time window.

    >>> import jax
    >>> from gradalign.derivatives.fields import FieldsOf
    >>> korteweg_de_vries = problem(Settings(dispersion=0.5))
    >>> points = korteweg_de_vries.sample(jax.random.key(0), {"ic": 4, "pde": 8}, jnp.dtype("float64"))
    >>> cubic = korteweg_de_vries.residuals(FieldsOf(lambda z: z[:, 1:] ** 3, ("t", "x")), points)  # u = x³
    >>> x = points["pde"][:, 1]
    >>> bool(jnp.allclose(cubic["pde"], 3 * x**5 + 3))  # x³ 3x² + 0.5 · 6
    True
    """
    domain = first_window(DOMAIN, windows)

    def equation(fields: Fields, at: At) -> Residuals:
        d = fields.derivatives(at, ("", "x"), {"linear": {"t": 1.0, "xxx": settings.dispersion}})
        return {"pde": (d["linear"] + d[""] * d["x"])[:, 0]}

    def start(x: Array) -> list[Array]:
        return [initial_condition(x)]

    return Problem(
        name="korteweg_de_vries",
        coordinates=("t", "x"),
        fields=("u",),
        domain=domain,
        points=(initial_values(domain, ("u",), start), interior(domain, equation, [Term("pde")])),
        periodic=("x",),
        formulation=FORMULATION,
        hard_start=settings.hard_start(domain[1:], start, (at_rest,)),
    )


def initial_condition(x: Array) -> Array:
    """u(0, x) = cos(πx), in the shape and dtype of x.

    >>> float(initial_condition(jnp.asarray(1.0)))
    -1.0
    """
    return jnp.cos(jnp.pi * x)
