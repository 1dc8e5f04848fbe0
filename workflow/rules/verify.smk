# The last stage compares the measured values with what was declared before the runs.


rule verify:
    input:
        summary=rules.summary.input,
        expectations="workflow/config/expectations.yaml",
        sources=f"{results}/specifications/stages/verification.sources",
        # Only so that everything else is done when an expectation fails. Not ancient(): Snakemake 9 would then miss
        # other reasons to run this rule whenever one of these files is made anew.
        last=[rules.paper.output, rules.report.output],
    output:
        touch(f"{results}/verified"),
    log:
        table=f"{results}/verification.csv",  # a log, so that it stays when an expectation fails
        text=f"{results}/logs/verify.log",
    params:
        scale=scale,
        contents=contents("workflow/config/expectations.yaml"),
        summary=subpath(input[0], parent=True),
    shell:
        "gradalign verify --expectations {input.expectations} --scale {params.scale} --summary {params.summary} "
        "--output {log.table} > {log.text} 2>&1 && cat {log.text}"
