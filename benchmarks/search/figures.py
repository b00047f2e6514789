"""The figures of the search, from its record."""

from collections.abc import Iterator, Mapping

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm

from benchmarks.search.networks import CROSS_ENTROPY, LIMIT_TRAINED
from benchmarks.search.reading import IMPORTANCE, INJECTED, INJECTED_MASS, INJECTION, SCALE_MASS, medians, trainings
from benchmarks.style import BLUE, GREEN, INK, ORANGE, PURPLE, QUIET, SKY, VERMILION, style
from benchmarks.tables import pick
from neos_tf.plots.bands import BANDS

MASS = "mass of the resonance (GeV)"
COLOURS = {
    CROSS_ENTROPY: BLUE,
    LIMIT_TRAINED: VERMILION,
    "variance (INFERNO)": ORANGE,
    "limit from scratch": PURPLE,
    "augmented": GREEN,
    "told the scale": SKY,
    "decorrelated": INK,
}
N_FEATURES = 8  # drawn
HIGHEST = 1.3  # limit over the classifier's that is drawn


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    rows = record["rows"]
    with style():
        yield (
            "Expected upper limit of the network that is trained on it, with its bands (mean over seeds), and of the "
            "same network trained to classify; below, the limit of every training over that of the classifier, the "
            "mean over seeds and its standard deviation. A training whose limits are all more than "
            f"{HIGHEST:g} times as high is left out there.",
            limit_curve(rows),
        )
        yield (
            f"A pseudo experiment with a resonance of {INJECTED_MASS:g} GeV and {INJECTED:g} pb: local p-value of the "
            "background against the mass that is searched for, and the median that is expected if a resonance of that "
            "mass were there.",
            scan(pick(rows, row=INJECTION)[0]),
        )
        of_importance = pick(rows, row=IMPORTANCE)[0]
        yield (
            "What the score rests on, against the mass that the network is shown: mean absolute Taylor coefficients of "
            "the inputs, and pairs of inputs, that matter most, over the expected background, in units of their "
            "standard deviation.",
            importance(of_importance),
        )
        yield (
            f"What a jet energy scale of +3 % does to the mean logit of the background at {SCALE_MASS:g} GeV, input by "
            "input.",
            to_scale(of_importance),
        )


def limit_curve(rows) -> Figure:
    figure = Figure(figsize=(7.2, 6.4))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    found = pick(rows, row=LIMIT_TRAINED)
    masses = np.array(found[0]["masses"])
    bands = np.array([[limit or [np.nan] * 5 for limit in row["expected"]] for row in found], float).mean(axis=0)
    above.fill_between(masses, bands[:, 0], bands[:, 4], color=BANDS[1], lw=0, label=r"$\pm 2\sigma$")
    above.fill_between(masses, bands[:, 1], bands[:, 3], color=BANDS[0], lw=0, label=r"$\pm 1\sigma$")
    above.plot(masses, bands[:, 2], color=VERMILION, marker="o", ms=4, label="trained on the limit, expected")
    reference = medians(rows, CROSS_ENTROPY)
    x = [mass for mass in masses if reference[mass]]
    classifier = [np.mean(list(reference[mass].values())) for mass in x]
    above.plot(x, classifier, color=BLUE, ls="--", marker="s", ms=4, label="trained to classify, expected")
    above.set(yscale="log", ylabel="95 % upper limit on the cross-section (pb)", xlim=(masses[0], masses[-1]))
    above.grid(which="both", axis="y")
    above.legend()
    names = [name for name in trainings(rows) if name != CROSS_ENTROPY]
    for place, name in enumerate(names):
        of = medians(rows, name)
        ratios = {m: [limit / reference[m][seed] for seed, limit in of[m].items() if seed in reference[m]] for m in x}
        ratios = {mass: np.array(values) for mass, values in ratios.items() if values}
        if min((ratio.mean() for ratio in ratios.values()), default=0) > HIGHEST:
            continue
        shift = 4.0 * (place - (len(names) - 1) / 2)
        below.errorbar(
            np.array(list(ratios)) + shift,
            [ratio.mean() for ratio in ratios.values()],
            [ratio.std(ddof=1) if len(ratio) > 1 else 0 for ratio in ratios.values()],
            color=COLOURS[name],
            fmt="o-",
            ms=3,
            lw=1,
            label=name,
        )
    below.axhline(1, color=BLUE, ls="--", lw=1)
    below.set(xlabel=MASS, ylabel="limit / classifier's", ylim=(0.65, HIGHEST), xlim=(masses[0] - 20, masses[-1] + 20))
    below.grid(axis="y")
    figure.legend(*below.get_legend_handles_labels(), ncols=5, fontsize=8, loc="outside lower center")
    return figure


def scan(row: Mapping) -> Figure:
    figure = Figure(figsize=(6.4, 4.0))
    axes = figure.subplots()
    for name, colour in ((CROSS_ENTROPY, BLUE), (LIMIT_TRAINED, VERMILION)):
        axes.plot(row["masses"], row[name]["p_value"], color=colour, marker="o", ms=4, label=f"{name}, observed")
        axes.plot(row["masses"], row[name]["expected_p_value"], color=colour, ls=":", lw=1, label=f"{name}, expected")
    lowest = min(min(row[name]["p_value"]) for name in (CROSS_ENTROPY, LIMIT_TRAINED))
    floor = 3e-3 * max(lowest, 1e-30)  # leaves room for the legend
    for n_sigma in range(1, int(norm.isf(floor)) + 1):
        axes.axhline(norm.sf(n_sigma), color=QUIET, lw=0.6)
        axes.annotate(rf"{n_sigma}$\sigma$", (1.005, norm.sf(n_sigma)), xycoords=("axes fraction", "data"), va="center")
    axes.axvline(INJECTED_MASS, color=INK, lw=0.8, ls="--")
    axes.set(yscale="log", xlabel=MASS, ylabel="local p-value", ylim=(floor, 1))
    axes.legend(fontsize=8, loc="lower left")
    return figure


def importance(row: Mapping) -> Figure:
    figure = Figure(figsize=(9.0, 4.2))
    both = figure.subplots(1, 2, sharey=True)
    names = list(row["features"])
    found = [of_mass for name in names for of_mass in row["features"][name]]
    features = dict.fromkeys(feature for of_mass in found for feature in of_mass)
    mean = {feature: np.mean([of_mass.get(feature, 0) for of_mass in found]) for feature in features}
    shown = sorted(mean, key=mean.get, reverse=True)[:N_FEATURES]
    colours = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, INK, QUIET)
    for axes, name in zip(both, names, strict=True):
        for feature, colour in zip(shown, colours, strict=False):
            values = [of_mass.get(feature, np.nan) for of_mass in row["features"][name]]
            axes.plot(row["masses"], values, color=colour, marker="o", ms=3, label=feature)
        axes.set(title=name, xlabel=MASS)
        axes.grid(axis="y")
    both[0].set_ylabel("mean |Taylor coefficient|")
    figure.legend(handles=both[0].lines, loc="outside right center", fontsize=8)
    return figure


def to_scale(row: Mapping) -> Figure:
    figure = Figure(figsize=(6.4, 4.0))
    axes = figure.subplots()
    names = list(row["to_scale"])
    largest = sorted(row["to_scale"][names[0]], key=lambda f: -max(abs(row["to_scale"][n].get(f, 0)) for n in names))
    shown = largest[: N_FEATURES + 2]
    y = np.arange(len(shown))
    for place, (name, colour) in enumerate(zip(names, (BLUE, VERMILION), strict=True)):
        axes.barh(
            y + 0.2 - 0.4 * place, [row["to_scale"][name].get(f, 0) for f in shown], 0.38, color=colour, label=name
        )
    axes.set(yticks=y, yticklabels=shown, xlabel="change of the mean logit")
    axes.invert_yaxis()
    axes.axvline(0, color=INK, lw=0.8)
    axes.legend()
    return figure
