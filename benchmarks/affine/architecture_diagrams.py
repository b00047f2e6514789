"""Diagrams of networks, from the layers in the rows of `architecture`: AFFINE Figs. 1 and 6."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from benchmarks.style import BLUE, GREEN, INK, ORANGE, QUIET, VERMILION, style

KIND_NAMES = {"ThetaScale": "scale", "ConcatConditioning": "Concat", "AffineConditioning": "Affine"}
COLOURS = {"InputLayer": QUIET, "Dense": BLUE, "ThetaScale": ORANGE, "ConcatConditioning": ORANGE}
COLOURS |= {"AffineConditioning": VERMILION}
SYMBOLS = {"features": "$x$", "theta": r"$\theta$"}
CELL, N_CELLS = 0.13, 9  # height of one, and the most that are drawn of a vector
ARROW = {"arrowstyle": "-|>", "color": INK, "lw": 1, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 9}


def networks(rows: Sequence[Mapping]) -> Figure:
    """Fig. 6, for each network: its layers from left to right without dropout, theta above those that it enters."""
    with style():
        figure = Figure(figsize=(10, 2.1 * len(rows)))
        for axes, row in zip(figure.subplots(len(rows), squeeze=False)[:, 0], rows, strict=True):
            _network(axes, without(row["layers"], "Dropout"))
            axes.set_title(f"{row['row']}: {row['n_parameters']:,} parameters")
    return figure


def without(layers: Sequence[Mapping], kind: str) -> list[Mapping]:
    """The layers but those whose class is called `kind` at its end; their input is passed on."""
    passed = {layer["name"]: layer["inputs"][0] for layer in layers if layer["kind"].endswith(kind)}
    return [
        {**layer, "inputs": [passed.get(name, name) for name in layer["inputs"]]}
        for layer in layers
        if layer["name"] not in passed
    ]


def places(layers: Sequence[Mapping]) -> dict[str, tuple[int, int]]:
    """Column and line of each layer: the column after its last input's, line 1 for what comes from theta alone."""
    where = {}
    todo = list(layers)
    while todo:
        layer = next(layer for layer in todo if all(name in where for name in layer["inputs"]))
        todo.remove(layer)
        before = [where[name] for name in layer["inputs"]]
        column = 1 + max((column for column, _ in before), default=-1)
        line = min(line for _, line in before) if before else int(layer["name"] == "theta")
        where[layer["name"]] = column, line
    return where


def _network(axes, layers: Sequence[Mapping]) -> None:
    where = places(layers)
    for layer in layers:
        column, line = where[layer["name"]]
        _box(axes, layer, column, line)
        for name in layer["inputs"]:
            from_column, from_line = where[name]
            if from_line == line:
                axes.annotate("", (column - 0.38, line), (from_column + 0.38, line), arrowprops=ARROW)
            else:
                axes.plot([from_column + 0.38, column], [from_line] * 2, color=INK, lw=1, solid_capstyle="butt")
                axes.annotate("", (column, line + 0.3), (column, from_line), arrowprops=ARROW)
    axes.set_xlim(-0.5, 9.5)
    axes.set_ylim(-0.62, 1.4 if any(line for _, line in where.values()) else 0.45)
    axes.axis("off")


def _box(axes, layer: Mapping, column: float, line: float) -> None:
    colour = COLOURS[layer["kind"]]
    box = FancyBboxPatch(
        (column - 0.36, line - 0.27), 0.72, 0.54, boxstyle="round,pad=0.02,rounding_size=0.06", fc=colour, alpha=0.18
    )
    axes.add_patch(box)
    what = SYMBOLS.get(layer["name"]) or KIND_NAMES.get(layer["kind"], layer["kind"])
    axes.text(column, line, f"{what}\n{layer['units']}", ha="center", va="center", fontsize=9)
    if layer["n_parameters"]:
        axes.text(column, line - 0.34, f"{layer['n_parameters']:,}", ha="center", va="top", fontsize=7.5, color=INK)


def mechanisms(concat: Sequence[Mapping], affine: Sequence[Mapping]) -> Figure:
    """Fig. 1: what happens to theta where it first enters a network, by concatenation and by an affine layer.

    Args:
        concat: layers of a network with a ConcatConditioning, followed by a Dense.
        affine: layers of a network with an AffineConditioning.
    """
    with style():
        figure = Figure(figsize=(10, 3.3))
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.25))
        _concatenation(left, concat)
        _affine(right, affine)
        for axes in (left, right):
            axes.axis("off")
            axes.set_ylim(-0.05, 2.55)
    return figure


def _concatenation(axes, layers: Sequence[Mapping]) -> None:
    named = {layer["name"]: layer for layer in layers}
    layer = next(layer for layer in layers if layer["kind"] == "ConcatConditioning")
    features, theta = (named[name]["units"] for name in layer["inputs"])
    dense = next(other for other in layers if layer["name"] in other["inputs"])
    _vector(axes, 0, 1.5, features, BLUE, f"$x$: {features}")
    _vector(axes, 0, 0.45, theta, ORANGE, rf"$\theta$: {theta}")
    low, high = _vector(axes, 1.5, 1.5, features, BLUE, rf"$[x, \theta]$: {layer['units']}")
    low, joint = _vector(axes, 1.5, low - _height(theta) / 2, theta, ORANGE)
    middle = (low + high) / 2
    _arrow(axes, (0.12, 1.5), (1.35, 1.5))
    _arrow(axes, (0.12, 0.45), (1.35, (low + joint) / 2))
    _vector(axes, 3.0, middle, dense["units"], GREEN, f"$z$: {dense['units']}")
    _arrow(axes, (1.62, middle), (2.85, middle), f"{dense['kind']}\n{dense['n_parameters']:,}")
    axes.set_xlim(-0.5, 3.6)
    axes.set_title("Concatenation")


def _affine(axes, layers: Sequence[Mapping]) -> None:
    named = {layer["name"]: layer for layer in layers}
    layer = next(layer for layer in layers if layer["kind"] == "AffineConditioning")
    units, theta = (named[name]["units"] for name in layer["inputs"])
    _vector(axes, 0, 1.75, units, BLUE, f"$z$: {units}")
    _vector(axes, 0, 0.45, theta, ORANGE, rf"$\theta$: {theta}")
    for x, symbol, name in ((1.7, r"$\odot$", "s"), (3.0, r"$+$", "b")):
        _, high = _vector(axes, x, 0.45, units, ORANGE)
        axes.text(x + 0.15, 0.45, rf"${name}(\theta)$: {units}", ha="left", va="center", fontsize=9)
        _arrow(axes, (x, high + 0.04), (x, 1.75 - 0.14))
        axes.text(x, 1.75, symbol, ha="center", va="center", fontsize=15)
    _arrow(axes, (0.12, 0.45), (1.56, 0.45), f"two linear maps\n{layer['n_parameters']:,}")
    axes.plot([0.85, 0.85, 2.72, 2.72], [0.45, -0.02, -0.02, 0.3], color=INK, lw=1)
    _arrow(axes, (2.72, 0.3), (2.86, 0.3))
    for start, end in ((0.12, 1.56), (1.84, 2.86), (3.14, 4.06)):
        _arrow(axes, (start, 1.75), (end, 1.75))
    _vector(axes, 4.2, 1.75, layer["units"], GREEN, rf"$z \odot s(\theta) + b(\theta)$: {layer['units']}")
    axes.set_xlim(-0.4, 5.0)
    axes.set_title("Affine conditioning: scaling and shift")


def _height(units: int) -> float:
    """Height of a vector in the figure: the logarithm of its units leaves theta visible beside 300."""
    return CELL * min(N_CELLS, 1 + round(2.2 * np.log10(units)))


def _vector(axes, x: float, y: float, units: int, colour: str, text: str = "") -> tuple[float, float]:
    """A column of cells centred at (x, y), with a text above; returns its lower and upper end."""
    height = _height(units)
    for i in range(round(height / CELL)):
        bottom = y - height / 2 + CELL * i
        axes.add_patch(Rectangle((x - 0.09, bottom), 0.18, CELL, fc=colour, ec="white", lw=1, alpha=0.8))
    axes.text(x, y + height / 2 + 0.06, text, ha="center", va="bottom", fontsize=9)
    return y - height / 2, y + height / 2


def _arrow(axes, start, end, text: str = "") -> None:
    axes.annotate("", end, start, arrowprops=ARROW)
    if text:
        x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        axes.text(x, y + 0.06, text, ha="center", va="bottom", fontsize=8.5)
