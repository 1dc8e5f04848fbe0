"""Checks hand arrays over: what makes a number of them stands in ``records``, where no NaN is lost."""

import ast
from pathlib import Path

import pytest

import gradalign.claims
from gradalign.base.discovery import module_names

FOLDER = Path(gradalign.claims.__file__).parent
LOSES_NAN = {"max", "min", "sorted"}  # of Python: max(0.0, nan) is 0.0
SKIPS_NAN = {"nanmax", "nanmin", "nanmean", "nanmedian", "nansum", "nanstd", "nanvar", "nanquantile", "nanpercentile"}
EXTREMES = {"max", "min", "amax", "amin", "argmax", "argmin"}


def reductions(source: str) -> list[str]:
    """What a topic may not do: lose a NaN anywhere, and make a record, or take an extreme of everything, in a check.

    >>> reductions("worst = max(0.0, error)")
    ['line 1: max']
    >>> reductions("def T1() -> list[Claim]:\\n    return [vanishes('T1', '', '', np.max(errors), 0)]")
    ['line 2: np.max of a whole array']
    """
    tree = ast.parse(source)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            attribute = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            if name in LOSES_NAN | {"Claim", "largest"} or attribute in SKIPS_NAN:
                found.append(f"line {node.lineno}: {name or attribute}")
    for check in ast.walk(tree):
        if isinstance(check, ast.FunctionDef) and check.returns and ast.unparse(check.returns) == "list[Claim]":
            for node in ast.walk(check):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in EXTREMES:
                    of_library = isinstance(node.func.value, ast.Name) and node.func.value.id in ("np", "jnp")
                    given = len(node.args) > (1 if of_library else 0) or any(k.arg == "axis" for k in node.keywords)
                    if not given:
                        found.append(f"line {node.lineno}: {ast.unparse(node.func)} of a whole array")
    return found


@pytest.mark.parametrize("topic", module_names("claims"))
def test_checks_hand_over_arrays(topic):
    assert reductions((FOLDER / f"{topic}.py").read_text(encoding="utf-8")) == []
