"""AFFINE Table 2 and Figs. 1 and 6: the networks, layer by layer. Nothing is trained.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, sections 2.2 and 4.1. Tables and diagrams are made from the layers
of the networks that the other experiments train.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from benchmarks.affine.texts import PAPER
from benchmarks.claims import Claim, Estimate, below, within
from benchmarks.data import FEATURE_NAMES
from benchmarks.experiment import Experiment
from benchmarks.published import AFFINE_PARAMETERS, AFFINE_TABLE_2
from benchmarks.record import fingerprint
from benchmarks.samples import Samples
from benchmarks.style import BLUE, GREEN, INK, ORANGE, QUIET, VERMILION, style
from benchmarks.tables import Cell, Table, pick, table_of
from benchmarks.training import Recipe

CONDITIONING = {"Single-NN": None, "pNN": "concat", "Affine": "affine"}
ROUGHLY = dict.fromkeys(CONDITIONING, 70_000)  # parameters, section 6.3


LOOKS = {  # what a box says and its colour, by a layer's name or class
    "features": ("$x$", BLUE),
    "theta": (r"$\theta$", ORANGE),
    "ThetaScale": ("scale", ORANGE),
    "ConcatConditioning": ("Concat", ORANGE),
    "AffineConditioning": ("Affine", VERMILION),
    "Dense": ("Dense", QUIET),
}


@dataclass(frozen=True)
class Config(Recipe):
    """The recipe, of which only the network counts here, and how many features and parameters theta it takes."""

    n_features: int = len(FEATURE_NAMES)
    n_parameters: int = 1


def load(config: Config) -> Samples:
    """No events; the record says so."""
    nothing = np.empty((0, config.n_features), np.float32)
    return Samples(None, None, {"name": "none, networks alone", "fingerprint": fingerprint(nothing)})


def make_row(config: Config, samples: Samples, name: str, seed: int, display) -> dict:
    """Builds a network and writes its layers down."""
    model = config.network(config.n_features, config.n_parameters, CONDITIONING[name], seed)
    display.advance(1, f"{name}: {model.count_params():,} parameters")
    return {"layers": layers(model), "n_parameters": model.count_params()}


def layers(model: keras.Model) -> list[dict]:
    """Of a functional model, in the order of computation; `inputs` are names of layers, `kind` is the class."""
    made_by = {id(layer.output): layer.name for layer in model.layers}
    return [
        {
            "name": layer.name,
            "kind": type(layer).__name__,
            "inputs": [made_by[id(tensor)] for tensor in keras.tree.flatten(layer.input)],
            "units": int(layer.output.shape[-1]),
            "n_parameters": int(layer.count_params()),
        }
        for layer in model.layers
    ]


def networks(rows: Sequence[Mapping]) -> dict[str, Mapping]:
    """A row of each network, all of them: a seed changes nothing here."""
    return {name: pick(rows, row=name)[0] for name in CONDITIONING}


def tables(record: Mapping) -> Iterator[Table]:
    """Parameters of each network, and the layers of the affine one, beside the paper's."""
    rows = networks(record["rows"])
    lines = {
        name: {"parameters": Cell(row["n_parameters"], paper=AFFINE_PARAMETERS[name]), "of theta": of_theta(row)}
        for name, row in rows.items()
    }
    caption = (
        "Parameters of each network, beside those of the code of the paper's authors, and how many of them multiply "
        "theta or are added to such a product."
    )
    yield table_of(caption, "network", lines, decimals=0)
    units = iter([*np.repeat(AFFINE_TABLE_2, 2), 1])
    lines = {
        f"{layer['kind']} {layer['name']}": {
            "units": Cell(layer["units"], paper=next(units)),
            "parameters": layer["n_parameters"],
        }
        for layer in rows["Affine"]["layers"]
        if layer["kind"] in ("Dense", "AffineConditioning")
    }
    yield table_of("Table 2: the affine network, layer by layer.", "layer", lines, decimals=0)


def of_theta(row: Mapping) -> int:
    """Parameters through which theta enters: affine layers, or the lines of the first kernel after a concatenation."""
    layers = {layer["name"]: layer for layer in row["layers"]}
    n_affine = sum(layer["n_parameters"] for layer in row["layers"] if layer["kind"] == "AffineConditioning")
    after_concat = [layer["units"] for layer in row["layers"] if "concat" in layer["inputs"]]
    return n_affine + layers["theta"]["units"] * sum(after_concat)


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """Figs. 6 and 1."""
    rows = networks(record["rows"])
    yield (
        "Fig. 6: the layers of each network, with their units and, beneath, their parameters. Dropout after each block "
        "is left out. The single network has theta among its inputs, and ignores it.",
        blocks(list(rows.values())),
    )
    yield (
        "Fig. 1: the two ways in which theta is let in, with the units of the vectors and the parameters of the maps "
        "where it first enters the networks.",
        mechanisms(*({layer["name"]: layer for layer in rows[name]["layers"]} for name in ("pNN", "Affine"))),
    )


def blocks(rows: Sequence[Mapping]) -> Figure:
    """Fig. 6, for each network: its layers from left to right without dropout, theta above those that it enters."""
    with style():
        figure = Figure(figsize=(10.2, 2.2 * len(rows)))
        for axes, row in zip(figure.subplots(len(rows), squeeze=False)[:, 0], rows, strict=True):
            layers = without_dropout(row["layers"])
            boxes = {}
            for layer, (column, line) in zip(layers, places(layers).values(), strict=True):
                what, colour = LOOKS.get(layer["name"]) or LOOKS[layer["kind"]]
                numbers = [f"{layer[field]:,}" for field in ("units", "n_parameters") if layer[field]]
                boxes[layer["name"]] = (column, line, "\n".join([what, *numbers]), colour)
            arrows = [(name, layer["name"]) for layer in layers for name in layer["inputs"]]
            _draw(axes, boxes, arrows, "angle,angleA=0,angleB=90")
            axes.set_title(f"{row['row']}: {row['n_parameters']:,} parameters")
    return figure


def without_dropout(layers: Sequence[Mapping]) -> list[Mapping]:
    """The layers but those of dropout, whose input is passed on."""
    passed = {layer["name"]: layer["inputs"][0] for layer in layers if layer["kind"].endswith("Dropout")}
    return [
        {**layer, "inputs": [passed.get(name, name) for name in layer["inputs"]]}
        for layer in layers
        if layer["name"] not in passed
    ]


def places(layers: Sequence[Mapping]) -> dict[str, tuple[int, int]]:
    """Column and line of each layer: the column after its last input's, line 1 for what comes from theta alone."""
    where = {}
    for layer in layers:
        before = [where[name] for name in layer["inputs"]]
        column = 1 + max((column for column, _ in before), default=-1)
        line = min(line for _, line in before) if before else int(layer["name"] == "theta")
        where[layer["name"]] = column, line
    return where


def mechanisms(concat: Mapping[str, Mapping], affine: Mapping[str, Mapping]) -> Figure:
    """Fig. 1: what happens to theta where it first enters a network, from the layers of both kinds by name."""
    dense, layer, theta = concat["dense_1"], affine["affine_1"], rf"$\theta$: {concat['theta']['units']}"
    with style():
        figure = Figure(figsize=(10.2, 2.8))
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.25))
        boxes = {
            "x": (0, 1, f"$x$: {concat['features']['units']}", BLUE),
            "theta": (0, 0, theta, ORANGE),
            "joined": (1, 0.5, rf"$[x, \theta]$: {concat['concat']['units']}", BLUE),
            "z": (2, 0.5, f"$z$: {dense['units']}", GREEN),
        }
        _draw(left, boxes, [("x", "joined"), ("theta", "joined"), ("joined", "z")])
        left.set_title(f"Concatenation: a Dense layer, {dense['n_parameters']:,} parameters")
        boxes = {
            "z": (0, 1, f"$z$: {layer['units']}", BLUE),
            "theta": (0, 0, theta, ORANGE),
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


def _draw(axes, boxes: Mapping[str, tuple], arrows: Iterable[tuple[str, str]], line: str = "arc3") -> None:
    """Boxes, by name their x, y, text and colour, and arrows from one to the other, of a matplotlib connectionstyle."""
    x, y, texts, colours = zip(*boxes.values(), strict=True)
    drawn = {}
    for name, *where, text, colour in zip(boxes, x, y, texts, colours, strict=True):
        look = {"boxstyle": "round", "fc": to_rgba(colour, 0.18), "ec": "none"}
        drawn[name] = axes.text(*where, text, ha="center", va="center", bbox=look).get_bbox_patch()
    for start, end in arrows:
        at, to = boxes[start][:2], boxes[end][:2]
        straight = at[0] == to[0] or at[1] == to[1]
        look = {"arrowstyle": "-|>", "color": INK, "connectionstyle": "arc3" if straight else line, "shrinkA": 0}
        axes.annotate("", to, at, arrowprops=look | {"patchA": drawn[start], "patchB": drawn[end]})
    axes.set(xlim=(min(x) - 0.5, max(x) + 0.6), ylim=(min(y) - 0.4, max(y) + 0.4))
    axes.axis("off")


def beyond(published: Mapping[str, int]) -> Callable[[Sequence[Mapping]], dict[str, Estimate]]:
    """From rows, how many parameters each network has more than published."""
    return lambda rows: {n: Estimate(row["n_parameters"] - published[n]) for n, row in networks(rows).items()}


def cost_of_affine(rows: Sequence[Mapping]) -> Estimate:
    """Parameters that affine layers have more than a concatenation, in per cent."""
    concat, affine = (networks(rows)[name]["n_parameters"] for name in ("pNN", "Affine"))
    return Estimate(100 * (affine / concat - 1))


claim = partial(Claim, unit="parameters", decimals=0, chance=False)
EXPERIMENT = Experiment(
    id="affine-architecture",
    where="Table 2, Figs. 1 and 6",
    summary="layers and parameters of the networks, and diagrams of how theta enters",
    introduction=f"The networks that all experiments have in common, read from the layers that are trained; {PAPER}. "
    "Nothing is trained here.",
    scales=dict.fromkeys(("smoke", "embedded", "paper"), Config()),
    load=load,
    names=lambda config: CONDITIONING,
    make_row=make_row,
    line=lambda row: f"{row['n_parameters']:,} parameters",
    tables=tables,
    figures=figures,
    claims=(
        claim(
            "Networks have as many parameters as in the authors' code: ours minus theirs",
            beyond(AFFINE_PARAMETERS),
            within(0.5),
        ),
        claim("Networks have about 70,000 parameters (more)", beyond(ROUGHLY), within(7000), where="section 6.3"),
        Claim(
            "Affine layers add less than 5 % to the parameters of a pNN",
            cost_of_affine,
            below(5),
            unit="%",
            decimals=1,
            ours=True,
            chance=False,
        ),
    ),
    departures=(
        "The paper's equations have no biases in the two maps of an affine layer; its networks do, and ours.",
        "Theta is divided by a constant inside the network, so that it is given in physical units.",
    ),
)
