"""The scripts of the workflow: which lint findings count, and which outputs are sound."""

import struct
import zipfile
from pathlib import Path

import pytest

from workflow.scripts.check_outputs import defect
from workflow.scripts.lint import findings

LINT = """Lints for snakefile /somewhere/common.smk:
    * Tab usage in line 3.:
      Both Python and Snakemake can get confused when mixing tabs and spaces.

Lints for rule claim (line 9, /somewhere/claims.smk):
    * Specify a conda environment or container for each rule.:
      This way, the used software for each specific step is documented.
    * No log directive defined:
      Without a log directive, all output will be printed.
"""


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)


def test_only_the_finding_about_environments_is_allowed():
    assert findings(LINT) == [
        "snakefile /somewhere/common.smk: Tab usage in line 3.",
        "rule claim (line 9, /somewhere/claims.smk): No log directive defined",
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.pdf", b"%PDF-1.7\n...\n%%EOF\n", None),
        ("a.pdf", b"%PDF-1.7\n...", "not a whole PDF file"),
        ("a.pdf", b"", "empty"),
        ("a.png", png(400, 300), None),
        ("a.png", png(400, 1), "only 400 x 1 pixels"),
        ("a.png", b"GIF89a", "not a PNG file"),
        ("a.csv", b'a,b\n1,"2,5"\n', None),
        ("a.csv", b"a,b\n", "no row below the header"),
        ("a.csv", b"a,b\n1\n", "rows of different lengths"),
        ("a.npz", b"PK", "not an npz file"),
        ("a.html", b"<html><script>1</script></html>", None),
        ("a.html", b'<script src="https://somewhere/x.js"></script>', "loads other files"),
        ("a.md", b"  \n", "empty"),
        ("a.md", b"| a |\n", None),
    ],
)
def test_a_file_is_judged_by_what_its_ending_promises(tmp_path: Path, name, content, message):
    (tmp_path / name).write_bytes(content)
    found = defect(tmp_path / name)
    assert (found is None) is (message is None)
    assert message is None or message in found


def test_a_missing_file_is_a_defect_and_an_archive_is_sound(tmp_path: Path):
    assert defect(tmp_path / "nowhere.csv") == "missing"
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x", "1")
    assert defect(tmp_path / "a.npz") is None
