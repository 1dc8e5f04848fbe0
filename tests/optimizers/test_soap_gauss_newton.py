"""SOAP with Gauss-Newton statistics: the NumPy oracle, the limits of the statistics, and Newton's step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.soap_gauss_newton import SoapGaussNewton

from gradalign.optimizers._objective import Objective
from gradalign.optimizers.soap_gauss_newton import Settings, gradient_and_sketches, method, signs

ONE = {"fit": jnp.ones(())}


def bilinear(W, points):
    x, z = points["fit"][:, :4], points["fit"][:, 4:]
    return {"fit": jnp.einsum("im,mn,in->i", x, W, z) ** 2 - 1}


@pytest.mark.parametrize("sketches", [1, 3])
@pytest.mark.parametrize("frequency", [2, 10])
@pytest.mark.parametrize("trust", [0.05, 1e3])
def test_five_iterates_are_those_of_the_oracle(sketches, frequency, trust):
    generator = np.random.default_rng(sketches)
    x, z = generator.normal(size=(30, 4)), generator.normal(size=(30, 4))
    points = {"fit": jnp.asarray(np.hstack([x, z]))}
    settings = Settings(
        learning_rate=0.3, b2=0.9, eps=1e-3, trust=trust, sketches=sketches, precondition_frequency=frequency
    )
    chosen = method(settings, 6)
    W = generator.normal(size=(4, 4))
    params, state = jnp.asarray(W), chosen.init(jnp.asarray(W))
    step = jax.jit(chosen.step)
    oracle = SoapGaussNewton(x, z, 0.9, 0.9, 1e-3, trust, frequency)
    for call in range(1, 7):  # the first call only initialises the bases
        drawn = np.asarray(signs(state.key, jnp.asarray(call), sketches, 30, jnp.dtype("float64")))
        params, state, _ = step(Objective(ONE, bilinear), params, state, points)
        W = W - 0.3 * oracle.direction(W, drawn)
        if call == 1:  # signs of eigenvectors are arbitrary: adopt them, after a check that they diagonalise
            oracle.QL, oracle.QR = (np.asarray(basis) for basis in state.bases[0])
            for basis, factor in ((oracle.QL, oracle.L), (oracle.QR, oracle.R)):
                eigenvalues = np.linalg.eigvalsh(factor)[::-1]
                np.testing.assert_allclose(basis.T @ factor @ basis, np.diag(eigenvalues), atol=1e-13 * eigenvalues[0])
        np.testing.assert_allclose(params, W, rtol=0, atol=1e-10)
    np.testing.assert_allclose(state.curvature, oracle.C, rtol=1e-10)  # entries up to 1e5


def test_a_window_goes_on_with_the_curvatures_of_the_last():
    generator = np.random.default_rng(4)
    x, z = generator.normal(size=(30, 4)), generator.normal(size=(30, 4))
    points = {"fit": jnp.asarray(np.hstack([x, z]))}
    chosen = method(Settings(learning_rate=0.3, b2=0.9, eps=1e-3, precondition_frequency=2), 4)
    W = generator.normal(size=(4, 4))
    params, state = jnp.asarray(W), chosen.init(jnp.asarray(W))
    oracle = SoapGaussNewton(x, z, 0.9, 0.9, 1e-3, 0.1, 2)
    for call in range(1, 9):
        drawn = np.asarray(signs(state.key, jnp.asarray(call), 1, 30, jnp.dtype("float64")))
        if call == 5:
            state = chosen.enter(params, state, jnp.asarray(4, jnp.int32))
            oracle.enter()
        params, state, _ = chosen.step(Objective(ONE, bilinear), params, state, points)
        W = W - 0.3 * oracle.direction(W, drawn)
        if call == 1:
            oracle.QL, oracle.QR = (np.asarray(basis) for basis in state.bases[0])
        np.testing.assert_allclose(params, W, rtol=0, atol=1e-10)


def test_the_rate_falls_to_its_last_share_along_every_window():
    """One coordinate with slope 1 and curvature 1 moves by the rate."""
    settings = Settings(learning_rate=0.4, warmup_steps=2, last_share=0.01, b1=0.0, b2=0.0, eps=1e-12, trust=1e3)
    chosen = method(settings, 7)
    line = Objective({"fit": jnp.ones(())}, lambda p, points: {"fit": p * np.sqrt(0.5) + points["fit"]})
    params = jnp.zeros(1)
    state = chosen.enter(params, chosen.init(params), jnp.asarray(7, jnp.int32))
    for steps in (7, 4, 1):
        state, moved = chosen.enter(params, state, jnp.asarray(steps, jnp.int32)), []
        for _ in range(steps):
            # residual that makes the gradient 1 at the current parameter: 2 * sqrt(1/2) * r = 1
            points = {"fit": jnp.asarray([np.sqrt(0.5)]) - params * np.sqrt(0.5)}
            after, state, _ = chosen.step(line, params, state, points)
            moved.append(float((params - after)[0]))
            params = after
        expected = [0.0, 0.2, 0.4 * 1.0] + [0.4 * 0.01 ** (k / (steps - 3)) for k in range(1, steps - 2)]
        np.testing.assert_allclose(moved, expected[:steps], rtol=0, atol=1e-10)


def layer(generator):
    """Residuals a_i^T W b_j - y_ij of a (4, 3) layer: J^T J is the Kronecker product of A^T A and B^T B."""
    A, B = ((np.linalg.qr(generator.normal(size=(n, n)))[0] * 2.0 ** -np.arange(n)).T for n in (4, 3))
    solution = generator.normal(size=(4, 3))

    def residuals(W, points):
        rows = (jnp.asarray(A) @ (W - solution) @ jnp.asarray(B).T).ravel()
        return {"fit": np.sqrt(rows.size) * rows}

    return Objective(ONE, residuals), 2 * np.kron(A.T @ A, B.T @ B), solution, A, B


POINTS = {"fit": jnp.zeros(1)}


@pytest.mark.slow
def test_sketches_estimate_twice_the_gauss_newton_matrix():
    objective, hessian, _, A, B = layer(np.random.default_rng(0))
    draws = 40_000
    drawn = signs(jnp.zeros(2, jnp.uint32), jnp.asarray(1), draws, 12, jnp.dtype("float64"))
    gradient, sketches = gradient_and_sketches(objective, jnp.ones((4, 3)), POINTS, drawn)
    np.testing.assert_allclose(gradient, objective.gradient(jnp.ones((4, 3)), POINTS), rtol=0, atol=1e-13)
    flat = np.asarray(sketches).reshape(draws, 12)
    np.testing.assert_allclose(
        jax.hessian(objective.loss)(jnp.ones((4, 3)), POINTS).reshape(12, 12), hessian, atol=1e-13
    )
    # E ||s s^T - H||^2 <= (tr H)^2 for independent signs, hence this error at three standard deviations
    error = 3 * np.trace(hessian) / np.sqrt(draws)
    assert np.linalg.norm(flat.T @ flat / draws - hessian) < error
    assert np.linalg.norm(flat.T @ flat / draws - hessian / 2) > 10 * error  # the factor of two is resolved
    left = np.mean(sketches @ np.swapaxes(sketches, 1, 2), axis=0)
    assert np.linalg.norm(left - 2 * A.T @ A * np.trace(B.T @ B)) < error * np.sqrt(12)


def newton_error(sketches):
    """Relative distance of the second call's step from Newton's, with so many sketches per call for all statistics."""
    objective, hessian, solution, *_ = layer(np.random.default_rng(0))
    settings = Settings(learning_rate=1.0, b1=0.0, b2=0.9, eps=1e-12, trust=1e3, sketches=sketches)
    chosen = method(settings, 2)
    start = jnp.ones((4, 3))
    params, state = start, chosen.init(start)
    for _ in range(2):
        params, state, _ = chosen.step(objective, params, state, POINTS)
    newton = -np.linalg.solve(hessian, np.asarray(objective.gradient(start, POINTS)).ravel()).reshape(4, 3)
    np.testing.assert_allclose(start + newton, solution, rtol=0, atol=1e-10)
    gradient = objective.gradient(start, POINTS)
    mapped = chosen.precondition(objective, params, state, POINTS, gradient)
    np.testing.assert_allclose(start - mapped, params, rtol=0, atol=1e-12)
    return np.linalg.norm(params - start - newton) / np.linalg.norm(newton)


@pytest.mark.slow
def test_step_converges_to_that_of_newton_on_a_kronecker_product():
    few, many = newton_error(500), newton_error(32_000)
    assert many < few / 3  # 64 times the sketches: an eighth of the error on average
    assert many < 0.1


def test_no_coordinate_moves_further_than_the_bound():
    objective, *_ = layer(np.random.default_rng(0))
    chosen = method(Settings(learning_rate=0.5, trust=0.01), 5)
    params = jnp.ones((4, 3))
    state = chosen.init(params)
    for _ in range(5):
        (left, right), before = state.bases[0], params
        params, state, metrics = chosen.step(objective, params, state, POINTS)
        moved = left.T @ (params - before) @ right
        assert jnp.max(jnp.abs(moved)) <= 0.5 * 0.01 * (1 + 1e-12)
    assert 0 < metrics["clipped"] <= 1


@pytest.mark.slow
def test_sketches_weigh_all_loss_terms_and_rows():
    def residuals(W, points):
        return {name: jnp.tanh(x @ W).sum(axis=1) - 0.5 for name, x in points.items()}

    generator = np.random.default_rng(1)
    points = {"a": jnp.asarray(generator.normal(size=(3, 2))), "b": jnp.asarray(generator.normal(size=(5, 2)))}
    weights = {"a": jnp.asarray(2.0), "b": jnp.asarray(0.3)}
    objective = Objective(weights, residuals, lambda found: {"b": jnp.exp(-(found["b"] ** 2))})
    W = jnp.asarray(generator.normal(size=(2, 3)))
    drawn = signs(jnp.zeros(2, jnp.uint32), jnp.asarray(3), 4, 8, jnp.dtype("float64"))
    gradient, sketches = gradient_and_sketches(objective, W, points, drawn)
    r, J = objective.linearisation(W, points)
    np.testing.assert_allclose(gradient.ravel(), 2 * J.T @ r, rtol=0, atol=1e-13)
    np.testing.assert_allclose(sketches.reshape(4, -1), np.sqrt(2) * drawn @ J, rtol=0, atol=1e-13)


def test_signs_follow_from_key_and_call():
    key, dtype = jnp.asarray([1, 2], jnp.uint32), jnp.dtype("float64")
    first = signs(key, jnp.asarray(1), 2, 50, dtype)
    assert np.array_equal(first, signs(key, jnp.asarray(1), 2, 50, dtype))
    assert not np.array_equal(first, signs(key, jnp.asarray(2), 2, 50, dtype))
    assert not np.array_equal(first[0], first[1])
    assert abs(float(jnp.mean(first))) < 0.4  # four standard deviations
