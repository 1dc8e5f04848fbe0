"""What every method promises; a new file in gradalign.optimizers joins these tests automatically."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gradalign.base.discovery import module_names
from gradalign.optimizers._method import load_method
from gradalign.optimizers._objective import Objective
from gradalign.training import checkpoints

TARGETS = {
    "vector": {"v": (5,)},
    "matrix": {"m": (4, 3)},
    "mixed rank": {"scalar": (), "vector": (3,), "matrix": (2, 3), "tensor": (2, 1, 2)},
}


def make(name, steps=400):
    module = load_method(name)
    wanted = {"learning_rate": 0.1, "decay_rate": 0.5, "decay_steps": 40}
    fields = {each.name: each for each in dataclasses.fields(module.Settings)}
    given = {key: value for key, value in wanted.items() if key in fields}
    if name == "muon":
        given["newton_schulz_steps"] = 10  # five leave weak directions, and 1e-4 of the loss, after 400 steps
    if "learning_rate" in fields and fields["learning_rate"].default is not dataclasses.MISSING:
        given["learning_rate"] = 1.0  # these steps have the scale of the problem, which is linear; Adam's do not
    return module.method(module.Settings(**given), steps)


def fit(shapes, dtype):
    """Two loss terms of random linear residuals that share a random minimiser."""
    rng = np.random.default_rng(0)
    params = {name: jnp.asarray(rng.normal(size=shape), dtype) for name, shape in shapes.items()}
    size = sum(leaf.size for leaf in params.values())
    target = rng.normal(size=size)
    points = {}
    for term in ("first", "second"):
        design = np.eye(size) + 0.2 * rng.normal(size=(size, size)) / np.sqrt(size)
        points[term] = jnp.asarray(np.column_stack([design, design @ target]), dtype)

    def residuals(params, points):
        flat = jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(params)])
        return {term: rows[:, :-1] @ flat - rows[:, -1] for term, rows in points.items()}

    weights = {"first": jnp.asarray(1.0, dtype), "second": jnp.asarray(2.0, dtype)}
    return Objective(weights, residuals), params, points


@pytest.fixture(params=module_names("optimizers"))
def name(request):
    return request.param


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_converges(name, target):
    objective, params, points = fit(TARGETS[target], jnp.float64)
    method = make(name)
    state = method.init(params)
    step = jax.jit(method.step)
    first = objective.loss(params, points)
    for _ in range(400):
        params, state, _ = step(objective, params, state, points)
    # Step sizes of the first-order methods fall to 1e-4, so the loss can stall at their square
    assert objective.loss(params, points) < 1e-6 * first


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_keeps_structure_and_dtype(name, dtype):
    objective, params, points = fit(TARGETS["mixed rank"], dtype)
    method = make(name)
    state = method.init(params)
    after, new_state, metrics = jax.eval_shape(method.step, objective, params, state, points)  # nothing is compiled
    direction = jax.eval_shape(method.precondition, objective, params, new_state, points, params)
    observed = jax.eval_shape(method.observe, params, state, params)
    shapes = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), params)
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), after) == shapes
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), direction) == shapes
    kinds = [[(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(one)] for one in (state, new_state, observed)]
    assert kinds[0] == kinds[1] == kinds[2]
    assert all(leaf.shape == () for leaf in metrics.values())


def test_evaluations_that_are_reported_are_those_that_happen(name):
    passes = []

    def residuals(theta, points):
        jax.debug.callback(lambda: passes.append(1))
        return {"fit": jnp.arctan(points["fit"] @ theta)}

    # One point, since a Jacobian calls the residual of each point; it is so far out that Newton's first steps overshoot
    objective, points = Objective({"fit": jnp.ones(())}, residuals), {"fit": jnp.asarray([[1.0, 0.5]])}
    method = make(name)
    params = jnp.asarray([3.0, 1.0])
    state, step, reported = method.init(params), jax.jit(method.step), 0
    for _ in range(3):
        params, state, metrics = step(objective, params, state, points)
        assert metrics["gradient_evaluations"].dtype == jnp.int32
        reported += int(metrics["gradient_evaluations"])
    jax.effects_barrier()
    backward_alone = 3 if name == "soap_gauss_newton" else 0  # a sketch shares the forward pass of the gradient
    assert reported == len(passes) + backward_alone


def test_does_not_recompile_on_the_second_call(name):
    objective, params, points = fit(TARGETS["mixed rank"], jnp.float64)
    method = make(name)
    state = method.init(params)
    compilations = 0

    def step(objective, params, state, points):
        nonlocal compilations
        compilations += 1
        return method.step(objective, params, state, points)

    compiled = jax.jit(step)
    for weight in (1.0, 2.0):
        changed = Objective({**objective.loss_weights, "first": jnp.asarray(weight)}, objective.residuals)
        params, state, _ = compiled(changed, params, state, points)
    assert compilations == 1


def test_no_two_arrays_of_a_state_are_one(name):
    # The training loop donates all of them
    objective, params, points = fit(TARGETS["mixed rank"], jnp.float64)
    method = make(name)
    jax.jit(method.step, donate_argnums=2)(objective, params, method.init(params), points)


def test_state_survives_a_checkpoint(name, tmp_path):
    objective, params, points = fit(TARGETS["mixed rank"], jnp.float64)
    method = make(name)
    state = method.init(params)
    step = jax.jit(method.step)
    for _ in range(3):
        params, state, _ = step(objective, params, state, points)
    checkpoints.save(tmp_path / "state.safetensors", (params, state), {})
    restored = checkpoints.load(tmp_path / "state.safetensors", (params, method.init(params)))[0]
    for _ in range(3):
        params, state, _ = step(objective, params, state, points)
        restored = step(objective, *restored, points)[:2]
    for one, other in zip(jax.tree.leaves((params, state)), jax.tree.leaves(restored), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_preconditioning_is_linear(name):
    objective, params, points = fit(TARGETS["mixed rank"], jnp.float64)
    method = make(name)
    state, step = method.init(params), jax.jit(method.step)
    for _ in range(3):
        params, state, _ = step(objective, params, state, points)
    gradients = list(objective.loss_gradients(params, points).values())
    combined = jax.tree.map(lambda a, b: 3.0 * a - 0.5 * b, *gradients)
    one, other, both = (
        method.precondition(objective, params, state, points, g) for g in (gradients[0], gradients[1], combined)
    )
    expected = jax.tree.map(lambda a, b: 3.0 * a - 0.5 * b, one, other)
    for found, wanted in zip(jax.tree.leaves(both), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9 * float(jnp.max(jnp.abs(wanted))))
