"""Checks that all outputs of a scale exist and are sound: `python workflow/scripts/check_outputs.py SCALE`."""

import csv
import struct
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))

from figures import manifest
from gradalign.pipeline.configuration import load


def wanted(scale: str) -> Iterator[Path]:
    """Every file that a user gets at ``scale``, from the configuration and the list of figures and tables."""
    results = Path("results") / scale
    configuration = load([Path(f"workflow/config/{scale}.yaml")])
    for name in ("claims", "claim_curves", "references", "runs", "curves"):
        yield results / "summary" / f"{name}.csv"
    for run in configuration.run_names:
        yield results / "summary" / "fields" / f"{run}.npz"
    for item in manifest.items().values():
        forms = ("pdf", "png") if item["kind"] == "figure" else ("csv", "md", "tex")
        for form in forms:
            yield results / f"{item['kind']}s" / f"{item['name']}.{form}"
    yield results / "paper" / "paper.pdf"
    yield Path("paper/build/paper.pdf")
    yield results / "report.html"
    yield results / "verification.csv"


def defect(path: Path) -> str | None:
    """What is wrong with a file, judged by its suffix; None if nothing is."""
    if not path.is_file():
        return "missing"
    content = path.read_bytes()
    if not content.strip():
        return "empty"
    match path.suffix:
        case ".pdf":
            return None if content.startswith(b"%PDF-") and b"%%EOF" in content[-1024:] else "not a whole PDF file"
        case ".png":
            if not content.startswith(b"\x89PNG\r\n\x1a\n") or len(content) < 24:
                return "not a PNG file"
            width, height = struct.unpack(">II", content[16:24])
            return None if min(width, height) >= 100 else f"only {width} x {height} pixels"
        case ".csv":
            rows = list(csv.reader(content.decode("utf-8").splitlines()))
            if len(rows) < 2:
                return "no row below the header"
            return None if all(len(row) == len(rows[0]) for row in rows) else "rows of different lengths"
        case ".npz":
            return None if zipfile.is_zipfile(path) else "not an npz file"
        case ".html":
            text = content.decode("utf-8")
            outside = [mark for mark in ('<script src="', '<link rel="stylesheet" href="') if mark in text]
            return f"loads other files ({', '.join(outside)})" if outside else None
        case _:
            return None


def main(scale: str) -> int:
    """Print what is wrong; return 1 if anything is."""
    paths = list(wanted(scale))
    defects = [f"{path}: {found}" for path in paths if (found := defect(path))]
    print("\n".join(defects) or f"{len(paths)} outputs of scale {scale!r} are there and sound")
    return int(bool(defects))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
