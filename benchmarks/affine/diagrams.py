"""Diagrams of networks, from the layers in the rows of affine-architecture: AFFINE Figs. 1 and 6."""

from collections.abc import Iterable, Mapping, Sequence

from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from benchmarks.style import BLUE, GREEN, INK, ORANGE, QUIET, VERMILION, style

LOOKS = {  # what a box says and its colour, by a layer's name or class
    "features": ("$x$", BLUE),
    "theta": (r"$\theta$", ORANGE),
    "ThetaScale": ("scale", ORANGE),
    "ConcatConditioning": ("Concat", ORANGE),
    "AffineConditioning": ("Affine", VERMILION),
    "Dense": ("Dense", QUIET),
}


def networks(rows: Sequence[Mapping]) -> Figure:
    """Fig. 6, for each network: its layers from left to right without dropout, theta above those that it enters."""
    with style():
        figure = Figure(figsize=(10.2, 2.2 * len(rows)))
        for axes, row in zip(figure.subplots(len(rows), squeeze=False)[:, 0], rows, strict=True):
            layers = without(row["layers"], "Dropout")
            boxes = {}
            for layer, (column, line) in zip(layers, places(layers).values(), strict=True):
                what, colour = LOOKS.get(layer["name"]) or LOOKS[layer["kind"]]
                numbers = [f"{layer[field]:,}" for field in ("units", "n_parameters") if layer[field]]
                boxes[layer["name"]] = (column, line, "\n".join([what, *numbers]), colour)
            arrows = [(name, layer["name"]) for layer in layers for name in layer["inputs"]]
            _draw(axes, boxes, arrows, "angle,angleA=0,angleB=90")
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
    """Column and line of each layer: the column after its last input's, line 1 for what comes from theta alone.

    Each of the layers (in the order in which they are computed) stands after its inputs.
    """
    where = {}
    for layer in layers:
        before = [where[name] for name in layer["inputs"]]
        column = 1 + max((column for column, _ in before), default=-1)
        line = min(line for _, line in before) if before else int(layer["name"] == "theta")
        where[layer["name"]] = column, line
    return where


def mechanisms(concat: Sequence[Mapping], affine: Sequence[Mapping]) -> Figure:
    """Fig. 1: what happens to theta where it first enters a network, by concatenation and by an affine layer.

    Args:
        concat: layers of a network with a ConcatConditioning, followed by a Dense.
        affine: layers of a network with an AffineConditioning.
    """
    joined, features, theta = _first(concat, "ConcatConditioning")
    dense = next(layer for layer in concat if joined["name"] in layer["inputs"])
    layer, hidden, _ = _first(affine, "AffineConditioning")
    with style():
        figure = Figure(figsize=(10.2, 2.8))
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.25))
        boxes = {
            "x": (0, 1, f"$x$: {features['units']}", BLUE),
            "theta": (0, 0, rf"$\theta$: {theta['units']}", ORANGE),
            "joined": (1, 0.5, rf"$[x, \theta]$: {joined['units']}", BLUE),
            "z": (2, 0.5, f"$z$: {dense['units']}", GREEN),
        }
        _draw(left, boxes, [("x", "joined"), ("theta", "joined"), ("joined", "z")])
        left.set_title(f"Concatenation: a Dense layer, {dense['n_parameters']:,} parameters")
        boxes = {
            "z": (0, 1, f"$z$: {hidden['units']}", BLUE),
            "theta": (0, 0, rf"$\theta$: {theta['units']}", ORANGE),
            "s": (1, 0.3, rf"$s(\theta)$: {layer['units']}", ORANGE),
            "b": (2, -0.3, rf"$b(\theta)$: {layer['units']}", ORANGE),
            "times": (1, 1, r"$\odot$", VERMILION),
            "plus": (2, 1, "$+$", VERMILION),
            "out": (3.3, 1, rf"$z \odot s(\theta) + b(\theta)$: {layer['units']}", GREEN),
        }
        arrows = ("z", "times"), ("times", "plus"), ("plus", "out"), ("theta", "s"), ("theta", "b")
        _draw(right, boxes, (*arrows, ("s", "times"), ("b", "plus")))
        right.set_title(f"Affine conditioning: two linear maps, {layer['n_parameters']:,} parameters")
    return figure


def _first(layers: Sequence[Mapping], kind: str) -> tuple[Mapping, ...]:
    """The first layer of a class, and those that it takes."""
    named = {layer["name"]: layer for layer in layers}
    layer = next(layer for layer in layers if layer["kind"] == kind)
    return layer, *(named[name] for name in layer["inputs"])


def _draw(axes, boxes: Mapping[str, tuple], arrows: Iterable[tuple[str, str]], line: str = "arc3") -> None:
    """Boxes, by name their x, y, text and colour, and arrows from one to the other, of a matplotlib connectionstyle."""
    drawn = {}
    for name, (x, y, text, colour) in boxes.items():
        look = {"boxstyle": "round", "fc": to_rgba(colour, 0.18), "ec": "none"}
        drawn[name] = axes.text(x, y, text, ha="center", va="center", bbox=look).get_bbox_patch()
    for start, end in arrows:
        at, to = boxes[start][:2], boxes[end][:2]
        ends = {"patchA": drawn[start], "patchB": drawn[end], "shrinkA": 0, "shrinkB": 2}
        straight = at[0] == to[0] or at[1] == to[1]
        look = {"arrowstyle": "-|>", "color": INK, "connectionstyle": "arc3" if straight else line}
        axes.annotate("", to, at, arrowprops=look | ends)
    x, y = ([box[i] for box in boxes.values()] for i in (0, 1))
    axes.set(xlim=(min(x) - 0.5, max(x) + 0.6), ylim=(min(y) - 0.4, max(y) + 0.4))
    axes.axis("off")
