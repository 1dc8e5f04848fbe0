# Lists of sources for results without settings; see contents.smk.


rule sources:
    input:
        none_but_written_again(""),
    output:
        f"{results}/specifications/{{part}}.sources",
    log:
        f"{results}/logs/specifications/{{part}}.log",
    wildcard_constraints:
        part="(claims|evaluation|stages)/[^/]+",
    params:
        sources=lambda wildcards: specified(wildcards.part)["sources"],
    shell:
        "printf '%s\\n' {params.sources:q} > {output} 2> {log}"
