# The whole artifact: claims, references, runs, evaluation, summary, figures, tables, paper, report, verification.
#   snakemake --cores all                                the scale `laptop`
#   snakemake --cores all --config scale=smoke           another scale: smoke, laptop, laptop-best, laptop-methods,
#                                                        laptop-stretch, paper
#   snakemake --cores all --configfile my.yaml           with your values over those of the scale
#   snakemake --cores all results/laptop/figures/X.pdf   one target
#   snakemake -n                                         what would run, and why


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/lock.smk"
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


# With a cluster, these run where Snakemake does: a hundred jobs of seconds would wait in a queue for nothing.
localrules:
    reference_specification,
    study_specification,
    run_specification,
    summary,
    figure,
    table,
    paper,
    publish,
    report,
    verify,


rule all:
    default_target: True
    input:
        rules.references.input,  # so that a damaged one comes back even where no run needs it
        rules.summary.output,
        rules.figures.input,
        rules.tables.input,
        rules.paper_pdf.input,
        rules.report.output,
        rules.verify.output,


include: "workflow/rules/targets.smk"


onstart:
    # Snakemake starts at most 100 jobs a second, and for that its scheduler wakes up every second once more for each job
    # that has ended (9.27): after a hundred jobs it keeps half a core busy. On this machine there is nothing to limit
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None
    # Claims, references and studies are computed in float64 on the CPU at every scale
    only_cpu = {"claims", "references", "studies"} >= set(map(str, workflow.dag_settings.targets)) > set()
    # On a cluster, each job looks for itself
    if configuration.device == "gpu" and workflow.local_exec and not only_cpu:
        shell("python workflow/scripts/require_device.py {configuration.device} {configuration.scale}")
