"""Made-up summary tables, in the shape that the pipeline writes. Their numbers mean nothing."""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Shape:
    """Which runs there are, and how the loss is split."""

    methods: tuple[str, ...]
    terms: tuple[str, ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    rows: int = 8

    def steps(self, method):
        return self.rows * (10 if method == "levenberg_marquardt" else 100)


SHAPES = {
    "three methods, three terms": Shape(("adam", "soap", "levenberg_marquardt"), ("ic", "bc", "pde")),
    "two methods, two terms": Shape(("adam", "soap"), ("bc", "pde"), seeds=(0, 1)),
    "one unknown method, one seed": Shape(("my_method",), ("ic", "bc", "pde"), seeds=(3,)),
}
SCORES = ["raw", "common_state", "own_state", "inter_gradient", "inter_gradient_same_points", "inter_update"]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def write_summary(folder, shape):
    """Write claims without curves, references, runs, curves and fields into ``folder``."""
    (folder / "fields").mkdir(parents=True)
    claims(shape).to_csv(folder / "claims.csv", index=False)
    (folder / "claim_curves.csv").write_text("\n")  # what `summarise` writes where there is nothing to gather
    references().to_csv(folder / "references.csv", index=False)
    curves(shape).to_csv(folder / "curves.csv", index=False)
    runs(shape).to_csv(folder / "runs.csv", index=False)
    for method in shape.methods:
        np.savez_compressed(folder / "fields" / f"burgers-{method}.npz", **fields(method))
    return folder


def error(method, progress):
    final = {"adam": 3e-3, "soap": 6e-4, "levenberg_marquardt": 2e-5}.get(method, 1e-2)
    return final**progress


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
                    "status": "proven" if part != "c" else "false in general",
                    "quantity": "largest |left - right| over 100 draws",
                    "expected": 0.0,
                    "measured": measured,
                    "tolerance": 1e-5,
                    "comparison": comparison,
                    "verdict": "violated" if wrong else "confirmed",
                    "seconds": 0.25,
                }
            )
    return pd.DataFrame(rows[::-1])


def references():
    return pd.DataFrame(
        [
            {
                "problem": "burgers",
                "solver": "Cole-Hopf quadrature",
                "resolution": "1501 nodes, refined to 3001",
                "step": float("nan"),
                "self_convergence_error": 2.1e-15,
                "independent_check": "Fourier ETDRK4, 2048 modes, time step 0.00025",
                "independent_difference": 3.8e-11,
                "stated_error": 3.8e-11,
                "seconds": 21.4,
                "bytes": 826_000,
                "scale": "smoke",
                "commit": COMMIT,
            }
        ]
    )


def runs(shape):
    rows = []
    for method in shape.methods:
        for seed in shape.seeds:
            final = error(method, 1.0) * (1 + 0.2 * seed)
            rows.append(
                {
                    "run": f"burgers-{method}",
                    "problem": "burgers",
                    "method": method,
                    "variant": "soap" if method == "soap" else "",
                    "changed": "",
                    "b1": {"adam": 0.9, "soap": 0.99}.get(method, 0.0),
                    "points_every": 10 if method == "levenberg_marquardt" else 1,
                    "seed": seed,
                    "scale": "smoke",
                    "device": "cpu (2 cores)",
                    "precision": "float64" if method == "levenberg_marquardt" else "float32",
                    "commit": COMMIT,
                    "parameters": 12_737,
                    "steps": shape.steps(method),
                    "loss_terms": len(shape.terms),
                    "compile_seconds": 10.0,
                    "train_seconds": shape.steps(method) * 0.01,
                    "milliseconds_per_step": {"adam": 11.0, "soap": 16.0}.get(method, 500.0),
                    "final_loss": final**2,
                    "relative_l2": final,
                    "relative_l2_final_time": final / 2,
                    "largest_error": 8 * final,
                    "largest_error_at": "t=0.5, x=0",
                }
            )
    return pd.DataFrame(rows)


def curves(shape):
    random = np.random.default_rng(0)
    rows = []
    for method in shape.methods:
        level = {"adam": -0.1, "soap": -0.3}.get(method, -0.6)
        for seed in shape.seeds:
            for index in range(shape.rows + 1):
                values = {"error": error(method, index / shape.rows) * (1 + 0.2 * seed) * random.uniform(0.8, 1.25)}
                values["loss"] = values["error"] ** 2 * len(shape.terms)
                values |= {f"loss/{term}": values["error"] ** 2 * random.uniform(0.5, 2) for term in shape.terms}
                values |= {f"score_{name}": np.clip(level + 0.3 * random.normal(), -1, 1) for name in SCORES}
                if method == "levenberg_marquardt":
                    values["score_own_state"] = float("nan")
                step = index * shape.steps(method) // shape.rows
                rows += [
                    {
                        "run": f"burgers-{method}",
                        "problem": "burgers",
                        "method": method,
                        "seed": seed,
                        "step": step,
                        "seconds": step * (0.5 if method == "levenberg_marquardt" else 0.012) * (1 + 0.02 * seed),
                        "quantity": quantity,
                        "value": value,
                    }
                    for quantity, value in values.items()
                ]
    return pd.DataFrame(rows)


def fields(method):
    t, x = np.linspace(0, 1, 21), np.linspace(-1, 1, 32)
    reference = -np.sin(np.pi * x)[None, :] * np.exp(-t)[:, None]
    bump = np.exp(-20 * x**2)[None, :] * np.sqrt(t)[:, None]
    return {"t": t, "x": x, "reference_u": reference, "predicted_u": reference + error(method, 1.0) * bump}
