# One figure or table per entry of figures/manifest.yaml, made by its own script from the tables that the entry reads.


rule figures:
    input:
        expand(
            f"{results}/figures/{{figure}}.{{form}}",
            figure=figure_names,
            form=["pdf", "png"],
        ),


rule tables:
    input:
        expand(
            f"{results}/tables/{{table}}.{{form}}",
            table=table_names,
            form=["csv", "md", "tex"],
        ),


rule figure:
    input:
        tables=item_tables,
        sources=item_scripts,
        style="figures/drawing/style.mplstyle",
    output:
        pdf=f"{results}/figures/{{figure}}.pdf",
        png=report(
            f"{results}/figures/{{figure}}.png",
            caption="../report/item.rst",
            category=figure_category,
        ),
    log:
        f"{results}/logs/figures/{{figure}}.log",
    params:
        caption=figure_caption,
        contents=item_contents("figures/drawing/style.mplstyle"),
        arguments=lambda wildcards: items[wildcards.figure].get("arguments", {}),  # of the script: redraw on a change
        summary=item_folders,
        directory=subpath(output.pdf, parent=True),
    shell:
        "gradalign render {wildcards.figure} {params.summary} --output {params.directory} > {log} 2>&1"


rule table:
    input:
        tables=item_tables,
        sources=item_scripts,
        verdicts="figures/verdicts.yaml",
    output:
        csv=report(
            f"{results}/tables/{{table}}.csv",
            caption="../report/item.rst",
            category=table_category,
        ),
        md=f"{results}/tables/{{table}}.md",
        tex=f"{results}/tables/{{table}}.tex",
    log:
        f"{results}/logs/tables/{{table}}.log",
    params:
        caption=table_caption,
        contents=item_contents("figures/verdicts.yaml"),
        arguments=lambda wildcards: items[wildcards.table].get("arguments", {}),  # of the script: redraw on a change
        summary=item_folders,
        directory=subpath(output.csv, parent=True),
    shell:
        "gradalign render {wildcards.table} {params.summary} --output {params.directory} > {log} 2>&1"
