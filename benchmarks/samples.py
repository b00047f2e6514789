"""The events that experiments on parametric networks train and test on."""

from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.data import SOURCES
from benchmarks.data.events import Events
from benchmarks.record import fingerprint

NAMES = {"hepmass-like": "HEPMASS-like (simulated)", "hepmass": "HEPMASS"}


class Samples(NamedTuple):
    """Training (and validation) events, test events, and what the record says of them."""

    train: Events
    test: Events
    data: dict


@dataclass(frozen=True)
class Source:
    """Which events an experiment uses; a base of its configuration.

    Args:
        sample: "hepmass-like", simulated and part of the checkout, or "hepmass", the official files by download.
        n_train: training events drawn from the sample, validation included; None for all.
        n_test: test events drawn; None for all.
    """

    sample: str = "hepmass-like"
    n_train: int | None = None
    n_test: int | None = None

    def load(self) -> Samples:
        """Reads them."""
        return load_samples(self.sample, self.n_train, self.n_test)


def load_samples(sample: str, n_train: int | None = None, n_test: int | None = None) -> Samples:
    """Reads the events of a Source with these fields."""
    if sample not in NAMES:
        raise ValueError(f"Expected sample to be one of {', '.join(NAMES)}. Received: sample={sample!r}.")
    train, test = (SOURCES[sample](split, n_events=n) for split, n in (("train", n_train), ("test", n_test)))
    data = {"name": NAMES[sample], "n_train": len(train), "n_test": len(test)}
    return Samples(train, test, data | {"fingerprint": events_fingerprint(train, test)})


def events_fingerprint(*parts: Events) -> str:
    """The fingerprint of features, theta and label of some events, for a record."""
    return fingerprint(*(column for part in parts for column in (part.features, part.theta, part.label)))
