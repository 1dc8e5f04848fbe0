"""A run on the host: it survives a kill bit for bit, stops on a non-finite loss, and never mixes settings."""

import shutil

import jax
import numpy as np
import pandas as pd
import pytest
from experiments import line_reference, specification

from gradalign.base.errors import ConfigurationError, DeviceError, NonFiniteLossError, TimeLimitError
from gradalign.training import checkpoints
from gradalign.training.compilation import QUICK
from gradalign.training.loop import build
from gradalign.training.runner import FEW_LOGS, _compiled, _identity, _known, device_name, require_device, train

pytestmark = pytest.mark.usefixtures("shared_programs")

CURVES = ["run", "problem", "method", "seed", "step", "seconds", "quantity", "value"]


class KilledError(Exception):
    pass


def killer(at):
    def listen(progress):
        if progress.step == at:
            raise KilledError

    return listen


def numbers(directory):
    """Everything that a run computes, except its times."""
    curves = pd.read_csv(directory / "curves.csv").drop(columns="seconds")
    parameters = {path.name: path.read_bytes() for path in sorted((directory / "parameters").glob("*.safetensors"))}
    return curves, parameters


@pytest.fixture(scope="module")
def finished(tmp_path_factory, shared_programs):
    directory = tmp_path_factory.mktemp("finished")
    train(specification("soap"), line_reference(), directory)
    return directory


@pytest.mark.slow
def test_a_killed_run_goes_on_bit_for_bit(finished, tmp_path):
    for at in (0, 4, 8):
        with pytest.raises(KilledError):
            train(specification("soap"), line_reference(), tmp_path, killer(at))
    for folder in (tmp_path, tmp_path / "parameters", tmp_path / "checkpoints" / "seed-0"):
        folder.mkdir(exist_ok=True)
        (folder / ".table.1.partial.csv").touch()  # left by a kill in the middle of writing
    steps = []
    train(
        specification("soap"), line_reference(), tmp_path, lambda progress: steps.append((progress.seed, progress.step))
    )
    assert steps[0] == (0, 8)  # step 4 was checkpointed before the listener heard of step 8
    assert not [path for path in tmp_path.rglob("*") if "partial" in path.name]
    expected, found = numbers(finished), numbers(tmp_path)
    pd.testing.assert_frame_equal(found[0], expected[0], check_exact=True)
    assert found[1] == expected[1]


def test_tables_have_their_columns_and_a_row_per_seed(finished):
    runs, curves = pd.read_csv(finished / "runs.csv"), pd.read_csv(finished / "curves.csv")
    assert list(curves.columns) == CURVES
    assert runs["seed"].tolist() == [0, 7]
    assert (runs["milliseconds_per_step"] > 0).all()
    assert runs["precision"].unique().tolist() == ["float64"]
    assert sorted(curves["step"].unique()) == [0, 4, 8, 12]
    assert not curves.duplicated(["seed", "step", "quantity"]).any()
    assert runs[["b1", "points_every"]].drop_duplicates().values.tolist() == [[0.95, 1]]  # the default of SOAP
    logged = set(curves["quantity"])
    counted = curves[curves["quantity"] == "gradient_evaluations"]
    assert counted["value"].tolist() == counted["step"].tolist() == [0, 4, 8, 12] * 2
    scores = {f"score_{kind}" for kind in ("raw", "common_state", "own_state", "inter_gradient", "inter_update")}
    assert scores | {"loss", "loss/ic", "weight/pde", "gradient_norm/bc", "gain/pde", "error"} <= logged


def test_operations_add_up_and_the_recipe_is_named(finished):
    curves = pd.read_csv(finished / "curves.csv")
    counted = curves[curves["quantity"] == "operations"].sort_values(["seed", "step"])
    first = counted[counted["step"] > 0].iloc[0]
    assert first["value"] > 0
    np.testing.assert_allclose(counted["value"], first["value"] / first["step"] * counted["step"], rtol=1e-12)
    (recipe,) = pd.read_csv(finished / "runs.csv")["recipe"].unique()
    assert recipe.startswith("float64, mlp 2x4 tanh, 28 points redrawn every step, no causal weights, ")
    assert recipe.endswith("loss weights by gradient norm, 1 window")


def test_options_that_this_xla_does_not_have_are_left_out():
    assert _known(QUICK | {"xla_no_such_option": True}) == _known(QUICK)
    with pytest.raises(jax.errors.JaxRuntimeError):
        _known({"xla_backend_optimization_level": "not a number"})


@pytest.mark.slow
def test_only_diagnostics_that_are_logged_a_few_times_are_compiled_in_a_hurry(monkeypatch):
    monkeypatch.setattr("gradalign.training.runner._known", dict)
    for logs, hurried in ((FEW_LOGS, [QUICK]), (FEW_LOGS + 1, [])):
        given, options = specification("adam"), []
        training = given.training.model_copy(update={"steps": logs * given.training.log_every})
        monkeypatch.setattr(jax.stages.Lowered, "compile", lambda _, asked=None, to=options: to.append(asked))
        _compiled(build(given.model_copy(update={"training": training})))
        expected = hurried if jax.default_backend() == "cpu" else []
        assert [asked for asked in options if asked is not None] == expected


@pytest.mark.slow
def test_diagnostics_compiled_with_care_agree(finished, tmp_path, monkeypatch):
    monkeypatch.setattr("gradalign.training.runner._compiled", _compiled)
    careful = {"xla_backend_optimization_level": "3", "xla_cpu_use_fusion_emitters": True}  # as outside the tests
    monkeypatch.setattr("gradalign.training.runner.QUICK", careful)
    train(specification("soap"), line_reference(), tmp_path)
    expected, found = numbers(finished), numbers(tmp_path)
    pd.testing.assert_frame_equal(found[0], expected[0], rtol=1e-9, atol=1e-12)
    assert found[1] == expected[1]  # not a bit of the training changes


def test_seeds_differ_in_points_and_parameters(finished):
    curves = pd.read_csv(finished / "curves.csv").query("quantity == 'loss'")
    losses = curves.pivot_table(index="step", columns="seed", values="value")
    assert (losses[0] != losses[7]).all()


def test_a_finished_run_is_not_computed_again(finished, tmp_path):
    before = numbers(finished)
    train(specification("soap"), line_reference(), finished, killer(0))  # would raise at the first logged step
    pd.testing.assert_frame_equal(numbers(finished)[0], before[0], check_exact=True)


@pytest.mark.slow
def test_a_checkpoint_of_other_settings_does_not_count(tmp_path):
    plain = {"steps": 4, "own_state": False}
    train(specification("adam", **plain), line_reference(), tmp_path)
    (tmp_path / "checksums.sha256").unlink()  # as the pipeline does before it trains anew
    steps = []
    other = specification("adam", learning_rate=3e-3, **plain)
    train(other, line_reference(), tmp_path, lambda p: steps.append(p.step))
    assert steps == [0, 4, 0, 4]
    changed = [{"width": 5}, {"points": {"ic": 8, "bc": 4, "pde": 17}}, {"precision": "float32"}, {"method": "soap"}]
    all_settings = [specification(**({"method": "adam"} | plain | change)) for change in [{}, *changed]]
    assert len({_identity(settings, line_reference()) for settings in all_settings}) == 1 + len(changed)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"width": 5}, r"network.width is 4 there, 5 here"),
        ({"method": "adam"}, r"method is \"soap\" there, \"adam\" here"),
        ({"learning_rate": 3e-3}, r"method_settings.learning_rate is 0.001 there, 0.003 here"),
        ({"steps": 16}, r"training.steps is 12 there, 16 here"),
        ({"problem_settings": {"viscosity": 0.05}}, r"problem_settings.viscosity is not given there, 0.05 here"),
    ],
)
def test_a_finished_run_of_other_settings_is_left_alone(finished, other, said):
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    given = specification(**({"method": "soap"} | other))
    with pytest.raises(ConfigurationError, match=f"holds a finished run of other settings .*: .*{said}.*allowed"):
        train(given, line_reference(**given.problem_settings), finished, killer(0))
    assert {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()} == before


def test_a_finished_run_that_does_not_say_its_settings_is_left_alone_unless_it_is_damaged(finished, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    (tmp_path / "specification.json").unlink()
    lines = (tmp_path / "checksums.sha256").read_text().splitlines(keepends=True)
    (tmp_path / "checksums.sha256").write_text("".join(line for line in lines if "specification" not in line))
    with pytest.raises(ConfigurationError, match="a finished run of another version, which does not say its settings"):
        train(specification("soap"), line_reference(), tmp_path, killer(0))
    (tmp_path / "runs.csv").write_text("damaged")
    train(specification("soap"), line_reference(), tmp_path, killer(0))  # from its last checkpoint
    assert "specification.json" in (tmp_path / "checksums.sha256").read_text()


def test_a_reference_of_another_equation_is_refused_before_any_compute(tmp_path):
    given = specification("adam", problem_settings={"viscosity": 0.0032})
    with pytest.raises(ConfigurationError, match=r"viscosity is 0.05 in the reference, 0.0032 in the run"):
        train(given, line_reference(viscosity=0.05), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_label_changes_nothing_that_was_computed(finished):
    renamed = specification("soap").model_copy(update={"name": "other", "changed": "the label"})
    train(renamed, line_reference(), finished, killer(0))  # would raise at the first logged step
    assert pd.read_csv(finished / "runs.csv")["changed"].unique().tolist() == ["the label"]
    train(specification("soap"), line_reference(), finished, killer(0))
    assert pd.read_csv(finished / "runs.csv")["changed"].isna().all()


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_is_taken(finished, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    expected, said, steps = numbers(tmp_path), [], []
    folder = tmp_path / "checkpoints" / "seed-0"
    assert [path.name for path in sorted(folder.iterdir())] == [f"step-{n:012d}.safetensors" for n in (8, 12)]
    last = folder / "step-000000000012.safetensors"
    last.write_bytes(last.read_bytes()[:100])
    train(specification("soap"), line_reference(), tmp_path, lambda p: steps.append((p.seed, p.step)), said.append)
    assert steps == [(0, 12)]  # from step 8; seed 7 is finished
    assert len(said) == 1
    assert all(text in said[0] for text in (last.name, "goes on from an earlier state"))
    found = numbers(tmp_path)
    pd.testing.assert_frame_equal(found[0], expected[0], check_exact=True)
    assert found[1] == expected[1]


def test_with_no_sound_checkpoint_the_run_starts_anew(finished, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    expected, said, steps = numbers(tmp_path), [], []
    for path in (tmp_path / "checkpoints").glob("*/*"):
        path.write_bytes(b"")
    train(specification("soap"), line_reference(), tmp_path, lambda p: steps.append((p.seed, p.step)), said.append)
    assert steps[:2] == [(0, 0), (0, 4)]
    assert len(said) == 4
    assert numbers(tmp_path)[1] == expected[1]


@pytest.mark.slow
def test_a_run_stops_when_its_time_is_used_up_and_goes_on_bit_for_bit(finished, tmp_path):
    """Also at a step without a regular checkpoint."""
    given = specification("adam", checkpoint_every=12)
    expected, stopped = tmp_path / "whole", tmp_path / "stopped"
    train(given, line_reference(), expected)
    stops = 0
    while True:
        try:
            train(given, line_reference(), stopped, max_seconds=0.0)
        except TimeLimitError as error:
            stops += 1
            assert "goes on from there" in str(error)  # noqa: PT017 - the last one raises nothing
            assert not (stopped / "checksums.sha256").exists()
        else:
            break
    assert stops == 4  # steps 4 and 8 of both seeds
    pd.testing.assert_frame_equal(numbers(stopped)[0], numbers(expected)[0], check_exact=True)
    assert numbers(stopped)[1] == numbers(expected)[1]


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_log(tmp_path):
    given = specification("adam", steps=8, learning_rate=1e30, precision="float32", own_state=False)
    with pytest.raises(NonFiniteLossError, match=r"at step \d+.*'burgers'.*'adam', seed 0.*learning_rate") as caught:
        train(given, line_reference(), tmp_path)
    # Adam moves every parameter by the step size, so the second update already meets infinite residuals
    assert "at step 2" in str(caught.value)
    log = pd.read_csv(tmp_path / "curves-failed-0.csv")
    assert log["step"].unique().tolist() == [0]
    assert np.isfinite(log.query("quantity == 'loss'")["value"]).all()


@pytest.mark.slow
def test_gauss_newton_runs_through_the_same_loop(tmp_path):
    given = specification("gauss_newton", steps=12, learning_rate=None, points_every=12, own_state=False)
    train(given, line_reference(), tmp_path)
    curves = pd.read_csv(tmp_path / "curves.csv")
    assert {"damping", "decrease_ratio"} <= set(curves["quantity"])
    losses = curves.query("quantity == 'loss' and seed == 0")["value"].to_numpy()
    assert (np.diff(losses[:-1]) <= 0).all()  # on fixed points every step is kept only if it lowers the loss
    assert losses[-1] < 0.5 * losses[0]


def test_a_gpu_run_refuses_a_cpu_before_any_compute(tmp_path):
    given = specification("adam").model_copy(update={"device": "gpu", "scale": "paper"})
    with pytest.raises(DeviceError, match=r"JAX sees only cpu.*snakemake --profile.*SCALE=laptop"):
        train(given, line_reference(), tmp_path)
    assert not list(tmp_path.iterdir())
    require_device("cpu", "smoke")


@pytest.mark.parametrize(("cores", "said"), [("1", "cpu (1 core)"), ("3", "cpu (3 cores)")])
def test_the_device_is_named_with_the_cores_that_a_run_may_use(monkeypatch, cores, said):
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)), raising=False)
    monkeypatch.setenv("NPROC", cores)
    assert device_name() == said


@pytest.mark.parametrize("cores", ["two", "0", "-1", "1.5"])
def test_a_number_of_cores_that_is_none_is_refused_before_any_compute(monkeypatch, tmp_path, cores):
    monkeypatch.setenv("NPROC", cores)
    with pytest.raises(ConfigurationError, match=f"NPROC is '{cores}' in the environment; allowed: .* 1 or more"):
        train(specification("adam"), line_reference(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_parameters_load_into_the_network(finished):
    experiment = build(specification("soap"))
    like = experiment.start(0).params
    params, metadata = checkpoints.load(finished / "parameters" / "seed-7.safetensors", like)
    assert metadata == {"step": 12}
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params))
