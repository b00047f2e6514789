"""One pass over events that no memory holds: how well a network separates, what it rests on, and templates of it.

    python -m examples.shards EVENTS --network network.keras --out results --workers 4

EVENTS is a folder of Parquet files with the columns of `Settings`, the network a parametric one, stored by `save`.
Files are read by processes of this machine, or of a cluster: `--workers tcp://host:8786`. A run that was stopped goes
on from what is in the folder of results.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

import pnn_tf
import taylor


class Settings(NamedTuple):
    """What is yours."""

    features: Sequence[str] = ("mtt", "noise")  # columns, in the order of the training
    mass: str = "mass"  # GeV; of background it is not looked at
    label: str = "label"  # 1 for signal, 0 for background
    weight: str = "weight"
    masses: Sequence[float] = (500.0, 750.0, 1000.0)  # GeV
    shown_mass: float = 750.0  # GeV, at which the importance is taken
    n_bins: int = 20  # of the templates


class Sums:
    """What is summed over events; `pnn_tf.sum_over_shards` calls it with some of them at a time."""

    def __init__(self, settings: Settings):
        self.settings = settings

    def __call__(self, events: pnn_tf.Columns, network: keras.Model) -> dict:
        """Counts of scores, sums of Taylor coefficients, and a histogram of the score by class."""
        given, features = self.settings, events.stacked(self.settings.features)
        mass, label, weight = (events[name] for name in (given.mass, given.label, given.weight))
        points = pnn_tf.calibration_grid(given.masses)
        score = pnn_tf.predict_scores(network, features, given.shown_mass)
        edges = np.linspace(0, 1, given.n_bins + 1)
        return {
            "counts": pnn_tf.count_scores(network, features, mass, label, points, weight=weight),
            "importance": taylor.importance_sums(
                network,
                {"features": features, "theta": [[given.shown_mass]]},
                names=given.features,
                weight=weight,
                regions={"signal": label == 1},
                bootstrap=50,
                first_event=events.rows,
            ),
            "templates": {
                name: np.histogram(score[label == of], edges, weights=weight[label == of])[0]
                for of, name in enumerate(("background", "signal"))
            },
        }


def main(arguments: Sequence[str] | None = None, settings: Settings | None = None) -> pnn_tf.Total:
    """The sums; what follows from them is written to the folder, and printed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("events", type=Path, help="a folder of Parquet files")
    parser.add_argument("--network", type=Path, required=True, help="a Keras file")
    parser.add_argument("--out", type=Path, required=True, help="a folder for results")
    parser.add_argument("--workers", help="a number of processes, 0 for this one alone, or the address of a scheduler")
    given, settings = parser.parse_args(arguments), settings or Settings()
    workers = int(given.workers) if (given.workers or "").isdigit() else given.workers
    total = pnn_tf.sum_over_shards(
        Sums(settings),
        given.events,
        columns=[*settings.features, settings.mass, settings.label, settings.weight],
        may_be_missing=[settings.mass],
        model=given.network,
        workers=workers,
        on_error="skip",
        progress=given.out / "progress",
    )
    counts, importance = total.value["counts"], total.value["importance"].importance()
    importance.to_json(given.out / "importance.json")
    np.savez(given.out / "templates.npz", **total.value["templates"])
    if counts.is_signed:
        print("No calibration: densities are not made of negative weights.")
    else:
        counts.calibration().save(given.out / "calibration.npz")
    print(f"{total.n_events:,} events; left out: {[*total.left_out] or 'none'}")
    for row in counts.results():
        if row.theta[0] in settings.masses:
            print(f"{row.theta[0]:.0f} GeV: AUC {row.auc:.4f} ± {row.auc_error:.4f}, {row.n_signal:,} signal events")
    print(importance)
    return total


if __name__ == "__main__":
    main()
