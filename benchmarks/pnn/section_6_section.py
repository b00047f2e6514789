"""What section 6 of PNN comes to: tables, the map over mass and scale, and findings, from rows alone."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

import numpy as np
from matplotlib.figure import Figure

import pnn_tf
from benchmarks import paired
from benchmarks.affine.departures import OF_START
from benchmarks.comparison import Comparison, Finding, Section, cell
from benchmarks.pnn.tested import AtTheta, placed
from benchmarks.rows import complete
from benchmarks.style import BLUE, GREEN, INK, ORANGE, QUIET, VERMILION, style
from pnn_tf.compare import Difference, difference, over_trainings

BOTH = "mass and scale"
HELD_OUT = "without 0.95, 1.05"  # told mass and scale, and never shown these scales
SHOWN_NOMINAL = "told scale 1"  # BOTH, told that the scale is nominal where it is not
NOMINAL = "nominal alone"  # told the mass, trained at the nominal scale
MIXTURE = "all, not told"  # told the mass, trained at all scales
TRAINED = (BOTH, HELD_OUT, NOMINAL, MIXTURE)
COLOURS = {BOTH: VERMILION, HELD_OUT: ORANGE, SHOWN_NOMINAL: QUIET, NOMINAL: BLUE, MIXTURE: GREEN}


def section(record: dict) -> Section:
    """Everything for the report."""
    rows, data, config = record["rows"], record["data"], record["configuration"]
    return Section(
        title="PNN section 6: mass and jet energy scale",
        introduction=(
            "A network that is told two parameters, the mass of the resonance and the jet energy scale, a nuisance "
            f"parameter on which the background depends too, beside networks that are told the mass alone; each is "
            f"trained on {config['n_train']:,} events, {data['name']}, validation included, for {config['epochs']} "
            f"epochs, and tested on {data['n_test']:,}. The paper suggests this, without numbers."
        ),
        findings=tuple(_findings(rows)),
        tables=(
            (
                f"AUC in per cent at each jet energy scale, averaged over the masses. {BOTH!r} is told both; "
                f"{SHOWN_NOMINAL!r} is the same network, told that the scale is 1 where it is not; {HELD_OUT!r} has "
                f"not seen these scales in training. The last two are told the mass alone: {NOMINAL!r} is trained at "
                f"the nominal scale, {MIXTURE!r} at all scales.",
                _by_scale(rows),
            ),
            (
                f"AUC of {BOTH!r} minus that of {NOMINAL!r}, in points, at each mass and scale, ± its "
                "standard error on the same test events.",
                _by_point(rows),
            ),
        ),
        figures=(
            (
                "Left: AUC, averaged over the masses, minus that of the network trained at the nominal scale. Bars are "
                "the standard deviation over seeds. Right: AUC of signal at the star against the background of its "
                "scale, when the network is shown these events at other masses and scales. On the black line it is 1 "
                "point below the best; outside of the hull of the training points (white line) it extrapolates.",
                plot(rows),
            ),
        ),
        departures=(
            "HEPMASS has one jet energy scale; these events were measured by a detector whose jets were scaled, from "
            "the same collisions as the HEPMASS-like sample.",
            "The jets' momenta, the missing momentum that follows from them, and which events are selected change with "
            "the scale. Variations of 5 and 10 % are large, for the effect to be seen in few events.",
            OF_START,
        ),
    )


def _by_scale(rows: Sequence[Mapping]) -> Comparison:
    scales, means = _means(rows)
    table = [
        (name, tuple(cell(list(column)) for column in np.column_stack([values, values.mean(axis=1)]).T))
        for name, values in means.items()
    ]
    return Comparison("AUC in %", (*(f"{s:.2f}" for s in scales), "average"), tuple(table), (2,) * (len(scales) + 1))


def _means(rows: Sequence[Mapping]) -> tuple[list[float], dict[str, np.ndarray]]:
    """The scales, and for each network (n_seeds, n_scales) AUCs in per cent, averaged over the masses."""
    auc = _over_seeds(rows)
    scale = np.array([point[1] for point in rows[0]["points"]])
    scales = np.unique(scale).tolist()
    means = {
        name: np.stack([values[:, scale == s].mean(axis=1) for s in scales], axis=1) for name, values in auc.items()
    }
    return scales, means


def _over_seeds(rows: Sequence[Mapping]) -> dict[str, np.ndarray]:
    """For each network (n_seeds, n_points) AUCs in per cent; the one told the nominal scale is another row."""
    auc = {}
    for name in TRAINED:
        own = [row for row in rows if row["row"] == name]
        if own:
            auc[name] = 100 * np.array([[tested["auc"] for tested in row["tested"]] for row in own])
        if own and name == BOTH:
            auc[SHOWN_NOMINAL] = 100 * np.array([[tested["auc"] for tested in row["told_nominal"]] for row in own])
    return auc


def _minus(rows: Sequence[Mapping], network: str, reference: str, points: Sequence[tuple[float, float]]) -> Difference:
    """AUC of a network minus that of another, averaged over some points and over seeds.

    Events at two scales come from the same collisions, so the errors at several are averaged as if they were one.
    """
    places = [tuple(point) for point in rows[0]["points"]]
    scales = sorted({scale for _, scale in points})
    chosen = [[places.index(point) for point in points if point[1] == scale] for scale in scales]
    of_seeds = []
    for pair in zip(*(_tests(rows, name) for name in (network, reference)), strict=True):
        of_scales = [difference(*([placed(tests[i]) for i in of_scale] for tests in pair)) for of_scale in chosen]
        of_seeds.append(Difference(fmean(d.value for d in of_scales), fmean(d.error for d in of_scales)))
    return over_trainings(of_seeds)


def _tests(rows: Sequence[Mapping], name: str) -> list[list[AtTheta]]:
    """The tests of a network at all points, a list a seed, in the order of the seeds."""
    field, name = ("told_nominal", BOTH) if name == SHOWN_NOMINAL else ("tested", name)
    return [row[field] for row in sorted(rows, key=lambda row: row["seed"]) if row["row"] == name]


def _by_point(rows: Sequence[Mapping]) -> Comparison:
    rows = complete(rows, TRAINED)
    if not rows:
        return Comparison("no seed is complete", (), (), ())
    masses, scales = (sorted({point[axis] for point in rows[0]["points"]}) for axis in (0, 1))
    table = tuple(
        (f"{mass:.0f} GeV", tuple(paired.cell(_minus(rows, BOTH, NOMINAL, [(mass, scale)])) for scale in scales))
        for mass in masses
    )
    return Comparison("points", tuple(f"{scale:.2f}" for scale in scales), table, (2,) * len(scales))


def _findings(rows: Sequence[Mapping]) -> Iterator[Finding]:
    rows = complete(rows, TRAINED)
    if not rows:
        return
    points = [tuple(point) for point in rows[0]["points"]]
    far, beside, nominal = (
        [point for point in points if point[1] in scales] for scales in ((0.9, 1.1), (0.95, 1.05), (1.0,))
    )
    gain, there = (_minus(rows, BOTH, NOMINAL, where) for where in (far, nominal))
    yield Finding(
        "Told the scale, against trained at the nominal one",
        f"Mean AUC at the scales 0.90 and 1.10: {paired.verdict(gain)}. At the nominal scale, where the other network "
        f"has five times as many training events, it is {paired.verdict(there)} ({there}).",
        paired.cell(gain),
    )
    gain, there = (_minus(rows, BOTH, MIXTURE, where) for where in (far, nominal))
    yield Finding(
        "Told the scale, against trained at all scales without being told",
        f"What parametrising in the nuisance parameter adds to training on its variations: at 0.90 and 1.10 it is "
        f"{paired.verdict(gain)}, at the nominal scale {paired.verdict(there)} ({there}).",
        paired.cell(gain),
    )
    loss = _minus(rows, SHOWN_NOMINAL, BOTH, far)
    yield Finding(
        "Told the nominal scale where it is another",
        "The same network at 0.90 and 1.10, told that the scale is nominal, against told the truth, as a fit would "
        f"choose that profiles the scale: {paired.verdict(loss)}.",
        paired.cell(loss),
    )
    loss = _minus(rows, HELD_OUT, BOTH, beside)
    yield Finding(
        "Interpolation in the nuisance parameter",
        "Mean AUC at the scales 0.95 and 1.05 of a network that never saw them, against the one that did: "
        f"{paired.verdict(loss)}. It has three fifths of the training events.",
        paired.cell(loss),
    )


def plot(rows: Sequence[Mapping]) -> Figure:
    """Left, AUC against the scale; right, the map over what the network is told."""
    with style():
        figure = Figure(figsize=(10.5, 4.1))
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
        _lines(left, rows)
        maps = [row["map"] for row in rows if row["map"] is not None]
        if maps:
            _contours(figure, right, maps[0], rows[0]["points"])
        else:
            right.set_axis_off()
    return figure


def _lines(axes, rows: Sequence[Mapping]) -> None:
    scales, means = _means(complete(rows, TRAINED) or rows)
    reference = means.get(NOMINAL)
    for i, (name, values) in enumerate(means.items()):
        gain = values - reference if reference is not None else values
        spread = gain.std(axis=0, ddof=1) if len(gain) > 1 else None
        beside = np.array(scales) + 0.003 * (i - (len(means) - 1) / 2)
        axes.errorbar(beside, gain.mean(axis=0), spread, color=COLOURS[name], marker="o", ms=4, capsize=2, label=name)
    axes.set_xlabel("jet energy scale of the events")
    axes.set_ylabel("AUC minus that of the nominal network (points)" if reference is not None else "AUC (%)")
    axes.grid(axis="y")
    axes.set_title("Mean over the masses")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.75 * (high - low))  # room for the legend
    axes.legend(loc="upper center", fontsize=8)


def _contours(figure, axes, shown: Mapping, points: Sequence) -> None:
    masses, scales = np.array(shown["masses"]), np.array(shown["scales"])
    auc = 100 * np.array(shown["auc"])
    levels = np.linspace(auc.max() - np.clip(np.ptp(auc), 0.1, 12), auc.max(), 13)
    filled = axes.contourf(masses, scales, auc.T, levels=levels, extend="min", cmap="cividis")
    axes.contour(masses, scales, auc.T, levels=[auc.max() - 1], colors=INK, linewidths=1)
    outside = pnn_tf.outside_hull(np.stack(np.meshgrid(masses, scales), axis=-1).reshape(-1, 2), points)
    axes.contour(
        masses, scales, outside.reshape(len(scales), len(masses)), levels=[0.5], colors="white", linewidths=1.2
    )
    axes.plot(*np.array(points).T, ".", color="white", ms=4)
    axes.plot(*shown["truth"], "*", color=VERMILION, ms=13, mec="white")
    axes.set_xlabel("mass that the network is told (GeV)")
    axes.set_ylabel("jet energy scale that it is told")
    axes.set_title("AUC of the events at the star")
    figure.colorbar(filled, ax=axes, label="AUC (%)", format="%.1f")
