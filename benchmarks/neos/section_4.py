"""NEOS section 4: what the paper suggests beyond the network, tried on its blobs.

Simpson and Heinrich, arXiv:2203.05570, name what else could be optimised with a differentiable analysis, bin edges,
cuts before the measurement, a weighted sum of objectives, and wish for a comparison with Bayesian optimisation. Each is
a row here, beside the network of Fig. 3 (neos) and binary cross-entropy (BCE), with the recipe and events of Fig. 3.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypedDict

import keras
import numpy as np

import neos_tf
from benchmarks.data.blobs import NAMES
from benchmarks.neos import search
from benchmarks.neos.section_4_section import plot, section
from benchmarks.neos.training import (
    NUISANCE,
    Blobs,
    Recipe,
    Samples,
    load_samples,
    measurement,
    summary_statistic,
    train,
)
from benchmarks.terminal import Display

__all__ = ["METHODS", "SCALES", "Config", "Row", "load", "one_line", "plot", "run", "section"]

NEOS, EDGES, CUTS, TERMS, BAYES, BCE = METHODS = (
    "neos",
    "learnable edges",
    "soft cuts",
    "three terms",
    "Bayesian optimisation",
    "BCE",
)
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


# The events are drawn, not read: nothing keeps the embedded scale from the paper's size.
SCALES = {
    "smoke": Config(n_events=1000, units=(16, 16), batch_size=400, epochs=2, learning_rate=0.01, search_time=0.1),
    "embedded": Config(),
    "paper": Config(),
}


class Row(TypedDict):
    """One method with one seed, measured with ordinary histograms.

    `cls`, `sigma_mu`, `sigma_gamma` and `n_floored`, the number of bins that the floor raised, are those of the test
    events at the end, `train_cls` is that of the training events. `course_s` are seconds since the method began and
    `course_cls` the CLs on the test events then: after each epoch, or with each candidate better than those before it.
    `edges` (n_bins + 1,) and `cuts` are those at the end; `n_trials` is 0 for what is trained.
    """

    row: str
    seed: int
    cls: float
    sigma_mu: float
    sigma_gamma: float
    n_floored: int
    train_cls: float
    edges: list[float]
    cuts: list[float]
    n_trials: int
    course_s: list[float]
    course_cls: list[float]
    wall_s: float


def load(config: Config) -> Samples:
    """Draws the events of a configuration."""
    return load_samples(config, (MEANS,))


def run(
    config: Config,
    samples: Samples,
    *,
    seeds: tuple[int, ...],
    finished: frozenset[tuple[str, int]] = frozenset(),
    display: Display,
) -> Iterator[Row]:
    """Trains or searches with method after method.

    Args:
        config: the settings.
        samples: the events.
        seeds: of the initial weights and the order of events, or of the sampler; each method is run once with each.
        finished: (row, seed) that are there already.
        display: told the methods to come, and each epoch or trial.

    Yields:
        A row as soon as it is finished; all methods with the first seed come first. Bayesian optimisation gets its time
        from that of neos with the same seed, which is trained again for it if its row is finished already.
    """
    todo = [(method, seed) for seed in seeds for method in METHODS if (method, seed) not in finished]
    display.begin(len(todo), len(todo))
    blobs, model = samples.blobs[MEANS], measurement(config)
    seconds = {}  # that neos took, by seed
    for method, seed in todo:
        started = time.perf_counter()
        title = f"{method}, seed {seed}"

        def tell(share, cls, title=title):
            display.advance(share, f"{title}, CLs {cls:.2g}")

        if method == BAYES:
            if seed not in seconds:
                seconds[seed] = _trained(config, blobs, model, NEOS, seed, tell)["course_s"][-1]
                started = time.perf_counter()
            fields = _searched(config, blobs, model, seed, config.search_time * seconds[seed], tell)
        else:
            fields = _trained(config, blobs, model, method, seed, tell)
            if method == NEOS:
                seconds[seed] = fields["course_s"][-1]
        yield Row(row=method, seed=seed, **fields, wall_s=round(time.perf_counter() - started, 1))


def _trained(
    config: Config, blobs: Blobs, model: neos_tf.TemplateModel, method: str, seed: int, tell: Callable
) -> dict:
    """The fields of a row of a network; `tell` is told the share of the work done, and the CLs."""
    started = time.perf_counter()
    statistic = statistic_of(config, model, method, seed)
    seconds = []

    def clock(epoch, logs):
        seconds.append(time.perf_counter() - started)
        tell(1 / config.epochs, logs["val_cls"])

    listener = keras.callbacks.LambdaCallback(on_epoch_end=clock)
    course = train(statistic, config, blobs, seed=seed, callbacks=[listener])
    test, training = (
        statistic.evaluate(
            neos_tf.sample_batches(events, len(events["signal"]), seed=None), return_dict=True, verbose=0
        )
        for events in (blobs.test, blobs.train)
    )
    cuts = [] if statistic.selection is None else statistic.selection.thresholds.numpy()
    return {
        "cls": test["cls"],
        "sigma_mu": test["sigma_mu"],
        "sigma_gamma": test[f"sigma_{NUISANCE}"],
        "n_floored": int(test["floored"]),
        "train_cls": training["cls"],
        "edges": _rounded(statistic.edges.numpy()),
        "cuts": _rounded(cuts),
        "n_trials": 0,
        "course_s": _rounded(seconds),
        "course_cls": course["cls"][1:],
    }


def statistic_of(config: Config, model: neos_tf.TemplateModel, method: str, seed: int) -> neos_tf.SummaryStatistic:
    """An untrained network with what the method adds to it, compiled."""
    a0, a1, a2 = config.weights
    losses = {
        TERMS: neos_tf.WeightedLoss(
            {
                neos_tf.CLsLoss(log=False): a0,
                neos_tf.POIUncertaintyLoss(): a1,
                neos_tf.ConstraintLoss(NUISANCE): a2,
            }
        ),
        BCE: neos_tf.BCELoss(),
    }
    loss = losses.get(method, neos_tf.CLsLoss())
    edges = neos_tf.LearnableEdges(np.linspace(0, 1, config.n_bins + 1)) if method == EDGES else None
    cuts = neos_tf.SoftCut(1, config.cut, config.cut_width) if method == CUTS else None
    statistic = summary_statistic(config, model, loss, seed, edges=edges, selection=cuts)
    few = [weight for layer in (edges, cuts) if layer is not None for weight in layer.trainable_weights]
    if few:
        statistic.compile(TwoRates(config.learning_rate, few, config.rate_of_few), loss)
    return statistic


class TwoRates(keras.optimizers.Adam):
    """Adam, with a learning rate of their own for a few variables.

    Args:
        learning_rate: of all others.
        few: the variables.
        rate_of_few: their learning rate.
    """

    def __init__(self, learning_rate, few, rate_of_few):
        super().__init__(learning_rate)
        self._few = {id(variable.value) for variable in few}  # the variables of TensorFlow, which update_step is given
        self._rate_of_few = rate_of_few

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, self._rate_of_few if id(variable) in self._few else learning_rate)


def _searched(
    config: Config, blobs: Blobs, model: neos_tf.TemplateModel, seed: int, seconds: float, tell: Callable
) -> dict:
    """The fields of a row of the search, which takes so many seconds."""
    last = time.perf_counter()
    yields = dict.fromkeys(NAMES, config.background_yield) | {"signal": config.signal_yield}
    measure = search.measuring(model)

    def measured(candidate, events):
        return measure(search.templates(candidate, events, yields))

    def objective(candidate):
        result = measured(candidate, blobs.train)
        return float(result.log_cls) if result.converged else np.inf

    def listen(n_trials, log_cls):
        nonlocal last
        now = time.perf_counter()
        tell(min((now - last) / seconds, 1), np.exp(log_cls))
        last = now

    found = search.search(objective, config.n_bins, seconds=seconds, seed=seed, listen=listen)
    best = found.improvements[-1]
    tests = [measured(improvement.candidate, blobs.test) for improvement in found.improvements]
    course = [float(np.exp(test.log_cls)) for test in tests]
    sigmas = dict(zip(model.parameter_names, tests[-1].sigmas.numpy().tolist(), strict=True))
    return {
        "cls": course[-1],
        "sigma_mu": sigmas["mu"],
        "sigma_gamma": sigmas[NUISANCE],
        "n_floored": int(tests[-1].n_floored),
        "train_cls": float(np.exp(best.log_cls)),
        "edges": _rounded(best.candidate.edges),
        "cuts": [],
        "n_trials": found.n_trials,
        "course_s": _rounded(improvement.seconds for improvement in found.improvements),
        "course_cls": course,
    }


def _rounded(values) -> list[float]:
    return [round(float(value), 4) for value in values]


def one_line(row: Row) -> str:
    """What a log says of a finished row."""
    trials = f", {row['n_trials']} trials" if row["n_trials"] else ""
    return (
        f"{row['row']}, seed {row['seed']}: CLs {row['cls']:.3g}, sigma_mu {row['sigma_mu']:.3f}, "
        f"sigma_gamma {row['sigma_gamma']:.3f}{trials}"
    )
