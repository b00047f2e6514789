"""What the hold-out tests of calibrations say, from rows alone."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.comparison import Cell, Comparison, Finding, Section, cell
from benchmarks.style import BLUE, INK, ORANGE, QUIET, VERMILION, style

COLOURS = {"signal": VERMILION, "background": BLUE}
WAYS = {"horizontal": "left out, horizontal", "vertical": "left out, vertical", "there": "calibrated there"}
ENOUGH = 0.01  # p-value below which a test has failed


def one_line(row: Mapping) -> str:
    """What a log says of a finished row."""
    worst = max((a["ks"] for a in row["agreements"] if a["calibration"] == "horizontal" and a["ks"]), default=None)
    said = "calibration refused" if worst is None else f"KS distance at most {worst:.4f} where left out"
    return f"{row['row']}, seed {row['seed']}: {said}"


def section(record: dict) -> Section:
    """Everything for the report."""
    rows, config, data = record["rows"], record["configuration"], record["data"]
    seeds = sorted({row["seed"] for row in rows})
    figures = []
    if _of_sample(rows):
        figures.append(
            (
                "The score's density at a mass that was left out of the calibration, per unit of the score's logit: "
                "lines, as interpolated; points, test events with their statistical error. The network is trained on "
                "all masses, above, or without the one left out, below.",
                plot(rows),
            )
        )
    if _of_toy(rows):
        figures.append(
            (
                "The toy. Left, the likelihood ratio at a theta that neither network nor calibration know. Right, the "
                "root mean square difference to the exact probability of signal, r / (1 + r), at each theta.",
                _toy_figure(_of_toy(rows)[0]),
            )
        )
    return Section(
        title="PNN, calibration",
        introduction=(
            "p(score | theta) of signal and background, interpolated in theta, and the likelihood ratio from it. A toy "
            f"with a known ratio, {config['n_toy']:,} signal events at each theta; and {data['name']} events, "
            f"{data['n_train']:,} for training and {data['n_test']:,} in two halves to calibrate and to test; seed"
            f"{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}. Baldi et al. (2016) advocate the test of a "
            "calibration at a theta that it was made without, and show none."
        ),
        findings=tuple(_findings(rows)),
        tables=(
            (
                "Calibrations against test events at the theta that they were made without, and at a theta that they "
                "know: chi2 for each degree of freedom, and KS distance in points (hundredths). By chance alone, the "
                "distance stays below the last two columns in 95 % of all cases. A number is missing where a bin "
                "without events was refused.",
                _agreements(rows),
            ),
        ),
        figures=tuple(figures),
        departures=tuple(_departures(config)),
    )


def plot(rows: Sequence[Mapping]) -> Figure:
    """A column a mass, a row for a network that knows the mass and one for one that does not; of the toy without."""
    first = [row for row in rows if row["seed"] == rows[0]["seed"]]
    panels = [(row, bins) for row in _of_sample(first) for bins in row["bins"]]
    if not panels:
        return _toy_figure(first[0])
    masses = sorted({bins["theta"] for _, bins in panels})
    kinds = [kind for kind in (True, False) if any((row["row"] == "all masses") == kind for row, _ in panels)]
    with style():
        figure = Figure(figsize=(2.9 * len(masses) + 0.4, 2.5 * len(kinds) + 0.6))
        grid = figure.subplots(len(kinds), len(masses), squeeze=False)
        for row, bins in panels:
            knows = row["row"] == "all masses"
            axes = grid[kinds.index(knows), masses.index(bins["theta"])]
            _densities(axes, bins)
            axes.set_title(f"{bins['theta']:.0f} GeV, trained {'on all' if knows else 'without it'}")
        for axes in grid[-1]:
            axes.set_xlabel("logit of the score")
        for axes in grid[:, 0]:
            axes.set_ylabel("density")
        handles = [
            Line2D([], [], color=VERMILION, label="signal, interpolated"),
            Line2D([], [], color=BLUE, label="background, interpolated"),
            Line2D([], [], color=INK, marker="o", ms=3, ls="", label="test events"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _densities(axes, bins: Mapping) -> None:
    """All bins but the two outer ones, which have no end in the logit."""
    inner = np.array(bins["edges"][1:-1])
    edges = np.log(inner) - np.log1p(-inner)
    width, middle = np.diff(edges), (edges[1:] + edges[:-1]) / 2
    for label, colour in COLOURS.items():
        axes.stairs(np.array(bins[label][1:-1]) / width, edges, color=colour, lw=1.4)
        found = np.array(bins[f"found_{label}"][1:-1])
        error = np.sqrt(found / bins[f"n_found_{label}"]) / width
        axes.errorbar(middle, found / width, error, fmt="o", ms=3, color=colour, elinewidth=0.9)
    axes.grid()


def _toy_figure(row: Mapping) -> Figure:
    unseen = [i for i, seen in enumerate(row["seen"]) if not seen]
    own = unseen[len(unseen) // 2]
    x = np.array(row["x"])
    with style():
        figure = Figure(figsize=(8.6, 3.4))
        left, right = figure.subplots(1, 2)
        left.plot(x, row["ratios"]["exact"][own], color=INK, ls=":", lw=2.4, label="exact")
        left.plot(x, row["ratios"]["network"][own], color=ORANGE, label="score / (1 - score)")
        left.step(x, row["ratios"]["calibrated"][own], color=BLUE, where="mid", label="calibrated")
        left.set_title(rf"$\theta$ = {row['thetas'][own]:g}, unknown to both")
        left.set_xlabel("$x$")
        left.set_ylabel(r"$\ln\ p(x | \theta, s)\,/\,p(x | b)$")
        left.legend(loc="lower right")
        for name, colour in (("network", ORANGE), ("calibrated", BLUE)):
            values = 100 * np.array(row["errors"][name])
            right.plot(row["thetas"], values, color=colour, lw=1)
            for theta, value, seen in zip(row["thetas"], values, row["seen"], strict=True):
                right.plot(theta, value, "o", ms=6, mec=colour, mfc=colour if seen else "white")
        right.plot(row["thetas"], 100 * np.array(row["errors"]["bins"]), color=INK, ls=":", lw=1.2, label="steps alone")
        right.legend(loc="upper center")
        right.set_ylim(bottom=0)
        right.set_title("Full: known theta. Open: unknown")
        right.set_xlabel(r"$\theta$")
        right.set_ylabel("rms difference (points)")
        right.axhline(0, color=QUIET, lw=0.6)
        for axes in (left, right):
            axes.grid()
    return figure


def _of_toy(rows: Sequence[Mapping]) -> list[Mapping]:
    return [row for row in rows if row["row"] == "toy"]


def _of_sample(rows: Sequence[Mapping]) -> list[Mapping]:
    return [row for row in rows if row["row"] != "toy"]


def _select(rows: Sequence[Mapping], **what) -> list[Mapping]:
    """The agreements, of all rows, with these entries, that were not refused."""
    found = [a for row in rows for a in row["agreements"] if all(a[key] == value for key, value in what.items())]
    return [a for a in found if a["refused"] is None]


def _findings(rows: Sequence[Mapping]) -> Iterator[Finding]:
    toys = _of_toy(rows)
    if toys:
        seen = np.array(toys[0]["seen"])
        network, calibrated, steps = (
            100 * np.mean([row["errors"][name] for row in toys], axis=0) for name in ("network", "calibrated", "bins")
        )
        yield Finding(
            "Toy: calibrated against exact",
            f"Root mean square difference to the exact probability of signal, in points: {calibrated[seen].mean():.2f} "
            f"at theta that are known, {calibrated[~seen].mean():.2f} at unseen ones. Steps of the bins alone "
            f"give {steps[seen].mean():.2f} and {steps[~seen].mean():.2f}. Without calibration, from the score itself: "
            f"{network[seen].mean():.2f} and {network[~seen].mean():.2f}, at worst {network.max():.2f}, against "
            f"{calibrated.max():.2f} with it.",
        )
    for name, group in (("Toy", toys), ("Sample", _of_sample(rows))):
        if not group:
            continue
        for way, said in WAYS.items():
            found = _select(group, calibration=way)
            n_all = sum(a["calibration"] == way for row in group for a in row["agreements"])
            if not found:
                yield Finding(f"{name}: {said}", f"All {n_all} calibrations were refused: a bin without events.")
                continue
            n_passed = sum(a["p_value"] > ENOUGH for a in found)
            worst = max(found, key=lambda a: a["ks"])
            n_above = sum(100 * a["ks"] > _by_chance(a) for a in found)
            refused = f" ({n_all - len(found)} more were refused: a bin without events)" if n_all > len(found) else ""
            yield Finding(
                f"{name}: {said}",
                f"{n_passed} of {len(found)} tests have a p-value above {ENOUGH:g}{refused}; the median chi2 for each "
                f"degree of freedom is {np.median([a['chi2'] / a['n_dof'] for a in found]):.2f}. The largest error of "
                f"an efficiency, over all cuts, classes and theta, is {100 * worst['ks']:.2f} points, of "
                f"{worst['label']} at {worst['theta']:g}. By chance alone it stays below {_by_chance(worst):.2f} there "
                f"in 95 % of all cases; {n_above} of the {len(found)} tests are above their limit, and chance would "
                f"put {0.05 * len(found):.1f} there.",
            )
    for_all = [row for row in _of_sample(rows) if row["row"] == "all masses"]
    without = [row for row in _of_sample(rows) if row["row"] != "all masses"]
    knows, not_knows = ([a["ks"] for a in _select(group, calibration="horizontal")] for group in (for_all, without))
    if knows and not_knows:
        yield Finding(
            "Network that does not know the mass",
            f"Mean KS distance of the horizontal interpolation: {100 * np.mean(knows):.2f} points for a network "
            f"trained on the mass that the calibration lacks, {100 * np.mean(not_knows):.2f} for one that was not.",
        )


def _agreements(rows: Sequence[Mapping]) -> Comparison:
    keys = dict.fromkeys((row["row"], a["theta"], a["label"]) for row in rows for a in row["agreements"])
    table = []
    for name, theta, label in keys:
        group = [row for row in rows if row["row"] == name]
        cells = []
        for way in WAYS:
            found = _select(group, calibration=way, theta=theta, label=label)
            missing = (Cell(float("nan")),) * 2
            numbers = ([a["chi2"] / a["n_dof"] for a in found], [100 * a["ks"] for a in found])
            cells += [cell(values) for values in numbers] if found else missing
        for ways in (("horizontal", "vertical"), ("there",)):
            chance = [_by_chance(a) for way in ways for a in _select(group, calibration=way, theta=theta, label=label)]
            cells.append(Cell(float(np.mean(chance))) if chance else Cell(float("nan")))
        table.append((f"{name}: {label} at {theta:g}", tuple(cells)))
    columns = [f"{quantity}, {said}" for said in WAYS.values() for quantity in ("chi2", "KS")]
    columns += ["KS by chance, left out", "KS by chance, there"]
    return Comparison("", tuple(columns), tuple(table), (2,) * len(columns))


def _by_chance(agreement: Mapping) -> float:
    """The KS distance, in points, that two samples of one distribution exceed in 5 % of all cases."""
    return 136 / np.sqrt(agreement["n_effective"])


def _departures(config: Mapping) -> Iterator[str]:
    yield "The paper names the test and cites interpolation algorithms; bins, interpolation and statistics are ours."
    if config["sample"] != "hepmass":
        yield "The events are HEPMASS-like: simulated for this project after the description of HEPMASS."
    yield (
        "Without a mass, its neighbours are 500 GeV apart, twice the distance at which a search with all masses "
        "interpolates: the test is harder than the use."
    )
    yield "Calibrations in these tests are not smoothed, so that chi2 has its distribution."
    yield (
        "A calibration 'there' has the mass among its hypotheses and is tested on other events; its background is the "
        "same at all hypotheses."
    )
