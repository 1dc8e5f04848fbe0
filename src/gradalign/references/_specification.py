"""All that one reference solution, or one study of published data, depends on."""

from typing import Any

from gradalign.base.settings import Name, Scale, StrictModel


class ReferenceSpecification(StrictModel):
    """All that one reference solution depends on, resolved from a configuration."""

    scale: Scale
    problem: Name
    problem_settings: dict[str, Any]
    reference_settings: dict[str, Any]


class StudySpecification(StrictModel):
    """All that one study depends on, resolved from a configuration."""

    scale: Scale
    study: Name
    settings: dict[str, Any]
