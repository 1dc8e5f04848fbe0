"""Kolmogorov flow by hand: the initial condition as a plain sum, exact flows, and residuals of a flow that is none."""

import math

import numpy as np


def initial_terms(peak, cutoff):
    """[(k_x, k_y, a, φ), ...], written down from the definition."""
    terms = []
    for kx in range(cutoff + 1):
        for ky in range(-cutoff, cutoff + 1):
            size = math.sqrt(kx * kx + ky * ky)
            if size > cutoff or (kx == 0 and ky <= 0):
                continue
            speed = size**2 * math.exp(-math.pi * size**2 / peak**2)
            turns = math.sqrt(2) * kx**2 + math.sqrt(3) * ky**2 + math.sqrt(5) * kx * ky
            turns += math.sqrt(7) * kx + math.sqrt(11) * ky
            terms.append((kx, ky, speed / (2 * math.pi * size), 2 * math.pi * (turns - math.floor(turns))))
    # The mean of u² + v² is half the sum of (2π|k| a)²
    mean = sum((2 * math.pi * a) ** 2 * (kx**2 + ky**2) / 2 for kx, ky, a, _ in terms)
    return [(kx, ky, a / math.sqrt(mean), phase) for kx, ky, a, phase in terms]


def initial_velocity(x, y, peak, cutoff):
    """u = ∂ψ/∂y and v = -∂ψ/∂x."""
    u = v = 0.0
    for kx, ky, a, phase in initial_terms(peak, cutoff):
        slope = -a * np.sin(2 * np.pi * (kx * x + ky * y) + phase)
        u = u + 2 * np.pi * ky * slope
        v = v - 2 * np.pi * kx * slope
    return u, v


def initial_vorticity(x, y, peak, cutoff):
    """w = ∂v/∂x - ∂u/∂y = -∆ψ."""
    return sum(
        a * 4 * np.pi**2 * (kx**2 + ky**2) * np.cos(2 * np.pi * (kx * x + ky * y) + phase)
        for kx, ky, a, phase in initial_terms(peak, cutoff)
    )


def initial_spectrum(peak, cutoff):
    """Energy by shells k - 1/2 <= |k| < k + 1/2: each term holds (2π|k| a)² / 4 of the mean of (u² + v²)/2."""
    energy = np.zeros(cutoff + 1)
    for kx, ky, a, _ in initial_terms(peak, cutoff):
        energy[int(math.sqrt(kx**2 + ky**2) + 0.5)] += (2 * math.pi * a) ** 2 * (kx**2 + ky**2) / 4
    return energy


def laminar(t, nu, force, start):
    """a(t) of the flow u = a(t) sin(4πy), v = 0: a' = F - 16π² ν a, a(0) = start."""
    rate = 16 * np.pi**2 * nu
    return force / rate + (start - force / rate) * np.exp(-rate * t)


ALPHA, BETA, PHASE, DECAY = 2 * np.pi, 4 * np.pi, 0.4, 0.7


def manufactured(t, x, y):
    """u, v, p, w of ψ = g sin(X) cos(βy), g = exp(-0.7 t), X = αx + 0.4, and p = (1 + t) cos(αx) sin(αy)."""
    g, s, c = np.exp(-DECAY * t), np.sin(ALPHA * x + PHASE), np.cos(ALPHA * x + PHASE)
    u = -BETA * g * s * np.sin(BETA * y)
    v = -ALPHA * g * c * np.cos(BETA * y)
    p = (1 + t) * np.cos(ALPHA * x) * np.sin(ALPHA * y)
    w = (ALPHA**2 + BETA**2) * g * s * np.cos(BETA * y)
    return u, v, p, w


def manufactured_residuals(t, x, y, nu, force):
    """ru, rv of that flow, every derivative taken by hand; its divergence is zero."""
    u, v, _, _ = manufactured(t, x, y)
    g, s, c = np.exp(-DECAY * t), np.sin(ALPHA * x + PHASE), np.cos(ALPHA * x + PHASE)
    sine, cosine = np.sin(BETA * y), np.cos(BETA * y)
    u_t, v_t = -DECAY * u, -DECAY * v
    u_x, u_y = -ALPHA * BETA * g * c * sine, -(BETA**2) * g * s * cosine
    v_x, v_y = ALPHA**2 * g * s * cosine, ALPHA * BETA * g * c * sine
    p_x = -ALPHA * (1 + t) * np.sin(ALPHA * x) * np.sin(ALPHA * y)
    p_y = ALPHA * (1 + t) * np.cos(ALPHA * x) * np.cos(ALPHA * y)
    decay = -(ALPHA**2 + BETA**2)  # ∆u = decay u, ∆v = decay v
    ru = u_t + u * u_x + v * u_y + p_x - nu * decay * u - force * np.sin(4 * np.pi * y)
    rv = v_t + u * v_x + v * v_y + p_y - nu * decay * v
    return ru, rv
