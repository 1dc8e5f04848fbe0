"""Complex Ginzburg-Landau equation: a vortex winds up into a spiral that spreads. All quantities dimensionless.

    ∂A/∂t = ε ΔA + k A - k (1 + iβ) A |A|²,   A = u + iv,   (x, y) in [-1, 1]²,   t in [0, T],   periodic in x and y
    A(0, x, y) = 10 (y + ix) exp(-25 (x² + y²))

In real form, with m = u² + v²:

    ∂u/∂t = ε Δu + k (u - m u + β m v)
    ∂v/∂t = ε Δv + k (v - m v - β m u)

Signs: everything but the time derivatives is on the right-hand side; the residuals are the left-hand sides minus the
right-hand sides. Of the two terms with β, the one in the equation of u has the plus.

Coefficients: ε = 0.004, k = 10, β = 1.5, T = 1 (arXiv 2402.00326 and the released settings of arXiv
2502.00604); initial condition, domain and horizon from the same sources.

Loss terms: ``u_ic``, ``v_ic`` (u and v minus their initial values at t = 0, at the same points), ``ru``, ``rv`` (the
residuals, at the same points); n = 4, null value -1/2. Errors are those of u, v, and both stacked (main). A quarter
turn of the square multiplies A by -i, A(t, -y, x) = -i A(t, x, y), so u and v have the same size; a network with
``symmetric: true`` has this symmetry too.

With ``start: exact`` the initial condition is a hard constraint: in every window the fields are
B(t, x, y) + t N(t, x, y), where N is the network and B evolves the initial fields by diffusion alone. The terms at
t = 0 drop out.

What is hard: A = 0 solves the equation, and a small A grows as exp(kt) in modulus until it saturates at |A| = 1. The
phase turns at the rate kβ|A|², so ever more fronts form, about sqrt(ε/k) = 0.02 wide.

Good values to start from: width 256, 3 blocks of a PirateNet, swish, float32 with SOAP; points ic and pde 8192; 5
time windows; gradient-norm weights starting at 100 for the initial condition; causal weights with tolerance 5 and 16
chunks (released settings of arXiv 2502.00604). For t <= 0.2, the first of these windows, smaller values suffice.
"""

import jax.numpy as jnp
from jax import Array
from pydantic import Field, PositiveFloat

from gradalign.problems._contract import (
    At,
    Fields,
    Problem,
    QuarterTurn,
    Residuals,
    Statement,
    Term,
    components_and_both,
    diffusion,
)
from gradalign.problems._sampling import first_window
from gradalign.problems._sets import initial_values, interior
from gradalign.problems._start import FORMULATION, StartSettings

SQUARE = ((-1.0, 1.0), (-1.0, 1.0))
"""Spatial domain: x and y in [-1, 1]."""

STATEMENT = Statement(
    equation="∂A/∂t = ε ΔA + k A - k (1 + iβ) A |A|², A = u + iv",
    domain="(x, y) in [-1, 1]², t in [0, T]",
    conditions="A(0, x, y) = 10 (y + ix) exp(-25 (x² + y²)); periodic in x and y",
)


class Settings(StartSettings):
    """Coefficients of the complex Ginzburg-Landau equation and the time until which it is solved."""

    horizon: PositiveFloat = Field(default=1.0, description="T; the solution grows by exp(kT) until it saturates")
    diffusion: PositiveFloat = Field(default=0.004, description="ε; fronts are about sqrt(ε/k) wide")
    rate: PositiveFloat = Field(default=10.0, description="k; growth of small |A|, and its saturation at 1")
    dispersion: float = Field(default=1.5, description="β; the phase turns at the rate -kβ|A|²")


def problem(settings: Settings, windows: int = 1) -> Problem:
    """The complex Ginzburg-Landau equation as residuals of u and v over (t, x, y), in the first time window.

    >>> import jax
    >>> from gradalign.derivatives.fields import FieldsOf
    >>> ginzburg_landau = problem(Settings())
    >>> points = ginzburg_landau.sample(jax.random.key(0), {"ic": 4, "pde": 8}, jnp.dtype("float32"))
    >>> values = jnp.asarray([0, 1], jnp.float32)  # u = 0, v = 1, hence m = 1
    >>> constant = FieldsOf(lambda z: values + 0 * z[:, :2], ("t", "x", "y"))
    >>> residuals = ginzburg_landau.residuals(constant, points)
    >>> float(residuals["ru"][0]), float(residuals["rv"][0])  # only -kβ is left
    (-15.0, 0.0)
    """
    domain = first_window(((0.0, settings.horizon), *SQUARE), windows)

    def equations(fields: Fields, at: At) -> Residuals:
        found = fields.derivatives(
            at, ("",), {"heat": {"t": 1.0, "xx": -settings.diffusion, "yy": -settings.diffusion}}
        )
        u, v = found[""].T
        linear_u, linear_v = found["heat"].T
        m, beta = u**2 + v**2, settings.dispersion
        return {
            "ru": linear_u - settings.rate * (u - m * u + beta * m * v),
            "rv": linear_v - settings.rate * (v - m * v - beta * m * u),
        }

    return Problem(
        name="ginzburg_landau",
        coordinates=("t", "x", "y"),
        fields=("u", "v"),
        domain=domain,
        points=(
            initial_values(domain, ("u", "v"), initial_condition),
            interior(domain, equations, [Term("ru"), Term("rv")]),
        ),
        periodic=("x", "y"),
        formulation=FORMULATION,
        hard_start=settings.hard_start(SQUARE, initial_condition, (diffusion(settings.diffusion),) * 2),
        quarter_turn=QuarterTurn(("x", "y"), (1, 0), (1, -1)),
        quantities=components_and_both("u", "v"),
        main_quantity="u and v",
        labels=("horizon",),
    )


def initial_condition(x: Array, y: Array) -> tuple[Array, Array]:
    """u(0, x, y) = 10 y exp(-25 (x² + y²)) and v(0, x, y) = 10 x exp(-25 (x² + y²)), in the shape and dtype of x and y.

    At the edges the modulus is below 2e-10, so the condition is periodic to that accuracy.

    >>> u, v = initial_condition(jnp.asarray(0.1), jnp.asarray(0.2))  # exp(-1.25) and half of it, times 2
    >>> round(float(u), 6), round(float(v), 6)
    (0.57301, 0.286505)
    """
    height = 10 * jnp.exp(-25 * (x**2 + y**2))
    return y * height, x * height
