"""Several networks on the same test events: the AUC of each at each mass, and their paired differences.

A row of such an experiment is one training of all its networks, so that differences are taken event by event; a few
trainings, each with a seed of its own, say how much depends on chance in training.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import pnn_tf
from benchmarks import paired
from benchmarks.claims import Estimate, of_difference
from benchmarks.data.events import Events
from benchmarks.style import INK, style
from benchmarks.tables import AVERAGE, Table, long, percent, table
from benchmarks.training import QUICK, Recipe
from pnn_tf.compare import Difference, Placements, difference, over_trainings, placements

Pair = tuple[str, str]  # a network, and the one whose AUC is subtracted
SHIFT = 14.0  # GeV between the points of two networks at one mass, to keep their error bars apart


@dataclass(frozen=True)
class Trainings(Recipe):
    """A recipe for the embedded sample, and how often it is followed.

    Args:
        test_share: share of the test events that are used.
        trainings: how often all networks are trained, each time with another seed.
    """

    epochs: int = 10
    batch_size: int = QUICK["batch_size"]
    learning_rate: float = QUICK["learning_rate"]
    affine_start: str = "identity"  # from the paper's random maps, some trainings start late or not at all
    test_share: float = 1.0
    trainings: int = 3


class Contrast(TypedDict):
    """AUC of `network` minus that of `reference`, in [-1, 1], with the standard error from the finite test sample.

    `difference` and `error` are at each mass; `groups` holds difference and error of the mean over some masses.
    """

    network: str
    reference: str
    difference: list[float]
    error: list[float]
    groups: dict[str, list[float]]


class Row(TypedDict):
    """One training of all networks. `auc` has a list for each, in [0, 1], in the order of `masses`, GeV.

    `n_signal` (at each mass) and `n_background` count test events, `n_train` the training events of each network
    without validation; `best_epoch` has an entry for each training of a network.
    """

    row: str
    seed: int
    masses: list[float]
    n_signal: list[int]
    n_background: int
    auc: dict[str, list[float]]
    contrasts: list[Contrast]
    best_epoch: dict[str, list[int]]
    n_train: dict[str, int]
    wall_s: float


def names(config: Trainings) -> list[str]:
    """Of the rows, one a training."""
    return [f"training {i + 1}" for i in range(config.trainings)]


def seed_of(name: str, seed: int) -> int:
    """The seed of a training: that of the row, and another for each further training."""
    return seed + 1000 * (int(name.split()[-1]) - 1)


def line(row: Row) -> str:
    """What a log says of a finished row."""
    mean = (f"{network} {100 * np.mean(auc):.2f} %" for network, auc in row["auc"].items())
    return f"mean AUC of {', '.join(mean)}"


def at_mass(model, test: Events, mass: float) -> Placements:
    """The signal of one mass against all the background, both shown to the model at that mass (GeV)."""
    signal = test.features[(test.label == 1) & (test.theta[:, 0] == mass)]
    background = test.features[test.label == 0]
    return placements(*(pnn_tf.predict_scores(model, features, mass) for features in (signal, background)))


def measure(placed: Mapping[str, Sequence[Placements]], pairs: Collection[Pair], groups: Mapping[str, Sequence[int]]):
    """`auc`, `contrasts`, `n_signal` and `n_background` of a row.

    Args:
        placed: of each network, the placements at each mass.
        pairs: which networks to compare.
        groups: by name, indices of the masses to average over.
    """
    contrasts = []
    for network, reference in pairs:
        alone = [difference([a], [b]) for a, b in zip(placed[network], placed[reference], strict=True)]
        of_groups = {
            name: difference([placed[network][i] for i in masses], [placed[reference][i] for i in masses])
            for name, masses in groups.items()
        }
        contrasts.append(
            Contrast(
                network=network,
                reference=reference,
                difference=[d.value for d in alone],
                error=[d.error for d in alone],
                groups={name: [d.value, d.error] for name, d in of_groups.items()},
            )
        )
    some = next(iter(placed.values()))
    return {
        "n_signal": [len(p.signal) for p in some],
        "n_background": len(some[0].background),
        "auc": {network: [p.auc for p in of_network] for network, of_network in placed.items()},
        "contrasts": contrasts,
    }


def contrast(rows: Sequence[Row], pair: Pair, where: str | int) -> Difference:
    """A difference, averaged over the trainings.

    Args:
        rows: one a training.
        pair: networks that were compared.
        where: the name of a group, or the place of a mass.
    """
    return over_trainings([_of(row, pair, where) for row in rows])


def _of(row: Row, pair: Pair, where: str | int) -> Difference:
    (found,) = (c for c in row["contrasts"] if (c["network"], c["reference"]) == pair)
    if isinstance(where, str):
        return Difference(*found["groups"][where])
    return Difference(found["difference"][where], found["error"][where])


def estimate(pair: Pair, where: str | int) -> Callable[[Sequence[Row]], Estimate]:
    """The measure of a claim: `contrast` in points."""
    return lambda rows: of_difference(contrast(rows, pair, where))


def auc_table(caption: str, rows: Sequence[Row]) -> Table:
    """AUC of each network in per cent at each mass and on average, with the standard deviation over the trainings."""
    masses = [*rows[0]["masses"], AVERAGE]
    frames = [
        long(
            rows,
            {network: percent(lambda row, network=network: [*row["auc"][network], np.mean(row["auc"][network])])},
            masses,
        )
        for network in rows[0]["auc"]
    ]
    frame = pd.concat(frames)
    return table(caption, "mass (GeV)", frame.assign(seed=frame["row"]), lines="at", columns="quantity")


def difference_table(caption: str, rows: Sequence[Row], columns: Mapping[str, Pair]) -> Table:
    """Differences of some pairs, by heading, in points at each mass and averaged over each group; see `contrast`."""
    places = {f"{mass:g}": i for i, mass in enumerate(rows[0]["masses"])}
    places |= {f"mean {group}": group for group in rows[0]["contrasts"][0]["groups"]}
    lines = tuple(
        (name, tuple(paired.cell(contrast(rows, pair, where)) for pair in columns.values()))
        for name, where in places.items()
    )
    return Table(caption, "mass (GeV)", tuple(columns), lines, (2,) * len(columns))


def figure(
    rows: Sequence[Row],
    panels: Mapping[str, Sequence[str]],
    colours: Mapping[str, str],
    trained_on: Mapping[str, Collection[float]],
) -> Figure:
    """A column a panel: AUC against mass above, and below the differences to the panel's first network.

    Args:
        rows: one a training.
        panels: for each title, the networks; each but the first was compared with the first.
        colours: of the networks.
        trained_on: masses that a network was trained on, where that is not all of them; the others are open squares.
    """
    masses, n_background = np.array(rows[0]["masses"]), rows[0]["n_background"]
    with style():
        drawn = Figure(figsize=(4.6 * len(panels) + 0.6, 6.2))
        axes = drawn.subplots(2, len(panels), sharex=True, sharey="row", squeeze=False)
        for (title, (first, *others)), (upper, lower) in zip(panels.items(), axes.T, strict=True):
            for network in (first, *others):
                auc = np.mean([row["auc"][network] for row in rows], axis=0)
                error = [pnn_tf.auc_error(a, n, n_background) for a, n in zip(auc, rows[0]["n_signal"], strict=True)]
                points = masses, 100 * auc, 100 * np.array(error)
                _draw(upper, *points, colours[network], trained_on.get(network, masses), line="-")
            lower.axhline(0, color=colours[first])
            for place, network in enumerate(others):
                cells = [paired.cell(contrast(rows, (network, first), i)) for i in range(len(masses))]
                shifted = masses + SHIFT * (place - (len(others) - 1) / 2)
                points = shifted, [c.ours for c in cells], [c.spread for c in cells]
                filled = shifted[np.isin(masses, trained_on.get(network, masses))]
                _draw(lower, *points, colours[network], filled, line="")
            upper.set_title(title)
            lower.set_xlabel("mass (GeV)")
            lower.set_title(f"minus {first}")
        axes[0, 0].set_ylabel("AUC (%)")
        axes[1, 0].set_ylabel("difference (points)")
        for panel in axes.flat:
            panel.grid(axis="y")
        names = dict.fromkeys(network for panel in panels.values() for network in panel)
        handles = [Line2D([], [], color=colours[name], label=name) for name in names]
        if trained_on:
            handles.append(Line2D([], [], color=INK, marker="o", ls="", ms=5, label="trained there"))
            handles.append(Line2D([], [], color=INK, marker="s", ls="", ms=6, mfc="none", label="not trained there"))
        drawn.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 4))
    return drawn


def _draw(axes, x, y, error, colour: str, filled: Collection[float], line: str) -> None:
    """Points with error bars: full circles at the x that are in `filled`, open squares elsewhere."""
    axes.errorbar(x, y, error, color=colour, ls=line, lw=1.2, elinewidth=1.2)
    full = np.isin(x, filled)
    axes.plot(x[full], np.asarray(y)[full], "o", color=colour, ms=5)
    axes.plot(x[~full], np.asarray(y)[~full], "s", mec=colour, mfc="none", mew=1.4, ms=6)
