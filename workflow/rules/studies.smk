# Studies of published reference data: what their own errors are, from solvers of their quality.


rule studies:
    input:
        expand(f"{results}/studies/{{study}}.csv", study=configuration.studies),


rule study_specification:
    output:
        f"{results}/specifications/studies/{{study}}.json",
    log:
        f"{results}/logs/specifications/studies/{{study}}.log",
    params:
        text=study_specification,
    shell:
        "printf '%s\\n' {params.text:q} > {output} 2> {log}"


rule study:
    input:
        specification=rules.study_specification.output,
        sources=study_sources,
    output:
        f"{results}/studies/{{study}}.csv",
    log:
        f"{results}/logs/studies/{{study}}.log",
    shell:
        "gradalign study {wildcards.study} --specification {input.specification} --output {output} > {log} 2>&1"
