# The paper: text, figures and tables by name, typeset by typst.


rule paper_pdf:
    input:
        "paper/build/paper.pdf",


rule paper:
    input:
        figures=rules.figures.input,
        tables=rules.tables.input,
        summary=rules.summary.output,
        specifications=expand(rules.run_specification.output, run=configuration.run_names),
        expectations="workflow/config/expectations.yaml",
        manifest="figures/manifest.yaml",
        text=["paper/main.typ", "paper/notation.typ", "paper/references.bib"],
        proofs=sorted(map(str, Path("paper/proofs").glob("*.typ"))),
        sources=closure("build"),
    output:
        f"{results}/paper/paper.pdf",
    log:
        f"{results}/logs/paper.log",
    params:
        results=subpath(output[0], ancestor=2),
    shell:
        "python paper/build.py --results {params.results} --output {output} > {log} 2>&1"


rule publish:
    input:
        rules.paper.output,
    output:
        "paper/build/paper.pdf",
    log:
        f"{results}/logs/publish.log",
    params:
        scale=scale,  # the copy is that of the scale asked for last
    shell:
        "cp {input} {output} 2> {log}"
