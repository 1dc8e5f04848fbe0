"""Gradient alignment and second-order optimization for physics-informed neural networks, in JAX.

The public names stand in ``__init__.pyi``, and each is imported where it is used first: ``import gradalign`` loads
nothing, no result depends on a name that its code does not use, and a new public name is a line in that file alone.
"""


def __getattr__(name: str) -> object:
    """A public name, or ``__version__``, which pyproject.toml sets (``unknown`` where nothing is installed)."""
    import ast
    from importlib import import_module, metadata
    from pathlib import Path

    if name == "__version__":
        try:
            return metadata.version(__name__)
        except metadata.PackageNotFoundError:
            return "unknown"
    stub = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    modules = {alias.name: node.module for node in imports for alias in node.names}
    if name == "__all__":
        return sorted(modules)
    if name not in modules:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; allowed: {', '.join(sorted(modules))}")
    return globals().setdefault(name, getattr(import_module(str(modules[name])), name))


def __dir__() -> list[str]:
    return sorted({*globals(), *__getattr__("__all__")})
