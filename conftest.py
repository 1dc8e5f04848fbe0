"""Settings of every test: 64-bit types, strict promotion of dtypes, full-precision products, fixed examples.

The tests of endurance come in a short form; options give the full counts, as ``make endurance`` does. What they counted
is printed at the end, and kept in a table where ``--counts`` names a file.
"""

import gc
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from gradalign.training.compilation import quick_flags

# As many processes as cores run the tests: threads of their own would only wait for each other. And tests mostly
# compile: fewer optimisations of the machine code and XLA's older way to write fused loops halve that time. What users
# get is tried by the pipeline at the scale smoke. All of it holds for the processes that tests start, too.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ["XLA_FLAGS"] = f"{quick_flags()} {os.environ.get('XLA_FLAGS', '')}".strip()
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")  # which operation stands on which line is not asked here

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # under nohup: the programs that tests interrupt would not stop
    signal.signal(signal.SIGINT, signal.default_int_handler)

import jax
import matplotlib  # noqa: F401 - before figures/common.py, which has it read our style: tests see its defaults
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("topic_contract")
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_default_matmul_precision", "highest")
# Many tests compile the same programs; the second one finds them here
jax.config.update("jax_compilation_cache_dir", str(Path(__file__).parent / ".pytest_cache" / "compiled"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)
gc.set_threshold(100_000, 50, 1000)  # tracing makes many objects and leaves little garbage: a sixth of the time


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=1, help="kills of each kind in tests/endurance/test_killed.py")
    parser.addoption("--whole-pipeline", action="store_true", help="kill the whole smoke pipeline, not a part of it")
    parser.addoption(
        "--flips", type=int, default=20, help="flipped bits of each kind in tests/endurance/test_damage.py"
    )
    parser.addoption("--counts", type=Path, help="CSV file that keeps what the tests of endurance counted")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests first, so that no process has one left when the others are done."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture
def count(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Keep a row of the table of endurance; call it before the assertion, so that a failure is counted too.

    tried: disturbances. survived: those after which all went on, and ended with the right numbers. wrong: those after
    which a wrong number was left. The others ended with an error that needs a person.
    """

    def keep(what: str, tried: int, survived: int, wrong: int, remark: str = "") -> None:
        row = {"what": what, "tried": tried, "survived": survived, "wrong": wrong, "remark": remark}
        record_property("endurance", row)

    return keep


@pytest.fixture(scope="module")
def shared_programs() -> Iterator[None]:
    """Runs with the same settings share their compiled programs; all else of a start is done anew."""
    from gradalign.training import runner

    compiled, known = runner._compiled, {}

    def once(experiment):
        settings = experiment.specification.model_dump_json(exclude={"name", "changed", "seeds"})
        if settings not in known:
            known[settings] = compiled(experiment)
        return known[settings]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "_compiled", once)
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    calls = [
        report
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
    ]
    rows = [row for report in calls for name, row in report.user_properties if name == "endurance"]
    if not rows:
        return
    from gradalign.base.provenance import commit
    from gradalign.training.runner import device_name

    table = pd.DataFrame(rows).assign(commit=commit(), device=device_name())
    terminalreporter.section("endurance")
    terminalreporter.write_line(table.drop(columns=["commit", "device"]).to_string(index=False))
    path = config.getoption("--counts")
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():  # rows of other parts of the counts stay
            before = pd.read_csv(path, keep_default_na=False)
            table = pd.concat([before[~before["what"].isin(table["what"])], table])
        table.to_csv(path, index=False)


settings.register_profile(
    "gradalign",
    max_examples=60,
    derandomize=True,
    deadline=None,  # the first example of a test pays for compilation
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("gradalign")
