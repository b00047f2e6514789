"""The events of the search: SM top pairs and resonances, nominal and under each systematic variation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from benchmarks.data.events import Events
from benchmarks.data.top_pairs import load_top_pairs
from benchmarks.record import fingerprint

SHAPES = ("jes", "jer", "soft_met", "btag")  # systematic uncertainties that change shapes, each with an up and a down
VARIED = tuple(f"{name}_{side}" for name in SHAPES for side in ("up", "down"))


def template_name(process: str, variation: str | None) -> str:
    """Of the events of a process, nominal or varied.

    >>> template_name("signal", None), template_name("signal", "jes_up")
    ('signal', 'signal_jes_up')
    """
    return process if variation is None else f"{process}_{variation}"


class Part(NamedTuple):
    """Events of one process: features (n_events, n_features) and weights (n_events,), expected events."""

    features: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True, eq=False)
class Sample:
    """One split of the events.

    Args:
        nominal: the events; the weight is the number of events that one stands for.
        varied: by name of a variation, such as "jes_up", the same events row by row, measured or weighted otherwise;
            one that is not selected has weight 0.

    Raises:
        ValueError: a variation that is missing, or one of other events than the nominal.
    """

    nominal: Events
    varied: Mapping[str, Events]

    def __post_init__(self):
        if missing := set(VARIED) - set(self.varied):
            raise ValueError(f"Expected the variations {', '.join(VARIED)}. Missing: {', '.join(sorted(missing))}.")
        for name, events in self.varied.items():
            require_same_events(self.nominal, events, name)

    def background(self, variation: str | None = None) -> Part:
        """SM top pairs, nominal or varied."""
        return self._part(self.nominal.label == 0, variation)

    def signal(self, mass: float, variation: str | None = None) -> Part:
        """The resonance of one mass; ValueError for a mass that there is not."""
        chosen = (self.nominal.label == 1) & (self.nominal.theta[:, 0] == mass)
        if not chosen.any():
            raise ValueError(f"Expected a mass out of {self.masses} GeV. Received: mass={mass}.")
        return self._part(chosen, variation)

    def processes(self, mass: float) -> dict[str, Callable[[str | None], Part]]:
        """Both processes in the search for one mass: by name, a function of the variation."""
        return {"background": self.background, "signal": partial(self.signal, mass)}

    @property
    def masses(self) -> tuple[float, ...]:
        """Of the signal, GeV."""
        return tuple(self.nominal.hypotheses[:, 0].tolist())

    def split(self, fraction: float) -> tuple["Sample", "Sample"]:
        """What is left, and every few of the rows; either stands for all events."""
        taken = np.diff(np.floor(fraction * np.arange(len(self.nominal) + 1))) > 0

        def part(which, share):
            def of(events):
                return replace(events.select(which), weight=events.weight[which] / share)

            return Sample(of(self.nominal), {name: of(events) for name, events in self.varied.items()})

        return part(~taken, 1 - fraction), part(taken, fraction)

    def _part(self, chosen, variation):
        events = self.nominal if variation is None else self.varied[variation]
        return Part(events.features[chosen], events.weight[chosen].astype(np.float64))


class Samples(NamedTuple):
    """Training and test events, which share no collision, and what a record says of them."""

    train: Sample
    test: Sample
    data: dict


def load_samples(every: int = 1, load: Callable[..., Events] = load_top_pairs) -> Samples:
    """The embedded events.

    Args:
        every: take every so many of the collisions alone, which then stand for all.
        load: the loader, of a split and a variation.
    """
    train, test = (
        Sample(load(split, every=every), {name: load(split, name, every=every) for name in VARIED})
        for split in ("train", "test")
    )
    sizes = {"n_train": len(train.nominal), "n_test": len(test.nominal)}
    name = f"top pairs, {sizes['n_train']:,} training and {sizes['n_test']:,} test events"
    events = [each for sample in (train, test) for each in (sample.nominal, *sample.varied.values())]
    arrays = [array for each in events for array in (each.features, each.weight)]
    return Samples(train, test, {"name": name, **sizes, "fingerprint": fingerprint(*arrays)})


def require_same_events(nominal: Events, varied: Events, name: str) -> None:
    """Are these the same events row by row?

    Raises:
        ValueError: another number of events, or another process or mass in a row.
    """
    if len(nominal) != len(varied):
        raise ValueError(
            f"Expected variation {name!r} of the {len(nominal)} nominal events, row by row, with weight 0 where one is "
            f"not selected. Received: {len(varied)} events. Match them by event number first."
        )
    other = (nominal.label != varied.label) | (nominal.theta != varied.theta).any(axis=1)
    if other.any():
        raise ValueError(
            f"Expected variation {name!r} of the nominal events, row by row. Received: {np.count_nonzero(other)} rows "
            f"of another process or mass, the first is row {np.argmax(other)}. Sort both by event number."
        )
