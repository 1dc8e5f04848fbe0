"""Settings of every test: 64-bit types, strict promotion of dtypes, full-precision products, fixed examples.

The endurance tests run in a short form; options give the full counts, as in ``make endurance``. Their counts are
printed at the end, and written to a table if ``--counts`` names a file.
"""

import gc
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from gradalign.training.compilation import quick_flags

# Tests run in as many processes as there are cores, so threads within a process would only wait for each other. Most of
# their time is compilation: a low optimisation level and the older way of XLA to write fused loops halve it. The
# pipeline at the scale smoke tests what users get. All of this also holds for the processes that tests start.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ["XLA_FLAGS"] = f"{quick_flags()} {os.environ.get('XLA_FLAGS', '')}".strip()
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")  # no test needs the source lines of operations

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # under nohup, the programs that tests interrupt would not stop
    signal.signal(signal.SIGINT, signal.default_int_handler)

import jax
import matplotlib  # noqa: F401 - tests see its defaults, because it is loaded before figures/__init__.py sets our style
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("topic_contract")
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_default_matmul_precision", "highest")
# Many tests compile the same programs and share them here
jax.config.update("jax_compilation_cache_dir", str(Path(__file__).parent / ".pytest_cache" / "compiled"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)
gc.set_threshold(100_000, 50, 1000)  # tracing makes many objects and little garbage; this saves a sixth of the time


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=1, help="kills of each kind in tests/endurance/test_killed.py")
    parser.addoption("--whole-pipeline", action="store_true", help="kill the whole smoke pipeline, not a part of it")
    parser.addoption(
        "--flips", type=int, default=20, help="flipped bits of each kind in tests/endurance/test_damage.py"
    )
    parser.addoption("--counts", type=Path, help="CSV file that keeps what the tests of endurance counted")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests first, so that no process still has one when the others are done."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture
def count(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Keep a row of the endurance table; call it before the assertion, so that a failure counts too.

    tried: disturbances. survived: those after which everything continued and ended with the right numbers. wrong: those
    that left a wrong number. All others ended with an error that needs a person.
    """

    def keep(what: str, tried: int, survived: int, wrong: int, remark: str = "") -> None:
        row = {"what": what, "tried": tried, "survived": survived, "wrong": wrong, "remark": remark}
        record_property("endurance", row)

    return keep


@pytest.fixture(scope="module")
def shared_programs() -> Iterator[None]:
    """Let runs with the same settings share their compiled programs; everything else at their start is done anew."""
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
        if path.exists():  # keep the rows of other tests
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
