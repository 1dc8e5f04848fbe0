"""The pure functions of a run, against quantities computed in other ways."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from experiments import specification
from jax.flatten_util import ravel_pytree
from oracles import stretching as stretching_oracle

from gradalign.base import randomness
from gradalign.training.loop import build
from gradalign.training.model import residuals_of

CONSTANT = {"scheme": "constant"}


def state_after(experiment, steps):
    key = randomness.stream(3, "points")
    return key, jax.jit(experiment.advance)(key, experiment.start(3), np.int32(steps))


@pytest.fixture(scope="module")
def adam():
    experiment = build(specification("adam"))
    key, loop = state_after(experiment, 6)
    return experiment, key, loop, jax.device_get(jax.jit(experiment.diagnose)(key, loop))


def loss_of(experiment, weights, points, name):
    """lambda_k mean r_k^2, written out without the objective."""

    def loss(params):
        residuals = residuals_of(experiment.problem, experiment.network.apply, params, points)
        return weights[name] * jnp.sum(residuals[name] ** 2) / residuals[name].size

    return loss


def gradients_of(experiment, loop, params, points):
    losses = {name: loss_of(experiment, loop.loss_weights, points, name) for name in experiment.problem.losses}
    return {name: np.asarray(ravel_pytree(jax.grad(loss)(params))[0]) for name, loss in losses.items()}


def score(vectors):
    return 2 * np.sum(np.mean([v / np.linalg.norm(v) for v in vectors], axis=0) ** 2) - 1


@pytest.mark.slow
def test_diagnostics_agree_with_gradients_formed_by_hand(adam):
    experiment, key, loop, row = adam
    points = experiment.points(key, loop)
    gradients = gradients_of(experiment, loop, loop.params, points)
    assert row["score_raw"] == pytest.approx(score(gradients.values()), abs=1e-12)
    for name, gradient in gradients.items():
        assert row[f"gradient_norm/{name}"] == pytest.approx(np.linalg.norm(gradient), rel=1e-12)
    total = sum(float(loop.loss_weights[name]) * row[f"loss/{name}"] for name in gradients)
    assert row["loss"] == pytest.approx(total, rel=1e-12)
    cosines = [
        gradients[a] @ gradients[b] / np.linalg.norm(gradients[a]) / np.linalg.norm(gradients[b])
        for a, b in (("ic", "bc"), ("ic", "pde"), ("bc", "pde"))
    ]
    assert row["minimum_cosine"] == pytest.approx(min(cosines), abs=1e-12)
    assert row["conflict_fraction"] == pytest.approx(np.mean(np.asarray(cosines) < 0))


def test_common_and_own_state_scores_use_the_right_statistics(adam):
    experiment, key, loop, row = adam
    gradients = gradients_of(experiment, loop, loop.params, experiment.points(key, loop))

    def root(state):
        second_moment = np.asarray(ravel_pytree(state[0].nu)[0])
        return np.sqrt(second_moment / (1 - 0.999 ** int(state[0].count))) + 1e-8

    common = [gradient / root(loop.state) for gradient in gradients.values()]
    own = [gradient / root(loop.own_states[name]) for name, gradient in gradients.items()]
    assert row["score_common_state"] == pytest.approx(score(common), abs=1e-12)
    assert row["score_own_state"] == pytest.approx(score(own), abs=1e-12)


@pytest.mark.slow
def test_own_states_saw_one_loss_term_each():
    experiment = build(specification("adam", weighting={"scheme": "constant"}))
    key, loop = state_after(experiment, 2)
    first = experiment.start(3)
    after_one = jax.jit(experiment.advance)(key, first, np.int32(1))
    for name, state in loop.own_states.items():
        moment = np.zeros(1)
        for before in (first, after_one):
            points = experiment.points(key, before)
            moment = 0.9 * moment + 0.1 * gradients_of(experiment, before, before.params, points)[name]
        np.testing.assert_allclose(ravel_pytree(state[0].mu)[0], moment, rtol=1e-10, atol=1e-14)


@pytest.mark.slow
def test_inter_step_scores_compare_consecutive_steps(adam):
    experiment, key, loop, row = adam
    visited = [loop]
    for _ in range(2):
        visited.append(jax.jit(experiment.advance)(key, visited[-1], np.int32(1)))
    flat = [np.asarray(ravel_pytree(state.params)[0]) for state in visited]
    updates = [flat[1] - flat[0], flat[2] - flat[1]]
    now, later = (experiment.points(key, state) for state in visited[:2])
    here = sum(gradients_of(experiment, loop, loop.params, now).values())
    same = sum(gradients_of(experiment, loop, visited[1].params, now).values())
    there = sum(gradients_of(experiment, visited[1], visited[1].params, later).values())
    assert row["score_inter_update"] == pytest.approx(score(updates), abs=1e-10)
    assert row["score_inter_gradient_same_points"] == pytest.approx(score([here, same]), abs=1e-12)
    assert row["score_inter_gradient"] == pytest.approx(score([here, there]), abs=1e-12)
    gradients = gradients_of(experiment, loop, loop.params, now)
    for name, gradient in gradients.items():
        weighted = float(loop.loss_weights[name]) * row[f"loss/{name}"]
        assert row[f"gain/{name}"] == pytest.approx(-gradient @ updates[0] / weighted, rel=1e-9)


def test_steps_do_not_depend_on_how_they_are_grouped(adam):
    experiment, key, loop, _ = adam
    advance = jax.jit(experiment.advance)
    regrouped = advance(key, advance(key, experiment.start(3), np.int32(5)), np.int32(1))
    for one, other in zip(jax.tree.leaves(regrouped), jax.tree.leaves(loop), strict=True):
        np.testing.assert_array_equal(one, other)


def test_points_are_redrawn_as_often_as_asked():
    experiment = build(specification("adam", points_every=3))
    key = randomness.stream(0, "points")
    start = experiment.start(0)
    drawn = [np.asarray(experiment.points(key, start._replace(step=jnp.asarray(step)))["pde"]) for step in range(6)]
    assert (drawn[0] == drawn[2]).all()
    assert (drawn[3] == drawn[5]).all()
    assert (drawn[2] != drawn[3]).any()


@pytest.mark.slow
def test_gradient_norm_weights_balance_the_gradients():
    # Without momentum, the norm of every weighted gradient is the mean of the unweighted norms, up to the guard of 1e-5
    experiment = build(specification("adam", weighting={"scheme": "gradient_norm", "momentum": 0.0, "every": 1}))
    key = randomness.stream(3, "points")
    start = experiment.start(3)
    loop, _ = experiment.step(key, start)
    gradients = gradients_of(experiment, start, start.params, experiment.points(key, start))
    mean = np.mean([np.linalg.norm(gradient) for gradient in gradients.values()])
    for name, gradient in gradients.items():
        assert loop.loss_weights[name] * np.linalg.norm(gradient) == pytest.approx(mean, rel=1e-3)


def test_causal_weights_scale_the_rows_of_the_objective():
    experiment = build(specification("adam", causal={"tolerance": 2.0, "chunks": 4}))
    key, loop = randomness.stream(3, "points"), experiment.start(3)
    points = experiment.points(key, loop)
    objective = experiment.objective({name: jnp.ones(()) for name in loop.loss_weights})
    residuals = residuals_of(experiment.problem, experiment.network.apply, loop.params, points)["pde"]
    chunks = np.asarray(residuals).reshape(4, 4)
    before = np.concatenate([[0.0], np.cumsum(np.mean(chunks**2, axis=1))[:-1]])
    expected = np.mean(np.exp(-2.0 * before)[:, None] * chunks**2)
    assert float(objective.weighted_losses(loop.params, points)["pde"]) == pytest.approx(expected, rel=1e-12)
    assert float(objective.losses(loop.params, points)["pde"]) == pytest.approx(np.mean(chunks**2), rel=1e-12)


@pytest.mark.slow
def test_linearisation_gives_rows_and_their_jacobian():
    experiment = build(specification("gauss_newton", learning_rate=None, causal={"tolerance": 2.0, "chunks": 4}))
    key, loop = randomness.stream(3, "points"), experiment.start(3)
    points = experiment.points(key, loop)
    objective = experiment.objective(loop.loss_weights)
    rows, jacobian = objective.linearisation(loop.params, points)
    expected = jnp.concatenate(list(objective.rows(loop.params, points).values()))
    np.testing.assert_allclose(rows, expected, rtol=1e-12, atol=1e-15)
    flat, unravel = ravel_pytree(loop.params)
    direction = jnp.asarray(np.random.default_rng(0).normal(size=flat.size))

    # Forward-mode derivatives of the whole batch, with the causal weights held fixed, are an independent check
    fixed = objective._factors(objective.residuals(loop.params, points))

    def along(step):
        residuals = objective.residuals(unravel(flat + step * direction), points)
        return jnp.concatenate([fixed[name] * residuals[name] for name in objective.loss_weights])

    _, tangent = jax.jvp(along, (jnp.asarray(0.0),), (jnp.asarray(1.0),))
    np.testing.assert_allclose(jacobian @ direction, tangent, rtol=1e-9, atol=1e-11)
    gradient = ravel_pytree(objective.gradient(loop.params, points))[0]
    np.testing.assert_allclose(2 * jacobian.T @ rows, gradient, rtol=1e-9, atol=1e-12)


@pytest.fixture(scope="module")
def gray_scott():
    """A system: two loss terms on each of two sets of points."""
    experiment = build(specification("adam", problem="gray_scott", points={"ic": 6, "pde": 8}))
    return experiment, experiment.start(3), experiment.points(randomness.stream(3, "points"), experiment.start(3))


@pytest.mark.slow
def test_loss_terms_at_the_same_points_have_the_gradients_of_their_own(gray_scott):
    experiment, loop, points = gray_scott
    weights = {name: jnp.asarray(1.0 + i) for i, name in enumerate(experiment.problem.losses)}
    found = experiment.objective(weights).loss_gradients(loop.params, points)
    assert list(found) == ["u_ic", "v_ic", "ru", "rv"]
    for name, gradient in gradients_of(experiment, loop._replace(loss_weights=weights), loop.params, points).items():
        np.testing.assert_allclose(ravel_pytree(found[name])[0], gradient, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_linearisation_of_terms_at_the_same_points(gray_scott):
    experiment, loop, points = gray_scott
    objective = experiment.objective(loop.loss_weights)
    rows, jacobian = objective.linearisation(loop.params, points)
    np.testing.assert_allclose(rows, jnp.concatenate(list(objective.rows(loop.params, points).values())), rtol=1e-10)
    gradient = ravel_pytree(objective.gradient(loop.params, points))[0]
    np.testing.assert_allclose(2 * jacobian.T @ rows, gradient, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("start", ["penalised", "exact"])
def test_driven_fields_are_those_of_the_solution_at_the_points_of_their_loss_terms(start):
    given = {"horizon": 0.2, "start": start, "start_harmonics": 4}
    points = {"pde": 6} | ({"ic": 4} if start == "penalised" else {})
    experiment = build(specification("adam", problem="gray_scott", problem_settings=given, points=points))
    loop = experiment.start(0)
    drawn = experiment.points(randomness.stream(0, "points"), loop)
    found = experiment.objective(loop.loss_weights, loop.start).fields(loop.params, drawn)
    u, v = experiment.model.values(experiment.solution(loop), drawn["pde"]).T
    assert list(found) == ["ru", "rv"]
    np.testing.assert_allclose([found["ru"], found["rv"]], [u, v], rtol=0, atol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("sampling", ["random", "lattice"])
def test_stretched_points_have_weights_and_leave_the_walls_where_they_are(sampling):
    """Points move towards the walls, wall points along them; rows are weighted by their part of square or wall."""
    plain, stretched = (
        build(
            specification(
                "adam",
                problem="lid_driven_cavity",
                problem_settings={"reynolds": 100.0, "stretching": factor},
                points={"bc": 8, "pde": 64},
                sampling=sampling,
            )
        )
        for factor in (0.0, 2.5)
    )
    key, loop = randomness.stream(0, "points"), stretched.start(0)
    uniform, drawn = (experiment.points(key, loop) for experiment in (plain, stretched))
    on_a_face = np.isin(drawn["bc"], [0.0, 1.0])
    assert np.all(np.sum(on_a_face, axis=1) == 1)
    np.testing.assert_array_equal(on_a_face, np.isin(uniform["bc"], [0.0, 1.0]))
    for name, at in drawn.items():
        expected = stretching_oracle.moved(np.asarray(uniform[name])[:, :2], 0.0, 1.0, 2.5)
        np.testing.assert_allclose(at[:, :2], expected, atol=1e-14)
        np.testing.assert_array_equal(at[:, 2:], uniform[name][:, 2:])
    without = residuals_of(stretched.problem, stretched.network.apply, loop.params, drawn)
    rows = stretched.objective({name: jnp.ones(()) for name in without}).rows(loop.params, drawn)
    for name, residual in without.items():
        at = np.asarray(drawn[stretched.problem.point_sets[name]])[:, :2]
        by_axis = np.where(np.isin(at, [0.0, 1.0]), 1.0, stretching_oracle.share(at, 0.0, 1.0, 2.5))
        weight = np.prod(by_axis, axis=1) / len(residual)
        np.testing.assert_allclose(rows[name], np.sqrt(weight) * residual, atol=1e-12)


@pytest.mark.slow
def test_pseudo_time_and_a_norm_of_fields_have_all_diagnostics():
    given = {"horizon": 0.2, "start": "exact", "start_harmonics": 4}  # two loss terms; `penalised` has four
    posed = {"problem": "gray_scott", "problem_settings": given, "points": {"pde": 16}}
    chosen = specification("gauss_newton", learning_rate=None, weighting=CONSTANT, **posed)
    settings = {"norm": "fields", "pseudo_step": 0.1, "initial_damping": 10.0}
    experiment = build(chosen.model_copy(update={"method_settings": settings}))
    key, loop = state_after(experiment, 2)
    row = jax.device_get(jax.jit(experiment.diagnose)(key, loop))
    assert all(np.isfinite(value) for value in row.values())
    assert {"score_common_state", "score_own_state", "damping"} < set(row)
    loss = experiment.objective(loop.loss_weights, loop.start).loss(loop.params, experiment.points(key, loop))
    assert row["pseudo_rate"] == pytest.approx(float(jnp.sqrt(loss)) / 0.1, rel=1e-12)


def test_the_second_chunk_does_not_compile_again(caplog):
    experiment = build(specification("adam"))
    keys, starts = [randomness.stream(seed, "points") for seed in (0, 9)], [experiment.start(seed) for seed in (0, 9)]
    advance = jax.jit(experiment.advance)

    def compiled():
        return [record.message for record in caplog.records if record.message.startswith("Compiling")]

    with jax.log_compiles():
        loop = advance(keys[0], starts[0], np.int32(1))
        assert any("advance" in message for message in compiled())
        caplog.clear()
        advance(keys[0], loop, np.int32(7))
        advance(keys[1], starts[1], np.int32(2))
        assert compiled() == []
