"""Claims T27 and T27b: when the second moment of a layer's gradient is a Kronecker product, and why not for PINNs.

A layer's gradient is a matrix G (m, n); F = E[vec G vec G^T] with row-major vec. Expectations are means over finite
ensembles, drawn from explicit seeds in float64. A record of status "false in general" reproduces a counterexample.
"""

from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gradalign.claims._batches import Floats
from gradalign.claims._checks import Measured, Tolerance, equals, holds, never, vanishes
from gradalign.claims._records import Curve, Numbers
from gradalign.diagnostics.kronecker import best_kronecker, rearrange
from gradalign.diagnostics.matrices import hessian_matrix, second_moment

IDENTITY = Tolerance(1e-12, "rounding of sums of some hundred terms of order one")
KRONECKER = Tolerance(1e-10, "relative; rounding of second and third derivatives, without any inverse")
RESOLVED = 1e-6  # singular values and errors below it, relative, count as none

WIDTH = 6  # of both hidden layers of the networks of T27b


def curves() -> list[Curve]:
    """Singular values, relative to the largest, of dr/dW and du/dW at the points of one network (T27b)."""
    lines = []
    for name, series in (("pde", "r = u'' + u u'"), ("bc", "u")):
        singular = np.linalg.svd(pinn_rows()[name][0], compute_uv=False)
        relative = np.maximum(singular / singular[:, :1], 1e-20)  # an exact zero has no place on a logarithmic axis
        for k in range(WIDTH):
            lines.append(Curve("T27b", f"singular value {k + 1}", series, np.arange(len(relative)), relative[:, k]))
    return lines


# T27(a): linear layers, outer products of inputs and output gradients


class Ensemble(NamedTuple):
    """Ten samples of dependent output gradients b (10, 3) and inputs a (10, 4), and F (12, 12)."""

    b: Floats
    a: Floats
    F: Floats

    @property
    def split(self) -> Floats:
        """E[b b^T] kron E[a a^T], (12, 12)."""
        return np.kron(self.b.T @ self.b / 10, self.a.T @ self.a / 10)


class LinearLayers(NamedTuple):
    """Independent output gradients (6, 3) and inputs (7, 4), and 50 dependent ensembles."""

    outputs: Floats
    inputs: Floats
    ensembles: list[Ensemble]


@cache
def linear_layers() -> LinearLayers:
    generator = np.random.default_rng([27, 1])
    outputs, inputs = generator.standard_normal((6, 3)), generator.standard_normal((7, 4)) + 1
    ensembles = []
    for _ in range(50):
        b, a = generator.standard_normal((10, 3)), generator.standard_normal((10, 4))
        b[:, 0] *= np.abs(a[:, 0])  # dependent
        ensembles.append(Ensemble(b, a, np.asarray(_moment(np.einsum("si,sj->sij", b, a)))))
    return LinearLayers(outputs, inputs, ensembles)


@vanishes(
    "T27(a)",
    "If the entries of b b^T and a a^T are uncorrelated, F = E[b b^T] kron E[a a^T].",
    "largest error, all pairs of 6 output gradients and 7 inputs",
    IDENTITY,
    "proven under conditions",
    draws=144,
)
def moment_of_independent_samples() -> Numbers:
    outputs, inputs, _ = linear_layers()
    pairs = np.einsum("si,tj->stij", outputs, inputs).reshape(-1, 3, 4)
    return np.asarray(_moment(pairs)) - np.kron(outputs.T @ outputs / 6, inputs.T @ inputs / 7)


@vanishes(
    "T27(a)",
    "Only then: F - E[b b^T] kron E[a a^T] is the covariance of the entries of b b^T and a a^T.",
    "largest error, 50 dependent ensembles",
    IDENTITY,
    draws=50 * 144,
)
def moment_of_dependent_samples() -> Numbers:
    errors = []
    for ensemble in linear_layers().ensembles:
        left, right = (np.einsum("si,sj->sij", v, v) for v in (ensemble.b, ensemble.a))
        covariance = np.einsum("sik,sjl->ijkl", left - left.mean(axis=0), right - right.mean(axis=0)) / 10
        errors.append(ensemble.F - ensemble.split - covariance.reshape(12, 12))
    return errors


def moment_of_two_samples() -> Array:
    """F (4, 4) of the samples b = a = e_1 and b = a = e_2."""
    return _moment(np.stack([np.diag([1.0, 0.0]), np.diag([0.0, 1.0])]))


@equals(
    "T27(a)",
    "A linear layer has F = E[b b^T] kron E[a a^T].",
    "||F - E[b b^T] kron E[a a^T]||/||F||, samples b = a = e_1 and b = a = e_2",
    0.5**0.5,
    IDENTITY,
    "false in general",
)
def distance_of_two_samples_from_independence() -> Numbers:
    two, quarter = moment_of_two_samples(), np.kron(np.eye(2) / 2, np.eye(2) / 2)
    return np.linalg.norm(np.asarray(two) - quarter) / np.linalg.norm(two)


@equals(
    "T27(a)",
    "The second moment of a linear layer is some Kronecker product.",
    "failure scalar (1 - sigma_1^2/sum sigma_k^2)^(1/2) of the same samples",
    0.5**0.5,
    IDENTITY,
    "false in general",
)
def distance_of_two_samples_from_kronecker_products() -> Numbers:
    return best_kronecker(moment_of_two_samples(), 2, 2).relative_error


@vanishes(
    "T27(a)",
    "The distance of F from Kronecker products is (1 - sigma_1^2/sum sigma_k^2)^(1/2) of the rearranged F.",
    "largest error, 50 dependent ensembles",
    IDENTITY,
    draws=100,
)
def distance_from_kronecker_products() -> Numbers:
    errors = []
    for _, _, F in linear_layers().ensembles:
        found = _best(F, 3, 4)
        singular = _singular(F.reshape(3, 4, 3, 4).swapaxes(1, 2).reshape(9, 16))
        nearest = np.linalg.norm(F - np.kron(found.left, found.right)) / np.linalg.norm(F)
        scalar = np.sqrt(1 - singular[0] ** 2 / np.sum(singular**2))
        errors += [float(found.relative_error) - scalar, nearest - scalar]
    return errors


@holds(
    "T27(a)",
    "E[b b^T] kron E[a a^T] is no nearer to F than that.",
    "least excess, 50 dependent ensembles",
    IDENTITY,
    draws=50,
)
def distance_from_independence() -> Numbers:
    return [
        np.linalg.norm(each.F - each.split) / np.linalg.norm(each.F) - float(_best(each.F, 3, 4).relative_error)
        for each in linear_layers().ensembles
    ]


# T27(b): Hessians that are Kronecker products


class KroneckerHessians(NamedTuple):
    """Hessians (12, 12) of two losses in W (3, 4), and the Kronecker products that they have to be.

    layer: of ||X W^T - Y||^2/(2 N). bilinear: of ||A W C - Y||^2/2.
    """

    layer: Array
    layer_product: Floats
    bilinear: Array
    bilinear_product: Floats


@cache
def kronecker_hessians() -> KroneckerHessians:
    generator = np.random.default_rng([27, 2])
    X, Y, W = generator.standard_normal((9, 4)), generator.standard_normal((9, 3)), generator.standard_normal((3, 4))
    layer = jax.jit(partial(hessian_matrix, lambda weights: jnp.sum((X @ weights.T - Y) ** 2) / (2 * len(X))))(W)
    A, C, Z = generator.standard_normal((5, 3)), generator.standard_normal((4, 6)), generator.standard_normal((5, 6))
    bilinear = jax.jit(partial(hessian_matrix, lambda weights: jnp.sum((A @ weights @ C - Z) ** 2) / 2))(W)
    return KroneckerHessians(layer, np.kron(np.eye(3), X.T @ X / len(X)), bilinear, np.kron(A.T @ A, C @ C.T))


@vanishes(
    "T27(b)",
    "||X W^T - Y||^2/(2 N) has the Hessian I kron X^T X/N.",
    "largest error",
    KRONECKER,
    draws=144,
)
def hessian_of_a_layer() -> Numbers:
    return np.asarray(kronecker_hessians().layer) - kronecker_hessians().layer_product


@vanishes(
    "T27(b)",
    "||A W C - Y||^2/2 has the Hessian A^T A kron C C^T.",
    "largest error",
    KRONECKER,
    draws=144,
)
def hessian_of_a_bilinear_loss() -> Numbers:
    return np.asarray(kronecker_hessians().bilinear) - kronecker_hessians().bilinear_product


@vanishes(
    "T27(b)",
    "The failure scalar of both Hessians is zero.",
    "largest",
    KRONECKER,
    draws=2,
)
def failure_scalar_of_kronecker_hessians() -> Numbers:
    found = kronecker_hessians()
    return [_best(hessian, 3, 4).relative_error for hessian in (found.layer, found.bilinear)]


# T27b: a layer of a network for a differential equation maps the value and two derivatives by one matrix


@cache
def relative_singular_values() -> dict[str, Floats]:
    """Singular values over the largest of the rows ``pde`` and ``bc`` of ``pinn_rows``, falling: (100, WIDTH) each."""
    singular = {name: _singular(pinn_rows()[name].reshape(-1, WIDTH, WIDTH)) for name in ("pde", "bc")}
    return {name: values / values[:, :1] for name, values in singular.items()}


@cache
def independent_moments() -> list[Floats]:
    """F (36, 36) of each network, every b with every h: independence, as K-FAC assumes it."""
    pairs = np.einsum("ksap,ktai->kstpi", pinn_rows()["b"], pinn_rows()["h"])
    return [np.asarray(_moment(each.reshape(-1, WIDTH, WIDTH))) for each in pairs]


@vanishes(
    "T27b",
    "For a residual of second order dr/dW = sum_alpha b_alpha h_alpha^T over the jet h, h', h''.",
    "largest relative error, 100 points",
    KRONECKER,
    draws=100 * WIDTH**2,
)
def rows_by_the_jet() -> Numbers:
    rows, products = pinn_rows()["pde"], np.einsum("ksap,ksai->kspi", pinn_rows()["b"], pinn_rows()["h"])
    return (rows - products) / np.max(np.abs(rows), axis=(2, 3), keepdims=True)


@vanishes(
    "T27b",
    "Its rank is at most 3.",
    "largest sigma_4/sigma_1, 100 points",
    KRONECKER,
    draws=100,
)
def fourth_singular_value() -> Numbers:
    return relative_singular_values()["pde"][:, 3]


@never(
    "T27b",
    "Its rank is 3, not less, at generic points.",
    "points of 100 with sigma_3/sigma_1 below 1e-6",
    draws=100,
)
def points_of_lower_rank() -> Measured:
    third = relative_singular_values()["pde"][:, 2]
    return Measured(third < RESOLVED, of=third)


@vanishes(
    "T27b",
    "Rows of boundary residuals have rank one.",
    "largest sigma_2/sigma_1",
    KRONECKER,
    draws=100,
)
def second_singular_value_of_boundary_rows() -> Numbers:
    return relative_singular_values()["bc"][:, 1]


@vanishes(
    "T27b",
    "F = sum over alpha, beta of E[b_alpha b_beta^T kron h_alpha h_beta^T].",
    "largest relative error, 5 networks",
    KRONECKER,
    draws=5 * WIDTH**4,
)
def moment_by_the_jet() -> Numbers:
    errors = []
    for rows, b, h in zip(*(pinn_rows()[name] for name in ("pde", "b", "h")), strict=True):
        products = np.einsum("sap,sbq,sai,sbj->piqj", b, b, h, h) / len(b)
        F = np.asarray(_moment(rows))
        errors.append((F - products.reshape(F.shape)) / np.linalg.norm(F))
    return errors


@vanishes(
    "T27b",
    "If b is independent of h, F = sum over alpha, beta of E[b_alpha b_beta^T] kron E[h_alpha h_beta^T].",
    "largest relative error, all pairs of b and h, 5 networks",
    KRONECKER,
    draws=5 * WIDTH**4,
)
def moment_of_independent_jets() -> Numbers:
    errors = []
    for F, b, h in zip(independent_moments(), pinn_rows()["b"], pinn_rows()["h"], strict=True):
        products = np.einsum("abpq,abij->piqj", _cross_moments(b), _cross_moments(h))
        errors.append((F - products.reshape(F.shape)) / np.linalg.norm(F))
    return errors


@vanishes(
    "T27b",
    "Then the rearranged F has rank at most 9.",
    "largest sigma_10/sigma_1, 5 networks",
    KRONECKER,
    draws=5,
)
def tenth_singular_value() -> Numbers:
    rearranged = [np.asarray(rearrange(jnp.asarray(F), WIDTH, WIDTH)) for F in independent_moments()]
    return [values[9] / values[0] for values in map(_singular, rearranged)]


@never(
    "T27b",
    "Even so F is no single Kronecker product.",
    "networks of 5 whose best Kronecker product has a relative error below 1e-6",
    draws=5,
)
def single_kronecker_products() -> Measured:
    errors = np.array([float(_best(F, WIDTH, WIDTH).relative_error) for F in independent_moments()])
    return Measured(errors < RESOLVED, of=errors)


@cache
def pinn_rows() -> dict[str, Floats]:
    """Rows of Jacobians in the middle matrix W of 5 tanh networks 1-WIDTH-WIDTH-1, for r = u'' + u u' at 20 points.

    pde: dr/dW, (5, 20, WIDTH, WIDTH). bc: du/dW at the points, the same. b: derivatives of r in W h, W h', W h'', and
    h: the jet (h, h', h''), both (5, 20, 3, WIDTH). Dimensionless.
    """
    generator = np.random.default_rng([27, 3])
    weights = {
        "inner": 1.5 * generator.standard_normal((5, 2, WIDTH)),
        "middle": generator.standard_normal((5, WIDTH, WIDTH)) / np.sqrt(WIDTH),
        "outer": generator.standard_normal((5, WIDTH)),
    }
    rows = _pinn_rows(weights, np.linspace(-1, 1, 20))
    return {name: np.asarray(values) for name, values in rows.items()}


@jax.jit
def _pinn_rows(weights: dict[str, Array], points: Array) -> dict[str, Array]:
    def hidden(params: dict[str, Array], x: Array) -> Array:
        return jnp.tanh(params["inner"][0] * x + params["inner"][1])

    def field(middle: Array, params: dict[str, Array], x: Array) -> Array:
        return params["outer"] @ jnp.tanh(middle @ hidden(params, x))

    def residual(middle: Array, params: dict[str, Array], x: Array) -> Array:
        slope = jax.grad(field, argnums=2)
        return jax.grad(slope, argnums=2)(middle, params, x) + field(middle, params, x) * slope(middle, params, x)

    def residual_of_jet(z: Array, params: dict[str, Array]) -> Array:
        """The same residual from z = (W h, W h', W h''), by the chain rule."""
        t = jnp.tanh(z[0])
        u, slope = params["outer"] @ t, params["outer"] @ ((1 - t**2) * z[1])
        return params["outer"] @ ((1 - t**2) * (z[2] - 2 * t * z[1] ** 2)) + u * slope

    def at(params: dict[str, Array], x: Array) -> dict[str, Array]:
        slope = jax.jacfwd(hidden, argnums=1)
        jet = jnp.stack([hidden(params, x), slope(params, x), jax.jacfwd(slope, argnums=1)(params, x)])
        return {
            "pde": jax.grad(residual)(params["middle"], params, x),
            "bc": jax.grad(field)(params["middle"], params, x),
            "b": jax.grad(residual_of_jet)(jet @ params["middle"].T, params),
            "h": jet,
        }

    return jax.vmap(jax.vmap(at, in_axes=(None, 0)), in_axes=(0, None))(weights, points)


_moment = jax.jit(second_moment)
_best = jax.jit(best_kronecker, static_argnums=(1, 2))


def _singular(matrices: Floats) -> Floats:
    """Singular values (..., min(m, n)) of matrices (..., m, n), falling; NaN where an entry is."""
    return np.asarray(jnp.linalg.svd(jnp.asarray(matrices), compute_uv=False))


def _cross_moments(vectors: Floats) -> Floats:
    """E[v_alpha v_beta^T] of (S, 3, p): (3, 3, p, p)."""
    return np.einsum("sap,sbq->abpq", vectors, vectors) / len(vectors)
