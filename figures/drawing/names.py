"""Names, colours and order of methods, problems and loss terms, the same in every figure and table."""

import zlib

BLACK, GREY = "#000000", "#767676"
ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILLION, PURPLE = (
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
"""The colours of Okabe and Ito (2008), which stay apart in the common kinds of colour blindness."""

WINE, INDIGO, BROWN, VIOLET, OLIVE = "#882255", "#332288", "#661100", "#6622EE", "#999933"
"""Dark colours for methods beyond those: they stay apart from the others and each other in simulated blindness, too."""

METHODS = {
    "adam": ("Adam", BLUE, "o"),
    "soap": ("SOAP", VERMILLION, "s"),
    "gauss_newton": ("Gauss–Newton", GREEN, "^"),
    "lbfgs": ("L-BFGS", ORANGE, "D"),
    "ssbroyden": ("SSBroyden", PURPLE, "v"),
    "muon": ("Muon", SKY, "P"),
    "shampoo": ("Shampoo", WINE, "X"),
    "kron": ("Kron", OLIVE, "<"),
    "spring": ("SPRING", INDIGO, "p"),
    "soap_gauss_newton": ("SOAP–Gauss–Newton", VIOLET, "*"),
    "soap_then_gauss_newton": ("SOAP, then Gauss–Newton", BROWN, "h"),
}
"""Label, colour and marker by method; a method that is not listed gets a fixed look from its name."""

PROBLEMS = {
    "wave": "Wave equation",
    "burgers": "Burgers' equation",
    "allen_cahn": "Allen–Cahn equation",
    "korteweg_de_vries": "Korteweg–de Vries equation",
    "kuramoto_sivashinsky": "Kuramoto–Sivashinsky equation",
    "gray_scott": "Gray–Scott equations",
    "ginzburg_landau": "Ginzburg–Landau equation",
    "lid_driven_cavity": "Lid-driven cavity",
    "kolmogorov_flow": "Kolmogorov flow",
    "rayleigh_taylor": "Rayleigh–Taylor flow",
}
"""Words for problems, in the order of the tables; other names are shown as they are."""

LOSS_TERMS = {
    "ic": "initial condition",
    "bc": "boundary condition",
    "pde": "equation",
    "u0": "initial value",
    "ut0": "initial velocity",
    **{f"{field}_ic": f"initial condition of {field}" for field in "uvT"},
    **{f"{field}_bc": f"boundary condition of {field}" for field in "uvT"},
    "ru": "equation of u",
    "rv": "equation of v",
    "rc": "continuity",
    "re": "equation of T",
}
"""Words for the names of loss terms; other names are shown as they are."""

DASHES = ("-", "--", ":", "-.")


def method_look(method: str) -> tuple[str, str, str]:
    """Label, colour and marker of a method, the same in every figure."""
    if method in METHODS:
        return METHODS[method]
    number = zlib.crc32(method.encode())
    colours, markers = (PURPLE, ORANGE, SKY), "DvPX<>*"  # black is for references
    return (
        method.replace("_", " ").capitalize(),
        colours[number % len(colours)],
        markers[number // len(colours) % len(markers)],
    )


def method_order(method: str, run: str) -> tuple[int, str]:
    """Sorting key: methods as listed in ``METHODS``, then all others by name."""
    order = list(METHODS)
    return (order.index(method) if method in order else len(order), run)


def problem_name(problem: str) -> str:
    """A problem in words.

    >>> problem_name("burgers"), problem_name("my_problem")
    ("Burgers' equation", 'My problem')
    """
    return PROBLEMS.get(problem, problem.replace("_", " ").capitalize())


def short_problem_name(problem: str) -> str:
    """A problem in fewer words, for legends and narrow panels.

    >>> short_problem_name("wave"), short_problem_name("kolmogorov_flow")
    ('Wave', 'Kolmogorov flow')
    """
    return problem_name(problem).removesuffix(" equation").removesuffix(" equations")


def problem_order(problem: str) -> tuple[int, str]:
    """Sorting key: problems as listed in ``PROBLEMS``, then all others by name."""
    order = list(PROBLEMS)
    return (order.index(problem) if problem in order else len(order), problem)
