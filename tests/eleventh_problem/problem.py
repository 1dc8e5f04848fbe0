"""Heat equation: a sine that decays. The example of docs/how-to/new-equation.md. All quantities dimensionless.

    ∂u/∂t = κ ∂²u/∂x²,   x in [0, 1],   t in [0, 1],   u(0, x) = sin(πx),   u(t, 0) = u(t, 1) = 0

Signs: diffusion stands on the right with a plus, so that the residual is ∂u/∂t - κ ∂²u/∂x². Exact solution:
exp(-κπ²t) sin(πx). Coefficients: κ = 0.1 (ours: the sine falls to 0.37 of its height).

Loss terms: ``ic`` (u - u(0, x) at t = 0), ``bc`` (u at both ends), ``pde`` (the residual); n = 3, null value -1/3.

What is hard: nothing. Good values to start from: width 16, depth 2, tanh; points ic 32, bc 32, pde 128.
"""

import jax.numpy as jnp
from jax import Array
from pydantic import Field, PositiveFloat

from gradalign.base.settings import StrictModel
from gradalign.problems._contract import At, Fields, Problem, Residuals, Statement, Term
from gradalign.problems._sampling import first_window
from gradalign.problems._sets import at_both_ends, initial_values, interior

DOMAIN = ((0.0, 1.0), (0.0, 1.0))

STATEMENT = Statement(
    equation="∂u/∂t = κ ∂²u/∂x²",
    domain="x in [0, 1], t in [0, 1]",
    conditions="u(0, x) = sin(πx); u = 0 at x = 0 and x = 1",
)


class Settings(StrictModel):
    """Coefficient of the heat equation."""

    conductivity: PositiveFloat = Field(default=0.1, description="κ")


def problem(settings: Settings, windows: int = 1) -> Problem:
    """The heat equation as residuals of one field u over the coordinates (t, x), on the first of equal time windows."""
    domain = first_window(DOMAIN, windows)

    def equation(fields: Fields, at: At) -> Residuals:
        # One operator costs less than its derivatives
        return {"pde": fields.derivatives(at, (), {"heat": {"t": 1.0, "xx": -settings.conductivity}})["heat"][:, 0]}

    def start(x: Array) -> list[Array]:
        return [jnp.sin(jnp.pi * x)]

    return Problem(
        name="heat",
        coordinates=("t", "x"),
        fields=("u",),
        domain=domain,
        points=(
            initial_values(domain, ("u",), start),
            at_both_ends(domain, lambda fields, at: {"bc": fields(at)[:, 0]}, [Term("bc")]),
            interior(domain, equation, [Term("pde")]),
        ),
    )
