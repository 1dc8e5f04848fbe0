# Training: one process per run, which trains its seeds one after the other. Checkpoints are not declared as outputs, so
# that they survive a failure.


# Only the main process does this: jobs read this file too, on a cluster elsewhere.
if workflow.is_main_process:
    for run in configuration.run_names:
        warn_of_damage(set_aside_run, Path(f"{results}/runs/{run}"))


rule runs:
    input:
        expand(
            f"{results}/runs/{{run}}/{{name}}",
            run=configuration.run_names,
            name=["runs.csv", "checksums.sha256"],
        ),


rule run_specification:
    input:
        none_but_written_again("runs"),
    output:
        settings=f"{results}/specifications/runs/{{run}}.json",
        sources=f"{results}/specifications/runs/{{run}}.sources",
    log:
        f"{results}/logs/specifications/runs/{{run}}.log",
    params:
        settings=settings_text("runs"),
        sources=sources_text("runs"),
    shell:
        "printf '%s\\n' {params.settings:q} > {output.settings} 2> {log} && "
        "printf '%s\\n' {params.sources:q} > {output.sources} 2>> {log}"


rule train:
    input:
        specification=rules.run_specification.output.settings,
        reference=reference_of_run,
        sources=rules.run_specification.output.sources,
    output:
        runs=f"{results}/runs/{{run}}/runs.csv",
        curves=f"{results}/runs/{{run}}/curves.csv",
        checksums=f"{results}/runs/{{run}}/checksums.sha256",
        parameters=directory(f"{results}/runs/{{run}}/parameters"),
    log:
        f"{results}/logs/runs/{{run}}.log",
    threads: lambda wildcards: configuration.cores_of(wildcards.run) or workflow.cores
    resources:
        gpu=1 if configuration.device == "gpu" else 0,
    params:
        directory=subpath(output.runs, parent=True),
        # XLA uses every core it finds unless NPROC limits them.
        cores=lambda wildcards, threads: f"NPROC={threads} " if configuration.cores_of(wildcards.run) else "",
        # Tiny runs mostly compile, and these compiler settings save half of that time.
        compiler=f"XLA_FLAGS='{quick_flags()}' " if scale == "smoke" else "",
    shell:
        # In a Slurm job, training runs in pieces that fit the time limit
        "{params.cores}{params.compiler}${{SLURM_JOB_ID:+python workflow/scripts/slurm_pieces.py}} "
        "gradalign train {wildcards.run} --specification {input.specification} --reference {input.reference} "
        "--output {params.directory} > {log} 2>&1"
