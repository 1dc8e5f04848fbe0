"""Names of the problems, references, methods and claims: the modules in their packages."""

from pathlib import Path
from pkgutil import iter_modules


def module_names(package: str) -> list[str]:
    """Sorted names of the modules of ``gradalign.<package>`` without a leading underscore; nothing is imported.

    >>> "adam" in module_names("optimizers")
    True
    """
    folder = Path(__file__).parents[1].joinpath(*package.split("."))
    return sorted(
        module.name for module in iter_modules([str(folder)]) if not (module.ispkg or module.name.startswith("_"))
    )
