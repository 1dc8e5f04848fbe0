"""`snakemake --lint`, with every finding an error except the one named here."""

import subprocess
import sys

ALLOWED = {
    # All rules run in the environment of requirements.lock, which `make environment` builds without conda.
    "Specify a conda environment or container for each rule.",
}


def findings(text: str) -> list[str]:
    """Findings in the linter's output, each as ``place: title``, without the allowed ones.

    >>> findings("Lints for rule a (line 1, x.smk):\\n    * Tab usage in line 3.:\\n      Python can get confused.")
    ['rule a (line 1, x.smk): Tab usage in line 3.']
    """
    found, place = [], ""
    for line in text.splitlines():
        if line.startswith("Lints for "):
            place = line.removeprefix("Lints for ").rstrip(":")
        elif line.startswith("    * "):
            title = line.removeprefix("    * ").removesuffix(":")
            if title not in ALLOWED:
                found.append(f"{place}: {title}")
    return found


def main() -> int:
    """Lint the workflow; return 1 if there is a finding, or if the workflow cannot be read."""
    run = subprocess.run(["snakemake", "--lint"], capture_output=True, text=True, check=False)
    text = run.stdout + run.stderr
    if run.returncode and "Lints for " not in text:
        print(text, file=sys.stderr)
        return 1
    found = findings(text)
    print("\n".join(found) or "snakemake --lint: nothing found")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
