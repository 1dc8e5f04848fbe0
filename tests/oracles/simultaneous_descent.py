"""Convex quadratics with a shared minimiser in NumPy, loss by loss."""

import numpy as np


def curvatures(seed, n, d, rank):
    """n positive semi-definite matrices (d, d) of the given rank, eigenvalues in [0.1, 1], and an error (d,)."""
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        Q = np.linalg.qr(generator.standard_normal((d, d)))[0][:, :rank]
        found.append((Q * generator.uniform(0.1, 1, rank)) @ Q.T)
    return np.array(found), generator.standard_normal(d)


def power(S, exponent):
    """The pseudo-power of a positive semi-definite S."""
    values, vectors = np.linalg.eigh(S)
    kept = values > 1e-10 * values[-1]
    return (vectors[:, kept] * values[kept] ** exponent) @ vectors[:, kept].T


def cosine(x, y):
    return x @ y / (np.linalg.norm(x) * np.linalg.norm(y))


def score(vectors):
    """2 ||mean of v_i / ||v_i|| ||^2 - 1."""
    units = np.array([v / np.linalg.norm(v) for v in vectors])
    return 2 * np.sum(units.mean(axis=0) ** 2) - 1
