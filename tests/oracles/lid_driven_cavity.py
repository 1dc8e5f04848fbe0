"""The lid-driven cavity by hand: an exact flow, fields with their residuals, corner flows, and known values."""

import numpy as np

# Converged extrema on the centre lines: smallest u on x = 1/2, largest and smallest v on y = 1/2.
SHARP = {
    100: (-0.2140424, 0.1795729, -0.2538030),
    400: (-0.3287302, 0.3038326, -0.4540655),
    1000: (-0.3885698, 0.3769447, -0.5270773),
    1600: (-0.4111516, 0.4035069, -0.5485207),
    3200: (-0.4359019, 0.4330045, -0.5684620),
    5000: (-0.4473136, 0.4475085, -0.5761366),
}
REGULARISED = {
    100: (-0.2139129, 0.1794498, -0.2539786),
    400: (-0.3279219, 0.3029036, -0.4532652),
    1000: (-0.3865220, 0.3745755, -0.5245400),
}

# Primary vortex of the sharp lid: x, y, stream function, vorticity.
VORTEX_1000 = (0.5307901, 0.5652406, -0.1189366, -2.0677498)
VORTEX_5000 = (0.51509, 0.53526, -0.1222259)


def lid(x, kind):
    return 1 + 0 * x if kind == "sharp" else 1 - np.cosh(50 * x - 25) / np.cosh(25.0)


def kovasznay(x, y, re):
    """An exact steady flow: a wake behind a grid (L. Kovasznay, 1948); u, v, p."""
    k = re / 2 - np.sqrt(re**2 / 4 + 4 * np.pi**2)
    e = np.exp(k * x)
    return (
        1 - e * np.cos(2 * np.pi * y),
        k / (2 * np.pi) * e * np.sin(2 * np.pi * y),
        (1 - e**2) / 2,
    )


def manufactured(x, y, re):
    """Fields u, v, p with products of x and y in all of them, and their residuals ru, rv, rc, derived by hand.

    u = x² y + 2 y³, v = x y² - x³, p = x² + 3 x y - y²
    """
    u, v, p = x**2 * y + 2 * y**3, x * y**2 - x**3, x**2 + 3 * x * y - y**2
    u_x, u_y, v_x, v_y = 2 * x * y, x**2 + 6 * y**2, y**2 - 3 * x**2, 2 * x * y
    ru = u * u_x + v * u_y + (2 * x + 3 * y) - (2 * y + 12 * y) / re
    rv = u * v_x + v * v_y + (3 * x - 2 * y) - (-6 * x + 2 * x) / re
    return (u, v, p), (ru, rv, u_x + v_y)


def corner_flow(power, slope, x, y):
    """ψ of the Stokes flow next to a wall at x = 0 and a lid at y = 0 with speed slope r^(power - 1) to the right.

    The fluid lies in x > 0, y > 0, where y is the distance below the lid, so that u = -∂ψ/∂y. A combination of four
    biharmonic functions, from the four conditions.
    """
    r, t = np.hypot(x, y), np.arctan2(y, x)

    def functions(t):
        if power == 1:
            return np.array([np.cos(t), np.sin(t), t * np.cos(t), t * np.sin(t)])
        return np.array([1 + 0 * t, t, np.cos(2 * t), np.sin(2 * t)])

    def slopes(t):
        if power == 1:
            return np.array([-np.sin(t), np.cos(t), np.cos(t) - t * np.sin(t), np.sin(t) + t * np.cos(t)])
        return np.array([0, 1, -2 * np.sin(2 * t), 2 * np.cos(2 * t)])

    wall = np.pi / 2
    conditions = np.array([functions(0.0), functions(wall), slopes(0.0), slopes(wall)])
    weights = np.linalg.solve(conditions, [0, 0, -slope, 0])
    return r**power * np.tensordot(weights, functions(t), 1)


def chebyshev(low, high, count):
    """Chebyshev points of [low, high] and the matrix that differentiates interpolants on them."""
    k = np.arange(count)
    z = np.cos(np.pi * k / (count - 1))
    c = np.where((k == 0) | (k == count - 1), 2.0, 1.0) * (-1.0) ** k
    gaps = z[:, None] - z[None, :] + np.eye(count)
    d = np.outer(c, 1 / c) / gaps
    d -= np.diag(d.sum(axis=1))
    return low + (high - low) * (z + 1) / 2, d * 2 / (high - low)


def vorticity_residual(psi, dx, dy, re):
    """u·∇ω - Δω/Re of a stream function on a tensor grid, and the largest of its terms: two numbers, both maxima."""

    def in_x(f):
        return dx @ f

    def in_y(f):
        return f @ dy.T

    u, v = in_y(psi), -in_x(psi)
    w = in_x(v) - in_y(u)
    terms = u * in_x(w), v * in_y(w), -in_x(in_x(w)) / re, -in_y(in_y(w)) / re
    inside = (slice(2, -2),) * 2
    return np.max(np.abs(sum(terms)[inside])), max(np.max(np.abs(term[inside])) for term in terms)
