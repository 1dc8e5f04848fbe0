"""The complex Ginzburg-Landau equation by routes that share nothing with the solvers: waves, and splitting."""

import numpy as np

EPS, K, BETA = 0.004, 10.0, 1.5


def initial(x, y):
    """A at t = 0, complex."""
    return 10 * (y + 1j * x) * np.exp(-25 * (x**2 + y**2))


def plane_wave(eps, k, beta, q):
    """Amplitude a and frequency w of the exact solution A = a exp(i (q_1 x + q_2 y - w t))."""
    amplitude = np.sqrt(1 - eps * (q[0] ** 2 + q[1] ** 2) / k)
    return amplitude, k * beta * amplitude**2


def splitting(start, time, steps, eps=EPS, k=K, beta=BETA):
    """A at ``time`` on the points of ``start`` (complex, square, periodic over [-1, 1)²): Strang, extrapolated once.

    Diffusion is exact for each wave. Without it |A|² follows the logistic equation m' = 2k m (1 - m), and the phase
    falls by kβ ∫ m dt = (β/2) log(1 + m_0 (exp(2kh) - 1)).
    """
    wave = np.pi * np.fft.fftfreq(len(start), 1 / len(start))
    squares = wave[:, None] ** 2 + wave[None, :] ** 2

    def react(A, h):
        growth = 1 + np.abs(A) ** 2 * np.expm1(2 * k * h)
        return A * np.exp(k * h - 1j * beta / 2 * np.log(growth)) / np.sqrt(growth)

    def run(steps):
        h = time / steps
        decay = np.exp(-eps * squares * h)
        A = react(start, h / 2)
        for step in range(steps):
            A = react(np.fft.ifft2(decay * np.fft.fft2(A)), h if step < steps - 1 else h / 2)
        return A

    return (4 * run(2 * steps) - run(steps)) / 3
