"""Lid-driven cavity: steady flow in a square whose upper wall slides to the right. All quantities dimensionless.

    u ∂u/∂x + v ∂u/∂y + ∂p/∂x - (∂²u/∂x² + ∂²u/∂y²)/Re = 0
    u ∂v/∂x + v ∂v/∂y + ∂p/∂y - (∂²v/∂x² + ∂²v/∂y²)/Re = 0
    ∂u/∂x + ∂v/∂y = 0,   (x, y) in [0, 1]²
    u = lid(x), v = 0 at y = 1;   u = v = 0 at x = 0, x = 1 and y = 0

Signs: the three left-hand sides are the residuals. With Re > 0 the viscous term damps. The lid pulls the fluid below it
to the right, so the primary vortex turns clockwise. p is defined up to a constant, which nothing fixes; p is not
compared with the reference.

Two lids, which define two different problems and must not be mixed; their speeds |(u, v)| differ by about 4e-2
(relative L2), mostly near the two upper corners:

- ``regularised``: lid(x) = 1 - cosh(50 (x - 1/2))/cosh(25), 0 at both ends (released settings of arXiv 2502.00604).
- ``sharp``: lid(x) = 1, also at both ends, where the velocity jumps to that of the walls. The published tables (Ghia et
  al. 1982, Erturk et al. 2005) are for this lid.

Coefficients: Re, the Reynolds number, 100 to 5000 (the released settings and text of arXiv 2502.00604); square and
conditions from the same sources. Re is a column of the ``pde`` points, so that a curriculum may raise it in steps.

Loss terms: ``u_bc``, ``v_bc`` (u minus that of the walls, and v, at the same points), ``ru``, ``rv``, ``rc`` (the two
momentum equations and the divergence, at the same points); n = 5, null value -3/5. Errors are those of u, v and the
speed sqrt(u² + v²), the main quantity.

What is hard: layers are thin at the walls and at the ends of the regularised lid, and the core turns almost as a rigid
body, where the residual says little. ``stretching`` widens the layers for the network and concentrates points there;
the loss terms remain the same means over the square. From Re of about 3200 on, training from scratch ends in other
flows with small residuals, so the Reynolds number is raised in steps, each starting from the previous network. The flow
is steady, so there are no causal weights.

Good values to start from: width 256, 4 blocks of a PirateNet, tanh, Fourier features of scale 15, float32 with SOAP;
points bc and pde 4096; first weights 100 for u_bc and v_bc, 1 for ru and rv, 10 for rc; Re 100, 400, 1000, 1600, 3200
for 10, 20, 50, 50, 500 thousand steps (released settings of arXiv 2502.00604).
"""

from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax import Array
from pydantic import Field, PositiveFloat

from gradalign.base.errors import ConfigurationError
from gradalign.base.settings import StrictModel
from gradalign.problems._contract import At, Fields, PointSet, Problem, Residuals, Statement, Term, components_and_speed
from gradalign.problems._sampling import uniform, with_values

DOMAIN = ((0.0, 1.0), (0.0, 1.0))
"""Spatial domain: x and y in [0, 1]."""

STATEMENT = Statement(
    equation="u·∇u = -∇p + Δu/Re, ∇·u = 0",
    domain="(x, y) in [0, 1]², steady",
    conditions="u = 1 - cosh(50 (x - 1/2))/cosh(25) or u = 1, v = 0 at y = 1; u = v = 0 on the other walls",
)

STEEPNESS = 50.0
"""The regularised lid rises over a width of about 1/50 at both ends."""


class Settings(StrictModel):
    """The Reynolds number and the lid of the cavity."""

    reynolds: PositiveFloat = Field(description="Re; the flow is smooth at 100, has thin layers at 5000")
    lid: Literal["regularised", "sharp"] = Field(
        default="regularised", description="at rest at its ends, or moving along all of its length; two problems"
    )
    stretching: float = Field(
        default=0.0,
        ge=0,
        le=4,
        description="factor by which points and the network's coordinates are stretched at the walls; 0 for not at all",
    )


def problem(settings: Settings, windows: int = 1) -> Problem:
    """The cavity as residuals of (u, v, p) over (x, y).

    Rows of ``bc`` lie on the lid and on the walls x = 0, x = 1 and y = 0 in turn. Raises ``ConfigurationError`` for
    more than one window: the flow does not depend on time.

    >>> import jax
    >>> from gradalign.derivatives.fields import FieldsOf
    >>> cavity = problem(Settings(reynolds=100.0))
    >>> points = cavity.sample(jax.random.key(0), {"bc": 4, "pde": 8}, jnp.dtype("float32"))
    >>> shear = lambda z: jnp.stack([z[:, 1], z[:, 0], 3 * z[:, 0]], axis=1)  # u = y, v = x, p = 3x
    >>> residuals = cavity.residuals(FieldsOf(shear, ("x", "y")), points)
    >>> bool(jnp.all(residuals["ru"] == points["pde"][:, 0] + 3)), bool(jnp.all(residuals["rc"] == 0))
    (True, True)
    """
    if windows != 1:
        raise ConfigurationError(
            f"lid_driven_cavity in {windows} windows; allowed: 1, because the flow is steady; leave 'windows' out of "
            "the run, and use a curriculum in 'reynolds' instead"
        )
    (left, right), (bottom, top) = DOMAIN

    def walls(key: Array, count: int, dtype: jnp.dtype) -> Array:
        places = uniform(key, DOMAIN, count, dtype)
        return places.at[0::4, 1].set(top).at[1::4, 0].set(left).at[2::4, 0].set(right).at[3::4, 1].set(bottom)

    def at_walls(fields: Fields, at: At) -> Residuals:
        found = fields(at)
        speed = jnp.where(at.y == top, lid_speed(at.x, settings.lid), 0)
        return {"u_bc": found[:, 0] - speed, "v_bc": found[:, 1]}

    def inside(key: Array, count: int, dtype: jnp.dtype) -> Array:
        return with_values(uniform(key, DOMAIN, count, dtype), jnp.full(count, settings.reynolds, dtype))

    def equations(fields: Fields, at: At) -> Residuals:
        found = fields.derivatives(at, ("", "x", "y"), {"laplacian": {"xx": 1.0, "yy": 1.0}})
        u, v, _ = found[""].T
        u_x, v_x, p_x = found["x"].T
        u_y, v_y, p_y = found["y"].T
        laplacian_u, laplacian_v, _ = found["laplacian"].T
        return {
            "ru": u * u_x + v * u_y + p_x - laplacian_u / at.reynolds,
            "rv": u * v_x + v * v_y + p_y - laplacian_v / at.reynolds,
            "rc": u_x + v_y,
        }

    return Problem(
        name="lid_driven_cavity",
        coordinates=("x", "y"),
        fields=("u", "v", "p"),
        domain=DOMAIN,
        points=(
            PointSet("bc", walls, at_walls, (Term("u_bc"), Term("v_bc")), condition="boundary"),
            PointSet(
                "pde",
                inside,
                equations,
                # ``rc`` drives p: artificial compressibility (Chorin 1967)
                (Term("ru", drives="u"), Term("rv", drives="v"), Term("rc", drives="p")),
                given=("reynolds",),
            ),
        ),
        formulation=("stretching",),
        stretching={name: settings.stretching for name in ("x", "y") if settings.stretching},
        observed=("u", "v"),
        observe=lambda fields, at: fields(at)[:, :2],
        quantities=components_and_speed("u", "v"),
        main_quantity="speed",
        labels=("reynolds",),
    )


def lid_speed(x: Array, lid: Literal["regularised", "sharp"]) -> Array:
    """u on the lid, in the shape and dtype of x in [0, 1]; both ends belong to the lid.

    ``regularised`` is 1 - cosh(50 (x - 1/2))/cosh(25), ``sharp`` is 1.

    >>> x = jnp.asarray([0.0, 0.02, 0.5, 1.0])
    >>> [round(float(u), 6) + 0.0 for u in lid_speed(x, "regularised")]  # 1 - 1/e at x = 1/50
    [0.0, 0.632121, 1.0, 0.0]
    >>> lid_speed(x, "sharp").tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    if lid == "sharp":
        return jnp.ones_like(x)
    return 1 - jnp.cosh(STEEPNESS * (x - 0.5)) / np.cosh(STEEPNESS / 2).item()
