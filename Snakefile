# The whole artifact: claims, references, runs, evaluation, summary, figures, tables, paper, report, verification.
#   snakemake --cores all                                the scale `laptop`
#   snakemake --cores all --config scale=smoke           another scale: smoke, laptop, laptop-best, laptop-methods,
#                                                        laptop-stretch, paper
#   snakemake --cores all --configfile my.yaml           with your values over those of the scale
#   snakemake --cores all results/laptop/figures/X.pdf   one target
#   snakemake -n                                         what would run, and why

import sys
from importlib.util import find_spec

from snakemake.exceptions import WorkflowError

# Checked before the imports below, which would fail with a less clear message
if sys.version_info < (3, 11) or find_spec("gradalign") is None:
    old = f"Python {sys.version_info.major}.{sys.version_info.minor}, and gradalign needs 3.11 or newer"
    raise WorkflowError(
        f"this snakemake runs in {sys.prefix} with "
        f"{old if sys.version_info < (3, 11) else 'a Python that does not have gradalign installed'}; "
        "use the environment that make creates: make environment, then source .venv/bin/activate"
    )


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/lock.smk"
include: "workflow/rules/clock.smk"
include: "workflow/rules/contents.smk"
include: "workflow/rules/specifications.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/references.smk"
include: "workflow/rules/studies.smk"
include: "workflow/rules/runs.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/summary.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/paper.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/verify.smk"


# On a cluster, these run where Snakemake does: jobs of a few seconds are not worth a place in the queue.
localrules:
    sources,
    reference_specification,
    study_specification,
    run_specification,
    summary_claims,
    summary_references,
    summary_studies,
    summary_runs,
    figure,
    table,
    paper,
    copy_paper,
    report,
    verify,


rule all:
    default_target: True
    input:
        rules.references.input,  # so that a damaged one is restored even if no run needs it
        rules.summary.input,
        rules.figures.input,
        rules.tables.input,
        rules.paper_pdf.input,
        rules.report.output,
        rules.verify.output,


include: "workflow/rules/targets.smk"


onstart:
    refuse_inputs_of_the_future()
    # Our logger needs the planned jobs to estimate the time left
    if workflow.output_settings.log_handler_settings:
        planned = [(job.rule.name, " ".join(job.wildcards_dict.values())) for job in workflow.dag.needrun_jobs()]
        logger.info("", extra={"planned": planned})
    # Snakemake starts at most 100 jobs a second. To enforce this, its scheduler (9.27) wakes up once a second for every
    # job that has ended: after a hundred jobs it keeps half a core busy. Local runs need no such limit
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None
    # On a cluster, each job checks its own device
    if (
        configuration.device == "gpu"
        and workflow.local_exec
        and "train" in {job.rule.name for job in workflow.dag.needrun_jobs()}
    ):
        shell("python workflow/scripts/require_device.py {configuration.device} {configuration.scale}")
