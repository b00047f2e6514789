"""What the experiments of scale have in common: events in many Parquet files, networks by their path, sums of them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import neos_tf
import pnn_tf
import taylor
from benchmarks.data.events import Events
from benchmarks.data.hepmass_like import load_hepmass_like

HYPOTHESES = (500.0, 750.0, 1000.0, 1250.0, 1500.0)  # GeV
N_BINS = 20  # of the templates
ROW_GROUP = 50_000  # events
SCORES, TAYLOR, TEMPLATES = WORK = "scores", "Taylor", "templates"


class Shards(NamedTuple):
    """Files of events, with the columns of the features, `mass`, `label` and `weight`, and networks by their path."""

    files: list[Path]
    names: tuple[str, ...]
    networks: dict[str, Path]

    @property
    def columns(self) -> list[str]:
        """Names of all."""
        return [*self.names, "mass", "label", "weight"]


@contextmanager
def shards(n_events: int, n_files: int, seed: int = 0) -> Iterator[Shards]:
    """Events drawn from the embedded sample with replacement, in files on disk that go at the end."""
    events = load_hepmass_like()
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number:04}.parquet" for number in range(n_files)]
        for number, (start, stop) in enumerate(zip(*_cuts(n_events, n_files), strict=True)):
            table = _table(events, stop - start, seed, number)
            pq.write_table(table, files[number], row_group_size=ROW_GROUP, write_page_checksum=True)
        yield Shards(files, events.names, _networks(Path(folder), events.names))


def _cuts(n_events: int, n_files: int) -> tuple[np.ndarray, np.ndarray]:
    edges = np.arange(n_files + 1) * n_events // n_files
    return edges[:-1], edges[1:]


def _table(events: Events, n_events: int, seed: int, number: int) -> pa.Table:
    rng = np.random.default_rng([seed, number])
    rows = rng.integers(len(events), size=n_events)
    columns = dict(zip(events.names, events.features[rows].T, strict=True))
    columns |= {"mass": events.theta[rows, 0], "label": events.label[rows], "weight": rng.uniform(0.5, 1.5, n_events)}
    return pa.table(columns)


def _networks(folder: Path, names: tuple[str, ...]) -> dict[str, Path]:
    """Untrained, since no time and no sum depends on what weights are worth."""
    parametric = pnn_tf.parametric_network(
        len(names), conditioning="affine", units=(300, 150, 100, 50), theta_scale=1000.0, feature_names=names, seed=1
    )
    plain = plain_network(len(names))
    paths = {SCORES: folder / "served", TAYLOR: folder / "plain.keras", TEMPLATES: folder / "statistic.keras"}
    pnn_tf.export_savedmodel(parametric, paths[SCORES])
    plain.save(paths[TAYLOR])
    statistic(plain).save(paths[TEMPLATES])
    return paths


def plain_network(n_features: int) -> keras.Model:
    """100 tanh units and a sigmoid."""
    start = [keras.initializers.GlorotUniform(seed) for seed in (2, 3)]
    return keras.Sequential(
        [
            keras.Input((n_features,)),
            keras.layers.Dense(100, "tanh", kernel_initializer=start[0]),
            keras.layers.Dense(1, "sigmoid", kernel_initializer=start[1]),
        ]
    )


def statistic(network: keras.Model) -> neos_tf.SummaryStatistic:
    """A measurement of signal and background with statistical errors, from the output of a network."""
    mu = {"name": "mu", "type": "normfactor", "data": None}
    error = {"name": "staterror_channel", "type": "staterror", "data": "error"}
    samples = [
        {"name": "signal", "data": "signal", "modifiers": [mu]},
        {"name": "background", "data": "background", "modifiers": [error]},
    ]
    model = neos_tf.TemplateModel.from_spec({"channels": [{"name": "channel", "samples": samples}]}, n_bins=N_BINS)
    yields = {"signal": 50.0, "background": 1000.0}
    return neos_tf.SummaryStatistic(network, model, np.linspace(0, 1, N_BINS + 1), 0.1, yields=yields)


def count_scores(events: pnn_tf.Columns, model: keras.Model) -> pnn_tf.ScoreCounts:
    """AUC, significance and calibration at each hypothesis, before they are divided by anything."""
    theta, label, weight = (events[name] for name in ("mass", "label", "weight"))
    return pnn_tf.count_scores(model, events, theta, label, HYPOTHESES, weight=weight)


def sum_importance(events: pnn_tf.Columns, model: keras.Model) -> taylor.ImportanceSums:
    """Of all features up to the second order, of signal alone too."""
    names = [name for name in events if name not in ("mass", "label", "weight")]
    signal = {"signal": events["label"] == 1}
    return taylor.importance_sums(
        model, events.stacked(names), names=names, weight=events["weight"], regions=signal, first_event=events.rows
    )


def sum_templates(events: pnn_tf.Columns, model: neos_tf.SummaryStatistic) -> neos_tf.TemplateSums:
    """Histograms of signal and background."""
    names = [name for name in events if name not in ("mass", "label", "weight")]
    features, weight, label = events.stacked(names), events["weight"], events["label"]
    samples = {name: (features[label == of], weight[label == of]) for of, name in ((1, "signal"), (0, "background"))}
    return neos_tf.template_sums(model, samples)


FUNCTIONS = {SCORES: count_scores, TAYLOR: sum_importance, TEMPLATES: sum_templates}


def numbers_of(work: str, value) -> np.ndarray:
    """What is published of a sum, as numbers."""
    if work == SCORES:
        return np.array([[row.auc, row.auc_error, row.significance.ratio] for row in value.results()])
    if work == TAYLOR:
        importance = value.importance()
        return np.stack([[one.mean, one.error] for one in (importance, importance.regions["signal"])])
    return np.stack([value.samples[name].weights for name in ("signal", "background")])
