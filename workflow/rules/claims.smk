# The numbered statements, each checked with exact matrices in float64.


rule claims:
    input:
        expand(f"{results}/claims/{{topic}}/{{table}}.csv", topic=configuration.claims, table=TABLES["claims"]),


rule claim:
    input:
        sources=f"{results}/specifications/claims/{{topic}}.sources",
    output:
        records=f"{results}/claims/{{topic}}/claims.csv",
        curves=f"{results}/claims/{{topic}}/claim_curves.csv",
    log:
        f"{results}/logs/claims/{{topic}}.log",
    shell:
        "gradalign claim {wildcards.topic} --output {output.records} --curves {output.curves} > {log} 2>&1"
