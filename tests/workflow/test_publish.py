"""What is shipped of a finished run: the same tables, with checksums, and nothing that is not sound."""

import gzip
import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest
from synthetic_results import COMMIT, SHAPES, write_summary

from gradalign.base.errors import ConfigurationError, ForeignFileError
from gradalign.base.untrusted import table
from gradalign.pipeline.result_comparison import compare
from gradalign.pipeline.summary_tables import path_of
from workflow.scripts import publish as script


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results" / "smoke"
    write_summary(folder / "summary", SHAPES["two methods, two terms"])
    for name in ("verified", "paper/paper.pdf", "verification.csv", "figures/fig_claims.png", "figures/fig_other.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    for name in ("burgers-adam", "burgers-soap"):
        (folder / "specifications/runs").mkdir(parents=True, exist_ok=True)
        (folder / f"specifications/runs/{name}.json").write_text("{}")
    (folder / "logs").mkdir()
    (folder / "logs/seconds.csv").write_text(
        "rule,name,core_seconds\ntrain,burgers-adam,1.25\ntrain,burgers-soap,2.5\n"
    )
    return folder


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("![claims](../published/smoke/figures/fig_claims.png)")
    return path


def test_what_is_shipped_is_what_was_found(results, page, tmp_path, monkeypatch):
    monkeypatch.setattr(script, "PACKED_FROM", 5_000)
    published = tmp_path / "published" / "smoke"
    for _ in range(2):  # the second time it is replaced
        size = script.publish(results, published, [page])
        (published.parent / "other").mkdir(exist_ok=True)
    manifest = json.loads((published / "manifest.json").read_text())
    assert (manifest["scale"], manifest["commit"], manifest["devices"]) == ("smoke", COMMIT, ["cpu (2 cores)"])
    assert manifest["published_with"]["jax"]
    assert manifest["published_on"]["cores"] >= 1
    files = {path.relative_to(published).as_posix() for path in published.rglob("*") if path.is_file()}
    assert files == {*manifest["files"], "manifest.json"}
    assert sum(about["bytes"] for about in manifest["files"].values()) == size
    for name, about in manifest["files"].items():
        assert hashlib.sha256((published / name).read_bytes()).hexdigest() == about["sha256"]
    assert {"figures/fig_claims.png", "paper.pdf", "seconds.csv", "summary/fields/burgers-soap.npz"} <= files
    assert "figures/fig_other.png" not in files
    assert "summary/curves.csv.gz" in files
    packed = gzip.decompress((published / "summary/curves.csv.gz").read_bytes())
    assert packed == (results / "summary/curves.csv").read_bytes()
    assert compare(results, published, "exact").differences == []
    curves = pd.read_csv(results / "summary/curves.csv")
    pd.testing.assert_frame_equal(table(path_of(published / "summary", "curves")), curves)


def other_commit(results):
    runs = pd.read_csv(results / "summary/runs.csv")
    runs.loc[0, "commit"] = "f" * 40
    runs.to_csv(results / "summary/runs.csv", index=False)


def edited(results):
    path = results / "summary" / "runs.csv"
    path.write_text(path.read_text().replace(COMMIT, f"{COMMIT}-dirty"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda results: (results / "verified").unlink(), "smoke: not finished, for 'verified' is missing"),
        (lambda results: (results / "paper/paper.pdf").unlink(), "paper.pdf is missing; run the whole scale first"),
        (other_commit, "the runs come from 0123456789abcdef0123456789abcdef01234567, f{40}; allowed: one commit"),
        (edited, "the runs come from 0123456789abcdef0123456789abcdef01234567-dirty; allowed: one commit without"),
    ],
)
def test_what_is_not_whole_is_not_shipped(results, page, tmp_path, change, said):
    published = tmp_path / "published"
    published.mkdir()
    (published / "runs.csv").write_text("as before")
    change(results)
    with pytest.raises(ConfigurationError, match=said):
        script.publish(results, published, [page])
    assert [path.name for path in published.iterdir()] == ["runs.csv"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.md", "published", "results"]


def test_a_folder_that_cannot_be_replaced_stays(results, page, tmp_path, monkeypatch):
    published = tmp_path / "published"
    (tmp_path / ".published.new").mkdir()
    (tmp_path / ".published.new" / "stale.csv").touch()  # of a call that was killed
    script.publish(results, published, [page])
    assert not (published / "stale.csv").exists()
    before = {path: path.read_bytes() for path in published.rglob("*") if path.is_file()}
    rename = Path.rename

    def fail(path, target):
        if path.name == ".published.new":
            raise OSError("no space for a name")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="no space for a name"):
        script.publish(results, published, [page])
    assert {path: path.read_bytes() for path in published.rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.md", "published", "results"]


@pytest.mark.parametrize(("limit", "said"), [("LARGEST_FILE", "summary/curves.csv"), ("LARGEST_FOLDER", "the whole")])
def test_what_is_too_large_is_not_shipped(results, page, tmp_path, monkeypatch, limit, said):
    monkeypatch.setattr(script, limit, 10_000)
    with pytest.raises(ConfigurationError, match=f"{said} would be too large; allowed: .* a file, .* in all"):
        script.publish(results, tmp_path / "published", [page])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.md", "results"]


def test_a_packed_table_that_is_damaged_or_a_bomb_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "curves.csv.gz"
    content = gzip.compress(b"a,b\n1,2\n" * 1000)
    for damaged in (content[:-5], content[: len(content) // 2], b"no gzip at all", content[:20] + b"\x00" * 20):
        path.write_bytes(damaged)
        with pytest.raises(ForeignFileError, match=r"curves\.csv\.gz: cannot be unpacked"):
            table(path)
    path.write_bytes(content)
    assert len(table(path)) == 1999
    monkeypatch.setattr("gradalign.base.untrusted.LARGEST_TABLE", 7_000)
    with pytest.raises(ForeignFileError, match=r"would expand to more than 7\.0 kB, the most for a table"):
        table(path)


def test_the_shipped_folders_are_those_of_their_manifests():
    for path in Path(__file__).resolve().parents[2].glob("published/*/manifest.json"):
        manifest = json.loads(path.read_text())
        assert manifest["scale"] == path.parent.name
        for name, about in manifest.get("files", {}).items():
            assert hashlib.sha256((path.parent / name).read_bytes()).hexdigest() == about["sha256"], name
