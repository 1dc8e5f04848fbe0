# The paper: text, figures and tables, typeset by typst.


rule paper_pdf:
    input:
        "paper/build/paper.pdf",


paper_text = [
    "workflow/config/expectations.yaml",
    "figures/manifest.yaml",
    "paper/main.typ",
    "paper/notation.typ",
    "paper/references.bib",
    *sorted(map(str, Path("paper/proofs").glob("*.typ"))),
    *scripts("paper.build"),
]


rule paper:
    input:
        figures=rules.figures.input,
        tables=rules.tables.input,
        summary=rules.summary.input,
        specifications=expand(rules.run_specification.output.settings, run=configuration.run_names),
        text=paper_text,
    output:
        f"{results}/paper/paper.pdf",
    log:
        f"{results}/logs/paper.log",
    params:
        results=subpath(output[0], ancestor=2),
        contents=lambda wildcards: contents(*paper_text, modules=("paper.build",)),
        hard=lambda wildcards: hard(*configuration.references),
    shell:
        "python paper/build.py --results {params.results} --output {output} > {log} 2>&1"


rule copy_paper:
    input:
        rules.paper.output,
    output:
        "paper/build/paper.pdf",
    log:
        f"{results}/logs/copy_paper.log",
    params:
        scale=scale,  # the copy belongs to the scale requested last
    shell:
        "cp {input} {output} 2> {log}"
