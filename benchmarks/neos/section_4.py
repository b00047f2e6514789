"""NEOS section 4: what the paper suggests beyond the network, tried on its blobs.

Simpson and Heinrich, arXiv:2203.05570, name what else could be optimised with a differentiable analysis, bin edges,
cuts before the measurement, a weighted sum of objectives, and wish for a comparison with Bayesian optimisation. Each is
a row here, beside the network of Fig. 3 (neos) and binary cross-entropy (BCE), with the recipe and events of Fig. 3.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np
from matplotlib.figure import Figure

import neos_tf
from benchmarks.claims import above
from benchmarks.experiment import Experiment
from benchmarks.neos import search
from benchmarks.neos.fig_3 import GAMMA, LABELS, LOG_CLS, METRICS, MU, claim
from benchmarks.neos.training import NUISANCE, Blobs, Recipe, load_samples, measurement, summary_statistic, train
from benchmarks.style import BLUE, GREEN, INK, ORANGE, PURPLE, QUIET, SKY, VERMILION, style
from benchmarks.tables import Quantity, Table, long, table

NEOS, EDGES, CUTS, TERMS = "neos", "learnable edges", "soft cuts", "three terms"
BAYES, BCE = "Bayesian optimisation", "BCE"
COLOURS = {NEOS: VERMILION, EDGES: GREEN, CUTS: ORANGE, TERMS: PURPLE, BAYES: SKY, BCE: BLUE}
MEANS = "code"


@dataclass(frozen=True)
class Config(Recipe):
    """The recipe of training, and what the suggestions add to it.

    Args:
        weights: a0, a1 and a2 of the three terms a0 CLs + a1 sigma_mu + a2 (1 - sigma_gamma)^2.
        cut: where the cut on y starts, which keeps what is above.
        cut_width: of its sigmoid.
        rate_of_few: learning rate of edges and cuts, which that of the network would move by a few hundredths.
        search_time: of Bayesian optimisation, in units of what neos takes.
    """

    weights: tuple[float, float, float] = (1.0, 0.1, 0.1)
    cut: float = -1.0
    cut_width: float = 0.2
    rate_of_few: float = 0.03
    search_time: float = 1.0


class Samples(NamedTuple):
    """The blobs, what the record says of them, and the seconds that neos took, by seed, as far as it was trained."""

    blobs: dict[str, Blobs]
    data: dict
    seconds: dict[int, float]


def make_row(config: Config, samples: Samples, name: str, seed: int, display) -> dict:
    """One method, measured with ordinary histograms; the seed is that of weights and batches, or of the sampler.

    Bayesian optimisation gets its time from neos with the same seed, which is trained again for it if need be. `cls`,
    `sigma_mu`, `sigma_gamma` and `n_floored`, the number of bins that the floor raised, are those of the test events at
    the end, `train_cls` is that of the training events. `course_s` are seconds since the method began and `course_cls`
    the CLs on the test events then: after each epoch, or with each candidate better than those before it. `edges`
    (n_bins + 1,) and `cuts` are those at the end; `n_trials` is 0 for what is trained.
    """

    def tell(share, cls):
        display.advance(share, f"{name}, seed {seed}, CLs {cls:.2g}")

    blobs = samples.blobs[MEANS]
    if name != BAYES:
        row = trained(config, blobs, name, seed, tell)
        if name == NEOS:
            samples.seconds[seed] = row["course_s"][-1]
        return row
    seconds = samples.seconds.get(seed) or trained(config, blobs, NEOS, seed, lambda *_: None)["course_s"][-1]
    return searched(config, blobs, seed, config.search_time * seconds, tell)


def trained(config: Config, blobs: Blobs, method: str, seed: int, tell: Callable) -> dict:
    """The row of a network; `tell` is told the share of the work done, and the CLs."""
    started = time.perf_counter()
    statistic = statistic_of(config, method, seed)
    seconds = []

    def clock(epoch, logs):
        seconds.append(time.perf_counter() - started)
        tell(1 / config.epochs, logs["val_cls"])

    course = train(statistic, config, blobs, seed=seed, listen=clock)
    batch = neos_tf.sample_batches(blobs.train, len(blobs.train["signal"]), seed=None)
    return {
        **{field: course[field][-1] for field in ("cls", "sigma_mu", "sigma_gamma")},
        "n_floored": int(course["n_floored"][-1]),
        "train_cls": statistic.evaluate(batch, return_dict=True, verbose=0)["cls"],
        "edges": _rounded(statistic.edges.numpy()),
        "cuts": [] if statistic.selection is None else _rounded(statistic.selection.thresholds.numpy()),
        "n_trials": 0,
        "course_s": _rounded(seconds),
        "course_cls": course["cls"][1:],
    }


def statistic_of(config: Config, method: str, seed: int) -> neos_tf.SummaryStatistic:
    """An untrained network with what the method adds to it, compiled."""
    terms = neos_tf.CLsLoss(log=False), neos_tf.POIUncertaintyLoss(), neos_tf.ConstraintLoss(NUISANCE)
    weighted = neos_tf.WeightedLoss(dict(zip(terms, config.weights, strict=True)))
    loss = {TERMS: weighted, BCE: neos_tf.BCELoss()}.get(method, neos_tf.CLsLoss())
    edges = neos_tf.LearnableEdges(np.linspace(0, 1, config.n_bins + 1)) if method == EDGES else None
    cuts = neos_tf.SoftCut(1, config.cut, config.cut_width) if method == CUTS else None
    statistic = summary_statistic(config, measurement(config), loss, seed, edges=edges, selection=cuts)
    few = [weight for layer in (edges, cuts) if layer is not None for weight in layer.trainable_weights]
    if few:
        statistic.compile(TwoRates(config.learning_rate, few, config.rate_of_few), loss)
    return statistic


class TwoRates(keras.optimizers.Adam):
    """Adam, with a learning rate of their own, `rate_of_few`, for a few variables."""

    def __init__(self, learning_rate, few, rate_of_few):
        super().__init__(learning_rate)
        self._few = {id(variable.value) for variable in few}  # the variables of TensorFlow, which update_step is given
        self._rate_of_few = rate_of_few

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, self._rate_of_few if id(variable) in self._few else learning_rate)


def searched(config: Config, blobs: Blobs, seed: int, seconds: float, tell: Callable) -> dict:
    """The row of the search, which takes so many seconds."""
    measure = search.measuring(measurement(config), config.yields)

    def objective(candidate):
        result = measure(candidate, blobs.train)
        return result["log_cls"] if result["converged"] else np.inf

    improvements, n_trials = search.search(
        objective, config.n_bins, seconds=seconds, seed=seed, listen=lambda share, best: tell(share, np.exp(best))
    )
    tests = [measure(improvement.candidate, blobs.test) for improvement in improvements]
    course = [float(np.exp(test["log_cls"])) for test in tests]
    return {
        "cls": course[-1],
        **{field: tests[-1][field] for field in ("sigma_mu", "sigma_gamma", "n_floored")},
        "train_cls": float(np.exp(improvements[-1].value)),
        "edges": _rounded(improvements[-1].candidate.edges),
        "cuts": [],
        "n_trials": n_trials,
        "course_s": _rounded(improvement.seconds for improvement in improvements),
        "course_cls": course,
    }


def _rounded(values) -> list[float]:
    return [round(float(value), 4) for value in values]


REACHED = METRICS | {
    "bins at the floor": Quantity("n_floored", decimals=1, spread=False),
    "log10 CLs, training": Quantity(lambda row: np.log10(row["train_cls"])),
    "wall time (s)": Quantity("wall_s", decimals=1, spread=False),
}


def tables(record: Mapping) -> Iterator[Table]:
    """What each method reaches, and what was learned beside a network."""
    rows = sorted(record["rows"], key=lambda row: list(COLOURS).index(row["row"]))
    yield table(
        "On the test events at the end; mean over the seeds. Bins whose expected events the floor raised, log10 CLs of "
        "the training events, and the time of a row, its building included.",
        "method",
        long(rows, REACHED),
        columns="quantity",
    )
    inner = range(1, record["configuration"]["n_bins"])
    learned = {f"edge {i}": Quantity(lambda row, i=i: row["edges"][i]) for i in inner}
    learned |= {"cut on y": Quantity(lambda row: row["cuts"] or np.nan), "trials": Quantity("n_trials", decimals=0)}
    yield table(
        "Inner edges, in units of the summary statistic, cut, which starts at {cut:g}, and candidates tried; mean over "
        "the seeds.",
        "learned",
        long([row for row in rows if row["row"] in (EDGES, CUTS, BAYES)], learned),
        columns="quantity",
    )


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """CLs against time; what edges were learned; both uncertainties."""
    rows = sorted(record["rows"], key=lambda row: list(COLOURS).index(row["row"]))
    named = set()
    with style():
        figure = Figure(figsize=(10.2, 6.4))
        (course, edges), (mu, gamma) = figure.subplots(2, 2)
        for row in rows:
            method, look = row["row"], {"color": COLOURS[row["row"]]}
            steps = "steps-post" if row["n_trials"] else "default"
            label, width = (None, 0.7) if method in named else (method, 1.6)
            course.plot(row["course_s"], row["course_cls"], label=label, lw=width, drawstyle=steps, **look)
            named.add(method)
            if method in (EDGES, BAYES):
                inner = row["edges"][1:-1]
                edges.plot(inner, [f"{method}, {row['seed']}"] * len(inner), "|", ms=16, mew=2, **look)
            for axes, field in ((mu, MU), (gamma, GAMMA)):
                axes.plot([row[field]], [method], "o", mec=INK, **look)
        course.set(yscale="log", xlabel="time (s)", ylabel=LABELS["cls"])
        course.grid()
        equal = np.linspace(0, 1, record["configuration"]["n_bins"] + 1)
        of_edges = "edges, in units of the summary statistic"
        for axes, label, nominal in ((edges, of_edges, equal), (mu, LABELS[MU], ()), (gamma, LABELS[GAMMA], (1,))):
            for value in nominal:
                axes.axvline(value, color=QUIET, lw=0.8, ls="--", zorder=0)
            axes.set_xlabel(label)
            axes.invert_yaxis()
            axes.grid(axis="x")
        figure.legend(*course.get_legend_handles_labels(), loc="outside lower center", ncols=len(named))
    yield (
        "Expected CLs of the test events in the course of time, thin lines for further seeds; bin edges, sigma_mu and "
        "sigma_gamma at the end, one mark a seed. Dashed: equal bins; sigma_gamma before the measurement.",
        figure,
    )


EXPERIMENT = Experiment(
    id="neos-section-4",
    where="section 4",
    summary="beyond the network: learned edges and cuts, three terms, Bayesian optimisation",
    introduction=(
        "What Simpson and Heinrich, arXiv:2203.05570, suggest beyond their experiment, on the same blobs: learned bin "
        "edges, a learned cut, a sum of three objectives, and Bayesian optimisation for comparison. {data[n_train]:,} "
        "training and {data[n_test]:,} test events of each blob, {epochs} epochs, {seeds}."
    ),
    scales={  # the events are drawn, not read: nothing keeps the embedded scale from the paper's size
        "smoke": Config(n_events=1000, units=(16, 16), batch_size=400, epochs=2, learning_rate=0.01, search_time=0.1),
        "embedded": Config(),
        "paper": Config(),
    },
    load=lambda config: Samples(*load_samples(config, (MEANS,)), {}),
    names=lambda config: COLOURS,
    make_row=make_row,
    timed=True,
    line=lambda row: (
        f"CLs {row['cls']:.3g}, sigma_mu {row['sigma_mu']:.3f}, sigma_gamma {row['sigma_gamma']:.3f}, "
        f"{row['n_trials']} trials"
    ),
    tables=tables,
    figures=figures,
    claims=(
        claim("Learned bin edges lower CLs", LOG_CLS, [NEOS], [EDGES], above(0)),
        claim("A learned cut lowers CLs", LOG_CLS, [NEOS], [CUTS], above(0)),
        claim(
            "Terms for sigma_mu and sigma_gamma beside CLs keep gamma from being over-constrained",
            *(GAMMA, [TERMS], [NEOS], above(0)),
        ),
        claim("These terms cost CLs", LOG_CLS, [TERMS], [NEOS], above(0), ours=True),
        claim(
            "neos reaches a lower CLs than Bayesian optimisation in the same time",
            *(LOG_CLS, [BAYES], [NEOS], above(0)),
            ours=True,
        ),
    ),
    departures=(
        "The paper has no numbers; settings beyond those of Fig. 3 are ours. Counts below {floor:g} are raised to it.",
        "Edges and cuts have a learning rate of {rate_of_few:g}: the network's, {learning_rate:g}, hardly moves them.",
        "The cut keeps y above a threshold, by a sigmoid of width {cut_width:g} in training, sharp in the test.",
        "neos, edges and cuts are trained on log CLs; the three terms are {weights[0]:g} CLs + {weights[1]:g} sigma_mu "
        "+ {weights[2]:g} (1 - sigma_gamma)^2, with CLs itself as in the paper: once it is small, the others decide.",
        "Bayesian optimisation (Optuna, tree-structured Parzen estimator) takes {search_time:g} of the time of neos, "
        "building of graphs included. It has five coefficients of a quadratic discriminant and {n_bins} bin widths, as "
        "a network has too many weights; its objective is the exact expected CLs of the training events.",
    ),
)
