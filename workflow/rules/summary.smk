# Tidy tables of all results, gathered from the stages: the input of tables, paper and verification.

summarised = {
    "claims": (rules.claims.input, configuration.claims),
    "references": (rules.references.input, configuration.references),
    "studies": (rules.studies.input, configuration.studies),
    "runs": (rules.evaluations.input, configuration.run_names),
}

for kind, (parts, names) in summarised.items():

    rule:
        name:
            f"summary_{kind}"
        input:
            parts,
            sources=f"{results}/specifications/stages/summary.sources",
        output:
            expand(f"{results}/summary/{{table}}.csv", table=tables_of_all(kind)),
            fields=expand(f"{results}/summary/fields/{{run}}.npz", run=names if kind == "runs" else []),
        log:
            f"{results}/logs/summary/{kind}.log",
        params:
            results=subpath(output[0], ancestor=2),
            kind=kind,
            names=list(names),
        shell:
            "gradalign summarise {params.kind} {params.names} --results {params.results} --empty > {log} 2>&1"


rule summary:
    input:
        # By path: Snakemake 9.3 does not find rules by names assigned in a loop
        [f"{results}/summary/{table}.csv" for kind in TABLES for table in tables_of_all(kind)],
        expand(f"{results}/summary/fields/{{run}}.npz", run=configuration.run_names),
