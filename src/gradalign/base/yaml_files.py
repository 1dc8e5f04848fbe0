"""Reading YAML files as users mean them: YAML 1.2 numbers, and no duplicate keys."""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from gradalign.base.errors import ConfigurationError, ForeignFileError, described
from gradalign.base.untrusted import contents

LARGEST_NODES = 50_000
"""Largest number of keys and values in a file, repeats by aliases included; ours have up to 2 thousand."""

DEEPEST = 100
"""Largest depth of nested brackets; ours have 5."""


def read(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file, as written.

    Numbers are those of YAML 1.2 (``1e-3`` is a number). Raises ``ConfigurationError`` for a missing file, wrong
    syntax, a duplicate key, content that is not a mapping, and a file that is too large or becomes so by its aliases.
    """
    try:
        content = _Loader(path, contents(path).decode("utf-8")).get_single_data()
    except ForeignFileError:
        raise
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
    """The safe YAML loader with YAML 1.2 numbers; refuses duplicate keys and aliases that blow up a file."""

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(text)
        self.name = str(path)  # appears in messages
        self.nodes = 0
        self.sizes: dict[int, int] = {}  # by node id, the nodes at and below it

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """A node and all below it, counted: ten aliases of ten aliases make a hundred values, and so on."""
        event, before = self.peek_event(), self.nodes
        self.nodes += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        if isinstance(event, yaml.AliasEvent):
            if id(node) not in self.sizes:  # its node is still being read
                raise self._refusal(f"alias {event.anchor!r} contains itself", event.start_mark)
            self.nodes += self.sizes[id(node)]
        else:
            self.sizes[id(node)] = self.nodes - before
        if self.nodes > LARGEST_NODES:
            raise self._refusal(
                f"more than {LARGEST_NODES} keys and values, those of aliases included", event.start_mark
            )
        return node

    def fetch_flow_collection_start(self, token: type[yaml.Token]) -> None:
        """Limit the open brackets: the reader looks far ahead for each."""
        super().fetch_flow_collection_start(token)
        if self.flow_level > DEEPEST:
            raise self._refusal(f"more than {DEEPEST} open brackets", self.get_mark())

    @staticmethod
    def _refusal(problem: str, place: Any) -> yaml.MarkedYAMLError:
        return yaml.MarkedYAMLError(problem=problem, problem_mark=place)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if name in seen:
                raise self._refusal(f"key {name!r} appears twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)
