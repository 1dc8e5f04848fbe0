"""The alignment score and its companions against the formulas in NumPy, on matrices and on trees."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import score as oracle
from tolerances import BELOW_ROUNDING_SQUARED, DIFFERENCES, IDENTITY, ROUNDING, SINGLE
from types_of_32_bits import without_64_bit_types

from gradalign.diagnostics.alignment import (
    alignment,
    alignment_score,
    common_descent_threshold,
    conflict_fraction,
    conflict_free_threshold,
    effective_dimension,
    gram_matrix,
    inter_step_score,
    interference_matrix,
    intra_step_scores,
    mean_cosine_from_score,
    misalignment,
    null_deviation,
    null_value,
    pairwise_cosines,
    per_layer_scores,
    score_certificate,
    score_from_gram,
)

SHAPES = [(1, 4), (2, 1), (2, 5), (3, 2), (5, 40), (8, 3)]


def draw(n, d, seed=0, decades=0):
    generator = np.random.default_rng([seed, n, d])
    return generator.standard_normal((n, d)) * 10.0 ** generator.uniform(-decades, decades, (n, 1))


def tree(vector, dtype=jnp.float64):
    """A vector of 11 numbers as a nested tree with a matrix, a vector and a scalar."""
    vector = jnp.asarray(vector, dtype)
    return {"layers": [{"kernel": vector[:6].reshape(2, 3), "bias": vector[6:10]}], "scale": vector[10]}


def compiled(*functions):
    """One program for several functions of the same vectors; compiling operation by operation takes seconds."""
    return jax.jit(lambda vectors: tuple(function(vectors) for function in functions))


@pytest.mark.slow
@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_scores_of_a_matrix_are_those_of_the_formulas(n, d):
    vectors = draw(n, d, decades=8)
    found, defect, score, cosines = compiled(alignment, misalignment, alignment_score, pairwise_cosines)(vectors)
    assert float(found.score) == pytest.approx(oracle.score(vectors), abs=ROUNDING)
    assert float(score) == pytest.approx(float(found.score), abs=ROUNDING)
    assert float(defect) == pytest.approx(2 * oracle.variance(vectors), abs=ROUNDING)
    np.testing.assert_allclose(found.cosines, oracle.cosines(vectors), atol=ROUNDING)
    np.testing.assert_allclose(found.cosines, cosines, atol=ROUNDING)
    assert found.mask.tolist() == [True] * n
    if n > 1:
        pairs = oracle.pairs(vectors)
        assert float(found.mean_cosine) == pytest.approx(np.mean(pairs), abs=ROUNDING)
        assert float(found.minimum_cosine) == pytest.approx(min(pairs), abs=ROUNDING)
        assert float(mean_cosine_from_score(found.score, n)) == pytest.approx(np.mean(pairs), abs=ROUNDING)
        assert float(conflict_fraction(found.cosines)) == pytest.approx(np.mean(np.array(pairs) < 0), abs=ROUNDING)


def test_one_vector_scores_one_and_has_no_pairs():
    found = alignment(jnp.asarray([[3.0, -4.0]]))
    assert float(found.score) == 1
    assert np.isnan([found.mean_cosine, found.minimum_cosine, conflict_fraction(found.cosines)]).all()


@pytest.mark.slow
def test_gram_matrix_holds_the_inner_products():
    vectors = draw(4, 7, decades=3)
    np.testing.assert_allclose(gram_matrix(jnp.asarray(vectors)), vectors @ vectors.T, rtol=IDENTITY)
    trees = [tree(v) for v in draw(3, 11)]
    np.testing.assert_allclose(gram_matrix(trees), draw(3, 11) @ draw(3, 11).T, rtol=IDENTITY, atol=ROUNDING)
    assert float(score_from_gram(gram_matrix(trees))) == pytest.approx(oracle.score(draw(3, 11)), abs=ROUNDING)


@pytest.mark.parametrize("function", [alignment, misalignment, gram_matrix])
def test_trees_sequences_and_mappings_agree_with_the_matrix(function):
    vectors = draw(3, 11)
    expected = jax.tree.leaves(function(jnp.asarray(vectors)))
    trees = [tree(v) for v in vectors]
    named = {"pde": trees[2], "bc": trees[0], "ic": trees[1]}  # in the order of the sorted names
    for given in (trees, tuple(trees), named, list(vectors), vectors):
        for found, wanted in zip(jax.tree.leaves(function(given)), expected, strict=True):
            np.testing.assert_allclose(found, wanted, atol=ROUNDING)


@pytest.mark.parametrize("function", [alignment, misalignment, gram_matrix, pairwise_cosines])
def test_compiled_and_mapped_functions_agree_with_plain_ones(function):
    batch = np.stack([draw(3, 11, seed) for seed in range(4)])
    plain = [function(jnp.asarray(vectors)) for vectors in batch]
    mapped = jax.jit(jax.vmap(function))(jnp.asarray(batch))
    trees = [jax.vmap(tree)(jnp.asarray(batch[:, i])) for i in range(3)]
    mapped_trees = jax.jit(jax.vmap(lambda *members: function(members)))(*trees)
    for k, expected in enumerate(plain):
        for result in (mapped, mapped_trees):
            for found, wanted in zip(jax.tree.leaves(result), jax.tree.leaves(expected), strict=True):
                np.testing.assert_allclose(found[k], wanted, atol=ROUNDING)


def equations(jaxpr):
    """All equations of a program, including those of inner programs."""
    for equation in jaxpr.eqns:
        yield equation
        for value in equation.params.values():
            if inner := getattr(value, "jaxpr", None):
                yield from equations(inner)


def test_trees_are_not_concatenated():
    trees = [{"a": jnp.ones(40), "b": jnp.ones((30, 1))} for _ in range(3)]
    for function in (alignment, misalignment):
        program = jax.make_jaxpr(function)(trees).jaxpr
        assert max(result.aval.size for equation in equations(program) for result in equation.outvars) <= 3 * 40


def test_float32_products_are_summed_by_blocks():
    # Devices sum a long product in different ways; blocks bound the error on all of them
    with without_64_bit_types():
        program = jax.make_jaxpr(alignment_score)(jnp.ones((2, 100_000))).jaxpr
    products = [equation for equation in equations(program) if equation.primitive.name == "dot_general"]
    assert products
    for product in products:
        (contracted, _), _ = product.params["dimension_numbers"]
        assert np.prod([product.invars[0].aval.shape[axis] for axis in contracted]) <= 1024


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_zero_or_non_finite_gradient_gives_nan_and_a_mask(bad, compiled):
    vectors = draw(3, 11)
    vectors[1] = bad
    wrap = jax.jit if compiled else lambda function: function
    for given in (jnp.asarray(vectors), [tree(v) for v in vectors]):
        found = wrap(alignment)(given)
        assert found.mask.tolist() == [True, False, True]
        assert np.isnan([found.score, found.mean_cosine, found.minimum_cosine, wrap(misalignment)(given)]).all()
        assert np.isnan(found.cosines).tolist() == [[False, True, False], [True] * 3, [False, True, False]]
        assert float(found.cosines[0, 2]) == pytest.approx(oracle.cosine(vectors[0], vectors[2]), abs=ROUNDING)
        assert np.isnan(conflict_fraction(found.cosines))
    assert np.isnan(score_from_gram(jnp.asarray([[1.0, 0.0], [0.0, 0.0]])))
    assert np.isnan(alignment_score(jnp.zeros((2, 0))))


def test_a_zero_in_one_member_of_a_batch_leaves_the_others():
    batch = np.stack([draw(2, 4, seed) for seed in range(3)])
    batch[1, 0] = 0
    found = jax.jit(jax.vmap(alignment_score))(batch)
    assert np.isnan(found).tolist() == [False, True, False]


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
def test_extreme_magnitudes_do_not_change_scores(scale):
    vectors = draw(3, 11)
    scaled = vectors * np.array([[scale], [1.0], [1 / scale]])
    for given in (jnp.asarray(scaled), [tree(v) for v in scaled]):
        assert float(alignment_score(given)) == pytest.approx(oracle.score(vectors), abs=ROUNDING)
        assert float(misalignment(given)) == pytest.approx(2 * oracle.variance(vectors), abs=ROUNDING)


def test_a_norm_beyond_the_largest_number_is_no_agreement():
    # ||v|| = 1e307 sqrt(1000) overflows although no entry does
    vectors = 1e307 * jnp.concatenate([jnp.ones((1, 1000)), -jnp.ones((1, 1000))])
    assert float(misalignment(vectors)) == pytest.approx(2, abs=IDENTITY)
    assert float(alignment_score(vectors)) == pytest.approx(-1, abs=IDENTITY)


def test_entries_of_very_different_size_in_one_tree():
    one, two = ({"small": jnp.asarray([1e-200, s * 1e-200]), "zero": jnp.zeros(3)} for s in (1.0, -1.0))
    assert float(alignment_score([one, two])) == pytest.approx(0, abs=ROUNDING)
    one["zero"], two["zero"] = jnp.asarray([1e200, 0, 0]), jnp.asarray([-1e200, 0, 0])
    assert float(alignment_score([one, two])) == -1


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
def test_low_precision_input_is_summed_in_float64(dtype):
    vectors = jnp.asarray(1 + 0.1 * draw(2, 11, 5), dtype)
    exact = np.asarray(vectors, np.float64)
    for given in (vectors, [tree(v, dtype) for v in vectors]):
        found = alignment_score(given)
        assert found.dtype == jnp.float64
        assert float(found) == pytest.approx(oracle.score(exact), abs=ROUNDING)


def test_float32_sums_of_large_trees_are_safe_without_64_bit_types():
    generator = np.random.default_rng(1)
    vectors = (1 + 0.5 * generator.standard_normal((2, 1_000_000))).astype(np.float32)
    u = vectors.astype(np.float64) / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    with without_64_bit_types():
        assert jnp.asarray(vectors).dtype == jnp.float32
        score, defect = compiled(alignment_score, misalignment)(vectors)
        assert float(score) == pytest.approx(float(u[0] @ u[1]), rel=SINGLE, abs=0)
        assert float(defect) == pytest.approx(float(np.sum((u[0] - u[1]) ** 2) / 2), rel=1e-4, abs=0)
        measure = jax.jit(alignment_score)
        split = [{"a": row[:1000], "b": row[1000:]} for row in vectors]
        assert float(measure(split)) == pytest.approx(float(u[0] @ u[1]), rel=SINGLE, abs=0)
        few = vectors[:, :100]
        for factor in (1e-33, 1e37):  # squares would be 0 and infinite; entries must stay normal numbers
            assert float(measure(few * np.float32(factor))) == pytest.approx(oracle.score(few), rel=SINGLE, abs=0)


@pytest.mark.parametrize("epsilon", [1e-2, 1e-5, 1e-8, 1e-12])
def test_misalignment_of_nearly_parallel_vectors_keeps_its_digits(epsilon):
    # 1 - cos of (1, e) and (1, -e) is 2 e^2 / (1 + e^2); n copies of the first vector scale it in closed form
    pair = jnp.asarray([[1.0, epsilon], [1.0, -epsilon]])
    measure = jax.jit(misalignment)
    expected = 2 * epsilon**2 / (1 + epsilon**2)
    assert float(measure(pair)) == pytest.approx(expected, rel=IDENTITY, abs=0)
    trees = [{"a": row[:1], "b": row[1:]} for row in pair]
    assert float(measure(trees)) == pytest.approx(expected, rel=IDENTITY, abs=0)
    # Three of four equal: s = 4 - (1 - cos) terms give 1 - A = 4 * 3/16 * (1 - cos)
    four = jnp.concatenate([pair[:1]] * 3 + [pair[1:]])
    assert float(measure(four)) == pytest.approx(3 / 4 * expected, rel=IDENTITY, abs=0)


@pytest.mark.slow
@pytest.mark.parametrize("fused", [True, False], ids=["fused", "operation by operation"])
@pytest.mark.parametrize("n", [2, 5, 12])
def test_misalignment_has_all_digits_however_its_program_rounds(n, fused):
    # Compilers may sum the rows of a matrix in different orders, and may subtract an unrounded product from a rounded
    # one. Either costs (1.1e-16)^2 if lengths and unit vectors are formed before they are compared.
    epsilon = 1e-20
    common = jnp.asarray(draw(1, 257)[0])
    steps = np.arange(n) - (n - 1) / 2
    trees = [{"common": common, "own": jnp.asarray([step * epsilon])} for step in steps]
    expected = 2 / n * float(np.sum(steps**2)) * epsilon**2 / float(common @ common)
    measure = jax.jit(misalignment) if fused else misalignment
    assert float(measure(trees)) == pytest.approx(expected, rel=IDENTITY, abs=0)


@pytest.mark.parametrize("epsilon", [1e-10, 1e-13, 1e-16])
def test_misalignment_does_not_see_the_rounding_of_the_mean(epsilon):
    # Equal parts that are not short binary fractions, so that their mean over seven vectors is rounded
    common = jnp.asarray(draw(1, 20)[0])
    trees = [{"common": common, "own": jnp.asarray([k * epsilon])} for k in range(-3, 4)]
    expected = 2 / 7 * 28 * epsilon**2 / float(common @ common)
    assert float(jax.jit(misalignment)(trees)) == pytest.approx(expected, rel=IDENTITY, abs=BELOW_ROUNDING_SQUARED)


def test_misalignment_of_equal_directions_is_zero_to_rounding_squared():
    vectors = np.outer([1.0, 3.0, 1e-5, 7.0], draw(1, 40)[0])
    defect, score = compiled(misalignment, alignment_score)(vectors)
    assert 0 <= float(defect) < 1e-29
    assert float(score) == pytest.approx(1, abs=ROUNDING)


@pytest.mark.parametrize(("n", "d"), [(2, 3), (3, 2), (6, 5)])
def test_T7_gradient_of_the_score(n, d):
    vectors = draw(n, d, decades=1)
    found, defect = compiled(jax.grad(alignment_score), jax.grad(misalignment))(vectors)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(found * lengths, oracle.gradient(vectors) * lengths, atol=ROUNDING)
    np.testing.assert_allclose(defect * lengths, -oracle.gradient(vectors) * lengths, atol=ROUNDING)
    step = 1e-5 * draw(n, d, 3) * lengths
    difference = (oracle.score(vectors + step) - oracle.score(vectors - step)) / 2
    assert difference / 1e-5 == pytest.approx(float(np.sum(found * step)) / 1e-5, abs=DIFFERENCES)


def test_gradient_through_trees_has_their_structure():
    vectors = draw(2, 11)
    found = jax.jit(jax.grad(alignment_score))([tree(v) for v in vectors])
    for row, member in zip(oracle.gradient(vectors), found, strict=True):
        jax.tree.map(partial(np.testing.assert_allclose, atol=ROUNDING), member, tree(row))


def test_gradient_of_a_masked_score_is_not_silent():
    found = jax.jit(jax.grad(alignment_score))(jnp.asarray([[0.0, 0.0], [1.0, 2.0]]))
    assert not np.isfinite(found).any()


def test_per_layer_scores_are_scores_of_the_layers():
    vectors = draw(3, 11)
    trees = [tree(v) for v in vectors]
    parts = {"layers/0/kernel": slice(0, 6), "layers/0/bias": slice(6, 10), "scale": slice(10, 11)}
    found = per_layer_scores(trees)
    assert {path: float(score) for path, score in found.items()} == pytest.approx(
        {path: oracle.score(vectors[:, part]) for path, part in parts.items()}, abs=ROUNDING
    )
    coarse = per_layer_scores(dict(zip("abc", trees, strict=True)), depth=1)
    assert {path: float(score) for path, score in coarse.items()} == pytest.approx(
        {"layers": oracle.score(vectors[:, :10]), "scale": oracle.score(vectors[:, 10:])}, abs=ROUNDING
    )
    assert set(jax.jit(per_layer_scores)(trees)) == set(parts)


def test_a_layer_without_gradient_scores_nan_alone():
    one = {"a": jnp.ones(2), "b": jnp.zeros(2)}
    found = per_layer_scores([one, {"a": jnp.ones(2), "b": jnp.ones(2)}])
    assert float(found["a"]) == pytest.approx(1, abs=ROUNDING)
    assert np.isnan(found["b"])


def test_intra_step_scores_are_scores_of_what_is_given():
    raw, common, own = (draw(3, 4, seed) for seed in range(3))
    found = intra_step_scores(jnp.asarray(raw), jnp.asarray(common), jnp.asarray(own))
    assert [float(score) for score in found] == pytest.approx([oracle.score(v) for v in (raw, common, own)], abs=1e-14)
    alone = intra_step_scores({"b": jnp.asarray(raw[0]), "a": jnp.asarray(raw[1])})
    assert float(alone.raw) == pytest.approx(oracle.cosine(raw[0], raw[1]), abs=ROUNDING)
    assert np.isnan([alone.common_state, alone.own_state]).all()


def test_inter_step_score_is_a_cosine_of_trees():
    one, two = draw(2, 11)
    found = jax.jit(inter_step_score)(tree(one), tree(two))
    assert float(found) == pytest.approx(oracle.cosine(one, two), abs=ROUNDING)
    assert np.isnan(inter_step_score(tree(one), tree(np.zeros(11))))


def test_score_certificates_are_condition_numbers_of_two_unit_gradients():
    for c in (-0.999, -0.3, 0.0, 0.8):
        assert float(score_certificate(c)) == pytest.approx(np.linalg.cond([[1, c], [c, 1]]), rel=IDENTITY, abs=0)
    assert float(score_certificate(1.0)) == np.inf
    assert np.isnan(score_certificate(jnp.nan))


@pytest.mark.slow
def test_interference_of_trees_is_the_matrix_of_their_products():
    gradients, directions = draw(3, 11, seed=1, decades=3), draw(3, 11, seed=2, decades=3)
    expected = gradients @ directions.T
    names = ["pde", "bc", "ic"]  # sorted: bc, ic, pde
    order = [1, 2, 0]
    sizes = np.outer(np.linalg.norm(gradients, axis=1), np.linalg.norm(directions, axis=1))
    found = interference_matrix(
        {name: tree(v) for name, v in zip(names, gradients, strict=True)},
        {name: tree(v) for name, v in zip(names, directions, strict=True)},
    )
    assert np.max(np.abs(found - expected[np.ix_(order, order)]) / sizes[np.ix_(order, order)]) < ROUNDING
    assert np.max(np.abs(jax.jit(interference_matrix)(gradients, directions) - expected) / sizes) < ROUNDING


@pytest.mark.slow
def test_effective_dimension_is_that_of_the_law_of_the_draws():
    generator = np.random.default_rng(3)
    p = 0.6 ** np.arange(20.0)
    p /= p.sum()
    axes = np.eye(20)[generator.choice(20, 2000, p=p)] * generator.choice([-2.0, 5.0], (2000, 1))
    pairs = np.sum(p**2), 2000 * 1999 / 2
    # The mean of c^2 in {0, 1} over pairs that share draws: twice the standard error of E[c^2 | u] dominates
    conditional = np.sum(p**3) - np.sum(p**2) ** 2
    error = 4 * np.sqrt(4 * conditional / 2000 + pairs[0] / pairs[1])
    assert 1 / float(effective_dimension(axes)) == pytest.approx(pairs[0], abs=error)
    assert float(effective_dimension(jnp.eye(3))) == np.inf
    assert np.isnan(effective_dimension(jnp.zeros((2, 3))))


def test_thresholds_and_null_values():
    assert [null_value(n) for n in (1, 2, 4)] == [1, 0, -0.5]
    assert [conflict_free_threshold(n) for n in (2, 3, 4)] == pytest.approx([0, 0.2952, 0.4571], abs=5e-5)
    assert [common_descent_threshold(n) for n in (2, 4, 8)] == [-1, 0, 0.5]
    assert null_deviation(3, 50.0) == pytest.approx(np.sqrt(16 / 27 / 50), abs=ROUNDING)
    assert null_deviation(1, 7.0) == 0


MATRIX, TREE = jnp.ones((2, 2)), {"a": jnp.ones(2)}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: alignment_score([]), ValueError, "no vectors"),
        (lambda: alignment_score({}), ValueError, "no vectors"),
        (lambda: alignment_score(jnp.ones(3)), ValueError, "shape (3,); allowed: (n, d)"),
        (lambda: alignment_score(jnp.ones((0, 3))), ValueError, "shape (0, 3); allowed: (n, d) with n >= 1"),
        (lambda: alignment_score(jnp.ones((1, 2, 3))), ValueError, "shape (1, 2, 3)"),
        (lambda: alignment_score([TREE, {"b": jnp.ones(2)}]), ValueError, "trees of one structure"),
        (lambda: alignment_score([TREE, {"a": jnp.ones(3)}]), ValueError, "agree in the shape of each leaf"),
        (lambda: alignment_score([{}, {}]), ValueError, "trees without arrays"),
        (lambda: alignment_score(jnp.ones((2, 2), int)), TypeError, "int64; allowed: real floating-point"),
        (lambda: alignment_score(jnp.ones((2, 2), complex)), TypeError, "complex128; allowed: real floating-point"),
        (lambda: misalignment([TREE, {"a": jnp.ones(3)}]), ValueError, "agree in the shape of each leaf"),
        (lambda: score_from_gram(jnp.ones((2, 3))), ValueError, "shape (2, 3); allowed: (n, n)"),
        (lambda: score_from_gram(jnp.ones((0, 0))), ValueError, "shape (0, 0); allowed: (n, n)"),
        (lambda: per_layer_scores([TREE], depth=0), ValueError, "depth is 0; allowed: None"),
        (lambda: per_layer_scores([]), ValueError, "no vectors"),
        (lambda: null_value(0), ValueError, "n is 0; allowed: numbers of vectors from 1"),
        (lambda: conflict_free_threshold(1), ValueError, "n is 1; allowed: numbers of vectors from 2"),
        (lambda: common_descent_threshold(1), ValueError, "n is 1; allowed: numbers of vectors from 2"),
        (lambda: mean_cosine_from_score(1.0, 1), ValueError, "n is 1; allowed: numbers of vectors from 2"),
        (lambda: effective_dimension(MATRIX[:1]), ValueError, "n is 1; allowed: numbers of vectors from 2"),
        (lambda: interference_matrix([TREE], [TREE, TREE]), ValueError, "gradients and directions must be alike"),
        (lambda: interference_matrix([TREE], [{"a": jnp.ones(3)}]), ValueError, "(1, 2)] and [(1, 3)]"),
        (lambda: null_deviation(2, 0.5), ValueError, "effective_dimension is 0.5; allowed: numbers from 1"),
    ],
)
def test_wrong_input_is_named_with_what_is_allowed(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()
