"""Gray-Scott equations: a fed substance and one that consumes it; rings grow and split. All quantities dimensionless.

    ∂u/∂t = D_u Δu + F (1 - u) - c u v²
    ∂v/∂t = D_v Δv - d v + c u v²,   (x, y) in [-1, 1]²,   t in [0, T],   periodic in x and y
    u(0, x, y) = 1 - exp(-10 ((x + 0.05)² + (y + 0.02)²)),   v(0, x, y) = exp(-10 ((x - 0.05)² + (y - 0.02)²))

Signs: everything but the time derivatives is on the right-hand side; the residuals are ∂u/∂t - D_u Δu - F (1 - u)
+ c u v² and ∂v/∂t - D_v Δv + d v - c u v². The reaction takes from u what it gives to v.

Coefficients: D_u = 0.2, D_v = 0.1, F = 40, d = 100, c = 1000, T = 2 (arXiv 2402.00326 and the released
settings of arXiv 2502.00604); initial condition, domain and horizon from the same sources.

The initial condition is not periodic: across the edges it jumps by up to 1e-4 of its height. Diffusion removes the
jump at once, and the periodic solution starts at the mean of both sides there.

Loss terms: ``u_ic``, ``v_ic`` (u and v minus their initial values at t = 0, at the same points), ``ru``, ``rv`` (the
residuals, at the same points); n = 4, null value -1/2. Errors are those of u, v, and both stacked (main).

With ``start: exact`` the initial condition is a hard constraint: in every window the fields are
B(t, x, y) + t N(t, x, y), where N is the network and B evolves the initial fields by diffusion alone. The terms at
t = 0 drop out.

What is hard: u = 1, v = 0 solves the equations and attracts everything nearby, including networks. The reaction first
acts within 1e-3, and v falls to 1e-7 before the ring grows, so relative accuracy in v is lost there unnoticed. By
t = 1.5 the ring has split and filled the square.

Good values to start from: width 256, 3 blocks of a PirateNet, swish, float32 with SOAP; points ic and pde 4096; 10
time windows; gradient-norm weights starting at 1; causal weights with tolerance 1 and 32 chunks (released settings of
arXiv 2502.00604). For t <= 0.2, the first of these windows, a smaller network suffices.
"""

import jax.numpy as jnp
from jax import Array
from pydantic import Field, PositiveFloat

from gradalign.problems._contract import At, Fields, Problem, Residuals, Statement, Term, components_and_both, diffusion
from gradalign.problems._sampling import first_window
from gradalign.problems._sets import initial_values, interior
from gradalign.problems._start import FORMULATION, StartSettings

SQUARE = ((-1.0, 1.0), (-1.0, 1.0))
"""Spatial domain: x and y in [-1, 1]."""

STATEMENT = Statement(
    equation="∂u/∂t = D_u Δu + F (1 - u) - c u v², ∂v/∂t = D_v Δv - d v + c u v²",
    domain="(x, y) in [-1, 1]², t in [0, T]",
    conditions="u = 1 - exp(-10 ((x + 0.05)² + (y + 0.02)²)), v = exp(-10 ((x - 0.05)² + (y - 0.02)²)) at t = 0; "
    "periodic in x and y",
)


class Settings(StartSettings):
    """Coefficients of the Gray-Scott equations and the time until which they are solved."""

    horizon: PositiveFloat = Field(default=2.0, description="T; the ring fills the square at about 1.5")
    diffusion_u: PositiveFloat = Field(default=0.2, description="D_u")
    diffusion_v: PositiveFloat = Field(default=0.1, description="D_v")
    feed: PositiveFloat = Field(default=40.0, description="F; drives u to 1")
    decay: PositiveFloat = Field(default=100.0, description="d; drives v to 0")
    reaction: PositiveFloat = Field(default=1000.0, description="c; turns u into v where v is large")


def problem(settings: Settings, windows: int = 1) -> Problem:
    """The Gray-Scott equations as residuals of u and v over (t, x, y), in the first time window.

    >>> import jax
    >>> from gradalign.derivatives.fields import FieldsOf
    >>> gray_scott = problem(Settings())
    >>> points = gray_scott.sample(jax.random.key(0), {"ic": 4, "pde": 8}, jnp.dtype("float32"))
    >>> constant = FieldsOf(lambda z: 0.5 + 0 * z[:, :2], ("t", "x", "y"))  # u = v = 1/2: the reaction is 1000/8
    >>> residuals = gray_scott.residuals(constant, points)
    >>> float(residuals["ru"][0]), float(residuals["rv"][0])  # -40/2 + 125, 100/2 - 125
    (105.0, -75.0)
    """
    domain = first_window(((0.0, settings.horizon), *SQUARE), windows)

    def equations(fields: Fields, at: At) -> Residuals:
        found = fields.derivatives(at, ("", "t"), {"laplacian": {"xx": 1.0, "yy": 1.0}})
        u, v = found[""].T
        u_t, v_t = found["t"].T
        laplacian_u, laplacian_v = found["laplacian"].T
        turned = settings.reaction * u * v**2
        return {
            "ru": u_t - settings.diffusion_u * laplacian_u - settings.feed * (1 - u) + turned,
            "rv": v_t - settings.diffusion_v * laplacian_v + settings.decay * v - turned,
        }

    return Problem(
        name="gray_scott",
        coordinates=("t", "x", "y"),
        fields=("u", "v"),
        domain=domain,
        points=(
            initial_values(domain, ("u", "v"), initial_condition),
            interior(domain, equations, [Term("ru", drives="u"), Term("rv", drives="v")]),
        ),
        periodic=("x", "y"),
        formulation=FORMULATION,
        hard_start=settings.hard_start(
            SQUARE, initial_condition, (diffusion(settings.diffusion_u), diffusion(settings.diffusion_v))
        ),
        quantities=components_and_both("u", "v"),
        main_quantity="u and v",
        labels=("horizon",),
    )


def initial_condition(x: Array, y: Array) -> tuple[Array, Array]:
    """u(0, x, y) and v(0, x, y), in the shape and dtype of x and y, within [-1, 1]².

    >>> u, v = initial_condition(jnp.asarray(-0.05), jnp.asarray(-0.02))  # the centre of the hole in u
    >>> float(u), round(float(v), 6)  # exp(-10 (0.1² + 0.04²))
    (0.0, 0.890475)
    """
    u = 1 - jnp.exp(-10 * ((x + 0.05) ** 2 + (y + 0.02) ** 2))
    return u, jnp.exp(-10 * ((x - 0.05) ** 2 + (y - 0.02) ** 2))
