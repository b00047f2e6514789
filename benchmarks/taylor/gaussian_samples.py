"""The events of TAYLOR's tasks of two Gaussians, drawn anew from their seeds, and standardised."""

from collections.abc import Sequence

from benchmarks.data.events import Events
from benchmarks.data.gaussians import gaussian_standardiser, load_gaussians
from benchmarks.record import fingerprint
from benchmarks.samples import Samples

SEEDS = {"train": 1, "test": 2}  # of the draws; every seed of an experiment sees the same events


def load_samples(tasks: Sequence[str], n_train: int, n_test: int) -> Samples:
    """Draws the events of some tasks, not standardised; `train` and `test` hold them by task.

    Args:
        tasks: of "a", "b", "c" and "d".
        n_train: training events of each task, validation included.
        n_test: test events of each task.

    Raises:
        ValueError: an unknown task, or no events.
    """
    train, test = (
        {task: load_gaussians(task, n, SEEDS[split]) for task in tasks}
        for split, n in (("train", n_train), ("test", n_test))
    )
    columns = (column for split in (train, test) for e in split.values() for column in (e.features, e.label))
    name = "two Gaussians (drawn)"
    data = {"name": name, "n_train": n_train, "n_test": n_test, "fingerprint": fingerprint(*columns)}
    return Samples(train, test, data)


def standardised(task: str, events: Events):
    """(n_events, 2) float32 inputs of mean 0 and standard deviation 1, by the exact moments of the task."""
    return gaussian_standardiser(task)(events.features)
