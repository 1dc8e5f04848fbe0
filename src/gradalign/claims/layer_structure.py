"""Claims T27 and T27b: when the second moment of a layer's gradient is a Kronecker product, and why not for PINNs.

A layer's gradient is a matrix G (m, n); F = E[vec G vec G^T] with row-major vec. Expectations are means over finite
ensembles, drawn from explicit seeds in float64. A record of status "false in general" reproduces a counterexample.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gradalign.base.precision import dtype_of
from gradalign.claims._batches import Floats
from gradalign.claims._records import Claim, Curve, equals, holds, never, timed, vanishes
from gradalign.diagnostics.curvature import best_kronecker, hessian_matrix, rearrange, second_moment

IDENTITY = 1e-12  # sums of some hundred terms of order one
KRONECKER = 1e-10  # relative; second and third derivatives, without any inverse
RESOLVED = 1e-6  # singular values and errors below it, relative, count as none

WIDTH = 6  # of both hidden layers of the networks of T27b


def check() -> list[Claim]:
    """All records of the claims T27 and T27b.

    Raises ``ConfigurationError`` while JAX's 64-bit types are off.
    """
    dtype_of("float64")
    return timed(CHECKS)


def curves() -> list[Curve]:
    """Singular values, relative to the largest, of dr/dW and du/dW at the points of one network (T27b)."""
    lines = []
    for name, series in (("pde", "r = u'' + u u'"), ("bc", "u")):
        singular = np.linalg.svd(pinn_rows()[name][0], compute_uv=False)
        relative = np.maximum(singular / singular[:, :1], 1e-20)  # an exact zero has no place on a logarithmic axis
        for k in range(WIDTH):
            lines.append(Curve("T27b", f"singular value {k + 1}", series, np.arange(len(relative)), relative[:, k]))
    return lines


def T27_a() -> list[Claim]:
    """Linear layers: outer products of inputs and output gradients."""
    generator = np.random.default_rng([27, 1])
    outputs, inputs = generator.standard_normal((6, 3)), generator.standard_normal((7, 4)) + 1
    pairs = np.einsum("si,tj->stij", outputs, inputs).reshape(-1, 3, 4)
    factors = np.kron(outputs.T @ outputs / 6, inputs.T @ inputs / 7)
    errors, best, excess = [], [], []
    for _ in range(50):
        b, a = generator.standard_normal((10, 3)), generator.standard_normal((10, 4))
        b[:, 0] *= np.abs(a[:, 0])  # dependent
        F = np.asarray(_moment(np.einsum("si,sj->sij", b, a)))
        split = np.kron(b.T @ b / 10, a.T @ a / 10)
        left, right = (np.einsum("si,sj->sij", v, v) for v in (b, a))
        covariance = np.einsum("sik,sjl->ijkl", left - left.mean(axis=0), right - right.mean(axis=0)) / 10
        errors.append(F - split - covariance.reshape(12, 12))
        found = _best(F, 3, 4)
        singular = _singular(F.reshape(3, 4, 3, 4).swapaxes(1, 2).reshape(9, 16))
        nearest = np.linalg.norm(F - np.kron(found.left, found.right)) / np.linalg.norm(F)
        scalar = np.sqrt(1 - singular[0] ** 2 / np.sum(singular**2))
        best += [float(found.relative_error) - scalar, nearest - scalar]
        excess.append(np.linalg.norm(F - split) / np.linalg.norm(F) - float(found.relative_error))
    # Two samples, b = a = e_1 and b = a = e_2
    two = _moment(np.stack([np.diag([1.0, 0.0]), np.diag([0.0, 1.0])]))
    quarter = np.kron(np.eye(2) / 2, np.eye(2) / 2)
    kronecker = "A linear layer has F = E[b b^T] kron E[a a^T]."
    return [
        vanishes(
            "T27(a)",
            "If the entries of b b^T and a a^T are uncorrelated, F = E[b b^T] kron E[a a^T].",
            "largest error, all pairs of 6 output gradients and 7 inputs",
            np.asarray(_moment(pairs)) - factors,
            IDENTITY,
            "proven under conditions",
            draws=144,
        ),
        vanishes(
            "T27(a)",
            "Only then: F - E[b b^T] kron E[a a^T] is the covariance of the entries of b b^T and a a^T.",
            "largest error, 50 dependent ensembles",
            errors,
            IDENTITY,
            draws=50 * 144,
        ),
        equals(
            "T27(a)",
            kronecker,
            "||F - E[b b^T] kron E[a a^T]||/||F||, samples b = a = e_1 and b = a = e_2",
            np.linalg.norm(np.asarray(two) - quarter) / np.linalg.norm(two),
            0.5**0.5,
            IDENTITY,
            "false in general",
        ),
        equals(
            "T27(a)",
            "The second moment of a linear layer is some Kronecker product.",
            "failure scalar (1 - sigma_1^2/sum sigma_k^2)^(1/2) of the same samples",
            best_kronecker(two, 2, 2).relative_error,
            0.5**0.5,
            IDENTITY,
            "false in general",
        ),
        vanishes(
            "T27(a)",
            "The distance of F from Kronecker products is (1 - sigma_1^2/sum sigma_k^2)^(1/2) of the rearranged F.",
            "largest error, 50 dependent ensembles",
            best,
            IDENTITY,
            draws=100,
        ),
        holds(
            "T27(a)",
            "E[b b^T] kron E[a a^T] is no nearer to F than that.",
            "least excess, 50 dependent ensembles",
            excess,
            IDENTITY,
            draws=50,
        ),
    ]


def T27_b() -> list[Claim]:
    """Hessians that are Kronecker products."""
    generator = np.random.default_rng([27, 2])
    X, Y, W = generator.standard_normal((9, 4)), generator.standard_normal((9, 3)), generator.standard_normal((3, 4))
    layer = jax.jit(partial(hessian_matrix, lambda weights: jnp.sum((X @ weights.T - Y) ** 2) / (2 * len(X))))(W)
    A, C, Z = generator.standard_normal((5, 3)), generator.standard_normal((4, 6)), generator.standard_normal((5, 6))
    bilinear = jax.jit(partial(hessian_matrix, lambda weights: jnp.sum((A @ weights @ C - Z) ** 2) / 2))(W)
    return [
        vanishes(
            "T27(b)",
            "||X W^T - Y||^2/(2 N) has the Hessian I kron X^T X/N.",
            "largest error",
            np.asarray(layer) - np.kron(np.eye(3), X.T @ X / len(X)),
            KRONECKER,
            draws=144,
        ),
        vanishes(
            "T27(b)",
            "||A W C - Y||^2/2 has the Hessian A^T A kron C C^T.",
            "largest error",
            np.asarray(bilinear) - np.kron(A.T @ A, C @ C.T),
            KRONECKER,
            draws=144,
        ),
        vanishes(
            "T27(b)",
            "The failure scalar of both Hessians is zero.",
            "largest",
            [_best(hessian, 3, 4).relative_error for hessian in (layer, bilinear)],
            KRONECKER,
            draws=2,
        ),
    ]


def T27b() -> list[Claim]:
    """A layer of a network for a differential equation maps the value and two derivatives by one matrix."""
    found = pinn_rows()
    rows, b, h = found["pde"], found["b"], found["h"]
    singular = {name: _singular(found[name].reshape(-1, WIDTH, WIDTH)) for name in ("pde", "bc")}
    relative = {name: values / values[:, :1] for name, values in singular.items()}
    outer, single, high = [], [], []
    sums = []
    for k in range(len(rows)):
        products = np.einsum("sap,sbq,sai,sbj->piqj", b[k], b[k], h[k], h[k]) / len(b[k])
        F = np.asarray(_moment(rows[k]))
        sums.append((F - products.reshape(F.shape)) / np.linalg.norm(F))
        # Every b with every h: independence, as K-FAC assumes it
        pairs = np.einsum("sap,tai->stpi", b[k], h[k]).reshape(-1, WIDTH, WIDTH)
        F = np.asarray(_moment(pairs))
        split = np.einsum("abpq,abij->piqj", _cross_moments(b[k]), _cross_moments(h[k])).reshape(F.shape)
        outer.append((F - split) / np.linalg.norm(F))
        values = _singular(np.asarray(rearrange(jnp.asarray(F), WIDTH, WIDTH)))
        high.append(values[9] / values[0])
        single.append(float(_best(F, WIDTH, WIDTH).relative_error))
    total = relative["pde"].shape[0]
    return [
        vanishes(
            "T27b",
            "For a residual of second order dr/dW = sum_alpha b_alpha h_alpha^T over the jet h, h', h''.",
            f"largest relative error, {total} points",
            (rows - np.einsum("ksap,ksai->kspi", b, h)) / np.max(np.abs(rows), axis=(2, 3), keepdims=True),
            KRONECKER,
            draws=100 * WIDTH**2,
        ),
        vanishes(
            "T27b",
            "Its rank is at most 3.",
            f"largest sigma_4/sigma_1, {total} points",
            relative["pde"][:, 3],
            KRONECKER,
            draws=100,
        ),
        never(
            "T27b",
            "Its rank is 3, not less, at generic points.",
            f"points of {total} with sigma_3/sigma_1 below 1e-6",
            relative["pde"][:, 2] < RESOLVED,
            draws=100,
            of=relative["pde"][:, 2],
        ),
        vanishes(
            "T27b",
            "Rows of boundary residuals have rank one.",
            "largest sigma_2/sigma_1",
            relative["bc"][:, 1],
            KRONECKER,
            draws=100,
        ),
        vanishes(
            "T27b",
            "F = sum over alpha, beta of E[b_alpha b_beta^T kron h_alpha h_beta^T].",
            "largest relative error, 5 networks",
            sums,
            KRONECKER,
            draws=5 * WIDTH**4,
        ),
        vanishes(
            "T27b",
            "If b is independent of h, F = sum over alpha, beta of E[b_alpha b_beta^T] kron E[h_alpha h_beta^T].",
            "largest relative error, all pairs of b and h, 5 networks",
            outer,
            KRONECKER,
            draws=5 * WIDTH**4,
        ),
        vanishes(
            "T27b",
            "Then the rearranged F has rank at most 9.",
            "largest sigma_10/sigma_1, 5 networks",
            high,
            KRONECKER,
            draws=5,
        ),
        never(
            "T27b",
            "Even so F is no single Kronecker product.",
            "networks of 5 whose best Kronecker product has a relative error below 1e-6",
            np.array(single) < RESOLVED,
            draws=5,
            of=single,
        ),
    ]


CHECKS = (T27_a, T27_b, T27b)


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
