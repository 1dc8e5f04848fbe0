"""Figures and tables, from the summary tables of a scale.

``manifest.yaml`` lists them, ``items`` has the script of each, and ``drawing`` what several scripts use.
"""

import os
from pathlib import Path

FIGURES = Path(__file__).resolve().parent

# Matplotlib reads these when it is imported. Nothing of the user's: it stops at a backend that it does not know, and at
# files that it cannot read. The folder is for its list of fonts
os.environ["MPLBACKEND"] = "agg"
os.environ["MATPLOTLIBRC"] = str(FIGURES / "drawing" / "style.mplstyle")
os.environ["MPLCONFIGDIR"] = str(FIGURES.parent / ".cache" / "matplotlib")
