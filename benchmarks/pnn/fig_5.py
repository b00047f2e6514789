"""PNN Figs. 5 and 6: distributions of the 22 low-level and the 5 high-level features, for background and two masses.

Baldi et al., "Parameterized neural networks for high-energy physics" (2016), section 5. Nothing is trained.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from benchmarks.affine.texts import SIMULATED
from benchmarks.claims import Claim, Estimate, above, below
from benchmarks.data.hepmass import FEATURE_NAMES
from benchmarks.experiment import Experiment
from benchmarks.pnn.distributions import bin_edges, distribution, draw, physical, separation
from benchmarks.pnn.recipes import Source
from benchmarks.samples import Samples
from benchmarks.style import style
from benchmarks.tables import Quantity, Table, long, pick, table
from benchmarks.terminal import Display

N_LOW = 22  # features of FEATURE_NAMES that are low-level; the invariant masses follow
SHOWN = ("lep_pt", "met", "n_jets", *(f"jet{jet}_pt" for jet in (1, 2, 3, 4)), "jet1_eta", "jet1_btag")  # in Fig. 5


@dataclass(frozen=True)
class Config(Source):
    """Which events, of which test events are not looked at, and the masses (GeV) of the signal that is drawn."""

    n_test: int | None = 1000
    masses: tuple[float, float] = (500.0, 1500.0)


def make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    """All distributions, one a feature; `physical` says whether they are in units or standardised."""
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


def separations(row: Mapping) -> dict[str, list[float]]:
    """Of each feature, at each mass."""
    return {found["feature"]: [separation(found, m) for m in found["masses"]] for found in row["distributions"]}


def tables(record: Mapping) -> Iterator[Table]:
    """Separation by each feature at each mass."""
    (row,) = record["rows"][:1]
    ordered = sorted(separations(row).items(), key=lambda line: max(line[1]), reverse=True)
    lines = [{"row": feature, "seed": row["seed"], "separation": values} for feature, values in ordered]
    yield table(
        "Separation: half the summed difference of the binned shares of signal and background, 0 for equal shapes and "
        "1 for shapes that do not overlap; the features that separate most at any mass come first.",
        "separation",
        long(lines, {"separation": Quantity("separation")}, at=row["distributions"][0]["masses"]),
        heading="{} GeV",
    )


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """A panel a feature: background filled, the signal of two masses as lines."""
    masses, (row,) = record["configuration"]["masses"], record["rows"][:1]
    by_name = {found["feature"]: found for found in row["distributions"]}
    for caption, features in (("5: some of the low-level", SHOWN), ("6: the high-level", FEATURE_NAMES[N_LOW:])):
        n_lines = -(-len(features) // 3)
        with style():
            figure = Figure(figsize=(8.4, 2.1 * n_lines + 0.4))
            grid = figure.subplots(n_lines, 3, squeeze=False)
            for axes, feature in zip(grid.flat, features, strict=False):
                draw(axes, by_name[feature], masses, row["physical"])
            for axes in grid.flat[len(features) :]:
                axes.remove()
            for axes in grid[:, 0]:
                axes.set_ylabel("share per bin")
            figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
        yield f"Fig. {caption} features.", figure


def of_masses(values: Callable[[Mapping], Iterable[float]]):
    """The measure of a claim: of the only row, numbers of the heaviest masses."""

    def of_rows(rows: Sequence[Mapping]) -> dict[str, Estimate]:
        (row,) = pick(rows, row="distributions")[:1]
        numbers, masses = list(values(separations(row))), row["distributions"][0]["masses"]
        return {f"{m:g} GeV": Estimate(x) for m, x in zip(masses[-len(numbers) :], numbers, strict=True)}

    return of_rows


def best(found: Mapping, names: Iterable[str]) -> np.ndarray:
    """The largest separation by any of some features, at each mass."""
    return np.max([found[name] for name in names], axis=0)


RISE = of_masses(lambda found: np.diff(found["m_wwbb"]))
HIGH = of_masses(lambda found: best(found, FEATURE_NAMES[N_LOW:]) - best(found, FEATURE_NAMES[:N_LOW]))
ANGLES = of_masses(lambda found: best(found, (name for name in FEATURE_NAMES if name.endswith("phi"))))
claim = partial(Claim, unit="", chance=False)  # nothing is trained

EXPERIMENT = Experiment(
    id="pnn-fig-5",
    where="Figs. 5 and 6",
    summary="distributions of low- and high-level features at two masses",
    introduction=(
        "Distributions of the features of {data[n_train]:,} {data[name]} events, for the background and for signal of "
        "{masses[0]:g} and {masses[1]:g} GeV, each normalised to its own number of events."
    ),
    scales={"smoke": Config(n_train=20_000), "embedded": Config(), "paper": Config(sample="hepmass")},
    load=Config.load,
    names=lambda config: ("distributions",),
    make_row=make_row,
    line=lambda row: f"{len(row['distributions'])} features of {row['n_signal'] + row['n_background']:,} events",
    tables=tables,
    figures=figures,
    claims=(
        claim("Separation by m_wwbb increases from each mass to the next (by)", RISE, above(0), where="Fig. 8"),
        claim("At each mass a high-level feature separates better than all low-level (by)", HIGH, above(0), ours=True),
        claim("No angle \N{GREEK SMALL LETTER PHI} separates", ANGLES, below(0.05), ours=True),
    ),
    departures=(
        SIMULATED,
        "The paper's text does not name its two masses.",
        "The official files are standardised, and their constants are not published: only HEPMASS-like has units.",
        "Bins cover the quantiles from 0.2 % to 99 %; events outside are in none, but count in the normalisation.",
    ),
)
