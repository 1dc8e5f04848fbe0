"""Made-up fields of every problem on small grids, for figures. Their numbers mean nothing."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Layout:
    """What is observed of a problem, and on which grid.

    ``quantities`` are functions of the observed fields whose errors are measured, as in
    ``gradalign.problems._contract.Problem``; ``score`` is the quantity of the main table; ``losses`` are the loss terms
    of the usual formulation.
    """

    grid: dict[str, np.ndarray]
    fields: tuple[str, ...]
    score: str
    losses: tuple[str, ...]
    quantities: dict = field(default_factory=dict)

    def scored(self, arrays, kind):
        """The quantities of the fields named ``<kind>_<field>``."""
        fields = {name: arrays[f"{kind}_{name}"] for name in self.fields}
        return {name: fields[name] for name in self.fields} | {name: f(fields) for name, f in self.quantities.items()}


def stacked(fields):
    return np.stack([fields["u"], fields["v"]])


def speed(fields):
    return np.hypot(fields["u"], fields["v"])


def line(low, high, t_end=1.0):
    return {"t": np.linspace(0, t_end, 21), "x": np.linspace(low, high, 32)}


def square(low, high, t_end, size=20):
    return {"t": np.linspace(0, t_end, 11), "x": np.linspace(low, high, size), "y": np.linspace(low, high, size)}


PERIODIC = {"t": np.linspace(0, 0.5, 11), "x": np.arange(24) / 24, "y": np.arange(24) / 24}
TALL = {"t": np.linspace(0, 2, 6), "x": np.arange(16) / 16, "y": np.linspace(0, 2, 33)}
WALLS = {"x": np.linspace(0, 1, 25), "y": np.linspace(0, 1, 25)}

LAYOUTS = {
    "wave": Layout(line(0, 1), ("u",), "u", ("u0", "ut0", "bc", "pde")),
    "burgers": Layout(line(-1, 1), ("u",), "u", ("ic", "bc", "pde")),
    "allen_cahn": Layout(line(-1, 1), ("u",), "u", ("ic", "pde")),
    "korteweg_de_vries": Layout(line(-1, 1), ("u",), "u", ("ic", "pde")),
    "kuramoto_sivashinsky": Layout(line(0, 2 * np.pi, 0.4), ("u",), "u", ("ic", "pde")),
    "gray_scott": Layout(square(-1, 1, 0.2), ("u", "v"), "u and v", ("u_ic", "v_ic", "ru", "rv"), {"u and v": stacked}),
    "ginzburg_landau": Layout(
        square(-1, 1, 0.2), ("u", "v"), "u and v", ("u_ic", "v_ic", "ru", "rv"), {"u and v": stacked}
    ),
    "lid_driven_cavity": Layout(WALLS, ("u", "v"), "speed", ("u_bc", "v_bc", "ru", "rv", "rc"), {"speed": speed}),
    "kolmogorov_flow": Layout(PERIODIC, ("u", "v", "w"), "speed", ("u_ic", "v_ic", "ru", "rv", "rc"), {"speed": speed}),
    "rayleigh_taylor": Layout(
        TALL,
        ("u", "v", "w", "T"),
        "T",
        ("u_ic", "v_ic", "T_ic", "u_bc", "v_bc", "T_bc", "ru", "rv", "rc", "re"),
    ),
}


def exact(problem):
    """The made-up reference: smooth fields that look a little like the problem."""
    grids = np.meshgrid(*LAYOUTS[problem].grid.values(), indexing="ij")
    if problem == "lid_driven_cavity":
        x, y = grids
        bump = 16 * (x * (1 - x)) ** 2
        return {"u": bump * (3 * y**2 - 2 * y), "v": -32 * x * (1 - x) * (1 - 2 * x) * y**2 * (y - 1)}
    if len(grids) == 2:
        t, x = grids
        return {"u": -np.sin(np.pi * x) * np.exp(-t)}
    t, x, y = grids
    if problem == "kolmogorov_flow":
        a, b, waves = 2 * np.pi * x, 2 * np.pi * y, range(1, 10)
        u = sum(np.cos(k * b + k * t) / k**2 for k in waves)
        v = sum(np.sin(k * a - k * t) / k**2 for k in waves)
        w = 2 * np.pi * sum((np.cos(k * a - k * t) + np.sin(k * b + k * t)) / k for k in waves)
        return {"u": u, "v": v, "w": w}
    if problem == "rayleigh_taylor":
        hot = 0.5 * (1 - np.tanh((y - 1 + 0.25 * (1 + t) * np.cos(2 * np.pi * x)) / 0.15)) * np.tanh(3 * y)
        flow = t * np.sin(np.pi * y / 2)
        u, v = flow * np.sin(2 * np.pi * x), -flow * np.cos(2 * np.pi * x)
        return {"u": u, "v": v, "w": 3 * flow * np.sin(2 * np.pi * x), "T": hot}
    ring = np.exp(-20 * (np.hypot(x, y) - 0.3 - t) ** 2)
    if problem == "gray_scott":
        return {"u": 1 - 0.8 * ring, "v": 0.5 * ring}
    angle = np.arctan2(y, x) + 5 * t
    return {"u": np.tanh(5 * np.hypot(x, y)) * np.cos(angle), "v": np.tanh(5 * np.hypot(x, y)) * np.sin(angle)}


def fields(problem, error):
    """The arrays of ``fields/<run>.npz`` for a prediction whose error is ``error`` times a bump that grows in time."""
    layout = LAYOUTS[problem]
    grids = np.meshgrid(*layout.grid.values(), indexing="ij")
    middle = [axis.mean() for axis in layout.grid.values()]
    place = range(1, len(grids)) if "t" in layout.grid else range(len(grids))
    bump = np.exp(-20 * sum((grids[k] - middle[k]) ** 2 for k in place))
    if "t" in layout.grid:
        bump = bump * np.sqrt(grids[0] / layout.grid["t"][-1])
    arrays = dict(layout.grid)
    for name, values in exact(problem).items():
        arrays |= {f"reference_{name}": values, f"predicted_{name}": (values + error * bump).astype(np.float32)}
    return arrays
