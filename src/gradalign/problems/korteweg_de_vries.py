"""Korteweg-de Vries equation: a wave steepens and breaks up into a train of solitons. All quantities dimensionless.

    ∂u/∂t + u ∂u/∂x + δ² ∂³u/∂x³ = 0,   x in [-1, 1],   t in [0, 1],   periodic in x
    u(0, x) = cos(πx)

Signs: all three terms stand on one side with a plus, so that the residual is ∂u/∂t + u ∂u/∂x + δ² ∂³u/∂x³. Solitons
are positive, and the higher ones are faster.

Coefficients: δ = 0.022, hence δ² = 4.84e-4, and the initial condition (N. J. Zabusky and M. D. Kruskal, Phys. Rev.
Lett. 15, 1965, page 240); domain and horizon from the released settings of arXiv 2502.00604.

Loss terms: ``ic`` (u - u(0, x) at t = 0) and ``pde`` (the residual); the network is periodic by construction; n = 2,
null value 0.

With ``start: exact`` the field is u(0, x) + t N(t, x) of a network N, in every window of time; ``pde`` is the only loss
term then, and there is no score. Dispersion is not built in: it carries short waves so fast that the network would have
to undo it.

What is hard: without dispersion the wave would break at t = 1/π. Instead its slope grows from π to 65 at t = 0.5, and
eight solitons about 0.05 wide pass through each other. A small dispersion times a large third derivative balances the
steepening, and nothing dissipates: an error stays. Windows of time help.

Good values to start from: tanh, random Fourier features of scale 1, gradient-norm weights, causal weights with
tolerance 0.1 and 16 chunks (arXiv 2502.00604, released settings); some harmonics of the periodic embedding.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax import Array
from pydantic import Field, PositiveFloat

from gradalign.base.trees import Tree
from gradalign.derivatives.partial import partial_derivatives
from gradalign.problems._contract import Apply, Points, Problem, Statement
from gradalign.problems._hard_start import FORMULATION, ExactStart, StartSettings, at_rest
from gradalign.problems._sampling import first_window, stratified_in_time, uniform, with_values

DOMAIN = ((0.0, 1.0), (-1.0, 1.0))
"""Times and places: t in [0, 1], x in [-1, 1]."""

STATEMENT = Statement(
    equation="∂u/∂t + u ∂u/∂x + δ² ∂³u/∂x³ = 0",
    domain="x in [-1, 1], t in [0, 1]",
    conditions="u(0, x) = cos(πx); periodic in x",
)


class Settings(StartSettings):
    """The coefficient of the Korteweg-de Vries equation."""

    dispersion: PositiveFloat = Field(default=0.022**2, description="δ²; a soliton of height A is δ sqrt(12/A) wide")


def problem(settings: Settings, windows: int = 1) -> Problem:
    """The Korteweg-de Vries equation as residuals of one field u over (t, x), on the first of equal time windows.

    >>> korteweg_de_vries = problem(Settings(dispersion=0.5))
    >>> points = korteweg_de_vries.sample(jax.random.key(0), {"ic": 4, "pde": 8}, jnp.dtype("float64"))
    >>> cubic = korteweg_de_vries.residuals(lambda params, z: params * z[:, 1:] ** 3, jnp.ones(()), points)  # u = x³
    >>> x = points["pde"][:, 1]
    >>> bool(jnp.allclose(cubic["pde"], 3 * x**5 + 3))  # x³ 3x² + 0.5 · 6
    True
    """
    domain = first_window(DOMAIN, windows)
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
        linear = {"linear": {"t": 1.0, "xxx": settings.dispersion}}
        d = partial_derivatives(lambda z: apply(params, z), points["pde"], ("", "x"), ("t", "x"), linear)
        found = {"pde": (d["linear"] + d[""] * d["x"])[:, 0]}
        if not exact:
            found["ic"] = apply(params, points["ic"][:, :2])[:, 0] - points["ic"][:, 2]
        return {name: found[name] for name in losses}

    return Problem(
        name="korteweg_de_vries",
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
    )


def initial_condition(x: Array) -> Array:
    """u(0, x) = cos(πx), of the shape and dtype of x.

    >>> float(initial_condition(jnp.asarray(1.0)))
    -1.0
    """
    return jnp.cos(jnp.pi * x)
