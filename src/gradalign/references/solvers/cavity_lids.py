"""The two lids of the cavity, and stream functions in closed form that satisfy their boundary conditions.

    sharp        u(x, 1) = 1
    regularised  u(x, 1) = 1 - cosh(50 (x - 1/2)) / cosh(25)

Both make the flow singular in the two upper corners, where polynomials approximate it poorly. Take polar coordinates
r, θ at such a corner, with θ = 0 along the lid and θ = π/2 along the wall. To leading order the flow is a Stokes flow
with stream function r^m F(θ): m = 1 where the velocity of the lid jumps from 0 to 1 (G. I. Taylor, 1962; H. K. Moffatt,
J. Fluid Mech. 18, 1964), m = 2 where it rises as 50 x. The remainder is smooth enough. All quantities are
dimensionless.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.polynomial import Polynomial

from gradalign.base.errors import unknown_name
from gradalign.references._contract import Values

Lid = Literal["sharp", "regularised"]

STEEPNESS = 50.0
"""The regularised lid rises over a width of about 1/50 at both ends (released settings of arXiv 2502.00604)."""

SLOPE = STEEPNESS * np.tanh(STEEPNESS / 2)
"""du/dx of the regularised lid at x = 0."""

WINDOW = Polynomial([1, 0, 0, -10, 15, -6])
"""Falls from 1 at 0 to 0 at 1, with two vanishing derivatives at both ends; WINDOW(x) + WINDOW(1 - x) = 1."""

RISE = Polynomial([0, 0, -1, 1])
"""y²(y - 1): at 0 it vanishes with its slope, at 1 it vanishes with slope 1."""

Angular = tuple[Callable[[Values], Values], Callable[[Values], Values], Callable[[Values], Values]]
"""F, F', F''."""


@dataclass(frozen=True)
class Derivatives:
    """A function on a tensor grid with its derivatives: value, ∂x, ∂y, ∂xx, ∂yy, each (X, Y)."""

    value: Values
    x: Values
    y: Values
    xx: Values
    yy: Values

    def __add__(self, other: "Derivatives") -> "Derivatives":
        return Derivatives(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    def reflected(self, x: bool, y: bool) -> "Derivatives":
        """The same values as a function of 1 - x, of 1 - y, or of both."""
        return Derivatives(self.value, -self.x if x else self.x, -self.y if y else self.y, self.xx, self.yy)

    def times(self, f: tuple[Values, Values, Values], g: tuple[Values, Values, Values]) -> "Derivatives":
        """The product with f(x) g(y), each given with two derivatives."""
        (f0, f1, f2), (g0, g1, g2) = (a[:, None] for a in f), (b[None, :] for b in g)
        return Derivatives(
            self.value * f0 * g0,
            (self.x * f0 + self.value * f1) * g0,
            (self.y * g0 + self.value * g1) * f0,
            (self.xx * f0 + 2 * self.x * f1 + self.value * f2) * g0,
            (self.yy * g0 + 2 * self.y * g1 + self.value * g2) * f0,
        )


def speed(lid: Lid, x: Values) -> Values:
    """u on the lid at x in [0, 1], in the shape of x. The lid includes its two ends.

    Raises ``ConfigurationError`` for an unknown lid.

    >>> speed("sharp", np.array([0.0, 0.5])).tolist(), speed("regularised", np.array([0.0, 0.5])).tolist()
    ([1.0, 1.0], [0.0, 0.9999999999722241])
    """
    _check(lid)
    x = np.asarray(x, float)
    return np.ones_like(x) if lid == "sharp" else 1 - np.cosh(STEEPNESS * (x - 0.5)) / np.cosh(STEEPNESS / 2)


def lifting(lid: Lid, x: Values, y: Values) -> Derivatives:
    """A stream function with ψ = 0 and ∂ψ/∂n = 0 on all walls but the lid, where ψ = 0 and ∂ψ/∂y is its speed.

    It is the sum of the corner terms r^m F(θ) of both corners, each times a smooth window in x and y. For the
    regularised lid it also has y²(y - 1) times the rest of the speed, which vanishes with its slope at both ends. The
    arrays x and y span a tensor grid in [0, 1]². In the two upper corners the derivatives are not defined, and NaN
    where they have no limit.
    """
    _check(lid)
    power, angular = (1, _jump()) if lid == "sharp" else (2, _ramp(SLOPE))
    total = _corner(power, angular, x, 1 - y).reflected(x=False, y=True)
    total += _corner(power, angular, 1 - x, 1 - y).reflected(x=True, y=True)
    if lid == "sharp":
        return total
    zero = np.zeros((len(x), len(y)))
    return total + Derivatives(zero + 1, zero, zero, zero, zero).times(_remainder(x), _with_derivatives(RISE, y))


def _check(lid: str) -> None:
    if lid not in get_args(Lid):
        raise unknown_name("lid", lid, get_args(Lid))


def _corner(power: int, angular: Angular, x: Values, y: Values) -> Derivatives:
    """r^power F(θ) times the windows, for the corner x = y = 0 with the lid along θ = 0."""
    r, theta = np.hypot(x[:, None], y[None, :]), np.arctan2(y[None, :], x[:, None])
    cos, sin = np.cos(theta), np.sin(theta)
    f, f1, f2 = (function(theta) for function in angular)
    # r^m G(θ) has the derivatives r^(m-1) (m G cos θ - G' sin θ) in x and r^(m-1) (m G sin θ + G' cos θ) in y
    gx, gx1 = power * f * cos - f1 * sin, (power - 1) * f1 * cos - (power * f + f2) * sin
    gy, gy1 = power * f * sin + f1 * cos, (power - 1) * f1 * sin + (power * f + f2) * cos
    first = power - 1
    with np.errstate(divide="ignore", invalid="ignore"):  # at r = 0
        plain = Derivatives(
            r**power * f,
            r**first * gx,
            r**first * gy,
            r ** (first - 1) * (first * gx * cos - gx1 * sin),
            r ** (first - 1) * (first * gy * sin + gy1 * cos),
        )
        return plain.times(_with_derivatives(WINDOW, x), _with_derivatives(WINDOW, y))


def _jump() -> Angular:
    """F of r F(θ), biharmonic, with F(0) = F(π/2) = F'(π/2) = 0 and F'(0) = -1: unit speed along θ = 0."""
    c = 1 / (np.pi**2 / 4 - 1)
    d = c * np.pi / 2
    b = -d * np.pi / 2
    return (
        lambda t: b * np.sin(t) + c * t * np.cos(t) + d * t * np.sin(t),
        lambda t: (b + c) * np.cos(t) + d * np.sin(t) + t * (d * np.cos(t) - c * np.sin(t)),
        lambda t: -(b + 2 * c) * np.sin(t) + 2 * d * np.cos(t) - t * (d * np.sin(t) + c * np.cos(t)),
    )


def _ramp(slope: float) -> Angular:
    """F of r² F(θ), biharmonic, with F(0) = F(π/2) = F'(π/2) = 0 and F'(0) = -slope: speed slope r along θ = 0."""
    b, d = -slope / 2, -slope / 4
    c = np.pi * b / 4
    return (
        lambda t: c * (np.cos(2 * t) - 1) + b * t + d * np.sin(2 * t),
        lambda t: b - 2 * c * np.sin(2 * t) + 2 * d * np.cos(2 * t),
        lambda t: -4 * c * np.cos(2 * t) - 4 * d * np.sin(2 * t),
    )


def _remainder(x: Values) -> tuple[Values, Values, Values]:
    """The speed of the regularised lid minus that of both corner terms, with two derivatives: of order x² at x = 0."""
    angle, scale = STEEPNESS * (x - 0.5), 1 / np.cosh(STEEPNESS / 2)
    near, mirrored = _ramp_speed(x), _ramp_speed(1 - x)
    return (
        1 - scale * np.cosh(angle) - near[0] - mirrored[0],
        -scale * STEEPNESS * np.sinh(angle) - near[1] + mirrored[1],
        -scale * STEEPNESS**2 * np.cosh(angle) - near[2] - mirrored[2],
    )


def _ramp_speed(x: Values) -> tuple[Values, Values, Values]:
    return _with_derivatives(Polynomial([0, SLOPE]) * WINDOW, x)


def _with_derivatives(polynomial: Polynomial, x: Values) -> tuple[Values, Values, Values]:
    return polynomial(x), polynomial.deriv()(x), polynomial.deriv(2)(x)
