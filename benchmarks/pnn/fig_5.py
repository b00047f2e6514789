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
from benchmarks.pnn.distributions import distribution, draw
from benchmarks.samples import Samples, Source
from benchmarks.style import style
from benchmarks.tables import Table, pick, table_of
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
    events, found = samples.train, []
    for feature in events.names:
        found.append(distribution(events, feature, config.sample))
        display.advance(1 / len(events.names), feature)
    n_signal = int(events.label.sum())
    return {
        "physical": config.sample == "hepmass-like",
        "distributions": found,
        "n_signal": n_signal,
        "n_background": len(events) - n_signal,
    }


def separations(row: Mapping) -> dict[str, np.ndarray]:
    """Of each feature, (n_masses,): the largest efficiency minus background efficiency of any selection of bins.

    This is half the summed difference of the shares: 0 for equal shapes, 1 for shapes that do not overlap.
    """
    found = {}
    for shares in row["distributions"]:
        gaps = np.subtract(shares["signal"], shares["background"])
        found[shares["feature"]] = (np.abs(gaps).sum(axis=1) + np.abs(gaps.sum(axis=1))) / 2
    return found


def tables(record: Mapping) -> Iterator[Table]:
    """Separation by each feature at each mass."""
    (row,) = record["rows"][:1]
    headings = [f"{mass:g} GeV" for mass in row["distributions"][0]["masses"]]
    ordered = sorted(separations(row).items(), key=lambda line: max(line[1]), reverse=True)
    yield table_of(
        "Separation: half the summed difference of the binned shares of signal and background, 0 for equal shapes and "
        "1 for shapes that do not overlap; the features that separate most at any mass come first.",
        "separation",
        {feature: dict(zip(headings, values, strict=True)) for feature, values in ordered},
    )


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """A panel a feature: background filled, the signal of two masses as lines."""
    masses, (row,) = record["configuration"]["masses"], record["rows"][:1]
    by_name = {found["feature"]: found for found in row["distributions"]}
    for caption, features in (("5: some of the low-level", SHOWN), ("6: the high-level", FEATURE_NAMES[N_LOW:])):
        n_lines = -(-len(features) // 3)
        with style():
            figure = Figure(figsize=(8.4, 2.1 * n_lines + 0.4))
            for place, feature in enumerate(features, 1):
                draw(figure.add_subplot(n_lines, 3, place), by_name[feature], masses, row["physical"])
            figure.supylabel("share per bin", size="medium")
            figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
        yield f"Fig. {caption} features.", figure


def of_masses(values: Callable[[Mapping], Iterable[float]]):
    """The measure of a claim: numbers of the heaviest masses, from the `separations` of the only row."""

    def of_rows(rows: Sequence[Mapping]) -> dict[str, Estimate]:
        row = pick(rows)[0]
        numbers, masses = list(values(separations(row))), row["distributions"][0]["masses"]
        return {f"{m:g} GeV": Estimate(x) for m, x in zip(masses[-len(numbers) :], numbers, strict=True)}

    return of_rows


def best(found: Mapping, names: Iterable[str]) -> np.ndarray:
    """The largest separation by any of some features, at each mass."""
    return np.max([found[name] for name in names], axis=0)


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
        claim(
            "Separation by m_wwbb increases from each mass to the next (by)",
            of_masses(lambda found: np.diff(found["m_wwbb"])),
            above(0),
            where="Fig. 8",
        ),
        claim(
            "At each mass a high-level feature separates better than all low-level (by)",
            of_masses(lambda found: best(found, FEATURE_NAMES[N_LOW:]) - best(found, FEATURE_NAMES[:N_LOW])),
            above(0),
            ours=True,
        ),
        claim(
            "No angle \N{GREEK SMALL LETTER PHI} separates",
            of_masses(lambda found: best(found, (name for name in FEATURE_NAMES if name.endswith("phi")))),
            below(0.05),
            ours=True,
        ),
    ),
    departures=(
        SIMULATED,
        "The paper's text does not name its two masses.",
        "The official files are standardised, and their constants are not published: only HEPMASS-like has units.",
        "Bins cover the quantiles from 0.2 % to 99 %; events outside are in none, but count in the normalisation.",
    ),
)
