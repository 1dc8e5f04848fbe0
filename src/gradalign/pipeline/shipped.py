"""Files of the checkout that ship with the package: a wheel has a copy of each, a checkout the file itself."""

from pathlib import Path

from gradalign.base.errors import ConfigurationError

PACKAGE = Path(__file__).resolve().parent

COPIED = {"smoke.yaml": "workflow/config/smoke.yaml", "references.bib": "paper/references.bib"}
"""Name in the folder ``data`` of a wheel, and place in a checkout; ``setup.py`` copies them into what it builds."""


def shipped(name: str) -> Path:
    """The place of a file that ships with gradalign: in the folder ``data``, or of ``COPIED`` in the checkout.

    Raises ``ConfigurationError`` where neither is there, as in a package that was put together by hand.

    >>> shipped("smoke.yaml").name
    'smoke.yaml'
    """
    places = [PACKAGE / "data" / name]
    if name in COPIED:
        places.append(PACKAGE.parents[2] / COPIED[name])
    for place in places:
        if place.is_file():
            return place
    raise ConfigurationError(
        f"{name} is missing from this installation of gradalign ({PACKAGE}); allowed: a wheel, or a checkout; "
        "install gradalign again"
    )
