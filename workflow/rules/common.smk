# Shared by all rules: the checked configuration, the list of figures and tables, and the sources of an entry point.

import functools
import hashlib
import os
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from gradalign.pipeline import configuration as settings
from gradalign.training.compilation import quick_flags
from gradalign.base.discovery import module_names
from gradalign.base import untrusted
from gradalign.base.errors import ForeignFileError, GradalignError, described, unknown_name
from gradalign.base.provenance import import_closure, sources
from gradalign.references._contract import set_aside
from gradalign.training.records import set_aside as set_aside_run
from gradalign.pipeline.summary_tables import DERIVED, PARTS, TABLES

sys.path.insert(0, os.getcwd())  # the folder of the Snakefile, for `figures`

from figures import manifest

# `gradalign` in shell commands is that of the Python that runs Snakemake, activated or not.
# A job that the system kills when memory runs out cannot report it; its shell does.
killed = (
    "killed (signal 9). The usual cause is too little memory: run fewer jobs at a time (--jobs 1), or raise the limit"
)
shell.prefix(
    f"set -euo pipefail; trap 'if [ $? -eq 137 ]; then echo \"{killed}\" >&2; fi' EXIT; "
    f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; "
)

scale = config.get("scale", "laptop")
results = f"results/{scale}"

try:
    scales = settings.scales(Path("workflow/config"))
    if scale not in scales:
        raise unknown_name("scale", scale, scales)
    # Not `configfile:`, which merges in the same way but neither detects repeated keys nor records who set a value.
    configuration = settings.load(
        [f"workflow/config/{scale}.yaml", *map(os.path.relpath, workflow.configfiles)],
        overrides=workflow.config_settings.config,
    )
except GradalignError as error:
    raise WorkflowError(f"the configuration is wrong, nothing was started\n{error}") from None

try:
    items = manifest.items(Path("figures/manifest.yaml"))
except GradalignError as error:
    raise WorkflowError(f"the list of figures and tables is wrong, nothing was started\n{error}") from None
known_parts = {
    "claims": module_names("claims"),
    "references": [],
    "studies": module_names("references.studies"),
    "runs": module_names("problems"),
}
for item in items.values():
    for read in item["reads"]:
        kind, _, part = read.partition("/")
        if kind not in known_parts or (part and part not in known_parts[kind]):
            raise WorkflowError(
                f"figures/manifest.yaml: {item['name']} reads {read!r}; allowed: {', '.join(known_parts)}, or a part such "
                "as claims/TOPIC, studies/STUDY, runs/PROBLEM"
            )
figure_names = [name for name, item in items.items() if item["kind"] == "figure"]
table_names = [name for name, item in items.items() if item["kind"] == "table"]


wildcard_constraints:
    topic="|".join(configuration.claims),
    problem="|".join(configuration.references),
    study="|".join(configuration.studies) or "none",
    run="|".join(configuration.run_names),
    figure="|".join(figure_names),
    table="|".join(table_names),


def warn_of_damage(set_aside, *arguments):
    """Report damaged files that were renamed; stop if their state is unknown or they are not ours to rename."""
    try:
        if damage := set_aside(*arguments):
            logger.warning(damage)
    except (GradalignError, OSError) as error:
        said = described(error) if isinstance(error, OSError) else error
        raise WorkflowError(f"the results are not as they should be, nothing was started\n{said}") from None


roots = (Path("src"), Path("."))


@functools.cache
def code(*modules):
    """All that the numbers of an entry point depend on, found through imports: digests of code and data, versions."""
    return sources(modules, roots)


@functools.cache
def scripts(*modules):
    """Files of figures and paper behind an entry point. Their whole text counts, because it is shown."""
    return [str(path) for path in import_closure(modules, roots) if not path.is_relative_to("src")]


@functools.cache
def contents(*files, modules=()):
    """A digest of files and of the code of modules, which reveals an edit that did not change the file times."""
    parts = [*(Path(file).read_bytes() for file in files), repr(code(*modules)).encode() if modules else b""]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:16]


def training_modules(run):
    run = configuration.run(run)
    return ["gradalign.training.runner", f"gradalign.problems.{run.problem}", f"gradalign.optimizers.{run.method}"]


def item_modules(name):
    return ("figures.drawing.rendering", f"figures.items.{Path(items[name]['script']).stem}")


def item_scripts(wildcards):
    return scripts(*item_modules(wildcards[0]))


def parts_read(name):
    """Folders of summary tables that a figure or table reads, with the kinds of tables there."""
    for read in items[name]["reads"]:
        kind, _, part = read.partition("/")
        if not part:
            yield f"{results}/summary", kind
        elif kind == "runs":
            runs = (run for run in configuration.run_names if configuration.run(run).problem == part)
            yield from ((f"{results}/{PARTS[kind]}/{run}", kind) for run in runs)
        elif part in getattr(configuration, kind):
            yield f"{results}/{PARTS[kind]}/{part}", kind


def tables_of_all(kind):
    """Names of the summary tables of a kind."""
    return TABLES[kind] + (DERIVED if kind == "runs" else ())


def item_tables(wildcards):
    for folder, kind in parts_read(wildcards[0]):
        whole = folder == f"{results}/summary"
        yield from (f"{folder}/{table}.csv" for table in (tables_of_all(kind) if whole else TABLES[kind]))
        if kind == "runs" and not whole:
            yield f"{folder}/fields/{Path(folder).name}.npz"


def item_folders(wildcards):
    folders = dict.fromkeys(folder for folder, _ in parts_read(wildcards[0]))
    return [f"--summary {folder}" for folder in folders] or "--empty"


def item_contents(*files):
    def digest(wildcards):
        modules = item_modules(wildcards[0])
        return contents(*files, *scripts(*modules), modules=modules)

    return digest


def hard(*problems):
    """A digest of the docstrings of problems, from which the paper takes what is hard about them."""
    texts = [Path(f"src/gradalign/problems/{problem}.py").read_text(encoding="utf-8") for problem in problems]
    return hashlib.sha256("".join(text[: text.find('"""', 3)] for text in texts).encode()).hexdigest()[:16]


def figure_caption(wildcards):
    return items[wildcards.figure]["caption"]


def table_caption(wildcards):
    return items[wildcards.table]["caption"]


def figure_category(wildcards):
    return items[wildcards.figure]["category"]


def table_category(wildcards):
    return items[wildcards.table]["category"]


def reference_of_run(wildcards):
    return f"{results}/references/{configuration.run(wildcards.run).problem}.npz"


def report_configuration(wildcards):
    """The options that give a second Snakemake the configuration of this one."""
    files = [os.path.relpath(path) for path in workflow.configfiles]
    values = [f"{key}={value}" for key, value in ({"scale": scale} | dict(workflow.config_settings.config)).items()]
    return [*(["--configfile", *files] if files else []), "--config", *values]
