"""The experiments by id. Listing them imports none; each module offers what `load` says."""

from importlib import import_module
from types import ModuleType
from typing import NamedTuple


class Experiment(NamedTuple):
    """Where an experiment lives, and its one-line description."""

    module: str
    summary: str


EXPERIMENTS = {
    "affine-architecture": Experiment(
        "benchmarks.affine.architecture", "layers and parameters of the networks, and diagrams of how theta enters"
    ),
    "affine-continuous": Experiment(
        "benchmarks.affine.continuous", "networks trained on a continuous range of masses, beside ones at five points"
    ),
    "affine-data": Experiment(
        "benchmarks.affine.data_set", "counts, distributions and correlations of the events, balanced and imbalanced"
    ),
    "affine-fig-9": Experiment(
        "benchmarks.affine.representation", "last hidden layer of individual and parametric networks, mapped by t-SNE"
    ),
    "affine-interpolation": Experiment(
        "benchmarks.affine.interpolation", "networks at masses they were not trained on: without one, on one, on two"
    ),
    "affine-section-4": Experiment(
        "benchmarks.affine.section_4",
        "mass of the background by five strategies, balance by three modes, on HEPMASS-IMB",
    ),
    "affine-start": Experiment(
        "benchmarks.affine.start", "how far affine networks come in two epochs, by how their layers start"
    ),
    "affine-table-3": Experiment(
        "benchmarks.affine.table_3", "AUC per mass of single, individual, parametric and affine networks on HEPMASS"
    ),
    "affine-table-4": Experiment(
        "benchmarks.affine.table_4", "networks trained at 500 and 1500 GeV alone, on HEPMASS-IMB, tested at five masses"
    ),
    "affine-table-5": Experiment(
        "benchmarks.affine.table_5",
        "AUC and significance ratio on HEPMASS-IMB: baselines, networks, background masses, balanced training",
    ),
    "affine-variants": Experiment(
        "benchmarks.affine.variants",
        "the networks of Table 3 with weaker L2 penalties, and other affine layers",
    ),
    "neos-fig-2": Experiment(
        "benchmarks.neos.figure_2", "bias and variance of binned kernel density estimates and of their gradients"
    ),
    "neos-fig-3": Experiment(
        "benchmarks.neos.figure_3", "expected limit and uncertainties of networks trained on them, and on cross-entropy"
    ),
    "neos-section-4": Experiment(
        "benchmarks.neos.section_4", "learned bin edges and cuts, a sum of objectives, and Bayesian optimisation"
    ),
    "neos-time": Experiment(
        "benchmarks.neos.step_time", "time of a training step on the expected limit beside one on cross-entropy"
    ),
    "pnn-between": Experiment(
        "benchmarks.pnn.between", "a parametrised network at masses between those it knows, beside ones trained there"
    ),
    "pnn-calibration": Experiment(
        "benchmarks.pnn.calibration",
        "p(score | theta) interpolated in theta, held against a known ratio and at masses left out",
    ),
    "pnn-fig-2": Experiment(
        "benchmarks.pnn.figure_2", "a toy with a known best classifier: the response at theta that no training has seen"
    ),
    "pnn-fig-4": Experiment(
        "benchmarks.pnn.figure_4", "the reconstructed mass alone: a network that has not seen 750 GeV, and one that has"
    ),
    "pnn-fig-5": Experiment("benchmarks.pnn.figure_5", "distributions of low- and high-level features at two masses"),
    "pnn-fig-7": Experiment(
        "benchmarks.pnn.figure_7",
        "deep networks, parametrised, fixed and on a mixture of masses, with low-level features and with all",
    ),
    "pnn-guidance": Experiment(
        "benchmarks.pnn.guidance", "where users go wrong: theta that gives the class away, sculpting, too few events"
    ),
    "pnn-section-6": Experiment(
        "benchmarks.pnn.section_6", "networks of two parameters, mass and jet energy scale, a nuisance parameter"
    ),
    "taylor-fig-1": Experiment(
        "benchmarks.taylor.figure_1",
        "Taylor coefficients of networks on four tasks of two Gaussians, and the exact ones",
    ),
    "taylor-fig-2": Experiment(
        "benchmarks.taylor.figure_2", "Taylor coefficients and AUC at each gradient step, and a scan of batch and rate"
    ),
    "taylor-higgsml": Experiment(
        "benchmarks.taylor.higgsml", "ranking of inputs and their relations on HiggsML, and a network of the first few"
    ),
}


def load(experiment: str) -> ModuleType:
    """Imports an experiment's module.

    It offers `SCALES`, a configuration for each scale; `load(config)`, which reads the events; `run(config, samples,
    seeds=, finished=, display=)`, which yields row after row; `one_line(row)` for a log; `plot(rows)`, a Figure; and
    `section(record)`, a `benchmarks.comparison.Section`. One that can read a file of the user's has a configuration
    "file" among its `SCALES`, and `load(config, path=)`.
    """
    return import_module(EXPERIMENTS[experiment].module)
