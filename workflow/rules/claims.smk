# The numbered statements, each checked with exact matrices in float64.


rule claims:
    input:
        expand(f"{results}/claims/{{topic}}.csv", topic=configuration.claims),


rule claim:
    input:
        sources=claim_sources,
    output:
        f"{results}/claims/{{topic}}.csv",
    log:
        f"{results}/logs/claims/{{topic}}.log",
    shell:
        "gradalign claim {wildcards.topic} --output {output} > {log} 2>&1"
