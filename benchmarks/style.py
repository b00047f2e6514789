"""How every figure and number looks: one colour a mass, one a kind of network, legible in print and on a dark page.

Colours are those of Okabe and Ito, which readers with any common colour blindness can tell apart. Text and axes are
drawn in INK, which the report replaces by the colour of the page's own text.
"""

import io
import math
from contextlib import contextmanager

import matplotlib
from matplotlib.figure import Figure

INK = "#24292f"
QUIET = "#8c959f"  # grid lines, reference values

BLUE, SKY, GREEN, ORANGE, VERMILION, PURPLE = "#0072b2", "#56b4e9", "#009e73", "#e69f00", "#d55e00", "#cc79a7"

MASS_COLOURS = {500: BLUE, 750: SKY, 1000: GREEN, 1250: ORANGE, 1500: VERMILION}  # GeV
KIND_COLOURS = {"Single-NN": PURPLE, "Individual-NNs": GREEN, "pNN": BLUE, "Affine": VERMILION}

SETTINGS = {
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
    "savefig.transparent": True,
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": QUIET,
    "grid.alpha": 0.35,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "keras-hep",
}


@contextmanager
def style():
    """Figures made and saved inside look alike, whatever the user's own settings."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # leaves the backend alone
        matplotlib.rcParams.update(SETTINGS)
        yield


def to_svg(figure: Figure) -> str:
    """The figure as an `<svg>` element in which INK has become `currentColor`, to stand inside an HTML page."""
    buffer = io.StringIO()
    with style():
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    text = buffer.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")


def number(value: float, decimals: int, signed: bool = False) -> str:
    r"""A number with a true minus sign and thousands set apart; an en dash where it is NaN.

    >>> number(-0.04, 2) == "\N{MINUS SIGN}0.04"
    True
    """
    if math.isnan(value):
        return "\N{EN DASH}"
    return f"{value:{'+' if signed else ''},.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    >>> duration(75), duration(7500)
    ('1 min 15 s', '2 h 5 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
