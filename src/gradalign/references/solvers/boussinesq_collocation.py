"""The flow of ``solvers.boussinesq`` by a second method: Fourier-Chebyshev collocation and Runge-Kutta steps; float64.

The vorticity equation holds pointwise, in its advective form, on equidistant points in x and at the Chebyshev extrema
η = cos(πj/N) in y = 1 + η. The stream function is ψ = (1 - η²) q with q = 0 at both walls, so that ψ and ∂ψ/∂y vanish
there (as in Trefethen, Spectral Methods in MATLAB, SIAM 2000, program 38). With w = -Δψ,

    Δ ∂ψ/∂t = u·∇w + ν Δ²ψ - ∂T/∂x,   ∂T/∂t = κ ΔT - u·∇T    at the interior points

No symmetry in x is assumed, products are not dealiased, and time steps are explicit (``scipy.integrate.solve_ivp``,
Runge-Kutta 8(5,3)). The two methods share neither functions, nor equations, nor time steps. The mean of u over the
height keeps its initial value, zero, as in every mirror-symmetric flow. All quantities are dimensionless.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from gradalign.references._contract import Progress, Values
from gradalign.references.solvers.method_of_lines import integrate

STABLE = 5.0
"""Step size times the fastest decay rate; DOP853 is stable up to about 6."""


@dataclass(frozen=True)
class CollocatedConvection:
    """The flow with an even number of ``points`` in x and polynomials of ``degree`` N in y.

    >>> flow = CollocatedConvection(points=4, degree=12, viscosity=0.1, diffusivity=0.1)
    >>> grid = np.array([0.0, 1.0]), np.array([0.3]), np.array([1.0])
    >>> decay = flow.solve(lambda x, y: np.sin(np.pi * y / 2) + 0 * x, *grid, 1e-10)["T"][-1].item()  # exp(-κ π²/4)
    >>> bool(abs(decay - np.exp(-0.1 * np.pi**2 / 4)) < 1e-9)
    True
    """

    points: int
    degree: int
    viscosity: float
    diffusivity: float

    def solve(
        self,
        temperature: Callable[[Values, Values], Values],
        t: Values,
        x: Values,
        y: Values,
        tolerance: float,
        progress: Progress = lambda share, text: None,
    ) -> dict[str, Values]:
        """u, v, w, T at times t from their exact series, from rest and T(x, y) at the first time: (T, X, Y) each.

        ``tolerance`` is the relative and absolute tolerance of the Runge-Kutta steps. Raises ``FloatingPointError`` if
        they fail.
        """
        start = temperature(np.arange(self.points)[:, None] / self.points, 1 + self._nodes[1:-1])
        state = np.stack([np.zeros_like(start), start])
        reached = float(t[0])

        def rate(time: float, values: Values) -> Values:
            nonlocal reached
            reached = max(reached, float(time))  # the stages of a step are not in order of time
            progress((reached - t[0]) / (t[-1] - t[0]), f"collocation, {self.points} points, degree {self.degree}")
            return self._rate(values.reshape(state.shape)).ravel()

        found = integrate(
            rate, (t[0], t[-1]), state.ravel(), "DOP853", t, rtol=tolerance, atol=tolerance, max_step=self._longest_step
        )
        return self._evaluate(found.T.reshape(len(t), *state.shape), x, y)

    @cached_property
    def _nodes(self) -> Values:
        return np.cos(np.pi * np.arange(self.degree + 1) / self.degree)

    @cached_property
    def _wavenumbers(self) -> Values:
        """2πk, k = 0..points/2, as a column; the last has no conjugate partner and is set to 0, as its mode is."""
        k = np.arange(self.points // 2 + 1, dtype=np.float64)
        k[-1] = 0
        return 2 * np.pi * k[:, None]

    @cached_property
    def _slopes(self) -> list[Values]:
        """d^n/dη^n at all nodes of the polynomial with given values at the interior nodes, as matrices; n = 0..4."""
        eta, n = self._nodes, self.degree
        ends = np.where(np.arange(n + 1) % n == 0, 2, 1) * (-1.0) ** np.arange(n + 1)
        gaps = eta[:, None] - eta + np.eye(n + 1)
        once = ends[:, None] / ends / gaps
        once -= np.diag(once.sum(axis=1))
        return [np.linalg.matrix_power(once, order)[:, 1:-1] for order in range(5)]

    @cached_property
    def _stream(self) -> list[Values]:
        """d^n ψ/dη^n at all nodes from q at the interior nodes, ψ = (1 - η²) q; n = 0..4."""
        return _with_bubble(self._nodes, self._slopes)

    @cached_property
    def _operators(self) -> tuple[Values, Values]:
        """By wavenumber, at the interior nodes: Δ^-1, and ν Δ^-1 Δ²; (K, N - 1, N - 1) each."""
        s0, _, s2, _, s4 = (values[1:-1] for values in self._stream)
        alpha2 = self._wavenumbers[:, :, None] ** 2
        inverse = np.asarray(np.linalg.inv(s2 - alpha2 * s0), np.float64)
        return inverse, self.viscosity * inverse @ (s4 - 2 * alpha2 * s2 + alpha2**2 * s0)

    @property
    def _longest_step(self) -> float:
        rates = np.abs(np.linalg.eigvals(self._operators[1][[0, -2]])).max()
        conduction = np.abs(np.linalg.eigvals(self._slopes[2][1:-1])).max() + self._wavenumbers.max() ** 2
        return STABLE / float(max(rates, self.diffusivity * conduction))

    def _rate(self, state: Values) -> Values:
        """The time derivative of q and T at the interior points: (2, points, N - 1)."""
        alpha, (inverse, viscous) = self._wavenumbers, self._operators
        q, T = self._coefficients(state)
        s0, s1, s2, s3, _ = (values[1:-1].T for values in self._stream)
        d1, d2 = (values[1:-1].T for values in self._slopes[1:3])
        w, w_y = alpha**2 * (q @ s0) - q @ s2, alpha**2 * (q @ s1) - q @ s3
        u, v, w_x, w_y, T_x, T_y = (
            np.fft.irfft(part, self.points, axis=0)
            for part in (q @ s1, -1j * alpha * (q @ s0), 1j * alpha * w, w_y, 1j * alpha * T, T @ d1)
        )
        swirl, transport = self._coefficients(np.stack([u * w_x + v * w_y, u * T_x + v * T_y]))
        q_t = inverse @ (swirl - 1j * alpha * T)[..., None] + viscous @ q[..., None]
        T_t = self.diffusivity * (T @ d2 - alpha**2 * T) - transport
        return np.fft.irfft(np.stack([q_t[..., 0], T_t]), self.points, axis=1)

    def _coefficients(self, values: Values) -> NDArray[np.complex128]:
        """Unnormalised Fourier coefficients, the last zero: (..., points, N - 1) -> (..., points/2 + 1, N - 1)."""
        found = np.fft.rfft(values, axis=-2)
        found[..., -1, :] = 0
        return found

    def _evaluate(self, states: Values, x: Values, y: Values) -> dict[str, Values]:
        alpha, n = self._wavenumbers, self.degree
        to_series = np.asarray(np.linalg.inv(chebyshev.chebvander(self._nodes, n)), np.float64)[:, 1:-1]
        at = [chebyshev.chebvander(y - 1, n - k) @ chebyshev.chebder(to_series, k) for k in range(3)]
        s0, s1, s2 = _with_bubble(y - 1, at)
        q, T = np.moveaxis(self._coefficients(states), 1, 0) / self.points
        phase = np.where(alpha == 0, 1, 2)[:, 0] * np.exp(1j * x[:, None] * alpha[:, 0])

        def values(coefficients: NDArray[np.complex128], table: Values) -> Values:
            return (phase @ (coefficients @ table.T)).real

        return {
            "u": values(q, s1),
            "v": values(-1j * alpha * q, s0),
            "w": values(alpha**2 * q, s0) - values(q, s2),
            "T": values(T, at[0]),
        }


def _with_bubble(eta: Values, slopes: list[Values]) -> list[Values]:
    """d^n/dη^n of (1 - η²) q from d^n q/dη^n by the product rule, for as many n; one row per point η."""
    column, known = eta[:, None], [*slopes, 0 * slopes[0], 0 * slopes[0]]  # known[-1] and known[-2] are zero
    return [
        (1 - column**2) * known[n] - 2 * n * column * known[n - 1] - n * (n - 1) * known[n - 2]
        for n in range(len(slopes))
    ]
