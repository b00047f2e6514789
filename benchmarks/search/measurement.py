"""The measurement of the search: a histogram of the network's score, its systematic uncertainties, and its pyhf model.

The bins follow the background: each has a fixed share of it, of training events shown the mass that is searched for. A
network that is trained anew, and another mass, then need no other choice.
"""

from functools import cache
from typing import NamedTuple

import keras
import numpy as np

import neos_tf
from benchmarks.data.top_pairs import CROSS_SECTIONS
from benchmarks.search.events import SHAPES, VARIED, Sample, template_name

# Shares of the background above each inner edge.
TAILS = (0.5, 0.25, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005)
LARGEST = 500.0  # pb, the largest cross-section that a fit may find
FEWEST = 10  # simulated background events of a bin, in effect; a bin of fewer is merged with the one below
FLOOR = 1e-3  # expected events of a bin that has none


def specification(with_statistics: bool = True) -> dict:
    """The pyhf model: a signal of mu pb on SM top pairs, with shape uncertainties and that of their cross-section.

    Args:
        with_statistics: with an uncertainty of the simulated numbers of events in each bin.
    """

    def sample(name, *modifiers):
        shapes = [
            {
                "name": shape,
                "type": "histosys",
                "data": {"hi_data": f"{name}_{shape}_up", "lo_data": f"{name}_{shape}_down"},
            }
            for shape in SHAPES
        ]
        statistics = [{"name": "simulation", "type": "staterror", "data": f"{name}_error"}] if with_statistics else []
        return {"name": name, "data": name, "modifiers": [*modifiers, *shapes, *statistics]}

    mu = {"name": "mu", "type": "normfactor", "data": None}
    hi, lo = CROSS_SECTIONS["xsec_up"], CROSS_SECTIONS["xsec_down"]
    cross_section = {"name": "xsec", "type": "normsys", "data": {"hi": hi, "lo": lo}}
    channel = {"name": "score", "samples": [sample("signal", mu), sample("background", cross_section)]}
    return {"channels": [channel], "parameters": [{"name": "mu", "bounds": [[0.0, LARGEST]], "inits": [1.0]}]}


@cache
def measurement(n_bins: int, with_statistics: bool = True, floor: float | None = None) -> neos_tf.TemplateModel:
    """The model of `specification` with so many bins."""
    return neos_tf.TemplateModel.from_spec(specification(with_statistics), poi="mu", n_bins=n_bins, floor=floor)


class Templates(NamedTuple):
    """Histograms at one mass.

    Args:
        numbers: (n_bins,) by name of the template.
        edges: (n_bins + 1,) of the score's logit.
        n_merged: how many bins were merged with the one below.
        n_floored: bins in which a template had no or negative events, raised to FLOOR.
    """

    numbers: dict[str, np.ndarray]
    edges: np.ndarray
    n_merged: int
    n_floored: int

    @property
    def n_bins(self) -> int:
        return len(self.edges) - 1

    @property
    def likelihood(self) -> neos_tf.Likelihood:
        """With all uncertainties."""
        return measurement(self.n_bins).bind(self.numbers)

    @property
    def without_statistics(self) -> neos_tf.Likelihood:
        """As if the simulation had no end."""
        numbers = {name: values for name, values in self.numbers.items() if not name.endswith("_error")}
        return measurement(self.n_bins, with_statistics=False).bind(numbers)


class Scorer:
    """What scores events at a mass.

    Args:
        network: a pnn_tf network of features and theta.
        further: values of the parameters of theta after the mass, such as the nominal jet energy scale.
    """

    def __init__(self, network: keras.Model, further: tuple[float, ...] = ()):
        self.network, self.further = network, further
        self.logit = logit_model(network)

    def __call__(self, features: np.ndarray, mass: float) -> np.ndarray:
        """(n_events,) logit of the score."""
        theta = np.tile(np.float32([mass, *self.further]), (len(features), 1))
        return self.logit.predict_on_batch({"features": features, "theta": theta})[:, 0].astype(np.float64)


def logit_model(network: keras.Model) -> keras.Model:
    """The network without its sigmoid; both share their weights."""
    score = network.layers[-1]
    return keras.Model(network.input, Logit(score, name="logit")(score.input), name=f"{network.name}_logit")


@keras.saving.register_keras_serializable(package="benchmarks.search")
class Logit(keras.layers.Layer):
    """A Dense layer before its activation."""

    def __init__(self, dense: keras.layers.Dense, **kwargs):
        super().__init__(**kwargs)
        self.dense = dense

    def call(self, x):
        return keras.ops.matmul(x, self.dense.kernel) + self.dense.bias

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.dense.units)


def choose_edges(score: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, int]:
    """Edges with shares TAILS of the background above them, and how many bins were merged for want of events.

    Args:
        score, weight: (n_events,) of simulated background, training events.
    """
    order = np.argsort(score)
    above = 1 - np.cumsum(weight[order]) / weight.sum()
    inner = [score[order][np.searchsorted(-above, -tail)] for tail in TAILS]
    edges = np.array([-np.inf, *inner, np.inf])
    while len(edges) > 2:
        bins = np.digitize(score, edges[1:-1])
        n = len(edges) - 1
        sums, squares = (np.bincount(bins, weights, n) for weights in (weight, weight**2))
        few = np.flatnonzero((sums**2 < FEWEST * squares) | (sums == 0))
        if not len(few):
            break
        edges = np.delete(edges, max(few[-1], 1))
    return edges, len(TAILS) + 2 - len(edges)


def make_templates(score: Scorer, train: Sample, test: Sample, mass: float) -> Templates:
    """Histograms of the test events at one mass, in bins of the training background."""
    background = train.background()
    edges, n_merged = choose_edges(score(background.features, mass), background.weight)
    numbers, n_floored = {}, 0
    for process, part_of in test.processes(mass).items():
        nominal = part_of(None)
        bins_of_nominal = np.digitize(score(nominal.features, mass), edges[1:-1])
        error = np.sqrt(np.bincount(bins_of_nominal, nominal.weight**2, len(edges) - 1))
        numbers[f"{process}_error"] = np.maximum(error, FLOOR)
        for variation in (None, *VARIED):
            part, bins = part_of(variation), bins_of_nominal
            if not np.array_equal(part.features, nominal.features):  # those of the b-tag have other weights alone
                bins = np.digitize(score(part.features, mass), edges[1:-1])
            counts = np.bincount(bins, part.weight, len(edges) - 1)
            n_floored += int(np.count_nonzero(counts < FLOOR))
            numbers[template_name(process, variation)] = np.maximum(counts, FLOOR)
    return Templates(numbers, edges, n_merged, n_floored)
