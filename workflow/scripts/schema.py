"""Writes the JSON schema of the configuration files: `python workflow/scripts/schema.py FILE`."""

import json
import sys
from pathlib import Path

from gradalign.base.files import write_atomically
from gradalign.pipeline.configuration import schema


def main(path: Path) -> None:
    """Write the schema that the pydantic models define to ``path``."""
    text = json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
