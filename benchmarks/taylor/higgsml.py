"""TAYLOR, section 4: which inputs and relations a network on HiggsML rests on, and whether the first few suffice.

Wunsch, Friese, Wolf and Quast, arXiv:1803.08782, Figs. 3, 4 and 5. A network is trained on all inputs, its features of
the first and second order are ranked by <|t|> over the test events, and the inputs behind the upper 5 % of features are
trained on again. -999 stands for "undefined"; both treatments of it have a row. Without HiggsML the same is done with
HEPMASS-like events, to which nothing that the paper says of DER_mass_vis applies.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict

import keras
import numpy as np

import pnn_tf
from benchmarks.data import Standardiser, rescale_weights
from benchmarks.data.higgsml import UNDEFINED
from benchmarks.rows import in_turn
from benchmarks.taylor.higgsml_figures import plot
from benchmarks.taylor.higgsml_samples import Samples, load_samples
from benchmarks.taylor.higgsml_section import section
from benchmarks.taylor.training import Recipe, train
from benchmarks.terminal import Display
from taylor import mean_abs_coefficients, select_features

__all__ = ["SCALES", "Config", "Row", "load", "one_line", "plot", "run", "section"]

ROW_NAMES = {"mean": "undefined at the mean", "keep": "undefined at -999", "none": "nothing undefined"}
EFFICIENCIES = np.arange(1, 101) / 100  # of the signal, at which the ROC curves are kept


@dataclass(frozen=True)
class Config(Recipe):
    """The recipe of training, and what is particular to this experiment.

    Args:
        sample: "higgsml", "file" or "hepmass-like"; see `load_samples`.
        n_train: the most training events, validation included.
        n_test: the most test events.
        treatments: of undefined values, one a row: "mean", standardised by the defined values and then set to their
            mean; "keep", -999 like any other value; "none" for a sample without.
        bootstrap: replicas of the test events, for the uncertainty of ranks.
        fraction: share of the features whose inputs the second network has.
    """

    sample: str = "higgsml"
    n_train: int | None = 100_000
    n_test: int | None = 100_000
    treatments: tuple[str, ...] = ("mean", "keep")
    bootstrap: int = 100
    fraction: float = 0.05


EMBEDDED = Config(sample="hepmass-like", treatments=("none",))
SCALES = {
    "smoke": replace(EMBEDDED, n_train=4000, n_test=2000, epochs=2, bootstrap=10),
    "embedded": EMBEDDED,
    "paper": Config(),
    "file": Config(sample="file"),
}


class Row(TypedDict):
    """One treatment with one seed.

    `auc`, `auc_weighted`, `ams`, `ams_unbiased`, `epochs` and `roc` have an entry for each of the two networks: with
    all inputs, and with `kept`. `ams` is that of the best cut on the test events, `ams_unbiased` that of the cut that
    is best on the training events; both are None without event weights, and so is `auc_weighted`. `roc` holds the
    efficiency of background at the signal's EFFICIENCIES, weighted where there are weights. `mean`, `error`, `rank_low`
    and `rank_high` have an entry for each feature of the first and second order of `inputs`, in the order of
    `taylor.FeatureSet.complete`.
    """

    row: str
    seed: int
    inputs: list[str]
    kept: list[str]
    n_train: int
    n_test: int
    n_signal: int
    auc: list[float]
    auc_weighted: list[float] | None
    ams: list[float] | None
    ams_unbiased: list[float] | None
    roc: list[list[float]]
    epochs: list[int]
    engine: str
    mean: list[float]
    error: list[float]
    rank_low: list[int]
    rank_high: list[int]
    wall_s: float


def load(config: Config, path: Path | None = None) -> Samples:
    """Reads the events of a configuration; `path` is that of a file of one's own."""
    return load_samples(config.sample, config.n_train, config.n_test, path)


def _names(config: Config) -> dict[str, str]:
    """The names of the rows, and the treatment in each."""
    return {ROW_NAMES[treatment]: treatment for treatment in config.treatments}


def _make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    treatment, title = _names(config)[name], f"{name}, seed {seed}"
    names = samples.train.names
    standardise = Standardiser.fit(samples.train.features, undefined=UNDEFINED if treatment == "mean" else None)
    network = _Network(config, samples, standardise, seed, display)

    model, of_all = network.trained(range(len(names)), f"{title}: all inputs")
    display.advance(0, f"{title}: ranking")
    ranking = mean_abs_coefficients(
        model, standardise(samples.test.features), names=names, bootstrap=config.bootstrap, seed=seed
    )
    kept = select_features(ranking, fraction=config.fraction)
    _, of_kept = network.trained(sorted(kept.indices), f"{title}: {len(kept.indices)} inputs")

    low, high = ranking.rank_interval.tolist()
    return dict(
        inputs=list(names),
        kept=list(kept.names),
        n_train=len(samples.train),
        n_test=len(samples.test),
        n_signal=int(np.count_nonzero(samples.test.label)),
        **{field: None if value is None else [value, of_kept[field]] for field, value in of_all.items()},
        engine=ranking.engine,
        mean=_rounded(ranking.mean, 5),
        error=_rounded(ranking.error, 3),
        rank_low=low,
        rank_high=high,
    )


@dataclass(frozen=True)
class _Network:
    """What the networks of a row share, and how each is trained and judged."""

    config: Config
    samples: Samples
    standardise: Standardiser
    seed: int
    display: Display

    def trained(self, columns: Sequence[int], title: str) -> tuple[keras.Model, dict]:
        """A network on some of the inputs, and its part of the row."""
        train_x, test_x = (self.standardise(e.features)[:, list(columns)] for e in self.samples[:2])

        def show(epoch, logs):
            self.display.advance(0, f"{title}, epoch {epoch + 1}, validation loss {logs['val_loss']:.4f}")

        listener = keras.callbacks.LambdaCallback(on_epoch_end=show)
        trained = train(self.config, train_x, self.samples.train.label, seed=self.seed, callbacks=[listener])
        self.display.advance(1 / 2, title)
        score = pnn_tf.predict_scores(trained.model, test_x, theta=0.0)
        train_score = pnn_tf.predict_scores(trained.model, train_x, theta=0.0)
        return trained.model, {"epochs": len(trained.loss), **self._judged(score, train_score)}

    def _judged(self, score: np.ndarray, train_score: np.ndarray) -> dict:
        train, test, _ = self.samples
        ranking = pnn_tf.Ranking(test.label, score)
        if (test.weight == 1).all():
            weighted = dict.fromkeys(("auc_weighted", "ams", "ams_unbiased"))
            return {"auc": ranking.auc(), **weighted, "roc": _roc(*ranking.passing())}
        weight = rescale_weights(test).weight
        ams = pnn_tf.ams(*ranking.passing(weight))
        of_train = pnn_tf.Ranking(train.label, train_score)
        cut = of_train.cuts[np.argmax(pnn_tf.ams(*of_train.passing(rescale_weights(train).weight)))]
        n_passing = np.count_nonzero(ranking.cuts >= cut)
        return {
            "auc": ranking.auc(),
            "auc_weighted": ranking.auc(weight),
            "ams": float(ams.max()),
            "ams_unbiased": float(ams[n_passing - 1]) if n_passing else 0.0,
            "roc": _roc(*ranking.passing(weight)),
        }


def _roc(signal: np.ndarray, background: np.ndarray) -> list[float]:
    """Efficiency of background at EFFICIENCIES, from what passes each cut."""
    return _rounded(np.interp(EFFICIENCIES, signal / signal[-1], background / background[-1]), 4)


def _rounded(values: np.ndarray, digits: int) -> list[float]:
    """To so many significant digits, which keeps records small."""
    return [float(f"{value:.{digits}g}") for value in values]


run = in_turn(_names, _make_row)


def one_line(row: Row) -> str:
    """What a log says of a finished row."""
    auc = row["auc_weighted"] or row["auc"]
    return (
        f"{row['row']}, seed {row['seed']}: {'weighted ' if row['auc_weighted'] else ''}AUC {100 * auc[0]:.2f} %, "
        f"{100 * auc[1]:.2f} % with {len(row['kept'])} of {len(row['inputs'])} inputs"
    )
