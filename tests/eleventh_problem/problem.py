"""Heat equation: a sine that decays. The example of docs/how-to/new-equation.md. All quantities dimensionless.

    ∂u/∂t = κ ∂²u/∂x²,   x in [0, 1],   t in [0, 1],   u(0, x) = sin(πx),   u(t, 0) = u(t, 1) = 0

Signs: diffusion stands on the right with a plus, so that the residual is ∂u/∂t - κ ∂²u/∂x². Exact solution:
exp(-κπ²t) sin(πx). Coefficients: κ = 0.1 (ours: the sine falls to 0.37 of its height).

Loss terms: ``ic`` (u - u(0, x) at t = 0), ``bc`` (u at both ends), ``pde`` (the residual); n = 3, null value -1/3.

What is hard: nothing. Good values to start from: width 16, depth 2, tanh; points ic 32, bc 32, pde 128.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax import Array
from pydantic import Field, PositiveFloat

from gradalign.base.settings import StrictModel
from gradalign.base.trees import Tree
from gradalign.derivatives.partial import partial_derivatives
from gradalign.problems._contract import Apply, Points, Problem, Statement
from gradalign.problems._sampling import first_window, stratified_in_time, uniform, with_values

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

    def sample(key: Array, counts: Mapping[str, int], dtype: jnp.dtype) -> Points:
        first, second, third = jax.random.split(key, 3)
        places = uniform(first, ((0.0, 0.0), domain[1]), counts["ic"], dtype)
        ends = uniform(second, (domain[0], (0.0, 0.0)), counts["bc"], dtype)
        return {
            "ic": with_values(places, jnp.sin(jnp.pi * places[:, 1])),
            "bc": ends.at[1::2, 1].set(1.0),
            "pde": stratified_in_time(third, domain, counts["pde"], dtype),
        }

    def residuals(apply: Apply, params: Tree, points: Points) -> dict[str, Array]:
        heat = {"heat": {"t": 1.0, "xx": -settings.conductivity}}  # one operator costs less than its derivatives
        d = partial_derivatives(lambda z: apply(params, z), points["pde"], (), ("t", "x"), heat)
        return {
            "ic": apply(params, points["ic"][:, :2])[:, 0] - points["ic"][:, 2],
            "bc": apply(params, points["bc"])[:, 0],
            "pde": d["heat"][:, 0],
        }

    return Problem(
        name="heat",
        coordinates=("t", "x"),
        fields=("u",),
        losses=("ic", "bc", "pde"),
        domain=domain,
        sample=sample,
        residuals=residuals,
        causal=("pde",),
        given={"ic": ("u",)},
    )
