# Trained networks against the references.


rule evaluate:
    input:
        specification=rules.run_specification.output.settings,
        reference=reference_of_run,
        runs=rules.train.output.runs,
        checksums=rules.train.output.checksums,
        parameters=rules.train.output.parameters,
        sources=f"{results}/specifications/evaluation/{{run}}.sources",
    output:
        table=f"{results}/evaluation/{{run}}.csv",
        fields=f"{results}/evaluation/{{run}}.npz",
        errors=f"{results}/evaluation/errors/{{run}}.csv",
        errors_in_time=f"{results}/evaluation/errors_in_time/{{run}}.csv",
    log:
        f"{results}/logs/evaluation/{{run}}.log",
    params:
        directory=subpath(input.runs, parent=True),
    shell:
        "gradalign evaluate {params.directory} --specification {input.specification} --reference {input.reference} "
        "--output {output.table} --fields {output.fields} --errors {output.errors} "
        "--errors-in-time {output.errors_in_time} > {log} 2>&1"
