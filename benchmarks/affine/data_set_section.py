"""What AFFINE's data set looks like: Table 1 and Figs. 2a, 3, 4 and 5, from rows alone."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.affine.departures import of_size
from benchmarks.comparison import Cell, Comparison, Finding, Section, listed
from benchmarks.data.hepmass_imb import COUNTS
from benchmarks.published import AFFINE_TABLE_1, MASSES
from benchmarks.style import BLUE, INK, MASS_COLOURS, QUIET, VERMILION, style

SYMBOLS = {
    "m_wwbb": "$m_{WWbb}$",
    "lep_pt": "$p_T$ of the lepton",
    "jet1_pt": "$p_T$ of jet 1",
    "jet3_pt": "$p_T$ of jet 3",
    "m_jlv": r"$m_{j\ell\nu}$",
}
OFFICIAL = 700_000  # signal events at each mass in HEPMASS, before the imbalance


def section(record: dict) -> Section:
    """Everything for the report, from the first row: another seed draws another HEPMASS-IMB, nothing else."""
    row, data = record["rows"][0], record["data"]
    return Section(
        title="AFFINE Table 1 and Figs. 2 to 5",
        introduction=(
            f"{data['name']} events, {data['n_train']:,} for training and {data['n_test']:,} for the test, and their "
            f"imbalanced version HEPMASS-IMB, drawn with seed {row['seed']} by the recipe of Anzalone, Diotallevi and "
            "Bonacorsi, arXiv:2202.00424. Nothing is trained; histograms and correlations are of training events."
        ),
        findings=tuple(_findings(row)),
        tables=(
            ("Both sets beside Table 1 of the paper.", _sets(row)),
            ("Events of each kind, and the share that HEPMASS-IMB keeps, beside that of the paper.", _kinds(row)),
            (
                "Common area of the densities of signal and background, 1 if they are the same, of the feature of "
                f"Fig. 2a and those of Fig. 3, in {len(row['imbalanced_signal'][0])} bins.",
                _overlaps(row),
            ),
        ),
        figures=(
            (
                "Figs. 2a and 5a: the reconstructed mass in the balanced set and in HEPMASS-IMB, where the background "
                "is weighted by 1/5 as in the paper.",
                plot(record["rows"]),
            ),
            ("Fig. 3: densities of four more features, of the background (grey) and of each mass.", _features(row)),
            ("Fig. 4: Pearson correlations of the features, signal and background together.", _correlations(row)),
            ("Fig. 5b: signal events at each mass, before and after the draw.", _imbalance(row)),
        ),
        departures=tuple(_departures(record["configuration"])),
    )


def plot(rows: Sequence[Mapping]) -> Figure:
    """Figs. 2a and 5a: the reconstructed mass, balanced and imbalanced."""
    row = rows[0]
    histogram = row["histograms"]["m_wwbb"]
    with style():
        figure = Figure(figsize=(9.6, 3.9))
        left, right = figure.subplots(1, 2)
        for axes, signal, factor in ((left, histogram["signal"], 1), (right, row["imbalanced_signal"], 0.2)):
            background = factor * np.array(histogram["background"])
            axes.stairs(background, histogram["edges"], fill=True, color=QUIET, alpha=0.45)
            for mass, counts in zip(row["masses"], signal, strict=True):
                axes.stairs(counts, histogram["edges"], color=_colour(mass), lw=1.4)
            axes.set_xlabel(f"{SYMBOLS['m_wwbb']} ({histogram['unit']})")
            axes.set_ylabel("events in a bin")
            axes.margins(x=0)
        left.set_title("Balanced")
        right.set_title(r"HEPMASS-IMB, background $\times$ 1/5")
        right.set_yscale("log")
        right.set_ylim(bottom=0.8)
        figure.legend(handles=_handles(row), loc="outside lower center", ncols=6)
    return figure


def _features(row: Mapping) -> Figure:
    names = [name for name in row["histograms"] if name != "m_wwbb"]
    with style():
        figure = Figure(figsize=(9.6, 6))
        for axes, name in zip(figure.subplots(2, 2).ravel(), names, strict=True):
            histogram = row["histograms"][name]
            width = histogram["edges"][1] - histogram["edges"][0]
            background = _density(histogram["background"], row["train"]["background"], width)
            axes.stairs(background, histogram["edges"], fill=True, color=QUIET, alpha=0.45)
            for mass, counts, total in zip(row["masses"], histogram["signal"], row["train"]["signal"], strict=True):
                axes.stairs(_density(counts, total, width), histogram["edges"], color=_colour(mass), lw=1.4)
            axes.set_title(f"f{row['features'].index(name)}: {SYMBOLS[name]}")
            axes.set_xlabel(f"{SYMBOLS[name]} ({histogram['unit']})")
            axes.set_yticks([])
            axes.margins(x=0)
        figure.supylabel("density", fontsize=10)
        figure.legend(handles=_handles(row), loc="outside lower center", ncols=6)
    return figure


def _density(counts, total: int, width: float) -> np.ndarray:
    return np.array(counts) / (total * width)


def _correlations(row: Mapping) -> Figure:
    names = [f"f{i}  {name}" for i, name in enumerate(row["features"])]
    colours = LinearSegmentedColormap.from_list("correlation", [BLUE, "#ffffff", VERMILION])
    with style():
        figure = Figure(figsize=(8.2, 7.2))
        axes = figure.subplots()
        image = axes.imshow(row["correlations"], cmap=colours, vmin=-1, vmax=1)
        axes.set_xticks(range(len(names)), [f"f{i}" for i in range(len(names))], fontsize=7.5, rotation=90)
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.tick_params(length=0)
        figure.colorbar(image, ax=axes, label="Pearson correlation", shrink=0.8)
    return figure


def _imbalance(row: Mapping) -> Figure:
    with style():
        figure = Figure(figsize=(5.6, 3.4))
        axes = figure.subplots()
        places = np.arange(len(row["masses"]))
        colours = [_colour(mass) for mass in row["masses"]]
        axes.bar(places, row["train"]["signal"], 0.75, color="none", edgecolor=QUIET, lw=1, label="balanced")
        bars = axes.bar(places, row["imbalanced"]["signal"], 0.75, color=colours, label="HEPMASS-IMB")
        axes.bar_label(bars, [f"{count:,}" for count in row["imbalanced"]["signal"]], fontsize=8.5, padding=1)
        axes.set_yscale("log")
        axes.set_ylim(bottom=1)
        axes.set_xticks(places, [f"{mass:g}" for mass in row["masses"]])
        axes.set_xlabel("mass (GeV)")
        axes.set_ylabel("signal events for training")
        axes.tick_params(bottom=False)
        handles = [
            Line2D([], [], color=QUIET, marker="s", mfc="none", ls="", ms=9, label="balanced"),
            Line2D([], [], color=INK, marker="s", ls="", ms=9, label="HEPMASS-IMB"),
        ]
        axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    return figure


def _colour(mass: float) -> str:
    return MASS_COLOURS.get(round(mass), INK)


def _handles(row: Mapping) -> list[Line2D]:
    background = Line2D([], [], color=QUIET, lw=6, alpha=0.45, label="background")
    return [background, *(Line2D([], [], color=_colour(mass), label=f"{mass:g} GeV") for mass in row["masses"])]


def _sets(row: Mapping) -> Comparison:
    n_test = row["test"]["background"] + sum(row["test"]["signal"])
    lines = []
    for name, counts in (("HEPMASS", row["train"]), ("HEPMASS-IMB", row["imbalanced"])):
        paper, n_signal = AFFINE_TABLE_1[name], sum(counts["signal"])
        n_train = counts["background"] + n_signal
        cells = (
            Cell(n_train / 1e6, paper=paper.n_train / 1e6),
            Cell(n_test / 1e6, paper=paper.n_test / 1e6),
            Cell(100 * n_signal / n_train, paper=paper.signal),
            Cell(_ratio(counts["signal"]), paper=paper.signal_imbalance),
            Cell(len(row["features"]), paper=paper.n_features),
        )
        lines.append((name, cells))
    columns = ("training events (M)", "test events (M)", "signal (%)", "signal imbalance", "features")
    return Comparison("set", columns, tuple(lines), (2, 2, 1, 0, 0))


def _kinds(row: Mapping) -> Comparison:
    lines = [
        ("background", _kind(row["train"]["background"], row["test"]["background"], row["imbalanced"]["background"]))
    ]
    for i, mass in enumerate(row["masses"]):
        numbers = (row[part]["signal"][i] for part in ("train", "test", "imbalanced"))
        lines.append((f"signal, {mass:g} GeV", _kind(*numbers, paper=100 * COUNTS[round(mass)] / OFFICIAL)))
    columns = ("training", "test", "training, imbalanced", "kept (%)")
    return Comparison("events", columns, tuple(lines), (0, 0, 0, 2))


def _kind(n_train: int, n_test: int, n_kept: int, paper: float = 100.0) -> tuple[Cell, ...]:
    return Cell(n_train), Cell(n_test), Cell(n_kept), Cell(100 * n_kept / n_train, paper=paper)


def _overlaps(row: Mapping) -> Comparison:
    lines = tuple((name, tuple(map(Cell, h["overlap"]))) for name, h in row["histograms"].items())
    return Comparison(
        "overlap with background", tuple(f"{mass:g} GeV" for mass in row["masses"]), lines, (2,) * len(row["masses"])
    )


def _findings(row: Mapping) -> Iterator[Finding]:
    masses, reconstructed = row["masses"], row["histograms"]["m_wwbb"]
    medians = ", ".join(
        f"{median:,.0f}" if reconstructed["unit"] == "GeV" else f"{median:.2f}"
        for median in reconstructed["signal_median"]
    )
    rising = np.all(np.diff(reconstructed["signal_median"]) > 0)
    yield Finding(
        "f26 is the reconstructed mass",
        f"The paper supposes it. Its medians are {medians} {reconstructed['unit']} for signal at {listed(masses)} GeV: "
        f"they {'rise' if rising else 'do not rise throughout'} with the mass. (In HEPMASS-like events it is so by "
        "construction; the official files have no names.)",
    )
    hardest = [name for name, h in row["histograms"].items() if np.argmax(h["overlap"]) == 0]
    lightest, heaviest = ([h["overlap"][i] for h in row["histograms"].values()] for i in (0, -1))
    yield Finding(
        f"{masses[0]:g} GeV is the hardest",
        f"The paper: its features almost completely overlap with the background's. In {len(hardest)} of the "
        f"{len(row['histograms'])} features its overlap is the largest of all masses: {min(lightest):.2f} to "
        f"{max(lightest):.2f}, against {min(heaviest):.2f} to {max(heaviest):.2f} at {masses[-1]:g} GeV.",
    )
    paper, kept = AFFINE_TABLE_1["HEPMASS-IMB"], row["imbalanced"]["signal"]
    yield Finding(
        "Imbalance of the signal",
        f"{_ratio(kept):.0f} times more signal at {masses[0]:g} than at {masses[-1]:g} GeV. Table 1 of the paper has "
        f"\N{LEFT DOUBLE QUOTATION MARK}up to {paper.signal_imbalance:.0f}\N{RIGHT DOUBLE QUOTATION MARK}, though the "
        f"numbers in its text give {_ratio([COUNTS[mass] for mass in MASSES]):.0f}.",
    )
    matrix = np.array(row["correlations"])
    first, second = np.unravel_index(np.argmax(np.abs(np.triu(matrix, 1))), matrix.shape)
    n_strong = int(np.count_nonzero(np.abs(np.triu(matrix, 1)) > 0.5))
    yield Finding(
        "Correlations",
        f"{n_strong} of {len(matrix) * (len(matrix) - 1) // 2} pairs of features are correlated by more than 0.5 in "
        f"size, most of all {row['features'][first]} and {row['features'][second]}, by {matrix[first, second]:+.2f}.",
    )


def _ratio(counts: Sequence[int]) -> float:
    return max(counts) / min(counts)


def _departures(config: Mapping) -> Iterator[str]:
    if config["sample"] == "hepmass-like":
        yield (
            "The events are HEPMASS-like: simulated for this project after the description of HEPMASS. HEPMASS-IMB is "
            "made of them in the proportions of the paper."
        )
    else:
        yield "Features are in standard deviations: the official files do not say of what."
    yield from of_size(config)
    yield "Which events the paper's authors kept in HEPMASS-IMB is not published: this is another draw."
    yield "The AUC against the mass, beside the reconstructed mass in Fig. 2, is in the section on PNN Figs. 7 and 8."
    yield f"Histograms show the middle {100 * config['shown']:g} % of the events."
