"""The kinetic energy of a periodic flow in the plane, by wave number. All quantities dimensionless."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def energy_spectrum(u: Values, v: Values) -> tuple[NDArray[np.int64], Values]:
    """The radial spectrum E(k) of the kinetic energy of a flow on a periodic grid.

        E(k) = Σ_{k - 1/2 <= |κ| < k + 1/2} (|û_κ|² + |v̂_κ|²) / 2,   u(x) = Σ_κ û_κ exp(2πi κ·x)

    where κ = (κ_x, κ_y) counts waves over the unit square. ``u`` and ``v`` are real, (..., M, N), at the points
    (i/M, j/N); leading axes, such as time, are kept. Returns k = 0, 1, ..., (K,), up to the largest |κ| of the grid,
    and E >= 0, (..., K), float64. By Parseval's identity the sum over k is the mean of (u² + v²)/2; unresolved waves
    are aliased to resolved wave numbers. Raises ``ValueError`` for shapes that differ or have fewer than two axes.

    >>> x = np.arange(8) / 8
    >>> wave = np.cos(2 * np.pi * (2 * x[:, None] + x))  # |κ| = 2.24
    >>> k, energy = energy_spectrum(wave, -2 * wave)
    >>> [round(float(e), 12) + 0.0 for e in energy]  # 5 times the mean of cos² / 2
    [0.0, 0.0, 1.25, 0.0, 0.0, 0.0, 0.0]
    """
    u, v = np.asarray(u, float), np.asarray(v, float)
    if u.shape != v.shape or u.ndim < 2:
        raise ValueError(f"u and v have shapes {u.shape} and {v.shape}; allowed: one shape (..., M, N) for both")
    rows, columns = u.shape[-2:]
    waves_x, waves_y = np.fft.fftfreq(rows, 1 / rows), np.fft.fftfreq(columns, 1 / columns)
    shell = np.floor(np.hypot(waves_x[:, None], waves_y) + 0.5).astype(np.int64).ravel()
    energies = np.sum(np.abs(np.fft.fft2(np.stack([u, v]), norm="forward")) ** 2, axis=0) / 2
    spectra = np.stack([np.bincount(shell, energy) for energy in energies.reshape(-1, shell.size)]).astype(np.float64)
    return np.arange(spectra.shape[-1], dtype=np.int64), spectra.reshape(*u.shape[:-2], -1)
