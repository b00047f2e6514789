"""AFFINE Table 2 and Figs. 1 and 6: the networks, layer by layer. Nothing is trained.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, sections 2.2 and 4.1. Tables and diagrams are made from the layers
of the networks that the other experiments train.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
from matplotlib.figure import Figure

from benchmarks.affine import diagrams
from benchmarks.affine.texts import PAPER
from benchmarks.claims import Claim, Estimate, below, within
from benchmarks.data import FEATURE_NAMES
from benchmarks.experiment import Experiment
from benchmarks.published import AFFINE_PARAMETERS, AFFINE_TABLE_2
from benchmarks.record import fingerprint
from benchmarks.samples import Samples
from benchmarks.tables import Cell, Table, pick, table_of
from benchmarks.training import Recipe

CONDITIONING = {"Single-NN": None, "pNN": "concat", "Affine": "affine"}


@dataclass(frozen=True)
class Config(Recipe):
    """The recipe, of which only the network counts here, and the size of its inputs.

    Args:
        n_features: features of an event.
        n_parameters: parameters theta.
    """

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
    """Of a functional model, in the order in which they are computed: name, class (`kind`), inputs, units, parameters.

    `inputs` are the names of the layers that it takes.
    """
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
    concat = [layer["name"] for layer in row["layers"] if layer["kind"] == "ConcatConditioning"]
    n_affine = sum(layer["n_parameters"] for layer in row["layers"] if layer["kind"] == "AffineConditioning")
    after = [layer["units"] for layer in row["layers"] if set(layer["inputs"]) & set(concat)]
    return n_affine + layers["theta"]["units"] * sum(after)


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """Figs. 6 and 1."""
    rows = networks(record["rows"])
    yield (
        "Fig. 6: the layers of each network, with their units and, beneath, their parameters. Dropout after each block "
        "is left out. The single network has theta among its inputs, and ignores it.",
        diagrams.networks(list(rows.values())),
    )
    yield (
        "Fig. 1: the two ways in which theta is let in, with the units of the vectors and the parameters of the maps "
        "where it first enters the networks.",
        diagrams.mechanisms(rows["pNN"]["layers"], rows["Affine"]["layers"]),
    )


def counts(rows: Sequence[Mapping]) -> dict[str, int]:
    """Parameters of each network."""
    return {name: row["n_parameters"] for name, row in networks(rows).items()}


def beyond(published: Mapping[str, int]) -> Callable[[Sequence[Mapping]], dict[str, Estimate]]:
    """From rows, how many parameters each network has more than published."""
    return lambda rows: {name: Estimate(n - published[name]) for name, n in counts(rows).items()}


def cost_of_affine(rows: Sequence[Mapping]) -> Estimate:
    """Parameters that affine layers have more than a concatenation, in per cent."""
    return Estimate(100 * (counts(rows)["Affine"] / counts(rows)["pNN"] - 1))


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
            "Networks have the parameters of the authors' code: ours minus theirs",
            beyond(AFFINE_PARAMETERS),
            within(0.5),
        ),
        claim(
            "Networks have about 70,000 parameters, to a tenth: ours minus 70,000",
            beyond(dict.fromkeys(CONDITIONING, 70_000)),
            within(7000),
            where="section 6.3",
        ),
        claim(
            "Affine layers cost less than 5 % of parameters over a concatenation",
            cost_of_affine,
            below(5),
            unit="%",
            decimals=1,
            ours=True,
        ),
    ),
    departures=(
        "The paper's equations have no biases in the two maps of an affine layer; its networks do, and ours.",
        "Theta is divided by a constant inside the network, so that it is given in physical units.",
    ),
)
