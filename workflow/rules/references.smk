# Our own reference solutions, each with a stated error.

# Damaged files are replaced. Only the main process does this: jobs read this file too, on a cluster elsewhere.
if workflow.is_main_process:
    for problem in configuration.references:
        warn_of_damage(set_aside, Path(f"{results}/references/{problem}.npz"), problem)


rule references:
    input:
        expand(f"{results}/references/{{problem}}.npz", problem=configuration.references),


rule reference_specification:
    input:
        none_but_written_again("references"),
    output:
        settings=f"{results}/specifications/references/{{problem}}.json",
        sources=f"{results}/specifications/references/{{problem}}.sources",
    log:
        f"{results}/logs/specifications/references/{{problem}}.log",
    params:
        settings=settings_text("references"),
        sources=sources_text("references"),
    shell:
        "printf '%s\\n' {params.settings:q} > {output.settings} 2> {log} && "
        "printf '%s\\n' {params.sources:q} > {output.sources} 2>> {log}"


rule reference:
    input:
        specification=rules.reference_specification.output.settings,
        sources=rules.reference_specification.output.sources,
    output:
        f"{results}/references/{{problem}}.npz",
    log:
        f"{results}/logs/references/{{problem}}.log",
    shell:
        "gradalign reference {wildcards.problem} --specification {input.specification} --output {output} > {log} 2>&1"
