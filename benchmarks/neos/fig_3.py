"""NEOS Fig. 3: one measurement with a nuisance parameter, and four losses to train its summary statistic on.

Simpson and Heinrich, arXiv:2203.05570, section 3. On the test events, epoch by epoch: the expected CLs of a signal,
the uncertainty sigma_mu of its strength, and that of the nuisance parameter, sigma_gamma, which is 1 before the
measurement. The four losses are the expected CLs (neos; itself as in the paper, and its logarithm), binary
cross-entropy (BCE) against the nominal background, the same against nominal background and its variations (BCE with
augmentation), and the variance of mu (INFERNO); both sets of means of the blobs are run. The paper has curves without
numbers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import keras
import numpy as np
from matplotlib.figure import Figure

import neos_tf
import neos_tf.plots
from benchmarks.claims import Claim, above, below
from benchmarks.data.blobs import MEANS
from benchmarks.experiment import Experiment
from benchmarks.neos.comparison import GAMMA, LABELS, LOG_CLS, MU, claim
from benchmarks.neos.training import Recipe, Samples, load_samples, measurement, summary_statistic, train
from benchmarks.style import BLUE, GREEN, ORANGE, PURPLE, QUIET, VERMILION, style
from benchmarks.tables import Cell, Quantity, Table, long

LOG, ITSELF, BCE, AUGMENTED, INFERNO = "neos", "neos, CLs itself", "BCE", "BCE with augmentation", "INFERNO"
LOSSES = {
    LOG: neos_tf.CLsLoss(),
    ITSELF: neos_tf.CLsLoss(log=False),
    BCE: neos_tf.BCELoss(),
    AUGMENTED: neos_tf.BCELoss(background=("background", "background_up", "background_down")),
    INFERNO: neos_tf.POIVarianceLoss(),
}
COLOURS = dict(zip(LOSSES, (VERMILION, PURPLE, BLUE, ORANGE, GREEN), strict=True))
METRICS = {  # after the last epoch
    LOG_CLS: Quantity(lambda row: np.log10(row["cls"][-1])),
    MU: Quantity(lambda row: row[MU][-1], decimals=3),
    GAMMA: Quantity(lambda row: row[GAMMA][-1], decimals=3),
}
MU_AT_4 = Quantity(lambda row: row[MU][:5][-1], decimals=3)
FALL_OF_MU = Quantity(lambda row: row[MU][1] - row[MU][-1], decimals=3)
SUFFIX = ", means of the {}"  # of the names of rows
SAID = {"code": "means of the authors' code", "appendix": "means of Appendix A"}
OVER_CONSTRAINED = 0.9  # sigma_gamma below it: the measurement knows gamma by a tenth better than it was known


@dataclass(frozen=True)
class Config(Recipe):
    """The recipe of training, and the blobs.

    Args:
        means: keys of `benchmarks.data.blobs.MEANS`.
    """

    means: tuple[str, ...] = tuple(MEANS)


def row_name(method: str, means: str) -> str:
    """Of a row."""
    return f"{method}{SUFFIX.format(means)}"


def names(config: Config) -> dict[str, tuple[str, str]]:
    """Method and means by the name of the row."""
    return {row_name(method, means): (method, means) for means in config.means for method in LOSSES}


def make_row(config: Config, samples: Samples, name: str, seed: int, display) -> dict:
    """One loss with one set of means; the seed is that of the initial weights and of the order of events.

    `cls`, `sigma_mu` and `sigma_gamma` are those of the test events before the first epoch and after each; `loss` and
    `unconverged` those of training, epoch by epoch.
    """
    method, means = names(config)[name]

    def show(epoch, logs):
        display.advance(1 / config.epochs, f"{name}, seed {seed}, epoch {epoch + 1}, CLs {logs['val_cls']:.2g}")

    statistic = summary_statistic(config, measurement(config), LOSSES[method], seed)
    listener = keras.callbacks.LambdaCallback(on_epoch_end=show)
    course = train(statistic, config, samples.blobs[means], seed=seed, callbacks=[listener])
    fields = (*LABELS, "loss", "unconverged")
    return {"method": method, "means": means} | {f: [float(f"{value:.7g}") for value in course[f]] for f in fields}


def tables(record: Mapping) -> Iterator[Table]:
    """After the last epoch, by median and quartiles, which one failed training does not move."""
    frame = long(record["rows"], METRICS)
    low, middle, high = (frame.groupby(["row", "quantity"])["value"].quantile(q) for q in (0.25, 0.5, 0.75))
    lines = {
        f"{method} ({means})": [Cell(middle[name, m], (high[name, m] - low[name, m]) / 2 or None) for m in METRICS]
        for means in MEANS
        for method in LOSSES
        if ((name := row_name(method, means)), LOG_CLS) in middle
    }
    yield Table(
        "After the last epoch: median over the seeds and, after ±, half of the distance of the quartiles. The claims "
        "are of means over the seeds.",
        "loss (means of the blobs)",
        tuple(METRICS),
        tuple((name, tuple(cells)) for name, cells in lines.items()),
        (2, 3, 3),
    )


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """A row of panels for each set of means: CLs, sigma_mu and sigma_gamma against the epoch."""
    there = [means for means in MEANS if any(row["means"] == means for row in record["rows"])]
    with style():
        figure = Figure(figsize=(10.2, 3.1 * len(there) + 0.4))
        for means, part in zip(there, figure.subfigures(len(there), 1, squeeze=False).ravel(), strict=True):
            courses = {
                method: [{metric: row[metric] for metric in LABELS} for row in rows]
                for method in LOSSES
                if (rows := [row for row in record["rows"] if (row["method"], row["means"]) == (method, means)])
            }
            last = means == there[-1]
            neos_tf.plots.course(
                courses, list(LABELS), first_epoch=0, labels=LABELS, colours=COLOURS, legend=last, figure=part
            )
            part.axes[0].set_title(SAID[means])
            part.axes[2].axhline(1, color=QUIET, lw=0.8, ls="--", zorder=0)
    yield (
        "On the test events, before the first epoch and after each: mean over the seeds and standard deviation, of the "
        "logarithm where the axis is logarithmic.",
        figure,
    )


def claims_on(means: str) -> Iterator[Claim]:
    """What section 3 says, and we of the two ways to train neos, with one set of means."""

    def say(text, metric, higher, lower, criterion, quantity=None, ours=False):
        said = f"{text} ({SAID[means]})"
        quantity = METRICS[metric] if quantity is None else quantity
        return claim(said, metric, quantity, higher, lower, criterion, ours=ours, suffix=SUFFIX.format(means))

    free, constrained = above(OVER_CONSTRAINED), below(OVER_CONSTRAINED)
    for neos, of in ((LOG, "neos, trained on log CLs,"), (ITSELF, "neos, trained on CLs,")):
        yield say(f"{of} reaches a lower CLs than any other loss", LOG_CLS, [BCE, AUGMENTED, INFERNO], [neos], above(0))
        yield say(f"{of} has a lower sigma_mu than BCE", MU, [BCE], [neos], above(0))
        yield say(f"{of} lowers sigma_mu from the first epoch to the last", MU, [neos], [], above(0), FALL_OF_MU)
        yield say(
            f"{of} has a higher sigma_mu at epoch 4 than augmented BCE", MU, [neos], [AUGMENTED], above(0), MU_AT_4
        )
        yield say(f"{of} has no higher sigma_mu at the end than augmented BCE", MU, [neos], [AUGMENTED], below(0))
        yield say(f"{of} does not over-constrain gamma: sigma_gamma", GAMMA, [neos], [], free)
        yield say(f"{of} has a higher sigma_gamma than BCE and INFERNO", GAMMA, [neos], [BCE, INFERNO], above(0))
    others = [method for method in LOSSES if method != INFERNO]
    yield say("INFERNO has a lower sigma_mu than any other loss", MU, others, [INFERNO], above(0))
    yield say("INFERNO does not reach the CLs of any other loss", LOG_CLS, [INFERNO], others, above(0))
    yield say("BCE and INFERNO over-constrain gamma: sigma_gamma", GAMMA, [BCE, INFERNO], [], constrained)
    yield say("Augmented BCE does not over-constrain gamma: sigma_gamma", GAMMA, [AUGMENTED], [], free)
    yield say(
        "Augmented BCE has a higher sigma_gamma than BCE and INFERNO", GAMMA, [AUGMENTED], [BCE, INFERNO], above(0)
    )
    yield say("neos reaches a lower CLs trained on log CLs than on CLs", LOG_CLS, [ITSELF], [LOG], above(0), ours=True)
    yield say("neos over-constrains gamma more on log CLs than on CLs", GAMMA, [ITSELF], [LOG], above(0), ours=True)


EXPERIMENT = Experiment(
    id="neos-fig-3",
    where="Fig. 3",
    summary="blobs with a nuisance parameter: neos, cross-entropy with and without augmentation, INFERNO",
    introduction=(
        "One measurement with a nuisance parameter gamma, and four losses to train its summary statistic on: "
        "{data[n_train]:,} training and {data[n_test]:,} test events of each of four Gaussian blobs, {epochs} epochs, "
        "{n_seeds} initialisations ({seeds}). All numbers are of the test events, with ordinary histograms. Simpson "
        "and Heinrich, arXiv:2203.05570, show curves without numbers."
    ),
    scales={  # the events are drawn, not read: nothing keeps the embedded scale from the paper's size
        "smoke": Config(n_events=1000, units=(16, 16), batch_size=400, epochs=2, learning_rate=0.01, means=("code",)),
        "embedded": Config(),
        "paper": Config(),
    },
    load=lambda config: load_samples(config, config.means),
    names=names,
    make_row=make_row,
    line=lambda row: (
        f"CLs {row['cls'][-1]:.3g}, sigma_mu {row['sigma_mu'][-1]:.3f}, sigma_gamma {row['sigma_gamma'][-1]:.3f}"
    ),
    tables=tables,
    figures=figures,
    claims=[each for means in MEANS for each in claims_on(means)],
    departures=(
        "The paper trains on CLs itself, whose gradient fades as it falls; its logarithm has the same minimum and is "
        "the default of neos_tf. Both are run.",
        "{n_events:,} events of each blob, as in the authors' code; Appendix A has 10,000 of all four.",
        "Expected counts below {floor:g} are raised to it, since bins of the test histograms can be empty. Fits are by "
        "Newton's method to the end, not by Adam.",
        "The means of Appendix A look permuted against those of the authors' code, in which the variations lie on "
        "either side of the background; both are run.",
        "INFERNO's variance and all uncertainties are those of Asimov data with mu = 1; the paper does not say.",
    ),
)
