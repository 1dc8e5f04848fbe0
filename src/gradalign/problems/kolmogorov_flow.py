"""Kolmogorov flow: incompressible turbulence in the plane, driven by a shear force. All quantities are dimensionless.

    ∂u/∂t + u ∂u/∂x + v ∂u/∂y = -∂p/∂x + ν (∂²u/∂x² + ∂²u/∂y²) + F sin(4πy)
    ∂v/∂t + u ∂v/∂x + v ∂v/∂y = -∂p/∂y + ν (∂²v/∂x² + ∂²v/∂y²)
    ∂u/∂x + ∂v/∂y = 0
    (x, y) in [0, 1]²,   t in [0, T],   everything periodic in x and y

Signs: convection is on the left-hand side with a plus; on the right-hand side the pressure gradient has a minus,
viscosity and force a plus. The first residual is ∂u/∂t + u ∂u/∂x + v ∂u/∂y + ∂p/∂x - ν ∆u - F sin(4πy). The vorticity
is w = ∂v/∂x - ∂u/∂y. The pressure is defined up to a constant and is neither observed nor compared.

Coefficients: F = 2 and the wave number 4π of the force (released code of arXiv 2502.00604); ν = 1e-4, a Reynolds number
1/ν of 1e4 (arXiv 2502.00604, table of parameters).

The initial condition and the horizon are ours. The authors' follow-up repository (jaxpi2, 2026) ships a data file,
which we have not seen, so no error can be compared with a published one. The initial velocity is
u = ∂ψ/∂y, v = -∂ψ/∂x with the stream function

    ψ(x, y) = Σ_k a_k cos(2π (k_x x + k_y y) + φ_k)

over integer vectors k with 0 < |k| <= K, one of each pair k and -k: k_x > 0, or k_x = 0 and k_y > 0. The amplitudes are
a_k ∝ |k|² exp(-π |k|²/κ²) / (2π |k|), scaled so that the mean of u² + v² is 1, and the phases

    φ_k = 2π frac(√2 k_x² + √3 k_y² + √5 k_x k_y + √7 k_x + √11 k_y).

The defaults are κ = 6, K = 16 (398 modes) and T = 1. The mean velocity is zero at all times.

Loss terms: ``u_ic``, ``v_ic`` (u and v at t = 0), ``ru``, ``rv``, ``rc`` (the residuals, at the same points); n = 5,
null value -3/5. Windows: 25 for the defaults (released settings of arXiv 2502.00604).

With ``start: exact`` the initial condition is a hard constraint: in every window the velocity is
B(t, x, y) + t N(t, x, y), where N is the network and B evolves the initial velocity by viscosity alone. The terms at
t = 0 drop out. The pressure is a plain output of the network.

What is hard: the vorticity winds up into ever thinner filaments, which carry a small share of the energy and most of
the gradients. Small errors grow. Three residuals compete at every point, and only ``rc`` does not involve time.

Good values to start from: PirateNet, 3 blocks, width 384, tanh, 2 harmonics; float32 with SOAP; points ic 16384,
pde 8192; gradient-norm weights starting at 100 for u_ic and v_ic; causal weights with tolerance 1 and 16 chunks;
20,000 steps for each of 25 windows, with a new network in each (released settings of arXiv 2502.00604).
"""

from dataclasses import dataclass
from functools import cache

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from gradalign.problems._contract import (
    At,
    Fields,
    Problem,
    Residuals,
    Statement,
    Term,
    components_and_speed,
    diffusion,
)
from gradalign.problems._sampling import first_window
from gradalign.problems._sets import initial_values, interior
from gradalign.problems._start import FORMULATION, StartSettings

BOX = ((0.0, 1.0), (0.0, 1.0))
"""Spatial domain: x in [0, 1], y in [0, 1]."""

FORCE_WAVES = 2
"""Periods of the force per unit of y."""

STATEMENT = Statement(
    equation="∂u/∂t + u ∂u/∂x + v ∂u/∂y = -∂p/∂x + ν ∆u + F sin(4πy), "
    "∂v/∂t + u ∂v/∂x + v ∂v/∂y = -∂p/∂y + ν ∆v, ∂u/∂x + ∂v/∂y = 0",
    domain="(x, y) in [0, 1]², t in [0, T]",
    conditions="u(0, x, y), v(0, x, y) from a sum of plane waves, our own choice; periodic in x and y",
)


class Settings(StartSettings):
    """Coefficients of Kolmogorov flow, its initial condition and its horizon."""

    viscosity: PositiveFloat = Field(default=1e-4, description="ν; the Reynolds number is 1/ν")
    forcing: NonNegativeFloat = Field(default=2.0, description="F, the amplitude of the force F sin(4πy)")
    peak: PositiveFloat = Field(default=6.0, description="κ; initial velocities have amplitudes |k|² exp(-π |k|²/κ²)")
    cutoff: PositiveInt = Field(default=16, description="K; the initial condition has the wave vectors 0 < |k| <= K")
    horizon: PositiveFloat = Field(default=1.0, description="T, the last time")


def problem(settings: Settings, windows: int = 1) -> Problem:
    """Kolmogorov flow as residuals of (u, v, p) over (t, x, y), in the first time window.

    >>> import jax
    >>> from gradalign.derivatives.fields import FieldsOf
    >>> flow = problem(Settings())
    >>> points = flow.sample(jax.random.key(0), {"ic": 4, "pde": 8}, jnp.dtype("float32"))
    >>> linear = FieldsOf(lambda z: 3 * z[:, jnp.asarray([1, 2, 1])], ("t", "x", "y"))  # (3x, 3y, 3x)
    >>> residuals = flow.residuals(linear, points)
    >>> residuals["rc"].tolist()  # ∂u/∂x + ∂v/∂y = 6
    [6.0, 6.0, 6.0, 6.0, 6.0, 6.0, 6.0, 6.0]
    """
    domain = first_window(((0.0, settings.horizon), *BOX), windows)
    nu = settings.viscosity

    def equations(fields: Fields, at: At) -> Residuals:
        found = fields.derivatives(at, ("", "x", "y"), {"heat": {"t": 1.0, "xx": -nu, "yy": -nu}})
        d = {word: value.T for word, value in found.items()}
        u, v, _ = d[""]
        transport = d["heat"] + u * d["x"] + v * d["y"]  # of (u, v, p); that of p is not used
        force = settings.forcing * jnp.sin(2 * jnp.pi * FORCE_WAVES * at.y)
        return {
            "ru": transport[0] + d["x"][2] - force,
            "rv": transport[1] + d["y"][2],
            "rc": d["x"][0] + d["y"][1],
        }

    def start(x: Array, y: Array) -> tuple[Array, Array]:
        return initial_velocity(x, y, settings)

    def observe(fields: Fields, at: At) -> Array:
        d = fields.derivatives(at, ("", "x", "y"))
        return jnp.stack([d[""][:, 0], d[""][:, 1], d["x"][:, 1] - d["y"][:, 0]], axis=1)

    return Problem(
        name="kolmogorov_flow",
        coordinates=("t", "x", "y"),
        fields=("u", "v", "p"),
        domain=domain,
        points=(
            initial_values(domain, ("u", "v"), start),
            interior(domain, equations, [Term("ru"), Term("rv"), Term("rc")]),
        ),
        periodic=("x", "y"),
        formulation=FORMULATION,
        hard_start=settings.hard_start(BOX, start, (diffusion(nu), diffusion(nu))),
        observed=("u", "v", "w"),
        observe=observe,
        quantities=components_and_speed("u", "v", "w"),
        main_quantity="speed",
        labels=("horizon", "viscosity"),
    )


@dataclass(frozen=True)
class InitialModes:
    """The terms a_k cos(2π (k_x x + k_y y) + φ_k) of the initial stream function, each attribute (modes,).

    kx, ky: integers, int64. amplitudes: a_k, so that the mean of u² + v² is 1. phases: φ_k in [0, 2π).
    """

    kx: NDArray[np.int64]
    ky: NDArray[np.int64]
    amplitudes: NDArray[np.float64]
    phases: NDArray[np.float64]


@cache
def initial_modes(peak: float, cutoff: int) -> InitialModes:
    """The initial stream function in the module docstring, for κ = ``peak`` and K = ``cutoff``; float64, read-only.

    >>> [len(initial_modes(6.0, cutoff).amplitudes) for cutoff in (3, 6, 16)]
    [14, 56, 398]
    >>> k = initial_modes(6.0, 1)  # two waves of equal amplitude a: the mean of u² + v² is (2πa)² = 1
    >>> k.kx.tolist(), k.ky.tolist(), bool(np.all(abs(2 * np.pi * k.amplitudes - 1) < 1e-15))
    ([0, 1], [1, 0], True)
    """
    kx, ky = (k.ravel() for k in np.mgrid[0 : cutoff + 1, -cutoff : cutoff + 1])
    wanted = ((kx > 0) | (ky > 0)) & (kx**2 + ky**2 <= cutoff**2)
    kx, ky = kx[wanted], ky[wanted]
    size = np.hypot(kx, ky)
    turns = np.sqrt(2) * kx**2 + np.sqrt(3) * ky**2 + np.sqrt(5) * kx * ky + np.sqrt(7) * kx + np.sqrt(11) * ky
    # With the largest exponent factored out, no term that matters underflows for a small κ
    speeds = size**2 * np.exp(-np.pi * (size**2 - 1) / peak**2)
    speeds *= np.sqrt(2 / np.sum(speeds**2))
    found = InitialModes(kx, ky, speeds / (2 * np.pi * size), 2 * np.pi * (turns % 1))
    for values in (found.kx, found.ky, found.amplitudes, found.phases):
        values.setflags(write=False)  # shared by all callers
    return found


def initial_velocity(x: Array, y: Array, settings: Settings) -> tuple[Array, Array]:
    """u(0, x, y) and v(0, x, y) at N points, each (N,) in the dtype of x and y; any real x and y.

    Both are bilinear in the 2K + 2 cosines and sines of x and in those of y, so a point costs one row of a matrix
    product instead of one cosine per mode.

    >>> one = Settings(cutoff=1)  # u = -sin(2πy + φ_01), v = sin(2πx + φ_10)
    >>> shift = initial_modes(one.peak, 1).phases / (2 * np.pi)
    >>> u, v = initial_velocity(jnp.asarray([0.25 - shift[1]]), jnp.asarray([0.25 - shift[0]]), one)
    >>> round(float(u[0]), 12), round(float(v[0]), 12)
    (-1.0, 1.0)
    """
    k = jnp.arange(settings.cutoff + 1, dtype=x.dtype)
    along_x, along_y = (
        jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], axis=1)
        for angles in (2 * jnp.pi * x[:, None] * k, 2 * jnp.pi * y[:, None] * k)
    )
    u, v = (
        jnp.sum((along_x @ jnp.asarray(matrix, x.dtype)) * along_y, axis=1)
        for matrix in _bilinear(settings.peak, settings.cutoff)
    )
    return u, v


@cache
def _bilinear(peak: float, cutoff: int) -> NDArray[np.float64]:
    """The matrices of u and v with respect to (cos 2πjx, sin 2πjx) and (cos 2πly, sin 2πly), j, l = 0..K: (2, ., .).

    Per mode, u = -2π k_y a sin(ξ + η + φ) and v = 2π k_x a sin(ξ + η + φ) with ξ = 2π k_x x, η = 2π k_y y.
    """
    modes = initial_modes(peak, cutoff)
    row, column, sign = modes.kx, np.abs(modes.ky), np.sign(modes.ky)  # sin η = sign sin |η|
    sines = cutoff + 1  # where the sines begin
    matrices = np.zeros((2, 2 * sines, 2 * sines))
    for matrix, wave in zip(matrices, (-modes.ky, modes.kx), strict=True):
        in_phase = 2 * np.pi * wave * modes.amplitudes * np.cos(modes.phases)
        shifted = 2 * np.pi * wave * modes.amplitudes * np.sin(modes.phases)
        # k and its mirror image (k_x, -k_y) share entries, which are summed
        np.add.at(matrix, (row, column), shifted)
        np.add.at(matrix, (row, sines + column), in_phase * sign)
        np.add.at(matrix, (sines + row, column), in_phase)
        np.add.at(matrix, (sines + row, sines + column), -shifted * sign)
    matrices.setflags(write=False)  # shared by all callers
    return matrices
