"""PNN section 4, last paragraph: p(score | theta), calibrated, interpolated in theta, and tested at a theta left out.

Baldi et al., "Parameterized neural networks for high-energy physics" (2016), advocate this test and show none. First,
in a toy whose likelihood ratio is known, the ratio from a calibrated score stands beside the exact one, at theta that
the network and the calibration know and at theta that they do not. Then, on HEPMASS, a calibration without the signal
of a mass is held against the scores there, for a network that knows this mass and for one that does not.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import pnn_tf
from benchmarks.affine.texts import SIMULATED
from benchmarks.claims import Claim, Estimate, Missing, above, below, over_seeds, over_trainings
from benchmarks.experiment import Experiment
from benchmarks.pnn.hold_outs import CLASSES, WAYS, hold_outs
from benchmarks.pnn.recipes import fit
from benchmarks.pnn.shifted_gaussian import ERRORS, toy_errors, toy_figure, toy_row
from benchmarks.samples import Samples, Source
from benchmarks.style import style
from benchmarks.tables import Quantity, Table, long, pick, table
from benchmarks.terminal import Display
from benchmarks.training import QUICK, Recipe
from pnn_tf import plots

KNOWS, DOES_NOT = "a network that knows the mass", "a network that does not know it"


@dataclass(frozen=True)
class Config(Source, Recipe):
    """The events, of which half of the test events calibrate, the recipe of training, and what is particular here.

    The recipe is not AFFINE's: affine maps start at the identity, dropout is weaker and the rate of Adam falls.
    Networks by AFFINE's have a smaller AUC, and the offset of the score's logit differs from mass to mass by chance, so
    that what the score means cannot be interpolated.

    Args:
        decay: factor on the learning rate over an epoch.
        toy_thetas: theta that network and calibration of the toy know.
        toy_unseen: theta that they do not.
        toy_units: width of the hidden layers.
        toy_epochs: passes over the training events.
        n_toy: signal events at each theta, and background events, to train, to calibrate and to test each; as much
            background at each theta in training.
        masses: those to leave out, one at a time, GeV; each has neighbours.
    """

    epochs: int = 12
    decay: float = 0.7
    dropout: float = 0.1
    affine_start: str = "identity"
    toy_thetas: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0, 2.5)
    toy_unseen: tuple[float, ...] = (0.75, 1.25, 1.75, 2.25)
    toy_units: tuple[int, ...] = (32, 32)
    toy_epochs: int = 10
    n_toy: int = 20_000
    masses: tuple[float, ...] = (750.0, 1000.0, 1250.0)

    def optimizer(self, n_steps: int) -> keras.optimizers.Optimizer:
        """Adam with an exponentially falling rate."""
        return keras.optimizers.Adam(
            keras.optimizers.schedules.ExponentialDecay(self.learning_rate, n_steps, self.decay)
        )


def make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    """One network: of the toy, for all masses, or without one; what `hold_outs` and `toy_row` give."""
    if name == "toy":
        return toy_row(config, seed, display)
    masses, events = config.masses, samples.train
    if name != "all masses":
        masses = [mass for mass in masses if name == f"without {mass:.0f} GeV"]
        events = events.select(pnn_tf.hold_out(events.theta, events.label, masses))
    background = pnn_tf.Identical(events.hypotheses, sampled=True)
    network = fit(config, events, name, seed, display, work=0.5, conditioning="affine", background_theta=background)
    measured = hold_outs(network.model, *samples.test.split(0.5, seed=0), masses)
    display.advance(0.5, f"{name}, seed {seed}")
    toy_alone = {"thetas": [], "seen": [], "errors": {}, "x": [], "ratios": {}}
    return measured | toy_alone | {"n_train": network.n_train}


def of_tests(rows: Sequence[Mapping]) -> pd.DataFrame:
    """A line for each agreement: its entries, row and seed; `ks` in points.

    `chance` is what `ks` stays below, by chance alone, in 95 % of all cases; `ratio` is that of the two.
    """
    found = [{"row": row["row"], "seed": row["seed"], **one} for row in pick(rows) for one in row["agreements"]]
    found = pd.DataFrame(found)
    agreements = found[list(pnn_tf.Agreement._fields)].itertuples(index=False)
    chance = np.array([pnn_tf.Agreement(*one).chance for one in agreements])
    return found.assign(ks=100 * found["ks"], chance=100 * chance, ratio=found["ks"] / chance)


def of_parts(rows: Sequence[Mapping]) -> pd.DataFrame:
    """A line for each left-out mass and seed: KS distances of signal by a network that knows it and one that does not.

    `added` is their difference, the network's own part; `auc` is what its AUC at this mass loses; all in points.
    """
    found, lines = of_tests([row for row in rows if row["row"] != "toy"]), []
    found = found[(found["calibration"] == "left out") & (found["label"] == "signal")]
    auc = {(row["row"], row["seed"], of["theta"]): 100 * of["auc"] for row in pick(rows) for of in row["curves"]}
    ks = {(one.row, one.seed, one.theta): one.ks for one in found.itertuples()}
    for name, seed, theta in ks:
        known = "all masses", seed, theta
        if name != known[0] and known in ks:
            own = name, seed, theta
            parts = {"known": ks[known], "unknown": ks[own], "added": ks[own] - ks[known], "auc": auc[own] - auc[known]}
            lines.append({"theta": theta, "seed": seed} | parts)
    return pd.DataFrame(lines, columns=["theta", "seed", "known", "unknown", "added", "auc"])


def tables(record: Mapping) -> Iterator[Table]:
    """Each test, whose part it is at masses that a network does not know, and the toy's likelihood ratio."""
    found = of_tests(record["rows"])
    found["row"] += ": " + found["label"] + found["theta"].map(" at {:g}".format)
    columns = {f"KS, {said}": ("ks", way) for way, said in WAYS.items()}
    columns |= {f"by chance, {said}": ("chance", way) for way, said in WAYS.items()}
    parts = [
        found.assign(quantity=name, value=found[field])[found["calibration"] == way]
        for name, (field, way) in columns.items()
    ]
    yield table(
        "Calibrations without the signal of a theta, and with it, against test events there: KS distance in points, "
        "the largest error of the efficiency of a cut; by chance alone it stays below the last columns in 95 % of all "
        "cases.",
        "",
        pd.concat(parts).assign(decimals=2, spread=True, paper=np.nan),
        columns="quantity",
    )
    columns = {
        "known": f"KS, {KNOWS}",
        "unknown": f"KS, {DOES_NOT}",
        "added": "difference",
        "auc": "change of the AUC",
    }
    parts = of_parts(record["rows"]).melt(["theta", "seed"], list(columns), "quantity")
    if len(parts):
        parts["row"] = parts["theta"].map("signal at {:g} GeV".format)
        parts["quantity"] = parts["quantity"].map(columns)
        yield table(
            "Calibrations without the signal of a mass: the calibration's part of the KS distance, by a network that "
            "knows the mass, and what a network adds that does not know it, in points; and how its AUC changes.",
            "parts",
            parts.assign(decimals=2, spread=True, paper=np.nan),
            columns="quantity",
        )
    errors = {said: Quantity(lambda row, field=field: toy_errors(row, field)) for field, said in ERRORS.items()}
    yield table(
        "The toy: root mean square difference to the exact probability of signal, in points, at theta that network and "
        "calibration know, at others, and the largest.",
        "toy",
        long(pick(record["rows"], row="toy"), errors, at=("known theta", "unseen theta", "largest")),
        lines="quantity",
    )


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """KS distances; densities of the score, for a network that knows a mass and one that does not; and the toy."""
    rows, seed = record["rows"], record["rows"][0]["seed"]
    (known,) = pick(rows, row="all masses", seed=seed)
    unknown = [pick(rows, row=f"without {of['theta']:.0f} GeV", seed=seed)[0] for of in known["curves"]]
    with style():
        figure = Figure(figsize=(7.4, 3.6))
        without = [row for row in rows if row["row"].startswith("without")]
        tests = {"known to the network": _tests(pick(rows, row="all masses")), "unknown to it": _tests(without)}
        plots.calibration(tests, label="mass that was left out (GeV)", figure=figure)
    yield (
        "KS distances between calibrations without the signal of a mass and test events there, mean over the seeds. "
        "Dashed: what they stay below by chance alone in 95 % of all cases.",
        figure,
    )
    with style():
        figure = Figure(figsize=(3.1 * len(unknown), 6.0))
        columns = figure.subfigures(2, len(unknown), squeeze=False).T
        for column, *both in zip(columns, known["curves"], [row["curves"][0] for row in unknown], strict=True):
            for panel, of, how in zip(column, both, ("on all", "without it"), strict=True):
                found = pnn_tf.EventsInBins(of["edges"], *(of[f"{n}found_{c}"] for n in ("", "n_") for c in CLASSES))
                calibrated = pnn_tf.Densities(*(of[field] for field in pnn_tf.Densities._fields))
                plots.densities(calibrated, found, legend=False, figure=panel)
                panel.axes[0].set_title(f"{of['theta']:g} GeV, trained {how}")
        figure.legend(*panel.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    yield (
        "The score's density at a mass that was left out of the calibration, per unit of the score's logit: lines, as "
        "interpolated; points, test events with their statistical error. The network is trained on all masses, above, "
        "or without the one left out, below.",
        figure,
    )
    yield (
        "The toy. Left, the likelihood ratio at a theta that neither network nor calibration know. Right, the root "
        "mean square difference to the exact probability of signal, r / (1 + r), at each theta.",
        toy_figure(pick(rows, row="toy", seed=seed)[0]),
    )


def _tests(rows: Sequence[Mapping]) -> list[pnn_tf.HoldOut]:
    """Those of calibrations without the signal of their theta, mean over the seeds."""
    found = of_tests(rows)
    found = found[found["calibration"] == "left out"].assign(ks=found["ks"] / 100)
    means = found.groupby(["theta", "label"])[list(pnn_tf.Agreement._fields)].mean()
    return [
        pnn_tf.HoldOut(theta, **{label: pnn_tf.Agreement(*of.loc[theta, label]) for label in CLASSES})
        for theta, of in means.groupby(level="theta")
    ]


def beside_chance(row: str, way: str, label: str) -> Callable[[Sequence[Mapping]], dict[str, Estimate]]:
    """The measure of a claim: by theta, the largest KS distance of all trainings, as a multiple of the chance limit."""

    def of_rows(rows: Sequence[Mapping]) -> dict[str, Estimate]:
        found = of_tests(rows)
        found = found[found["row"].str.startswith(row) & (found["calibration"] == way) & (found["label"] == label)]
        if not len(found):
            raise Missing("not finished")
        return {f"at {theta:g}": Estimate(float(own["ratio"].max())) for theta, own in found.groupby("theta")}

    return of_rows


def not_knowing(rows: Sequence[Mapping]) -> Estimate:
    """What networks without a mass add to the KS distance, mean over the masses."""
    return over_trainings(of_parts(rows).groupby("seed")["added"].mean())


LIMIT = {"unit": "x chance", "ours": True, "chance": False}  # of each training
EXPERIMENT = Experiment(
    id="pnn-calibration",
    where="section 4: calibration",
    summary="p(score | theta) interpolated in theta, held against a known ratio and at masses left out",
    introduction=(
        "p(score | theta) of signal and background, interpolated in theta, and the likelihood ratio from it. A toy "
        "with a known ratio, {n_toy:,} signal events at each theta; and {data[name]} events, {data[n_train]:,} for "
        "training and {data[n_test]:,} in two halves to calibrate and to test; {seeds}. Baldi et al. (2016) advocate "
        "the test of a calibration at a theta that it was made without, and show none."
    ),
    scales={
        "smoke": Config(epochs=4, n_train=20_000, n_test=20_000, n_toy=2000, toy_epochs=2, **QUICK),
        "embedded": Config(**QUICK),
        "paper": Config(sample="hepmass", n_toy=200_000),
    },
    load=Config.load,
    names=lambda config: ["toy", "all masses", *(f"without {mass:.0f} GeV" for mass in config.masses)],
    make_row=make_row,
    line=lambda row: f"KS distance at most {of_tests([row])['ks'].max():.2f} points",
    tables=tables,
    figures=figures,
    claims=(
        Claim(
            f"Calibrated without a mass, the signal's KS distance there is within 1.5 times chance, for {KNOWS}",
            beside_chance("all masses", "left out", "signal"),
            below(1.5),
            **LIMIT,
        ),
        Claim(
            f"Calibrated without a mass, the background's KS distance there is within chance, for {KNOWS}",
            beside_chance("all masses", "left out", "background"),
            below(1),
            **LIMIT,
        ),
        Claim(
            f"Calibrated without a mass, the signal's KS distance there is within 1.5 times chance, for {DOES_NOT}",
            beside_chance("without", "left out", "signal"),
            below(1.5),
            **LIMIT,
        ),
        Claim(
            f"Calibrated with a mass, the signal's KS distance there is within 1.5 times chance, for {DOES_NOT}",
            beside_chance("without", "there", "signal"),
            below(1.5),
            **LIMIT,
        ),
        Claim(
            "Calibrated at other theta, the toy's signal at an unseen theta is within 1.5 times chance",
            beside_chance("toy", "left out", "signal"),
            below(1.5),
            **LIMIT,
        ),
        *(
            Claim(
                f"The toy's likelihood ratio is nearer to the exact one with calibration, at {at} theta",
                over_seeds(
                    lambda row, i=i: toy_errors(row, "calibrated")[i] - toy_errors(row, "network")[i],
                    partial(pick, row="toy"),
                ),
                below(0),
                ours=True,
            )
            for i, at in enumerate(("known", "unseen"))
        ),
        Claim(
            "Networks that do not know the mass add to the KS distance of an interpolated calibration",
            not_knowing,
            above(0),
            ours=True,
        ),
    ),
    departures=(
        "The paper names the test and cites interpolation algorithms; interpolation, smoothing and statistics are "
        "ours.",
        SIMULATED,
        "Without a mass, its neighbours are 500 GeV apart, twice the distance at which a search with all masses "
        "interpolates: the test is harder than the use.",
    ),
)
