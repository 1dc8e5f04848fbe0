"""Kuramoto-Sivashinsky equation: chaotic flame fronts. All quantities dimensionless.

    ∂u/∂t + α u ∂u/∂x + β ∂²u/∂x² + γ ∂⁴u/∂x⁴ = 0,   x in [0, 2π],   t in [0, T],   periodic in x
    u(0, x) = cos(x) (1 + sin(x))

Signs: all terms are on the left-hand side with a plus; the residual is their sum. β > 0 feeds long waves, γ > 0 damps
short ones, and the convective term transfers energy from long to short waves.

Coefficients: α = 100/16, β = 100/16², γ = 100/16⁴, horizon T = 1 (arXiv 2203.07404 and the released settings of
arXiv 2502.00604). In x' = 16 x and t' = 100 t all coefficients are 1 on [0, 32π]: the case of
A.-K. Kassam and L. N. Trefethen, SIAM J. Sci. Comput. 26 (2005), with their initial condition.

Symmetry: u(t, π - x) = -u(t, x) at all times, because it holds at t = 0. Rounding errors break it, and grow.

Loss terms: ``ic`` (u - u(0, x) at t = 0) and ``pde`` (the residual); the network is periodic by construction; n = 2,
null value 0.

With ``start: exact`` the initial condition is a hard constraint: in every window the field is s(x) + t N(t, x), where
s is the initial condition there and N the network. ``pde`` is then the only loss term, and there is no score. The
linear flow of s cannot replace s: at a front, convection sustains short waves against damping that would remove them
within 0.001, so N would have to restore them.

What is hard: the solution is chaotic. A small error at t = 0.2 is 10³ to 3·10⁴ times larger at t = 1, least if it
shares the symmetry. The slope jumps from 4 to 40 between t = 0.04 and 0.1. Time marching is needed: 10 windows for
T = 1, each starting from the last values of the previous one. The error includes the last time.

Good values to start from: tanh, random Fourier features of scale 1, gradient-norm weights starting at 1000 for ic,
causal weights with tolerance 0.1 and 16 chunks, 10 windows (arXiv 2502.00604, released settings).
"""

import jax.numpy as jnp
import numpy as np
from jax import Array
from pydantic import Field, PositiveFloat

from gradalign.problems._contract import At, Fields, Problem, Reflection, Residuals, Statement, Term, at_rest
from gradalign.problems._sampling import first_window
from gradalign.problems._sets import initial_values, interior
from gradalign.problems._start import FORMULATION, StartSettings

PLACES = (0.0, 2 * np.pi)
"""x in [0, 2π]."""

STATEMENT = Statement(
    equation="∂u/∂t + α u ∂u/∂x + β ∂²u/∂x² + γ ∂⁴u/∂x⁴ = 0",
    domain="x in [0, 2π], t in [0, T]",
    conditions="u(0, x) = cos(x) (1 + sin(x)); periodic in x",
)


class Settings(StartSettings):
    """Coefficients of the Kuramoto-Sivashinsky equation, and its horizon."""

    convection: PositiveFloat = Field(default=100 / 16, description="α, of u ∂u/∂x")
    growth: PositiveFloat = Field(default=100 / 16**2, description="β, of ∂²u/∂x²; long waves grow")
    damping: PositiveFloat = Field(default=100 / 16**4, description="γ, of ∂⁴u/∂x⁴; waves beyond sqrt(β/γ) decay")
    horizon: PositiveFloat = Field(default=1.0, description="T, the last time")


def problem(settings: Settings, windows: int = 1) -> Problem:
    """The Kuramoto-Sivashinsky equation as residuals of one field u over (t, x), in the first time window.

    >>> import jax
    >>> from gradalign.derivatives.fields import FieldsOf
    >>> kuramoto_sivashinsky = problem(Settings(convection=1.0, growth=2.0, damping=0.5))
    >>> points = kuramoto_sivashinsky.sample(jax.random.key(0), {"ic": 4, "pde": 8}, jnp.dtype("float64"))
    >>> quartic = kuramoto_sivashinsky.residuals(FieldsOf(lambda z: z[:, 1:] ** 4, ("t", "x")), points)
    >>> x = points["pde"][:, 1]
    >>> bool(jnp.allclose(quartic["pde"], 4 * x**7 + 24 * x**2 + 12))  # u = x⁴
    True
    """
    domain = first_window(((0.0, settings.horizon), PLACES), windows)

    def equation(fields: Fields, at: At) -> Residuals:
        d = fields.derivatives(at, ("", "x"), {"linear": {"t": 1.0, "xx": settings.growth, "xxxx": settings.damping}})
        convection = settings.convection * d[""] * d["x"]
        return {"pde": (d["linear"] + convection)[:, 0]}

    def start(x: Array) -> list[Array]:
        return [initial_condition(x)]

    return Problem(
        name="kuramoto_sivashinsky",
        coordinates=("t", "x"),
        fields=("u",),
        domain=domain,
        points=(initial_values(domain, ("u",), start), interior(domain, equation, [Term("pde")])),
        periodic=("x",),
        formulation=FORMULATION,
        hard_start=settings.hard_start(domain[1:], start, (at_rest,)),
        reflection=Reflection("x", np.pi / 2, (-1,)),
        labels=("horizon",),
    )


def initial_condition(x: Array) -> Array:
    """u(0, x) = cos(x) (1 + sin(x)), in the shape and dtype of x.

    >>> float(initial_condition(jnp.asarray(0.0)))
    1.0
    """
    return jnp.cos(x) * (1 + jnp.sin(x))
