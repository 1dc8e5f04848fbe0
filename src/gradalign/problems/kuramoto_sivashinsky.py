"""Kuramoto-Sivashinsky equation: chaotic flame fronts. All quantities dimensionless.

    ∂u/∂t + α u ∂u/∂x + β ∂²u/∂x² + γ ∂⁴u/∂x⁴ = 0,   x in [0, 2π],   t in [0, T],   periodic in x
    u(0, x) = cos(x) (1 + sin(x))

Signs: all terms stand on one side with a plus, so that the residual is their sum. β > 0 feeds long waves, γ > 0 damps
short ones, and the convective term carries energy from one to the other.

Coefficients: α = 100/16, β = 100/16², γ = 100/16⁴, horizon T = 1 (arXiv 2203.07404 and the released settings of
arXiv 2502.00604). In x' = 16 x and t' = 100 t all coefficients are 1 on [0, 32π], which is the case with the initial
condition of A.-K. Kassam and L. N. Trefethen, SIAM J. Sci. Comput. 26 (2005).

Symmetry: u(t, π - x) = -u(t, x) at all times, because it holds at t = 0. Rounding breaks it, and grows.

Loss terms: ``ic`` (u - u(0, x) at t = 0) and ``pde`` (the residual); the network is periodic by construction; n = 2,
null value 0.

With ``start: exact`` the field is s(x) + t N(t, x) of a network N, in every window of time, where s is its start;
``pde`` is the only loss term then, and there is no score. The linear flow of s would not do: at a front, short waves
are held up by the convection against a damping that removes them within 0.001, so that N would have to restore them.

What is hard: the solution is chaotic. A small error made at t = 0.2 has become 10³ to 3·10⁴ times larger at t = 1,
least if it shares the symmetry. The slope jumps from 4 to 40 between t = 0.04 and 0.1. Windows of time are needed: 10
for T = 1, each of which starts from the last values of the one before. The last time is part of what is scored.

Good values to start from: tanh, random Fourier features of scale 1, weights by gradient norm that start with 1000 for
ic, causal weights with tolerance 0.1 and 16 chunks, 10 windows (arXiv 2502.00604, released settings).
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from pydantic import Field, PositiveFloat

from gradalign.base.trees import Tree
from gradalign.derivatives.partial import partial_derivatives
from gradalign.problems._contract import Apply, Points, Problem, Reflection, Statement
from gradalign.problems._hard_start import FORMULATION, ExactStart, StartSettings, at_rest
from gradalign.problems._sampling import first_window, stratified_in_time, uniform, with_values

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
    """The Kuramoto-Sivashinsky equation as residuals of one field u over (t, x), on the first of equal time windows.

    >>> kuramoto_sivashinsky = problem(Settings(convection=1.0, growth=2.0, damping=0.5))
    >>> points = kuramoto_sivashinsky.sample(jax.random.key(0), {"ic": 4, "pde": 8}, jnp.dtype("float64"))
    >>> quartic = kuramoto_sivashinsky.residuals(lambda params, z: params * z[:, 1:] ** 4, jnp.ones(()), points)
    >>> x = points["pde"][:, 1]
    >>> bool(jnp.allclose(quartic["pde"], 4 * x**7 + 24 * x**2 + 12))  # u = x⁴
    True
    """
    domain = first_window(((0.0, settings.horizon), PLACES), windows)
    start = domain[0][0]
    exact = settings.start == "exact"
    losses = ("pde",) if exact else ("ic", "pde")

    def sample(key: Array, counts: Mapping[str, int], dtype: jnp.dtype) -> Points:
        keys = dict(zip(("ic", "pde"), jax.random.split(key), strict=True))
        points = {"pde": stratified_in_time(keys["pde"], domain, counts["pde"], dtype)}
        if not exact:
            places = uniform(keys["ic"], ((start, start), domain[1]), counts["ic"], dtype)
            points["ic"] = with_values(places, initial_condition(places[:, 1]))
        return {name: points[name] for name in losses}

    def residuals(apply: Apply, params: Tree, points: Points) -> dict[str, Array]:
        linear = {"linear": {"t": 1.0, "xx": settings.growth, "xxxx": settings.damping}}
        d = partial_derivatives(lambda z: apply(params, z), points["pde"], ("", "x"), ("t", "x"), linear)
        convection = settings.convection * d[""] * d["x"]
        found = {"pde": (d["linear"] + convection)[:, 0]}
        if not exact:
            found["ic"] = apply(params, points["ic"][:, :2])[:, 0] - points["ic"][:, 2]
        return {name: found[name] for name in losses}

    return Problem(
        name="kuramoto_sivashinsky",
        coordinates=("t", "x"),
        fields=("u",),
        losses=losses,
        domain=domain,
        sample=sample,
        residuals=residuals,
        periodic=("x",),
        causal=("pde",),
        formulation=FORMULATION,
        given={} if exact else {"ic": ("u",)},
        exact_start=ExactStart(domain[1:], settings.start_harmonics, lambda x: [initial_condition(x)], (at_rest,))
        if exact
        else None,
        reflection=Reflection("x", np.pi / 2, (-1,)),
    )


def initial_condition(x: Array) -> Array:
    """u(0, x) = cos(x) (1 + sin(x)), of the shape and dtype of x.

    >>> float(initial_condition(jnp.asarray(0.0)))
    1.0
    """
    return jnp.cos(x) * (1 + jnp.sin(x))
