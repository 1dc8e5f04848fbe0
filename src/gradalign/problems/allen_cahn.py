"""Allen-Cahn equation: plateaus form at u = -1 and 1, with sharp layers between them. All quantities dimensionless.

    ∂u/∂t = D ∂²u/∂x² + ρ (u - u³),   x in [-1, 1],   t in [0, 1],   u and ∂u/∂x equal at both ends

Signs: the diffusive term is on the right-hand side with a plus, and the reaction drives u away from 0 towards 1 and
-1. The residual is ∂u/∂t - D ∂²u/∂x² - ρ (u - u³).

Coefficients: D = 1e-4, ρ = 5 (arXiv 1711.10561, section 4.2, and the released settings of arXiv 2502.00604).

Two initial conditions, which define two different problems and must not be mixed:

- ``kinked``: u(0, x) = x² cos(πx), the formula as printed. Its periodic extension has the slopes 2 and -2 at the ends;
  diffusion smooths this kink at once.
- ``band_limited``: the trigonometric interpolant of that function on the 511 points x_j = -1 + 2j/511, from which the
  published reference data start. The two solutions differ by 1.6e-5 (relative L2 over space and time), almost entirely
  near x = ±1 and at t < 0.1. A network trained on one cannot have a smaller error than that on the other.

Two ways to impose the boundary conditions, with the same solution:

- ``embedded``: the network is periodic by construction. Loss terms ``ic`` (u - u(0, x) at t = 0) and ``pde`` (the
  residual); n = 2, null value 0.
- ``penalised``: periodicity is a soft constraint. A third loss term ``bc`` holds u(t, 1) - u(t, -1) and
  ∂u/∂x(t, 1) - ∂u/∂x(t, -1), each on half of its rows; n = 3, null value -1/3.

With ``start: exact`` the initial condition is a hard constraint: in every window the field is B(t, x) + t N(t, x),
where N is the network and B solves ∂B/∂t = D ∂²B/∂x² - 2ρ B, with the rate of the reaction linearised at u = -1 and 1.
The remainder 3ρ u - ρ u³, which N must represent, then has zero slope at u = -1, where the initial condition has its
kink. The term ``ic`` drops out; without it and ``bc`` there is no score. This works only for the band-limited initial
condition, with 255 harmonics or more: an interpolant of the kinked one, or one with fewer harmonics, would start
another problem.

What is hard: u = 0 solves the equation, and a small u leaves the residual small while it grows as exp(5t). The layers,
about 4 sqrt(2D/ρ) = 0.025 wide, depend on all that came before. Causal weights help. The solution is even in x.

Good values to start from: width 64, depth 4, tanh, 10 harmonics, float32 with SOAP; points ic 128, bc 128, pde 1024;
gradient-norm weights starting at 100 for ic; causal weights (arXiv 2203.07404) with tolerance 100 and 32 chunks.
With tolerance 1, the released value of arXiv 2502.00604, a network of this size stays near 0 in the middle.
"""

from functools import cache
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat

from gradalign.base.errors import ConfigurationError
from gradalign.problems._contract import At, Fields, Problem, Reflection, Residuals, Statement, Term
from gradalign.problems._sampling import first_window
from gradalign.problems._sets import at_both_ends, initial_values, interior
from gradalign.problems._start import FORMULATION, StartSettings

DOMAIN = ((0.0, 1.0), (-1.0, 1.0))
"""Domain: t in [0, 1], x in [-1, 1]."""

STATEMENT = Statement(
    equation="∂u/∂t = D ∂²u/∂x² + ρ (u - u³)",
    domain="x in [-1, 1], t in [0, 1]",
    conditions="u(0, x) = x² cos(πx), or its trigonometric interpolant on 511 points; periodic in x",
)

SAMPLES = 511
"""Nodes of the band-limited initial condition; their odd number gives it 256 cosines."""


class Settings(StartSettings):
    """Coefficients of the Allen-Cahn equation, its initial condition, and how its periodicity is imposed."""

    initial_condition: Literal["kinked", "band_limited"] = Field(
        description="x² cos(πx) itself, or its trigonometric interpolant on 511 points; two different problems"
    )
    boundary: Literal["embedded", "penalised"] = Field(
        default="embedded", description="a network that is periodic by construction, or a third loss term"
    )
    diffusion: PositiveFloat = Field(default=1e-4, description="D; the layers are about 4 sqrt(2D/ρ) wide")
    reaction: PositiveFloat = Field(default=5.0, description="ρ; small u grow as exp(ρt)")


def problem(settings: Settings, windows: int = 1) -> Problem:
    """The Allen-Cahn equation as residuals of one field u over (t, x), in the first time window.

    Raises ``ConfigurationError`` for ``start: exact`` with an initial condition that its harmonics do not represent.

    Rows of ``bc`` at x = -1 hold the difference of u between the ends, those at x = 1 that of ∂u/∂x.

    >>> import jax
    >>> from gradalign.derivatives.fields import FieldsOf
    >>> settings = Settings(initial_condition="kinked", boundary="penalised")
    >>> allen_cahn = problem(settings)
    >>> points = allen_cahn.sample(jax.random.key(0), {"ic": 4, "bc": 4, "pde": 8}, jnp.dtype("float32"))
    >>> residuals = allen_cahn.residuals(FieldsOf(lambda z: z[:, 1:], ("t", "x")), points)  # u = x
    >>> residuals["bc"].tolist()  # u(1) - u(-1) = 2, and equal slopes
    [2.0, 0.0, 2.0, 0.0]
    """
    penalised = settings.boundary == "penalised"
    if settings.start == "exact" and (
        settings.initial_condition != "band_limited" or settings.start_harmonics < SAMPLES // 2
    ):
        raise ConfigurationError(
            f"problem 'allen_cahn' was given start 'exact' with initial_condition {settings.initial_condition!r} and "
            f"start_harmonics {settings.start_harmonics}; allowed: 'band_limited' and at least {SAMPLES // 2}. The "
            "interpolant at the start would be another initial condition; change these settings, or set start to "
            "'penalised'"
        )
    if settings.start == "exact" and penalised:
        raise ConfigurationError(
            "problem 'allen_cahn' was given start 'exact' with boundary 'penalised'; allowed: 'embedded', because a "
            "hard-constrained start makes the fields periodic; change one of the two"
        )
    domain = first_window(DOMAIN, windows)
    left, right = domain[1]

    def equation(fields: Fields, at: At) -> Residuals:
        d = fields.derivatives(at, ("",), {"heat": {"t": 1.0, "xx": -settings.diffusion}})
        return {"pde": (d["heat"] - settings.reaction * (d[""] - d[""] ** 3))[:, 0]}

    def gaps(fields: Fields, at: At) -> Residuals:
        """Differences between the ends at the times of the points: of u at x = -1, of ∂u/∂x at x = 1."""
        d = fields.derivatives(at.moved(x=left).joined(at.moved(x=right)), ("", "x"))
        value, slope = (right_end - left_end for left_end, right_end in (jnp.split(d[word][:, 0], 2) for word in d))
        return {"bc": jnp.where(at.x < 0, value, slope)}

    def start(x: Array) -> list[Array]:
        return [initial_condition(x, settings.initial_condition)]

    def growth(k: Array) -> Array:
        return -settings.diffusion * k**2 - 2 * settings.reaction

    return Problem(
        name="allen_cahn",
        coordinates=("t", "x"),
        fields=("u",),
        domain=domain,
        points=(
            *([initial_values(domain, ("u",), start)] if settings.start == "penalised" else []),
            *([at_both_ends(domain, gaps, [Term("bc")])] if penalised else []),
            interior(domain, equation, [Term("pde")]),
        ),
        periodic=() if penalised else ("x",),
        formulation=("boundary", *FORMULATION),
        hard_start=settings.hard_start(domain[1:], start, (growth,)),
        reflection=Reflection("x", 0.0, (1,)),
    )


def initial_condition(x: Array, kind: Literal["kinked", "band_limited"]) -> Array:
    """u(0, x) of either kind, in the shape and dtype of x.

    ``kinked`` is x² cos(πx). ``band_limited`` is Σ_k a_k cos(πkx), k = 0..255, with ``band_limited_coefficients``.

    >>> round(float(initial_condition(jnp.asarray(0.25), "kinked")), 6)  # 0.25² / sqrt(2)
    0.044194
    >>> samples = -1 + 2 * jnp.arange(511) / 511
    >>> gap = initial_condition(samples, "band_limited") - initial_condition(samples, "kinked")
    >>> bool(jnp.max(jnp.abs(gap)) < 1e-13)
    True
    """
    if kind == "kinked":
        return x**2 * jnp.cos(jnp.pi * x)
    a = jnp.asarray(band_limited_coefficients(), x.dtype)
    k = jnp.arange(len(a), dtype=x.dtype)
    return jnp.cos(jnp.pi * x[..., None] * k) @ a


@cache
def band_limited_coefficients() -> NDArray[np.float64]:
    """a_k, k = 0..255, of the interpolant Σ_k a_k cos(πkx) of x² cos(πx) on the 511 points x_j = -1 + 2j/511.

    The samples are even in x, so their interpolant has no sines. float64, (256,).

    >>> a = band_limited_coefficients()
    >>> a.shape, round(float(a.sum()), 12)  # u(0) = 0, but 0 is no sample
    ((256,), 7.659502e-06)
    """
    x = -1 + 2 * np.arange(SAMPLES) / SAMPLES
    c = np.fft.rfft(x**2 * np.cos(np.pi * x)).real / SAMPLES  # coefficients of exp(iπk(x + 1)) = (-1)^k exp(iπkx)
    k = np.arange(len(c))
    c = c * np.where(k == 0, 1, 2) * (-1.0) ** k
    c.setflags(write=False)  # shared by all callers
    return c
