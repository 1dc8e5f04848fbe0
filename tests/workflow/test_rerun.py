"""What an edit reruns, and what it leaves alone: dry runs on a copy of the workflow whose outputs are empty files.

Only references are more than empty, because damaged ones are found before anything is planned.
"""

import dataclasses
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import warm_snakemake
import yaml
from experiments import line_reference

from figures import manifest
from gradalign.references._contract import Reference
from gradalign.training.records import seal

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
COPIED = ("Snakefile", "workflow", "profiles", "figures", "paper", "src/gradalign")
# A second problem beside Burgers, and runs on it, so that "only that problem" means something.
HEAT = {
    "references": ["burgers", "heat"],
    "runs": [
        {"problem": problem, "method": method, "network": "small_heat", "training": "short_heat"}
        for problem in ("burgers", "heat")
        for method in ("adam", "soap")
    ],
}
SPECIFICATIONS = ("sources", "reference_specification", "study_specification", "run_specification")  # the rules


class Workflow:
    """A copy of the workflow at scale smoke, with two problems and two methods, all of whose outputs are up to date."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in COPIED:
            source, target = ROOT / name, folder / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "build"))
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        for package in ("problems", "references"):
            text = (folder / f"src/gradalign/{package}/burgers.py").read_text()
            (folder / f"src/gradalign/{package}/heat.py").write_text(text.replace("problems.burgers", "problems.heat"))
        smoke = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text())
        entry = {key: smoke["problems"]["burgers"][key] for key in ("points", "reference")}
        presets = {
            "networks": {"small_heat": smoke["networks"]["small"]},  # of their own, so that any scale has them
            "training": {"short_heat": smoke["training"]["first_order"]},
        }
        (folder / "two.yaml").write_text(yaml.safe_dump(HEAT | presets | {"problems": {"heat": entry}}))
        self.snakemake("--cores", "1", "--until", *SPECIFICATIONS)
        for output in re.findall(r"^    output: (.*)$", self.snakemake("--dry-run", "--forceall"), re.MULTILINE):
            for name in output.split(", "):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                if "/specifications/" in name:
                    assert (folder / name).stat().st_size, name
                elif Path(name).name == "parameters":  # a folder
                    (folder / name).mkdir(exist_ok=True)
                elif Path(name).parent.name == "references" and name.endswith(".npz"):
                    dataclasses.replace(line_reference(), problem=Path(name).stem).save(folder / name)
                else:
                    (folder / name).touch()
        for checksums in folder.glob("results/*/runs/*/checksums.sha256"):
            seal(checksums.parent, [checksums.with_name("runs.csv"), checksums.with_name("curves.csv")])
        self.snakemake("--cores", "1", "--touch", "--forceall")

    def snakemake(
        self, *arguments: str, files: tuple[str, ...] = ("two.yaml",), scale: str = "smoke", check: bool = True
    ) -> str:
        environment = os.environ | {"PYTHONPATH": str(self.folder / "src"), "COLUMNS": "10000"}
        environment["XDG_CACHE_HOME"] = str(self.folder / "cache")
        command = [*arguments, "--config", f"scale={scale}", "--configfile", *files]
        output = self.folder.with_name(f"{self.folder.name}.txt")
        code = warm_snakemake.run(command, self.folder, environment, output)
        said = output.read_text()
        assert not check or code == 0, said
        return said

    def planned(self, files: tuple[str, ...] = ("two.yaml",)) -> set[str]:
        """Jobs that would run, as ``rule`` or ``rule wildcard``."""
        return self.jobs(self.snakemake("--dry-run", files=files))

    @staticmethod
    def jobs(text: str) -> set[str]:
        """Jobs that a dry run has listed, as ``rule`` or ``rule wildcard``."""
        jobs = re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", text, re.MULTILINE)
        assert bool(jobs) is not ("Nothing to be done" in text), text
        wildcards = [re.search(r"^    wildcards: \w+=(\S+)$", body, re.MULTILINE) for _, body in jobs]
        return {
            f"{rule} {found[1]}" if found else rule
            for (rule, _), found in zip(jobs, wildcards, strict=True)
            if rule != "all"
        }

    @contextmanager
    def edited(self, name: str, change: Callable[[str], str] = lambda text: f"{text}\n_EDITED = 1\n") -> Iterator[None]:
        """A file with other content and a time of long ago, as `rsync -a` and `tar` leave one; then the old one."""
        path = self.folder / name
        text, times = path.read_text(), path.stat()
        assert change(text) != text
        path.write_text(change(text))
        os.utime(path, (1e9, 1e9))
        try:
            yield
        finally:
            path.write_text(text)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    return Workflow(tmp_path_factory.mktemp("workflow"))


def names(kind: str) -> set[str]:
    items = manifest.items().values()
    return {f"{kind} {item['name']}" for item in items if item["kind"] == kind}


def names_of(script: str) -> set[str]:
    items = manifest.items().values()
    return {f"{item['kind']} {item['name']}" for item in items if item["script"] == script}


AFTER_ITEMS = {"paper", "copy_paper", "report", "verify"}


def after(*parts: str) -> set[str]:
    """What follows from parts of the summary, such as ``claims/score``: what shows them, paper, report, verdict."""
    kinds = {part.split("/")[0] for part in parts}
    items = manifest.items().values()
    shown = {f"{item['kind']} {item['name']}" for item in items if {*item["reads"]} & {*parts, *kinds}}
    return {f"summary_{kind}" for kind in kinds} | shown | AFTER_ITEMS


def test_nothing_reruns_when_nothing_changed(workflow):
    assert workflow.planned() == set()


def runs(*names: str) -> set[str]:
    """Jobs of runs that are trained again."""
    return {f"{rule} {name}" for rule in ("run_specification", "train", "evaluate") for name in names}


def test_editing_a_problem_retrains_only_that_problem(workflow):
    with workflow.edited("src/gradalign/problems/heat.py"):
        planned = workflow.planned()
    sources = {f"sources evaluation/heat-{method}" for method in ("adam", "soap")}
    reference = {"reference_specification heat", "reference heat"}
    assert planned == reference | runs("heat-adam", "heat-soap") | sources | after("references/heat", "runs/heat")
    assert "figure fig_burgers_error" not in planned


def test_editing_a_method_retrains_only_that_method(workflow):
    with workflow.edited("src/gradalign/optimizers/soap.py"):
        planned = workflow.planned()
    claim = {"sources claims/definitions", "claim definitions"}  # that topic takes a step of SOAP
    assert planned == runs("burgers-soap", "heat-soap") | claim | after(
        "runs/burgers", "runs/heat", "claims/definitions"
    )
    assert {"figure fig_burgers_error", "figure fig_disagreement"} <= planned
    assert "figure fig_kronecker" not in planned


RUNS_OF_BURGERS = [f"{rule} burgers-{method}" for rule in ("train", "evaluate") for method in ("adam", "soap")]
STUDIES = [f"study published_{name}" for name in ("allen_cahn", "burgers", "cavity")]
ALL_RUNS = [f"{problem}-{method}" for problem in ("burgers", "heat") for method in ("adam", "soap")]


def test_editing_the_loop_retrains_everything_but_solves_nothing_again(workflow):
    with workflow.edited("src/gradalign/training/runner.py"):
        planned = workflow.planned()
    assert planned == runs(*ALL_RUNS) | after("runs/burgers", "runs/heat")


WORDS = {
    "src/gradalign/problems/heat.py": ('\n"""\n', '\n"""\n# a comment\n'),
    "src/gradalign/training/runner.py": ("\nimport", "\n# a comment\nimport"),
    "src/gradalign/optimizers/_line_search.py": ('"""', '"""Words. '),
    "src/gradalign/claims/score.py": ('"""', '"""Words. '),
    "src/gradalign/pipeline/summary.py": ('"""', '"""Words. '),
    "src/gradalign/pipeline/verification.py": ('"""', '"""Words. '),
    "src/gradalign/base/errors.py": ('"""', '"""Words. '),
}


def test_editing_words_plans_nothing_and_neither_does_a_new_time(workflow):
    with ExitStack() as stack:
        for name, change in WORDS.items():
            stack.enter_context(workflow.edited(name, lambda text, change=change: text.replace(*change, 1)))
            os.utime(workflow.folder / name)
        for path in (workflow.folder / "results/smoke/specifications").glob("*/*"):
            times = path.stat()
            stack.callback(os.utime, path, ns=(times.st_atime_ns, times.st_mtime_ns))
            os.utime(path)
        assert workflow.planned() == set()


def restore(hidden: Path, path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    hidden.rename(path)


def test_without_the_notes_of_snakemake_other_code_is_noticed_all_the_same(workflow):
    hidden = (workflow.folder / ".snakemake/metadata").rename(workflow.folder / "hidden")
    try:
        with workflow.edited("src/gradalign/claims/inter_step.py"):
            text = workflow.snakemake("--dry-run")
    finally:
        restore(hidden, workflow.folder / ".snakemake/metadata")
    said = "results/smoke: gradalign/claims/inter_step.py changed since these were computed: claims/inter_step\n"
    assert text.count(said) == 1
    assert workflow.jobs(text) == {"sources claims/inter_step", "claim inter_step"} | after("claims/inter_step")


def test_a_result_whose_specification_was_written_before_a_kill_is_computed(workflow):
    name = "claims/inter_step.sources"
    write = ("--cores", "1", f"results/smoke/specifications/{name}")
    with workflow.edited("src/gradalign/claims/inter_step.py"):
        workflow.snakemake(*write)
        assert workflow.planned() == {"claim inter_step"} | after("claims/inter_step")
    workflow.snakemake(*write)  # the old content with a new time
    assert workflow.planned() == set()


def test_what_the_paper_takes_from_a_docstring_typesets_it(workflow):
    with workflow.edited(
        "src/gradalign/problems/heat.py", lambda text: text.replace("What is hard", "What is hard now")
    ):
        assert workflow.planned() == {"paper", "copy_paper", "verify"}


def test_editing_a_table_of_published_data_redraws_what_shows_it(workflow):
    with workflow.edited(
        "src/gradalign/references/data/ldc_ghia1982_u.csv", lambda text: text.replace("-0.20581", "-0.20582")
    ):
        assert workflow.planned() == {"figure fig_lid_driven_cavity_centrelines", *AFTER_ITEMS}


def test_another_version_of_jax_computes_all_that_uses_it(workflow):
    package = workflow.folder / "src/jax-99.9.dist-info"  # found before the one that is installed
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: jax\nVersion: 99.9\n")
    try:
        text = workflow.snakemake("--dry-run")
    finally:
        shutil.rmtree(package)
    planned = workflow.jobs(text)
    assert "results/smoke: jax changed since these were computed: claims/" in text
    assert runs(*ALL_RUNS) | {"reference burgers", "claim score", "sources evaluation/heat-adam"} <= planned
    assert "sources stages/verification" not in planned


@pytest.mark.parametrize(("name", "change"), [("runs/heat-adam.json", "edited"), ("runs/heat-adam.sources", "removed")])
def test_a_specification_that_somebody_edited_is_written_again(workflow, name, change):
    path = workflow.folder / "results/smoke/specifications" / name
    text, times = path.read_text(), path.stat()
    try:
        if change == "removed":
            path.unlink()
        else:
            path.write_text(text.replace("0", "1", 1))
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert workflow.planned() == runs("heat-adam") | after("runs/heat")
    finally:
        path.write_text(text)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize("script", ["figures/items/fig_claims.py", "figures/items/fig_problem_error.py"])
def test_editing_a_script_redraws_only_its_figures(workflow, script):
    with workflow.edited(script):
        assert workflow.planned() == names_of(script) | AFTER_ITEMS


def test_editing_the_arguments_of_a_figure_redraws_it(workflow):
    change = ('{problem: "{problem}", fields: [w], times: 3}', '{problem: "{problem}", fields: [w], times: 2}')
    with workflow.edited("figures/manifest.yaml", lambda text: text.replace(*change, 1)):
        assert workflow.planned() == {"figure fig_kolmogorov_flow_fields", *AFTER_ITEMS}


def test_editing_what_two_scripts_use_redraws_only_their_items(workflow):
    with workflow.edited("figures/drawing/score_definitions.py"):
        assert workflow.planned() == {"figure fig_score_definitions", "table tab_score_definitions", *AFTER_ITEMS}


def test_editing_what_all_figures_share_redraws_all_and_computes_nothing(workflow):
    with workflow.edited("figures/drawing/summary.py"):
        assert workflow.planned() == names("figure") | names("table") | AFTER_ITEMS


def test_editing_a_claim_checks_only_that_topic(workflow):
    with workflow.edited("src/gradalign/claims/inter_step.py"):
        assert workflow.planned() == {"sources claims/inter_step", "claim inter_step"} | after("claims/inter_step")


def test_editing_the_paper_typesets_only_the_paper(workflow):
    with workflow.edited("paper/main.typ"):
        assert workflow.planned() == {"paper", "copy_paper", "verify"}


def test_editing_the_expectations_only_verifies_and_typesets(workflow):
    with workflow.edited("workflow/config/expectations.yaml"):
        assert workflow.planned() == {"verify", "paper", "copy_paper"}


def test_changing_the_settings_of_a_method_retrains_only_its_runs(workflow):
    (workflow.folder / "changed.yaml").write_text("methods: {soap: {b1: 0.5}}")
    planned = workflow.planned(files=("two.yaml", "changed.yaml"))
    assert planned == runs("burgers-soap", "heat-soap") | after("runs/burgers", "runs/heat")


def test_another_way_of_gathering_gathers_all_and_computes_nothing(workflow):
    with workflow.edited("src/gradalign/pipeline/summary.py"):
        planned = workflow.planned()
    assert planned == {"sources stages/summary"} | after("claims", "references", "studies", "runs")


def test_a_new_run_is_shown_by_the_figures_of_its_problem_alone(workflow):
    heat = yaml.safe_load((workflow.folder / "two.yaml").read_text())["runs"]
    new = {"problem": "burgers", "method": "gauss_newton", "network": "burgers", "training": "second_order"}
    (workflow.folder / "more.yaml").write_text(yaml.safe_dump({"runs": [*heat, new]}))
    planned = workflow.planned(files=("two.yaml", "more.yaml"))
    assert planned == runs("burgers-gauss_newton") | {"sources evaluation/burgers-gauss_newton"} | after("runs/burgers")
    assert {"figure fig_burgers_error", "table tab_runs"} <= planned
    assert not {"figure fig_claims", "table tab_references"} & planned


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ("figures/fig_burgers_error.pdf", {"figure fig_burgers_error", "reference burgers", *RUNS_OF_BURGERS}),
        ("figures/fig_kronecker.png", {"figure fig_kronecker", "claim kronecker_factors"}),
        ("tables/tab_published_references.csv", {"table tab_published_references", "summary_studies", *STUDIES}),
    ],
)
def test_one_figure_plans_what_it_shows(workflow, target, wanted):
    text = workflow.snakemake("--dry-run", "--forceall", f"results/smoke/{target}")
    planned = {job for job in workflow.jobs(text) if not job.startswith(SPECIFICATIONS)}
    assert planned == wanted


def test_a_problem_without_runs_has_a_figure_that_says_so(workflow):
    text = workflow.snakemake("--dry-run", "--forceall", "--printshellcmds", "results/smoke/figures/fig_wave_error.pdf")
    assert workflow.jobs(text) == {"figure fig_wave_error"}
    assert "gradalign render fig_wave_error --empty --output results/smoke/figures " in text


def test_a_removed_figure_is_drawn_again_and_nothing_is_computed(workflow):
    figure = sorted(names("figure"))[0]
    file = workflow.folder / f"results/smoke/figures/{figure.split()[1]}.png"
    times = file.stat()
    file.unlink()
    planned = workflow.planned()
    file.touch()
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert planned == {figure, *AFTER_ITEMS}


def test_other_scales_share_nothing_but_the_published_paper(workflow):
    text = workflow.snakemake("--dry-run", scale="laptop")
    outputs = {name for line in re.findall(r"^    output: (.*)$", text, re.MULTILINE) for name in line.split(", ")}
    assert {name for name in outputs if not name.startswith("results/laptop/")} == {"paper/build/paper.pdf"}


@pytest.mark.parametrize("profile", ["gpu", "slurm"])
def test_the_profiles_plan_the_paper_scale_with_one_gpu_a_run(workflow, profile):
    # The plugin for Slurm is not in the lock: a local executor reads all settings of the profile but the plugin's.
    settings = yaml.safe_load((ROOT / f"workflow/profiles/{profile}/config.yaml").read_text())
    kept = {key: value for key, value in settings.items() if key != "executor" and not key.startswith("slurm-")}
    (workflow.folder / profile).mkdir()
    (workflow.folder / profile / "config.yaml").write_text(yaml.safe_dump(kept))
    options = ("--dry-run", "--profile", profile)
    text = workflow.snakemake(*options, scale="paper")
    assert len(re.findall(r"^    resources: .*gpu=1", text, re.MULTILINE)) == len(HEAT["runs"])


def test_a_wrong_configuration_stops_before_anything_runs_with_a_readable_message(workflow):
    (workflow.folder / "wrong.yaml").write_text("networks: {burgers: {width: -4}}")
    text = workflow.snakemake("--dry-run", files=("two.yaml", "wrong.yaml"), check=False)
    assert "nothing was started" in text
    assert "wrong.yaml: networks.burgers.width is -4; allowed: a number > 0; correct the value" in text
    assert "Traceback" not in text


def test_an_unknown_scale_lists_the_scales(workflow):
    text = workflow.snakemake("--dry-run", scale="huge", check=False)
    assert "unknown scale 'huge'; allowed: laptop, laptop-best, laptop-methods, laptop-stretch, paper, smoke" in text


@contextmanager
def damaged(path: Path, change: Callable[[bytes], bytes]) -> Iterator[None]:
    """A file with other content, and the old one afterwards; no file is left beside it."""
    content, times = path.read_bytes(), path.stat()
    path.write_bytes(change(content))
    try:
        yield
    finally:
        path.with_suffix(".damaged.npz").unlink(missing_ok=True)
        path.write_bytes(content)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def flipped(content: bytes) -> bytes:
    """One bit of the first field, which stands in the file as it is."""
    place = content.index(line_reference().fields["u"].tobytes())
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize("change", [lambda content: content[:-500], flipped], ids=["truncated", "flipped"])
def test_a_damaged_reference_is_reported_set_aside_and_computed_again(workflow, change):
    file = workflow.folder / "results/smoke/references/heat.npz"
    with damaged(file, change):
        text = workflow.snakemake("--dry-run", "references")
        assert text.count("results/smoke/references/heat.npz: cannot be read as a reference solution") == 1
        assert "heat.npz was renamed to heat.damaged.npz, so that it is computed again" in text
        assert file.with_suffix(".damaged.npz").is_file()
        assert not file.exists()
    assert workflow.jobs(text) == {"reference heat", "references"}


def test_a_damaged_run_is_reported_and_trained_again(workflow):
    file = workflow.folder / "results/smoke/runs/heat-adam/curves.csv"
    sealed = file.with_name("checksums.sha256")
    content, times = sealed.read_bytes(), sealed.stat()
    file.write_bytes(b"0")
    try:
        text = workflow.snakemake("--dry-run", "runs")
        assert text.count("runs/heat-adam: curves.csv does not agree with its checksum") == 1
        assert "checksums.sha256 was renamed, so that the run is trained again from its last checkpoint" in text
        assert workflow.jobs(text) == {"train heat-adam", "runs"}
    finally:
        file.write_bytes(b"")
        sealed.write_bytes(content)
        for path in (file, sealed):
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_the_reference_of_another_problem_is_not_taken(workflow):
    file = workflow.folder / "results/smoke/references/heat.npz"
    other = file.with_stem("burgers").read_bytes()
    with damaged(file, lambda _: other):
        text = workflow.snakemake("--dry-run", "references")
    assert "heat.npz: holds the solution of 'burgers'; allowed: that of 'heat'" in text
    assert workflow.jobs(text) == {"reference heat", "references"}


def test_references_that_are_not_configured_are_left_alone(workflow):
    file = workflow.folder / "results/smoke/references/other.npz"
    file.write_bytes(b"damaged")
    assert workflow.planned() == set()
    assert file.read_bytes() == b"damaged"
    file.unlink()


@pytest.mark.parametrize("mode", ["subprocess", "remote"])
def test_the_processes_of_jobs_leave_references_as_they_are(workflow, mode):
    file = workflow.folder / "results/smoke/references/heat.npz"
    with damaged(file, lambda content: content[:-500]):
        text = workflow.snakemake("--mode", mode, "--dry-run")
        assert "cannot be read" not in text
        assert file.exists()
        assert not file.with_suffix(".damaged.npz").exists()


def test_a_damaged_reference_comes_back_bit_for_bit_from_the_cache(workflow):
    grid = {"times": 3, "points": 9, "nodes": 801, "refined_nodes": 1001, "modes": 512, "time_step": 5e-3}
    tiny = {"problems": {"burgers": {"settings": {"viscosity": 0.05}, "reference": grid}}}
    (workflow.folder / "tiny.yaml").write_text(yaml.safe_dump(tiny))
    name, log = (f"results/laptop/{part}" for part in ("references/burgers.npz", "logs/references/burgers.log"))
    command = ("--cores", "1", name)
    file = workflow.folder / name
    workflow.snakemake(*command, files=("tiny.yaml",), scale="laptop")
    first = file.read_bytes()
    assert Reference.load(file, "burgers").fields["u"].shape == (3, 9)
    assert "Cole-Hopf, 801 nodes" in (workflow.folder / log).read_text()
    file.write_bytes(first[:-500])
    text = workflow.snakemake(*command, files=("tiny.yaml",), scale="laptop")
    assert "burgers.npz was renamed to burgers.damaged.npz" in text
    assert file.read_bytes() == first
    assert "taken from the cache" in (workflow.folder / log).read_text()
    assert "Nothing to be done" in workflow.snakemake(*command, files=("tiny.yaml",), scale="laptop")
    shutil.rmtree(workflow.folder / "results/laptop")


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("figures/items/fig_claims.py", "results/smoke/figures/fig_claims.pdf"),
        ("results/smoke/runs/heat-adam/parameters", "results/smoke/evaluation/heat-adam/runs.csv"),
    ],
)
def test_an_input_of_the_future_is_refused_before_anything_is_computed(workflow, name, target):
    file, output = workflow.folder / name, workflow.folder / target
    dated = file / ".snakemake_timestamp" if file.is_dir() else file
    times, kept = dated.stat(), output.rename(output.with_suffix(".kept"))
    now = dated.stat().st_mtime
    try:
        os.utime(dated, (now + 100_000, now + 100_000))
        text = workflow.snakemake("--cores", "1", target, check=False)
        assert "the time of these files lies in the future, nothing was started" in text
        assert f"touch {name}\n" in text
        assert f"  {name}: 20" in text
        assert "Traceback" not in text
        assert not re.search(r"^(?:local)?rule ", text, re.MULTILINE)
        assert not output.exists()
        assert not (output.parent / ".snakemake_timestamp").exists()
    finally:
        os.utime(dated, ns=(times.st_atime_ns, times.st_mtime_ns))
        kept.rename(output)
