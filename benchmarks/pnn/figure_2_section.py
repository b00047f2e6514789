"""What Fig. 2 of PNN says: accuracy and shape of the response at trained and at unseen theta, from rows alone."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.comparison import Comparison, Finding, Section, cell, listed
from benchmarks.data.toy import CUT, HIGH, LOW, WIDTH, bayes_accuracy, bayes_auc, bayes_posterior
from benchmarks.rows import by_name
from benchmarks.style import BLUE, INK, VERMILION, style


def one_line(row: Mapping) -> str:
    """What a log says of a finished row."""
    seen, unseen = (100 * np.mean(np.array(row["accuracy"])[mask]) for mask in _masks(row))
    return f"{row['row']}, seed {row['seed']}: accuracy {seen:.2f} % at trained theta, {unseen:.2f} % at unseen"


def plot(rows: Sequence[Mapping]) -> Figure:
    """The training densities above, and below the response against x at each theta, a panel for each width."""
    groups = by_name(rows)
    with style():
        figure = Figure(figsize=(8.2, 2.0 + 2.3 * len(groups)))
        panels = figure.subplots(1 + len(groups), 1, sharex=True, height_ratios=[0.8] + [1] * len(groups))
        _densities(panels[0], next(iter(groups.values()))[0])
        for axes, (name, group) in zip(panels[1:], groups.items(), strict=True):
            _responses(axes, group)
            axes.set_title(f"Network of {name}")
        panels[-1].set_xlabel("$x$")
        panels[-1].set_xlim(-3.5, 3.5)
        handles = [
            Line2D([], [], color=BLUE, label=r"network, trained $\theta$"),
            Line2D([], [], color=VERMILION, label=r"network, unseen $\theta$"),
            Line2D([], [], color=INK, ls=":", lw=1, label="best classifier"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _densities(axes, row: Mapping) -> None:
    x = np.array(row["x"])
    for theta, seen in zip(row["thetas"], row["seen"], strict=True):
        if seen:
            density = np.exp(-(((x - theta) / WIDTH) ** 2) / 2) / (WIDTH * np.sqrt(2 * np.pi))
            axes.plot(x, density, color=BLUE, lw=1.3)
    axes.axhline(1 / (HIGH - LOW), color=INK, lw=1.3)
    axes.annotate("background", (3.4, 1 / (HIGH - LOW)), (0, 3), textcoords="offset points", ha="right")
    axes.set_title(r"Training samples: signal at each $\theta$, and background")
    axes.set_ylabel("density")
    axes.set_ylim(bottom=0)
    axes.grid()


def _responses(axes, group: Sequence[Mapping]) -> None:
    """A line a seed, thin and transparent where there are several."""
    for row in group:
        for seen, response in zip(row["seen"], row["response"], strict=True):
            colour = BLUE if seen else VERMILION
            axes.plot(row["x"], response, color=colour, lw=1.5 if len(group) == 1 else 0.9, alpha=0.8)
    for theta in group[0]["thetas"]:
        axes.plot(group[0]["x"], bayes_posterior(group[0]["x"], theta), ":", color=INK, lw=1, zorder=4)
    axes.set_ylabel(r"output $f(x, \theta)$")
    axes.set_ylim(0, 1)
    axes.grid()


def section(record: dict) -> Section:
    """Everything for the report."""
    rows, config = record["rows"], record["configuration"]
    seeds = sorted({row["seed"] for row in rows})
    return Section(
        title="PNN Fig. 2",
        introduction=(
            f"Signal is Gaussian around theta with a width of {WIDTH:g}, background uniform between {LOW:g} and "
            f"{HIGH:g}. Networks of one hidden layer are trained at theta = {listed(config['thetas'])}, with "
            f"{config['n_train']:,} events each, and tested there and at {listed(config['unseen'])}, which they "
            f"have not seen, with {config['n_test']:,} each; seed{'s' if len(seeds) > 1 else ''} "
            f"{', '.join(map(str, seeds))}. Baldi et al. (2016) show the response without numbers."
        ),
        findings=tuple(_findings(rows)),
        tables=(
            (
                "Accuracy in per cent at a cut of 0.5. The best classifier's is the same at every theta.",
                _accuracy(rows),
            ),
            (
                "The response around theta: its height there, and where it crosses 0.5, relative to theta; means over "
                "the trained and over the unseen theta, beside the exact values.",
                _shape(rows),
            ),
        ),
        figures=(
            (
                "Above, the densities that training samples are drawn from. Below, the network's output as a function "
                f"of x{', one line a seed' if len(seeds) > 1 else ''}; dotted, the exact posterior.",
                plot(rows),
            ),
        ),
        departures=tuple(_departures(config)),
    )


def _findings(rows: Sequence[Mapping]) -> Iterator[Finding]:
    best = 100 * bayes_accuracy()
    for name, group in by_name(rows).items():
        seen, unseen = ([100 * np.mean(np.array(r["accuracy"])[_masks(r)[i]]) for r in group] for i in (0, 1))
        gaps = [b - a for a, b in zip(seen, unseen, strict=True)]
        # Both averages rest on independent test events; the best classifier's accuracy is their expectation.
        n_seen, n_unseen = (int(mask.sum()) * group[0]["n_test"] for mask in _masks(group[0]))
        error = np.sqrt(best * (100 - best) * (1 / n_seen + 1 / n_unseen))
        yield Finding(
            f"{name}: unseen minus trained",
            "The paper: accuracy is as good for values of theta without training data as for those with. Mean "
            f"accuracy at unseen theta minus that at trained theta, in points; the test events leave an error of "
            f"{error:.2f}. At trained theta it is {np.mean(seen):.2f} %, {best - np.mean(seen):.2f} points below the "
            f"best classifier's {best:.2f} %.",
            cell(gaps),
        )
    for name, group in by_name(rows).items():
        found = [(row, i) for row in group for i, seen in enumerate(row["seen"]) if not seen]
        there = [row["edges"][i] for row, i in found if row["edges"][i] is not None]
        if len(there) < len(found):
            yield Finding(
                f"{name}: the shape",
                f"The paper: the response has the same shape. Not so here: at {len(found) - len(there)} of "
                f"{len(found)} unseen theta, over all seeds, it does not reach 0.5 at theta.",
            )
            continue
        off = np.abs(np.array(there) - [-CUT, CUT])
        yield Finding(
            f"{name}: the shape",
            "The paper: the response has the same shape at unseen theta. The best classifier's crosses 0.5 at "
            f"{CUT:.3f} on either side of theta; over {len(found)} responses, those of the network are off by "
            f"{off.mean():.3f} on average and {off.max():.3f} at most.",
        )


def _accuracy(rows: Sequence[Mapping]) -> Comparison:
    thetas, seen = rows[0]["thetas"], rows[0]["seen"]
    lines = []
    for name, group in by_name(rows).items():
        accuracy = 100 * np.array([row["accuracy"] for row in group])
        auc = 100 * np.array([row["auc"] for row in group])
        lines.append((name, (*(cell(list(column)) for column in accuracy.T), cell(list(auc.mean(axis=1))))))
    best = [cell([100 * bayes_accuracy()])] * len(thetas)
    lines.append(("best classifier", (*best, cell([100 * bayes_auc()]))))
    columns = tuple(f"{theta:g}{'' if s else ' (unseen)'}" for theta, s in zip(thetas, seen, strict=True))
    return Comparison("accuracy (%) at theta", (*columns, "mean AUC (%)"), tuple(lines), (2,) * (len(thetas) + 1))


def _shape(rows: Sequence[Mapping]) -> Comparison:
    lines = []
    for name, group in by_name(rows).items():
        for which, i in (("trained", 0), ("unseen", 1)):
            numbers = [shape for row in group if (shape := _mean_shape(row, _masks(row)[i])) is not None]
            if numbers:
                lines.append((f"{name}, {which}", tuple(cell(list(column)) for column in np.transpose(numbers))))
    exact = (float(bayes_posterior([0.0], 0.0)[0]), -CUT, CUT)
    lines.append(("best classifier", tuple(cell([value]) for value in exact)))
    return Comparison("response", ("height", "left crossing", "right crossing"), tuple(lines), (3, 3, 3))


def _mean_shape(row: Mapping, mask: np.ndarray) -> tuple[float, float, float] | None:
    """Height, left and right crossing, means over some theta; None where a response does not cross."""
    edges = [edges for edges, wanted in zip(row["edges"], mask, strict=True) if wanted]
    if None in edges:
        return None
    at = [
        np.interp(t, row["x"], r) for t, r, wanted in zip(row["thetas"], row["response"], mask, strict=True) if wanted
    ]
    return float(np.mean(at)), *np.mean(edges, axis=0)


def _departures(config: Mapping) -> Iterator[str]:
    yield "The paper gives no range of the background: -5 to 5 is ours."
    if config["batch_size"] != 1:
        yield (
            f"Gradient descent with Nesterov's momentum of {config['momentum']:g} as in the paper's one-dimensional "
            f"example, but with {config['batch_size']} events a step and a rate of {config['learning_rate']:g} "
            "instead of one event and 0.01."
        )
    if len(config["widths"]) > 1:
        yield "The paper has three hidden units; networks with more are ours."
    yield f"The paper does not say how long it trains: {config['epochs']} epochs here."


def _masks(row: Mapping) -> tuple[np.ndarray, np.ndarray]:
    seen = np.array(row["seen"])
    return seen, ~seen
