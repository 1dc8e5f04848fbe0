# Trained networks against the references.


rule evaluate:
    input:
        specification=rules.run_specification.output,
        reference=reference_of_run,
        runs=rules.train.output.runs,
        parameters=rules.train.output.parameters,
        sources=evaluation_sources,
    output:
        table=f"{results}/evaluation/{{run}}.csv",
        fields=f"{results}/evaluation/{{run}}.npz",
    log:
        f"{results}/logs/evaluation/{{run}}.log",
    params:
        directory=subpath(input.runs, parent=True),
    shell:
        "gradalign evaluate {params.directory} --specification {input.specification} --reference {input.reference} "
        "--output {output.table} --fields {output.fields} > {log} 2>&1"
