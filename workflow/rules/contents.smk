# Two files beside each result state all that determines it: its settings (.json), and digests of its code and data with
# the versions of the libraries (.sources). A result is recomputed if these files differ from what they would be now,
# and only then: comments, docstrings and file times change nothing. This does not depend on Snakemake's records, so it
# also works for results of another version or machine, and for a file that somebody edited.

import json

entry_points = {
    "claims": lambda topic: [f"gradalign.claims.{topic}"],
    "references": lambda problem: [f"gradalign.references.{problem}"],
    "studies": lambda study: [f"gradalign.references.studies.{study}"],
    "runs": training_modules,
    "evaluation": lambda run: ["gradalign.training.evaluation", f"gradalign.problems.{configuration.run(run).problem}"],
    "stages": lambda stage: [f"gradalign.pipeline.{stage}"],
}
settings_of = {"references": configuration.reference, "studies": configuration.study, "runs": configuration.run}


@functools.cache
def specified(part):
    """Texts of these files for a result, such as `runs/burgers-adam`, by suffix."""
    kind, name = part.split("/")
    texts = {"sources": "\n".join(f"{value}  {what}" for what, value in code(*entry_points[kind](name)).items())}
    if kind in settings_of:
        # ASCII, so that the encoding of the terminal does not matter
        texts["json"] = json.dumps(json.loads(settings_of[kind](name).model_dump_json()), indent=2)
    return texts


def settings_text(kind):
    return lambda wildcards: specified(f"{kind}/{wildcards[0]}")["json"]


def sources_text(kind):
    return lambda wildcards: specified(f"{kind}/{wildcards[0]}")["sources"]


def none_but_written_again(kind):
    """No input. Files that are out of date are rewritten, and all that depends on them is recomputed."""

    def none(wildcards):
        if (part := f"{kind}/{wildcards[0]}".removeprefix("/")) in out_of_date:
            workflow.dag.forcefiles.update(f"{results}/specifications/{part}.{suffix}" for suffix in specified(part))
        return []

    return none


out_of_date = set()
if workflow.is_main_process and Path(results).is_dir():
    changed = {}  # parts by what changed for them
    for kind, names in {
        "claims": configuration.claims,
        "references": configuration.references,
        "studies": configuration.studies,
        "runs": configuration.run_names,
        "evaluation": configuration.run_names,
        "stages": ["summary", "verification"],
    }.items():
        for part in (f"{kind}/{name}" for name in names):
            for suffix, text in specified(part).items():
                try:
                    found = untrusted.contents(f"{results}/specifications/{part}.{suffix}").decode(errors="replace")
                except OSError:
                    out_of_date.add(part)
                    continue
                except ForeignFileError as error:
                    logger.warning(f"{error}\nit is written again")
                    out_of_date.add(part)
                    continue
                if found == f"{text}\n":
                    continue
                out_of_date.add(part)
                lines = set(found.splitlines()) ^ set(text.splitlines())
                whats = {line.split()[-1] for line in lines if line.strip()} if suffix == "sources" else {"settings"}
                for what in whats or {"its file"}:
                    changed.setdefault(what, []).append(part)
    for what, parts in sorted(changed.items()):
        some = ", ".join(parts[:3]) + (f" and {len(parts) - 3} more" if len(parts) > 3 else "")
        logger.info(f"{results}: {what} changed since these were computed: {some}")
