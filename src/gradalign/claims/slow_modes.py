"""Claims T15 and T17: in its slow mode gradient descent makes two losses conflict, and Newton directions align there.

For least squares with independent row spaces and a shared zero residual, gradient descent moves the stacked residual by
r -> (I - eta K) r, K = J J^T, so r turns to the bottom eigenvector of K. T17 is the linear PINN -u'' = f on (0, 1) with
prescribed u(0), u(1): the loss terms are |r_bc|^2 / 2 and the integral of (u'' + f)^2 / 2 by Gauss-Legendre quadrature.
"""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from gradalign.base.precision import dtype_of
from gradalign.claims._batches import Floats, misaligned, scores
from gradalign.claims._linear_residuals import (
    Path,
    TwoLosses,
    damped_newton,
    descend,
    exponential_pinn,
    legendre_rows,
    newton_directions,
    random_jacobian,
    raw_directions,
    sines,
)
from gradalign.claims._records import Claim, Curve, Status, equals, holds, never, timed, vanishes
from gradalign.diagnostics.alignment import score_from_gram
from gradalign.diagnostics.curvature import condition_number, conflict_factor, gauss_newton_gram, irreducible_conflict

MODES = 1e-9  # scores of single eigenvectors of K, condition up to 1e3
LIMIT = 1e-6  # distance of a score from its limit at the end of a run
IDENTITY = 1e-12  # closed forms after some tens of operations
CONDITION = 1e-10  # relative: condition numbers kappa(J)^2 of columns that are almost orthogonal
NEWTON = 1e-8  # Newton steps at condition 1e3 of J

CONDITIONS: Status = "proven under conditions"
BASES = range(4, 17, 2)
"""Numbers N of basis functions beyond the two that the boundary sees."""
RUN = 10
"""N of the runs on the linear PINN."""


def check() -> list[Claim]:
    """All records of the claims T15 and T17.

    Raises ``ConfigurationError`` while JAX's 64-bit types are off.
    """
    dtype_of("float64")
    return timed(CHECKS)


def curves() -> list[Curve]:
    """Scores along gradient descent (T15, T17), losses and scores under damped Newton, and kappa against N (T17)."""
    dtype_of("float64")
    found = []
    for name, path in least_squares_paths().items():
        early = path.steps <= 10_000  # the limit is reached
        found.append(Curve("T15", f"score, {name}", "raw", path.steps[early], path.raw[early]))
        found.append(Curve("T15", f"score, {name}", "Newton", path.steps[early], path.newton[early]))
    for name, path in pinn_paths().items():
        found.append(Curve("T17", f"score, {name}", "raw", path.steps, path.raw))
        found.append(Curve("T17", f"score, {name}", "Newton", path.steps, path.newton))
        found.append(Curve("T17", "relative loss by step", name, path.steps, path.loss / path.loss[0]))
    problem = exponential_pinn(RUN)[0]
    limits = {
        ("T15", "score of the bottom mode"): mode_scores(least_squares(), False),
        ("T15", "score of the top mode"): mode_scores(least_squares(), True),
        ("T17", "score of the two slowest modes"): two_mode_scores(problem, pinn_paths()["gradient descent"]),
        ("T17", "score of the top mode"): mode_scores(problem, True),
    }
    for (claim, quantity), pair in limits.items():
        found += [Curve(claim, quantity, kind, [0.0], [A]) for kind, A in zip(("raw", "Newton"), pair, strict=True)]
    sizes = np.array(BASES, float)
    kappas = np.array([(weighted_condition(*sines(N), 1.0), best_weighting(N)) for N in BASES])
    found.append(Curve("T17", "kappa by N, sines", "boundary weight 1", sizes, kappas[:, 0]))
    found.append(Curve("T17", "kappa by N, sines", "best boundary weight", sizes, kappas[:, 1]))
    return found


def T15() -> list[Claim]:
    """Scores at the slowest and the fastest mode, and along gradient descent."""
    return [*_single_modes(), *_descent_to_the_slow_mode()]


def _single_modes() -> list[Claim]:
    generator = np.random.default_rng([15, 1])
    identity, margin = [], []
    for _ in range(200):
        sizes = generator.integers(1, 4, generator.integers(2, 5))
        J = random_jacobian(generator, 10 ** -generator.uniform(0, 3, sizes.sum()), 12)
        values, vectors = np.linalg.eigh(J @ J.T)
        for k, z, sign in ((values[0], vectors[:, 0], 1), (values[-1], vectors[:, -1], -1)):
            ends = np.cumsum(sizes)[:-1]
            g = _loss_gradients(J, z, ends)
            others = g @ g.sum(axis=0) - np.sum(g**2, axis=1)
            squares = np.array([part @ part for part in np.split(z, ends)])
            identity.append(others - (k * squares - np.sum(g**2, axis=1)))
            margin.append(-sign * others)
    problems = [TwoLosses(random_jacobian(generator, 10 ** -generator.uniform(0, 3, 6), 9), 3) for _ in range(100)]
    expected, raw, newton, kernel = [], [], [], []
    for problem in problems:
        for mode in (0, -1):
            z = np.linalg.eigh(problem.J @ problem.J.T)[1][:, mode]
            expected.append(mode_scores(problem, mode == -1))
            raw.append(raw_directions(problem, z[None])[0])
            newton.append(newton_directions(problem, z[None])[0])
            kernel.append(_newton_score(*(jnp.asarray(part) for part in (problem.J[:3], problem.J[3:], z))))
    found = np.stack([scores(np.array(raw)), scores(np.array(newton)), np.array(kernel)], axis=1)
    errors = found - np.array(expected)[:, [0, 1, 1]]
    signs = np.sign(found) * np.tile([[-1, 1, 1], [1, -1, -1]], (100, 1))
    return [
        vanishes(
            "T15",
            "At an eigenvector z of K, sum_j!=i <g_i, g_j> = k ||z_i||^2 - ||g_i||^2.",
            "largest error, 200 problems of 2 to 4 losses",
            identity,
            IDENTITY,
            CONDITIONS,
            draws=800,
        ),
        holds(
            "T15",
            "At the bottom mode every loss is in net conflict with the others, at the top mode none is.",
            "least margin, 200 problems of 2 to 4 losses",
            margin,
            IDENTITY,
            CONDITIONS,
            draws=800,
        ),
        vanishes(
            "T15",
            "At the bottom mode A_raw = -sqrt((1 - k/rho_1)(1 - k/rho_2)), A_Newton = sqrt((k_1'/k - 1)(k_2'/k - 1)).",
            "largest error, 100 problems",
            errors[::2],
            MODES,
            CONDITIONS,
            draws=300,
        ),
        vanishes(
            "T15",
            "At the top mode A_raw = sqrt((k/rho_1 - 1)(k/rho_2 - 1)), A_Newton = -sqrt((1 - k_1'/k)(1 - k_2'/k)).",
            "largest error, 100 problems",
            errors[1::2],
            MODES,
            CONDITIONS,
            draws=300,
        ),
        never(
            "T15",
            "Two losses with linear residuals, independent row spaces and one common zero: where the residual is the "
            "bottom mode, raw gradients conflict and Newton directions align; where it is the top mode, the reverse.",
            "scores of the wrong sign, 100 problems",
            signs <= 0,
            CONDITIONS,
            draws=600,
            of=found,
        ),
    ]


def _descent_to_the_slow_mode() -> list[Claim]:
    problem, paths = least_squares(), least_squares_paths()
    path, late = paths["generic start"], paths["start near the top mode"]
    bottom, top = mode_scores(problem, False), mode_scores(problem, True)
    values, vectors = np.linalg.eigh(problem.J @ problem.J.T)
    z = vectors[:, 0] * np.sign(path.residuals[-1] @ vectors[:, 0])
    # Between 2/(lambda_1 + lambda_m) and 2/lambda_1 the top mode is the slow one
    beyond = descend(problem, path.residuals[0], 2 / float(values[-1] + values[0] / 2), 20_000)
    return [
        vanishes(
            "T15",
            "Gradient descent turns the residual to the bottom eigenvector.",
            "1 - |cos| after 20000 steps, m = 6, d = 9",
            misaligned(path.residuals[-1], z),
            IDENTITY,
            CONDITIONS,
        ),
        *(
            equals("T15", f"Along gradient descent {words}.", quantity, found, expected, LIMIT, CONDITIONS)
            for words, quantity, expected, found in (
                (
                    "with a step below 2/(lambda_1 + lambda_m) the scores tend to those of the bottom mode",
                    "A_raw after 20000 steps",
                    bottom[0],
                    path.raw[-1],
                ),
                (
                    "with a step below 2/(lambda_1 + lambda_m) the scores tend to those of the bottom mode",
                    "A_Newton after 20000 steps",
                    bottom[1],
                    path.newton[-1],
                ),
                ("from near the top mode the first scores are its own", "A_raw at the start", top[0], late.raw[0]),
                (
                    "from near the top mode the first scores are its own",
                    "A_Newton at the start",
                    top[1],
                    late.newton[0],
                ),
                ("from near the top mode the limits are the same", "A_raw, 20000 steps", bottom[0], late.raw[-1]),
                ("from near the top mode the limits are the same", "A_Newton, 20000 steps", bottom[1], late.newton[-1]),
                (
                    "with a step above 2/(lambda_1 + lambda_m) the limit is the top mode",
                    "A_raw after 20000 steps",
                    top[0],
                    beyond.raw[-1],
                ),
            )
        ),
        holds(
            "T15",
            "With three losses, too, gradient descent ends in net conflict of every loss with the others.",
            "least -sum_j!=i <g_i, g_j>/||g_i||^2 after 20000 steps",
            _net_conflict_of_three(),
            0.0,
            CONDITIONS,
            draws=3,
        ),
    ]


def T17a() -> list[Claim]:
    """The basis 1, x, sin k pi x: no conflict at any parameters, and kappa = N^4."""
    generator = np.random.default_rng([17, 1])
    found, law, best = [], [], []
    for N in BASES:
        boundary, interior = sines(N)
        problem = TwoLosses(np.concatenate([boundary, interior]), 2)
        r = generator.standard_normal((50, len(problem.J)))
        found.append(scores(raw_directions(problem, r)))
        law.append(weighted_condition(boundary, interior, 1.0) * (3 - np.sqrt(5)) / (np.pi * N) ** 4 - 1)
        best.append(best_weighting(N) / N**4 - 1)
    pair = sines(RUN)
    least = [weighted_condition(*pair, w) / RUN**4 - 1 for w in np.geomspace(1e-2, 1e8, 41)]
    return [
        vanishes(
            "T17a",
            "In the basis 1, x, sin k pi x of -u'' = f the two gradients are orthogonal at all parameters.",
            "largest |A|, 50 points each, N = 4, 6, ..., 16",
            found,
            IDENTITY,
            draws=50 * len(BASES),
        ),
        vanishes(
            "T17a",
            "There kappa(H) = pi^4 N^4/(3 - sqrt 5) at boundary weight 1.",
            "largest relative error, N = 4, 6, ..., 16",
            law,
            CONDITION,
            draws=len(BASES),
        ),
        vanishes(
            "T17a",
            "There the best boundary weight gives kappa(H) = N^4.",
            "largest relative error, N = 4, 6, ..., 16",
            best,
            CONDITION,
            draws=len(BASES),
        ),
        holds(
            "T17a",
            "No boundary weight gives less than N^4.",
            "least kappa/N^4 - 1, N = 10, 41 weights",
            least,
            CONDITION,
            draws=41,
        ),
        equals(
            "T17a",
            "Gradient descent is slow only where gradients conflict.",
            "kappa at the best boundary weight where A = 0 at all parameters, N = 10",
            best_weighting(RUN),
            RUN**4,
            CONDITION * RUN**4,
            "false in general",
        ),
    ]


def T17b() -> list[Claim]:
    """Legendre coefficients: the angle between boundary and equation, and the runs from zero coefficients."""
    N = np.arange(4, 17)
    even, odd = (N + 3) // 2, (N + 2) // 2
    counts = np.maximum(even, odd)
    plain, orthonormal = legendre_conflicts(N, False), legendre_conflicts(N, True)
    factors = np.asarray(conflict_factor(jnp.asarray(plain)))
    boundary, interior = legendre_rows(14, False)
    problem, paths = exponential_pinn(RUN)[0], pinn_paths()
    descent, newton = paths["gradient descent"], paths["damped Newton"]
    raw_end, newton_end = two_mode_scores(problem, descent)
    ratios = newton.loss[:-1] / newton.loss[1:]
    return [
        vanishes(
            "T17b",
            "In Legendre coefficients c^2 = 1 - 1/max(n_e, n_o), with n_e even and n_o odd indices.",
            "largest error of c, N = 4..16",
            plain - np.sqrt(1 - 1 / counts),
            IDENTITY,
            draws=N.size,
        ),
        vanishes(
            "T17b",
            "In orthonormal ones c^2 = max{1 - 1/(n_e (2 n_e - 1)), 1 - 3/(n_o (2 n_o + 1))}.",
            "largest error of c, N = 4..16",
            orthonormal - np.sqrt(1 - np.minimum(1 / (even * (2 * even - 1)), 3 / (odd * (2 * odd + 1)))),
            IDENTITY,
            draws=N.size,
        ),
        holds(
            "T17b",
            "q is 4 max(n_e, n_o) - 2 up to less than 1/(2 max(n_e, n_o)).",
            "least 1/(2 max) - |q - 4 max + 2|, N = 4..16",
            1 / (2 * counts) - np.abs(factors - 4 * counts + 2),
            0.0,
            draws=N.size,
        ),
        equals(
            "T17b",
            "The conditioning within the losses can exceed that of the angle by far.",
            "kappa(H), N = 14",
            weighted_condition(boundary, interior, 1.0),
            7.6e6,
            5e4,  # half of the last printed digit
        ),
        equals(
            "T17b",
            "The conditioning within the losses can exceed that of the angle by far.",
            "irreducible factor q, N = 14",
            factors[N == 14],
            30.0,
            0.5,
        ),
        *(
            holds("T17b", f"Gradient descent from zero coefficients {words}.", quantity, slack, 0.0, "observation")
            for words, quantity, slack in (
                ("starts with raw gradients that agree", "A_raw at the start, N = 10", descent.raw[0]),
                ("starts with Newton directions that conflict", "-A_Newton at the start, N = 10", -descent.newton[0]),
                ("ends with raw gradients in conflict", "-A_raw after 200000 steps", -descent.raw[-1]),
                ("ends with Newton directions aligned", "A_Newton after 200000 steps", descent.newton[-1]),
            )
        ),
        equals(
            "T17b",
            "Gradient descent from zero coefficients ends with raw gradients in conflict.",
            "A_raw after 200000 steps, N = 10",
            descent.raw[-1],
            -0.91,
            0.005,
            "observation",
        ),
        *(
            equals(
                "T17b",
                "Late scores are those of the two slowest modes, the even and the odd one.",
                f"{name} after 200000 steps",
                found,
                expected,
                LIMIT,
                CONDITIONS,
            )
            for name, expected, found in (
                ("A_raw", raw_end, descent.raw[-1]),
                ("A_Newton", newton_end, descent.newton[-1]),
            )
        ),
        vanishes(
            "T17b",
            "Damped Newton keeps the score of its directions.",
            "largest change of A_Newton in 25 steps, eta = 1/2",
            newton.newton - newton.newton[0],
            NEWTON,
            CONDITIONS,
            draws=26,
        ),
        vanishes(
            "T17b",
            "Damped Newton divides the loss by 1/(1 - eta)^2 = 4 per step.",
            "largest error, 25 steps, eta = 1/2",
            ratios - 4,
            NEWTON,
            CONDITIONS,
            draws=25,
        ),
        equals(
            "T17b",
            "Preconditioned gradients that conflict slow down the decrease of the loss.",
            "least L_t/L_t+1 of damped Newton, eta = 1/2, where A_Newton < -1/2",
            ratios[newton.newton[:-1] < -0.5],
            4.0,
            NEWTON,
            "false in general",
            draws=25,
            of=[ratios, newton.newton],
        ),
    ]


CHECKS = (T15, T17a, T17b)


def mode_scores(problem: TwoLosses, top: bool) -> tuple[float, float]:
    """Raw and Newton score at the bottom or top eigenvector z of K = J J^T, by the formulas of T15.

    rho_i = z_i^T K_ii z_i/||z_i||^2 and 1/k_i' is the same of K^-1; the radicands are those of either mode.

    >>> J = np.array([[1.0, 0.0], [0.5, np.sqrt(0.75)]])
    >>> [round(A, 12) for top in (False, True) for A in mode_scores(TwoLosses(J, 1), top)]
    [-0.5, 0.5, 0.5, -0.5]
    """
    K = problem.J @ problem.J.T
    values, vectors = np.linalg.eigh(K)
    k, z, sign = (values[-1], vectors[:, -1], 1) if top else (values[0], vectors[:, 0], -1)
    rho, inverse = (_block_quotients(matrix, z, problem.first) for matrix in (K, np.linalg.inv(K)))
    return sign * float(np.sqrt(np.prod(1 - k / rho))), -sign * float(np.sqrt(np.prod(1 / (k * inverse) - 1)))


@cache
def least_squares() -> TwoLosses:
    """3 + 3 residuals of 9 parameters; K has the eigenvalues 1, ..., 1/70 in equal ratios."""
    return TwoLosses(random_jacobian(np.random.default_rng([15, 10]), np.geomspace(1 / 70, 1, 6), 9), 3)


@cache
def least_squares_paths() -> dict[str, Path]:
    """20000 steps 0.1/lambda_max of gradient descent on it, from a generic residual and from near the top mode."""
    problem = least_squares()
    generic = np.random.default_rng([15, 3]).standard_normal(6)
    top = np.linalg.eigh(problem.J @ problem.J.T)[1][:, -1]
    # 1e-8 of another direction moves the scores by about as much
    starts = {"generic start": generic, "start near the top mode": top + 1e-8 * generic}
    return {name: descend(problem, start, 0.1, 20_000) for name, start in starts.items()}


@cache
def pinn_paths() -> dict[str, Path]:
    """Gradient descent with step 1.5/lambda_max and Newton with step 1/2 from zero coefficients, N = 10 (T17b)."""
    problem, start = exponential_pinn(RUN)
    return {
        "gradient descent": descend(problem, start, 1.5 / float(np.linalg.norm(problem.J, 2)) ** 2, 200_000),
        "damped Newton": damped_newton(problem, start, 0.5, 25),
    }


def two_mode_scores(problem: TwoLosses, path: Path) -> tuple[float, float]:
    """Raw and Newton score of the part of the last residual in the two slowest modes, by their quotients as in T15.

    Those modes are even and odd under x -> 1 - x, so their Gram matrices add.
    """
    K = problem.J @ problem.J.T
    values, vectors = np.linalg.eigh(K)
    raw, newton = np.zeros((2, 2)), np.zeros((2, 2))
    for k, z in zip(values[:2], vectors.T[:2], strict=True):
        amplitude = (z @ path.residuals[-1]) ** 2
        share = z[: problem.first] @ z[: problem.first]
        shares = np.array([share, 1 - share])
        for gram, matrix, value in ((raw, K, k), (newton, np.linalg.inv(K), 1 / k)):
            quotients = _block_quotients(matrix, z, problem.first)
            cross = share * (value - quotients[0])
            gram += amplitude * np.array([[shares[0] * quotients[0], cross], [cross, shares[1] * quotients[1]]])
    cosines = [float(gram[0, 1] / np.sqrt(gram[0, 0] * gram[1, 1])) for gram in (raw, newton)]
    return cosines[0], cosines[1]


def weighted_condition(boundary: Floats, interior: Floats, weight: float) -> float:
    """kappa of H = weight J_bc^T J_bc + J_pde^T J_pde, as kappa(J)^2 of the weighted rows.

    >>> weighted_condition(np.array([[1.0, 0.0]]), np.array([[0.0, 2.0]]), 1.0)
    4.0
    """
    rows = np.concatenate([np.sqrt(weight) * boundary, interior])
    return float(condition_number(jnp.asarray(rows))) ** 2


def best_weighting(N: int) -> float:
    """The least kappa(H) over the boundary weights of the sine basis, found by a bounded search."""
    boundary, interior = sines(N)

    def kappa(log: float) -> float:
        return float(np.log(np.linalg.cond(np.concatenate([np.exp(log / 2) * boundary, interior]))))

    found = optimize.minimize_scalar(kappa, bounds=(0, 20), method="bounded")
    return weighted_condition(boundary, interior, float(np.exp(found.x)))


def legendre_conflicts(sizes: NDArray[np.integer[Any]], orthonormal: bool) -> Floats:
    """c between boundary and equation for each N of ``sizes``; zero rows and columns leave one program for all."""
    width = int(sizes.max()) + 2
    padded = np.zeros((2, len(sizes), width, width))
    for k, N in enumerate(sizes.tolist()):
        boundary, interior = legendre_rows(N, orthonormal)
        padded[0, k, :2, : N + 2], padded[1, k, :N, : N + 2] = boundary, interior
    return np.asarray(_conflicts(jnp.asarray(padded[0]), jnp.asarray(padded[1])))


_conflicts = jax.jit(jax.vmap(irreducible_conflict))


@jax.jit
def _newton_score(one: jax.Array, two: jax.Array, r: jax.Array) -> jax.Array:
    """The Newton score by the kernel."""
    residuals = {"one": r[: len(one)], "two": r[len(one) :]}
    return score_from_gram(gauss_newton_gram({"one": one, "two": two}, residuals, 1.0))


def _loss_gradients(J: Floats, r: Floats, ends: NDArray[np.integer[Any]]) -> Floats:
    """g_i = J_i^T r_i, (n, d), of losses whose rows of J (m, d) and residuals r (m,) end before ``ends`` (n - 1,)."""
    return np.stack([rows.T @ part for rows, part in zip(np.split(J, ends), np.split(r, ends), strict=True)])


def _net_conflict_of_three() -> Floats:
    """-sum_j!=i <g_i, g_j>/||g_i||^2 of three losses of two residuals each at the end of gradient descent."""
    problem = least_squares()
    end = least_squares_paths()["generic start"].residuals[-1]
    g = _loss_gradients(problem.J, end, np.array([2, 4]))
    return np.asarray(1 - g @ g.sum(axis=0) / np.sum(g**2, axis=1))


def _block_quotients(matrix: Floats, z: Floats, first: int) -> Floats:
    """z_i^T M_ii z_i / ||z_i||^2 of both blocks, (2,)."""
    parts = ((z[:first], matrix[:first, :first]), (z[first:], matrix[first:, first:]))
    return np.array([part @ block @ part / (part @ part) for part, block in parts])
