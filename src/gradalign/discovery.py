"""Names of the problems, references, methods and claims: the modules in their packages."""

from pathlib import Path
from pkgutil import iter_modules


def module_names(package: str) -> list[str]:
    """Names of the modules of ``gradalign.<package>``, found without importing them.

    >>> "adam" in module_names("optimizers")
    True
    """
    return sorted(module.name for module in iter_modules([str(Path(__file__).parent / package)]))
