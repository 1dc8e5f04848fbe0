"""Rayleigh-Taylor flow by hand: an invented flow with its residuals, exact flows, and textbook eigenvalues."""

import math

import numpy as np
from scipy.optimize import brentq

CRITICAL_RAYLEIGH, CRITICAL_WAVENUMBER = 1707.762, 3.11632
"""Onset of convection between no-slip plates at fixed temperatures (Chandrasekhar, Hydrodynamic and Hydromagnetic
Stability, 1961, table III); the wavenumber is that of a unit height."""


def initial_temperature(x, y, thickness, amplitude):
    erf = np.vectorize(math.erf)
    interface = 1 - amplitude * np.cos(2 * np.pi * x)
    below = (1 - erf((y - interface) / (2 * thickness))) / 2
    return below * erf(y / (2 * thickness)) * erf((2 - y) / (2 * thickness))


def invented(t, x, y, numpy=np):
    """u, v, T, p that solve nothing; ``numpy`` may be another module with the same functions."""
    c, s = numpy.cos(2 * numpy.pi * x), numpy.sin(2 * numpy.pi * x)
    u = numpy.exp(-t) * s * y**2
    v = (1 + t) * c * y**3
    T = c * numpy.sin(y) + t * y
    p = x**2 * y + t * c
    return u, v, T, p


def invented_residuals(t, x, y, rayleigh, prandtl):
    """ru, rv, rc, re and the vorticity of the invented flow, differentiated by hand."""
    nu, kappa = (prandtl / rayleigh) ** 0.5, 1 / (prandtl * rayleigh) ** 0.5
    c, s, k = np.cos(2 * np.pi * x), np.sin(2 * np.pi * x), 2 * np.pi
    u, v, T, _ = invented(t, x, y)
    u_t, u_x, u_y = -u, k * np.exp(-t) * c * y**2, 2 * np.exp(-t) * s * y
    v_t, v_x, v_y = c * y**3, -k * (1 + t) * s * y**3, 3 * (1 + t) * c * y**2
    T_t, T_x, T_y = y, -k * s * np.sin(y), c * np.cos(y) + t
    p_x, p_y = 2 * x * y - k * t * s, x**2
    return {
        "ru": u_t + u * u_x + v * u_y + p_x - nu * np.exp(-t) * s * (2 - k**2 * y**2),
        "rv": v_t + u * v_x + v * v_y + p_y - nu * (1 + t) * c * (6 * y - k**2 * y**3) - T,
        "rc": u_x + v_y,
        "re": T_t + u * T_x + v * T_y + kappa * (k**2 + 1) * c * np.sin(y),
        "w": v_x - u_y,
    }


def vortices(t, x, y, nu, numpy=np):
    """Taylor's decaying vortices, u and v and the pressure that balances them, with T = 1 and its weight in p."""
    k = 2 * numpy.pi
    decay = numpy.exp(-2 * nu * k**2 * t)
    u = decay * numpy.cos(k * x) * numpy.sin(k * y)
    v = -decay * numpy.sin(k * x) * numpy.cos(k * y)
    p = -(decay**2) * (numpy.cos(2 * k * x) + numpy.cos(2 * k * y)) / 4 + y
    return u, v, 1 + 0 * x, p


def layers(t, x, y, kappa, numpy=np):
    """A layered fluid at rest: T = exp(-κπ²t) sin(πy) between its walls, carried by the pressure."""
    decay = numpy.exp(-kappa * numpy.pi**2 * t)
    return 0 * x, 0 * x, decay * numpy.sin(numpy.pi * y), -decay * numpy.cos(numpy.pi * y) / numpy.pi


def slowest_stokes_rates(wavenumber):
    """The slowest decay rates of Stokes flow per unit viscosity between no-slip walls at distance 2: even, odd ψ.

    ψ = cos(μη)/cos(μ) - cosh(αη)/cosh(α) and its odd twin have zero values at η = ±1; zero slopes choose μ, and the
    rate is α² + μ².
    """
    a = wavenumber
    even = brentq(lambda m: m * math.sin(m) + a * math.tanh(a) * math.cos(m), math.pi / 2, math.pi, xtol=1e-14)
    odd = brentq(
        lambda m: m * math.cos(m) - a / math.tanh(a) * math.sin(m), math.pi + 1e-9, 3 * math.pi / 2, xtol=1e-14
    )
    return a**2 + even**2, a**2 + odd**2
