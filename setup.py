"""Copies the files that ship with the package from their places in the checkout; pyproject.toml holds all the rest."""

import ast
import sys
from pathlib import Path

# On an older Python, the installer would only name a package that it cannot find
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit("gradalign needs Python 3.11 or newer, and this is Python %d.%d" % sys.version_info[:2])  # noqa: UP031

from setuptools import setup
from setuptools.command.build_py import build_py


def copied():
    """``COPIED`` of ``gradalign.pipeline.shipped``, read without an import: its requirements are not installed yet."""
    tree = ast.parse(Path("src/gradalign/pipeline/shipped.py").read_text(encoding="utf-8"))
    (found,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["COPIED"]
    )
    return ast.literal_eval(found)


class BuildWithShippedFiles(build_py):
    """Puts a copy of each file into the folder ``data`` of the build; an editable install uses the files themselves."""

    def run(self):
        super().run()
        if not self.editable_mode:
            for name, place in copied().items():
                self.copy_file(place, str(self.shipped_file(name)))

    def get_outputs(self, include_bytecode=True):
        return [*super().get_outputs(include_bytecode), *(str(self.shipped_file(name)) for name in copied())]

    def get_source_files(self):
        return [*super().get_source_files(), *copied().values()]

    def shipped_file(self, name):
        return Path(self.build_lib, "gradalign", "pipeline", "data", name)


setup(cmdclass={"build_py": BuildWithShippedFiles})
