"""The figures and tables of the manifest, and what their scripts return."""

from importlib import import_module
from pathlib import Path

from figures import manifest

ITEMS = manifest.items()


def script_of(name):
    """The module that draws an item."""
    return import_module(f"figures.items.{Path(ITEMS[name]['script']).stem}")


def drawn(name, summary):
    """The figure or table that the script of an item returns, with the arguments of the item."""
    return script_of(name).render(summary, **ITEMS[name].get("arguments", {}))
