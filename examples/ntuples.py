"""Events of ntuples, nominal and varied: read with uproot, matched by event number, and split into halves."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import uproot


class Events(NamedTuple):
    """Events row by row: columns (n_events,), features (n_events, n_features)."""

    number: np.ndarray
    label: np.ndarray
    mass: np.ndarray  # 0 of the background
    weight: np.ndarray
    features: np.ndarray

    def select(self, chosen: np.ndarray) -> "Events":
        """Some of the rows."""
        return Events(*(column[chosen] for column in self))

    def of(self, mass: float) -> np.ndarray:
        """(n_events,) bool, is it signal of this mass?"""
        return (self.label == 1) & (self.mass == np.float32(mass))


def read_events(files: Sequence[str], tree: str, branches: Sequence[str]) -> Events:
    """The events of a tree, of all files together.

    Args:
        files: paths.
        tree: its name in each.
        branches: of event number, label, mass and weight, then of each feature.

    Raises:
        ValueError: a tree or branch that is missing, or one without a finite number for each event.
    """
    parts = []
    for path in files:
        with uproot.open(path) as file:
            if tree not in (trees := file.keys(cycle=False)):
                raise ValueError(
                    f"Expected tree {tree!r} in {path}. Received: {', '.join(trees)}. Correct its name in the "
                    "settings, or leave its variation out."
                )
            if missing := [name for name in branches if name not in (there := file[tree].keys())]:
                raise ValueError(
                    f"Expected branch {', '.join(map(repr, missing))} in tree {tree!r} of {path}. Received: "
                    f"{', '.join(there)}. Correct the names in the settings."
                )
            parts.append(file[tree].arrays(branches, library="np"))
    columns = [np.concatenate([part[name] for part in parts]) for name in branches]
    for name, values in zip(branches, columns, strict=True):
        n_finite = np.count_nonzero(np.isfinite(values)) if values.dtype.kind in "biuf" else 0
        if n_finite < len(values):
            raise ValueError(
                f"Expected branch {name!r} of tree {tree!r} with one finite number an event. Received: "
                f"{len(values) - n_finite} of {len(values)} events without, of type {values.dtype}. Write a number out "
                "of its range, such as -1, where there is none."
            )
    number, label, mass, weight, *features = columns
    mass = np.where(label == 1, mass, 0).astype(np.float32)
    features = np.stack(features, axis=1).astype(np.float32)
    return Events(number.astype(np.int64), label.astype(np.int64), mass, weight.astype(np.float64), features)


def match_events(events: Mapping[str, Events]) -> dict[str, Events]:
    """The union of the events, row by row the same for the nominal and each variation, by rising event number.

    An event that a variation does not select has weight 0 there, and the features that it has elsewhere: those of the
    nominal if it selects the event, else of the first variation that does. Histograms are as without matching. But a
    variation of other simulated events is found out, and `neos_tf.sample_batches(..., paired=...)` takes such rows.

    Args:
        events: by name, the nominal first.

    Raises:
        ValueError: an event number that comes twice, or that is of another process or mass elsewhere; a variation
            without any of the nominal events.
    """
    union = np.unique(np.concatenate([own.number for own in events.values()]))
    rows = {name: np.searchsorted(union, own.number) for name, own in events.items()}
    for name, own_rows in rows.items():
        if (twice := np.bincount(own_rows, minlength=len(union)) > 1).any():
            raise ValueError(
                f"Expected event numbers that come once. Received: {union[twice][0]} more often in {name!r}. If each "
                "process counts from 1, write a branch such as process * 10**9 + event."
            )
    nominal, n = next(iter(events.values())), len(union)
    known = Events(union, *(np.zeros((n, *column.shape[1:]), column.dtype) for column in nominal[1:]))
    for name in reversed(events):  # the nominal last, so that it stays
        for to, column in zip(known[1:], events[name][1:], strict=True):
            to[rows[name]] = column
    matched = {}
    for name, own in events.items():
        other = (known.label[rows[name]] != own.label) | (known.mass[rows[name]] != own.mass)
        if other.any() or not np.isin(own.number, nominal.number).any():
            example = f", the first has number {own.number[other][0]}" if other.any() else ", and no number in common"
            raise ValueError(
                f"Expected variation {name!r} of the nominal events. Received: {np.count_nonzero(other)} events of "
                f"another process or mass{example}: a variation with other events than the nominal. Make both from the "
                "same simulated events, with the same numbers."
            )
        matched[name] = known._replace(weight=np.zeros(n), features=known.features.copy())
        matched[name].weight[rows[name]], matched[name].features[rows[name]] = own.weight, own.features
    return matched


def half(events: Events, remainder: int) -> Events:
    """Those of even (0) or odd (1) event number, which stand for all."""
    return events._replace(weight=2 * events.weight).select(events.number % 2 == remainder)


def require_masses(train: Events, test: Events, masses: Sequence[float]) -> None:
    """ValueError: a mass without signal in one of the halves."""
    for name, events in (("even", train), ("odd", test)):
        events = events.select(events.weight > 0)
        if missing := [mass for mass in masses if not events.of(mass).any()]:
            there = np.unique(events.mass[events.label == 1]).tolist()
            raise ValueError(
                f"Expected signal events of {name} number at each of the masses {list(masses)}. Received: none at "
                f"{missing}, but at {there}. Correct the masses in the settings."
            )
