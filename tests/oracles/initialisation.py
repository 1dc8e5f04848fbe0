"""New networks in NumPy: losses from the formulas, gradients by complex steps, expectations by Gauss' quadrature."""

import itertools

import numpy as np

STEP = 1e-30  # of complex differentiation, which has no difference to cancel


def cosine(z):
    """phi and phi''."""
    return np.sqrt(2) * np.cos(z), -np.sqrt(2) * np.cos(z)


def tanh(z):
    return np.tanh(z), -2 * np.tanh(z) * (1 - np.tanh(z) ** 2)


def shallow(activation, scale):
    """u and u'' of scale sum_k a_k phi(w_k x + b_k) at one point, neuron by neuron."""

    def network(parameters, x):
        u = curvature = 0.0
        for a, w, b in parameters.T:
            value, second = activation(w * x + b)
            u += scale * a * value
            curvature += scale * a * w * w * second
        return u, curvature

    return network


def deep(sizes):
    """u and u'' of a tanh network at one point: value, slope and curvature go forward; parameters are one vector."""

    def network(parameters, x):
        value, first, second = np.array([x]), np.ones(1), np.zeros(1)
        place = 0
        for layer, (rows, columns) in enumerate(itertools.pairwise(sizes)):
            W = parameters[place : place + rows * columns].reshape(rows, columns)
            b = parameters[place + rows * columns : place + rows * columns + columns]
            place += rows * columns + columns
            value, first, second = value @ W + b, first @ W, second @ W
            if layer < len(sizes) - 2:
                t = np.tanh(value)
                value, first, second = t, (1 - t**2) * first, (1 - t**2) * second - 2 * t * (1 - t**2) * first**2
        return value[0], second[0]

    return network


def losses(network, parameters, boundary, values, points, source):
    """Half the mean squares of u - g and of u'' + f."""
    bc = sum((network(parameters, x)[0] - g) ** 2 for x, g in zip(boundary, values, strict=True))
    pde = sum((network(parameters, x)[1] + f) ** 2 for x, f in zip(points, source, strict=True))
    return np.array([bc / len(boundary) / 2, pde / len(points) / 2])


def gradients(network, parameters, *problem):
    """Both gradients, (2, *parameters.shape)."""
    found = np.zeros((2, *parameters.shape))
    for index in np.ndindex(*parameters.shape):
        moved = parameters.astype(complex)
        moved[index] += 1j * STEP
        found[(slice(None), *index)] = losses(network, moved, *problem).imag / STEP
    return found


def score(vectors):
    one, other = (np.ravel(vector) for vector in vectors)
    return one @ other / np.sqrt(one @ one * (other @ other))


def normal(function, dimension, nodes):
    """E function(X) for independent standard normal X (dimension,)."""
    places, weights = np.polynomial.hermite_e.hermegauss(nodes)
    weights = weights / weights.sum()
    grid = np.meshgrid(*[places] * dimension, indexing="ij")
    weight = np.prod(np.meshgrid(*[weights] * dimension, indexing="ij"), axis=0)
    return np.sum(weight * function(*grid))


def kernels(t, length):
    """E phi(x) phi(x + t), E phi(x) phi''(x + t), E phi''(x) phi''(x + t): the phase leaves cos(w t)."""
    places, weights = np.polynomial.hermite_e.hermegauss(100)
    weights = weights / weights.sum()
    waves = np.cos(np.multiply.outer(np.asarray(t), places / length))
    return [waves @ (weights * sign * (places / length) ** power) for power, sign in ((0, 1), (2, -1), (4, 1))]


def kernel_matrices(boundary, points, length):
    """K_bb, K_bD and K_DD."""
    pairs = ((boundary, boundary, 0), (boundary, points, 1), (points, points, 2))
    return [kernels(np.subtract.outer(rows, columns), length)[order] for rows, columns, order in pairs]


def law(residual, f, matrices):
    """residual^T K_bD f / sqrt(residual^T K_bb residual f^T K_DD f), for residuals (..., B)."""
    within, mixed, inner = matrices
    return residual @ mixed @ f / np.sqrt(np.sum(residual @ within * residual, axis=-1) * (f @ inner @ f))


def small_tanh_gradients(a, w, b, alpha, beta, m1, m2, data):
    """Blocks a, w, b of both gradients as s -> 0, up to positive factors, from u'' = -2 sum a w^2 (w x + b)."""
    p, q = alpha * m2 + beta * m1, alpha * m1 + beta
    equation = (p * w**3 + q * w**2 * b, p * 3 * a * w**2 + q * 2 * a * w * b, q * a * w**2)
    at_zero, at_one = (b, 0 * a, a), (w + b, a, a)
    boundary = tuple(-data[0] * zero - data[1] * one for zero, one in zip(at_zero, at_one, strict=True))
    return boundary, equation


def wide_score(direction, alpha, beta, m1, m2, data, bias):
    """A for infinitely many neurons at given alpha and beta, by quadrature over one neuron."""

    def moment(block, first, second):
        def product(a, w, b):
            pair = small_tanh_gradients(a, w, bias * b, alpha, beta, m1, m2, data)
            return pair[first][block] * pair[second][block]

        return normal(product, 3, 6)  # exact for degree 11 in each variable

    table = np.array([[moment(block, *pair) for pair in ((0, 1), (0, 0), (1, 1))] for block in range(3)])
    if direction == "GD":
        product, one, other = table.sum(axis=0)
        return product / np.sqrt(one * other)
    return np.mean(table[:, 0] / np.sqrt(table[:, 1] * table[:, 2]))
