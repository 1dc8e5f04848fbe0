# Tidy tables of everything, gathered from what the stages wrote: what tables, paper and verification read.


rule summary_claims:
    input:
        rules.claims.input,
        sources=f"{results}/specifications/stages/summary.sources",
    output:
        expand(f"{results}/summary/{{table}}.csv", table=TABLES["claims"]),
    log:
        f"{results}/logs/summary/claims.log",
    params:
        results=subpath(output[0], ancestor=2),
        names=configuration.claims,
    shell:
        "gradalign summarise claims {params.names} --results {params.results} --empty > {log} 2>&1"


rule summary_references:
    input:
        rules.references.input,
        sources=f"{results}/specifications/stages/summary.sources",
    output:
        expand(f"{results}/summary/{{table}}.csv", table=TABLES["references"]),
    log:
        f"{results}/logs/summary/references.log",
    params:
        results=subpath(output[0], ancestor=2),
        names=list(configuration.references),
    shell:
        "gradalign summarise references {params.names} --results {params.results} --empty > {log} 2>&1"


rule summary_studies:
    input:
        rules.studies.input,
        sources=f"{results}/specifications/stages/summary.sources",
    output:
        expand(f"{results}/summary/{{table}}.csv", table=TABLES["studies"]),
    log:
        f"{results}/logs/summary/studies.log",
    params:
        results=subpath(output[0], ancestor=2),
        names=list(configuration.studies),
    shell:
        "gradalign summarise studies {params.names} --results {params.results} --empty > {log} 2>&1"


rule summary_runs:
    input:
        expand(rules.evaluate.output.tables, run=configuration.run_names),
        expand(rules.evaluate.output.fields, run=configuration.run_names),
        sources=f"{results}/specifications/stages/summary.sources",
    output:
        expand(f"{results}/summary/{{table}}.csv", table=[*TABLES["runs"], *DERIVED]),
        fields=expand(f"{results}/summary/fields/{{run}}.npz", run=configuration.run_names),
    log:
        f"{results}/logs/summary/runs.log",
    params:
        results=subpath(output[0], ancestor=2),
        names=configuration.run_names,
    shell:
        "gradalign summarise runs {params.names} --results {params.results} --empty > {log} 2>&1"


rule summary:
    input:
        rules.summary_claims.output,
        rules.summary_references.output,
        rules.summary_studies.output,
        rules.summary_runs.output,
