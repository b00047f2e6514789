"""AFFINE Table 1 and Figs. 2a, 3, 4 and 5: the events, and their imbalanced version HEPMASS-IMB. Nothing is trained.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, section 3. Distributions and correlations are those of the
training events; features are in physical units where the sample knows them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
from matplotlib.figure import Figure

from benchmarks.affine.texts import PAPER, SIMULATED
from benchmarks.claims import Claim, Estimate, above, below, within
from benchmarks.data import imbalanced
from benchmarks.data.events import Events
from benchmarks.data.hepmass_imb import COUNTS
from benchmarks.data.hepmass_like import physical
from benchmarks.experiment import Experiment
from benchmarks.published import AFFINE_TABLE_1, DataSet
from benchmarks.samples import Samples, Source
from benchmarks.style import MASS_COLOURS, QUIET, style
from benchmarks.tables import Cell, Table, pick, table_of

DRAWN = {  # features of Figs. 2a and 3a to 3d
    "m_wwbb": "$m_{WWbb}$",
    "lep_pt": "$p_T$ of the lepton",
    "jet1_pt": "$p_T$ of jet 1",
    "jet3_pt": "$p_T$ of jet 3",
    "m_jlv": r"$m_{j\ell\nu}$",
}
FIG_3 = tuple(DRAWN)[1:]
OFFICIAL = 700_000  # signal events at each mass in HEPMASS, before the imbalance


@dataclass(frozen=True)
class Config(Source):
    """The events.

    Args:
        n_bins: bins of a histogram.
        shown: share of the events within the range of a histogram; half of the rest lies on each side.
    """

    n_bins: int = 60
    shown: float = 0.99


def make_row(config: Config, samples: Samples, name: str, seed: int, display) -> dict:
    """Counts, histograms and correlations of the sample; HEPMASS-IMB is drawn with the seed.

    `correlations` is (n_features, n_features) over all training events, `imbalanced_signal` the histogram `signal` of
    m_WWbb after the draw.
    """
    train, masses = samples.train, samples.train.hypotheses[:, 0]
    fewer = imbalanced(train, seed=seed)
    histograms = {feature: histogram(train, feature, config) for feature in DRAWN}
    m_wwbb = _signal(fewer, _physical(fewer, "m_wwbb", config)[0])
    display.advance(1, "counted")
    return {
        "masses": masses.tolist(),
        "features": list(train.names),
        "train": counts(train, masses),
        "test": counts(samples.test, masses),
        "imbalanced": counts(fewer, masses),
        "histograms": histograms,
        "imbalanced_signal": [np.histogram(part, histograms["m_wwbb"]["edges"])[0].tolist() for part in m_wwbb],
        "correlations": np.corrcoef(train.features, rowvar=False, dtype=np.float64).round(3).tolist(),
    }


def counts(events: Events, masses) -> dict:
    """Events of the `background`, and of the `signal` of each mass."""
    signal = events.theta[events.label == 1, 0]
    return {
        "background": int(np.count_nonzero(events.label == 0)),
        "signal": [int(np.count_nonzero(signal == mass)) for mass in masses],
    }


def histogram(events: Events, feature: str, config: Config) -> dict:
    """A feature of training events in bins of equal width; what lies outside the edges is in no bin.

    Returns:
        `unit`, "GeV" or "standard deviations", and `edges` in it; counts of `background` (n_bins,) and `signal`
        (n_masses, n_bins); by mass `overlap`, the common area of the densities of signal and background, 1 if they are
        the same; `background_median`, and `signal_median` by mass.
    """
    column, unit = _physical(events, feature, config)
    background, signal = column[events.label == 0], _signal(events, column)
    outside = (1 - config.shown) / 2
    edges = np.linspace(*np.quantile(column, (outside, 1 - outside)), config.n_bins + 1)
    # Overlaps have bins of their own, which reach to the ends: what is cut from the figure still counts.
    everywhere = np.concatenate([[-np.inf], edges[1:-1], [np.inf]])
    shares = [np.histogram(part, everywhere)[0] / len(part) for part in (background, *signal)]
    return {
        "unit": unit,
        "edges": [round(float(edge), 4) for edge in edges],
        "background": np.histogram(background, edges)[0].tolist(),
        "signal": [np.histogram(part, edges)[0].tolist() for part in signal],
        "overlap": [round(float(np.minimum(shares[0], share).sum()), 4) for share in shares[1:]],
        "background_median": round(float(np.median(background)), 3),
        "signal_median": [round(float(np.median(part)), 3) for part in signal],
    }


def _signal(events: Events, column: np.ndarray) -> list[np.ndarray]:
    """A column of the signal events of each mass."""
    return [column[(events.label == 1) & (events.theta[:, 0] == mass)] for (mass,) in events.hypotheses]


def _physical(events: Events, feature: str, config: Config) -> tuple[np.ndarray, str]:
    """(n_events,) float64 values of a feature, and their unit."""
    if config.sample != "hepmass-like":
        return events.features[:, events.names.index(feature)].astype(np.float64), "standard deviations"
    return physical(events, feature), "GeV"


def of_set(row: Mapping, which: str) -> DataSet:
    """A column of Table 1: "train" is HEPMASS, "imbalanced" HEPMASS-IMB."""
    signal, test = row[which]["signal"], row["test"]
    n_train, n_test = row[which]["background"] + sum(signal), test["background"] + sum(test["signal"])
    return DataSet(n_train, n_test, 100 * sum(signal) / n_train, max(signal) / min(signal), len(row["features"]))


def tables(record: Mapping) -> Iterator[Table]:
    """Both sets, the events of each kind, and how features of signal and background overlap; of the first row."""
    row = record["rows"][0]  # another seed draws another HEPMASS-IMB, nothing else
    headings = "training events (M)", "test events (M)", "signal (%)", "signal imbalance", "features"
    lines = {}
    for name, which in (("HEPMASS", "train"), ("HEPMASS-IMB", "imbalanced")):
        units = zip(headings, of_set(row, which), AFFINE_TABLE_1[name], (1e6, 1e6, 1, 1, 1), strict=True)
        lines[name] = {heading: Cell(ours / unit, paper=paper / unit) for heading, ours, paper, unit in units}
    yield table_of("Both sets beside Table 1 of the paper.", "set", lines, (2, 2, 1, 0, 0))

    kinds = {"background": 100.0} | {f"signal, {mass} GeV": 100 * n / OFFICIAL for mass, n in COUNTS.items()}
    numbers = zip(*([row[p]["background"], *row[p]["signal"]] for p in ("train", "test", "imbalanced")), strict=True)
    lines = {
        kind: {
            "training": train,
            "test": test,
            "training, imbalanced": kept,
            "kept (%)": Cell(100 * kept / train, paper=share),
        }
        for (kind, share), (train, test, kept) in zip(kinds.items(), numbers, strict=True)
    }
    caption = "Events of each kind, and the share that HEPMASS-IMB keeps, beside that of the paper."
    yield table_of(caption, "events", lines, (0, 0, 0, 2))

    unit = row["histograms"]["m_wwbb"]["unit"]
    for corner, field, decimals, caption in (
        ("overlap", "overlap", 2, "Common area of the densities of signal and background, 1 if they are the same."),
        ("median", "signal_median", 0 if unit == "GeV" else 2, f"Medians of the signal, in {unit}."),
    ):
        lines = {
            name: {f"{mass:g} GeV": number for mass, number in zip(row["masses"], h[field], strict=True)}
            for name, h in row["histograms"].items()
        }
        yield table_of(caption, corner, lines, decimals)


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """Figs. 2a, 5a and 3, 4, and 5b, of the first row."""
    row = record["rows"][0]
    yield (
        "Figs. 2a and 3: densities of features, of the background (grey) and of each mass. Fig. 5a: the reconstructed "
        "mass in HEPMASS-IMB, events in a bin; the background is weighted by 1/5 as in the paper.",
        _features(row),
    )
    yield "Fig. 4: Pearson correlations of the features, signal and background together.", _correlations(row)
    yield "Fig. 5b: signal events at each mass, before and after the draw.", _imbalance(row)


def _features(row: Mapping) -> Figure:
    imbalanced = np.multiply(0.2, row["histograms"]["m_wwbb"]["background"]), *row["imbalanced_signal"]
    totals = row["train"]["background"], *row["train"]["signal"]
    with style():
        figure = Figure(figsize=(10.2, 6))
        first, second, *others = figure.subplots(2, 3).T.ravel()
        _stairs(second, row, "HEPMASS-IMB", "m_wwbb", imbalanced)
        second.set(yscale="log", ylim=(0.8, None))
        for axes, (name, histogram) in zip((first, *others), row["histograms"].items(), strict=True):
            counts = histogram["background"], *histogram["signal"]
            shares = [np.divide(count, total) for count, total in zip(counts, totals, strict=True)]
            _stairs(axes, row, f"f{row['features'].index(name)}", name, shares)
            axes.set_yticks([])
        figure.legend(*first.get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return figure


def _stairs(axes, row: Mapping, title: str, name: str, histograms: Sequence) -> None:
    """A histogram of the background, filled, and of each mass, as lines."""
    histogram, (background, *signal) = row["histograms"][name], histograms
    axes.stairs(background, histogram["edges"], fill=True, color=QUIET, alpha=0.45, label="background")
    for mass, of_mass in zip(row["masses"], signal, strict=True):
        axes.stairs(of_mass, histogram["edges"], color=MASS_COLOURS[mass], lw=1.4, label=f"{mass:g} GeV")
    axes.margins(x=0)
    axes.set_title(title)
    axes.set_xlabel(f"{DRAWN[name]} ({histogram['unit']})")


def _correlations(row: Mapping) -> Figure:
    names = [f"f{i}  {name}" for i, name in enumerate(row["features"])]
    with style():
        figure = Figure(figsize=(8.6, 7.6))
        axes = figure.subplots()
        image = axes.imshow(row["correlations"], cmap="RdBu_r", vmin=-1, vmax=1)
        axes.set_xticks(range(len(names)), [f"f{i}" for i in range(len(names))], rotation=90)
        axes.set_yticks(range(len(names)), names)
        figure.colorbar(image, label="Pearson correlation", shrink=0.8)
    return figure


def _imbalance(row: Mapping) -> Figure:
    with style():
        figure = Figure(figsize=(5.6, 3.4))
        axes = figure.subplots()
        names = [f"{mass:g}" for mass in row["masses"]]
        axes.bar(names, row["train"]["signal"], color="none", edgecolor=QUIET, label="balanced")
        kept = axes.bar(names, row["imbalanced"]["signal"], color=MASS_COLOURS.values(), label="HEPMASS-IMB")
        axes.bar_label(kept, fmt="{:,.0f}")
        axes.set(yscale="log", ylim=(1, None), xlabel="mass (GeV)", ylabel="signal events for training")
        figure.legend(loc="outside lower center", ncols=2)
    return figure


def of_features(measure: Callable[[Mapping], float], *features: str):
    """From rows, a number of each feature's histogram."""
    return lambda rows: {name: Estimate(measure(pick(rows)[0]["histograms"][name])) for name in features}


def of_imbalanced(field: str):
    """From rows, a number of HEPMASS-IMB."""
    return lambda rows: Estimate(getattr(of_set(pick(rows)[0], "imbalanced"), field))


def correlated(rows: Sequence[Mapping]) -> dict[str, Estimate]:
    """The size of the correlation of each pair of features."""
    row = pick(rows)[0]
    pairs = combinations(enumerate(row["features"]), 2)
    return {f"{first}, {second}": Estimate(abs(row["correlations"][i][j])) for (i, first), (j, second) in pairs}


def n_strong(rows: Sequence[Mapping]) -> Estimate:
    """How many pairs are correlated by more than 0.5 in size."""
    return Estimate(sum(size.value > 0.5 for size in correlated(rows).values()))


TEXT = max(COUNTS.values()) / min(COUNTS.values())
RISE = of_features(lambda h: min(np.diff(h["signal_median"])), "m_wwbb")
OF_F26 = of_features(lambda h: min(h["overlap"][:2]), "m_wwbb")
OF_500 = of_features(lambda h: h["overlap"][0], *FIG_3)
HARDEST = of_features(lambda h: h["overlap"][0] - max(h["overlap"][1:]), *DRAWN)
IMBALANCE = of_imbalanced("signal_imbalance")
claim = partial(Claim, unit="", chance=False)

EXPERIMENT = Experiment(
    id="affine-data",
    where="Table 1, Figs. 2 to 5",
    summary="counts, distributions and correlations of the events, balanced and imbalanced",
    introduction="{data[name]} events, {data[n_train]:,} for training and {data[n_test]:,} for the test, and their "
    f"imbalanced version HEPMASS-IMB, drawn by the recipe of {PAPER}. Nothing is trained; histograms and correlations "
    "are of training events.",
    scales={"smoke": Config(n_train=20_000, n_test=10_000), "embedded": Config(), "paper": Config(sample="hepmass")},
    load=Config.load,
    names=lambda config: [config.sample],
    make_row=make_row,
    line=lambda row: f"{sum(row['train']['signal']):,} signal events, imbalanced {sum(row['imbalanced']['signal']):,}",
    tables=tables,
    figures=figures,
    claims=(
        claim("The median of f26, the reconstructed mass, rises with the mass (by)", RISE, above(0), where="Fig. 2a"),
        claim("Signal at 500 and 750 GeV overlaps with most background in f26", OF_F26, above(0.5), where="Fig. 2a"),
        claim("Signal at 500 GeV overlaps with the background almost completely", OF_500, above(0.9), where="Fig. 3"),
        claim("No mass overlaps with the background as much as 500 GeV (by)", HARDEST, above(0), where="section 3.1"),
        claim("HEPMASS-IMB has 13 % of signal", of_imbalanced("signal"), within(0.5, 13), 13, "Table 1", unit="%"),
        claim("HEPMASS-IMB has up to 166 times more signal at one mass", IMBALANCE, within(0.5, 166), 166, "Table 1"),
        claim("HEPMASS-IMB has a signal imbalance of 175, by the text", IMBALANCE, within(0.5, TEXT), TEXT, ours=True),
        claim("Few of 351 pairs of features correlate by over 0.5", n_strong, below(35), where="Fig. 4", ours=True),
        claim("No two features are nearly the same: correlation", correlated, below(0.9), where="Fig. 4", ours=True),
    ),
    departures=(
        SIMULATED + " HEPMASS-IMB is made of them in the proportions of the paper.",
        "Features of the official files are in standard deviations: they do not say of what.",
        "Which events the paper's authors kept in HEPMASS-IMB is not published: this is another draw.",
        "The AUC against the mass, beside the reconstructed mass in Fig. 2, is in the section on PNN Figs. 7 and 8.",
        "Histograms show the share {shown} of the events, without the ends.",
    ),
)
