"""The line of progress of the pipeline: Snakemake's events by hand, a clock that stands still, no Snakemake."""

import io
import logging
import re
from pathlib import Path

import pytest

from snakemake_logger_plugin_gradalign import drawing, logs, time_left, words
from snakemake_logger_plugin_gradalign.face import PATIENCE, QUIET, Face
from snakemake_logger_plugin_gradalign.state import Run

ROOT = Path(__file__).resolve().parents[2]
PLAN = {"event": "run_info", "stats": {"run_specification": 2, "train": 2, "all": 1, "total": 5}}
STOP = {"event": None, "message": "Terminating processes on user request, this might take some time."}
END = {"event": "error", "message": "WorkflowError:\nAt least one job did not complete successfully."}
LAST = {"event": None, "message": "Exiting because a job execution failed. Look above for error messages"}
COMMAND = {"event": "error", "exception": "RuleException", "message": "RuleException:\nCalledProcessError in file x"}


def job(number: int, rule: str = "train", name: str = "", log: str = "", **more) -> dict:
    wildcards = {"run": name} if name else {}
    logged = [log] if log else []
    return {"event": "job_info", "jobid": number, "rule_name": rule, "wildcards": wildcards, "log": logged} | more


def done(number: int, of: int, total: int = 5) -> list[dict]:
    return [{"event": "job_finished", "job_id": number}, {"event": "progress", "done": of, "total": total}]


def failed(number: int, rule: str = "train", log: str = "") -> dict:
    return {"event": "job_error", "jobid": number, "rule_name": rule, "log": [log] if log else []}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Screen:
    """A face whose clock is set by hand, and what a reader has seen of it."""

    def __init__(self, stream: io.StringIO | None = None, **options) -> None:
        self.now = 1000.0
        self.stream = stream or io.StringIO()
        self.face = Face(self.stream, clock=lambda: self.now, **options)

    def take(self, *events: dict, seconds: float = 0.0) -> None:
        for event in events:
            level = logging.ERROR if event.get("event") in ("error", "job_error") else logging.INFO
            self.face.take(logging.makeLogRecord({"levelno": level} | event))
        self.now += seconds

    def said(self) -> str:
        return self.stream.getvalue()


@pytest.fixture
def terminal(monkeypatch) -> Screen:
    monkeypatch.setenv("TERM", "xterm")
    return Screen(Terminal())


def test_a_run_is_counted_as_snakemake_counts_it():
    run = Run()
    for event in (PLAN, job(1, name="a"), job(2, name="b"), *done(1, of=1)):
        run.take(event, 3.0)
    assert (run.done, run.total, [job.name for job in run.running.values()]) == (1, 5, ["b"])
    assert [job.doing for job in run.finished] == ["training a"]


def test_a_checkpoint_makes_the_run_longer_and_until_does_not():
    run = Run()
    for event in (PLAN, *done(1, of=1, total=140), *done(2, of=2, total=140)):
        run.take(event, 0.0)
    assert run.total == 5
    run.take(done(3, of=3, total=147)[1], 0.0)
    assert run.total == 12


def test_a_job_that_is_tried_again_and_finishes_has_not_failed(tmp_path):
    screen = Screen()
    screen.take(PLAN, job(1, name="a"), failed(1), seconds=2 * PATIENCE)
    screen.face.tick()
    assert screen.said().count("FAILED: training a") == 1
    screen.take({"event": None, "message": "Trying to restart job 1."}, job(1, name="a"))
    log = tmp_path / "a.log"
    log.write_text("the reason\n")
    screen.take(failed(1, log=str(log)), job(1, name="a"))
    log.write_text("")
    screen.take(*done(1, of=5))
    screen.face.close()
    assert "FAILED, tried again: training a, after 0 s\n  the end of its log, " in screen.said()
    assert screen.said().endswith("  | the reason\nAll 5 jobs are done, in 2 s.\n")


def test_a_pipe_gets_a_line_a_job_and_a_quiet_minute_one(tmp_path):
    log = tmp_path / "a.log"
    screen = Screen()
    screen.take(PLAN, job(1, "run_specification", "a"), *done(1, of=1), job(2, name="a", log=str(log)), seconds=QUIET)
    log.write_text("train a: started\ntrain a:  42% seed 1, loss 4.4e-01, error 9.4e-01\n")
    screen.face.tick()
    screen.face.tick()
    screen.take(*done(2, of=2), job(3, "all"), *done(3, of=5))
    screen.face.close()
    assert screen.said().splitlines() == [
        "5 jobs on 1 core. Ctrl-C stops; the same command resumes.",
        "1 of 5 jobs, 1 min 0 s: training a (seed 1, 42 %)",
        "[2/5] training a: 1 min 0 s",
        "All 5 jobs are done, in 1 min 0 s.",
    ]


def test_a_terminal_has_one_line_that_gives_way_to_what_stays(terminal):
    terminal.take(PLAN, job(1, name="a"), job(2, name="b"), seconds=3)
    terminal.face.tick()
    terminal.take(*done(1, of=1), failed(2), LAST, END)
    terminal.face.close()
    assert "\r0 of 5 jobs, 3 s: training a, training b" in terminal.said()
    assert "[1/5]" not in terminal.said()
    assert terminal.said().split("\n")[-4:] == [
        "1 job failed, 1 of 5 are done, in 3 s:",
        "  training b",
        "The same command resumes when the cause is mended.",
        "",
    ]
    # The line is wiped before anything that stays is written
    assert re.search(r"\r +\rFAILED: training b, after 3 s\n", terminal.said())


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_cannot_go_back_gets_plain_lines(monkeypatch, term):
    monkeypatch.setenv("TERM", term)
    screen = Screen(Terminal())
    screen.take(PLAN, job(1, name="a"))
    screen.face.tick()
    screen.take(*done(1, of=1))
    screen.face.close()
    assert "\r" not in screen.said()
    assert "training a: 0 s\n" in screen.said()


def test_a_failure_shows_the_end_of_its_log_and_where_the_whole_is(tmp_path):
    log = tmp_path / "a.log"
    log.write_text("".join(f"line {i}\n" for i in range(100)) + "\x1b[2J\x1b[31mNonFiniteLossError: x\x07\n\n")
    screen = Screen()
    screen.take(PLAN, job(1, name="a", log=str(log)), COMMAND, failed(1, log=str(log)), LAST, END)
    screen.face.close()
    said = screen.said()
    assert f"FAILED: training a, after 0 s\n  the end of its log, {log}:\n  | line 86\n" in said
    assert "  | line 99\n  | NonFiniteLossError: x\n1 job failed, 0 of 5 are done" in said
    assert "line 85" not in said
    assert "CalledProcessError" not in said
    assert "At least one job" not in said
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", said)


@pytest.mark.parametrize("early", [True, False])
def test_ctrl_c_is_one_line_and_jobs_that_it_ends_have_not_failed(terminal, early):
    killed = [COMMAND, failed(1, log="somewhere.log")]
    terminal.take(PLAN, job(1, name="a"), job(2, name="b"))
    for events in (killed, [STOP, STOP]) if early else ([STOP], [*killed, STOP]):
        terminal.take(*events, seconds=PATIENCE / 2)
        terminal.face.tick()
    terminal.take(LAST, END, seconds=2 * PATIENCE)
    terminal.face.tick()
    terminal.face.close()
    assert terminal.said().endswith("stopped: the same command resumes\n")
    assert terminal.said().count("stopped") == 1
    assert "FAILED" not in terminal.said()


def test_a_run_that_is_told_to_end_waits_for_its_jobs():
    screen = Screen()
    screen.take(PLAN, job(1, name="a"))
    screen.take({"event": None, "message": "Will exit after finishing currently running jobs (scheduler)."})
    screen.take(*done(1, of=1), END)
    screen.face.close()
    assert screen.said().splitlines()[1:] == [
        "stopping when the jobs that run are done",
        "[1/5] training a: 0 s",
        "stopped: 1 of 5 jobs are done, in 0 s; the same command resumes",
    ]


def test_a_failure_before_ctrl_c_is_shown(terminal):
    terminal.take(PLAN, job(1, name="a"), failed(1), seconds=2 * PATIENCE)
    terminal.face.tick()
    terminal.take(STOP)
    assert "FAILED: training a" in terminal.said()


def test_an_error_before_any_job_is_shown_in_full_and_once():
    wrong = "WorkflowError in file common.smk, line 35:\nthe configuration is wrong, nothing was started\nunknown scale"
    screen = Screen()
    screen.take({"event": "error", "exception": "WorkflowError", "message": wrong})
    screen.face.close()
    assert screen.said() == wrong + "\n"
    # A command that is no job's, of the hook that looks for a device
    screen = Screen()
    screen.take(PLAN, COMMAND)
    screen.face.close()
    assert screen.said().endswith(COMMAND["message"] + "\n")
    assert "All" not in screen.said()


def test_warnings_are_shown_and_what_snakemake_tells_is_not():
    screen = Screen()
    screen.take({"event": None, "message": "Select jobs to execute..."})
    screen.take({"event": None, "message": "None"}, {"event": "shellcmd", "message": "sh"})
    assert screen.said() == ""
    screen.take({"event": None, "message": "the reference wave is damaged", "levelno": logging.WARNING})
    assert screen.said() == "the reference wave is damaged\n"


def test_a_dry_run_says_how_many_jobs_of_each_kind():
    screen = Screen(dry_run=True)
    screen.take(PLAN, job(1, name="a"), job(2, name="b"), PLAN, {"event": None, "message": "This was a dry-run"})
    screen.face.tick()
    screen.face.close()
    assert screen.said() == "would run 5 jobs: 2 files of settings, 2 trainings. Nothing was started.\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_an_encoding_lacks_is_replaced(encoding):
    raw = io.BytesIO()
    screen = Screen(io.TextIOWrapper(raw, encoding=encoding))
    screen.take({"event": "error", "message": "‖∇L‖ is 3 ± 1"})
    assert raw.getvalue().decode(encoding).startswith("‖∇L‖" if encoding == "utf-8" else "??L? is 3")


def test_the_run_goes_on_when_its_reader_has_gone():
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    screen = Screen(Gone())
    screen.take(PLAN, job(1, name="a"), *done(1, of=5))
    screen.face.close()
    assert screen.face.run.done == 5


@pytest.mark.parametrize("columns", range(20, 200, 7))
def test_the_line_fits_and_says_as_much_as_fits(columns):
    run = Run()
    names = ["burgers-soap", "lid_driven_cavity-gauss_newton", "fig_lid_driven_cavity_scores_and_error"]
    for event in (PLAN, *(job(number, name=name) for number, name in enumerate(names))):
        run.take(event, 0.0)
    progress = {0: (0.42, "seed 1"), 1: None, 2: None}
    for left in (None, 480.0):
        line = drawing.progress_line(run, progress, 725.0, left, columns)
        assert len(line) <= columns
        assert line.startswith("0 of 5 jobs, 12 min 5 s"[:17])
        if columns > 75:
            assert "training burgers-soap" in line
        if columns > 190:
            assert line.endswith(f"(seed 1, 42 %), training {names[1]}, training {names[2]}")


def test_only_the_end_of_a_log_is_read_and_none_of_an_earlier_run(tmp_path):
    log = tmp_path / "x.log"
    log.write_text("train x:  10% seed 0\n" + "y" * 10_000_000 + "\n")
    assert logs.share_in(logs.end_of(str(log))) is None
    assert len(logs.end_of(str(log))) == 4096
    log.write_text("train x:  10% seed 0\ntrain x:  15% seed 1, loss\n")
    assert logs.share_in(logs.end_of(str(log))) == (0.15, "seed 1")
    assert logs.end_of(str(log), since=log.stat().st_mtime + 1) == ""
    assert logs.end_of(str(tmp_path)) == logs.end_of(str(tmp_path / "none")) == ""
    log.write_bytes(b"\xff\xfe train x: 999% seed")
    assert logs.share_in(logs.end_of(str(log))) == (1.0, "")


def test_a_job_that_has_just_started_is_not_where_its_last_run_was(tmp_path):
    log = tmp_path / "a.log"
    log.write_text("train a:  42% seed 1\n")
    screen = Screen()
    screen.now = log.stat().st_mtime + 100
    screen.take(PLAN, job(1, name="a", log=str(log)), seconds=2 * QUIET)
    screen.face.tick()
    assert screen.said().endswith(": training a\n")


def test_the_time_left_is_that_of_the_work_left(tmp_path):
    (tmp_path / "results/smoke/logs").mkdir(parents=True)
    time_left.write(tmp_path / "results/smoke/logs/seconds.csv", {("train", "a"): 100.0, ("train", "b"): 300.0})
    planned = {"event": None, "message": "", "planned": [("train", "a"), ("train", "b")]}
    screen = Screen(results=str(tmp_path / "results/smoke"))
    screen.take(PLAN, planned, job(1, name="a"), seconds=600)
    screen.take(*done(1, of=1))
    screen.face.tick()
    assert " left" not in screen.said()  # no line says it without a job that runs
    log = tmp_path / "b.log"
    log.write_text("train b:   0% seed 1\n")
    screen.take(job(2, name="b", log=str(log)))
    screen.now += QUIET
    screen.face.tick()
    # A quarter of the work took 660 seconds: three quarters take 33 minutes, said as 35
    assert "about 35 min left: training b" in screen.said()
    screen.face.close()
    assert time_left.read(tmp_path / "results/smoke/logs/seconds.csv") == {("train", "a"): 600.0, ("train", "b"): 300.0}


def test_a_long_job_whose_log_is_silent_does_not_make_the_time_left_grow(tmp_path):
    (tmp_path / "results/smoke/logs").mkdir(parents=True)
    time_left.write(tmp_path / "results/smoke/logs/seconds.csv", {("reference", "a"): 10.0, ("claim", "b"): 90.0})
    planned = {"event": None, "message": "", "planned": [("reference", "a"), ("claim", "b")]}
    screen = Screen(results=str(tmp_path / "results/smoke"))
    screen.take(PLAN, planned, job(1, "reference", "a"), seconds=10)
    screen.take(*done(1, of=1), job(2, "claim", "b"), seconds=QUIET)
    screen.face.tick()
    # As before: 70 of 100 seconds are done
    assert "1 of 5 jobs, 1 min 10 s, under a minute left: checking the claims of b\n" in screen.said()


def test_no_time_is_said_where_it_is_not_known(tmp_path):
    weights = {("train", "a"): 1.0}
    planned = [("train", "a"), ("paper", "")]
    assert time_left.share_done(planned, {("train", "a"): 1.0}, weights) is None  # nobody knows the paper
    assert time_left.share_done(planned, {}, {}) is None
    assert time_left.TimeLeft().at(100.0, 0.0, None) is None
    assert time_left.TimeLeft().at(100.0, 0.0, 0.04) is None
    path = tmp_path / "seconds.csv"
    for poison in ("", "a,b\n1,2\n", "rule,name,core_seconds\ntrain,a,x\n", "rule,name,core_seconds\ntrain,a\n"):
        path.write_text(poison)
        assert time_left.read(path) == {}
    path.write_text("rule,name,core_seconds\ntrain,a,nan\ntrain,b,inf\ntrain,c,-1\ntrain,d,2\n")
    assert time_left.read(path) == {("train", "d"): 2.0}
    path.write_bytes(b"\xff\x00")
    assert time_left.read(path) == {}


def test_the_time_left_never_jumps():
    shown = time_left.TimeLeft()
    assert shown.at(100.0, 0.0, 0.5) == pytest.approx(100.0)
    # The estimate halves at once; what is shown follows in steps
    assert 95 < shown.at(101.0, 0.0, 0.66) < 99
    for _ in range(200):
        last = shown.at(101.0, 0.0, 0.66)
    assert last == pytest.approx(101 * 0.34 / 0.66, rel=0.01)


def test_every_job_of_the_pipeline_is_named_in_words():
    rules = set()
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        parts = re.split(r"^rule (\w+):", path.read_text(), flags=re.MULTILINE)
        rules |= {
            name for name, body in zip(parts[1::2], parts[2::2], strict=True) if re.search(r"^ {4}shell:", body, re.M)
        }
    assert len(rules) > 10
    assert rules <= set(words.WORDS), "say in snakemake_logger_plugin_gradalign/words.py what these do"
