"""Files of the checkout that ship with the package: a wheel has a copy of each, a checkout the file itself."""

from pathlib import Path

from gradalign.base.errors import ConfigurationError

PACKAGE = Path(__file__).resolve().parent

COPIED = {"smoke.yaml": "workflow/config/smoke.yaml", "references.bib": "paper/references.bib"}
"""Names in the folder ``data`` of a wheel, and paths in a checkout; ``setup.py`` copies these files into the build."""


def shipped(name: str) -> Path:
    """The path of a file that ships with gradalign: in the folder ``data``, or as in ``COPIED`` in the checkout.

    Raises ``ConfigurationError`` if neither exists, as in a package that was put together by hand.

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
