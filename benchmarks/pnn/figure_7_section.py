"""What Figs. 7 and 8 of PNN say: networks at 1000 GeV and across the masses, from rows alone."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from benchmarks import paired
from benchmarks.comparison import Comparison, Finding, Section, cell
from benchmarks.paired import INDISTINCT
from benchmarks.pnn.recipes import Deep
from benchmarks.pnn.roc import draw_curves
from benchmarks.pnn.tested import AtTheta, auc_difference
from benchmarks.rows import by_name, complete
from benchmarks.style import BLUE, GREEN, ORANGE, PURPLE, style
from pnn_tf import auc_error
from pnn_tf.compare import Difference

LABELS = {
    "parametrised": "parametrised",
    "interpolating": "parametrised, without {:g} GeV",
    "fixed": "fixed at {:g} GeV",
    "mixture": "unlabelled mixture",
}
LINES = {
    "parametrised": {"color": BLUE, "ls": "-"},
    "interpolating": {"color": ORANGE, "ls": "--"},
    "fixed": {"color": GREEN, "ls": "-."},
    "mixture": {"color": PURPLE, "ls": ":"},
}
DIFFERENCES = (-30, -20, -10, -5, -2, -1, -0.5, 0, 0.5, 1, 2, 5, 10)  # points, where an axis has ticks
Results = dict[str, dict[str, dict[float, list[AtTheta]]]]  # by features, network and mass: one entry a seed


def one_line(row: Mapping) -> str:
    """What a log says of a finished row."""
    auc = ", ".join(f"{100 * tested['auc']:.2f}" for tested in row["tested"])
    return f"{row['row']} features, seed {row['seed']}: AUC {auc} %"


def results(rows: Sequence[Mapping]) -> Results:
    """The tests by features, network and mass, from the seeds with which every row is finished."""
    found = {}
    for row in complete(rows, by_name(rows)):
        of_network = found.setdefault(row["features"], {}).setdefault(row["network"], {})
        for tested in row["tested"]:
            of_network.setdefault(tested["theta"], []).append(tested)
    return found


def plot(rows: Sequence[Mapping], focus: float = 1000.0) -> Figure:
    """A column for each set of features: ROC curves at the mass in focus (GeV) above, AUC against mass below."""
    found = results(rows)
    with style():
        figure = Figure(figsize=(4.1 * len(found) + 0.6, 7.0))
        panels = figure.subplots(2, len(found), sharey="row", squeeze=False)
        for (above, below), (features, networks) in zip(panels.T, found.items(), strict=True):
            curves = {network: of_network[focus] for network, of_network in networks.items()}
            draw_curves(above, curves, LINES)
            above.set_title(f"{features.capitalize()} features, {focus:g} GeV")
            for network, of_network in networks.items():
                auc = [100 * np.mean([tested["auc"] for tested in of_mass]) for of_mass in of_network.values()]
                below.plot(list(of_network), auc, marker="o", ms=4, **LINES[network])
            below.set_title(f"{features.capitalize()} features")
            _mass_axis(below, of_network)
        for axes in panels[:, 1:].ravel():
            axes.set_ylabel("")
        panels[1, 0].set_ylabel("AUC (%)")
        _legend(figure, panels[1, 0], focus)
    return figure


def plot_differences(rows: Sequence[Mapping], focus: float) -> Figure:
    """AUC at each mass minus that of the parametrised network, with standard errors; a panel a set of features."""
    found = results(rows)
    shift = {"interpolating": -15.0, "fixed": 0.0, "mixture": 15.0}  # GeV, so that error bars do not overlap
    with style():
        figure = Figure(figsize=(4.1 * len(found) + 0.6, 3.6))
        panels = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
        for axes, (features, networks) in zip(panels, found.items(), strict=True):
            axes.axhline(0, color=BLUE)
            for network, by_mass in _minus_parametrised(networks).items():
                masses = np.array(list(by_mass)) + shift[network]
                points, errors, _ = 100 * np.array(list(by_mass.values())).T
                axes.errorbar(masses, points, errors, marker="o", ms=4, elinewidth=1, **LINES[network])
            axes.set_yscale("symlog", linthresh=1, linscale=1.2)
            axes.set_title(f"{features.capitalize()} features")
            _mass_axis(axes, by_mass)
        low, high = panels[0].get_ylim()
        ticks = [tick for tick in DIFFERENCES if low <= tick <= high]
        panels[0].set_yticks(ticks, [f"{tick:+g}" if tick else "0" for tick in ticks], minor=False)
        panels[0].set_ylabel("AUC minus parametrised (points)")
        _legend(figure, panels[0], focus)
    return figure


def _mass_axis(axes, masses) -> None:
    axes.set_xticks(list(masses))
    axes.set_xlabel("mass of the signal (GeV)")
    axes.grid()


def _legend(figure: Figure, axes, focus: float) -> None:
    handles = [axes.plot([], [], label=LABELS[network].format(focus), **line)[0] for network, line in LINES.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=9)


def _minus_parametrised(networks: Mapping) -> dict[str, dict[float, Difference]]:
    """For each other network, the difference at each mass."""
    base = networks["parametrised"]
    return {
        network: {mass: auc_difference(of_mass, base[mass]) for mass, of_mass in of_network.items()}
        for network, of_network in networks.items()
        if network != "parametrised"
    }


def section(record: dict) -> Section:
    """Everything for the report."""
    rows, config, data = record["rows"], record["configuration"], record["data"]
    focus, seeds = config["focus"], sorted({row["seed"] for row in rows})
    complete = len({row["row"] for row in rows}) == 2 * len(LINES) and bool(results(rows))
    return Section(
        title="PNN Figs. 7 and 8",
        introduction=(
            f"Networks of {len(config['units'])} hidden layers of {config['units'][0]} units on {data['name']} events: "
            f"{data['n_train']:,} for training and validation, {data['n_test']:,} for the test, {config['epochs']} "
            f"epochs, seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}. Each is tested on the signal "
            "of one mass against the whole background. Baldi et al. (2016) show curves without numbers."
        ),
        findings=tuple(_findings(rows, focus)) if complete else (),
        tables=(
            ("AUC in % at each mass, at the epoch with the best validation AUC.", _auc(rows, focus)),
            ("Events for gradients and the epoch kept, means over the seeds; wall time in s.", _training(rows, focus)),
        ),
        figures=(
            (
                f"Fig. 7, above: background rejection against signal efficiency at {focus:g} GeV. Fig. 8, below: AUC "
                "against mass.",
                plot(rows, focus),
            ),
            *(
                [
                    (
                        "AUC minus that of the parametrised network with the same features, on the same test events; "
                        "linear within a point of zero, logarithmic beyond. Bars are standard errors.",
                        plot_differences(rows, focus),
                    )
                ]
                if complete
                else []
            ),
        ),
        departures=tuple(_departures(config)),
    )


def _findings(rows: Sequence[Mapping], focus: float) -> Iterator[Finding]:
    found = results(rows)
    statements = {  # the paper's, of the difference to the parametrised network
        "fixed": "a network trained at this mass alone is equivalent to the parametrised one",
        "interpolating": "the performance is unchanged without this mass in training",
        "mixture": "a network that is not told the mass shows a reduced performance",
    }
    for features, networks in found.items():
        differences = {network: by_mass[focus] for network, by_mass in _minus_parametrised(networks).items()}
        for network, statement in statements.items():
            difference = differences[network]
            yield Finding(
                f"{features}: {LABELS[network].format(focus)}",
                f"The paper: {statement}. AUC at {focus:g} GeV minus that of the parametrised network, on the same "
                f"test events: {difference} points, {paired.verdict(difference)}.",
            )
    for features, networks in found.items():
        elsewhere = {
            network: {mass: difference for mass, difference in by_mass.items() if mass != focus}
            for network, by_mass in _minus_parametrised(networks).items()
        }
        for network in ("fixed", "mixture"):
            n_worse = sum(difference.sign < 0 for difference in elsewhere[network].values())
            listed = ", ".join(f"{difference} at {mass:g} GeV" for mass, difference in elsewhere[network].items())
            yield Finding(
                f"{features}: {LABELS[network].format(focus)}, other masses",
                "The paper: it loses against the parametrised network at every other mass. In points: "
                f"{listed}; worse beyond two standard errors at {n_worse} of {len(elsewhere[network])}.",
            )
    low, everything = found["low-level"], found["all"]
    listed = {network: auc_difference(low[network][focus], everything[network][focus]) for network in LINES}
    same = [network for network, difference in listed.items() if paired.verdict(difference) == INDISTINCT]
    yield Finding(
        "Low-level minus all features",
        "The paper: the results are indistinguishable, with its seven million training events. AUC at "
        f"{focus:g} GeV in points: "
        + ", ".join(f"{difference} {LABELS[network].format(focus)}" for network, difference in listed.items())
        + f". Within two standard errors of zero for {len(same)} of {len(listed)} networks.",
    )
    tested = everything["parametrised"][focus][0]
    error = 100 * auc_error(tested["auc"], tested["n_signal"], tested["n_background"])
    yield Finding(
        "How sure",
        f"The finite test sample leaves a standard error of {error:.2f} points on an AUC at {focus:g} GeV (Hanley and "
        "McNeil); most of it is common to all networks, and the errors of the differences above are without it.",
    )


def _auc(rows: Sequence[Mapping], focus: float) -> Comparison:
    lines = []
    for of_network in by_name(rows).values():
        auc = 100 * np.array([[tested["auc"] for tested in row["tested"]] for row in of_network])
        name = f"{LABELS[of_network[0]['network']].format(focus)}, {of_network[0]['features']}"
        lines.append((name, (*(cell(list(column)) for column in auc.T), cell(list(auc.mean(axis=1))))))
    columns = tuple(f"{tested['theta']:g} GeV" for tested in rows[0]["tested"])
    return Comparison("AUC in %", (*columns, "average"), tuple(lines), (2,) * (len(columns) + 1))


def _training(rows: Sequence[Mapping], focus: float) -> Comparison:
    lines = []
    for of_network in by_name(rows).values():
        means = [float(np.mean([row[field] for row in of_network])) for field in ("n_train", "best_epoch", "wall_s")]
        name = f"{LABELS[of_network[0]['network']].format(focus)}, {of_network[0]['features']}"
        lines.append((name, tuple(cell([m]) for m in means)))
    return Comparison("training", ("events", "epoch kept", "wall time"), tuple(lines), (0, 1, 0))


def _departures(config: Mapping) -> Iterator[str]:
    if config["sample"] != "hepmass":
        yield (
            "The events are HEPMASS-like: simulated for this project after the description of HEPMASS, and far fewer "
            "than its seven million, so the networks are limited by the training sample."
        )
    if config["n_train"] is not None:
        yield f"Only {config['n_train']:,} training and {config['n_test']:,} test events are drawn from the sample."
    paper = Deep()
    if config["units"] != list(paper.units) and config["units"] != paper.units:
        yield f"Hidden layers of {', '.join(map(str, config['units']))} units instead of five of 500."
    if config["momentum"] is None:
        yield (
            f"Adam at {config['learning_rate']:g}, times {config['decay']:g} after each epoch, instead of gradient "
            "descent at 0.1 times 0.89 with a momentum of 0.5."
        )
    for field in ("epochs", "batch_size"):
        if config[field] != getattr(paper, field):
            yield f"{field.replace('_', ' ').capitalize()}: {config[field]} instead of {getattr(paper, field)}."
    yield (
        f"{config['validation_fraction']:.0%} of the events validate, and the epoch with the best validation AUC "
        "is kept, not the last."
    )
    yield (
        "Every network sees the whole background, in batches of half signal and half background. A fixed network has "
        "the signal of one mass of the sample: the paper gives it seven million events of its own."
    )
    yield "Masses of background events are drawn once from those trained on, so that the missing mass is never shown."
