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
from functools import partial

import numpy as np
from matplotlib.figure import Figure

import neos_tf
import neos_tf.plots
from benchmarks.claims import Claim, Criterion, above, below, over_trainings
from benchmarks.data.blobs import MEANS
from benchmarks.experiment import Experiment
from benchmarks.neos.training import Recipe, Samples, load_samples, measurement, summary_statistic, train
from benchmarks.style import BLUE, GREEN, ORANGE, PURPLE, QUIET, VERMILION, style
from benchmarks.tables import Cell, Quantity, Table, by_seed, long, table_of

LOG, ITSELF, BCE, AUGMENTED, INFERNO = "neos", "neos, CLs itself", "BCE", "BCE with augmentation", "INFERNO"
LOSSES = {
    LOG: neos_tf.CLsLoss(),
    ITSELF: neos_tf.CLsLoss(log=False),
    BCE: neos_tf.BCELoss(),
    AUGMENTED: neos_tf.BCELoss(background=("background", "background_up", "background_down")),
    INFERNO: neos_tf.POIVarianceLoss(),
}
COLOURS = dict(zip(LOSSES, (VERMILION, PURPLE, BLUE, ORANGE, GREEN), strict=True))
LOG_CLS, MU, GAMMA = "log10 CLs", "sigma_mu", "sigma_gamma"
LABELS = {"cls": r"expected $CL_s$", MU: r"$\sigma_\mu$", GAMMA: r"$\sigma_\gamma$"}  # of axes, by field
METRICS = {  # after the last epoch, where a row has the course
    LOG_CLS: Quantity(lambda row: np.log10(np.ravel(row["cls"])[-1])),
    MU: Quantity(lambda row: np.ravel(row[MU])[-1], decimals=3),
    GAMMA: Quantity(lambda row: np.ravel(row[GAMMA])[-1], decimals=3),
}
MU_AT_4 = Quantity(lambda row: row[MU][:5][-1], decimals=3)
FALL_OF_MU = Quantity(lambda row: row[MU][1] - row[MU][-1], decimals=3)
# Standard errors of a difference that the 2,000 test events of each blob leave, which all methods and seeds share: the
# networks of one seed on 40 independent test samples, with the means of the authors' code. Of log10 CLs, pairs vary by
# 0.10 to 0.15, and those with augmented BCE, which are 0.8 decades apart and more, by 0.23.
TEST_ERRORS = {LOG_CLS: 0.13, MU: 0.01, GAMMA: 0.04}
SAID = {"code": "means of the authors' code", "appendix": "means of Appendix A"}
OVER_CONSTRAINED = 0.9  # sigma_gamma below it: the measurement knows gamma by a tenth better than it was known


@dataclass(frozen=True)
class Config(Recipe):
    """The recipe of training, and the blobs.

    Args:
        means: keys of `benchmarks.data.blobs.MEANS`.
    """

    means: tuple[str, ...] = tuple(MEANS)


def row_name(method: str, means: str | None) -> str:
    """Of a row; None if all have the same means."""
    return f"{method}, means of the {means}" if means else method


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
    course = train(statistic, config, samples.blobs[means], seed=seed, listen=show)
    fields = (*LABELS, "loss", "unconverged")
    return {"method": method, "means": means} | {f: [float(f"{value:.7g}") for value in course[f]] for f in fields}


def tables(record: Mapping) -> Iterator[Table]:
    """After the last epoch, by median and quartiles, which one failed training does not move."""
    caption = (
        "After the last epoch: median over the seeds and, after ±, half of the distance of the quartiles. The claims "
        "are of means over the seeds."
    )
    values = long(record["rows"], METRICS).groupby(["row", "quantity"])["value"]
    low, middle, high = (values.quantile(q).unstack() for q in (0.25, 0.5, 0.75))
    lines = {
        f"{method} ({means})": {m: Cell(middle[m][name], (high - low)[m][name] / 2 or None) for m in METRICS}
        for name, (method, means) in names(Config()).items()
        if name in middle.index
    }
    yield table_of(caption, "loss (means of the blobs)", lines, [q.decimals for q in METRICS.values()])


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """A row of panels for each set of means: CLs, sigma_mu and sigma_gamma against the epoch."""
    rows = record["rows"]
    there = [means for means in MEANS if means in {row["means"] for row in rows}]
    with style():
        figure = Figure(figsize=(10.2, 3.1 * len(there) + 0.4))
        for means, part in zip(there, figure.subfigures(len(there), 1, squeeze=False)[:, 0], strict=True):
            of_means = [row for row in rows if row["means"] == means]
            courses = {method: [] for method in LOSSES if method in {row["method"] for row in of_means}}
            for row in of_means:
                courses[row["method"]].append({metric: row[metric] for metric in LABELS})
            look = {"labels": LABELS, "colours": COLOURS, "legend": means == there[-1]}
            neos_tf.plots.course(courses, list(LABELS), first_epoch=0, figure=part, **look)
            part.axes[0].set_title(SAID[means])
            part.axes[2].axhline(1, color=QUIET, lw=0.8, ls="--", zorder=0)
    yield (
        "On the test events, before the first epoch and after each: mean over the seeds and standard deviation, of the "
        "logarithm where the axis is logarithmic.",
        figure,
    )


def claim(
    text, metric, higher: list[str], lower: list[str], criterion: Criterion, quantity=None, *, means=None, ours=False
) -> Claim:
    """How much higher a metric is of some methods than of others, pair by pair; of the first themselves without others.

    The quantity gives the metric of a row, METRICS if None; the means of the blobs are None if all rows have the same.
    """
    quantity = quantity or METRICS[metric]

    def measure(rows):
        frame = long(rows, {metric: quantity})
        of = {method: by_seed(frame, row_name(method, means)) for method in (*higher, *lower)}
        gaps = {f"{a} above {b}": (of[a] - of[b]).dropna() for a in higher for b in lower} or of
        return {name: over_trainings(values, TEST_ERRORS[metric]) for name, values in gaps.items()}

    statement, unit = f"{text} ({SAID[means]})" if means else text, "decades" if metric == LOG_CLS else ""
    return Claim(statement, measure, criterion, unit=unit, decimals=quantity.decimals, ours=ours)


def claims_on(means: str) -> Iterator[Claim]:
    """What section 3 says, and we of the two ways to train neos, with one set of means."""
    say, over, free = partial(claim, means=means), above(0), above(OVER_CONSTRAINED)
    for neos, of in ((LOG, "neos, trained on log CLs,"), (ITSELF, "neos, trained on CLs,")):
        yield say(f"{of} reaches a lower CLs than any other loss", LOG_CLS, [BCE, AUGMENTED, INFERNO], [neos], over)
        yield say(f"{of} has a lower sigma_mu than BCE", MU, [BCE], [neos], over)
        yield say(f"{of} lowers sigma_mu from the first epoch to the last", MU, [neos], [], over, FALL_OF_MU)
        yield say(f"{of} has a higher sigma_mu at epoch 4 than augmented BCE", MU, [neos], [AUGMENTED], over, MU_AT_4)
        yield say(f"{of} has no higher sigma_mu at the end than augmented BCE", MU, [neos], [AUGMENTED], below(0))
        yield say(f"{of} does not over-constrain gamma: sigma_gamma", GAMMA, [neos], [], free)
        yield say(f"{of} has a higher sigma_gamma than BCE and INFERNO", GAMMA, [neos], [BCE, INFERNO], over)
    narrow, others = [BCE, INFERNO], [method for method in LOSSES if method != INFERNO]
    yield say("INFERNO has a lower sigma_mu than any other loss", MU, others, [INFERNO], over)
    yield say("INFERNO does not reach the CLs of any other loss", LOG_CLS, [INFERNO], others, over)
    yield say("BCE and INFERNO over-constrain gamma: sigma_gamma", GAMMA, narrow, [], below(OVER_CONSTRAINED))
    yield say("Augmented BCE does not over-constrain gamma: sigma_gamma", GAMMA, [AUGMENTED], [], free)
    yield say("Augmented BCE has a higher sigma_gamma than BCE and INFERNO", GAMMA, [AUGMENTED], narrow, over)
    yield say("neos reaches a lower CLs trained on log CLs than on CLs", LOG_CLS, [ITSELF], [LOG], over, ours=True)
    yield say("neos over-constrains gamma more on log CLs than on CLs", GAMMA, [ITSELF], [LOG], over, ours=True)


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
