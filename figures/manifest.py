"""Every figure and table by its name, as ``manifest.yaml`` lists them. Whoever needs the list reads it here.

What an entry may have is said at the top of ``manifest.yaml``. This module needs neither Matplotlib nor pandas, so that
Snakemake reads the list at once.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from figures import FIGURES
from figures.drawing.names import problem_name
from gradalign.base import yaml_files
from gradalign.base.errors import ConfigurationError, unknown_name

REQUIRED = ("name", "reads", "category", "caption")
ITEM = (*REQUIRED, "script", "arguments")
TEMPLATE = ("for", "words", "items", "reads", "category")
"""Keys of an item, and of an entry that makes items for several problems."""

KINDS = {"fig_": "figure", "tab_": "table"}


@cache
def items(path: Path = FIGURES / "manifest.yaml") -> dict[str, dict[str, Any]]:
    """All items by name, in the order of the file, the templates expanded.

    Each has ``name``, ``kind`` (figure or table), ``script``, ``reads``, ``category``, ``caption``, and ``arguments``
    where its script takes any. Raises ``ConfigurationError`` for an unknown or missing key, for a word that no template
    has, and for a name that stands there twice.
    """
    entries = yaml_files.read(path)
    found: dict[str, dict[str, Any]] = {}
    try:
        _require_keys(entries, ("items",), ("items",), "the file")
        for entry in entries["items"]:
            for item in _expanded(entry) if "for" in entry else [entry]:
                complete = _complete(item)
                if complete["name"] in found:
                    raise ConfigurationError(f"the name {complete['name']!r} stands there twice; give one another name")
                found[complete["name"]] = complete
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None
    return found


def item(name: str) -> dict[str, Any]:
    """The item with this name; ``ConfigurationError`` where there is none."""
    known = items()
    if name not in known:
        raise unknown_name("figure or table", name, known)
    return known[name]


def _expanded(template: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The items of a template: all of the first problem, then all of the second, and so on."""
    where = "the template of " + ", ".join(str(item.get("name")) for item in template.get("items", []))
    _require_keys(template, TEMPLATE, ("for", "items"), where)
    problems = _problems(template, where)
    shared = {key: template[key] for key in ("reads", "category") if key in template}
    for problem in problems:
        words = {"problem": problem, "Problem in words": problem_name(problem)}
        words |= {word: _chosen(texts, problem, problems, word) for word, texts in template.get("words", {}).items()}
        for item in template["items"]:
            own = _problems(item, str(item.get("name"))) if "for" in item else problems
            if problem in _known(own, problems, str(item.get("name"))):
                yield _filled(shared | {key: value for key, value in item.items() if key != "for"}, words)


def _problems(entry: dict[str, Any], where: str) -> list[str]:
    """The problems of ``for``."""
    if list(entry["for"]) != ["problem"]:
        raise ConfigurationError(f"{where}: 'for' has {', '.join(entry['for'])}; allowed: problem")
    return list(entry["for"]["problem"])


def _known(problems: list[str], allowed: list[str], where: str) -> list[str]:
    """The problems, all of which must be allowed."""
    if unknown := [problem for problem in problems if problem not in allowed]:
        raise ConfigurationError(
            f"{where}: {unknown[0]!r} is no problem of the template; allowed: {', '.join(allowed)}"
        )
    return problems


def _chosen(texts: list[dict[str, Any]], problem: str, problems: list[str], word: str) -> str:
    """The first of the texts that is of this problem, or of all; nothing where none is."""
    fitting = []
    for text in texts:
        _require_keys(text, ("of", "text"), ("text",), f"the word {word!r}")
        if problem in _known(text.get("of", problems), problems, f"the word {word!r}"):
            fitting.append(text["text"])
    return fitting[0] if fitting else ""


def _filled(value: Any, words: dict[str, str]) -> Any:
    """The value with the words in place of their names in braces; a word that is empty leaves no second space."""
    if isinstance(value, dict):
        return {key: _filled(inner, words) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, words) for inner in value]
    if not isinstance(value, str):
        return value
    if unknown := [word for word in re.findall(r"\{(.*?)\}", value) if word not in words]:
        raise unknown_name("word of a template", unknown[0], words)
    return re.sub(" +", " ", re.sub(r"\{(.*?)\}", lambda found: words[found[1]], value))


def _complete(item: dict[str, Any]) -> dict[str, Any]:
    """An item with its kind and the path of its script."""
    name = str(item.get("name"))
    _require_keys(item, ITEM, REQUIRED, name)
    if name[:4] not in KINDS:
        raise ConfigurationError(f"the name {name!r} has no kind; allowed: fig_... for a figure, tab_... for a table")
    kind, script = KINDS[name[:4]], f"figures/items/{item.get('script', f'{name}.py')}"
    rest: dict[str, Any] = {key: item[key] for key in ("arguments", *REQUIRED[1:]) if key in item}
    return {"name": name, "kind": kind, "script": script} | rest


def _require_keys(entry: dict[str, Any], allowed: Iterable[str], required: Iterable[str], where: str) -> None:
    if unknown := [key for key in entry if key not in allowed]:
        raise ConfigurationError(f"{where}: unknown key {unknown[0]!r}; allowed: {', '.join(allowed)}")
    if missing := [key for key in required if key not in entry]:
        raise ConfigurationError(f"{where}: the key {missing[0]!r} is missing; add it")
