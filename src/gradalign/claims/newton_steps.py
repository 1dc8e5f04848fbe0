"""Claims T18 and T19: the cosine of consecutive gradients or updates of damped Newton steps.

A step is theta -> theta - eta n with n = H^-1 g. Functions of T19 are polynomials of degree up to four around a point,
drawn from explicit seeds in float64; their steps are compared with the constants of the claim. Cosines near one are
measured by ``misalignment`` = 1 - A, which does not cancel.
"""

from collections.abc import Callable
from functools import cache
from itertools import permutations
from math import factorial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from gradalign.base.precision import dtype_of
from gradalign.claims._batches import misalignments, score, scores, units
from gradalign.claims._checks import Measured, Tolerance, counted, equals, vanishes
from gradalign.claims._records import Curve, Numbers, Status
from gradalign.claims._two_modes import MODES, MODES_START, SHOWN_SHARES
from gradalign.diagnostics.matrices import hessian_matrix, random_orthogonal, random_positive_definite

Floats = NDArray[np.floating[Any]]

CLOSED_FORM = Tolerance(1e-9, "closed forms after a handful of products with matrices of condition up to 1e3")
FLOW = Tolerance(1e-12, "direction error of the Runge-Kutta flow, of order step^8 for 1 - cos")
SLOPE = Tolerance(0.05, "slope of log(1 - A) over a decade, which the next order bends")
CONSTANT = Tolerance(0.02, "relative; the next order at the shortest error or step")
LIMIT = Tolerance(1e-3, "distance from a limit that is approached linearly, at an error of 1e-5")

CONDITIONS: Status = "proven under conditions"
PROBLEMS, DIMENSION = 20, 5
LENGTHS = np.logspace(-3, -2, 7)  # of the error theta - theta_*
STEPS = np.logspace(-4, -3, 7)  # towards eta -> 0, away from minimisers
TARGETS = np.linspace(-0.99, 0.99, 9)  # cosines that a full step is to show
LATE = 30  # steps


class Jet(NamedTuple):
    """A batch of functions f(e) = <g, e> + H[e, e]/2 + T[e, e, e]/6 + Q[e, e, e, e]/24 with symmetric coefficients.

    g: (B, d). H: (B, d, d). T: (B, d, d, d). Q: (B, d, d, d, d).
    """

    g: Floats
    H: Floats
    T: Floats
    Q: Floats

    def gradient(self, e: Floats) -> Floats:
        """g + H e + T[e, e]/2 + Q[e, e, e]/6 at e (B, d): (B, d)."""
        quartic = np.einsum("bijkl,bj,bk,bl->bi", self.Q, e, e, e) / 6
        return np.asarray(self.g + np.einsum("bij,bj->bi", self.H, e) + twice(self.T, e) / 2 + quartic)

    def hessian(self, e: Floats) -> Floats:
        """H + T[e] + Q[e, e]/2 at e (B, d): (B, d, d)."""
        quartic = np.einsum("bijkl,bk,bl->bij", self.Q, e, e) / 2
        return np.asarray(self.H + np.einsum("bijk,bk->bij", self.T, e) + quartic)

    def newton(self, e: Floats) -> Floats:
        """n = H(e)^-1 g(e) at e (B, d): (B, d)."""
        return solve(self.hessian(e), self.gradient(e))


def curves() -> list[Curve]:
    """Late scores by step size, 1 - A over time on a quadratic, and 1 - A over its constant by the error.

    Raises ``ConfigurationError`` while JAX's 64-bit types are off.
    """
    dtype_of("float64")
    late = scores(np.stack([late_updates(eta, LATE)[-2:] for eta in SHOWN_SHARES]))
    updates = late_updates(0.6, LATE)
    distance = misalignments(np.stack([updates[:-1], updates[1:]], axis=1))
    found = [
        Curve("T18", "late score", "damped Newton", SHOWN_SHARES, late),
        Curve("T18", "distance from the limit", "damped Newton", np.arange(distance.size), distance),
    ]
    for order, name in ((2, "cubic"), (4, "T = 0")):
        for kind, (defects, predicted) in near_minimiser(order).items():
            scaled = defects / predicted * LENGTHS[:, None] ** order
            found += [Curve("T19", f"1 - A of {kind}", name, LENGTHS, scaled[:, k], seed=k) for k in range(PROBLEMS)]
    return found


# T18a: damped Newton on quadratics


class NewtonStep(NamedTuple):
    """eta: step size. H: (8, 8). g, after: gradients before and after the step, (8,). v: update H^-1 g, (8,)."""

    eta: float
    H: Floats
    g: Floats
    after: Floats
    v: Floats


@cache
def newton_steps() -> list[NewtonStep]:
    """20 problems for each of six step sizes."""
    generator = np.random.default_rng([18, 1])
    found = []
    for eta in (0.1, 0.5, 0.9, 1.1, 1.5, 1.9):
        for _ in range(20):
            H = random_positive_definite(generator, 8, 100.0)
            g = H @ generator.standard_normal(8)
            v = solve(H[None], g[None])[0]
            found.append(NewtonStep(eta, H, g, g - eta * H @ v, v))
    return found


@vanishes(
    "T18a",
    "Damped Newton on a quadratic: A_inter = sgn(1 - eta) for gradients.",
    "largest error, 120 problems",
    CLOSED_FORM,
    draws=120,
)
def score_of_gradients() -> Numbers:
    return [score(np.stack([g, after])) - np.sign(1 - eta) for eta, _, g, after, _ in newton_steps()]


@vanishes(
    "T18a",
    "Damped Newton on a quadratic: A_inter = sgn(1 - eta) for updates.",
    "largest error, 120 problems",
    CLOSED_FORM,
    draws=120,
)
def score_of_updates() -> Numbers:
    errors = []
    for eta, H, _, after, v in newton_steps():
        errors.append(score(np.stack([v, solve(H[None], after[None])[0]])) - np.sign(1 - eta))
    return errors


@vanishes(
    "T18a",
    "Its gradient is multiplied by 1 - eta.",
    "largest relative error, 120 problems",
    CLOSED_FORM,
    draws=120,
)
def contraction_of_the_gradient() -> Numbers:
    return [np.linalg.norm(after - (1 - eta) * g) / np.linalg.norm(g) for eta, _, g, after, _ in newton_steps()]


# T18b: the Newton flow of a function that is neither quadratic nor convex


class Flows(NamedTuple):
    """Of 5 flows over unit time. before, after: gradients at both ends, (5, 6). turned: 1 - cos of them, (5,).

    spectra: eigenvalues of the Hessian at both ends, ascending, (5, 2, 6).
    """

    before: Floats
    after: Floats
    turned: Floats
    spectra: Floats


@cache
def saddle_flows() -> Flows:
    generator = np.random.default_rng([18, 2])
    H, directions, start = (np.stack(parts) for parts in zip(*(_saddle(generator) for _ in range(5)), strict=True))

    def run(theta: Array, H: Array, directions: Array) -> tuple[Array, Array, Array]:
        return newton_flow(lambda point: saddle(point, H, directions), theta, 1.0, 200)

    before, after, spectra = (np.asarray(part) for part in jax.jit(jax.vmap(run))(start, H, directions))
    return Flows(before, after, misalignments(np.stack([before, after], axis=1)), spectra)


@vanishes(
    "T18b",
    "The Newton flow of any smooth function keeps the direction of the gradient, convex or not.",
    "largest 1 - cos over unit time, 5 saddles in 6 dimensions",
    FLOW,
    draws=5,
)
def direction_along_the_flow() -> Numbers:
    return saddle_flows().turned


@vanishes(
    "T18b",
    "Along the Newton flow ||g(t)|| = exp(-t) ||g(0)||.",
    "largest relative error at t = 1",
    CLOSED_FORM,
    draws=5,
)
def length_along_the_flow() -> Numbers:
    before, after, _, _ = saddle_flows()
    return np.linalg.norm(after, axis=1) / np.linalg.norm(before, axis=1) * np.e - 1


@counted(
    "T18b",
    "Convexity is not needed.",
    "flows of 5 that keep the direction from one indefinite Hessian to another",
    5,
    draws=5,
)
def flows_between_indefinite_hessians() -> Measured:
    _, _, turned, spectra = saddle_flows()
    indefinite = np.all((spectra[:, :, 0] < 0) & (spectra[:, :, -1] > 0), axis=1)
    return Measured(indefinite & (np.abs(turned) <= FLOW), of=[spectra, turned])


# T19: orders of 1 - A near a minimiser


@cache
def near_minimiser(order: int) -> dict[str, tuple[Floats, Floats]]:
    """1 - A of updates and of gradients by the length of the error, with its leading term C ||e||^order (T19).

    order: 2 for functions with third derivatives, 4 for functions with fourth ones alone. By kind, both of shape
    (lengths, problems).
    """
    generator = np.random.default_rng([19, order // 2])
    jet = minimiser(generator, order)
    direction = units(generator.standard_normal((PROBLEMS, DIMENSION)))
    eta = generator.uniform(0.1, 0.8, (PROBLEMS, 1))
    updates, gradients = [], []
    for length in LENGTHS:
        e = length * direction
        n, g = jet.newton(e), jet.gradient(e)
        after = e - eta * n
        updates.append(misalignments(np.stack([n, jet.newton(after)], axis=1)))
        gradients.append(misalignments(np.stack([g, jet.gradient(after)], axis=1)))
    if order == 2:
        curved = twice(jet.T, direction)
        update_factor, gradient_factor = eta * (2 - eta) / (2 * (1 - eta)), eta**2 / (2 * (1 - eta))
    else:
        curved = np.einsum("bijkl,bj,bk,bl->bi", jet.Q, direction, direction, direction)
        update_factor = eta * (3 - 3 * eta + eta**2) / (3 * (1 - eta))
        gradient_factor = eta**2 * (3 - eta) / (6 * (1 - eta))
    powers = LENGTHS[:, None] ** order
    image = np.einsum("bij,bj->bi", jet.H, direction)
    return {
        "updates": (np.array(updates), powers * tilt(direction, update_factor * solve(jet.H, curved))),
        "gradients": (np.array(gradients), powers * tilt(image, gradient_factor * curved)),
    }


@vanishes(
    "T19",
    "Near a minimiser 1 - A of damped Newton's consecutive updates is eta^2 (2 - eta)^2/(8 (1 - eta)^2) ||t||^2 "
    "||e||^2 at leading order, t the part of H^-1 T[u, u] orthogonal to u = e/||e||.",
    "largest error of the slope 2, 20 problems",
    SLOPE,
    CONDITIONS,
    draws=PROBLEMS,
)
def order_of_updates() -> Numbers:
    defects, _ = near_minimiser(2)["updates"]
    return slopes(LENGTHS, defects) - 2


@vanishes(
    "T19",
    "Near a minimiser 1 - A of damped Newton's consecutive updates is eta^2 (2 - eta)^2/(8 (1 - eta)^2) ||t||^2 "
    "||e||^2 at leading order, t the part of H^-1 T[u, u] orthogonal to u = e/||e||.",
    "largest relative error of the constant at ||e|| = 1e-3, 20 problems",
    CONSTANT,
    CONDITIONS,
    draws=PROBLEMS,
)
def constant_of_updates() -> Numbers:
    defects, predicted = near_minimiser(2)["updates"]
    return defects[0] / predicted[0] - 1


@vanishes(
    "T19",
    "Near a minimiser 1 - A of damped Newton's consecutive gradients is eta^4/(8 (1 - eta)^2) ||t||^2/||H u||^2 "
    "||e||^2 at leading order, t the part of T[u, u] orthogonal to H u.",
    "largest error of the slope 2, 20 problems",
    SLOPE,
    CONDITIONS,
    draws=PROBLEMS,
)
def order_of_gradients() -> Numbers:
    defects, _ = near_minimiser(2)["gradients"]
    return slopes(LENGTHS, defects) - 2


@vanishes(
    "T19",
    "Near a minimiser 1 - A of damped Newton's consecutive gradients is eta^4/(8 (1 - eta)^2) ||t||^2/||H u||^2 "
    "||e||^2 at leading order, t the part of T[u, u] orthogonal to H u.",
    "largest relative error of the constant at ||e|| = 1e-3, 20 problems",
    CONSTANT,
    CONDITIONS,
    draws=PROBLEMS,
)
def constant_of_gradients() -> Numbers:
    defects, predicted = near_minimiser(2)["gradients"]
    return defects[0] / predicted[0] - 1


@vanishes(
    "T19",
    "Near a minimiser 1 - A of damped Newton's consecutive updates is eta^2 (3 - 3 eta + eta^2)^2/(18 (1 - eta)^2) "
    "||t||^2 ||e||^4 at leading order where T = 0, t the part of H^-1 Q[u, u, u] orthogonal to u.",
    "largest error of the slope 4, 20 problems",
    SLOPE,
    CONDITIONS,
    draws=PROBLEMS,
)
def order_of_updates_without_third_derivatives() -> Numbers:
    defects, _ = near_minimiser(4)["updates"]
    return slopes(LENGTHS, defects) - 4


@vanishes(
    "T19",
    "Near a minimiser 1 - A of damped Newton's consecutive updates is eta^2 (3 - 3 eta + eta^2)^2/(18 (1 - eta)^2) "
    "||t||^2 ||e||^4 at leading order where T = 0, t the part of H^-1 Q[u, u, u] orthogonal to u.",
    "largest relative error of the constant at ||e|| = 1e-3, 20 problems",
    CONSTANT,
    CONDITIONS,
    draws=PROBLEMS,
)
def constant_of_updates_without_third_derivatives() -> Numbers:
    defects, predicted = near_minimiser(4)["updates"]
    return defects[0] / predicted[0] - 1


@vanishes(
    "T19",
    "Near a minimiser 1 - A of damped Newton's consecutive gradients is eta^4 (3 - eta)^2/(72 (1 - eta)^2) "
    "||t||^2/||H u||^2 ||e||^4 at leading order where T = 0, t the part of Q[u, u, u] orthogonal to H u.",
    "largest error of the slope 4, 20 problems",
    SLOPE,
    CONDITIONS,
    draws=PROBLEMS,
)
def order_of_gradients_without_third_derivatives() -> Numbers:
    defects, _ = near_minimiser(4)["gradients"]
    return slopes(LENGTHS, defects) - 4


@vanishes(
    "T19",
    "Near a minimiser 1 - A of damped Newton's consecutive gradients is eta^4 (3 - eta)^2/(72 (1 - eta)^2) "
    "||t||^2/||H u||^2 ||e||^4 at leading order where T = 0, t the part of Q[u, u, u] orthogonal to H u.",
    "largest relative error of the constant at ||e|| = 1e-3, 20 problems",
    CONSTANT,
    CONDITIONS,
    draws=PROBLEMS,
)
def constant_of_gradients_without_third_derivatives() -> Numbers:
    defects, predicted = near_minimiser(4)["gradients"]
    return defects[0] / predicted[0] - 1


# T19: full steps near a minimiser


class FullSteps(NamedTuple):
    """drawn: functions around minimisers. errors: e of length 1e-5, (PROBLEMS, d).

    chosen, chosen_errors: such functions and errors with cos(e, H^-1 T[e, e]) equal to ``TARGETS``, (9, d).
    """

    drawn: Jet
    errors: Floats
    chosen: Jet
    chosen_errors: Floats


@cache
def full_steps() -> FullSteps:
    generator = np.random.default_rng([19, 3])
    drawn = minimiser(generator, 2)
    errors = 1e-5 * units(generator.standard_normal((PROBLEMS, DIMENSION)))
    chosen, directions = with_cosines(generator, TARGETS)
    return FullSteps(drawn, errors, chosen, 1e-5 * directions)


@cache
def reached_scores() -> Floats:
    """A of the updates of full steps for each of ``TARGETS``, (9,)."""
    return update_scores(full_steps().chosen, full_steps().chosen_errors, 1.0)


@vanishes(
    "T19",
    "For full Newton steps A of consecutive updates tends to cos(e, H^-1 T[e, e]).",
    "largest error at ||e|| = 1e-5, 20 problems",
    LIMIT,
    CONDITIONS,
    draws=PROBLEMS,
)
def limit_of_full_steps() -> Numbers:
    jet, e, _, _ = full_steps()
    return update_scores(jet, e, 1.0) - scores(np.stack([e, solve(jet.H, twice(jet.T, e))], axis=1))


@vanishes(
    "T19",
    "That limit takes any value in (-1, 1).",
    "largest distance from 9 chosen values, -0.99 to 0.99, at ||e|| = 1e-5",
    LIMIT,
    CONDITIONS,
    draws=TARGETS.size,
)
def values_of_the_limit() -> Numbers:
    return reached_scores() - TARGETS


@equals(
    "T19",
    "Consecutive updates of full Newton steps align near a minimiser.",
    "A of the updates at ||e|| = 1e-5 where cos(e, H^-1 T[e, e]) is -0.99",
    float(TARGETS[0]),
    LIMIT,
    "false in general",
)
def opposite_updates_of_full_steps() -> Numbers:
    return reached_scores()[0]


# T19: small steps away from minimisers


@cache
def away_from_minimisers() -> dict[str, tuple[Floats, Floats]]:
    """1 - A by the step size, with its leading term C eta^order (T19); by kind, both (steps, problems).

    The points are saddles, whose Hessians have eigenvalues of both signs, none near zero.
    """
    generator = np.random.default_rng([19, 4])
    Q = np.stack([random_orthogonal(generator, DIMENSION) for _ in range(PROBLEMS)])
    values = generator.uniform(0.5, 2, (PROBLEMS, DIMENSION)) * np.array([-1, -1, 1, 1, 1])
    H = np.einsum("bik,bk,bjk->bij", Q, values, Q)
    g = generator.standard_normal((PROBLEMS, DIMENSION))
    jet = Jet(g, H, symmetric(generator, 3), symmetric(generator, 4))
    n = solve(H, g)
    found: dict[str, list[Floats]] = {"gradients, Newton": [], "updates, Newton": [], "gradients, gradient descent": []}
    for eta in STEPS:
        found["gradients, Newton"].append(misalignments(np.stack([g, jet.gradient(-eta * n)], axis=1)))
        found["updates, Newton"].append(misalignments(np.stack([n, jet.newton(-eta * n)], axis=1)))
        found["gradients, gradient descent"].append(misalignments(np.stack([g, jet.gradient(-eta * g)], axis=1)))
    share = np.einsum("bik,bi->bk", Q, units(g)) ** 2
    variance = np.sum(share * values**2, axis=1) - np.sum(share * values, axis=1) ** 2
    leading = {
        "gradients, Newton": STEPS[:, None] ** 4 * tilt(g, twice(jet.T, n) / 2),
        "updates, Newton": STEPS[:, None] ** 2 * tilt(n, solve(H, twice(jet.T, n))),
        "gradients, gradient descent": STEPS[:, None] ** 2 * variance / 2,
    }
    return {kind: (np.array(defects), leading[kind]) for kind, defects in found.items()}


@vanishes(
    "T19",
    "Away from minimisers, as eta -> 0, 1 - A of damped Newton's consecutive gradients is eta^4/8 ||T[n, "
    "n]_perp||^2/||g||^2 at leading order.",
    "largest error of the slope 4, 20 saddles",
    SLOPE,
    CONDITIONS,
    draws=PROBLEMS,
)
def order_of_newton_gradients_for_small_steps() -> Numbers:
    defects, _ = away_from_minimisers()["gradients, Newton"]
    return slopes(STEPS, defects) - 4


@vanishes(
    "T19",
    "Away from minimisers, as eta -> 0, 1 - A of damped Newton's consecutive gradients is eta^4/8 ||T[n, "
    "n]_perp||^2/||g||^2 at leading order.",
    "largest relative error of the constant at eta = 1e-4, 20 saddles",
    CONSTANT,
    CONDITIONS,
    draws=PROBLEMS,
)
def constant_of_newton_gradients_for_small_steps() -> Numbers:
    defects, predicted = away_from_minimisers()["gradients, Newton"]
    return defects[0] / predicted[0] - 1


@vanishes(
    "T19",
    "Away from minimisers, as eta -> 0, 1 - A of damped Newton's consecutive updates is eta^2/2 ||(H^-1 T[n, "
    "n])_perp||^2/||n||^2 at leading order.",
    "largest error of the slope 2, 20 saddles",
    SLOPE,
    CONDITIONS,
    draws=PROBLEMS,
)
def order_of_newton_updates_for_small_steps() -> Numbers:
    defects, _ = away_from_minimisers()["updates, Newton"]
    return slopes(STEPS, defects) - 2


@vanishes(
    "T19",
    "Away from minimisers, as eta -> 0, 1 - A of damped Newton's consecutive updates is eta^2/2 ||(H^-1 T[n, "
    "n])_perp||^2/||n||^2 at leading order.",
    "largest relative error of the constant at eta = 1e-4, 20 saddles",
    CONSTANT,
    CONDITIONS,
    draws=PROBLEMS,
)
def constant_of_newton_updates_for_small_steps() -> Numbers:
    defects, predicted = away_from_minimisers()["updates, Newton"]
    return defects[0] / predicted[0] - 1


@vanishes(
    "T19",
    "Away from minimisers, as eta -> 0, 1 - A of the consecutive gradients of gradient descent is eta^2/2 "
    "Var_g(lambda) at leading order.",
    "largest error of the slope 2, 20 saddles",
    SLOPE,
    CONDITIONS,
    draws=PROBLEMS,
)
def order_of_gradient_descent_for_small_steps() -> Numbers:
    defects, _ = away_from_minimisers()["gradients, gradient descent"]
    return slopes(STEPS, defects) - 2


@vanishes(
    "T19",
    "Away from minimisers, as eta -> 0, 1 - A of the consecutive gradients of gradient descent is eta^2/2 "
    "Var_g(lambda) at leading order.",
    "largest relative error of the constant at eta = 1e-4, 20 saddles",
    CONSTANT,
    CONDITIONS,
    draws=PROBLEMS,
)
def constant_of_gradient_descent_for_small_steps() -> Numbers:
    defects, predicted = away_from_minimisers()["gradients, gradient descent"]
    return defects[0] / predicted[0] - 1


def minimiser(generator: np.random.Generator, order: int) -> Jet:
    """Functions around minimisers, H of condition number 10; third derivatives for order 2, else none (T19)."""
    H = np.stack([random_positive_definite(generator, DIMENSION, 10.0) for _ in range(PROBLEMS)])
    T = symmetric(generator, 3)
    return Jet(np.zeros((PROBLEMS, DIMENSION)), H, T if order == 2 else 0 * T, symmetric(generator, 4))


def with_cosines(generator: np.random.Generator, cosines: Floats) -> tuple[Jet, Floats]:
    """Functions around minimisers with unit errors e, (B, d), such that cos(e, H^-1 T[e, e]) are the given cosines."""
    count = len(cosines)
    H = np.stack([random_positive_definite(generator, DIMENSION, 10.0) for _ in range(count)])
    e = units(generator.standard_normal((count, DIMENSION)))
    draws = generator.standard_normal((count, DIMENSION))
    other = units(draws - np.sum(draws * e, axis=1, keepdims=True) * e)
    w = np.einsum("bij,bj->bi", H, cosines[:, None] * e + np.sqrt(1 - cosines[:, None] ** 2) * other)
    # Symmetric, with T[e, e] = w
    along = 2 * np.sum(w * e, axis=1)[:, None, None, None] * np.einsum("bi,bj,bk->bijk", e, e, e)
    T = sum(np.einsum(f"bi,bj,bk->b{order}", w, e, e) for order in ("ijk", "jik", "jki")) - along
    return Jet(np.zeros_like(e), H, T, np.zeros((count, *4 * (DIMENSION,)))), e


def symmetric(generator: np.random.Generator, order: int) -> Floats:
    """Symmetric tensors with norm one, (problems, d, ..., d)."""
    draws = generator.standard_normal((PROBLEMS, *order * (DIMENSION,)))
    axes = permutations(range(1, order + 1))
    mean = np.asarray(sum(np.transpose(draws, (0, *chosen)) for chosen in axes)) / factorial(order)
    return units(mean.reshape(PROBLEMS, -1)).reshape(draws.shape)


def twice(T: Floats, e: Floats) -> Floats:
    """T[e, e] for T (B, d, d, d) and e (B, d): (B, d)."""
    return np.asarray(np.einsum("bijk,bj,bk->bi", T, e, e))


def solve(H: Floats, g: Floats) -> Floats:
    """H^-1 g for H (B, d, d) and g (B, d): (B, d)."""
    return np.asarray(np.linalg.solve(H, g[..., None])[..., 0])


def tilt(x: Floats, change: Floats) -> Floats:
    """||part of the change orthogonal to x||^2 / (2 ||x||^2): 1 - cos(x, x + change) at leading order, (B,)."""
    across = change - np.sum(change * x, axis=1, keepdims=True) / np.sum(x * x, axis=1, keepdims=True) * x
    return np.asarray(np.sum(across**2, axis=1) / np.sum(x * x, axis=1) / 2)


def slopes(x: Floats, y: Floats) -> Floats:
    """Slopes of log y (N, B) against log x (N,): (B,)."""
    return np.asarray(np.polyfit(np.log(x), np.log(y), 1)[0])


def update_scores(jet: Jet, e: Floats, eta: float) -> Floats:
    """A of the updates at e and after a Newton step from there, (B,)."""
    n = jet.newton(e)
    return scores(np.stack([n, jet.newton(e - eta * n)], axis=1))


def late_updates(eta: float, steps: int) -> Floats:
    """Newton's updates on the two modes of the figure, each scaled to the length one, (steps + 1, 2)."""
    H = np.diag(MODES)
    error, found = MODES_START, []
    for _ in range(steps + 1):
        found.append(units(np.linalg.solve(H, H @ error)))
        error = found[-1] - eta * found[-1]
    return np.array(found)


def saddle(theta: Array, H: Array, directions: Array) -> Array:
    """theta^T H theta / 2 + 0.3 sum_k sin(<d_k, theta> + 1), scalar; theta (d,), H (d, d), directions (k, d)."""
    return theta @ H @ theta / 2 + 0.3 * jnp.sum(jnp.sin(directions @ theta + 1))


def newton_flow(loss: Callable[[Array], Array], theta: Array, time: float, steps: int) -> tuple[Array, Array, Array]:
    """Gradients at both ends of d theta/dt = -H^-1 g over ``time``, by ``steps`` classical Runge-Kutta steps.

    Returns g(0) (d,), g(time) (d,) and the eigenvalues of H at both ends, ascending, (2, d).
    """
    h = time / steps

    def velocity(point: Array) -> Array:
        return -jnp.linalg.solve(hessian_matrix(loss, point), jax.grad(loss)(point))

    def advance(_: int, point: Array) -> Array:
        k1 = velocity(point)
        k2 = velocity(point + h / 2 * k1)
        k3 = velocity(point + h / 2 * k2)
        k4 = velocity(point + h * k3)
        return point + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    end = jax.lax.fori_loop(0, steps, advance, theta)
    spectra = jnp.stack([jnp.linalg.eigvalsh(hessian_matrix(loss, point)) for point in (theta, end)])
    return jax.grad(loss)(theta), jax.grad(loss)(end), spectra


def _saddle(generator: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """H with two negative eigenvalues, three directions of oscillation, and a starting point, in six dimensions."""
    frame = random_orthogonal(generator, 6)
    H = (frame * np.array([-1, -1, 1, 1, 1, 1]) * generator.uniform(1, 3, 6)) @ frame.T
    return H, 0.5 * generator.standard_normal((3, 6)), 0.3 * generator.standard_normal(6)
