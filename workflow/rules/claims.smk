# The numbered statements, each checked with exact matrices in float64.


rule claims:
    input:
        records=expand(f"{results}/claims/{{topic}}.csv", topic=configuration.claims),
        curves=expand(f"{results}/claims/curves/{{topic}}.csv", topic=configuration.claims),


rule claim:
    input:
        sources=f"{results}/specifications/claims/{{topic}}.sources",
    output:
        records=f"{results}/claims/{{topic}}.csv",
        curves=f"{results}/claims/curves/{{topic}}.csv",
    log:
        f"{results}/logs/claims/{{topic}}.log",
    shell:
        "gradalign claim {wildcards.topic} --output {output.records} --curves {output.curves} > {log} 2>&1"
