"""The operation count against XLA's own, the formulas of a Gauss-Newton step, and textbook counts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import second_order
from experiments import specification

from gradalign.training.loop import build
from gradalign.training.operations import OperationCount, _count

POINTS = {"ic": 64, "bc": 64, "pde": 512}


def experiment(method, width=32, **settings):
    given = specification(method, width=width, points=POINTS)
    rate = {} if method in ("lbfgs", "gauss_newton", "soap_then_gauss_newton") else {"learning_rate": 1e-3}
    return build(given.model_copy(update={"method_settings": rate | settings}))


def counted(function, *arguments):
    program = jax.make_jaxpr(function)(*arguments)
    return _count(program.jaxpr, program.consts, [None] * len(program.jaxpr.invars))


def by_xla(made):
    """XLA's count of a method's step: the costlier branch of a condition, one pass of a loop, nothing of LAPACK."""
    loop = jax.eval_shape(lambda: made.start(0))
    points = jax.eval_shape(made.points, jax.random.key(0), loop)

    def step(params, state, points, weights):
        return made.method.step(made.objective(weights), params, state, points, None)[:2]

    return jax.jit(step).lower(loop.params, loop.state, points, loop.loss_weights).cost_analysis()["flops"]


@pytest.mark.parametrize("method", ["adam", "muon", "lbfgs"])
def test_without_lapack_and_conditions_it_is_the_count_of_xla(method):
    made = experiment(method)
    found = OperationCount(made)
    assert found.after.step + found.after.trial == pytest.approx(by_xla(made), rel=0.03)


def test_a_gauss_newton_step_costs_what_its_formulas_say():
    made = experiment("gauss_newton", width=24)
    found, parameters = OperationCount(made), 24 * 2 + 24 + 24 * 24 + 24 + 24 + 1
    rows = sum(POINTS.values())
    size = min(rows, parameters)
    formulas = second_order.operations(rows, parameters, 3, 1.0)
    assert found.after.step == pytest.approx(formulas["jacobian"] + formulas["gram"], rel=0.15)
    # XLA does not count the Cholesky factorisation and the solves with its factor
    missing = found.after.step + found.after.trial - by_xla(made)
    assert missing == pytest.approx(size**3 / 3 + 4 * size**2, rel=0.25)
    # A step with two trials: one evaluation for the Jacobian, and two for each trial
    assert found.between(1, 5) == pytest.approx(found.after.step + 2 * found.after.trial)
    assert found.between(10, 30) == pytest.approx(10 * found.after.step + 10 * found.after.trial)


@pytest.mark.slow
def test_a_refresh_counts_as_often_as_it_is_done():
    always, seldom, never = (
        OperationCount(experiment("soap", precondition_frequency=every)).after.step for every in (1, 10, 1000)
    )
    assert seldom - never == pytest.approx((always - never) / 10, rel=0.02)
    # A product and a QR factorisation for both sides of the square layer, and for one side of the others
    assert always - never == pytest.approx(4 * (2 + 8 / 3) * 32**3, rel=0.1)


@pytest.mark.slow
def test_before_the_hand_over_a_step_is_one_of_soap():
    found = OperationCount(experiment("soap_then_gauss_newton", width=16))
    soap, newton = (OperationCount(experiment(name, width=16)) for name in ("soap", "gauss_newton"))
    assert found.after.step == pytest.approx(newton.after.step, rel=0.02)
    assert found.after.trial == pytest.approx(newton.after.trial, rel=0.02)
    probes = newton.after.step / 100  # one step in a hundred tries Gauss-Newton
    assert found.before.step == pytest.approx(0.99 * soap.after.step + probes, rel=0.05)
    assert found.between(7, 7, handed_over=False) == pytest.approx(7 * found.before.step)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda a: jax.lax.linalg.cholesky(a, symmetrize_input=False), 200**3 / 3),
        (jnp.linalg.qr, 8 / 3 * 200**3),
        (jnp.linalg.eigh, 9 * 200**3),
        (lambda a: a @ a, 2 * 200**3),
        (lambda a: jax.scipy.linalg.solve_triangular(a, a), 200**3),
        (lambda a: jax.lax.scan(lambda x, _: (x @ a, None), a, length=5)[0], 10 * 200**3),
        (lambda a: jax.lax.cond(a[0, 0] > 0, lambda: a @ a, lambda: a), 2 * 200**3),
        (jax.checkpoint(lambda a: a @ a), 2 * 200**3),
    ],
)
def test_textbook_counts(function, expected):
    assert counted(function, jnp.eye(200)).step == pytest.approx(expected, rel=0.08)


def test_a_known_counter_decides_about_a_condition():
    program = jax.make_jaxpr(lambda n, a: jax.lax.cond(n % 3 == 0, lambda: a @ a, lambda: a))(jnp.int32(0), jnp.eye(9))
    found = [_count(program.jaxpr, program.consts, [np.int32(n), None]).step for n in range(3, 7)]
    assert [value > 2 * 9**3 - 1 for value in found] == [True, False, False, True]


def test_trials_and_loops_within_them_count_apart():
    def search(a):
        def trial(x):
            again = jax.lax.while_loop(lambda y: y[0, 0] > 9, lambda y: y @ y, x)
            return again + x @ a

        return jax.lax.while_loop(lambda x: x[0, 0] > 0, trial, a @ a @ a)

    found = counted(search, jnp.eye(50))
    assert found.step == pytest.approx(4 * 50**3, rel=0.05)
    assert found.trial == pytest.approx(2 * 50**3, rel=0.05)


def test_trials_that_no_stage_is_long_enough_for_take_no_time_to_count():
    """With one trial in a million steps, every step before the hand-over is one of SOAP."""
    settings = {"soap": {"learning_rate": 1e-3, "precondition_frequency": 3}, "probe_every": 1_000_000}
    made = experiment("soap_then_gauss_newton", **settings)
    assert made.method.period == 3
    soap = OperationCount(experiment("soap", precondition_frequency=3)).after
    assert OperationCount(made).before.step == pytest.approx(soap.step, rel=1e-3)
    often = experiment("soap_then_gauss_newton", **settings | {"probe_every": 2})
    assert often.method.period == 6
    assert OperationCount(often).before.step > 2 * soap.step
