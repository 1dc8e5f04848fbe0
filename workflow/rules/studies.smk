# Studies of published reference data: their errors, found with solvers of similar accuracy.


rule studies:
    input:
        expand(f"{results}/studies/{{study}}/studies.csv", study=configuration.studies),


rule study_specification:
    input:
        none_but_written_again("studies"),
    output:
        settings=f"{results}/specifications/studies/{{study}}.json",
        sources=f"{results}/specifications/studies/{{study}}.sources",
    log:
        f"{results}/logs/specifications/studies/{{study}}.log",
    params:
        settings=settings_text("studies"),
        sources=sources_text("studies"),
    shell:
        "printf '%s\\n' {params.settings:q} > {output.settings} 2> {log} && "
        "printf '%s\\n' {params.sources:q} > {output.sources} 2>> {log}"


rule study:
    input:
        specification=rules.study_specification.output.settings,
        sources=rules.study_specification.output.sources,
    output:
        f"{results}/studies/{{study}}/studies.csv",
    log:
        f"{results}/logs/studies/{{study}}.log",
    shell:
        "gradalign study {wildcards.study} --specification {input.specification} --output {output} > {log} 2>&1"
