"""Claim T33 at tiny sizes: problems, logged quantities and structure against NumPy; records on made-up runs.

The runs of the records themselves are too long for a test.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from made_up_runs import made_up, made_up_experiments
from oracles import small_pinns as oracle
from oracles.soap import Adam
from tolerances import CONDITIONED, DIFFERENCES, IDENTITY
from topic_contract import TopicContract

from gradalign.base.randomness import stream
from gradalign.claims import _followed_runs as followed_runs
from gradalign.claims import _small_pinns as small_pinns
from gradalign.claims import small_networks as topic
from gradalign.claims._checks import checked, checks_of
from gradalign.optimizers import adam, soap
from gradalign.training.model import residuals_of

EPS = np.finfo(np.float64).eps
STEPS = 7
SEEDS = (3, 5, 3)
LOSSES = ("bc", "pde")
DAMPED = 1e-5  # (J^T J + mu)^-1 at mu = 1e-8 lambda_max amplifies rounding of 1e-15 by 1e8, scores by its square root


@pytest.fixture(scope="module")
def task():
    return topic.poisson_fit(width=6, count=6)


@pytest.fixture(scope="module")
def linearisation(task):
    return jax.jit(task.objective.linearisation)


@pytest.fixture(scope="module")
def runs(task):
    method = adam.method(adam.Settings(learning_rate=topic.RATE), STEPS)
    return dict(zip(("fixed", "redrawn"), followed_runs.follow(task, method, STEPS, 1, SEEDS, keep=True), strict=True))


def points_at(task, kind, seed, step):
    return small_pinns.draw(task, stream(seed, "points"), step if kind == "redrawn" else 0)


def params_at(history, member, log):
    return jax.tree.map(lambda v: v[member, log], history.params)


@pytest.mark.parametrize(
    ("problem", "solution", "counts"),
    [
        (small_pinns.poisson(), small_pinns.poisson_solution, {"bc": 2, "pde": 9}),
        (small_pinns.heat(), small_pinns.heat_solution, {"bc": 6, "ic": 7, "pde": 9}),
    ],
    ids=["poisson", "heat"],
)
def test_the_closed_form_has_no_residual(problem, solution, counts):
    points = problem.sample(jax.random.key(2), counts, jnp.dtype("float64"))
    exact = residuals_of(problem, lambda scale, z: scale * solution(z)[:, None], jnp.asarray(1.0), points)
    double = residuals_of(problem, lambda scale, z: scale * solution(z)[:, None], jnp.asarray(2.0), points)
    assert {name: r.shape for name, r in exact.items()} == {name: (count,) for name, count in counts.items()}
    assert max(float(jnp.max(jnp.abs(r))) for r in exact.values()) < IDENTITY
    assert float(jnp.max(jnp.abs(double["pde" if problem.name == "poisson" else "ic"]))) > 0.1


def test_T33_heat_points_lie_where_they_should():
    points = small_pinns.heat().sample(jax.random.key(0), {"bc": 8, "ic": 5, "pde": 6}, jnp.dtype("float64"))
    assert set(np.unique(points["bc"][:, 1])) == {0.0, 1.0}
    assert np.all(np.asarray(points["ic"][:, 0]) == 0)
    assert len(np.unique(points["bc"][:, 0])) == 8


@pytest.mark.parametrize("name", ["poisson", "heat"])
def test_T33_rows_and_jacobian(name, task, linearisation):
    """Weighted residuals against jets in NumPy, the Jacobian against their central differences."""
    if name == "heat":
        task = topic.heat_fit(width=5, count=8)
        linearisation = jax.jit(task.objective.linearisation)
        weights = {"bc": 10.0, "ic": 10.0, "pde": 1.0}
        rows = lambda params, points: oracle.heat_rows(params, points, weights)  # noqa: E731
    else:
        rows = oracle.poisson_rows
    flat, unravel = ravel_pytree(task.network.init(jax.random.key(1)))
    flat = flat + 0.1 * jax.random.normal(jax.random.key(2), flat.shape)  # biases too
    points = small_pinns.draw(task, jax.random.key(3), 0)
    residuals, J = linearisation(unravel(flat), points)

    def stacked(theta):
        found = rows(jax.tree.map(np.asarray, unravel(theta)), points)
        return np.concatenate([found[loss] for loss in task.problem.losses])

    assert np.max(np.abs(residuals - stacked(flat))) < IDENTITY * 1e2  # second derivatives of order 1e2
    h = 1e-5
    differences = [(stacked(flat.at[p].add(h)) - stacked(flat.at[p].add(-h))) / (2 * h) for p in range(flat.size)]
    assert np.max(np.abs(J - np.stack(differences, axis=1))) < DIFFERENCES * float(jnp.max(jnp.abs(J)))


@pytest.mark.parametrize("kind", ["fixed", "redrawn"])
def test_T33_logged_scores(task, linearisation, runs, kind):
    """Every logged quantity from matrices of the size of the parameters and from NumPy's Adam along the path.

    SOAP's path is no test: the null space of its rank-deficient first factors has no preferred basis.
    """
    history, seed = runs[kind], SEEDS[1]
    size = ravel_pytree(params_at(history, 1, 0))[0].size
    whole, own = Adam(size, 0.9, 0.999, 1e-8), {name: Adam(size, 0.9, 0.999, 1e-8) for name in LOSSES}
    updates, gradient, own_updates = [], None, None
    for log in range(STEPS + 1):
        params = params_at(history, 1, log)
        residuals, J = (np.asarray(part) for part in linearisation(params, points_at(task, kind, seed, log)))
        r = np.split(residuals, [2])
        gradients = [2 * rows.T @ part for rows, part in zip(np.split(J, [2]), r, strict=True)]
        logged = {name: values[1, log] for name, values in history.values.items()}
        assert logged["loss"] == pytest.approx(np.sum(residuals**2), rel=IDENTITY, abs=0)
        assert logged["raw"] == pytest.approx(oracle.score(gradients), abs=IDENTITY)
        common = [g / scale(whole) for g in gradients]
        assert logged["common"] == pytest.approx(oracle.score(common), abs=CONDITIONED)
        assert np.allclose(sum(common), sum(gradients) / scale(whole), rtol=IDENTITY, atol=0)
        for name, power, damping in (("whitened", 0.5, 1e-8), ("newton", 1.0, 1e-8), ("whitened_fine", 0.5, 1e-12)):
            directions = oracle.gauss_newton_directions(J, r, power, damping)
            assert logged[name] == pytest.approx(oracle.score(directions), abs=DAMPED)
            if name != "whitened_fine":
                cosine = oracle.score([sum(directions), sum(common)])
                assert logged[f"cosine_{name}"] == pytest.approx(cosine, abs=DAMPED)
        assert abs(logged["whitened"]) <= logged["damping_bound"] + CONDITIONED
        assert logged["damping_bound"] == pytest.approx(oracle.damping_bound(J, r, 1e-8), rel=1e-4, abs=0)
        # Rounding moves the least eigenvalue by some eps times the largest, and so kappa by a share of eps kappa
        for name, kappa in (("", condition(J @ J.T)), ("_preconditioned", condition(J / scale(whole) @ J.T))):
            assert logged[f"condition{name}"] == pytest.approx(kappa, rel=1e-9 + 8 * EPS * kappa, abs=0)
        mapped = [g / scale(own[name]) for name, g in zip(LOSSES, gradients, strict=True)]
        assert logged["own"] == pytest.approx(oracle.score(mapped), abs=CONDITIONED)
        if log:
            r_last, J_last = (np.asarray(part) for part in linearisation(params, points_at(task, kind, seed, log - 1)))
            cosine = oracle.score([gradient, J_last.T @ r_last])
            assert logged["inter_gradient"] == pytest.approx(cosine, abs=CONDITIONED)
            assert logged["own_momentum"] == pytest.approx(oracle.score(own_updates), abs=CONDITIONED)
        if log > 1:
            assert logged["inter_update"] == pytest.approx(oracle.score(updates[-2:]), abs=CONDITIONED)
        gradient = sum(gradients)
        updates.append(whole.direction(gradient))
        own_updates = [own[name].direction(g) for name, g in zip(LOSSES, gradients, strict=True)]
        if log < STEPS:
            moved = ravel_pytree(params_at(history, 1, log + 1))[0] - ravel_pytree(params)[0]
            # Schedules are float32, and Adam divides entries as small as rounding by themselves
            assert np.max(np.abs(moved + topic.RATE * updates[-1])) < CONDITIONED


def scale(state):
    """The diagonal that Adam divides a gradient by, before it has seen it."""
    return np.sqrt(state.v / (1 - 0.999 ** max(state.t, 1))) + 1e-8


def condition(matrix):
    values = np.linalg.eigvalsh(matrix)
    return values[-1] / values[-min(12, len(values))]


def test_T33_members_do_not_touch_each_other(runs):
    """A seed gives the same run whatever its place; other seeds and redrawn points give another one."""
    for history in runs.values():
        assert np.max(np.abs(history.values["loss"][0] - history.values["loss"][2])) < IDENTITY
        assert np.min(np.abs(history.values["loss"][0] - history.values["loss"][1])) > DIFFERENCES
    fixed, redrawn = (runs[kind].values["loss"] for kind in ("fixed", "redrawn"))
    assert np.max(np.abs(fixed[:, 0] - redrawn[:, 0])) < IDENTITY
    assert np.min(np.abs(fixed[:, 1] - redrawn[:, 1])) > DIFFERENCES


def test_T33_error_is_relative(task, runs):
    params = jax.tree.map(np.asarray, params_at(runs["fixed"], 1, 2))
    x = np.linspace(0, 1, 129)[:, None]
    exact = np.sin(np.pi * x[:, 0])
    expected = np.linalg.norm(oracle.jet(params, x, 0, 0, 1)[0] - exact) / np.linalg.norm(exact)
    assert runs["fixed"].values["error"][1, 2] == pytest.approx(expected, rel=IDENTITY, abs=0)


@pytest.mark.slow
def test_T33_structure(task, linearisation):
    """On a made-up history of two seeds and two logs with SOAP's bases after some drawn gradients."""
    transformation = soap.scale_by_soap()
    update = jax.jit(transformation.update)
    tree = task.network.init(jax.random.key(0))
    logs = []
    for seed in SEEDS[:2]:
        state = transformation.init(tree)
        for step in range(8):
            draw = jax.random.split(jax.random.key(100 * seed + step), len(jax.tree.leaves(tree)))
            keys = jax.tree.unflatten(jax.tree.structure(tree), list(draw))
            _, state = update(jax.tree.map(lambda key, leaf: jax.random.normal(key, leaf.shape), keys, tree), state)
        both = [task.network.init(jax.random.key(seed + k)) for k in range(2)]
        logs.append(jax.tree.map(lambda *parts: np.stack(parts), *[(params, (state,)) for params in both]))
    params, state = jax.tree.map(lambda *parts: np.stack(parts), *logs)
    history = followed_runs.History(np.array([1, STEPS]), {}, params, state)
    found = followed_runs.structures(task, history, SEEDS[:2], (1, STEPS))
    params = params_at(history, 1, 1)
    points = points_at(task, "fixed", SEEDS[1], 0)
    J = np.asarray(linearisation(params, points)[1])
    F = J.T @ J
    last = jax.tree.map(lambda v: v[1, 1], state)[0]
    Q = followed_runs.soap_basis(last)
    assert np.max(np.abs(Q.T @ Q - np.eye(len(Q)))) < IDENTITY
    G = tree["hidden"][1]["kernel"]
    left, right = (np.asarray(side) for side in last.bases[3])
    assert np.max(np.abs(Q[18:54, 18:54].T @ np.ravel(G) - np.ravel(left.T @ G @ right))) < IDENTITY
    middle = slice(6 + 6 + 6, 6 + 6 + 6 + 36)  # after bias and kernel of the first layer and the second bias
    block, block_basis = F[middle, middle], Q[middle, middle]
    rearranged = block.reshape(6, 6, 6, 6).transpose(0, 2, 1, 3).reshape(36, 36)
    singular = np.linalg.svd(rearranged, compute_uv=False)
    expected = {
        "identity": energy(F),
        "soap": energy(Q.T @ F @ Q),
        "middle_identity": energy(block),
        "middle_soap": energy(block_basis.T @ block @ block_basis),
        "kronecker": np.sqrt(1 - singular[0] ** 2 / np.sum(singular**2)),
    }
    for name, value in expected.items():
        assert found[name][1, 1] == pytest.approx(value, abs=CONDITIONED)
    params = params_at(history, 0, 1)
    flat, unravel = ravel_pytree(params)
    points = points_at(task, "fixed", SEEDS[0], 0)
    gradient = jax.jit(lambda theta: jax.grad(lambda t: task.objective.loss(unravel(t), points) / 2)(theta))
    H = np.stack([(gradient(flat + h) - gradient(flat - h)) / 2e-5 for h in 1e-5 * np.eye(flat.size)])
    F = np.asarray(linearisation(params, points)[1])
    F = F.T @ F
    assert found["curvature"].shape == (2, 2)
    assert found["curvature"][0, 1] == pytest.approx(np.linalg.norm(H - F) / np.linalg.norm(F), abs=1e2 * DIFFERENCES)


def energy(matrix):
    return np.linalg.norm(matrix - np.diag(np.diag(matrix))) / np.linalg.norm(matrix)


def test_T33_averages_of_unrelated_gradients():
    for b1 in (0.0, 0.5, 0.95):
        cosine = topic.averages_of_unrelated_gradients(b1, 5_000, 300, np.random.default_rng(0))
        assert cosine == pytest.approx(b1, abs=4 * np.sqrt((1 - b1**2) / 5_000))


def test_T33_initial_scores(task):
    found = topic.initial_newton_scores(task, 5)
    assert found.shape == (5,)
    assert np.all(np.abs(found) <= 1)
    assert len(np.unique(found)) == 5


class TestTopic(TopicContract):
    """The contract of all topics, on made-up runs: records can be confirmed, and none is by what is not measured."""

    topic = topic
    claims = "T33"
    false_in_general = "T33"
    measured = (
        "two_losses without_momentum three_losses larger_network structure initial_newton_scores "
        "averages_of_unrelated_gradients"
    )

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def experiments(cls):
        with pytest.MonkeyPatch.context() as patch:
            for name, made in made_up_experiments().items():
                patch.setattr(topic, name, made)
            yield


def heat_runs(soap_redrawn):
    return {
        "Adam, fixed points": made_up(-0.9, whitened_fine=-1 / 3, loss=1.0),
        "Adam, redrawn points": made_up(-0.9, whitened_fine=-1 / 3, loss=1.0),
        "SOAP, fixed points": made_up(-0.6, whitened=-1 / 3, whitened_fine=-1 / 3, own_momentum=-0.4),
        "SOAP, redrawn points": soap_redrawn,
    }


def test_T33_window_is_the_last_quarter():
    history = made_up(-0.5)
    expected = -0.5 - 1e-3 * np.arange(len(topic.SEEDS))
    assert topic.window(history, "common") == pytest.approx(expected, abs=IDENTITY)
    history.values["loss"][:, -10:] = np.tile([1.0, 1e-4], 5)
    assert topic.geometric_window(history, "loss") == pytest.approx(1e-2)
    assert topic.at(history, "common", 750)[0] == 0.9
    history.values["condition"][:, -10:] = np.tile([1e4, 1e8], 5)
    assert topic.gain(history) == pytest.approx(1e2)


SHARED = {
    "whitened_scores_along_soap",
    "whitened_scores_at_small_damping",
    "slack_of_the_bound_on_damping",
    "common_state_scores",
    "own_state_scores",
    "own_state_scores_with_momentum",
    "newton_scores",
    "loss_of_adam_over_that_of_soap",
}
"""What measures the scores and the losses of both networks for the heat equation."""


def heat_records(monkeypatch, runs):
    """The records of scores and losses of the small network for the heat equation, on these runs."""
    monkeypatch.setattr(topic, "three_losses", lambda: runs)
    found = [check for check in checks_of(topic) if check.quantity.endswith(topic.SMALL)]
    found = [check for check in found if check.source.split(".")[-1] in SHARED]
    assert len(found) == len(SHARED)
    return checked(found)


def violated(records):
    return {record.quantity.split(";")[0] for record in records if record.verdict == "violated"}


def test_T33_records_can_fail(monkeypatch):
    good = heat_runs(made_up(-1 / 3, whitened=-1 / 3, whitened_fine=-1 / 3, own=-0.3))
    for run in good.values():
        run.values["newton"] -= 1.0
    found = heat_records(monkeypatch, good)
    assert violated(found) == set()
    middle = 1e-3 * np.mean(np.arange(len(topic.SEEDS)))
    assert topic.adam_is_farther(good, topic.REDRAWN) == pytest.approx(0.9 - 1 / 3, abs=IDENTITY)
    assert topic.distance(good, "SOAP", topic.FIXED, "common") == pytest.approx(0.6 + middle - 1 / 3, abs=IDENTITY)
    bad = heat_runs(made_up(0.3, loss=1.0, own=-0.4))
    bad["SOAP, redrawn points"].values["damping_bound"][1, 3] = 0.0
    for run in bad.values():
        run.values["whitened_fine"][2] = -0.25
    found = heat_records(monkeypatch, bad)
    assert len(violated(found)) == len({record.quantity.split(";")[0] for record in found})


def test_T33_one_seed_out_of_line_is_seen(monkeypatch):
    """Records about every seed do not average over them."""
    bad = heat_runs(made_up(-1 / 3, whitened=-1 / 3, whitened_fine=-1 / 3, own=-0.3))
    for run in bad.values():
        run.values["newton"] -= 1.0
    bad["SOAP, fixed points"].values["loss"][-1] = 0.5
    bad["SOAP, fixed points"].values["whitened"][-1] = -0.2
    assert violated(heat_records(monkeypatch, bad)) == {
        "farthest window mean over points and seeds, mu = 1e-8 lambda_max, heat, 697 parameters",
        "least ratio over fixed and redrawn points and seeds, geometric window means, heat, 697 parameters",
    }


@pytest.mark.parametrize(("comparison", "count"), [("at least", 5), ("at most", 1)])
def test_T33_directions_are_counted(monkeypatch, comparison, count):
    statement = ": own state, fixed points."
    found = [check for check in checks_of(topic) if check.quantity.endswith(topic.SMALL)]
    (check,) = [check for check in found if check.statement.endswith(statement)]
    assert (check.more["comparison"], check.bound) == topic.ORDERS[topic.SMALL]["own", topic.FIXED]
    check = dataclasses.replace(check, bound=count, more={"comparison": comparison})
    for above in range(len(topic.SEEDS) + 1):
        adam_run = made_up(-0.5)
        adam_run.values["own"][above:] += 0.3
        runs = {"SOAP, fixed points": made_up(-0.4), "Adam, fixed points": adam_run}
        monkeypatch.setattr(topic, "three_losses", lambda runs=runs: runs)
        (record,) = checked([check])
        assert record.measured == above
        assert (record.verdict == "confirmed") == (above >= count if comparison == "at least" else above <= count)


def test_T33_binned_curves():
    history = made_up(0.5, common=0.25, condition_preconditioned=1e2)._replace(steps=np.arange(41))
    x, y = topic.binned(history, "common", 0)
    assert len(x) == topic.BINS
    assert x[0] == pytest.approx(1.5)
    assert np.all(y == 0.25)
    assert topic.binned(history, "gain", 2)[1] == pytest.approx(np.full(topic.BINS, 1e2))
