"""Two-dimensional Boussinesq flow between walls, mirror symmetric in x, by a Fourier-Legendre Galerkin method; float64.

    ∂u/∂t + u·∇u = -∇p + ν Δu + T e_y,   div u = 0,   ∂T/∂t + u·∇T = κ ΔT,   x in [0, 1] periodic,   y in [0, 2]
    u = v = T = 0 at y = 0 and y = 2

With a stream function ψ, u = ∂ψ/∂y, v = -∂ψ/∂x, vorticity w = ∂v/∂x - ∂u/∂y = -Δψ, and η = y - 1:

    ψ = Σ_k a_k(y) sin(α_k x),   T = Σ_k b_k(y) cos(α_k x),   α_k = 2πk,   k = 0..K-1,   K = modes/2

The a_k are combinations of clamped polynomials h_i(η), the b_k of vanishing ones φ_i(η), both up to ``degree``
(``solvers.wall_polynomials``). u is then odd and v, T are even in x, which the equations preserve. The velocity is
divergence-free and satisfies its boundary conditions exactly, and no pressure is needed. For test functions χ in the
space of ψ and θ in that of T,

    (∇∂ψ/∂t, ∇χ) = -ν (Δψ, Δχ) + (w u - T, ∂χ/∂x) + (w v, ∂χ/∂y)
    (∂T/∂t, θ)   = -κ (∇T, ∇θ) + (u T, ∂θ/∂x) + (v T, ∂θ/∂y)

For each wavenumber a symmetric-definite eigenproblem diagonalises each linear term, so that ``solvers.spectral`` can
take exponential steps. Products are integrated exactly: on 3/2 times as many points in x, by Gauss quadrature in y. The
kinetic energy E therefore obeys its balance

    dE/dt = (v, T) - ν (w, w),   E = (1/2) (|u|², 1),

up to errors in time. The heat (T, 1) changes by κ ∫ [∂T/∂y]_0^2 dx up to errors in space. Both rates are integrated
along with the solution. All quantities are dimensionless.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray
from scipy.linalg import eigh

from gradalign.references._contract import Progress, Values
from gradalign.references.solvers import spectral
from gradalign.references.solvers.wall_polynomials import clamped, evaluate, vanishing

States = NDArray[np.complex128]
"""Coefficients of ψ and T in the eigenvectors, followed by the two integrated rates: (..., S), zero imaginary parts."""


@dataclass(frozen=True)
class Convection:
    """The flow with ``modes`` Fourier modes in x and polynomials up to ``degree`` in y.

    >>> flow = Convection(modes=8, degree=12, viscosity=0.1, diffusivity=0.1)
    >>> start = flow.initial(lambda x, y: np.sin(np.pi * y / 2) + 0 * x)  # at rest, the same everywhere in x
    >>> end = flow.solve(start, np.array([0.0, 1.0]), 0.1)[-1]
    >>> decay = flow.fields(end, np.array([0.3]), np.array([1.0]))["T"].item()  # exp(-κ π²/4)
    >>> bool(abs(decay - np.exp(-0.1 * np.pi**2 / 4)) < 1e-9)
    True
    """

    modes: int
    degree: int
    viscosity: float
    diffusivity: float

    def __post_init__(self) -> None:
        if self.modes < 4 or self.modes % 2:
            raise ValueError(f"{self.modes} modes; allowed: even numbers from 4")
        if self.degree < 4:
            raise ValueError(f"degree {self.degree}; allowed: 4 or more, the degree of the first clamped polynomial")

    def initial(self, temperature: Callable[[Values, Values], Values]) -> States:
        """The fluid at rest with temperature T(x, y), even in x, by an L2 projection: (S,).

        ``temperature`` maps arrays x and y that broadcast to values.
        """
        x, y, weights = _points(4 * len(self.wavenumbers), 4 * self.degree)
        values = temperature(x[:, None], y) * weights
        cosines = np.where(self.wavenumbers == 0, 1, 2) * np.cos(x[:, None] * self.wavenumbers)
        moments = cosines.T @ values @ evaluate(vanishing(self.degree - 1), y - 1).T
        return _joined(np.zeros_like(self._velocity.rates), self._temperature.into(moments), 0.0, 0.0)

    def solve(
        self, initial: States, times: Values, longest_step: float, progress: Progress = lambda share, text: None
    ) -> States:
        """States at ``times`` by ETDRK4, the first being ``initial``: (T, S)."""
        return spectral.solve(self._symbol, self._explicit, initial, times, longest_step, progress)

    def tendency(self, state: States) -> States:
        """The time derivative of a state: (S,)."""
        return self._symbol * state + self._explicit(state)

    def legendre(self, states: States) -> tuple[Values, Values]:
        """Coefficients of L_j(y - 1) in a_k and in b_k: (..., K, degree + 1) each."""
        velocity, temperature = self._parts(states)
        return (
            self._velocity.out_of(velocity) @ clamped(self.degree - 3),
            self._temperature.out_of(temperature) @ vanishing(self.degree - 1),
        )

    def fields(self, states: States, x: Values, y: Values) -> dict[str, Values]:
        """u, v, w and T from their exact series: (..., S), (X,), (Y,) -> (..., X, Y) each."""
        a, b = self.legendre(states)
        alpha = self.wavenumbers[:, None]
        sines, cosines = np.sin(x[:, None] * self.wavenumbers), np.cos(x[:, None] * self.wavenumbers)
        a0, a1, a2 = (evaluate(a, y - 1, order) for order in range(3))
        return {
            "u": sines @ a1,
            "v": -cosines @ (alpha * a0),
            "w": sines @ (alpha**2 * a0 - a2),
            "T": cosines @ evaluate(b, y - 1),
        }

    def energy(self, states: States) -> tuple[Values, Values]:
        """The kinetic energy, and its initial value plus the integrated rate: (times,) each."""
        found = np.sum(self._parts(states)[0] ** 2, axis=(-2, -1)) / 4  # vectors of norm 1; the mean of sin² is 1/2
        return found, found[0] + states[:, -2].real

    def heat(self, states: States) -> tuple[Values, Values]:
        """The integral of T, and its initial value plus the integrated flux through the walls: (times,) each."""
        found = 2 * self.legendre(states)[1][..., 0, 0]  # the integral of L_0 is 2, those of all others are 0
        return found, found[0] + states[:, -1].real

    @cached_property
    def wavenumbers(self) -> Values:
        """α_k: (K,)."""
        return 2 * np.pi * np.arange(self.modes // 2, dtype=np.float64)

    @cached_property
    def _velocity(self) -> "_Eigenvectors":
        return _Eigenvectors.of([velocity_forms(self.degree, alpha) for alpha in self.wavenumbers])

    @cached_property
    def _temperature(self) -> "_Eigenvectors":
        return _Eigenvectors.of([temperature_forms(self.degree, alpha) for alpha in self.wavenumbers])

    @cached_property
    def _symbol(self) -> Values:
        velocity, temperature = self.viscosity * self._velocity.rates, self.diffusivity * self._temperature.rates
        return -_joined(velocity, temperature, 0.0, 0.0).real

    @cached_property
    def _tables(self) -> "_Tables":
        return _Tables.of(self.wavenumbers, self.degree)

    def _parts(self, states: States) -> tuple[Values, Values]:
        """Coefficients in the eigenvectors, of ψ (..., K, degree - 3) and of T (..., K, degree - 1)."""
        first, second = self._velocity.rates.shape, self._temperature.rates.shape
        split, others = math.prod(first), states.shape[:-1]
        velocity, temperature = states[..., :split].real, states[..., split:-2].real
        return velocity.reshape(*others, *first), temperature.reshape(*others, *second)

    def _explicit(self, state: States) -> States:
        """Transport, buoyancy and the two integrated rates; without the diffusion of ψ and T."""
        table, alpha = self._tables, self.wavenumbers[:, None]
        velocity, temperature = self._parts(state)
        a, b = self._velocity.out_of(velocity), self._temperature.out_of(temperature)
        a0, a1, a2 = (a @ values for values in table.clamped)
        u, v = table.sines @ a1, -table.cosines @ (alpha * a0)
        w, T = table.sines @ (alpha**2 * a0 - a2), table.cosines @ (b @ table.vanishing[0])

        def even(values: Values) -> Values:
            return 2 * table.cosines.T @ (values * table.weights)

        def odd(values: Values) -> Values:
            return 2 * table.sines.T @ (values * table.weights)

        swirl = alpha * even(w * u - T) @ table.clamped[0].T + odd(w * v) @ table.clamped[1].T
        heating = even(v * T) @ table.vanishing[1].T - alpha * odd(u * T) @ table.vanishing[0].T
        heating[0] /= 2  # the mean of cos² is 1/2, except for k = 0
        power = float(np.sum((v * T - self.viscosity * w**2) * table.weights))
        flux = float(self.diffusivity * b[0] @ table.flux)
        return _joined(self._velocity.into(swirl), self._temperature.into(heating), power, flux)


def velocity_forms(degree: int, wavenumber: float) -> tuple[Values, Values]:
    """(∇ψ, ∇χ) and (Δψ, Δχ) in y for ψ = h_i(y - 1) sin(αx), χ = h_j(y - 1) sin(αx).

    Divided by the mean of sin² and cos² over x. With primes for d/dy: (h_i', h_j') + α² (h_i, h_j), and
    (h_i'', h_j'') + 2α² (h_i', h_j') + α⁴ (h_i, h_j); each (degree - 3, degree - 3), symmetric and positive definite.
    """
    zero, first, second = (_products(clamped(degree - 3), order) for order in range(3))
    return first + wavenumber**2 * zero, second + 2 * wavenumber**2 * first + wavenumber**4 * zero


def temperature_forms(degree: int, wavenumber: float) -> tuple[Values, Values]:
    """(T, θ) and (∇T, ∇θ) in y for T = φ_i(y - 1) cos(αx), θ = φ_j(y - 1) cos(αx).

    Divided by the mean of cos² and sin² over x: (φ_i, φ_j), and (φ_i', φ_j') + α² (φ_i, φ_j); each
    (degree - 1, degree - 1), symmetric and positive definite.
    """
    zero, first = (_products(vanishing(degree - 1), order) for order in range(2))
    return zero, first + wavenumber**2 * zero


def _products(family: Values, order: int) -> Values:
    """Integrals of all products of the derivatives of a family, by Gauss quadrature, which is exact here."""
    nodes, weights = legendre.leggauss(family.shape[1])
    values = evaluate(family, nodes, order)
    return (values * weights) @ values.T


def _joined(velocity: Values, temperature: Values, energy: float, heat: float) -> States:
    return np.concatenate([velocity.ravel(), temperature.ravel(), [energy, heat]]).astype(complex)


def _points(count: int, nodes: int) -> tuple[Values, Values, Values]:
    """Quadrature points x (count,) and y (nodes,), and weights (nodes,) of the mean over x and the integral over y.

    x are the midpoints of half a period, y Gauss nodes between the walls. Exact for cos(2πkx), |k| < 2 count, and
    degree 2 nodes - 1.
    """
    nodes_, weights = legendre.leggauss(nodes)
    return (np.arange(count) + 0.5) / (2 * count), 1 + nodes_, weights / count


class _Eigenvectors(NamedTuple):
    """Eigenvectors V of stiffness against mass by wavenumber, V' mass V = 1, V' stiffness V = rates.

    rates: (K, n). vectors: (K, n, n), one vector per column.
    """

    rates: Values
    vectors: Values

    @classmethod
    def of(cls, forms: Sequence[tuple[Values, Values]]) -> "_Eigenvectors":
        """From (mass, stiffness) by wavenumber. Computes the inverse rates, because the small rates matter most."""
        pairs = [eigh(mass, stiffness) for mass, stiffness in forms]
        inverse = np.array([values for values, _ in pairs])
        return cls(1 / inverse, np.array([vectors for _, vectors in pairs]) / np.sqrt(inverse)[:, None])

    def out_of(self, coefficients: Values) -> Values:
        """Coefficients in the family of polynomials, from those in the eigenvectors: (..., K, n) -> (..., K, n)."""
        return (self.vectors @ coefficients[..., None])[..., 0]

    def into(self, moments: Values) -> Values:
        """Coefficients in the eigenvectors, from integrals against the family of polynomials: (K, n) -> (K, n)."""
        return (moments[:, None] @ self.vectors)[:, 0]


class _Tables(NamedTuple):
    """Values at the quadrature points of the products, as many as exact integrals need.

    sines, cosines: (X, K). clamped: h, h', h'', vanishing: φ, φ', (n, Y) each. weights: (Y,). flux: φ'(1) - φ'(-1).
    """

    sines: Values
    cosines: Values
    clamped: list[Values]
    vanishing: list[Values]
    weights: Values
    flux: Values

    @classmethod
    def of(cls, wavenumbers: Values, degree: int) -> "_Tables":
        x, y, weights = _points(math.ceil(1.5 * len(wavenumbers)), math.ceil(1.5 * degree + 0.5))
        angles = x[:, None] * wavenumbers
        families = clamped(degree - 3), vanishing(degree - 1)
        return cls(
            np.sin(angles),
            np.cos(angles),
            [evaluate(families[0], y - 1, order) for order in range(3)],
            [evaluate(families[1], y - 1, order) for order in range(2)],
            weights,
            np.diff(evaluate(families[1], np.array([-1.0, 1.0]), 1))[:, 0],
        )
