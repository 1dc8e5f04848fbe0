"""The Gray-Scott equations by routes that share nothing with the solvers: splitting, and residuals by hand."""

import numpy as np

D_U, D_V, FEED, DECAY, REACTION = 0.2, 0.1, 40.0, 100.0, 1000.0


def initial(x, y):
    """u and v at t = 0."""
    return 1 - np.exp(-10 * ((x + 0.05) ** 2 + (y + 0.02) ** 2)), np.exp(-10 * ((x - 0.05) ** 2 + (y - 0.02) ** 2))


def manufactured(t, x, y):
    """Two fields with nothing special about them, and the residuals that they leave, by hand: (u, v), (ru, rv)."""
    p = np.pi
    a, b = np.exp(-2 * t), np.cos(3 * t)
    wave_u, wave_v = np.cos(p * x) * np.sin(2 * p * y), np.sin(p * x) * np.cos(3 * p * y)
    u, v = 0.6 + 0.3 * a * wave_u, 0.4 + 0.2 * b * wave_v
    u_t, v_t = -0.6 * a * wave_u, -0.6 * np.sin(3 * t) * wave_v
    laplacian_u, laplacian_v = -5 * p**2 * 0.3 * a * wave_u, -10 * p**2 * 0.2 * b * wave_v
    ru = u_t - D_U * laplacian_u - FEED * (1 - u) + REACTION * u * v**2
    rv = v_t - D_V * laplacian_v + DECAY * v - REACTION * u * v**2
    return (u, v), (ru, rv)


def splitting(count, time, steps):
    """u and v at ``time`` on ``count``² points of [-1, 1)²: diffusion and linear terms exact, the reaction apart.

    The reaction u' = -c u v², v' = c u v² keeps s = u + v, so that one equation v' = c (s - v) v² is left, for
    which Newton's method solves the implicit closed form (1/s²) log(v/(s - v)) - 1/(s v) = c t + constant. Strang
    splitting, extrapolated once to order four. Along the edges the initial values are the mean of both sides.
    """
    grid = -1 + 2 * np.arange(count) / count
    u = np.zeros((count, count))
    v = np.zeros((count, count))
    for sign_x in (1, -1):
        for sign_y in (1, -1):
            x, y = np.where(grid == -1, sign_x * grid, grid), np.where(grid == -1, sign_y * grid, grid)
            part_u, part_v = initial(x[:, None], y[None, :])
            u, v = u + part_u / 4, v + part_v / 4
    k = np.pi * np.fft.fftfreq(count, 1 / count)
    squares = k[:, None] ** 2 + k[None, : count // 2 + 1] ** 2

    def linear(u, v, h):
        hat_u = np.fft.rfft2(u - 1) * np.exp(-(D_U * squares + FEED) * h)
        hat_v = np.fft.rfft2(v) * np.exp(-(D_V * squares + DECAY) * h)
        return 1 + np.fft.irfft2(hat_u, (count, count)), np.fft.irfft2(hat_v, (count, count))

    def react(u, v, h):
        s = u + v
        w = np.maximum(v, 1e-14)  # below, nothing reacts
        level = np.log(w / (s - w)) / s**2 - 1 / (s * w) + REACTION * h
        # Newton's method for z = log(w/(s - w)), in which the left side z/s² - (1 + exp(-z))/s² is concave
        z = np.log(w / (s - w))
        for _ in range(60):
            z = z - (z - 1 - np.exp(-z) - level * s**2) / (1 + np.exp(-z))
        w = s / (1 + np.exp(-z))
        return s - w, w

    def run(u, v, steps):
        h = time / steps
        u, v = linear(u, v, h / 2)
        for step in range(steps):
            u, v = react(u, v, h)
            u, v = linear(u, v, h if step < steps - 1 else h / 2)
        return np.stack([u, v])

    return grid, (4 * run(u, v, 2 * steps) - run(u, v, steps)) / 3
