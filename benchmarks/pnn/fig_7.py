"""PNN Figs. 7 and 8: deep networks on 22 low-level or all 27 features, at 1000 GeV and across the masses.

Baldi et al., "Parameterized neural networks for high-energy physics" (2016), section 5. A parametrised network, one
that has not seen the signal of 1000 GeV, one trained at 1000 GeV alone and one on all masses without a label are tested
on the same events: the signal of one mass against the whole background.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from matplotlib.figure import Figure

from benchmarks.affine.texts import SIMULATED
from benchmarks.claims import Claim, Estimate, above, below, over_trainings
from benchmarks.experiment import Experiment
from benchmarks.interpolation import training_events
from benchmarks.pnn.fig_5 import N_LOW
from benchmarks.pnn.recipes import Deep, fit
from benchmarks.pnn.tested import AUC, EQUAL, Tests, curve, difference_table, estimates, evaluate, mean_auc, minus
from benchmarks.published import MASSES
from benchmarks.samples import Samples, Source
from benchmarks.style import BLUE, GREEN, ORANGE, PURPLE, style
from benchmarks.tables import Quantity, Table, long, pick, table, with_average
from benchmarks.terminal import Display
from pnn_tf import plots
from pnn_tf.compare import Difference

FOCUS, OTHERS = 1000, (500, 750, 1250, 1500)  # GeV


class Network(NamedTuple):
    """How a network is shown, whether it is told the mass, and which masses it is trained on."""

    label: str
    colour: str
    conditioning: str | None  # of pnn_tf.parametric_network
    at_focus: bool = True  # trained on the mass in focus
    elsewhere: bool = True  # and on the others


NETWORKS = {
    "parametrised": Network("parametrised", BLUE, "concat"),
    "interpolating": Network(f"parametrised, without {FOCUS} GeV", ORANGE, "concat", at_focus=False),
    "fixed": Network(f"fixed at {FOCUS} GeV", GREEN, None, elsewhere=False),
    "mixture": Network("unlabelled mixture", PURPLE, None),
}
FEATURES = {"low-level": N_LOW, "all": None}  # how many of the features, from the first on
TRAINED_ON = {NETWORKS["interpolating"].label: OTHERS, NETWORKS["fixed"].label: (FOCUS,)}  # where not on all
COLOURS = {network.label: network.colour for network in NETWORKS.values()}


@dataclass(frozen=True)
class Config(Source, Deep):
    """The events, the recipe of training, and the mass that one network is trained at and another is not, GeV."""

    balance: str = "class"
    focus: float = float(FOCUS)


# The paper's 200 epochs of 7M events are 14 million steps. Adam comes as far on the small sample in a thousand, after
# which networks of a million weights begin to learn it by heart.
QUICK = {"batch_size": 1024, "learning_rate": 1e-3, "momentum": None, "decay": 0.7, "epochs": 6}


def make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    """A network, `tested` at each mass with the weights of the epoch with the best validation AUC.

    `network` and `features` are keys of NETWORKS and FEATURES. `n_train` counts training events without validation.
    """
    network, features = name.split(", ")
    setup = NETWORKS[network]
    events, test = (
        replace(part, features=part.features[:, : FEATURES[features]], names=part.names[: FEATURES[features]])
        for part in (samples.train, samples.test)
    )
    masses = test.hypotheses[:, 0].tolist()
    trained_on = [mass for mass in masses if (setup.at_focus if mass == config.focus else setup.elsewhere)]
    events = training_events(events, trained_on, seed=seed)
    trained = fit(config, events, name, seed, display, conditioning=setup.conditioning)
    return {
        "network": network,
        "features": features,
        "tested": [evaluate(trained.model, test, mass) for mass in masses],
        "n_train": trained.n_train,
        "best_epoch": trained.best_epoch,
    }


def at(mass: float) -> Tests:
    """Of a row, the test at a mass (GeV)."""
    return lambda row: [[tested for tested in row["tested"] if tested["theta"] == mass]]


def minus_parametrised(features: str) -> dict[str, tuple[str, str]]:
    """By label, the row of each other network with some features, and that of the parametrised one."""
    others = {name: network.label for name, network in NETWORKS.items() if name != "parametrised"}
    return {label: (f"{name}, {features}", f"parametrised, {features}") for name, label in others.items()}


LOW_AND_ALL = {network.label: (f"{name}, low-level", f"{name}, all") for name, network in NETWORKS.items()}


def gaps(rows: Sequence[Mapping], pairs: Mapping[str, tuple[str, str]]) -> dict[str, dict[int, Difference]]:
    """By the label of a pair of rows and by mass, the first minus the second."""
    return {label: {mass: minus(rows, *pair, at(mass)) for mass in MASSES} for label, pair in pairs.items()}


def tables(record: Mapping) -> Iterator[Table]:
    """AUC at each mass, the training, and paired differences."""
    rows = [row | {"row": f"{NETWORKS[row['network']].label}, {row['features']}"} for row in record["rows"]]
    caption = "AUC in % at each mass, at the epoch with the best validation AUC."
    yield table(caption, "AUC in %", with_average(long(rows, {"auc": AUC}, at=MASSES)), heading="{} GeV")
    training = {"events": ("n_train", 0), "epoch kept": ("best_epoch", 1), "wall time": ("wall_s", 0)}
    yield table(
        "Events for gradients and the epoch kept, means over the seeds; wall time in s.",
        "training",
        long(rows, {name: Quantity(field, decimals=n, spread=False) for name, (field, n) in training.items()}),
        columns="quantity",
    )
    pairs = {f"{label}, {f}": pair for f in FEATURES for label, pair in minus_parametrised(f).items()}
    yield difference_table(
        "AUC minus that of the parametrised network with the same features, in points, on the same test events, with "
        "its standard error.",
        "minus parametrised",
        gaps(record["rows"], pairs),
        "{} GeV",
    )
    caption = "AUC with low-level features minus that with all, in points, with its standard error."
    yield difference_table(caption, "low-level minus all", gaps(record["rows"], LOW_AND_ALL), "{} GeV")


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """A column for each set of features: ROC curves at the mass in focus, AUC against mass, and differences."""
    rows, look = record["rows"], {"colours": COLOURS, "legend": False}
    masses = {"label": "mass of the signal (GeV)", "trained_on": TRAINED_ON, **look}
    with style():
        figure = Figure(figsize=(9.4, 11.0))
        for features, parts in zip(FEATURES, figure.subfigures(3, 2).T, strict=True):
            by_mass = {
                network.label: list(zip(*(row["tested"] for row in pick(rows, row=f"{name}, {features}")), strict=True))
                for name, network in NETWORKS.items()
            }
            at_focus = {label: curve(tested[MASSES.index(FOCUS)]) for label, tested in by_mass.items()}
            averages = {label: list(map(mean_auc, tested)) for label, tested in by_mass.items()}
            plots.roc(at_focus, **look, figure=parts[0])
            plots.auc(averages, **masses, figure=parts[1])
            plots.differences(gaps(rows, minus_parametrised(features)), **masses, figure=parts[2])
            (upper,), _, (lower,) = (part.axes for part in parts)
            upper.set(title=f"{features.capitalize()} features", ylabel="background rejection")
            lower.set_yscale("symlog", linthresh=1)
            lower.yaxis.set_major_formatter("{x:g}")
            lower.set_ylabel("AUC minus parametrised (points)")
            for part in parts:
                part.axes[0].grid()
        figure.legend(handles=upper.get_lines(), loc="outside lower center", ncols=4)
    yield (
        "Fig. 7, above: background rejection against signal efficiency at {focus:g} GeV. Fig. 8, middle: AUC against "
        "mass, full circles at masses trained on, open squares at others. Below, AUC minus that of the parametrised "
        "network with the same features, on the same test events, with its standard error; logarithmic beyond a point.",
        figure,
    )


def rise(rows: Sequence[Mapping]) -> dict[str, Estimate]:
    """By how much the AUC of the parametrised network with low-level features rises from each mass to the next."""
    by_mass = zip(*(row["tested"] for row in pick(rows, row="parametrised, low-level")), strict=True)
    found = {}
    for lighter, heavier in pairwise(by_mass):
        risen = [100 * (b["auc"] - a["auc"]) for a, b in zip(lighter, heavier, strict=True)]
        error = 100 * math.hypot(mean_auc(lighter).auc_error, mean_auc(heavier).auc_error)
        found[f"{heavier[0]['theta']:g} GeV"] = over_trainings(risen, error)
    return found


FIXED, MIXTURE = f"A network trained at {FOCUS} GeV alone", "A network on the mixture that is not told the mass"
SAID = (  # of a network against the parametrised one, at some masses
    (f"{FIXED} = the parametrised one", "fixed", (FOCUS,), EQUAL, "Fig. 7"),
    (f"The parametrised network without {FOCUS} GeV = the one with it", "interpolating", (FOCUS,), EQUAL, "Fig. 7"),
    (f"{MIXTURE} is worse than the parametrised one", "mixture", (FOCUS,), below(0), "Fig. 7"),
    (f"{FIXED} is worse than the parametrised one at each other mass", "fixed", OTHERS, below(0), "Fig. 8"),
    (f"{MIXTURE} is worse than the parametrised one at each mass", "mixture", MASSES, below(0), "Fig. 8"),
)
EXPERIMENT = Experiment(
    id="pnn-fig-7",
    where="Figs. 7 and 8",
    summary="deep networks, parametrised, fixed and on a mixture of masses, with low-level features and with all",
    introduction=(
        "Networks of five hidden layers of {units[0]} units on {data[name]} events: {data[n_train]:,} for training and "
        "validation, {data[n_test]:,} for the test, {epochs} epochs, {seeds}. Each is tested on the signal of one mass "
        "against the whole background. Baldi et al. (2016) show curves without numbers."
    ),
    scales={
        "smoke": Config(**QUICK | {"epochs": 2, "units": (50,) * 5}, n_train=20_000, n_test=10_000),
        "embedded": Config(**QUICK),
        "paper": Config(sample="hepmass"),
    },
    load=Config.load,
    names=lambda config: [f"{network}, {features}" for features in FEATURES for network in NETWORKS],
    make_row=make_row,
    line=lambda row: "AUC " + ", ".join(f"{100 * tested['auc']:.2f}" for tested in row["tested"]) + " %",
    tables=tables,
    figures=figures,
    claims=(
        *(
            Claim(
                f"{said}, AUC with {features} features",
                estimates({f"{m} GeV": (f"{name}, {features}", f"parametrised, {features}", at(m)) for m in masses}),
                criterion,
                where=where,
            )
            for features in FEATURES
            for said, name, masses, criterion, where in SAID
        ),
        Claim(
            f"With low-level features alone each network is as good as with all, AUC at {FOCUS} GeV",
            estimates({label: (*pair, at(FOCUS)) for label, pair in LOW_AND_ALL.items()}),
            EQUAL,
            where="Fig. 7",
        ),
        Claim("AUC of the parametrised network rises with mass, from each to the next", rise, above(0), where="Fig. 8"),
    ),
    departures=(
        SIMULATED,
        "Without momentum the optimiser is Adam. The epoch with the best validation AUC is kept, not the last.",
        "Every network sees the whole background, in batches of half signal and half background. A fixed network has "
        "the signal of one mass of the sample: the paper gives it seven million events of its own.",
        "Masses of background events are drawn once from those trained on, so that the missing mass is never shown.",
    ),
)
