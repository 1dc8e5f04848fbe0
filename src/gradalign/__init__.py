"""Gradient alignment and second-order optimization for physics-informed neural networks, in JAX.

Nothing is imported here: each module stands for itself, and what imports one does not depend on the others.
"""


def __getattr__(name: str) -> str:
    """``__version__``, which pyproject.toml sets; ``unknown`` where the package is not installed."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import metadata

    try:
        return metadata.version(__name__)
    except metadata.PackageNotFoundError:
        return "unknown"
