"""Settings that several places give, one over the other, with the place of every value."""

from collections.abc import Mapping
from typing import Any

from gradalign.pipeline.configuration_messages import Key

DEFAULT = "default"
"""The value that takes a setting back to its default."""

PRESETS = {"network": "networks", "training": "training"}
"""Where the presets of a setting stand by its name."""


class Layers:
    """Values by key, and the place of each: the keys that lead to it in the configuration.

    >>> layers = Layers()
    >>> layers.lay(("training",), {"steps": 100, "causal": {"chunks": 16}}, ("training", "short"))
    >>> layers.lay(("training",), {"steps": 200, "causal": "default"}, ("runs", 0, "training"))
    >>> layers.values
    {'training': {'steps': 200}}
    >>> layers.place(("training", "steps"))
    ('runs', 0, 'training', 'steps')
    """

    def __init__(self, below: "Layers | None" = None) -> None:
        self.values: dict[Any, Any] = _copied(below.values) if below else {}
        self.places: dict[Key, Key] = dict(below.places) if below else {}  # what was given last stands last

    def lay(self, at: Key, value: Any, place: Key) -> None:
        """Put the ``value`` that stands at ``place`` over what is there: mappings merge, all else is replaced."""
        if value == DEFAULT:
            self.remove(at)
            return
        inside = self.values
        for name in at[:-1]:
            inside = inside.setdefault(name, {})
        self.places.pop(at, None)
        self.places[at] = place
        if not isinstance(value, Mapping):
            self.remove(at)
            inside[at[-1]], self.places[at] = value, place
            return
        if not isinstance(inside.get(at[-1]), dict):
            inside[at[-1]] = {}
        for name, part in value.items():
            self.lay((*at, name), part, (*place, name))

    def choose(self, part: str, choice: str | Mapping[str, Any], place: Key, presets: Mapping[str, Any]) -> None:
        """Put a choice of network or training over what is there.

        A choice is the name of a preset, or changes of what is there, or changes ``of`` a preset. Presets may build on
        each other in the same way; ``presets`` has those of both kinds, and no circles.
        """
        name, changes = parted(choice)
        if name is not None:
            self.remove((part,))
            self.choose(part, presets[PRESETS[part]][name], (PRESETS[part], name), presets)
        if not isinstance(choice, str):
            self.lay((part,), changes, place)

    def remove(self, at: Key) -> None:
        """Forget what is at a key."""
        inside = self.values
        for name in at[:-1]:
            inside = inside.get(name, {})
        inside.pop(at[-1], None)
        for key in [key for key in self.places if key[: len(at)] == at]:
            del self.places[key]

    def place(self, at: Key) -> Key:
        """Where a value stands; of what nobody gave, where it would stand."""
        given = next(at[:length] for length in range(len(at), -1, -1) if at[:length] in self.places or not length)
        return (*self.places.get(given, ()), *at[len(given) :])

    def blamed(self, at: Key, *others: Key) -> Key:
        """The place of a value that does not fit to others: beside the one of them that was given last.

        >>> layers = Layers()
        >>> layers.lay(("training",), {"steps": 100, "log_every": 50}, ("training", "short"))
        >>> layers.lay(("training",), {"steps": 120}, ("runs", 0, "training"))
        >>> layers.blamed(("training", "log_every"), ("training", "steps"))
        ('runs', 0, 'training', 'log_every')
        """
        order = list(self.places)
        last = max((key for key in (at, *others) if key in self.places), key=order.index, default=at)
        if last == at:
            return self.place(at)
        shared = next(length for length in range(len(at), -1, -1) if at[:length] == last[:length])
        place = self.places[last]
        return (*place[: len(place) - len(last) + shared], *at[shared:])


def parted(choice: Any) -> tuple[str | None, dict[str, Any]]:
    """The preset that a choice names, if any, and the changes that it makes.

    >>> parted("small"), parted({"of": "small", "width": 8}), parted({"width": 8})
    (('small', {}), ('small', {'width': 8}), (None, {'width': 8}))
    """
    if isinstance(choice, str):
        return choice, {}
    changes = dict(choice) if isinstance(choice, Mapping) else {}
    name = changes.pop("of", None)
    return (None if name is None else str(name)), changes


def settled(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that nothing is below: without those that are to have their defaults.

    >>> settled({"b1": "default", "b2": 0.9})
    {'b2': 0.9}
    """
    layers = Layers()
    layers.lay(("all",), values, ())
    return dict(layers.values["all"])


def _copied(values: Any) -> Any:
    return {name: _copied(value) for name, value in values.items()} if isinstance(values, dict) else values
