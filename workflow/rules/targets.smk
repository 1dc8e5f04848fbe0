# Reports targets of another scale, and misspelt ones, before anything is planned.

import difflib
import itertools
import re

from snakemake.cli import get_argument_parser


def possible_targets():
    """Every rule that can be a target, and every file that a rule can make."""
    values = {
        "topic": configuration.claims,
        "problem": configuration.references,
        "study": configuration.studies,
        "run": configuration.run_names,
        "figure": figure_names,
        "table": table_names,
    }
    for known in workflow.rules:
        names = sorted(known.wildcard_names)
        if not set(names) <= values.keys():  # an intermediate file, not a result
            continue
        if not names:
            yield known.name
        for chosen in itertools.product(*(values[name] for name in names)):
            for output in known.output:
                yield str(output.apply_wildcards(dict(zip(names, chosen)))) if names else str(output)


def require_target(target):
    path = os.path.relpath(target) if not os.path.isabs(target) else target
    if workflow.is_rule(target) or os.path.exists(path) or any(known.is_producer(path) for known in workflow.rules):
        return
    if (found := re.match(rf"results/({'|'.join(scales)})/", path)) and found[1] != scale:
        raise WorkflowError(
            f"{target} belongs to the scale {found[1]}, and this is the scale {scale}; the command for it is\n"
            f"  snakemake {shlex.quote(target)} --cores all --config scale={found[1]}"
        )
    similar = difflib.get_close_matches(path, set(possible_targets()), n=2, cutoff=0.8)
    raise WorkflowError(
        f"no rule makes {target}; " + (f"did you mean {' or '.join(similar)}?" if similar else "see snakemake --list")
    )


# Snakemake does not expose its targets at this point, so its arguments are parsed again
if workflow.is_main_process and "snakemake" in sys.argv[0]:
    for target in get_argument_parser().parse_known_args(sys.argv[1:])[0].targets:
        require_target(target)
