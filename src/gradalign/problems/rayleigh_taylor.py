"""Rayleigh-Taylor flow: hot fluid below cold fluid rises in a plume between two walls. All quantities dimensionless.

    ∂u/∂t + u ∂u/∂x + v ∂u/∂y = -∂p/∂x + ν Δu
    ∂v/∂t + u ∂v/∂x + v ∂v/∂y = -∂p/∂y + ν Δv + T
    ∂u/∂x + ∂v/∂y = 0
    ∂T/∂t + u ∂T/∂x + v ∂T/∂y = κ ΔT,   ν = sqrt(Pr/Ra),   κ = 1/sqrt(Pr Ra)
    x in [0, 1], periodic,   y in [0, 2],   t in [0, horizon],   u = v = T = 0 at y = 0 and y = 2
    u = v = 0 and T = (1/2) erfc((y - z)/(2s)) erf(y/(2s)) erf((2 - y)/(2s)) at t = 0, z = 1 - A cos(2πx)

Signs: y points upwards, and T > 0 pushes the fluid upwards. Every residual is the left-hand side minus the right-hand
side: ru = ∂u/∂t + u·∇u + ∂p/∂x - νΔu, rv = ∂v/∂t + u·∇v + ∂p/∂y - νΔv - T, rc = ∂u/∂x + ∂v/∂y and
re = ∂T/∂t + u·∇T - κΔT. The vorticity is w = ∂v/∂x - ∂u/∂y. The velocity is measured in free-fall units.

Coefficients: Ra = 1e6, Pr = 0.71, the equations and the walls are those of the released settings of arXiv 2502.00604.
The domain, the initial condition (interface thickness s = 0.04, amplitude A = 0.05) and the horizon, 8, are this
project's own definition, in the spirit of that benchmark; closed formulas need no data file. The authors' follow-up
repository (jaxpi2, 2026) ships a data file, which we have not seen. Our numbers must not be compared with numbers for
other data.

Time windows: four in the released settings; ``ic`` passes on u, v and T, and p has no initial condition.

Loss terms: ``u_ic``, ``v_ic``, ``T_ic`` (field minus initial value, at the points of ``ic``); ``u_bc``, ``v_bc``,
``T_bc`` (fields at both walls, points of ``bc``); ``ru``, ``rv``, ``rc``, ``re`` (residuals, points of ``pde``);
n = 10, null value -0.8. The pressure is defined up to a function of time, and is not compared with the reference.

What is hard: the layers of T are thin (thickness about s, later Ra^(-1/4)), the fluid at rest is nearly a solution for
a long time, and ten loss terms of four fields compete for one network. About x = 1/2, u is odd, and v and T are even.

Good values to start from: PirateNet with 3 blocks, width 256, swish, float32 with SOAP, a fresh network in each of 4
windows; points ic 16384, bc 16384, pde 8192; first weights 100 for the terms of u and v, 1 for those of T; causal
weights with tolerance 1 and 16 chunks (arXiv 2502.00604, released settings).
"""

import math

import jax.numpy as jnp
from jax import Array
from jax.scipy.special import erf, erfc
from pydantic import Field, PositiveFloat

from gradalign.base.settings import StrictModel
from gradalign.problems._contract import (
    At,
    Fields,
    Problem,
    Reflection,
    Residuals,
    Statement,
    Term,
    components_and_speed,
)
from gradalign.problems._sampling import first_window
from gradalign.problems._sets import at_both_ends, initial_values, interior

STATEMENT = Statement(
    equation="∂u/∂t + u·∇u = -∇p + sqrt(Pr/Ra) Δu + T e_y, div u = 0, ∂T/∂t + u·∇T = ΔT/sqrt(Pr Ra)",
    domain="x in [0, 1], y in [0, 2], t in [0, horizon]",
    conditions="u = 0 and T = (1/2) erfc((y - z)/(2s)) erf(y/(2s)) erf((2 - y)/(2s)) at t = 0, z = 1 - A cos(2πx); "
    "u = 0 and T = 0 at y = 0 and y = 2; periodic in x (domain and conditions are this project's own definition)",
)

WIDTH, HEIGHT = 1.0, 2.0
"""Spatial domain: x in [0, WIDTH], y in [0, HEIGHT]."""

NAMES = ("t", "x", "y")


class Settings(StrictModel):
    """Coefficients of the flow, its initial interface, and its horizon."""

    rayleigh: PositiveFloat = Field(default=1e6, description="Ra, of a height and a temperature difference of 1")
    prandtl: PositiveFloat = Field(default=0.71, description="Pr, viscosity over diffusivity; 0.71 is air")
    thickness: PositiveFloat = Field(default=0.04, description="s; the layers of T are about 4s wide at the start")
    amplitude: float = Field(default=0.05, gt=0, lt=1, description="A; the interface lies between 1 - A and 1 + A")
    horizon: PositiveFloat = Field(default=8.0, description="last time, in units of free fall over a height of 1")

    @property
    def viscosity(self) -> float:
        """ν = sqrt(Pr/Ra).

        >>> Settings(rayleigh=100.0, prandtl=1.0).viscosity
        0.1
        """
        return math.sqrt(self.prandtl / self.rayleigh)

    @property
    def diffusivity(self) -> float:
        """κ = 1/sqrt(Pr Ra).

        >>> Settings(rayleigh=100.0, prandtl=4.0).diffusivity
        0.05
        """
        return 1 / math.sqrt(self.prandtl * self.rayleigh)


def problem(settings: Settings, windows: int = 1) -> Problem:
    """The flow as residuals of u, v, T, p over the coordinates (t, x, y), in the first time window.

    >>> import jax
    >>> from gradalign.derivatives.fields import FieldsOf
    >>> flow = problem(Settings(rayleigh=100.0, prandtl=1.0))
    >>> points = flow.sample(jax.random.key(0), {"ic": 4, "bc": 4, "pde": 8}, jnp.dtype("float32"))
    >>> def at_rest(z):  # u = v = 0, T = y, p = y²/2
    ...     return jnp.stack([0 * z[:, 2], 0 * z[:, 2], z[:, 2], z[:, 2] ** 2 / 2], axis=1)
    >>> residuals = flow.residuals(FieldsOf(at_rest, ("t", "x", "y")), points)
    >>> all(bool(jnp.all(jnp.abs(residuals[name]) < 1e-6)) for name in ("ru", "rv", "rc", "re"))
    True
    >>> residuals["T_bc"].tolist()  # T = y at the walls y = 0 and y = 2, in turn
    [0.0, 2.0, 0.0, 2.0]
    """
    domain = first_window(((0.0, settings.horizon), (0.0, WIDTH), (0.0, HEIGHT)), windows)
    viscosity, diffusivity = settings.viscosity, settings.diffusivity

    def equations(fields: Fields, at: At) -> Residuals:
        d = fields.derivatives(at, ("", "t", "x", "y"), {"laplacian": {"xx": 1.0, "yy": 1.0}})
        u, v, T, _ = d[""].T
        carried = d["t"] + u[:, None] * d["x"] + v[:, None] * d["y"]
        return {
            "ru": carried[:, 0] + d["x"][:, 3] - viscosity * d["laplacian"][:, 0],
            "rv": carried[:, 1] + d["y"][:, 3] - viscosity * d["laplacian"][:, 1] - T,
            "rc": d["x"][:, 0] + d["y"][:, 1],
            "re": carried[:, 2] - diffusivity * d["laplacian"][:, 2],
        }

    def start(x: Array, y: Array) -> tuple[Array, Array, Array]:
        return jnp.zeros_like(x), jnp.zeros_like(x), initial_temperature(x, y, settings)

    def at_walls(fields: Fields, at: At) -> Residuals:
        found = fields(at)
        return {"u_bc": found[:, 0], "v_bc": found[:, 1], "T_bc": found[:, 2]}

    def observe(fields: Fields, at: At) -> Array:
        d = fields.derivatives(at, ("", "x", "y"))
        return jnp.stack([d[""][:, 0], d[""][:, 1], d["x"][:, 1] - d["y"][:, 0], d[""][:, 2]], axis=1)

    return Problem(
        name="rayleigh_taylor",
        coordinates=("t", "x", "y"),
        fields=("u", "v", "T", "p"),
        domain=domain,
        points=(
            initial_values(domain, ("u", "v", "T"), start),
            at_both_ends(domain, at_walls, [Term("u_bc"), Term("v_bc"), Term("T_bc")], side=2),
            interior(domain, equations, [Term("ru"), Term("rv"), Term("rc"), Term("re")]),
        ),
        periodic=("x",),
        reflection=Reflection("x", WIDTH / 2, (-1, 1, 1, 1)),
        observed=("u", "v", "w", "T"),
        observe=observe,
        quantities=components_and_speed("u", "v", "w", "T"),
        main_quantity="T",
        labels=("horizon", "rayleigh", "viscosity"),
    )


def initial_temperature(x: Array, y: Array, settings: Settings) -> Array:
    """T = (1/2) erfc((y - z)/(2s)) erf(y/(2s)) erf((2 - y)/(2s)) at t = 0, z = 1 - A cos(2πx); shape and dtype of x.

    T is about 1 below the interface y = z, about 0 above it, and 0 at both walls.

    >>> x, y = jnp.asarray([0.0, 0.0, 0.5]), jnp.asarray([0.75, 0.0, 1.0])
    >>> [round(float(T), 3) for T in initial_temperature(x, y, Settings(thickness=0.05, amplitude=0.25))]
    [0.5, 0.0, 1.0]
    """
    width = 2 * settings.thickness
    z = 1 - settings.amplitude * jnp.cos(2 * jnp.pi * x)
    return 0.5 * erfc((y - z) / width) * erf(y / width) * erf((HEIGHT - y) / width)
