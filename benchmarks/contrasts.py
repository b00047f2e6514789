"""Several networks on the same test events: the AUC of each at each mass, and their paired differences.

A row of such an experiment is one training of all its networks, so that differences are taken event by event; a few
trainings, each with a seed of its own, say how much depends on chance in training.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from matplotlib.figure import Figure

import pnn_tf
from benchmarks.claims import Estimate, of_difference
from benchmarks.data.events import Events
from benchmarks.style import style
from benchmarks.tables import Cell, Table, long, percent, pick, table, table_of, with_average
from benchmarks.training import QUICK, Recipe
from pnn_tf import plots
from pnn_tf.compare import Difference, Placements, difference, over_trainings, placements

Pair = tuple[str, str]  # a network, and the one whose AUC is subtracted


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


class Row(TypedDict):
    """One training of all networks. `auc` has a list for each, in [0, 1], in the order of `masses`, GeV.

    For each pair, `contrasts` has AUC of `network` minus that of `reference`, in [-1, 1]: `difference` and its standard
    `error` from the finite test sample at each mass, and both for the mean over each of `groups`. `n_signal` (at each
    mass) and `n_background` count test events, `n_train` the training events of each network without validation;
    `best_epoch` has an entry for each training of a network.
    """

    row: str
    seed: int
    masses: list[float]
    n_signal: list[int]
    n_background: int
    auc: dict[str, list[float]]
    contrasts: list[dict]
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
    """What a Row holds of the test: `n_signal`, `n_background`, `auc` and `contrasts`.

    Args:
        placed: of each network, the placements at each mass.
        pairs: which networks to compare.
        groups: by name, indices of the masses to average over.
    """
    contrasts = []
    for network, reference in pairs:
        both = placed[network], placed[reference]
        alone = [difference([a], [b]) for a, b in zip(*both, strict=True)]
        of_groups = {name: difference(*([of[i] for i in masses] for of in both)) for name, masses in groups.items()}
        contrasts.append(
            {
                "network": network,
                "reference": reference,
                "difference": [d.value for d in alone],
                "error": [d.error for d in alone],
                "groups": {name: [d.value, d.error] for name, d in of_groups.items()},
            }
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
    of_rows = []
    for row in pick(rows):
        (found,) = pick(row["contrasts"], network=pair[0], reference=pair[1])
        if isinstance(where, str):
            of_rows.append(Difference(*found["groups"][where]))
        else:
            of_rows.append(Difference(found["difference"][where], found["error"][where]))
    return over_trainings(of_rows)


def estimate(pair: Pair, where: str | int) -> Callable[[Sequence[Row]], Estimate]:
    """The measure of a claim: `contrast` in points."""
    return lambda rows: of_difference(contrast(rows, pair, where))


def auc_table(caption: str, rows: Sequence[Row]) -> Table:
    """AUC of each network in per cent at each mass and on average, with the standard deviation over the trainings."""
    auc = {network: percent(lambda row, network=network: row["auc"][network]) for network in rows[0]["auc"]}
    frame = with_average(long(rows, auc, "masses"))
    return table(caption, "mass (GeV)", frame.assign(seed=frame["row"]), lines="at", columns="quantity")


def difference_table(caption: str, rows: Sequence[Row], columns: Mapping[str, Pair]) -> Table:
    """Differences of some pairs, by heading, in points at each mass and averaged over each group; see `contrast`."""
    places = {f"{mass:g}": i for i, mass in enumerate(rows[0]["masses"])}
    places |= {f"mean {group}": group for group in rows[0]["contrasts"][0]["groups"]}
    lines = {
        name: {heading: Cell(*estimate(pair, where)(rows)[:2]) for heading, pair in columns.items()}
        for name, where in places.items()
    }
    return table_of(caption, "mass (GeV)", lines)


def figure(
    rows: Sequence[Mapping],
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
    masses = rows[0]["masses"]
    n_events = rows[0]["n_signal"], [rows[0]["n_background"]] * len(masses)
    with style():
        drawn = Figure(figsize=(min(4.6 * len(panels) + 0.6, 10.2), 7.4))
        columns = drawn.subfigures(2, len(panels), squeeze=False, height_ratios=(1.15, 1)).T
        for (title, (first, *others)), (upper, lower) in zip(panels.items(), columns, strict=True):
            results = {
                network: [
                    pnn_tf.HypothesisResult((mass,), np.mean([row["auc"][network][i] for row in rows]), None, *counts)
                    for i, (mass, *counts) in enumerate(zip(masses, *n_events, strict=True))
                ]
                for network in (first, *others)
            }
            plots.auc(results, trained_on, label="mass (GeV)", colours=colours, figure=upper)
            found = {
                network: {mass: contrast(rows, (network, first), i) for i, mass in enumerate(masses)}
                for network in others
            }
            plots.differences(found, trained_on, label="mass (GeV)", colours=colours, legend=False, figure=lower)
            upper.axes[0].set_title(title)
            lower.axes[0].set_title(f"minus {first}")
        for line in columns.T:
            limits = [part.axes[0].get_ylim() for part in line]
            for part in line:
                part.axes[0].set_ylim(np.min(limits), np.max(limits))
    return drawn
