"""Made-up summary tables in the form that the pipeline writes. Their numbers mean nothing."""

import shutil
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from synthetic_fields import LAYOUTS, fields

from gradalign.pipeline.comparison import derived_tables
from gradalign.pipeline.summary_tables import TABLES


@dataclass(frozen=True)
class Shape:
    """Which runs there are, and which loss terms.

    ``terms`` are the loss terms of Burgers' equation; other problems have their own. ``ported`` lists the problems with
    an additional run of SOAP in its 2024 variant; ``seeds_of`` holds the seeds of problems with other seeds.
    """

    methods: tuple[str, ...]
    terms: tuple[str, ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    rows: int = 8
    problems: tuple[str, ...] = ("burgers",)
    ported: tuple[str, ...] = ()
    seeds_of: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def steps(self, method):
        return self.rows * (10 if method == "gauss_newton" else 100)

    def terms_of(self, problem):
        return self.terms if problem == "burgers" else LAYOUTS[problem].losses

    def runs(self):
        """Name, problem and method of every run, and whether it is the 2024 port."""
        for problem in self.problems:
            for method in self.methods:
                yield f"{problem}-{method}", problem, method, False
            if problem in self.ported:
                yield f"{problem}-soap-2024", problem, "soap", True

    def seeds_for(self, problem):
        return self.seeds_of.get(problem, self.seeds)


SHAPES = {
    "three methods, three terms": Shape(("adam", "soap", "gauss_newton"), ("ic", "bc", "pde")),
    "two methods, two terms": Shape(("adam", "soap"), ("bc", "pde"), seeds=(0, 1)),
    "one unknown method, one seed": Shape(("my_method",), ("ic", "bc", "pde"), seeds=(3,)),
}
EVERY_PROBLEM = Shape(
    ("adam", "soap"),
    ("ic", "bc", "pde"),
    problems=tuple(LAYOUTS),
    ported=("wave", "burgers", "allen_cahn", "korteweg_de_vries"),
    seeds_of={
        "gray_scott": (0, 1),
        "ginzburg_landau": (0, 1),
        "lid_driven_cavity": (0, 1),
        "kolmogorov_flow": (0,),
        "rayleigh_taylor": (0,),
    },
)
"""Ten problems in one and two dimensions, one of them steady, with one to three seeds."""
SCORES = ["raw", "common_state", "own_state", "inter_gradient", "inter_gradient_same_points", "inter_update"]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def write_summary(folder, shape):
    """Write all tables and fields of a summary into ``folder``; it has no curves of claims and no studies."""
    (folder / "fields").mkdir(parents=True)
    claims(shape).to_csv(folder / "claims.csv", index=False)
    for name in ("claim_curves", "studies"):
        (folder / f"{name}.csv").write_text("\n")  # `summarise` writes this if there is nothing to gather
    references(shape).to_csv(folder / "references.csv", index=False)
    reference_evidence(shape).to_csv(folder / "reference_evidence.csv", index=False)
    logged = curves(shape)
    logged.to_csv(folder / "curves.csv", index=False)
    scored, in_time = errors(shape)
    scored.to_csv(folder / "errors.csv", index=False)
    in_time.to_csv(folder / "errors_in_time.csv", index=False)
    finished = runs(shape, scored)
    finished.to_csv(folder / "runs.csv", index=False)
    for name, table in derived_tables(finished, logged).items():
        table.to_csv(folder / f"{name}.csv", index=False)
    for name, problem, method, ported in shape.runs():
        np.savez_compressed(folder / "fields" / f"{name}.npz", **fields(problem, error(method, 1.0, ported)))
    return folder


def error(method, progress, ported=False):
    final = {"adam": 3e-3, "soap": 6e-4, "gauss_newton": 2e-5}.get(method, 1e-2)
    return (final * (1.3 if ported else 1.0)) ** progress


def claims(shape):
    rows = []
    for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 18, 28, 29, 30, 31, 32):
        for part, comparison in zip("abc", ("equal", "at most", "at least"), strict=True):
            wrong = (number, part) == (30, "b") and len(shape.terms) == 2
            size = 10.0 ** -(6 + number % 7)
            measured = {"equal": size, "at most": -0.3, "at least": 0.2}[comparison] if not wrong else 2.5e-4
            rows.append(
                {
                    "claim": f"T{number}{part}",
                    "statement": f"A statement of claim {number}, part {part}, with a # sign and a_b underscore & more",
                    "status": {"a": "proven", "b": "observation", "c": "false in general"}[part],
                    "quantity": "largest |left - right| over 100 draws",
                    "expected": 0.0,
                    "measured": measured,
                    "tolerance": 1e-5,
                    "comparison": comparison,
                    "count": 100,
                    "verdict": "violated" if wrong else "confirmed",
                    "seconds": 0.25,
                }
            )
    return pd.DataFrame(rows[::-1])


def references(shape):
    return pd.DataFrame(
        [
            {
                "problem": problem,
                "solver": "Cole-Hopf quadrature",
                "resolution": "1501 nodes, refined to 3001",
                "step": float("nan"),
                "self_convergence_error": 2.1e-15,
                "independent_check": "Fourier ETDRK4, 2048 modes, time step 0.00025",
                "independent_difference": 3.8e-11 if problem == "burgers" else 1.2e-5,
                "stated_error": 3.8e-11 if problem == "burgers" else 1.2e-5,
                "seconds": 21.4,
                "bytes": 826_000,
                "scale": "smoke",
                "commit": COMMIT,
            }
            for problem in shape.problems
        ]
    )


def reference_evidence(shape):
    rows = [
        {"problem": problem, "check": f"drift of conserved quantity {k}", "value": 10.0 ** -(9 + k)}
        for problem in shape.problems
        if problem != "burgers"
        for k in (1, 2)
    ]
    return pd.DataFrame(rows, columns=["problem", "check", "value"])


def errors(shape):
    """Rows of ``errors.csv`` and ``errors_in_time.csv``, from the made-up fields."""
    rows, in_time = [], []
    for name, problem, method, ported in shape.runs():
        layout = LAYOUTS[problem]
        for seed in shape.seeds_for(problem):
            arrays = fields(problem, error(method, 1.0, ported) * (1 + 0.2 * seed))
            exact, found = layout.scored(arrays, "reference"), layout.scored(arrays, "predicted")
            for quantity, values in exact.items():
                gap = np.abs(found[quantity] - values)
                labels = {"run": name, "problem": problem, "method": method, "seed": seed, "quantity": quantity}
                place = np.unravel_index(gap.argmax(), gap.shape)[gap.ndim - len(layout.grid) :]
                places = zip(layout.grid.items(), place, strict=True)
                last = float("nan")
                if "t" in layout.grid:
                    time = gap.ndim - len(layout.grid)
                    other = tuple(axis for axis in range(gap.ndim) if axis != time)
                    with np.errstate(invalid="ignore", divide="ignore"):  # a field may start at zero
                        share = np.sqrt((gap**2).sum(axis=other) / (values**2).sum(axis=other))
                    share = np.where(np.isfinite(share), share, np.nan)
                    last = share[-1]
                    in_time += [
                        {**labels, "t": t, "relative_l2": e} for t, e in zip(layout.grid["t"], share, strict=True)
                    ]
                rows.append(
                    {
                        **labels,
                        "relative_l2": np.linalg.norm(gap) / np.linalg.norm(values),
                        "relative_l2_final_time": last,
                        "largest_error": gap.max(),
                        "largest_error_at": ", ".join(f"{axis}={grid[i]:.6g}" for (axis, grid), i in places),
                    }
                )
    columns = ["run", "problem", "method", "seed", "quantity", "t", "relative_l2"]
    return pd.DataFrame(rows), pd.DataFrame(in_time, columns=columns)


def runs(shape, scored):
    rows = []
    for name, problem, method, ported in shape.runs():
        for seed in shape.seeds_for(problem):
            own = scored[(scored["run"] == name) & (scored["seed"] == seed)].set_index("quantity")
            main = own.loc[LAYOUTS[problem].score]
            variant = "soap-jax-2024" if ported else "soap"
            rows.append(
                {
                    "run": name,
                    "problem": problem,
                    "method": method,
                    "variant": variant if method == "soap" else "",
                    "changed": "2024 port" if ported else "",
                    "b1": {"adam": 0.9, "soap": 0.99}.get(method, 0.0),
                    "points_every": 10 if method == "gauss_newton" else 1,
                    "seed": seed,
                    "scale": "smoke",
                    "device": "cpu (2 cores)",
                    "precision": "float64" if method == "gauss_newton" else "float32",
                    "commit": COMMIT,
                    "network": "mlp 4x64",
                    "recipe": f"float{64 if method == 'gauss_newton' else 32}, mlp 4x64 tanh",
                    "parameters": 12_737,
                    "points": 1280,
                    "conditions": "soft: ic, bc",
                    "steps": shape.steps(method),
                    "windows": 4 if problem == "kuramoto_sivashinsky" else 1,
                    "stages": 2 if problem == "lid_driven_cavity" else 1,
                    "last_stage_steps": shape.steps(method) // (4 if problem == "kuramoto_sivashinsky" else 1),
                    "reynolds": 400.0 if problem == "lid_driven_cavity" else float("nan"),
                    "horizon": 1.0 if problem in ("kuramoto_sivashinsky", "gray_scott") else float("nan"),
                    "viscosity": float("nan"),
                    "rayleigh": float("nan"),
                    "loss_terms": len(shape.terms_of(problem)),
                    "compile_seconds": 10.0,
                    "train_seconds": shape.steps(method) * 0.01,
                    "milliseconds_per_step": {"adam": 11.0, "soap": 16.0}.get(method, 500.0),
                    "final_loss": error(method, 1.0) ** 2,
                    "score": LAYOUTS[problem].score,
                    "reference_error": 3.8e-11 if problem == "burgers" else 1.2e-5,
                    **main[["relative_l2", "relative_l2_final_time", "largest_error", "largest_error_at"]],
                }
            )
    return pd.DataFrame(rows)


def curves(shape):
    random = np.random.default_rng(0)
    rows = []
    for name, problem, method, ported in shape.runs():
        level = {"adam": -0.1, "soap": -0.3}.get(method, -0.6)
        terms = shape.terms_of(problem)
        for seed in shape.seeds_for(problem):
            for index in range(shape.rows + 1):
                size = error(method, index / shape.rows, ported) * (1 + 0.2 * seed)
                values = {"error": size * random.uniform(0.8, 1.25)}
                values["loss"] = values["error"] ** 2 * len(terms)
                step = index * shape.steps(method) // shape.rows
                values["gradient_evaluations"] = step * (4 if method == "gauss_newton" else 1)
                values["operations"] = step * (2e9 if method == "gauss_newton" else 1e8)
                values |= {f"loss/{term}": values["error"] ** 2 * random.uniform(0.5, 2) for term in terms}
                values |= {f"score_{score}": np.clip(level + 0.3 * random.normal(), -1, 1) for score in SCORES}
                if method == "gauss_newton":
                    values["score_own_state"] = float("nan")
                rows += [
                    {
                        "run": name,
                        "problem": problem,
                        "method": method,
                        "seed": seed,
                        "step": step,
                        "seconds": step * (0.5 if method == "gauss_newton" else 0.012) * (1 + 0.02 * seed),
                        "quantity": quantity,
                        "value": value,
                    }
                    for quantity, value in values.items()
                ]
    return pd.DataFrame(rows)


def write_parts(summary, folder):
    """Split the tables and fields of runs into a folder per run, as ``gradalign evaluate`` writes them."""
    for path in (summary / "fields").iterdir():
        (folder / path.stem / "fields").mkdir(parents=True)
        shutil.copy(path, folder / path.stem / "fields")
    for name in TABLES["runs"]:
        table = pd.read_csv(summary / f"{name}.csv", dtype=str, keep_default_na=False)  # keeps the digits
        for part in folder.iterdir():
            table[table["run"] == part.name].to_csv(part / f"{name}.csv", index=False)
