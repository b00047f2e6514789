"""PNN Figs. 5 and 6: distributions of the 22 low-level and the 5 high-level features, for background and two masses.

Baldi et al., "Parameterized neural networks for high-energy physics" (2016), section 5. Nothing is trained.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from benchmarks.comparison import Cell, Comparison, Finding, Section
from benchmarks.data.events import Events
from benchmarks.data.hepmass import FEATURE_NAMES
from benchmarks.data.hepmass_like import read_recipe
from benchmarks.pnn.distributions import Distribution, bin_edges, distribution, draw, separation
from benchmarks.rows import in_turn
from benchmarks.samples import Samples, load_samples
from benchmarks.style import INK, MASS_COLOURS, style
from benchmarks.terminal import Display

N_LOW = 22  # features of FEATURE_NAMES that are low-level; the invariant masses follow
SHOWN = ("lep_pt", "met", "n_jets", *(f"jet{jet}_pt" for jet in (1, 2, 3, 4)), "jet1_eta", "jet1_btag")  # in Fig. 5
IN_GEV = ("_pt", "met", "m_jj", "m_jjj", "m_lv", "m_jlv", "m_wwbb")  # ends of names


@dataclass(frozen=True)
class Config:
    """Which events, and what is drawn of them.

    Args:
        sample: "hepmass-like", simulated and part of the checkout, or "hepmass", the official files by download.
        n_train: training events drawn from the sample, whose distributions these are; None for all.
        n_test: test events drawn; not looked at.
        masses: of the signal that is drawn, GeV.
    """

    sample: str = "hepmass-like"
    n_train: int | None = None
    n_test: int | None = 1000
    masses: tuple[float, float] = (500.0, 1500.0)


SCALES = {
    "smoke": Config(n_train=20_000),
    "embedded": Config(),
    "paper": Config(sample="hepmass"),
}


class Row(TypedDict):
    """All distributions, one a feature; `physical` says whether they are in units or standardised."""

    row: str
    seed: int
    physical: bool
    distributions: list[Distribution]
    n_signal: int
    n_background: int
    wall_s: float


def load(config: Config) -> Samples:
    """Reads the events of a configuration."""
    return load_samples(config.sample, config.n_train, config.n_test)


def physical(events: Events, sample: str) -> Events:
    """The events with features in GeV, radians and counts where the constants are known, else as they are."""
    if sample != "hepmass-like":
        return events
    recipe = read_recipe()
    features = events.features.astype(np.float64) * recipe["std"] + recipe["mean"]
    whole = [i for i, name in enumerate(events.names) if name == "n_jets" or name.endswith("btag")]
    features[:, whole] = features[:, whole].round()
    return replace(events, features=features)


def unit(feature: str, row: Mapping) -> str:
    """What a feature is measured in, for an axis."""
    if not row["physical"]:
        return "standardised"
    if feature.endswith(IN_GEV):
        return "GeV"
    return "rad" if feature.endswith("phi") else ""


def _make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    events = physical(samples.train, config.sample)
    found = []
    for feature, values in zip(events.names, events.features.T, strict=True):
        found.append(distribution(events, feature, bin_edges(values)))
        display.advance(1 / len(events.names), feature)
    n_signal = int(events.label.sum())
    return {
        "physical": config.sample == "hepmass-like",
        "distributions": found,
        "n_signal": n_signal,
        "n_background": len(events) - n_signal,
    }


run = in_turn(lambda config: ("distributions",), _make_row)


def one_line(row: Row) -> str:
    """What a log says of the finished row."""
    return f"{len(row['distributions'])} features of {row['n_signal'] + row['n_background']:,} events"


def plot(rows: Sequence[Row], features: Sequence[str] = SHOWN, masses: Sequence[float] = (500.0, 1500.0)) -> Figure:
    """A panel a feature: background filled, the signal of two masses as lines."""
    row = rows[0]
    by_name = _by_name(row)
    n_columns = 3
    n_lines = -(-len(features) // n_columns)
    with style():
        figure = Figure(figsize=(8.4, 2.1 * n_lines + 0.4))
        grid = figure.subplots(n_lines, n_columns, squeeze=False)
        for axes, feature in zip(grid.ravel(), features, strict=False):
            draw(axes, by_name[feature], masses, unit(feature, row))
        for axes in grid.ravel()[len(features) :]:
            axes.remove()
        for axes in grid[:, 0]:
            axes.set_ylabel("share per bin")
        handles = [Patch(color=INK, alpha=0.2, label="background")] + [
            Line2D([], [], color=MASS_COLOURS[int(mass)], label=f"signal, {mass:g} GeV") for mass in masses
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def section(record: dict) -> Section:
    """Everything for the report."""
    rows, data, masses = record["rows"], record["data"], record["configuration"]["masses"]
    return Section(
        title="PNN Figs. 5 and 6",
        introduction=(
            f"Distributions of the features of {data['n_train']:,} {data['name']} events, for the background and for "
            f"signal of {masses[0]:g} and {masses[1]:g} GeV, each normalised to its own number of events."
        ),
        findings=tuple(_findings(rows[0])),
        tables=(
            (
                "Separation: half the summed difference of the binned shares of signal and background, 0 for equal "
                "shapes and 1 for shapes that do not overlap; the features that separate most at any mass come first.",
                _separations(rows[0]),
            ),
        ),
        figures=(
            ("Fig. 5: some of the low-level features.", plot(rows, SHOWN, masses)),
            ("Fig. 6: the high-level features.", plot(rows, FEATURE_NAMES[N_LOW:], masses)),
        ),
        departures=tuple(_departures(record["configuration"])),
    )


def _findings(row: Mapping) -> Iterator[Finding]:
    by_name = _by_name(row)
    masses = row["distributions"][0]["masses"]
    along = [separation(by_name["m_wwbb"], mass) for mass in masses]
    rises = all(a < b for a, b in itertools.pairwise(along))
    yield Finding(
        "Separation against mass",
        "The paper: signal and background are the better separated the larger the mass. The separation by m_wwbb is "
        f"{', '.join(f'{s:.2f}' for s in along)} at {', '.join(f'{m:g}' for m in masses)} GeV: "
        f"{'so it is here' if rises else 'not so at every step here'}.",
    )
    best = {}
    for level, names in (("low", FEATURE_NAMES[:N_LOW]), ("high", FEATURE_NAMES[N_LOW:])):
        best[level] = [max((separation(by_name[name], mass), name) for name in names) for mass in masses]
    ahead = sum(high > low for (low, _), (high, _) in zip(best["low"], best["high"], strict=True))
    yield Finding(
        "High against low level",
        f"Of the high-level features one separates better than every low-level feature alone at {ahead} of "
        f"{len(masses)} masses. At {masses[0]:g} GeV the best are {best['low'][0][1]} ({best['low'][0][0]:.2f}) and "
        f"{best['high'][0][1]} ({best['high'][0][0]:.2f}), at {masses[-1]:g} GeV {best['low'][-1][1]} "
        f"({best['low'][-1][0]:.2f}) and {best['high'][-1][1]} ({best['high'][-1][0]:.2f}).",
    )
    blind = max(separation(by_name[name], mass) for name in FEATURE_NAMES if name.endswith("phi") for mass in masses)
    yield Finding(
        "Angles",
        f"No angle phi separates by more than {blind:.2f}, at any of the masses: a collision has no preferred one.",
    )


def _separations(row: Mapping) -> Comparison:
    masses = row["distributions"][0]["masses"]
    lines = {found["feature"]: [separation(found, mass) for mass in masses] for found in row["distributions"]}
    ordered = sorted(lines.items(), key=lambda line: max(line[1]), reverse=True)
    return Comparison(
        "separation",
        tuple(f"{mass:g} GeV" for mass in masses),
        tuple((name, tuple(map(Cell, values))) for name, values in ordered),
        (2,) * len(masses),
    )


def _departures(config: Mapping) -> Iterator[str]:
    masses = " and ".join(f"{mass:g}" for mass in config["masses"])
    yield f"The paper's text does not name its two masses; these are {masses} GeV."
    if config["sample"] == "hepmass-like":
        yield "The events are HEPMASS-like, simulated for this project; features are in physical units."
    else:
        yield "The official files are standardised, and their constants are not published: no physical units."
    yield "Bins cover the quantiles from 0.2 % to 99 %; events outside are in none, but count in the normalisation."


def _by_name(row: Mapping) -> dict[str, Distribution]:
    return {found["feature"]: found for found in row["distributions"]}
