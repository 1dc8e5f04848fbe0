# Tidy tables of everything: the only files that figures, tables, paper and verification read.


rule summary:
    input:
        claims=rules.claims.input.records,
        claim_curves=rules.claims.input.curves,
        references=rules.references.input,
        studies=rules.studies.input,
        runs=rules.runs.input,
        curves=expand(rules.train.output.curves, run=configuration.run_names),
        evaluation=expand(rules.evaluate.output.table, run=configuration.run_names),
        fields=expand(rules.evaluate.output.fields, run=configuration.run_names),
        errors=expand(rules.evaluate.output.errors, run=configuration.run_names),
        errors_in_time=expand(rules.evaluate.output.errors_in_time, run=configuration.run_names),
        sources=f"{results}/specifications/stages/summary.sources",
    output:
        claims=f"{results}/summary/claims.csv",
        claim_curves=f"{results}/summary/claim_curves.csv",
        references=f"{results}/summary/references.csv",
        reference_evidence=f"{results}/summary/reference_evidence.csv",
        studies=f"{results}/summary/studies.csv",
        runs=f"{results}/summary/runs.csv",
        curves=f"{results}/summary/curves.csv",
        errors=f"{results}/summary/errors.csv",
        errors_in_time=f"{results}/summary/errors_in_time.csv",
        mean_ranks=f"{results}/summary/mean_ranks.csv",
        score_correlations=f"{results}/summary/score_correlations.csv",
        fields=expand(f"{results}/summary/fields/{{run}}.npz", run=configuration.run_names),
    log:
        f"{results}/logs/summary.log",
    params:
        results=subpath(output.claims, ancestor=2),
        claims=[f"--claim={topic}" for topic in configuration.claims],
        references=[f"--reference={problem}" for problem in configuration.references],
        studies=[f"--study={study}" for study in configuration.studies],
        runs=[f"--run={run}" for run in configuration.run_names],
    shell:
        "gradalign summarise --results {params.results} {params.claims} {params.references} "
        "{params.studies} {params.runs} > {log} 2>&1"
