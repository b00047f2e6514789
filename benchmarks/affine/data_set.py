"""AFFINE Table 1 and Figs. 2a, 3, 4 and 5: the events, and their imbalanced version HEPMASS-IMB. Nothing is trained.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, section 3. Distributions and correlations are those of the
training events; features are in physical units where the sample knows them.
"""

from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from benchmarks.affine.data_set_section import plot, section
from benchmarks.data import imbalanced
from benchmarks.data.events import Events
from benchmarks.data.hepmass_like import physical
from benchmarks.rows import in_turn
from benchmarks.samples import Samples, load_samples
from benchmarks.terminal import Display

__all__ = ["SCALES", "Config", "Row", "load", "one_line", "plot", "run", "section"]

DRAWN = {"m_wwbb": "Fig. 2a", "lep_pt": "Fig. 3a", "jet1_pt": "Fig. 3b", "jet3_pt": "Fig. 3c", "m_jlv": "Fig. 3d"}


@dataclass(frozen=True)
class Config:
    """The events.

    Args:
        sample: "hepmass-like", simulated and part of the checkout, or "hepmass", the official files by download.
        n_train: training events drawn from the sample; None for all.
        n_test: test events drawn; None for all.
        n_bins: bins of a histogram.
        shown: share of the events within the range of a histogram; half of the rest lies on each side.
    """

    sample: str = "hepmass-like"
    n_train: int | None = None
    n_test: int | None = None
    n_bins: int = 60
    shown: float = 0.99


SCALES = {"smoke": Config(n_train=20_000, n_test=10_000), "embedded": Config(), "paper": Config(sample="hepmass")}


class Counts(TypedDict):
    """Events of each kind; `signal` by mass, in the order of `masses`."""

    background: int
    signal: list[int]


class Histogram(TypedDict):
    """Training events of one feature in bins of equal width; what lies outside the edges is in no bin.

    `background` is (n_bins,), `signal` (n_masses, n_bins). `overlap` is, by mass, the common area of the densities of
    signal and background, 1 if they are the same; `background_median` and `signal_median` are in the units of the
    edges, `unit` is "GeV" or "standard deviations".
    """

    unit: str
    edges: list[float]
    background: list[int]
    signal: list[list[int]]
    overlap: list[float]
    background_median: float
    signal_median: list[float]


class Row(TypedDict):
    """The sample, with the seed that HEPMASS-IMB is drawn with.

    `correlations` is (n_features, n_features) over all training events, `imbalanced_signal` the histogram `signal` of
    m_WWbb after the draw.
    """

    row: str
    seed: int
    masses: list[float]
    features: list[str]
    train: Counts
    test: Counts
    imbalanced: Counts
    histograms: dict[str, Histogram]
    imbalanced_signal: list[list[int]]
    correlations: list[list[float]]
    wall_s: float


def load(config: Config) -> Samples:
    """Reads the events of a configuration."""
    return load_samples(config.sample, config.n_train, config.n_test)


def make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    """Counts, histograms and correlations."""
    display.advance(0, "counting")
    train = samples.train
    masses = train.hypotheses[:, 0]
    fewer = imbalanced(train, seed=seed)
    histograms = {feature: histogram(train, feature, config) for feature in DRAWN}
    edges = np.array(histograms["m_wwbb"]["edges"])
    display.advance(1, "counted")
    return {
        "masses": masses.tolist(),
        "features": list(train.names),
        "train": counts(train, masses),
        "test": counts(samples.test, masses),
        "imbalanced": counts(fewer, masses),
        "histograms": histograms,
        "imbalanced_signal": [
            np.histogram(column, edges)[0].tolist() for column in _signal(fewer, _physical(fewer, "m_wwbb", config)[0])
        ],
        "correlations": correlations(train.features),
    }


run = in_turn(lambda config: [config.sample], make_row)


def counts(events: Events, masses) -> Counts:
    """Events of each kind."""
    signal = events.theta[events.label == 1, 0]
    return Counts(
        background=int(np.count_nonzero(events.label == 0)),
        signal=[int(np.count_nonzero(signal == mass)) for mass in masses],
    )


def histogram(events: Events, feature: str, config: Config) -> Histogram:
    """Counts, overlaps and medians of a feature, background and the signal of each mass."""
    column, unit = _physical(events, feature, config)
    background, signal = column[events.label == 0], _signal(events, column)
    outside = (1 - config.shown) / 2
    edges = np.linspace(*np.quantile(column, (outside, 1 - outside)), config.n_bins + 1)
    # Overlaps have bins of their own, which reach to the ends: what is cut from the figure still counts.
    everywhere = np.concatenate([[-np.inf], edges[1:-1], [np.inf]])
    shares = [np.histogram(part, everywhere)[0] / len(part) for part in (background, *signal)]
    return Histogram(
        unit=unit,
        edges=[round(float(edge), 4) for edge in edges],
        background=np.histogram(background, edges)[0].tolist(),
        signal=[np.histogram(part, edges)[0].tolist() for part in signal],
        overlap=[round(float(np.minimum(shares[0], share).sum()), 4) for share in shares[1:]],
        background_median=round(float(np.median(background)), 3),
        signal_median=[round(float(np.median(part)), 3) for part in signal],
    )


def correlations(features: np.ndarray) -> list[list[float]]:
    """Pearson correlations of the columns of (n_events, n_features), rounded."""
    return np.corrcoef(features, rowvar=False, dtype=np.float64).round(3).tolist()


def _signal(events: Events, column: np.ndarray) -> list[np.ndarray]:
    """A column of the signal events of each mass."""
    return [column[(events.label == 1) & (events.theta[:, 0] == mass)] for (mass,) in events.hypotheses]


def _physical(events: Events, feature: str, config: Config) -> tuple[np.ndarray, str]:
    """(n_events,) float64 values of a feature, and their unit."""
    if config.sample != "hepmass-like":
        return events.features[:, events.names.index(feature)].astype(np.float64), "standard deviations"
    return physical(events, feature), "GeV"


def one_line(row: Row) -> str:
    """What a log says of a finished row."""
    kept = sum(row["imbalanced"]["signal"])
    return f"{row['row']}, seed {row['seed']}: {sum(row['train']['signal']):,} signal events, imbalanced {kept:,}"
