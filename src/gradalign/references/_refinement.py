"""What several references share that state their error by a run with fewer modes."""

from typing import Any

from gradalign.references._contract import Values, relative_l2


def require_fewer_modes(settings: Any) -> Any:
    """The settings, as a validator of their model; ``ValueError`` where the coarse run has no fewer modes."""
    if settings.coarse_modes >= settings.modes:
        raise ValueError(f"coarse_modes must be below modes = {settings.modes}")
    return settings


def differences(values: Values, reference: Values) -> list[float]:
    """The relative L2 differences of u and of v, both arrays being (T, 2, ...)."""
    return [relative_l2(values[:, field], reference[:, field]) for field in range(2)]
