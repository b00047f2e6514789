"""AFFINE Table 2 and Figs. 1 and 6: the networks, layer by layer. Nothing is trained.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, sections 2.2 and 4.1. Tables and diagrams are made from the layers
of the networks that the other experiments train.
"""

from dataclasses import dataclass
from typing import TypedDict

import keras
import numpy as np

from benchmarks.affine.architecture_section import plot, section
from benchmarks.data import FEATURE_NAMES
from benchmarks.record import fingerprint
from benchmarks.rows import in_turn
from benchmarks.samples import Samples
from benchmarks.terminal import Display
from benchmarks.training import Recipe

__all__ = ["SCALES", "Config", "Row", "load", "one_line", "plot", "run", "section"]

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


SCALES = dict.fromkeys(("smoke", "embedded", "paper"), Config())


class Layer(TypedDict):
    """A layer of a network: its name, its class, the names of the layers it takes, its units and its parameters."""

    name: str
    kind: str
    inputs: list[str]
    units: int
    n_parameters: int


class Row(TypedDict):
    """A network: its layers from the inputs to the score, and all its parameters."""

    row: str
    seed: int
    layers: list[Layer]
    n_parameters: int
    wall_s: float


def load(config: Config) -> Samples:
    """No events; the record says so."""
    nothing = np.empty((0, config.n_features), np.float32)
    return Samples(None, None, {"name": "none, networks alone", "fingerprint": fingerprint(nothing)})


def make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    """Builds a network and writes its layers down."""
    model = config.network(config.n_features, config.n_parameters, CONDITIONING[name], seed)
    display.advance(1, f"{name}: {model.count_params():,} parameters")
    return {"layers": layers(model), "n_parameters": model.count_params()}


run = in_turn(lambda config: list(CONDITIONING), make_row)


def layers(model: keras.Model) -> list[Layer]:
    """The layers of a functional model in the order in which they are computed."""
    made_by = {id(layer.output): layer.name for layer in model.layers}
    return [
        Layer(
            name=layer.name,
            kind=type(layer).__name__,
            inputs=[made_by[id(tensor)] for tensor in keras.tree.flatten(layer.input)],
            units=int(layer.output.shape[-1]),
            n_parameters=int(layer.count_params()),
        )
        for layer in model.layers
    ]


def one_line(row: Row) -> str:
    """What a log says of a finished row."""
    return f"{row['row']}: {row['n_parameters']:,} parameters"
