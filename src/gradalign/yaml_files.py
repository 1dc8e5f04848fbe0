"""Reading YAML files as a user means them: numbers as in YAML 1.2, and no key twice."""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from gradalign.errors import ConfigurationError, described


def read(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file, as written.

    Numbers are those of YAML 1.2 (``1e-3`` is a number). Raises ``ConfigurationError`` for a missing file, for wrong
    syntax, for a key that appears twice and for a file that is not a mapping.
    """
    try:
        with path.open(encoding="utf-8") as file:
            content = _Loader(file).get_single_data()
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read; allowed: a YAML file. {described(error)}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error}); allowed: a YAML file, in UTF-8") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigurationError(
            f"{path}: not readable as YAML, {error}\n  allowed: a mapping without repeated keys; correct the line"
        ) from error
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"{path}: holds {content!r:.200}; allowed: a mapping; write lines such as 'scale: smoke'"
        )
    return content


class _Loader(yaml.SafeLoader):
    """The safe YAML loader, with YAML 1.2 numbers and without repeated keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if name in seen:
                raise yaml.MarkedYAMLError(problem=f"key {name!r} appears twice", problem_mark=key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)
