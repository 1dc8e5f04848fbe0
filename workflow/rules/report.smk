# The HTML report: one self-contained file with every figure and table, its caption, and how it was made.


rule report:
    input:
        rules.figures.input,
        rules.tables.input,
        "workflow/report/workflow.rst",
        "workflow/report/item.rst",
    output:
        f"{results}/report.html",
    log:
        f"{results}/logs/report.log",
    params:
        configuration=report_configuration,
        contents=contents("workflow/report/workflow.rst", "workflow/report/item.rst"),
    shell:
        # A second Snakemake that only reads: the lock is that of the first one, which waits for it.
        "snakemake figures tables --cores {threads} --nolock --report {output} {params.configuration:q} > {log} 2>&1"
