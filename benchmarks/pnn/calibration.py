"""PNN section 4, last paragraph: p(score | theta), calibrated, interpolated in theta, and tested at a theta left out.

Baldi et al., "Parameterized neural networks for high-energy physics" (2016), advocate this test and show none. First,
in a toy whose likelihood ratio is known, the ratio from a calibrated score stands beside the exact one, at theta that
the network and the calibration know and at theta that they do not. Then, on HEPMASS, a calibration without the signal
of a mass is held against the scores there, for a network that knows this mass and for one that does not.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

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
from benchmarks.tables import Quantity, Table, long, pick, table, table_of
from benchmarks.terminal import Display
from benchmarks.training import QUICK, Recipe
from pnn_tf import plots

ENOUGH = 0.01  # p-value below which a test has failed


@dataclass(frozen=True)
class Config(Source, Recipe):
    """The events, of which half of the test events calibrate, the recipe of training, and what is particular here.

    Args:
        toy_thetas: theta that network and calibration of the toy know.
        toy_unseen: theta that they do not.
        toy_units: width of the hidden layers.
        toy_epochs: passes over the training events.
        n_toy: signal events at each theta, and background events, to train, to calibrate and to test each; as much
            background at each theta in training.
        toy_bins: of the toy's calibrations.
        masses: those to leave out, one at a time, GeV; each has neighbours.
        n_bins: of the calibrations on the sample.
    """

    toy_thetas: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0, 2.5)
    toy_unseen: tuple[float, ...] = (0.75, 1.25, 1.75, 2.25)
    toy_units: tuple[int, ...] = (32, 32)
    toy_epochs: int = 10
    n_toy: int = 20_000
    toy_bins: int = 40
    masses: tuple[float, ...] = (750.0, 1000.0, 1250.0)
    n_bins: int = 20


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
    measured = hold_outs(network.model, *samples.test.split(0.5, seed=0), masses, config.n_bins)
    display.advance(0.5, f"{name}, seed {seed}")
    toy_alone = {"thetas": [], "seen": [], "errors": {}, "x": [], "ratios": {}}
    return measured | toy_alone | {"n_train": network.n_train}


def of_tests(rows: Sequence[Mapping]) -> pd.DataFrame:
    """A line for each agreement: its entries, row and seed; `chi2` for each degree of freedom, `ks` in points.

    `chance` is what `ks` stays below, by chance alone, in 95 % of all cases; `group` is "toy" or "HEPMASS"; `passed` is
    in per cent, NaN where a calibration was refused.
    """
    found = [{"row": row["row"], "seed": row["seed"], **one} for row in pick(rows) for one in row["agreements"]]
    found = pd.DataFrame(found).astype(dict.fromkeys(pnn_tf.Agreement._fields, float))
    return found.assign(
        chi2=found["chi2"] / found["n_dof"],
        ks=100 * found["ks"],
        chance=100 * plots.CHANCE / np.sqrt(found["n_effective"]),
        group=np.where(found["row"] == "toy", "toy", "HEPMASS"),
        passed=(100.0 * (found["p_value"] > ENOUGH)).where(found["refused"].isna()),
    )


def tables(record: Mapping) -> Iterator[Table]:
    """Each test, and the toy's likelihood ratio."""
    found = of_tests(record["rows"])
    found["row"] += ": " + found["label"] + found["theta"].map(" at {:g}".format)
    columns = {f"{name}, {said}": (name.lower(), [way]) for way, said in WAYS.items() for name in ("chi2", "KS")}
    columns["KS by chance, left out"] = ("chance", ["horizontal", "vertical"])
    columns["KS by chance, there"] = ("chance", ["there"])
    parts = [
        found.assign(quantity=name, value=found[field])[found["calibration"].isin(ways)]
        for name, (field, ways) in columns.items()
    ]
    yield table(
        "Calibrations against test events at theta that they were made without, and at theta that they know: chi2 for "
        "each degree of freedom, and KS distance in points, the largest error of an efficiency over all cuts; by "
        "chance alone it stays below the last columns in 95 % of all cases. En dash: a bin without events was refused.",
        "",
        pd.concat(parts).assign(decimals=2, spread=True, paper=np.nan),
        columns="quantity",
    )
    of_all = found.dropna(subset="passed").groupby(["group", "calibration"], sort=False)[
        ["row", "passed", "chi2", "ks"]
    ]
    of_all = of_all.agg({"row": "size", "passed": "mean", "chi2": "median", "ks": "max"})
    of_all.columns = ["tests", "passed (%)", "median chi2", "largest KS"]
    yield table_of(
        f"All tests that were not refused, and how many have a p-value above {ENOUGH:g}.",
        "all tests",
        {f"{group}: {WAYS[way]}": dict(numbers) for (group, way), numbers in of_all.iterrows()},
        (0, 0, 2, 2),
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
    """Densities of the score, a column a mass, for a network that knows it and one that does not; and the toy."""
    rows, seed = record["rows"], record["rows"][0]["seed"]
    (known,) = pick(rows, row="all masses", seed=seed)
    with style():
        figure = Figure(figsize=(3.1 * len(known["bins"]), 6.0))
        columns = figure.subfigures(2, len(known["bins"]), squeeze=False).T
        for column, of_known in zip(columns, known["bins"], strict=True):
            (unknown,) = pick(rows, row=f"without {of_known['theta']:.0f} GeV", seed=seed)
            for panel, bins, how in zip(column, (of_known, *unknown["bins"]), ("on all", "without it"), strict=True):
                found = pnn_tf.EventsInBins(*(bins[f"{n}found_{of}"] for n in ("", "n_") for of in CLASSES))
                calibrated = pnn_tf.Bins(*(bins[field] for field in pnn_tf.Bins._fields))
                plots.densities(calibrated, found, legend=False, figure=panel)
                panel.axes[0].set_title(f"{bins['theta']:g} GeV, trained {how}")
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


def passed(group: str, way: str) -> Callable[[Sequence[Mapping]], Estimate]:
    """The measure of a claim: per cent of a group's tests of a calibration, not refused, that pass."""

    def of_rows(rows: Sequence[Mapping]) -> Estimate:
        found = of_tests(rows)
        share = found["passed"][(found["group"] == group) & (found["calibration"] == way)].mean()
        if np.isnan(share):
            raise Missing("not finished, or refused")
        return Estimate(float(share))

    return of_rows


def not_knowing(rows: Sequence[Mapping]) -> Estimate:
    """Mean KS distance of the horizontal interpolation for networks without the mass, minus that for one with it."""
    found = of_tests([row for row in rows if row["row"] != "toy"])
    found = found[found["calibration"] == "horizontal"]
    mean = found.groupby([found["row"] == "all masses", "seed"])["ks"].mean().unstack(0)
    if mean.shape[1] < 2:
        raise Missing("not finished: networks with and without the masses")
    return over_trainings((mean[False] - mean[True]).dropna())


HOW = dict(zip(WAYS, ("Interpolated horizontally", "Interpolated vertically", "Made at theta itself"), strict=True))
PASSED = {"unit": "% of the tests", "decimals": 0, "ours": True, "chance": False}  # each is a test of one network
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
        "smoke": Config(
            epochs=4, n_train=20_000, n_test=20_000, n_bins=6, n_toy=2000, toy_epochs=2, toy_bins=8, **QUICK
        ),
        "embedded": Config(epochs=10, **QUICK),
        "paper": Config(sample="hepmass", n_toy=200_000),
    },
    load=Config.load,
    names=lambda config: ["toy", "all masses", *(f"without {mass:.0f} GeV" for mass in config.masses)],
    make_row=make_row,
    line=lambda row: f"KS distance at most {of_tests([row])['ks'].max():.2f} points",
    tables=tables,
    figures=figures,
    claims=(
        *(
            Claim(
                f"{how}, calibrations pass their test on other events ({group})",
                passed(group, way),
                above(90),
                **PASSED,
            )
            for group in ("HEPMASS", "toy")
            for way, how in HOW.items()
        ),
        Claim(
            "The toy's likelihood ratio is nearer to the exact one with calibration, at unseen theta",
            over_seeds(
                lambda row: toy_errors(row, "calibrated")[1] - toy_errors(row, "network")[1], partial(pick, row="toy")
            ),
            below(0),
            ours=True,
        ),
        Claim(
            "Interpolated calibrations are worse for a network that does not know the mass, mean KS distance",
            not_knowing,
            above(0),
            ours=True,
        ),
    ),
    departures=(
        "The paper names the test and cites interpolation algorithms; bins, interpolation and statistics are ours. "
        "Calibrations in these tests are not smoothed, so that chi2 has its distribution.",
        SIMULATED,
        "Without a mass, its neighbours are 500 GeV apart, twice the distance at which a search with all masses "
        "interpolates: the test is harder than the use.",
    ),
)
