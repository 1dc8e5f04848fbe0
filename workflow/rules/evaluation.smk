# Errors of the trained networks against the references: the summary tables of each run alone.


rule evaluations:
    input:
        expand(f"{results}/evaluation/{{run}}/{{table}}.csv", run=configuration.run_names, table=TABLES["runs"]),
        [f"{results}/evaluation/{run}/fields/{run}.npz" for run in configuration.run_names],


rule evaluate:
    input:
        specification=rules.run_specification.output.settings,
        reference=reference_of_run,
        runs=rules.train.output.runs,
        curves=rules.train.output.curves,
        checksums=rules.train.output.checksums,
        parameters=rules.train.output.parameters,
        sources=f"{results}/specifications/evaluation/{{run}}.sources",
    output:
        tables=expand(f"{results}/evaluation/{{{{run}}}}/{{table}}.csv", table=TABLES["runs"]),
        fields=f"{results}/evaluation/{{run}}/fields/{{run}}.npz",
    log:
        f"{results}/logs/evaluation/{{run}}.log",
    params:
        directory=subpath(input.runs, parent=True),
        output=subpath(output.fields, ancestor=2),
    shell:
        "gradalign evaluate {params.directory} --specification {input.specification} --reference {input.reference} "
        "--output {params.output} > {log} 2>&1"
