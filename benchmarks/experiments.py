"""The experiments by id. Listing them imports none; each module offers what `load` says."""

from importlib import import_module
from types import ModuleType
from typing import NamedTuple


class Experiment(NamedTuple):
    """Where an experiment lives, and its one-line description."""

    module: str
    summary: str


EXPERIMENTS = {
    "affine-table-3": Experiment(
        "benchmarks.affine.table_3", "AUC per mass of single, individual, parametric and affine networks on HEPMASS"
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
