"""Claim T20: the Gram matrix of per-loss directions v_i = (J^T J + mu)^(-p) g_i for least squares.

Problems are drawn from explicit seeds in float64. Directions are made from their definition, with the matrix of the
parameters' size, and compared with ``gauss_newton_gram``, which needs the kernel K = J J^T only. A record of status
"false in general" reproduces a counterexample.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradalign.alignment import null_value
from gradalign.batches import largest, score, scores
from gradalign.curvature import random_orthogonal
from gradalign.experiments.least_squares import (
    COLUMNS,
    CUTOFF,
    ROWS,
    directions,
    grams,
    grid,
    joined_ends,
    linearise,
    ordinary_network,
    random_problems,
    rich_network,
    stacked,
)
from gradalign.precision import dtype_of
from gradalign.records import Claim, Curve, holds, in_band, never, timed, vanishes

Floats = NDArray[np.floating[Any]]

CLOSED_FORM = 1e-10  # powers of kernels of condition up to 1e4
DEFICIENT = 1e-8  # the same where a residual may lie almost off the range of its Jacobian
CONDITIONED = 1e-6  # the same at condition up to 1e9, for networks
DAMPED = 1e-3  # what a damping of 1e-8 largest eigenvalues leaves of the whitened score of a network
LIMIT = 1e-3  # distance from the limit of a score that tends to it linearly, at k = 1e-8
SLOPE = 0.05
POWERS = (0.0, 0.25, 0.5, 0.75, 1.0)
POINTS = 8  # of the network
NETWORKS = 3  # draws of the rich initialisation
ORDINARY = 16  # draws of the ordinary one


def check() -> list[Claim]:
    """All records of the claim T20.

    Raises ``ConfigurationError`` while JAX's 64-bit types are off.
    """
    dtype_of("float64")
    return timed([T20, T20a, T20b, T20c, T20d, T20e])


def curves() -> list[Curve]:
    """Scores against the power p, for random problems and for a network with damping, and the sign flip.

    Raises ``ConfigurationError`` while JAX's 64-bit types are off.
    """
    dtype_of("float64")
    powers = np.linspace(0, 1.25, 51)
    found = []
    for n in (2, 3, 4):
        J, r = random_problems(n, 3, np.random.default_rng([20, 7, n]))
        for draw in range(3):
            values = _scores_by_power(J[draw], r[draw], powers, 0.0)
            found.append(Curve("T20", "score against power, random problems", f"n = {n}", powers, values, draw))
    generator = np.random.default_rng([20, 8])
    for series, rows in (("one residual per loss", 1), ("three residuals per loss", 3)):
        J, r = random_problems(2, 200, generator, rows)
        raw, newton = (grams(J, r, p)[1] for p in (0.0, 1.0))
        found.append(Curve("T20", "Gauss-Newton score against raw score", series, raw, newton))
    J, r = _ordinary(0)
    for damping in (1e-2, 1e-4, 1e-6, 1e-8):
        values = _scores_by_power(J, r, powers, damping * _top(J))
        found.append(Curve("T20", "score against power, network", f"mu = {damping:g} lambda_max", powers, values))
    return found


def T20() -> list[Claim]:
    """The master identity."""
    errors, deficient = [], []
    for n in (2, 3, 4):
        generator = np.random.default_rng([20, 1, n])
        J, r = random_problems(n, 200, generator)
        errors += [_identity_error(J, r, p, damping) for p in POWERS for damping in (0.0, 1e-3, 1.0)]
        J, r = random_problems(n, 200, generator, deficient=True)
        deficient += [_identity_error(J, r, p, 0.0) for p in POWERS]
    J, r = _networks()
    network = [_identity_error(J, r, p, 0.0) for p in (0.0, 0.5, 1.0)]
    statement = "<v_i, v_j> = r_i^T [K (K + mu)^(-2p)]_ij r_j for v_i = (J^T J + mu)^(-p) g_i"
    return [
        vanishes(
            "T20",
            f"{statement}.",
            "largest relative error, 600 draws, p in 0..1, mu in 0, 1e-3, 1, kappa(K) up to 1e4",
            errors,
            CLOSED_FORM,
        ),
        vanishes(
            "T20",
            f"{statement}, with pseudo-powers where the rows of a loss depend on each other (mu = 0).",
            "largest relative error, 600 draws, p in 0..1",
            deficient,
            DEFICIENT,
        ),
        vanishes(
            "T20",
            f"{statement}, for the exact Jacobian of a tanh network.",
            f"largest relative error, 321 parameters, {NETWORKS} rich initialisations, mu = 0, p = 0, 1/2, 1",
            network,
            CONDITIONED,
        ),
    ]


def T20a() -> list[Claim]:
    """The whitened score."""
    errors: dict[bool, list[float]] = {False: [], True: []}
    for n in (2, 3, 4):
        generator = np.random.default_rng([20, 2, n])
        for deficient, found in errors.items():
            J, r = random_problems(n, 500, generator, deficient=deficient)
            found += [
                largest(values - null_value(n)) for values in (grams(J, r, 0.5)[1], scores(directions(J, r, 0.5)))
            ]
    damped = []
    for draw in range(ORDINARY):
        J, r = _ordinary(draw)
        damped.append(_scores_by_power(J, r, np.array([0.5]), 1e-8 * _top(J))[0])
    shared = np.array([[[1.0, 0.0]], [[2.0, 0.0]]])
    statement = "With independent row spaces the whitened per-loss directions (p = 1/2) are orthogonal, so A = 2/n - 1"
    return [
        vanishes(
            "T20a",
            f"{statement}.",
            "largest |A - (2/n - 1)|, 1500 draws, n = 2, 3, 4",
            errors[False],
            CLOSED_FORM,
            "proven under conditions",
        ),
        vanishes(
            "T20a",
            f"{statement}, also where the rows within a loss depend on each other.",
            "largest |A - (2/n - 1)|, 1500 draws, n = 2, 3, 4",
            errors[True],
            CLOSED_FORM,
            "proven under conditions",
        ),
        vanishes(
            "T20a",
            f"{statement}: -1/3 for the three losses of a network.",
            f"largest |A + 1/3|, {NETWORKS} rich initialisations",
            scores(directions(*_networks(), 0.5)) - null_value(3),
            CONDITIONED,
            "proven under conditions",
        ),
        vanishes(
            "T20a",
            "With little damping the whitened score of a network that is numerically rank deficient is near 2/n - 1.",
            f"largest |A|, two losses, {ORDINARY} ordinary initialisations, mu = 1e-8 lambda_max",
            damped,
            DAMPED,
            "empirical",
        ),
        Claim(
            "T20a",
            "The whitened score is 2/n - 1 whatever the row spaces.",
            "false in general",
            "whitened score of two losses that share their only row",
            1.0,
            score(directions(shared, np.ones((2, 1)), 0.5)),
            CLOSED_FORM,
        ),
    ]


def T20b() -> list[Claim]:
    """One residual per loss, two losses."""
    J, r = random_problems(2, 1000, np.random.default_rng([20, 3]), rows=1)
    raw, newton = (scores(directions(J, r, p)) for p in (0.0, 1.0))
    wrong = 0
    for p in (0.1, 0.3, 0.45, 0.55, 0.7, 1.0, 1.5):
        wrong += int(np.sum(np.sign(grams(J, r, p)[1]) != np.sign(raw) * np.sign(0.5 - p)))
    rows = np.array([[[1.0, 0.0]], [[0.6, 0.8]]])
    return [
        vanishes(
            "T20b",
            "With one residual per loss and two losses Gauss-Newton flips the sign of the raw cosine: A(1) = -A(0).",
            "largest |A(1) + A(0)|, 1000 draws",
            newton + raw,
            CLOSED_FORM,
        ),
        never(
            "T20b",
            "With one residual per loss and two losses sgn A(p) = sgn A(0) sgn(1/2 - p).",
            "wrong signs, 1000 draws, seven powers p in 0.1..1.5",
            wrong,
        ),
        Claim(
            "T20b",
            "Gauss-Newton preconditioning does not lower the score of the per-loss directions.",
            "false in general",
            "Gauss-Newton score of two losses of one residual each with raw score 0.6",
            -0.6,
            score(directions(rows, np.ones((2, 1)), 1.0)),
            CLOSED_FORM,
        ),
    ]


def T20c() -> list[Claim]:
    """Eigenmodes of the kernel."""
    identity, slacks, whitened = [], [], []
    for n in (2, 3, 4):
        J, _ = random_problems(n, 100, np.random.default_rng([20, 4, n]))
        draws = np.arange(len(J))
        values, modes = np.linalg.eigh(stacked(J) @ np.swapaxes(stacked(J), 1, 2))
        first = np.sum(values <= CUTOFF * values[:, -1:], axis=1)  # rows of zeros have the eigenvalue 0
        last = n * ROWS - 1
        for place in (first, (first + last) // 2, np.full_like(first, last)):
            k, z = values[draws, place], modes[draws, :, place]
            r = z.reshape(-1, n, ROWS)
            for p in (*POWERS, 0.4, 0.6):
                gram, _ = grams(J, r, p)
                own = np.einsum("bii->bi", gram)
                net = gram.sum(axis=2) - own
                full = k[:, None] ** (1 - 2 * p) * np.sum(r**2, axis=2)
                seen = np.arange(last + 1) >= first[:, None]
                powers = np.where(seen, np.where(seen, values, 1.0) ** (1 - 2 * p), 0.0)
                # r_i^T [K^(1-2p)]_ii r_i: the square of E_i r in the eigenbasis of K, by its powers
                sides = np.einsum("bim,bimk->bik", r, modes.reshape(-1, n, ROWS, last + 1))
                diagonal = np.einsum("bik,bk->bi", sides**2, powers)
                identity.append((net - (full - diagonal)) / (full + diagonal))
                if p == 0.5:
                    whitened.append(net / own)
                if place is first:
                    slacks.append(np.sign(p - 0.5) * net / (full + diagonal))
                elif np.all(place == last):
                    slacks.append(np.sign(0.5 - p) * net / (full + diagonal))
    return [
        vanishes(
            "T20c",
            "At an eigenmode K r = k r, sum_(j != i) <v_i, v_j> = k^(1-2p) ||r_i||^2 - r_i^T [K^(1-2p)]_ii r_i.",
            "largest relative error, 300 problems, three modes, seven powers",
            np.concatenate([part.ravel() for part in identity]),
            CLOSED_FORM,
            "proven under conditions",
        ),
        holds(
            "T20c",
            "In the slowest mode every loss is in net conflict with the others for p < 1/2 and in net agreement for "
            "p > 1/2; in the fastest mode the other way round.",
            "least slack, relative, 300 problems, seven powers",
            np.concatenate([part.ravel() for part in slacks]),
            CLOSED_FORM,
            "proven under conditions",
        ),
        vanishes(
            "T20c",
            "Whitened directions (p = 1/2) have no net interaction in any mode.",
            "largest |sum_(j != i) <v_i, v_j>| / ||v_i||^2, 300 problems, three modes",
            np.concatenate([part.ravel() for part in whitened]),
            CLOSED_FORM,
            "proven under conditions",
        ),
    ]


def T20d() -> list[Claim]:
    """The ill-conditioned limit."""
    bottoms = (1e-4, 1e-5, 1e-6, 1e-8)
    distances, wrong = [], 0
    for found, sign in ill_conditioned(200, bottoms, np.random.default_rng([20, 5])):
        wrong += int(np.sign(found[-1]) != sign)
        distances.append(np.abs(found - sign))
    errors = np.array(distances)
    slope = np.polyfit(np.log(bottoms[:3]), np.log(np.median(errors, axis=0)[:3]), 1)[0]
    statement = "As the least eigenvalue k of K vanishes, the Gauss-Newton score of two losses tends to +-1"
    return [
        never(
            "T20d",
            f"{statement}, with the sign of <z_1, r_1> <z_2, r_2>, z the slowest mode.",
            f"wrong signs at k = 1e-8, {len(errors)} draws",
            wrong,
            "proven under conditions",
        ),
        vanishes(
            "T20d",
            f"{statement}.",
            f"largest distance at k = 1e-8, {len(errors)} draws",
            errors[:, -1],
            LIMIT,
            "proven under conditions",
        ),
        Claim(
            "T20d",
            f"{statement} at a distance of the order of k.",
            "proven under conditions",
            "slope of the median log distance against log k, k = 1e-4..1e-6",
            1.0,
            float(slope),
            SLOPE,
        ),
    ]


def T20e() -> list[Claim]:
    """Residuals of a symmetric law."""
    generator = np.random.default_rng([20, 6])
    J = np.repeat(random_problems(2, 1, generator, rows=ROWS)[0], 20_000, axis=0)
    r = generator.standard_normal((20_000, 2, ROWS))
    mirrored = r * np.array([-1.0, 1.0])[:, None]
    records, odd = [], []
    for name, p in (("raw gradients", 0.0), ("Gauss-Newton directions", 1.0)):
        found = grams(J, r, p)[1]
        odd.append(found + grams(J, mirrored, p)[1])
        records.append(
            in_band(
                "T20e",
                "If r_1 and -r_1 have the same law, both signs of the score are equally likely, for every power p.",
                f"|z| of the share of conflicts, {name}, 20000 draws",
                float(abs(np.mean(found < 0) - 0.5) / np.sqrt(0.25 / len(r))),
            )
        )
    statement = "A(-r_1, r_2) = -A(r_1, r_2) for two losses and every power p."
    return [*records, vanishes("T20e", statement, "largest error, 20000 draws, p = 0 and 1", odd, CLOSED_FORM)]


def ill_conditioned(draws: int, bottoms: Sequence[float], generator: np.random.Generator) -> list[tuple[Floats, float]]:
    """Gauss-Newton scores at each least eigenvalue k of K, and sgn(<z_1, r_1> <z_2, r_2>), for two losses; by draw.

    K = Q diag(k, lambda_2, ...) Q^T with lambda uniform in [0.2, 1]. Draws where a slow component |<z_i, r_i>| is below
    0.1 are left out: the limit does not hold where it vanishes, and comes late where it is small.
    """
    found = []
    for _ in range(draws):
        Q, frame = random_orthogonal(generator, 2 * ROWS), random_orthogonal(generator, COLUMNS)[: 2 * ROWS]
        values, r = generator.uniform(0.2, 1, 2 * ROWS), generator.standard_normal((2, ROWS))
        slow = np.sum(Q[:, 0].reshape(2, ROWS) * r, axis=1)
        if np.min(np.abs(slow)) < 0.1:
            continue
        J = np.stack([(Q * np.sqrt([k, *values[1:]])) @ frame for k in bottoms]).reshape(-1, 2, ROWS, COLUMNS)
        found.append((grams(J, np.repeat(r[None], len(J), axis=0), 1.0)[1], float(np.sign(np.prod(slow)))))
    return found


def _ordinary(draw: int) -> tuple[Floats, Floats]:
    return joined_ends(*linearise(ordinary_network(np.random.default_rng([20, 9, draw])), grid(POINTS)))


def _networks() -> tuple[Floats, Floats]:
    found = [linearise(rich_network(np.random.default_rng([23, draw])), grid(POINTS)) for draw in range(NETWORKS)]
    return np.stack([J for J, _ in found]), np.stack([r for _, r in found])


def _top(J: Floats) -> float:
    """The largest eigenvalue of K."""
    return float(np.linalg.norm(stacked(J), 2) ** 2)


def _scores_by_power(J: Floats, r: Floats, powers: Floats, damping: float) -> Floats:
    repeated = [np.repeat(array[None], len(powers), axis=0) for array in (J, r)]
    return grams(repeated[0], repeated[1], powers, damping)[1]


def _identity_error(J: Floats, r: Floats, power: float, damping: float) -> float:
    """The largest difference of entries of the two Gram matrices, in units of the norms of the directions."""
    v = directions(J, r, power, damping)
    norms = np.linalg.norm(v, axis=2)
    expected = np.einsum("bik,bjk->bij", v, v)
    return largest((grams(J, r, power, damping)[0] - expected) / (norms[:, :, None] * norms[:, None, :]))
