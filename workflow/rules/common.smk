# What all rules share: the checked configuration, the list of figures and tables, and the files behind an entry point.

import functools
import os
import shlex
import sys
from pathlib import Path
from typing import get_args

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from gradalign import configuration as settings
from gradalign.errors import GradalignError, unknown_name
from gradalign.provenance import import_closure
from gradalign.reference import set_aside
from gradalign.run_records import set_aside as set_aside_run

# `gradalign` in shell commands is that of the Python that runs Snakemake, activated or not.
# A job that the system kills for want of memory cannot say so itself: its shell does.
killed = (
    "killed (signal 9). The usual cause is too little memory: run fewer jobs at a time (--jobs 1), or raise the limit"
)
shell.prefix(
    "set -euo pipefail; trap 'if [ $? -eq 137 ]; then echo \"" + killed + "\" >&2; fi' EXIT; "
    f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; "
)

scale = config.get("scale", "laptop")
results = f"results/{scale}"

try:
    if scale not in get_args(settings.Scale):
        raise unknown_name("scale", scale, get_args(settings.Scale))
    # Not `configfile:`, which merges in the same way but neither sees repeated keys nor remembers who set a value.
    configuration = settings.load(
        [f"workflow/config/{scale}.yaml", *map(os.path.relpath, workflow.configfiles)],
        overrides=workflow.config_settings.config,
    )
except GradalignError as error:
    raise WorkflowError(f"the configuration is wrong, nothing was started\n{error}") from None

manifest = yaml.safe_load(Path("figures/manifest.yaml").read_text(encoding="utf-8"))
items = {item["name"]: item for item in manifest}
figure_names = [name for name, item in items.items() if item["kind"] == "figure"]
table_names = [name for name, item in items.items() if item["kind"] == "table"]


wildcard_constraints:
    topic="|".join(configuration.claims),
    problem="|".join(configuration.references),
    study="|".join(configuration.studies) or "none",
    run="|".join(configuration.run_names),
    figure="|".join(figure_names),
    table="|".join(table_names),


@functools.cache
def closure(*modules):
    """Files that an entry point depends on, found by reading imports: editing one of them reruns it."""
    return [str(path) for path in import_closure(modules, roots=(Path("src"), Path("figures"), Path("paper")))]


def reference_sources(wildcards):
    return closure(f"gradalign.references.{wildcards.problem}")


def claim_sources(wildcards):
    return closure(f"gradalign.claims.{wildcards.topic}")


def study_sources(wildcards):
    return closure(f"gradalign.studies.{wildcards.study}")


def training_sources(wildcards):
    run = configuration.run(wildcards.run)
    return closure("gradalign.runs", f"gradalign.problems.{run.problem}", f"gradalign.optimizers.{run.method}")


def evaluation_sources(wildcards):
    return closure(
        "gradalign.evaluation",
        f"gradalign.problems.{configuration.run(wildcards.run).problem}",
    )


def item_sources(name):
    return closure("common", Path(items[name]["script"]).stem)


def figure_sources(wildcards):
    return item_sources(wildcards.figure)


def table_sources(wildcards):
    return item_sources(wildcards.table)


def figure_caption(wildcards):
    return items[wildcards.figure]["caption"]


def table_caption(wildcards):
    return items[wildcards.table]["caption"]


def figure_category(wildcards):
    return items[wildcards.figure]["category"]


def table_category(wildcards):
    return items[wildcards.table]["category"]


def reference_specification(wildcards):
    return configuration.reference(wildcards.problem).model_dump_json(indent=2)


def study_specification(wildcards):
    return configuration.study(wildcards.study).model_dump_json(indent=2)


def run_specification(wildcards):
    return configuration.run(wildcards.run).model_dump_json(indent=2)


def reference_of_run(wildcards):
    return f"{results}/references/{configuration.run(wildcards.run).problem}.npz"


def report_configuration(wildcards):
    """The options that give a second Snakemake the configuration of this one."""
    files = [os.path.relpath(path) for path in workflow.configfiles]
    values = [f"{key}={value}" for key, value in ({"scale": scale} | dict(workflow.config_settings.config)).items()]
    return [*(["--configfile", *files] if files else []), "--config", *values]
