"""Which events share a batch equally: Anzalone et al. 2022, section 4.3."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pnn_tf import checks

BALANCES = ("none", "class", "signal", "background", "full")
WEIGHT_SCALES = ("stratum", "mean", None)
FEW = 20  # hypotheses, which may have an event each


class Stratum(NamedTuple):
    """A group of events that takes a fixed part of the batches.

    Attributes:
        name: what the events have in common.
        size: number of events.
        quota: how many of them a batch holds on average. A batch holds that number rounded up or down, in turn.
    """

    name: str
    size: int
    quota: float


class Strata(NamedTuple):
    """The strata of a data set.

    Attributes:
        strata: of all classes, one class after the other.
        n_strata: (n_classes,) number of strata of each class.
        event_at: (n_events,) indices of the events, one stratum after the other.
    """

    strata: tuple[Stratum, ...]
    n_strata: list[int]
    event_at: np.ndarray

    @property
    def sizes(self) -> list[int]:
        return [stratum.size for stratum in self.strata]


def stratify(
    theta: np.ndarray,
    label: np.ndarray,
    process: np.ndarray | None,
    *,
    balance: str,
    batch_size: int,
    backgrounds: Sequence[int],
    n_classes: int,
    order: np.ndarray,
) -> Strata:
    """Divides the events into strata, and a batch among them.

    Args:
        theta: (n_events, n_parameters), of which only the signal's is looked at.
        label: (n_events,) class of each event, from 0 to n_classes - 1.
        process: (n_events,) background process of each event, or None if there is one.
        balance: one of BALANCES.
        batch_size: number of events of a batch.
        backgrounds: the classes that are background.
        n_classes: number of classes.
        order: (n_events,) the indices of the events, in the order in which the strata are to hold them.

    Returns:
        Strata, signal before background.

    Raises:
        ValueError: an unknown balance, a class without events, "background" without process, signal whose theta is
            continuous where it is to be balanced.
    """
    require_balance(balance, process is not None)
    if balance == "none":
        return Strata((Stratum("all", len(order), float(batch_size)),), [1], order)
    groups = []
    for of_class, kind, name in named_classes(n_classes, backgrounds):
        events = order[label[order] == of_class]
        require_events(name, balance, len(events))
        if balance not in (kind, "full"):
            groups.append([(name, events)])
        elif kind == "signal":
            points, group = distinct(theta[events])
            require_hypotheses(name, balance, len(points), len(events))
            groups.append(_parts(name, [point_name(point) for point in points], group, events))
        elif process is None:
            groups.append([(name, events)])
        else:
            names, group = np.unique(process[events], return_inverse=True)
            groups.append(_parts(name, names, group, events))
    strata = [
        Stratum(name, len(events), batch_size / len(groups) / len(group)) for group in groups for name, events in group
    ]
    return Strata(
        tuple(strata), [len(group) for group in groups], np.concatenate([part for group in groups for _, part in group])
    )


def scale_weights(weight: np.ndarray | None, strata: Strata, weight_scale: str | None) -> np.ndarray | None:
    """Weights (n_events,) float32, scaled to a mean of 1 in each stratum, or altogether, or not; None for none."""
    if weight is None:
        require_scale(weight_scale)
        return weight
    sorted_weight = weight[strata.event_at].astype(np.float64)
    sums = np.add.reduceat(sorted_weight, np.cumsum([0, *strata.sizes[:-1]]))
    scaled = np.empty_like(weight)
    scaled[strata.event_at] = sorted_weight / np.repeat(mean_weights(strata.strata, sums, weight_scale), strata.sizes)
    return scaled


def mean_weights(strata: Sequence[Stratum], sums: np.ndarray, weight_scale: str | None) -> np.ndarray:
    """What weights are divided by in each stratum, (n_strata,) float64, given the sum of the weights in each."""
    require_scale(weight_scale)
    sizes = np.array([stratum.size for stratum in strata])
    if weight_scale is None:
        return np.ones(len(strata))
    means = sums / sizes if weight_scale == "stratum" else np.full(len(strata), np.sum(sums) / sizes.sum())
    if not means.all():
        raise ValueError(
            f"The weights of the stratum {strata[int(np.argmin(means))].name!r} are all 0, so that there is no scale "
            "that gives them a mean of 1. Leave these events out, or use weight_scale=None."
        )
    return means


def named_classes(n_classes: int, backgrounds: Sequence[int]) -> list[tuple[int, str, str]]:
    """Each class with its kind, "signal" or "background", and its name; signal first."""
    classes = sorted(range(n_classes), key=lambda of_class: of_class in backgrounds)
    kinds = ["background" if of_class in backgrounds else "signal" for of_class in classes]
    names = kinds if n_classes == 2 else [f"{kind} {of_class}" for kind, of_class in zip(kinds, classes, strict=True)]
    return list(zip(classes, kinds, names, strict=True))


def require_balance(balance: str, has_process: bool) -> None:
    """Refuses a balance that there is not, or not without processes."""
    if balance not in BALANCES:
        raise ValueError(f"Expected balance to be one of {', '.join(BALANCES)}. Received: balance={balance!r}")
    if balance == "background" and not has_process:
        raise ValueError("balance='background' needs process, the background process of each event. Or use 'class'.")


def require_scale(weight_scale: str | None) -> None:
    """Refuses a scale of weights that there is not."""
    if weight_scale not in WEIGHT_SCALES:
        raise ValueError(
            f"Expected weight_scale to be one of {', '.join(map(repr, WEIGHT_SCALES))}. Received: {weight_scale!r}"
        )


def require_events(name: str, balance: str, n_events: int) -> None:
    """Refuses a class without events."""
    if n_events == 0:
        raise ValueError(f"The stratum {name!r} is empty, and balance={balance!r} needs it. Or use balance='none'.")


def require_hypotheses(name: str, balance: str, n_points: int, n_events: int) -> None:
    """Refuses a continuous theta where equal parts by theta are asked for."""
    if is_continuous(n_points, n_events):
        raise ValueError(
            f"balance={balance!r} makes equal parts of the hypotheses, but theta of {name!r} has {n_points} values in "
            f"{n_events} events, as if it were continuous. Use balance='class', or 'background'."
        )


def distinct(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted distinct rows of (n, n_parameters), and for each row the index of its own among them."""
    code, n_codes = np.zeros(len(points), dtype=np.int64), 1
    for column in points.T:
        values, inverse = np.unique(column, return_inverse=True)
        if n_codes * len(values) >= 2**63:  # of Python's integers, which do not overflow
            code = np.unique(code, return_inverse=True)[1]
            n_codes = int(code.max()) + 1
        code, n_codes = code * len(values) + inverse, n_codes * len(values)
    _, first, group = np.unique(code, return_index=True, return_inverse=True)
    return points[first], group


def is_continuous(n_points: int, n_events: int) -> bool:
    """Whether so many distinct theta in so many events are values of a continuous theta rather than hypotheses."""
    return n_points > max(n_events / 2, FEW)


def point_name(point: np.ndarray) -> str:
    values = [checks.decimal(value) for value in checks.plain(point)]
    return values[0] if len(values) == 1 else f"({', '.join(values)})"


def _parts(name: str, names: Sequence, group: np.ndarray, events: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """The events (n,) of each of the groups (n,), in the order that they have, with names."""
    parts = np.split(events[np.argsort(group, kind="stable")], np.cumsum(np.bincount(group))[:-1])
    return [(f"{name} {own}", part) for own, part in zip(names, parts, strict=True)]
