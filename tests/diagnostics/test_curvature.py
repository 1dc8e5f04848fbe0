"""Curvature matrices against finite differences, entry-wise definitions and SciPy."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import curvature as oracle
from scipy import linalg
from tolerances import CONDITIONED, DIFFERENCES, IDENTITY, ROUNDING

from gradalign.diagnostics.angles import conflict_factor, gauss_newton_gram, irreducible_conflict, principal_angles
from gradalign.diagnostics.kronecker import (
    best_kronecker,
    off_diagonal_energy,
    rank_one_fraction,
    rearrange,
    shampoo_factors,
)
from gradalign.diagnostics.matrices import (
    condition_number,
    gauss_newton_matrix,
    hessian_matrix,
    hessian_vector_product,
    jacobian_blocks,
    jacobian_matrix,
    kernel_matrix,
    random_orthogonal,
    random_positive_definite,
    residual_vector,
    second_moment,
    symmetric_power,
)

X = np.linspace(-1, 1, 5)


def params(dtype=jnp.float64):
    """A network 1-3-1 of 10 parameters, as a nested tree with a scalar."""
    generator = np.random.default_rng(0)
    kernel, bias, out = (jnp.asarray(generator.standard_normal(3), dtype) for _ in range(3))
    return {"hidden": [{"kernel": kernel, "bias": bias}], "out": out, "shift": jnp.asarray(0.3, dtype)}


def flat(tree):
    """The order that the docstring promises: dictionary keys sorted, lists in turn."""
    layer = tree["hidden"][0]
    return np.concatenate([layer["bias"], layer["kernel"], tree["out"], [tree["shift"]]])


def unflat(v):
    return {"hidden": [{"bias": v[:3], "kernel": v[3:6]}], "out": v[6:9], "shift": v[9]}


def residuals(tree, np=jnp):
    layer = tree["hidden"][0]
    u = np.tanh(np.asarray(X)[:, None] * layer["kernel"] + layer["bias"]) @ tree["out"] + tree["shift"] ** 2
    return {"pde": u - 1, "bc": u[:2] * u[3:]}


def loss(tree, np=jnp):
    return sum(np.sum(r**2) for r in residuals(tree, np).values()) / 2


def stacked(v):
    found = residuals(unflat(v), np)
    return np.concatenate([found["bc"], found["pde"]])


def test_hessian_matches_differences_of_gradients():
    found = jax.jit(lambda tree: hessian_matrix(loss, tree))(params())
    expected = oracle.jacobian(lambda v: oracle.gradient(lambda w: loss(unflat(w), np), v, 1e-4), flat(params()), 1e-4)
    np.testing.assert_allclose(found, expected, atol=1e-5)  # differences of differences with step 1e-4
    np.testing.assert_allclose(found, found.T, atol=ROUNDING)


def test_hessian_vector_product_is_the_product_with_the_hessian():
    direction = unflat(jnp.cos(1 + jnp.asarray(flat(params()))))
    found = jax.jit(lambda tree, v: hessian_vector_product(loss, tree, v))(params(), direction)
    assert jax.tree.structure(found) == jax.tree.structure(params())
    expected = np.asarray(jax.jit(lambda tree: hessian_matrix(loss, tree))(params())) @ flat(direction)
    np.testing.assert_allclose(flat(found), expected, atol=IDENTITY)


def test_jacobian_stacks_named_residuals_in_sorted_order():
    tree = params()
    np.testing.assert_allclose(residual_vector(residuals, tree), stacked(flat(tree)), atol=ROUNDING)
    found = jax.jit(lambda tree: jacobian_matrix(residuals, tree))(tree)
    assert found.shape == (7, 10)
    np.testing.assert_allclose(found, oracle.jacobian(stacked, flat(tree)), atol=DIFFERENCES)
    blocks = jax.jit(lambda tree: jacobian_blocks(residuals, tree))(tree)
    assert {name: block.shape for name, block in blocks.items()} == {"bc": (2, 10), "pde": (5, 10)}
    np.testing.assert_allclose(np.concatenate([blocks["bc"], blocks["pde"]]), found, atol=ROUNDING)


def test_tall_and_wide_jacobians_agree():
    def tall(tree):
        return [jnp.outer(residual_vector(residuals, tree), jnp.asarray([1.0, 2.0])), tree["shift"]]

    wide, found = jax.jit(lambda tree: (jacobian_matrix(residuals, tree), jacobian_matrix(tall, tree)))(params())
    assert found.shape == (15, 10)
    np.testing.assert_allclose(found[:14:2], wide, atol=ROUNDING)
    np.testing.assert_allclose(found[1:14:2], 2 * np.asarray(wide), atol=ROUNDING)
    np.testing.assert_array_equal(found[14], np.eye(10)[9])


@pytest.mark.slow
def test_gauss_newton_is_the_hessian_of_linear_residuals():
    A = np.random.default_rng(1).standard_normal((4, 3))
    jacobian = jacobian_matrix(lambda x: jnp.asarray(A) @ x, jnp.ones(3))
    np.testing.assert_allclose(jacobian, A, atol=ROUNDING)
    np.testing.assert_allclose(gauss_newton_matrix(jacobian), A.T @ A, atol=ROUNDING)
    np.testing.assert_allclose(kernel_matrix(jacobian), A @ A.T, atol=ROUNDING)
    hessian = hessian_matrix(lambda x: jnp.sum((jnp.asarray(A) @ x) ** 2) / 2, jnp.ones(3))
    np.testing.assert_allclose(gauss_newton_matrix(jacobian), hessian, atol=ROUNDING)


def test_gauss_newton_and_hessian_differ_by_the_second_derivatives_of_the_residuals():
    def curvatures(tree):
        r = jax.lax.stop_gradient(residual_vector(residuals, tree))
        curved = hessian_matrix(lambda point: jnp.dot(r, residual_vector(residuals, point)), tree)
        return gauss_newton_matrix(jacobian_matrix(residuals, tree)) + curved, hessian_matrix(loss, tree)

    np.testing.assert_allclose(*jax.jit(curvatures)(params()), atol=IDENTITY)


def test_float32_parameters_keep_their_type():
    def curvatures(tree):
        return jacobian_matrix(lambda t: t["out"] * 2, tree), hessian_matrix(lambda t: jnp.sum(t["out"] ** 3), tree)

    assert {found.dtype for found in jax.jit(curvatures)(params(jnp.float32))} == {jnp.dtype("float32")}
    assert symmetric_power(jnp.eye(2, dtype=jnp.float32), -0.5).dtype == jnp.float32
    assert jax.jit(principal_angles)(*[np.eye(2, dtype=np.float32)] * 2).dtype == jnp.float32


@pytest.mark.parametrize("power", [-2, -1, -0.5, 0, 0.5, 1, 2])
def test_symmetric_powers_of_definite_matrices(power):
    S = random_positive_definite(np.random.default_rng(2), 5, 100.0)
    found = jax.jit(lambda matrix: symmetric_power(matrix, power))(S)
    np.testing.assert_allclose(found, oracle.power(S, power), rtol=CONDITIONED, atol=CONDITIONED)


@pytest.mark.parametrize("rank", [1, 3])
def test_pseudo_powers_of_singular_matrices(rank):
    J = np.random.default_rng(3).standard_normal((rank, 6))
    S = J.T @ J
    np.testing.assert_allclose(symmetric_power(S, -1), np.linalg.pinv(S), atol=CONDITIONED)
    np.testing.assert_allclose(symmetric_power(S, 0), np.linalg.pinv(J) @ J, atol=CONDITIONED)
    half = np.asarray(symmetric_power(S, -0.5))
    np.testing.assert_allclose(half @ S @ half, np.linalg.pinv(J) @ J, atol=CONDITIONED)
    np.testing.assert_array_equal(symmetric_power(jnp.zeros((2, 2)), -1), np.zeros((2, 2)))


def test_powers_below_the_cutoff_vanish_and_indefinite_matrices_are_nan():
    S = jnp.diag(jnp.asarray([1.0, 1e-6]))
    np.testing.assert_allclose(symmetric_power(S, -1, 1e-3), np.diag([1.0, 0.0]), atol=ROUNDING)
    np.testing.assert_allclose(symmetric_power(S, -1), np.diag([1.0, 1e6]), rtol=CONDITIONED, atol=CONDITIONED)
    assert np.isnan(symmetric_power(jnp.diag(jnp.asarray([1.0, -1e-3])), 0.5)).all()


@pytest.mark.parametrize("shapes", [((1, 5), (1, 5)), ((2, 7), (3, 7)), ((4, 6), (2, 6)), ((3, 3), (2, 3))])
def test_principal_angles_are_those_of_scipy(shapes):
    generator = np.random.default_rng(4)
    first, second = (generator.standard_normal(shape) for shape in shapes)
    found = jax.jit(principal_angles)(first, second)
    expected = np.sort(linalg.subspace_angles(first.T, second.T))
    np.testing.assert_allclose(found, expected, atol=1e-7)  # zero angles of overlapping spaces: square root of rounding


@pytest.mark.parametrize("angle", [1e-12, 1e-6, 0.1, 1.5, np.pi / 2])
def test_angles_between_lines_keep_their_digits(angle):
    second = jnp.asarray([[3 * np.cos(angle), 3 * np.sin(angle), 0.0]])
    found = jax.jit(principal_angles)(jnp.asarray([[2.0, 0.0, 0.0]]), second)
    np.testing.assert_allclose(found, [angle], rtol=IDENTITY)


def test_dependent_rows_add_right_angles_only():
    generator = np.random.default_rng(5)
    first, second = generator.standard_normal((2, 6)), generator.standard_normal((2, 6))
    dependent = np.concatenate([first, first[:1] - 2 * first[1:]])
    found = np.asarray(jax.jit(principal_angles)(dependent, np.concatenate([second, second[:1]])))
    np.testing.assert_allclose(found[:2], jax.jit(principal_angles)(first, second), atol=CONDITIONED)
    assert found[2] == pytest.approx(np.pi / 2, abs=ROUNDING)


@pytest.mark.slow
def test_irreducible_conflict_is_the_norm_of_the_whitened_cross_kernel():
    generator = np.random.default_rng(5)
    one, other = generator.standard_normal((3, 8)), generator.standard_normal((2, 8))
    roots = [oracle.power(J @ J.T, -0.5) for J in (one, other)]
    c = np.linalg.norm(roots[0] @ one @ other.T @ roots[1], 2)
    assert float(irreducible_conflict(one, other)) == pytest.approx(c, abs=IDENTITY)
    D = linalg.block_diag(*roots)
    J = np.concatenate([one, other])
    assert float(conflict_factor(c)) == pytest.approx(np.linalg.cond(D @ J @ J.T @ D), rel=CONDITIONED, abs=0)
    assert float(irreducible_conflict(one, one[:1])) == pytest.approx(1, abs=ROUNDING)


@pytest.mark.parametrize("damping", [0.0, 0.3])
@pytest.mark.parametrize("power", [0.0, 0.25, 0.5, 1.0])
def test_gram_of_directions_by_the_kernel_is_that_of_the_parameter_sized_matrix(power, damping):
    generator = np.random.default_rng(6)
    blocks = {"pde": generator.standard_normal((4, 9)), "bc": generator.standard_normal((2, 9))}
    r = {"pde": generator.standard_normal(4), "bc": generator.standard_normal(2)}
    J = np.concatenate([blocks["bc"], blocks["pde"]])
    # On the row space, the pseudo-power of J^T J acts through the right singular vectors of J
    _, singular, rows = np.linalg.svd(J, full_matrices=False)
    P = (rows.T * (singular**2 + damping) ** -power) @ rows
    v = [P @ blocks[name].T @ r[name] for name in ("bc", "pde")]
    found = gauss_newton_gram({k: jnp.asarray(b) for k, b in blocks.items()}, r, power, damping)
    np.testing.assert_allclose(found, [[a @ b for b in v] for a in v], rtol=0, atol=CONDITIONED)


def test_gram_of_directions_takes_pseudo_powers_of_dependent_rows():
    J = jnp.asarray([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
    found = gauss_newton_gram({"a": J[:1], "b": J[1:]}, {"a": jnp.ones(1), "b": jnp.ones(1)}, 1.0)
    np.testing.assert_allclose(found, np.array([[1, 2], [2, 4]]) / 25, atol=ROUNDING)  # J^+ = (1, 2)^T / 5


def test_off_diagonal_energy_vanishes_in_the_eigenbasis_only():
    generator = np.random.default_rng(7)
    F = random_positive_definite(generator, 6, 20.0)
    _, Q = np.linalg.eigh(F)
    assert float(off_diagonal_energy(jnp.asarray(F), jnp.asarray(Q))) < ROUNDING
    off = F - np.diag(np.diag(F))
    expected = np.sqrt(np.sum(off**2) / np.sum(F**2))
    assert float(off_diagonal_energy(jnp.asarray(F))) == pytest.approx(expected, abs=ROUNDING)
    turned = Q @ np.diag(np.arange(1.0, 7)) @ Q.T
    back = random_orthogonal(generator, 6)
    rotated = back.T @ turned @ back
    expected = np.sqrt(1 - np.sum(np.diag(rotated) ** 2) / np.sum(turned**2))
    assert float(off_diagonal_energy(jnp.asarray(turned), jnp.asarray(back))) == pytest.approx(expected, abs=IDENTITY)


def test_rank_one_fraction_is_the_share_of_the_mean():
    generator = np.random.default_rng(8)
    g = generator.standard_normal((50, 4)) + np.array([1.0, 0, 0, 0])
    mean = sum(g) / 50
    expected = (mean @ mean) / np.trace(sum(np.outer(v, v) for v in g) / 50)
    assert float(rank_one_fraction(jnp.asarray(g))) == pytest.approx(expected, abs=ROUNDING)
    assert float(rank_one_fraction(jnp.asarray(g[:1]))) == pytest.approx(1, abs=ROUNDING)
    assert np.isnan(rank_one_fraction(jnp.zeros((2, 3))))


def test_condition_numbers():
    S = random_positive_definite(np.random.default_rng(6), 6, 1234.0)
    assert float(jax.jit(condition_number)(S)) == pytest.approx(1234.0, rel=CONDITIONED, abs=0)
    assert float(condition_number(S[:3])) == pytest.approx(np.linalg.cond(S[:3]), rel=CONDITIONED, abs=0)
    assert np.isinf(condition_number(jnp.diag(jnp.asarray([1.0, 0.0]))))
    assert np.isnan(condition_number(jnp.zeros((2, 2))))


def test_moments_and_shampoo_factors_are_means_over_samples():
    samples = np.random.default_rng(7).standard_normal((6, 3, 4))
    F, L, R = oracle.moments(samples)
    np.testing.assert_allclose(jax.jit(second_moment)(samples), F, atol=ROUNDING)
    left, right = jax.jit(shampoo_factors)(samples)
    np.testing.assert_allclose(left, L, atol=ROUNDING)
    np.testing.assert_allclose(right, R, atol=ROUNDING)


@pytest.mark.parametrize(("m", "n"), [(1, 3), (3, 1), (2, 3), (3, 2)])
def test_rearrangement_entry_by_entry_and_on_products(m, n):
    generator = np.random.default_rng(8)
    F = generator.standard_normal((m * n, m * n))
    np.testing.assert_array_equal(rearrange(jnp.asarray(F), m, n), oracle.rearranged(F, m, n))
    B, C = generator.standard_normal((m, m)), generator.standard_normal((n, n))
    product = oracle.kronecker(B, C)
    np.testing.assert_allclose(product, np.kron(B, C), atol=ROUNDING)
    outer = np.outer(B.reshape(-1), C.reshape(-1))
    np.testing.assert_allclose(rearrange(jnp.asarray(product), m, n), outer, atol=ROUNDING)
    G = generator.standard_normal((m, n))
    np.testing.assert_allclose(
        rearrange(second_moment(jnp.asarray(G)[None]), m, n), oracle.kronecker(G, G), atol=ROUNDING
    )


def test_best_kronecker_product_is_exact_on_products_and_best_elsewhere():
    generator = np.random.default_rng(9)
    B, C = random_positive_definite(generator, 3, 10.0), random_positive_definite(generator, 4, 10.0)
    found = jax.jit(best_kronecker, static_argnums=(1, 2))(np.kron(B, C), 3, 4)
    np.testing.assert_allclose(np.kron(found.left, found.right), np.kron(B, C), atol=IDENTITY)
    assert float(found.relative_error) < IDENTITY
    assert np.linalg.eigvalsh(found.left)[0] > 0
    assert np.linalg.eigvalsh(found.right)[0] > 0
    F, L, R = oracle.moments(generator.standard_normal((5, 3, 4)))
    found = best_kronecker(jnp.asarray(F), 3, 4)
    distance = np.linalg.norm(F - np.kron(found.left, found.right))
    assert float(found.relative_error) == pytest.approx(distance / np.linalg.norm(F), abs=IDENTITY)
    for _ in range(20):
        B, C = (
            np.asarray(factor) + 0.05 * generator.standard_normal(factor.shape) for factor in (found.left, found.right)
        )
        assert np.linalg.norm(F - np.kron(B, C)) > distance
    assert np.linalg.norm(F - np.kron(L, R) / np.trace(L)) > distance


def test_random_matrices_have_the_promised_spectra():
    generator = np.random.default_rng(10)
    Q = random_orthogonal(generator, 5)
    np.testing.assert_allclose(Q.T @ Q, np.eye(5), atol=ROUNDING)
    for size, condition in [(1, 1.0), (2, 7.0), (6, 1e4)]:
        S = random_positive_definite(generator, size, condition)
        np.testing.assert_array_equal(S, S.T)
        assert np.linalg.cond(S) == pytest.approx(condition, rel=CONDITIONED, abs=0)
        assert np.linalg.eigvalsh(S)[-1] == pytest.approx(1, abs=IDENTITY)


MIXED = {"a": jnp.ones(2), "b": jnp.ones(2, jnp.float32)}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: hessian_matrix(lambda tree: 0.0, {}), ValueError, "no numbers"),
        (lambda: hessian_matrix(lambda tree: 0.0, MIXED), TypeError, "float32, float64; allowed: one real floating"),
        (lambda: jacobian_matrix(lambda tree: tree, {"a": jnp.ones(2, int)}), TypeError, "int64; allowed: one real"),
        (lambda: jacobian_matrix(lambda tree: {}, jnp.ones(2)), ValueError, "residuals hold no arrays"),
        (
            lambda: hessian_vector_product(jnp.sum, {"a": jnp.ones(2)}, {"b": jnp.ones(2)}),
            ValueError,
            "must be a tree like the parameters",
        ),
        (lambda: symmetric_power(jnp.ones((2, 3)), 1), ValueError, "shape (2, 3); allowed: (d, d)"),
        (lambda: principal_angles(jnp.ones((2, 3)), jnp.ones((2, 4))), ValueError, "(2, 3) and (2, 4); allowed"),
        (lambda: irreducible_conflict(jnp.ones((2, 3)), jnp.ones((2, 4))), ValueError, "(2, 3) and (2, 4); allowed"),
        (lambda: gauss_newton_gram({"a": jnp.ones((2, 3))}, {"b": jnp.ones(2)}, 1), ValueError, "same names and"),
        (lambda: gauss_newton_gram({"a": jnp.ones((2, 3))}, {"a": jnp.ones(3)}, 1), ValueError, "(2,)}, the residuals"),
        (lambda: off_diagonal_energy(jnp.ones((2, 3))), ValueError, "shape (2, 3); allowed: (d, d)"),
        (lambda: off_diagonal_energy(jnp.eye(2), jnp.eye(3)), ValueError, "shape (3, 3); allowed: (2, 2)"),
        (lambda: rank_one_fraction(jnp.ones(3)), ValueError, "shape (3,); allowed: (S, P)"),
        (lambda: second_moment(jnp.ones((2, 3))), ValueError, "shape (2, 3); allowed: (samples, m, n)"),
        (lambda: shampoo_factors(jnp.ones((0, 2, 3))), ValueError, "with samples >= 1"),
        (lambda: rearrange(jnp.ones((6, 6)), 2, 2), ValueError, "(m n, m n) with m = 2 and n = 2"),
        (lambda: random_positive_definite(np.random.default_rng(0), 2, 0.5), ValueError, "condition is 0.5; allowed"),
    ],
)
def test_wrong_input_is_named_with_what_is_allowed(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()
