"""Claims T15 and T17: in its slow mode gradient descent makes two losses conflict, and Newton directions align there.

For least squares with independent row spaces and a shared zero residual, gradient descent moves the stacked residual by
r -> (I - eta K) r, K = J J^T, so r turns to the bottom eigenvector of K. T17 is the linear PINN -u'' = f on (0, 1) with
prescribed u(0), u(1): the loss terms are |r_bc|^2 / 2 and the integral of (u'' + f)^2 / 2 by Gauss-Legendre quadrature.
"""

from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from gradalign.base.precision import dtype_of
from gradalign.claims._batches import Floats, misaligned, scores
from gradalign.claims._checks import Measured, Tolerance, equals, holds, never, vanishes
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
from gradalign.claims._records import Curve, Numbers, Status
from gradalign.diagnostics.alignment import score_from_gram
from gradalign.diagnostics.angles import conflict_factor, gauss_newton_gram, irreducible_conflict
from gradalign.diagnostics.matrices import condition_number

MODES = Tolerance(1e-9, "scores of single eigenvectors of K, condition up to 1e3")
LIMIT = Tolerance(1e-6, "distance of a score from its limit at the end of a run")
IDENTITY = Tolerance(1e-12, "closed forms after some tens of operations")
CONDITION = Tolerance(1e-10, "relative: condition numbers kappa(J)^2 of columns that are almost orthogonal")
NEWTON = Tolerance(1e-8, "Newton steps at condition 1e3 of J")
PRINTED_CONDITION = Tolerance(5e4, "half a unit of the last printed digit of 7.6e6")
PRINTED_FACTOR = Tolerance(0.5, "half a unit of the last printed digit of 30")
PRINTED_SCORE = Tolerance(0.005, "half a unit of the last printed digit of -0.91")

CONDITIONS: Status = "proven under conditions"
BASES = range(4, 17, 2)
"""Numbers N of basis functions beyond the two that the boundary sees."""
RUN = 10
"""N of the runs on the linear PINN."""
CONDITION_OF_THE_RUN = Tolerance(CONDITION * RUN**4, "1e-10 of kappa = N^4, of columns that are almost orthogonal")
SIZES = np.arange(4, 17)
"""N of the angles in Legendre coefficients."""
EVEN, ODD = (SIZES + 3) // 2, (SIZES + 2) // 2
"""n_e and n_o: how many of the indices 0, ..., N + 1 are even and odd."""
LARGER = np.maximum(EVEN, ODD)


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


# T15: scores at the slowest and the fastest mode


class SeveralLosses(NamedTuple):
    """J: (m, 12). ends: the rows of J before which one loss ends and the next begins, (losses - 1,)."""

    J: Floats
    ends: NDArray[np.integer[Any]]


@cache
def problems() -> tuple[list[SeveralLosses], list[TwoLosses]]:
    """200 problems of 2 to 4 losses of 1 to 3 residuals each, and 100 problems of 3 + 3 residuals."""
    generator = np.random.default_rng([15, 1])
    several = []
    for _ in range(200):
        sizes = generator.integers(1, 4, generator.integers(2, 5))
        J = random_jacobian(generator, 10 ** -generator.uniform(0, 3, sizes.sum()), 12)
        several.append(SeveralLosses(J, np.cumsum(sizes)[:-1]))
    two = [TwoLosses(random_jacobian(generator, 10 ** -generator.uniform(0, 3, 6), 9), 3) for _ in range(100)]
    return several, two


class ModeScores(NamedTuple):
    """Raw score, Newton score and the kernel's Newton score at the bottom and the top mode in turn, (200, 3).

    found: of the directions. expected: by the formulas of T15.
    """

    found: Floats
    expected: Floats


@cache
def scores_of_modes() -> ModeScores:
    expected, raw, newton, kernel = [], [], [], []
    for problem in problems()[1]:
        for mode in (0, -1):
            z = np.linalg.eigh(problem.J @ problem.J.T)[1][:, mode]
            expected.append(mode_scores(problem, mode == -1))
            raw.append(raw_directions(problem, z[None])[0])
            newton.append(newton_directions(problem, z[None])[0])
            kernel.append(_newton_score(*(jnp.asarray(part) for part in (problem.J[:3], problem.J[3:], z))))
    found = np.stack([scores(np.array(raw)), scores(np.array(newton)), np.array(kernel)], axis=1)
    return ModeScores(found, np.array(expected)[:, [0, 1, 1]])


@vanishes(
    "T15",
    "At an eigenvector z of K, sum_j!=i <g_i, g_j> = k ||z_i||^2 - ||g_i||^2.",
    "largest error, 200 problems of 2 to 4 losses",
    IDENTITY,
    CONDITIONS,
    draws=800,
)
def products_at_an_eigenvector() -> Numbers:
    errors = []
    for J, ends in problems()[0]:
        values, vectors = np.linalg.eigh(J @ J.T)
        for k, z in ((values[0], vectors[:, 0]), (values[-1], vectors[:, -1])):
            g = _loss_gradients(J, z, ends)
            squares = np.array([part @ part for part in np.split(z, ends)])
            errors.append(_products_with_the_others(g) - (k * squares - np.sum(g**2, axis=1)))
    return errors


@holds(
    "T15",
    "At the bottom mode every loss is in net conflict with the others, at the top mode none is.",
    "least margin, 200 problems of 2 to 4 losses",
    IDENTITY,
    CONDITIONS,
    draws=800,
)
def net_conflict_at_the_ends() -> Numbers:
    margins = []
    for J, ends in problems()[0]:
        vectors = np.linalg.eigh(J @ J.T)[1]
        margins.append(-_products_with_the_others(_loss_gradients(J, vectors[:, 0], ends)))
        margins.append(_products_with_the_others(_loss_gradients(J, vectors[:, -1], ends)))
    return margins


@vanishes(
    "T15",
    "At the bottom mode A_raw = -sqrt((1 - k/rho_1)(1 - k/rho_2)), A_Newton = sqrt((k_1'/k - 1)(k_2'/k - 1)).",
    "largest error, 100 problems",
    MODES,
    CONDITIONS,
    draws=300,
)
def scores_of_the_bottom_mode() -> Numbers:
    found, expected = scores_of_modes()
    return found[::2] - expected[::2]


@vanishes(
    "T15",
    "At the top mode A_raw = sqrt((k/rho_1 - 1)(k/rho_2 - 1)), A_Newton = -sqrt((1 - k_1'/k)(1 - k_2'/k)).",
    "largest error, 100 problems",
    MODES,
    CONDITIONS,
    draws=300,
)
def scores_of_the_top_mode() -> Numbers:
    found, expected = scores_of_modes()
    return found[1::2] - expected[1::2]


@never(
    "T15",
    "Two losses with linear residuals, independent row spaces and one common zero: where the residual is the "
    "bottom mode, raw gradients conflict and Newton directions align; where it is the top mode, the reverse.",
    "scores of the wrong sign, 100 problems",
    CONDITIONS,
    draws=600,
)
def signs_of_the_modes() -> Measured:
    found = scores_of_modes().found
    expected = np.tile([[-1, 1, 1], [1, -1, -1]], (100, 1))
    return Measured(np.sign(found) * expected <= 0, of=found)


# T15: scores along gradient descent


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


@vanishes(
    "T15",
    "Gradient descent turns the residual to the bottom eigenvector.",
    "1 - |cos| after 20000 steps, m = 6, d = 9",
    IDENTITY,
    CONDITIONS,
)
def residual_turns_to_the_bottom() -> Numbers:
    end = least_squares_paths()["generic start"].residuals[-1]
    z = np.linalg.eigh(least_squares().J @ least_squares().J.T)[1][:, 0]
    return misaligned(end, z * np.sign(end @ z))


@equals(
    "T15",
    "Along gradient descent with a step below 2/(lambda_1 + lambda_m) the scores tend to those of the bottom mode.",
    "A_raw after 20000 steps",
    None,
    LIMIT,
    CONDITIONS,
)
def raw_score_of_small_steps() -> Measured:
    return Measured(least_squares_paths()["generic start"].raw[-1], expected=mode_scores(least_squares(), False)[0])


@equals(
    "T15",
    "Along gradient descent with a step below 2/(lambda_1 + lambda_m) the scores tend to those of the bottom mode.",
    "A_Newton after 20000 steps",
    None,
    LIMIT,
    CONDITIONS,
)
def newton_score_of_small_steps() -> Measured:
    return Measured(least_squares_paths()["generic start"].newton[-1], expected=mode_scores(least_squares(), False)[1])


@equals(
    "T15",
    "Along gradient descent from near the top mode the first scores are its own.",
    "A_raw at the start",
    None,
    LIMIT,
    CONDITIONS,
)
def first_raw_score_near_the_top() -> Measured:
    path = least_squares_paths()["start near the top mode"]
    return Measured(path.raw[0], expected=mode_scores(least_squares(), True)[0])


@equals(
    "T15",
    "Along gradient descent from near the top mode the first scores are its own.",
    "A_Newton at the start",
    None,
    LIMIT,
    CONDITIONS,
)
def first_newton_score_near_the_top() -> Measured:
    path = least_squares_paths()["start near the top mode"]
    return Measured(path.newton[0], expected=mode_scores(least_squares(), True)[1])


@equals(
    "T15",
    "Along gradient descent from near the top mode the limits are the same.",
    "A_raw, 20000 steps",
    None,
    LIMIT,
    CONDITIONS,
)
def last_raw_score_from_near_the_top() -> Measured:
    path = least_squares_paths()["start near the top mode"]
    return Measured(path.raw[-1], expected=mode_scores(least_squares(), False)[0])


@equals(
    "T15",
    "Along gradient descent from near the top mode the limits are the same.",
    "A_Newton, 20000 steps",
    None,
    LIMIT,
    CONDITIONS,
)
def last_newton_score_from_near_the_top() -> Measured:
    path = least_squares_paths()["start near the top mode"]
    return Measured(path.newton[-1], expected=mode_scores(least_squares(), False)[1])


@equals(
    "T15",
    "Along gradient descent with a step above 2/(lambda_1 + lambda_m) the limit is the top mode.",
    "A_raw after 20000 steps",
    None,
    LIMIT,
    CONDITIONS,
)
def raw_score_of_large_steps() -> Measured:
    problem, start = least_squares(), least_squares_paths()["generic start"].residuals[0]
    values = np.linalg.eigvalsh(problem.J @ problem.J.T)
    # Between 2/(lambda_1 + lambda_m) and 2/lambda_1 the top mode is the slow one
    path = descend(problem, start, 2 / float(values[-1] + values[0] / 2), 20_000)
    return Measured(path.raw[-1], expected=mode_scores(problem, True)[0])


@holds(
    "T15",
    "With three losses, too, gradient descent ends in net conflict of every loss with the others.",
    "least -sum_j!=i <g_i, g_j>/||g_i||^2 after 20000 steps",
    0.0,
    CONDITIONS,
    draws=3,
)
def net_conflict_of_three_losses() -> Numbers:
    """The six residuals as three losses of two."""
    end = least_squares_paths()["generic start"].residuals[-1]
    g = _loss_gradients(least_squares().J, end, np.array([2, 4]))
    return 1 - g @ g.sum(axis=0) / np.sum(g**2, axis=1)


# T17a: the basis 1, x, sin k pi x: no conflict at any parameters, and kappa = N^4


@vanishes(
    "T17a",
    "In the basis 1, x, sin k pi x of -u'' = f the two gradients are orthogonal at all parameters.",
    "largest |A|, 50 points each, N = 4, 6, ..., 16",
    IDENTITY,
    draws=50 * len(BASES),
)
def scores_of_the_sine_basis() -> Numbers:
    generator = np.random.default_rng([17, 1])
    found = []
    for N in BASES:
        problem = TwoLosses(np.concatenate(sines(N)), 2)
        found.append(scores(raw_directions(problem, generator.standard_normal((50, len(problem.J))))))
    return found


@vanishes(
    "T17a",
    "There kappa(H) = pi^4 N^4/(3 - sqrt 5) at boundary weight 1.",
    "largest relative error, N = 4, 6, ..., 16",
    CONDITION,
    draws=len(BASES),
)
def condition_at_boundary_weight_one() -> Numbers:
    return [weighted_condition(*sines(N), 1.0) * (3 - np.sqrt(5)) / (np.pi * N) ** 4 - 1 for N in BASES]


@vanishes(
    "T17a",
    "There the best boundary weight gives kappa(H) = N^4.",
    "largest relative error, N = 4, 6, ..., 16",
    CONDITION,
    draws=len(BASES),
)
def condition_at_the_best_boundary_weight() -> Numbers:
    return [best_weighting(N) / N**4 - 1 for N in BASES]


@holds(
    "T17a",
    "No boundary weight gives less than N^4.",
    "least kappa/N^4 - 1, N = 10, 41 weights",
    CONDITION,
    draws=41,
)
def least_condition_over_weights() -> Numbers:
    return [weighted_condition(*sines(RUN), w) / RUN**4 - 1 for w in np.geomspace(1e-2, 1e8, 41)]


@equals(
    "T17a",
    "Gradient descent is slow only where gradients conflict.",
    "kappa at the best boundary weight where A = 0 at all parameters, N = 10",
    RUN**4,
    CONDITION_OF_THE_RUN,
    "false in general",
)
def condition_without_conflict() -> Numbers:
    return best_weighting(RUN)


# T17b: Legendre coefficients: the angle between boundary and equation


@cache
def plain_conflicts() -> Floats:
    """c of each of ``SIZES`` in Legendre coefficients, (13,)."""
    return legendre_conflicts(SIZES, False)


@vanishes(
    "T17b",
    "In Legendre coefficients c^2 = 1 - 1/max(n_e, n_o), with n_e even and n_o odd indices.",
    "largest error of c, N = 4..16",
    IDENTITY,
    draws=SIZES.size,
)
def conflict_in_legendre_coefficients() -> Numbers:
    return plain_conflicts() - np.sqrt(1 - 1 / LARGER)


@vanishes(
    "T17b",
    "In orthonormal ones c^2 = max{1 - 1/(n_e (2 n_e - 1)), 1 - 3/(n_o (2 n_o + 1))}.",
    "largest error of c, N = 4..16",
    IDENTITY,
    draws=SIZES.size,
)
def conflict_in_orthonormal_coefficients() -> Numbers:
    least = np.minimum(1 / (EVEN * (2 * EVEN - 1)), 3 / (ODD * (2 * ODD + 1)))
    return legendre_conflicts(SIZES, True) - np.sqrt(1 - least)


@holds(
    "T17b",
    "q is 4 max(n_e, n_o) - 2 up to less than 1/(2 max(n_e, n_o)).",
    "least 1/(2 max) - |q - 4 max + 2|, N = 4..16",
    0.0,
    draws=SIZES.size,
)
def irreducible_factor_in_legendre_coefficients() -> Numbers:
    factors = np.asarray(conflict_factor(jnp.asarray(plain_conflicts())))
    return 1 / (2 * LARGER) - np.abs(factors - 4 * LARGER + 2)


@equals(
    "T17b",
    "The conditioning within the losses can exceed that of the angle by far.",
    "kappa(H), N = 14",
    7.6e6,
    PRINTED_CONDITION,
)
def condition_in_legendre_coefficients() -> Numbers:
    return weighted_condition(*legendre_rows(14, False), 1.0)


@equals(
    "T17b",
    "The conditioning within the losses can exceed that of the angle by far.",
    "irreducible factor q, N = 14",
    30.0,
    PRINTED_FACTOR,
)
def irreducible_factor_for_14() -> Numbers:
    factors = np.asarray(conflict_factor(jnp.asarray(plain_conflicts())))
    return factors[SIZES == 14]


# T17b: runs from zero coefficients


@cache
def pinn_paths() -> dict[str, Path]:
    """Gradient descent with step 1.5/lambda_max and Newton with step 1/2 from zero coefficients, N = 10 (T17b)."""
    problem, start = exponential_pinn(RUN)
    return {
        "gradient descent": descend(problem, start, 1.5 / float(np.linalg.norm(problem.J, 2)) ** 2, 200_000),
        "damped Newton": damped_newton(problem, start, 0.5, 25),
    }


@holds(
    "T17b",
    "Gradient descent from zero coefficients starts with raw gradients that agree.",
    "A_raw at the start, N = 10",
    0.0,
    "observation",
)
def first_raw_score_of_the_pinn() -> Numbers:
    return pinn_paths()["gradient descent"].raw[0]


@holds(
    "T17b",
    "Gradient descent from zero coefficients starts with Newton directions that conflict.",
    "-A_Newton at the start, N = 10",
    0.0,
    "observation",
)
def first_newton_score_of_the_pinn() -> Numbers:
    return -pinn_paths()["gradient descent"].newton[0]


@holds(
    "T17b",
    "Gradient descent from zero coefficients ends with raw gradients in conflict.",
    "-A_raw after 200000 steps",
    0.0,
    "observation",
)
def sign_of_the_last_raw_score_of_the_pinn() -> Numbers:
    return -pinn_paths()["gradient descent"].raw[-1]


@holds(
    "T17b",
    "Gradient descent from zero coefficients ends with Newton directions aligned.",
    "A_Newton after 200000 steps",
    0.0,
    "observation",
)
def sign_of_the_last_newton_score_of_the_pinn() -> Numbers:
    return pinn_paths()["gradient descent"].newton[-1]


@equals(
    "T17b",
    "Gradient descent from zero coefficients ends with raw gradients in conflict.",
    "A_raw after 200000 steps, N = 10",
    -0.91,
    PRINTED_SCORE,
    "observation",
)
def last_raw_score_of_the_pinn() -> Numbers:
    return pinn_paths()["gradient descent"].raw[-1]


@equals(
    "T17b",
    "Late scores are those of the two slowest modes, the even and the odd one.",
    "A_raw after 200000 steps",
    None,
    LIMIT,
    CONDITIONS,
)
def late_raw_score_by_two_modes() -> Measured:
    path = pinn_paths()["gradient descent"]
    return Measured(path.raw[-1], expected=two_mode_scores(exponential_pinn(RUN)[0], path)[0])


@equals(
    "T17b",
    "Late scores are those of the two slowest modes, the even and the odd one.",
    "A_Newton after 200000 steps",
    None,
    LIMIT,
    CONDITIONS,
)
def late_newton_score_by_two_modes() -> Measured:
    path = pinn_paths()["gradient descent"]
    return Measured(path.newton[-1], expected=two_mode_scores(exponential_pinn(RUN)[0], path)[1])


@vanishes(
    "T17b",
    "Damped Newton keeps the score of its directions.",
    "largest change of A_Newton in 25 steps, eta = 1/2",
    NEWTON,
    CONDITIONS,
    draws=26,
)
def newton_score_along_damped_newton() -> Numbers:
    path = pinn_paths()["damped Newton"]
    return path.newton - path.newton[0]


@vanishes(
    "T17b",
    "Damped Newton divides the loss by 1/(1 - eta)^2 = 4 per step.",
    "largest error, 25 steps, eta = 1/2",
    NEWTON,
    CONDITIONS,
    draws=25,
)
def decrease_along_damped_newton() -> Numbers:
    path = pinn_paths()["damped Newton"]
    return path.loss[:-1] / path.loss[1:] - 4


@equals(
    "T17b",
    "Preconditioned gradients that conflict slow down the decrease of the loss.",
    "least L_t/L_t+1 of damped Newton, eta = 1/2, where A_Newton < -1/2",
    4.0,
    NEWTON,
    "false in general",
    draws=25,
)
def decrease_where_newton_directions_conflict() -> Measured:
    path = pinn_paths()["damped Newton"]
    ratios = path.loss[:-1] / path.loss[1:]
    return Measured(ratios[path.newton[:-1] < -0.5], of=[ratios, path.newton])


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


def _products_with_the_others(g: Floats) -> Floats:
    """sum_j!=i <g_i, g_j> of gradients (n, d): (n,)."""
    return np.asarray(g @ g.sum(axis=0) - np.sum(g**2, axis=1))


def _block_quotients(matrix: Floats, z: Floats, first: int) -> Floats:
    """z_i^T M_ii z_i / ||z_i||^2 of both blocks, (2,)."""
    parts = ((z[:first], matrix[:first, :first]), (z[first:], matrix[first:, first:]))
    return np.array([part @ block @ part / (part @ part) for part, block in parts])
