"""What Fig. 3 of NEOS says: the paper's claims, each checked, tables and the figure, from rows alone."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from benchmarks.comparison import Cell, Comparison, Finding, Section
from benchmarks.style import BLUE, GREEN, ORANGE, PURPLE, QUIET, VERMILION, style

NEOS = ("neos", "neos, CLs itself")
METHODS = {NEOS[0]: VERMILION, NEOS[1]: PURPLE, "BCE": BLUE, "BCE with augmentation": ORANGE, "INFERNO": GREEN}
OVER_CONSTRAINED = 0.9  # sigma_gamma below it: the measurement knows gamma by a tenth better than it was known
METRICS = {"cls": r"expected $CL_s$", "sigma_mu": r"$\sigma_\mu$", "sigma_gamma": r"$\sigma_\gamma$"}
MEANS = {"code": "means of the authors' code", "appendix": "means of Appendix A"}


class Medians(NamedTuple):
    """After the last epoch, of one method over the seeds."""

    cls: float
    sigma_mu: float
    sigma_gamma: float


class Claim(NamedTuple):
    """What the paper says, in our words, and whether the medians of its four methods are so."""

    text: str
    holds: Callable[[Mapping[str, Medians]], bool]


CLAIMS = (
    Claim("neos reaches the lowest CLs", lambda m: _best(m, "cls") == "neos"),
    Claim("INFERNO reaches the lowest sigma_mu", lambda m: _best(m, "sigma_mu") == "INFERNO"),
    Claim(
        f"BCE and INFERNO over-constrain gamma (sigma_gamma below {OVER_CONSTRAINED})",
        lambda m: max(m["BCE"].sigma_gamma, m["INFERNO"].sigma_gamma) < OVER_CONSTRAINED,
    ),
    Claim(
        f"neos and BCE with augmentation do not (sigma_gamma of at least {OVER_CONSTRAINED})",
        lambda m: min(m["neos"].sigma_gamma, m["BCE with augmentation"].sigma_gamma) >= OVER_CONSTRAINED,
    ),
    Claim(
        "neos and BCE with augmentation leave sigma_gamma nearer to 1 than BCE and INFERNO",
        lambda m: (
            max(abs(m[name].sigma_gamma - 1) for name in ("neos", "BCE with augmentation"))
            < min(abs(m[name].sigma_gamma - 1) for name in ("BCE", "INFERNO"))
        ),
    ),
    Claim("neos has a lower sigma_mu than BCE", lambda m: m["neos"].sigma_mu < m["BCE"].sigma_mu),
)


def section(record: dict) -> Section:
    """Everything for the report."""
    rows, data, config = record["rows"], record["data"], record["configuration"]
    seeds = sorted({row["seed"] for row in rows})
    return Section(
        title="NEOS Fig. 3",
        introduction=(
            "One measurement with a nuisance parameter gamma, and four losses to train its summary statistic on: "
            f"{data['n_train']:,} training and {data['n_test']:,} test events of each of four Gaussian blobs, "
            f"{config['epochs']} epochs, {len(seeds)} initialisation{'s' if len(seeds) > 1 else ''} "
            f"({', '.join(map(str, seeds))}). All numbers are of the test events, with ordinary histograms. Simpson "
            "and Heinrich, arXiv:2203.05570, show curves without numbers; the claims of the text are checked below."
        ),
        findings=tuple(_findings(rows)),
        tables=(
            ("After the last epoch: median over the seeds, and half of the distance of the quartiles.", _table(rows)),
        ),
        figures=(("On the test events: mean over the seeds, and their standard deviation.", plot(rows)),),
        departures=tuple(_departures(config)),
    )


def medians(rows: Sequence[Mapping]) -> dict[str, dict[str, Medians]]:
    """After the last epoch, by means and method."""
    found = {}
    for means, group in _by(rows, "means").items():
        found[means] = {
            method: Medians(*(statistics.median(row[metric][-1] for row in some) for metric in METRICS))
            for method, some in _by_method(group).items()
        }
    return found


def plot(rows: Sequence[Mapping]) -> Figure:
    """A row of panels for each set of means: CLs, sigma_mu and sigma_gamma against the epoch."""
    groups = _by(rows, "means")
    with style():
        figure = Figure(figsize=(9.6, 2.9 * len(groups) + 0.5))
        panels = figure.subplots(len(groups), len(METRICS), squeeze=False, sharex=True)
        for line, (means, group) in zip(panels, groups.items(), strict=True):
            for axes, (metric, label) in zip(line, METRICS.items(), strict=True):
                _curves(axes, group, metric)
                axes.set_ylabel(label)
                axes.grid(axis="y")
            line[0].set_yscale("log")
            line[0].set_title(MEANS[means])
            line[2].axhline(1, color=QUIET, lw=0.8, ls="--", zorder=0)
        for axes in panels[-1]:
            axes.set_xlabel("epoch")
        figure.legend(
            *panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(METHODS), columnspacing=1.2
        )
    return figure


def _curves(axes, rows: Sequence[Mapping], metric: str) -> None:
    for method, group in _by_method(rows).items():
        values = np.array([row[metric] for row in group])
        epochs = np.arange(values.shape[1])
        if metric == "cls":  # the scale is logarithmic, so are the mean and the spread
            values = np.log(values)
        mean = values.mean(axis=0)
        spread = values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros_like(mean)
        scale = np.exp if metric == "cls" else np.asarray
        axes.plot(epochs, scale(mean), color=METHODS[method], label=method)
        axes.fill_between(epochs, scale(mean - spread), scale(mean + spread), color=METHODS[method], alpha=0.15, lw=0)


def _findings(rows: Sequence[Mapping]) -> Iterator[Finding]:
    for means, by_method in medians(rows).items():
        if set(by_method) != set(METHODS):
            continue
        for variant, loss in zip(NEOS, ("log CLs", "CLs"), strict=True):
            four = {method: m for method, m in by_method.items() if method not in NEOS} | {"neos": by_method[variant]}
            held = [claim.text for claim in CLAIMS if claim.holds(four)]
            broken = [claim.text for claim in CLAIMS if not claim.holds(four)]
            text = [f"As the paper says: {'; '.join(held)}."] if held else []
            text += [f"Not so here: {'; '.join(broken)}. Medians: {_values(four)}."] if broken else []
            yield Finding(f"{MEANS[means]}, neos trained on {loss}", " ".join(text))


def _values(by_method: Mapping[str, Medians]) -> str:
    return "; ".join(
        f"{method} CLs {m.cls:.2g}, sigma_mu {m.sigma_mu:.3f}, sigma_gamma {m.sigma_gamma:.3f}"
        for method, m in by_method.items()
    )


def _table(rows: Sequence[Mapping]) -> Comparison:
    lines = []
    for means, group in _by(rows, "means").items():
        for method, some in _by_method(group).items():
            cls, *sigmas = [[row[metric][-1] for row in some] for metric in METRICS]
            lines.append((f"{method} ({means})", tuple(map(_cell, (np.log10(cls), *sigmas)))))
    return Comparison(
        corner="loss (means of the blobs)",
        columns=("log10 CLs", "sigma_mu", "sigma_gamma"),
        rows=tuple(lines),
        decimals=(2, 3, 3),
    )


def _cell(values) -> Cell:
    if len(values) == 1:
        return Cell(float(values[0]))
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return Cell(float(middle), float(high - low) / 2)


def _best(by_method: Mapping[str, Medians], metric: str) -> str:
    return min(by_method, key=lambda method: getattr(by_method[method], metric))


def _by_method(rows: Sequence[Mapping]) -> dict[str, list[Mapping]]:
    groups = _by(rows, "method")
    return {method: groups[method] for method in METHODS if method in groups}


def _by(rows: Sequence[Mapping], key: str) -> dict[str, list[Mapping]]:
    groups = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return groups


def _departures(config: Mapping) -> Iterator[str]:
    yield (
        "The paper trains on CLs itself, whose gradient fades as it falls; its logarithm has the same minimum and is "
        "the default of neos_tf. Both are run."
    )
    yield (f"{config['n_events']:,} events of each blob, as in the authors' code; Appendix A has 10,000 of all four.")
    yield (
        f"Expected counts below {config['floor']:g} are raised to it, since bins of the test histograms can be empty. "
        "Fits are by Newton's method to the end, not by Adam."
    )
    yield (
        "The means of Appendix A look permuted against those of the authors' code, in which the variations lie on "
        "either side of the background; both are run."
    )
    yield "INFERNO's variance and all uncertainties are those of Asimov data with mu = 1; the paper does not say."
