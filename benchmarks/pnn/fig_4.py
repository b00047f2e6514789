"""PNN Fig. 4: one feature, m_wwbb; a network that has not seen 750 GeV against one trained at 750 GeV alone.

Baldi et al., "Parameterized neural networks for high-energy physics" (2016), section 4. Two references need no network:
the feature itself, which is what every rising output comes to, and the ratio of the binned densities of the training
events, which is near the best that the feature allows.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.figure import Figure

import pnn_tf
import pnn_tf.plots
from benchmarks.affine.networks import M_WWBB
from benchmarks.claims import Claim, above
from benchmarks.data.events import Events
from benchmarks.experiment import Experiment
from benchmarks.interpolation import training_events
from benchmarks.pnn.distributions import axis_label, distribution, draw, in_units
from benchmarks.pnn.recipes import Shallow, fit
from benchmarks.pnn.tested import EQUAL, SIGNAL_EFFICIENCY, cell, curve, estimates, mean_auc, minus, summary
from benchmarks.samples import Samples, Source
from benchmarks.style import GREEN, INK, ORANGE, QUIET, style
from benchmarks.tables import Quantity, Table, long, percent, pick, table, table_of
from benchmarks.terminal import Display

FOCUS = 750.0  # GeV
FIXED, PARAMETRISED = "fixed", "parametrised without it"
RISING, RATIO = "the feature itself", "ratio of binned densities"
PAIRS = (
    *((PARAMETRISED, FIXED), (PARAMETRISED, RATIO), (FIXED, RATIO)),
    *((RISING, RATIO), (PARAMETRISED, RISING), (FIXED, RISING)),
)
COLOURS = {RISING: QUIET, RATIO: INK, FIXED: GREEN, PARAMETRISED: ORANGE}  # the rows


@dataclass(frozen=True)
class Config(Source, Shallow):
    """The events, the recipe of training, and what is particular to this figure.

    Args:
        focus: mass that one network is trained at and the other is not, GeV.
        n_bins: of the binned densities, with about the same number of events in each.
        theta_offset, theta_scale: masses of 500 to 1500 GeV become 0 to 1, as the feature does.
    """

    theta_offset: tuple[float, ...] = (500.0,)
    theta_scale: tuple[float, ...] = (1000.0,)
    focus: float = FOCUS
    n_bins: int = 40


# One event a step takes an hour for what batches of 32 do in minutes, with a rate 32 times as large.
QUICK = {"batch_size": 32, "learning_rate": 0.32, "balance": "class"}


def make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    """A network of the last epoch or a reference, `tested` at the mass in focus.

    (The best AUC says nothing of an output that rises with the feature throughout.) `distribution` is in GeV if
    `physical`, else standardised. `response` is the output at the centre of each of its bins, of RATIO the posterior
    at equal frequencies; RISING has none. `n_train` counts the training events of a network without validation.
    """
    events, test = (
        replace(part, features=in_units(part, M_WWBB, config.sample)[:, None], names=(M_WWBB,))
        for part in (samples.train, samples.test)
    )
    shown, n_train = distribution(samples.train, M_WWBB, config.sample), None
    if name in (RISING, RATIO):
        answer = np.ravel if name == RISING else posterior(events, config.focus, config.n_bins)
        display.advance(1, name)
    else:
        low, high = events.features.min(), events.features.max()
        masses = [mass for mass in events.hypotheses[:, 0].tolist() if (mass == config.focus) == (name == FIXED)]
        events = training_events(replace(events, features=(events.features - low) / (high - low)), masses, seed=seed)
        conditioning = None if name == FIXED else "concat"
        model, _, _, n_train, _ = fit(config, events, name, seed, display, best=False, conditioning=conditioning)

        def answer(x):
            return pnn_tf.predict_scores(model, (x - low) / (high - low), config.focus)

    signal = (test.label == 1) & (test.theta[:, 0] == config.focus)
    response = None if name == RISING else np.float64(answer(np.float32(centres(shown))[:, None])).round(5).tolist()
    return {
        "physical": config.sample == "hepmass-like",
        "distribution": shown,
        "tested": summary(config.focus, *(answer(test.features[own]) for own in (signal, test.label == 0))),
        "response": response,
        "n_train": n_train,
    }


def centres(shown: Mapping) -> np.ndarray:
    """Of the bins of a distribution."""
    return (np.array(shown["edges"][1:]) + shown["edges"][:-1]) / 2


def posterior(events: Events, mass: float, n_bins: int) -> Callable[[np.ndarray], np.ndarray]:
    """r / (1 + r) of the ratio r of the binned densities of signal and background, as a function (n, 1) -> (n,).

    Args:
        events: signal, of which that of one mass (GeV) is taken, and background; their only feature is binned.
        mass: one of the hypotheses.
        n_bins: bins with equal numbers of the events taken. One event is added to each bin and class, against zeros.
    """
    values, background = events.features[:, 0], events.label == 0
    signal = ~background & (events.theta[:, 0] == mass)
    inner = np.quantile(values[signal | background], np.linspace(0, 1, n_bins + 1)[1:-1])
    counts = (
        1.0 + np.bincount(np.searchsorted(inner, values[which]), minlength=n_bins) for which in (signal, background)
    )
    of_signal, of_background = (count / count.sum() for count in counts)
    return lambda x: (of_signal / (of_signal + of_background))[np.searchsorted(inner, np.ravel(x))]


def at_focus(row: Mapping) -> list:
    """Of a row, for `tested.minus`."""
    return [[row["tested"]]]


def apart(rows: Sequence[Mapping], first: str, second: str) -> float:
    """Mean absolute difference of two responses over the binned events, half of them signal of the mass in focus."""
    if RISING in (first, second):  # which has none
        return math.nan
    shown = rows[0]["distribution"]
    share = np.array(shown["signal"][shown["masses"].index(FOCUS)]) + shown["background"]
    responses = ([row["response"] for row in pick(rows, row=name)] for name in (first, second))
    return np.mean([np.average(np.abs(np.subtract(*pair)), weights=share) for pair in zip(*responses, strict=False)])


def tables(record: Mapping) -> Iterator[Table]:
    """What each reaches, and how networks and references differ."""
    rows, half = record["rows"], int(np.argmin(np.abs(SIGNAL_EFFICIENCY - 0.5)))
    quantities = {
        "AUC (%)": percent(lambda row: row["tested"]["auc"]),
        "its error": percent(lambda row: mean_auc([row["tested"]]).auc_error, spread=False),
        "rejection at half the signal": Quantity(lambda row: 1 / row["tested"]["background_efficiency"][half]),
    }
    yield table(
        "At {focus:g} GeV: AUC, its standard error from the finite test sample, and one over the background efficiency "
        "where half of the signal passes.",
        "one feature",
        long(rows, quantities),
        columns="quantity",
    )
    lines = {
        f"{one} minus {other}": {
            "AUC (points)": cell(minus(rows, one, other, at_focus)),
            "outputs apart": apart(rows, one, other),
        }
        for one, other in PAIRS
    }
    yield table_of(
        "Differences of the AUC at {focus:g} GeV on the same test events, with their standard error, and mean absolute "
        "difference of the outputs, which an AUC does not see where the order is the same.",
        "one minus another",
        lines,
        (2, 3),
    )


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """Distributions of the feature, outputs as functions of it, and ROC curves at the mass in focus."""
    rows, first = record["rows"], record["rows"][0]
    shown, units = first["distribution"], first["physical"]
    with style():
        figure = Figure(figsize=(10.2, 4.2))
        *parts, right = figure.subfigures(1, 3)
        feature, output = (part.subplots() for part in parts)
        draw(feature, shown, shown["masses"], units)
        feature.set(title="Background and signal", ylabel="share per bin")
        feature.legend()
        curves = {name: curve([row["tested"] for row in pick(rows, row=name)]) for name in COLOURS}
        pnn_tf.plots.roc(curves, colours=COLOURS, legend=False, figure=right)
        right.axes[0].set(title="ROC", ylabel="background rejection")
        lines = {line.get_label(): line for line in right.axes[0].get_lines()}
        for row in rows:
            if row["response"] is not None:
                line = {"color": COLOURS[row["row"]], "ls": lines[row["row"]].get_linestyle()}
                output.plot(centres(shown), row["response"], **line)
        output.set(title="Output", ylim=(0, 1), ylabel="output", xlabel=axis_label(M_WWBB, units))
        for axes in (output, right.axes[0]):
            axes.grid()
        figure.legend(handles=list(lines.values()), loc="outside lower center", ncols=4)
    yield (
        "At {focus:g} GeV. Left, the feature for background and each mass. Middle, what each answers to it, a line a "
        "seed: the ratio as the posterior of equally frequent classes. Right, background rejection against signal "
        "efficiency.",
        figure,
    )


EXPERIMENT = Experiment(
    id="pnn-fig-4",
    where="Fig. 4",
    summary="the reconstructed mass alone: a network that has not seen 750 GeV, and one that has",
    introduction=(
        "Networks of one hidden layer of three units on the reconstructed mass m_wwbb alone, of {data[name]} events: "
        "{data[n_train]:,} for training and validation, {data[n_test]:,} for the test, {seeds}. One is trained at "
        "{focus:g} GeV, one at all other masses; both are tested on the signal of that mass. Baldi et al. (2016) show "
        "curves without numbers."
    ),
    scales={
        "smoke": Config(**QUICK | {"epochs": 3}, n_train=20_000, n_test=10_000),
        "embedded": Config(**QUICK),
        "paper": Config(sample="hepmass", n_train=1_000_000),
    },
    load=Config.load,
    names=lambda config: (RISING, RATIO, FIXED, PARAMETRISED),
    make_row=make_row,
    line=lambda row: f"AUC {100 * row['tested']['auc']:.2f} %",
    tables=tables,
    figures=figures,
    claims=(
        Claim(
            "A parametrised network without 750 GeV matches or nearly matches one trained there, in AUC at 750 GeV",
            estimates({"": (PARAMETRISED, FIXED, at_focus)}),
            EQUAL,
        ),
        Claim(
            "Both networks order events better than the feature itself, a plain cut, in AUC",
            estimates({name: (name, RISING, at_focus) for name in (FIXED, PARAMETRISED)}),
            above(0),
            ours=True,
        ),
        Claim(
            "Both networks reach what the feature allows, the ratio of its binned densities, in AUC",
            estimates({name: (name, RATIO, at_focus) for name in (FIXED, PARAMETRISED)}),
            EQUAL,
            ours=True,
        ),
    ),
    departures=(
        "HEPMASS-like events are simulated for this project, with another simulation of the detector than HEPMASS.",
        "As in the paper, inputs lie between 0 and 1: the feature by its smallest and largest value in training, the "
        "mass by 500 and 1500 GeV. It does not say how long it trains.",
    ),
)
