"""The command line: names and paths in, files out. Every command checks its input before it spends any compute."""

import hashlib
import io
import math
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from gradalign.base.errors import ConfigurationError, GradalignError, TimeLimitError, described
from gradalign.base.files import require_folder, require_own, write_table

PIPE_CLOSED = 128 + 13
"""Exit code of a program whose output nobody reads any more, as shells report it (SIGPIPE)."""


class _Application(typer.Typer):
    """Commands on terminals of any encoding, and in front of pipes that are closed early."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # an encoding without our symbols shows question marks
        try:
            return super().__call__(*arguments, **options)
        except OSError as error:  # of --help; the commands say theirs themselves
            _close_output()
            typer.echo(f"OSError: {described(_of_output(error))}", err=True)
            sys.exit(1)
        finally:
            try:
                sys.stdout.flush()
            except BrokenPipeError:
                _close_output()
                sys.exit(PIPE_CLOSED)


application = _Application(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Gradient alignment and second-order optimization for physics-informed neural networks.",
)

ConfigurationFiles = Annotated[
    list[Path],
    typer.Option(
        "--config",
        help="configuration file (YAML); later ones are merged over earlier ones; the one of the scale smoke, "
        "which ships with gradalign, where none is given",
    ),
]
SpecificationFile = Annotated[
    Path | None, typer.Option("--specification", help="resolved settings (JSON), in place of --config")
]
Output = Annotated[Path, typer.Option("--output", help="file or directory to write")]
Listed = Annotated[bool, typer.Option("--list", help="list what there is, with a sentence about each")]
ReferenceFile = Annotated[
    Path | None,
    typer.Option("--reference", help="reference solution (.npz); where none is given, reference.npz of the run"),
]
SummaryDirectory = Annotated[Path, typer.Option("--summary", help="directory of the summary tables")]
OWN_REFERENCE = "reference.npz"
"""The reference solution in the directory of a run that was given none."""
DryRun = Annotated[bool, typer.Option("--dry-run", help="check everything, say what would be done, and stop")]


def _version(asked: bool) -> None:
    if asked:
        import gradalign

        _say(f"gradalign {gradalign.__version__}")
        raise typer.Exit


@application.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="show the version and stop")
    ] = False,
) -> None:
    """The options of no command in particular."""


@application.command()
def reference(
    problem: Annotated[str | None, typer.Argument(help="problem to solve")] = None,
    config: ConfigurationFiles = [],  # noqa: B006 - typer copies it
    specification: SpecificationFile = None,
    output: Annotated[Path | None, typer.Option("--output", help="file to write (.npz)")] = None,
    listing: Annotated[
        bool, typer.Option("--list", help="list the problems with settings, solvers, and errors found in ./results")
    ] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="compute, and leave the cache alone")] = False,
    dry_run: DryRun = False,
) -> None:
    """Compute the reference solution of a problem, with its stated error, or take it from the cache."""
    with _user_errors():
        import json
        from dataclasses import replace
        from importlib import import_module

        from gradalign.pipeline.configuration import load
        from gradalign.references import _cache as reference_cache
        from gradalign.references import _equation as equation
        from gradalign.references._contract import require_npz
        from gradalign.references._specification import ReferenceSpecification

        if listing:
            from gradalign.pipeline.reference_listing import listing as blocks

            for block in blocks(load(config) if config else None, Path("results")):
                _answer(f"{block}\n")
            return
        if problem is None or output is None:
            raise ConfigurationError(
                "the problem or --output is missing; allowed: gradalign reference PROBLEM --output FILE"
            )
        if specification:
            resolved = _specified(ReferenceSpecification, specification)
            _same("problem", problem, resolved.problem, specification)
        else:
            resolved = load(_given(config)).reference(problem)
        require_npz(output)
        require_own(output, "solver", "checksum")
        _prepare_jax()  # initial conditions are written in it
        recipe, posed = (import_module(f"gradalign.{package}.{problem}") for package in ("references", "problems"))
        settings = recipe.Settings.model_validate_json(json.dumps(resolved.reference_settings))
        posed_settings = posed.Settings.model_validate_json(json.dumps(resolved.problem_settings))
        inputs = reference_cache.digest(problem, settings, posed_settings)
        solution = None if no_cache else reference_cache.fetch(problem, inputs, _say)
        if dry_run:
            _say(f"would {'solve' if solution is None else 'copy'} {problem} with {settings} and write {output}")
            return
        if solution is not None:
            solution.save(output)
            _say(f"{problem}: taken from the cache, {reference_cache.location(problem, inputs)}")
        else:
            with _progress(f"reference {problem}") as progress:
                solution = recipe.compute(settings, progress, posed_settings)
            solution = replace(solution, inputs=inputs, equation=equation.described(problem, posed_settings))
            solution.save(output)
            if not no_cache:
                reference_cache.store(solution, _say)
        _say(f"{problem}: stated error {solution.stated_error:.1e} (relative L2), {solution.seconds:.1f} s, {output}")


@application.command()
def claim(
    what: Annotated[
        str | None, typer.Argument(help="topic, a module in gradalign.claims, or the number of a claim, such as T13")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", help="file to write (.csv)")] = None,
    curves: Annotated[Path | None, typer.Option("--curves", help="file for the points of its figures (.csv)")] = None,
    listing: Listed = False,
    dry_run: DryRun = False,
) -> None:
    """Check one claim, or all claims of a topic, in float64: prints a table, or writes a row per record."""
    with _user_errors():
        from importlib import import_module

        from gradalign.base.discovery import module_names
        from gradalign.base.errors import unknown_name
        from gradalign.claims._checks import checked, checks_of
        from gradalign.claims._records import tally
        from gradalign.pipeline.claim_table import belongs, show, topic_of

        if listing:
            _list("claims")
            return
        if what is None:
            raise ConfigurationError("a topic or a claim is missing; allowed: gradalign claim T13, or a name of --list")
        topic = topic_of(what) if what.startswith("T") else what
        if topic not in module_names("claims"):
            raise unknown_name("topic of claims", topic, module_names("claims"))
        if output:
            require_own(output, "claim", "verdict")
        if curves:
            require_own(curves, "claim", "series")
        if dry_run:
            files = " and ".join(str(path) for path in (output, curves) if path)
            _say(
                f"would check {what}"
                + (f" of {topic}" if topic != what else "")
                + (f", write {files}" if files else "")
            )
            return
        import pandas as pd

        _prepare_jax()
        module = import_module(f"gradalign.claims.{topic}")
        records = checked([check for check in checks_of(module) if topic == what or belongs(check.claim, what)])
        if output:
            write_table(output, pd.DataFrame([record.row() for record in records]))
        else:
            show(records)
        if curves:
            write_table(curves, pd.DataFrame([row for curve in module.curves() for row in curve.rows()]))
        violated = [f"{record.claim} ({record.status})" for record in records if record.verdict != "confirmed"]
        confirmed = tally(record.status for record in records if record.verdict == "confirmed")
        _say(f"{what}: confirmed {confirmed}; violated {', '.join(violated) or 'none'}")


@application.command()
def study(
    name: Annotated[str | None, typer.Argument(help="study to make, a module in gradalign.references.studies")] = None,
    output: Annotated[Path | None, typer.Option("--output", help="file to write (.csv)")] = None,
    config: ConfigurationFiles = [],  # noqa: B006 - typer copies it
    specification: SpecificationFile = None,
    listing: Listed = False,
    dry_run: DryRun = False,
) -> None:
    """Find the error of published reference data with a solver of their quality; writes a row per point."""
    with _user_errors():
        import json
        from importlib import import_module

        from gradalign.base.discovery import module_names
        from gradalign.base.errors import unknown_name
        from gradalign.pipeline.configuration import load
        from gradalign.references._specification import StudySpecification

        if listing:
            _list("references.studies")
            return
        if name is None or output is None:
            raise ConfigurationError("the study or --output is missing; allowed: gradalign study NAME --output FILE")
        if name not in module_names("references.studies"):
            raise unknown_name("study", name, module_names("references.studies"))
        if specification:
            resolved = _specified(StudySpecification, specification)
            _same("study", name, resolved.study, specification)
        else:
            resolved = load(_given(config)).study(name)
        require_own(output, "study", "quantity")
        _prepare_jax()
        module = import_module(f"gradalign.references.studies.{name}")
        settings = module.Settings.model_validate_json(json.dumps(resolved.settings))
        if dry_run:
            _say(f"would make the study {name} with {settings} and write {output}")
            return
        import pandas as pd

        with _progress(f"study {name}") as progress:
            series = module.compute(settings, progress)
        write_table(output, pd.DataFrame([row for one in series for row in one.rows()]))
        _say(f"{name}: {len(series)} lines and numbers, {output}")


@application.command()
def train(
    run: Annotated[str | None, typer.Argument(help="name of the run, by default PROBLEM-METHOD")] = None,
    reference: ReferenceFile = None,
    output: Annotated[Path | None, typer.Option("--output", help="directory to write")] = None,
    config: ConfigurationFiles = [],  # noqa: B006 - typer copies it
    specification: SpecificationFile = None,
    list_methods: Annotated[bool, typer.Option("--list-methods", help="list the methods with cost and memory")] = False,
    max_seconds: Annotated[
        float, typer.Option("--max-seconds", min=0.0, help="stop after this time with a checkpoint, and exit with 75")
    ] = math.inf,
    dry_run: DryRun = False,
) -> None:
    """Train all seeds of one run, log its diagnostics, and keep what is needed to go on after a kill."""
    with _user_errors():
        if list_methods:
            from gradalign.pipeline.listings import methods

            _answer("\n\n".join(methods()))
            return
        if run is None or output is None or (specification and reference is None):
            raise ConfigurationError(
                "the run or --output is missing, or --reference with --specification; allowed: "
                "gradalign train RUN --reference FILE --output DIR"
            )
        # Read when SciPy is loaded, whose OpenBLAS factorises for JAX on a CPU: on matrices as small as SOAP's its
        # threads wait for those of JAX, which made a new basis five times dearer on two cores. Not a default only:
        # Snakemake sets it to the cores of the rule
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
        config = config if specification else _given(config)
        settings = _run_settings(run, config, specification)
        if reference is None and settings.device != "cpu":  # solved on a CPU, and a process has one device
            raise ConfigurationError(
                f"--reference is missing, which a run on a {settings.device} needs; allowed: the file that "
                f"'gradalign reference {settings.problem} --output FILE' writes"
            )
        _prepare_jax(settings.device)
        from gradalign.base.precision import require_precision
        from gradalign.training.devices import mesh_for
        from gradalign.training.records import require_run_directory, require_same_settings
        from gradalign.training.runner import Progress, require_device
        from gradalign.training.runner import train as train_run

        require_device(settings.device, settings.scale)
        mesh_for(settings.points)  # refuses what its devices cannot share out
        require_precision(settings.training.precision)
        require_run_directory(output)
        require_same_settings(output, settings)
        if reference is None:
            reference = output / OWN_REFERENCE
            if not reference.is_file():
                _solve(settings.problem, config, reference, dry_run)
        solution: Any = None if dry_run and not reference.is_file() else _reference_of(settings, reference)
        if dry_run:
            _say(f"would train {run} for {settings.training.steps} steps with seeds {settings.seeds}; writes {output}")
            return
        total = settings.training.steps * len(settings.seeds)
        with _progress(f"train {run}", total) as progress:

            def listen(event: Progress) -> None:
                done = settings.seeds.index(event.seed) * event.steps + event.step
                progress(done / total, f"seed {event.seed}, loss {event.loss:.2e}, error {event.error:.2e}")

            train_run(settings, solution, output, listen, _say, max_seconds)


@application.command()
def evaluate(
    run_directory: Annotated[Path, typer.Argument(help="directory written by train")],
    output: Annotated[Path, typer.Option("--output", help="directory for the summary tables and fields of this run")],
    reference: ReferenceFile = None,
    run: Annotated[str | None, typer.Option("--run", help="name of the run; the directory's name by default")] = None,
    config: ConfigurationFiles = [],  # noqa: B006 - typer copies it
    specification: SpecificationFile = None,
    dry_run: DryRun = False,
) -> None:
    """Score the trained networks of one run against the reference; writes its summary tables and fields."""
    with _user_errors():
        settings = _run_settings(run or run_directory.name, config, specification)
        fields = output / "fields" / f"{settings.name}.npz"
        marks = {"runs": "relative_l2", "curves": "value", "errors": "quantity", "errors_in_time": "t"}
        for table, mark in marks.items():
            require_own(output / f"{table}.csv", "run", mark)
        require_own(fields, "reference_*", "predicted_*")
        from gradalign.training.records import require_same_settings, require_sound

        _prepare_jax()  # scoring is cheap: any device will do
        reference = reference or run_directory / OWN_REFERENCE
        solution = _reference_of(settings, reference)
        require_sound(run_directory)
        require_same_settings(run_directory, settings)
        if dry_run:
            _say(f"would score {run_directory} against {reference}; writes the tables {', '.join(marks)} into {output}")
            return
        from gradalign.training import evaluation

        scores = evaluation.evaluate(settings, run_directory, solution)
        evaluation.save_arrays(fields, scores.arrays)
        for name, rows in evaluation.tables(scores, run_directory).items():
            write_table(output / f"{name}.csv", rows)
        _say(scores.main.to_string(index=False))


@application.command()
def show(
    run: Annotated[str | None, typer.Argument(help="name of a run; without one, the runs are listed")] = None,
    config: ConfigurationFiles = [],  # noqa: B006 - typer copies it
) -> None:
    """Print all settings of a run as YAML, each with the file and the key that it comes from; or list the runs."""
    with _user_errors():
        from gradalign.pipeline import show as shown
        from gradalign.pipeline.configuration import load

        configuration = load(_given(config))
        for line in shown.run_list(configuration) if run is None else shown.run_settings(configuration, run):
            _answer(line)


@application.command()
def summarise(
    kind: Annotated[Literal["claims", "references", "studies", "runs"], typer.Argument(help="tables to write")],
    results: Annotated[Path, typer.Option("--results", help="directory of one scale's results")],
    names: Annotated[list[str], typer.Argument(help="topics, problems, studies or runs to take in")] = [],  # noqa: B006
    empty: Annotated[bool, typer.Option("--empty", help="write tables without a row where no name is given")] = False,
) -> None:
    """Gather what a stage wrote into tidy tables, RESULTS/summary/."""
    with _user_errors():
        from gradalign.pipeline.summary import summarise as gather

        for path in gather(results, kind, names, empty):
            _say(str(path))


@application.command()
def render(
    item: Annotated[str, typer.Argument(help="figure or table of figures/manifest.yaml")],
    output: Output,
    summary: Annotated[
        list[Path],
        typer.Option("--summary", help="directory of summary tables, whole or of one part; several are read as one"),
    ] = [],  # noqa: B006 - typer copies it
    empty: Annotated[
        bool, typer.Option("--empty", help="show that there is nothing where no --summary is given")
    ] = False,
    figures: Annotated[Path, typer.Option("--figures", help="folder 'figures' of a checkout")] = Path("figures"),
    dry_run: DryRun = False,
) -> None:
    """Render one figure (PDF and PNG) or table (CSV, Markdown, LaTeX) from the summary tables."""
    with _user_errors():
        import importlib

        if not (summary or empty):
            raise ConfigurationError(
                "--summary is missing; allowed: a directory of summary tables, for instance results/smoke/summary, or "
                "--empty"
            )
        if not (figures / "manifest.py").is_file():
            raise ConfigurationError(
                f"--figures {figures}: no manifest.py there; allowed: the folder 'figures' of a gradalign checkout"
            )
        require_folder(output)
        if dry_run:
            _say(f"would render {item} from {', '.join(map(str, summary)) or 'nothing'} into {output}")
            return
        sys.path.insert(0, str(figures.resolve().parent))
        try:
            found = importlib.import_module("figures.manifest").item(item)
            written = importlib.import_module("figures.drawing.rendering").render_item(found, tuple(summary), output)
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"the package {error.name} is not installed, which figures and tables need; allowed: an environment "
                "with the packages of the pipeline (pip install '.[pipeline]' in the checkout)"
            ) from None
        for path in written:
            _say(str(path))


@application.command()
def verify(
    expectations: Annotated[Path, typer.Option("--expectations", help="expectations declared beforehand (YAML)")],
    scale: Annotated[str, typer.Option("--scale", help="scale whose expectations to check")],
    summary: SummaryDirectory,
    output: Output,
) -> None:
    """Compare the summary tables with the expectations; exits 1 where a required one does not hold."""
    with _user_errors():
        from gradalign.pipeline.verification import verify as check

        require_own(output, "expectation", "verdict")
        if not check(expectations, scale, summary, output):
            raise typer.Exit(1)


@application.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="folder of results, for instance published/laptop")],
    b: Annotated[Path, typer.Argument(metavar="B", help="folder of results, for instance results/laptop")],
    exact: Annotated[
        bool | None,
        typer.Option(
            "--exact/--spread",
            help="number by number, or against the spread of the seeds and the tolerances of the records; exact where "
            "both are from the same device, if neither is given",
            show_default=False,
        ),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            "--tolerance",
            help="relative difference up to which numbers are the same; 0 by default, with --spread 1e-6",
        ),
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=0, help="how many differences to show, the worst first")] = 20,
    output: Annotated[Path | None, typer.Option("--output", help="file for all differences (.csv)")] = None,
) -> None:
    """Compare two folders of results, table by table; exits 1 where they differ.

    Seconds, bytes, commits and machines are left out. What is missing in one of them is named.
    """
    with _user_errors():
        from gradalign.pipeline import result_comparison

        if output:
            require_own(output, "table", "row")
        way: Any = None if exact is None else "exact" if exact else "spread"
        found = result_comparison.compare(a, b, way, tolerance)
        if output:
            write_table(output, found.table())
        for line in result_comparison.report(found, rows):
            _say(line)
        if found.differences:
            raise typer.Exit(1)


@application.command()
def cite(
    run: Annotated[
        str | None, typer.Argument(help="name of a run, or directory written by train: adds the papers that it uses")
    ] = None,
    config: ConfigurationFiles = [],  # noqa: B006 - typer copies it
    specification: SpecificationFile = None,
) -> None:
    """Print BibTeX for gradalign and the paper it checks, and for the method, equation and solvers of a run."""
    with _user_errors():
        from gradalign.pipeline.citation import bibtex

        if run is None:
            _answer(bibtex())
            return
        from gradalign.training.records import SPECIFICATION
        from gradalign.training.settings import RunSpecification

        recorded = Path(run) / SPECIFICATION
        if recorded.is_file() and not config and specification is None:
            _answer(bibtex(_specified(RunSpecification, recorded)))
        else:
            _answer(bibtex(_run_settings(run, config, specification)))


def _run_settings(run: str, config: list[Path], specification: Path | None) -> Any:
    from gradalign.pipeline.configuration import load
    from gradalign.training.settings import RunSpecification

    if specification is None:
        return load(_given(config)).run(run)
    settings = _specified(RunSpecification, specification)
    _same("run", run, settings.name, specification)
    return settings


def _specified(model: Any, path: Path) -> Any:
    """The settings of a kind in a file."""
    from gradalign.base.untrusted import contents

    return model.model_validate_json(contents(path))


def _reference_of(settings: Any, path: Path) -> Any:
    """The reference in a file, which must be that of the equation of a run."""
    from gradalign.references import _equation as equation
    from gradalign.references._contract import Reference

    found = Reference.load(path, settings.problem)
    equation.require_known(found, str(path))
    equation.require_same(found, settings.problem, settings.problem_settings, settings.name, str(path))
    return found


def _given(config: list[Path]) -> list[Path]:
    """The files that were given; otherwise those of the scale smoke, which is then said."""
    if config:
        return config
    from gradalign.pipeline.shipped import shipped

    path = shipped("smoke.yaml")
    typer.echo(f"settings: the scale smoke, small and quick ({path}); --config FILE gives others", err=True)
    return [path]


def _same(kind: str, asked: str, found: str, path: Path) -> None:
    if asked != found:
        raise ConfigurationError(
            f"{path} is the specification of {kind} {found!r}, not of {asked!r}; give the one that fits"
        )


def _prepare_jax(device: str = "cpu") -> None:
    """64-bit types, full-precision products, a cache of compiled programs; a CPU run keeps away from a GPU."""
    import jax

    from gradalign.base import jax_settings
    from gradalign.base.precision import enable_float64

    jax_settings.fix(_say)
    enable_float64()
    if device == "cpu":
        jax.config.update("jax_platforms", "cpu")
    if jax.config.values.get("jax_compilation_cache_dir") is None and (folder := _compiled_programs()):
        jax.config.update("jax_compilation_cache_dir", str(folder))


def _compiled_programs() -> Path | None:
    """The folder of compiled programs, below that of caches; None where the home directory is not known.

    JAX finds a program by all that it is made from, but for the processor: machine code for one type need not run on
    another that shares the home directory, so each has a folder of its own. Several processes may use it at a time: one
    that meets a file half written, or damaged, compiles anew, since every file has a checksum.
    """
    try:
        described = Path("/proc/cpuinfo").read_text(errors="replace").split("\n\n")[0]
    except OSError:  # not Linux
        described = platform.processor()
    kept = ("vendor_id", "cpu family", "model", "flags", "Features", "CPU ")  # and not frequencies, which vary
    lines = [line for line in described.splitlines() if line.startswith(kept)] or [described]
    processor = hashlib.sha256("\n".join([platform.machine(), *lines]).encode()).hexdigest()[:16]
    try:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        return None
    return caches / "gradalign" / "compiled" / processor


def _solve(problem: str, config: list[Path], output: Path, dry_run: bool) -> None:
    """``gradalign reference``, from a command that has no reference solution."""
    reference(problem, config, output=output, dry_run=dry_run)


def _list(package: str) -> None:
    from gradalign.pipeline.listings import names

    _answer(names(package))


def _answer(line: str) -> None:
    """Print what was asked for; ``BrokenPipeError`` where nobody reads it any more."""
    try:
        print(line, flush=True)
    except OSError as error:
        _of_output(error)
        raise


def _say(line: str) -> None:
    """Print news of a work whose results are files: it is done to its end, whether or not anybody reads the news."""
    try:
        _answer(line)
    except BrokenPipeError:
        _close_output()


def _of_output(error: OSError) -> OSError:
    """The error of a write that knows no file, with a name for what could not be written."""
    error.filename = error.filename or "standard output"
    return error


@contextmanager
def _user_errors() -> Iterator[None]:
    """Show an error that is meant for the user as such, without a traceback, and exit with 1.

    A solver that stops (``FloatingPointError``) and what the system refuses (``OSError``) are such errors. Exit 75
    (EX_TEMPFAIL of sysexits.h) says that a run has used up its time and goes on when started again.
    """
    from pydantic import ValidationError

    try:
        yield
    except (GradalignError, ValidationError, FloatingPointError) as error:
        typer.echo(f"{type(error).__name__}: {error}", err=True)
        raise typer.Exit(75 if isinstance(error, TimeLimitError) else 1) from None
    except BrokenPipeError:  # `gradalign ... | head`: nobody reads on
        _close_output()
        raise typer.Exit(PIPE_CLOSED) from None
    except OSError as error:
        mistyped = isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError)
        way_on = "" if mistyped else ". What was finished is kept: the same command resumes"
        typer.echo(f"OSError: {described(error)}{way_on}", err=True)
        raise typer.Exit(1) from None

    except Exception as error:
        from gradalign.base.machine import out_of_memory, wrong_setting

        if not (said := out_of_memory(error) or wrong_setting(error)):
            raise
        typer.echo(said, err=True)
        raise typer.Exit(1) from None


def _close_output() -> None:
    """Nothing more is written into a pipe that was closed, not even what Python flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _progress(title: str, steps: int = 100) -> Iterator[Any]:
    """A callable (share done, text): a progress bar on a terminal, plain lines in a log file."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.progress import TimeElapsedColumn as Elapsed
    from rich.progress import TimeRemainingColumn as Remaining
    from rich.table import Column

    console = Console()
    if not console.is_terminal:
        _say(f"{title}: started")
        shown = -1.0

        def plain(share: float, text: str = "") -> None:
            nonlocal shown
            if share - shown >= 0.05 or share == 1:
                shown = share
                _say(f"{title}: {share:4.0%} {text}")

        yield plain
        return
    text = TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"))
    narrow = console.width < 60  # the share in place of the bar, and the text gives way, never the time left
    share = (TaskProgressColumn(),) if narrow else (BarColumn(console.width // 12), Elapsed())
    with Progress(text, *share, Remaining(), console=console, expand=True) as bars:
        task = bars.add_task(title, total=steps)
        yield lambda share, text="": bars.update(task, completed=share * steps, description=f"{title} {text}")


if __name__ == "__main__":
    application()
