"""The Kuramoto-Sivashinsky equation by a moving front in closed form, and in unit variables by dense collocation."""

import numpy as np
from scipy.integrate import solve_ivp


def initial(x):
    return np.cos(x) + np.sin(2 * x) / 2


def front(t, x, convection, growth, damping, level):
    """An exact solution (Y. Kuramoto and T. Tsuzuki, Prog. Theor. Phys. 55, 1976): u and its first four x-derivatives.

    In ξ = x sqrt(β/γ), τ = tβ²/γ and w = u α γ^(1/2) / β^(3/2) all coefficients are 1, and
    w = v + (15/19) sqrt(11/19) (11 tanh³ θ - 9 tanh θ), θ = (ξ - vτ) sqrt(11/19)/2. ``level`` is v.
    """
    k = np.sqrt(11 / 19) / 2
    stretch = np.sqrt(growth / damping)
    size = growth**1.5 / (convection * damping**0.5)
    y = np.tanh(k * (x * stretch - level * t * growth**2 / damping))
    shape = np.polynomial.Polynomial([0, -9, 0, 11])
    rate = np.polynomial.Polynomial([1, 0, -1]) * (k * stretch)  # dy/dx = k sqrt(β/γ) (1 - y²)
    found = [size * (level + 15 / 19 * np.sqrt(11 / 19) * shape(y))]
    for _ in range(4):
        shape = shape.deriv() * rate
        found.append(size * 15 / 19 * np.sqrt(11 / 19) * shape(y))
    return found


def collocation(count, time, tolerance=1e-10):
    """u(time) on ``count`` (even) points of [0, 2π), solved in x' = 16 x, t' = 100 t with unit coefficients.

    The dense matrix of ∂/∂x is that of the trigonometric interpolant; its powers give the other derivatives.
    """
    j = np.arange(count)
    gap = (j[:, None] - j) * np.pi / count
    with np.errstate(divide="ignore"):
        first = np.where(gap == 0, 0.0, (-1.0) ** (j[:, None] - j) / (2 * np.tan(gap))) / 16
    second = first @ first
    linear = second + second @ second

    def rate(t, u):
        return -u * (first @ u) - linear @ u

    def jacobian(t, u):
        return -u[:, None] * first - np.diag(first @ u) - linear

    start = initial(2 * np.pi * j / count)
    return solve_ivp(rate, (0, 100 * time), start, "Radau", rtol=tolerance, atol=tolerance, jac=jacobian).y[:, -1]
