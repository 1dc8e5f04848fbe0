# The HTML report: one self-contained file with every figure and table, their captions, and how they were made.


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
        # A second Snakemake, which only reads; the first one holds the lock and waits for it.
        "snakemake figures tables --cores {threads} --nolock --report {output} {params.configuration:q} > {log} 2>&1"
