"""The architectures in NumPy, from the formulas of their papers, one point at a time."""

import numpy as np
from oracles.stretching import place

ACTIVATIONS = {
    "tanh": np.tanh,
    "sin": np.sin,
    "swish": lambda a: a / (1 + np.exp(-a)),
    "gelu": lambda a: a / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (a + 0.044715 * a**3))),
}


def embed(point, domain, periodic, harmonics, frequencies, factors=(0, 0)):
    """Scaled coordinates, cosines and sines of periodic ones, then cosines and sines of random projections."""
    entries = []
    for value, (low, high), repeats, factor in zip(point, domain, periodic, factors, strict=True):
        if repeats:
            angle = 2 * np.pi * (value - low) / (high - low)
            entries += [np.cos(k * angle) for k in range(1, harmonics + 1)]
            entries += [np.sin(k * angle) for k in range(1, harmonics + 1)]
        else:
            entries.append(place(value, low, high, factor))
    z = np.array(entries)
    return z if frequencies is None else np.concatenate([np.cos(frequencies.T @ z), np.sin(frequencies.T @ z)])


def affine(layer, x):
    """W x + b with W = diag(exp s) V: rows of V are outputs, as the paper writes it (stored transposed)."""
    W = np.asarray(layer["kernel"]).T
    if "log_scale" in layer:
        W = np.diag(np.exp(layer["log_scale"])) @ W
    return W @ x + np.asarray(layer["bias"])


def mlp(params, z, activation):
    h = z
    for layer in params["hidden"]:
        h = activation(affine(layer, h))
    return affine(params["output"], h)


def modified_mlp(params, z, activation):
    U, V = (activation(affine(layer, z)) for layer in params["gates"])
    H = z
    for layer in params["hidden"]:
        Z = activation(affine(layer, H))
        H = Z * U + (1 - Z) * V
    return affine(params["output"], H)


def pirate_net(params, z, activation):
    U, V = (activation(affine(layer, z)) for layer in params["gates"])
    x = z
    for block in params["blocks"]:
        W1, W2, W3 = block["layers"]
        f = activation(affine(W1, x))
        z1 = f * U + (1 - f) * V
        g = activation(affine(W2, z1))
        z2 = g * U + (1 - g) * V
        h = activation(affine(W3, z2))
        x = block["skip"] * h + (1 - block["skip"]) * x
    return affine(params["output"], x)


def spectral(params, time, place, period, harmonics, parities, activation):
    """u_f = sum over k of c_fk φ_k; place is measured from the centre of the symmetry; parity 0: none, all waves."""
    c = list(mlp(params, np.array([time]), activation))
    fields = []
    for parity in parities:
        even = [np.cos(2 * np.pi * k * place / period) for k in range(harmonics + 1)]
        odd = [np.sin(2 * np.pi * k * place / period) for k in range(1, harmonics + 1)]
        shapes = {0: even + odd, 1: even, -1: odd}[parity]
        fields.append(sum(c.pop(0) * shape for shape in shapes))
    assert not c
    return np.array(fields)


ARCHITECTURES = {"mlp": mlp, "modified_mlp": modified_mlp, "pirate_net": pirate_net}
