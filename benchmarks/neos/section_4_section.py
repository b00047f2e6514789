"""What the suggestions of section 4 of NEOS come to: each beside the network of Fig. 3, from rows alone."""

import statistics
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from benchmarks.comparison import Cell, Comparison, Finding, Section, cell
from benchmarks.style import BLUE, GREEN, INK, ORANGE, PURPLE, QUIET, SKY, VERMILION, style

COLOURS = {
    "neos": VERMILION,
    "learnable edges": GREEN,
    "soft cuts": ORANGE,
    "three terms": PURPLE,
    "Bayesian optimisation": SKY,
    "BCE": BLUE,
}


def section(record: dict) -> Section:
    """Everything for the report."""
    rows, data, config = record["rows"], record["data"], record["configuration"]
    seeds = sorted({row["seed"] for row in rows})
    return Section(
        title="NEOS section 4",
        introduction=(
            "What the paper suggests beyond its experiment, on the same blobs: learned bin edges, a learned cut, a sum "
            f"of three objectives, and Bayesian optimisation for comparison. {data['n_train']:,} training and "
            f"{data['n_test']:,} test events of each blob, {config['epochs']} epochs, seed"
            f"{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}. All numbers are of the test events, with "
            "ordinary histograms and sharp cuts. Simpson and Heinrich, arXiv:2203.05570, give none."
        ),
        findings=tuple(_findings(rows, config)),
        tables=(
            (
                "On the test events at the end; mean over the seeds. Bins whose expected events the floor raised, "
                "log10 CLs of the training events, and the time of a row, its building included.",
                _table(rows),
            ),
        ),
        figures=(
            (
                "Expected CLs of the test events in the course of time, thin lines for further seeds; bin edges, "
                "sigma_mu and sigma_gamma at the end, one mark a seed. Lines: equal bins; sigma_gamma before the "
                "measurement.",
                plot(rows),
            ),
        ),
        departures=tuple(_departures(config)),
    )


def by_method(rows: Sequence[Mapping]) -> dict[str, list[Mapping]]:
    """The rows of each method, in the order of the table."""
    return {method: group for method in COLOURS if (group := [row for row in rows if row["row"] == method])}


def plot(rows: Sequence[Mapping]) -> Figure:
    """CLs against time; what edges were learned; both uncertainties."""
    groups = by_method(rows)
    with style():
        figure = Figure(figsize=(10.2, 6.4))
        (course, edges), (mu, gamma) = figure.subplots(2, 2)
        for method, group in groups.items():
            look = {"color": COLOURS[method], "drawstyle": "steps-post" if group[0]["n_trials"] else "default"}
            for i, row in enumerate(group):
                course.plot(
                    row["course_s"], row["course_cls"], label=None if i else method, lw=0.7 if i else 1.6, **look
                )
        course.set_yscale("log")
        course.set_xlabel("time (s)")
        course.set_ylabel(r"expected $CL_s$")
        course.grid()
        _edges(edges, groups)
        for axes, field, label in ((mu, "sigma_mu", r"$\sigma_\mu$"), (gamma, "sigma_gamma", r"$\sigma_\gamma$")):
            _marks(axes, groups, field)
            axes.set_xlabel(label)
        gamma.axvline(1, color=QUIET, lw=0.8, ls="--", zorder=0)
        figure.legend(*course.get_legend_handles_labels(), loc="outside lower center", ncols=len(groups))
    return figure


def _edges(axes, groups: Mapping[str, list[Mapping]]) -> None:
    """Of the methods that learn them, a tick for each inner edge, one line a seed; equal bins behind."""
    equal = np.linspace(0, 1, len(next(iter(groups.values()))[0]["edges"]))
    learned = {method: group for method, group in groups.items() if not np.allclose(group[0]["edges"], equal)}
    labels = []
    for method, group in learned.items():
        for row in group:
            inner = row["edges"][1:-1]
            axes.plot(inner, [len(labels)] * len(inner), "|", ms=16, mew=2, color=COLOURS[method])
            labels.append(f"{method}, {row['seed']}" if len(group) > 1 else method)
    for edge in equal:
        axes.axvline(edge, color=QUIET, lw=0.8, ls="--", zorder=0)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(max(len(labels), 1) - 0.4, -0.6)
    axes.set_xlim(-0.02, 1.02)
    axes.tick_params(left=False)
    axes.set_xlabel("edges, in units of the summary statistic")


def _marks(axes, groups: Mapping[str, list[Mapping]], field: str) -> None:
    for place, (method, group) in enumerate(groups.items()):
        axes.plot([row[field] for row in group], [place] * len(group), "o", ms=6, color=COLOURS[method], mec=INK)
    axes.set_yticks(range(len(groups)), list(groups))
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.tick_params(left=False)
    axes.grid(axis="x")


def _findings(rows: Sequence[Mapping], config: Mapping) -> Iterator[Finding]:
    groups = by_method(rows)
    if "neos" not in groups:
        return
    if group := groups.get("learnable edges"):
        learned = "; ".join(", ".join(f"{edge:.2f}" for edge in row["edges"][1:-1]) for row in group)
        yield Finding("Learnable edges", f"{_beside_neos(groups, 'learnable edges')} Inner edges go to {learned}.")
    if group := groups.get("soft cuts"):
        learned = ", ".join(f"{row['cuts'][0]:.2f}" for row in group)
        yield Finding(
            "Soft cuts", f"{_beside_neos(groups, 'soft cuts')} The cut on y goes from {config['cut']:g} to {learned}."
        )
    if "three terms" in groups:
        a0, a1, a2 = config["weights"]
        sigmas = ", ".join(
            f"{field} {_mean(groups['three terms'], field):.3f} instead of {_mean(groups['neos'], field):.3f}"
            for field in ("sigma_mu", "sigma_gamma")
        )
        yield Finding(
            "Three terms",
            f"{a0:g} CLs + {a1:g} sigma_mu + {a2:g} (1 - sigma_gamma)^2: {sigmas}. "
            f"{_beside_neos(groups, 'three terms')}",
        )
    if group := groups.get("Bayesian optimisation"):
        trials = ", ".join(f"{row['n_trials']:,}" for row in group)
        yield Finding(
            "Bayesian optimisation",
            f"{trials} trials of a quadratic discriminant and its edges, in {config['search_time']:g} of the time of "
            "neos. "
            f"{_beside_neos(groups, 'Bayesian optimisation')} On the training events it has "
            f"{np.exp(statistics.fmean(np.log(row['train_cls']) for row in group)):.2g}.",
        )
    if "BCE" in groups:
        yield Finding("BCE", _beside_neos(groups, "BCE"))


def _beside_neos(groups: Mapping[str, list[Mapping]], method: str) -> str:
    """CLs of a method and of neos: geometric means, and in how many of the seeds that both have it is lower."""
    ours, neos = ({row["seed"]: row["cls"] for row in groups[name]} for name in (method, "neos"))
    common = sorted(ours.keys() & neos.keys())
    if not common:
        return ""
    values = [np.exp(statistics.fmean(np.log(some[seed]) for seed in common)) for some in (ours, neos)]
    n_lower = sum(ours[seed] < neos[seed] for seed in common)
    return (
        f"CLs of {values[0]:.2g} beside {values[1]:.2g} of neos, lower in {n_lower} of {len(common)} "
        f"seed{'s' if len(common) > 1 else ''}."
    )


def _mean(group: Sequence[Mapping], field: str) -> float:
    return statistics.fmean(row[field] for row in group)


def _table(rows: Sequence[Mapping]) -> Comparison:
    table = []
    for method, group in by_method(rows).items():
        cells = (
            cell([float(np.log10(row["cls"])) for row in group]),
            *(cell([row[field] for row in group]) for field in ("sigma_mu", "sigma_gamma")),
            Cell(_mean(group, "n_floored")),
            cell([float(np.log10(row["train_cls"])) for row in group]),
            Cell(_mean(group, "wall_s")),
        )
        table.append((method, cells))
    columns = ("log10 CLs", "sigma_mu", "sigma_gamma", "bins at the floor", "log10 CLs, training", "wall time (s)")
    return Comparison("method", columns, tuple(table), (2, 3, 3, 1, 2, 1))


def _departures(config: Mapping) -> Iterator[str]:
    yield "The paper suggests these without numbers; all settings beyond those of Fig. 3 are ours."
    yield (
        f"Edges and cuts have a learning rate of {config['rate_of_few']:g}, the network {config['learning_rate']:g}: "
        "with the latter they would hardly move in so few steps."
    )
    yield (
        f"The cut keeps y above a threshold that starts at {config['cut']:g}, with a sigmoid of width "
        f"{config['cut_width']:g} in training, sharp in the test."
    )
    yield (
        "neos, learned edges and cuts are trained on the logarithm of CLs. In the three terms it is CLs itself, as in "
        "the paper: once it is small, the other two decide."
    )
    yield (
        "Bayesian optimisation (Optuna, tree-structured Parzen estimator) has a quadratic discriminant with five "
        f"coefficients and {config['n_bins']} bin widths for parameters, not a network, whose weights are too many for "
        "it. Its objective is the exact expected CLs of the training events; the time of neos includes building its "
        "graphs."
    )
    yield f"Expected counts below {config['floor']:g} are raised to it, as in Fig. 3."
