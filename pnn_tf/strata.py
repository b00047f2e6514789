"""Which events a balanced batch holds, and how many of each: Anzalone et al. 2022, section 4.3."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pnn_tf import checks

BALANCES = ("none", "class", "signal", "background", "full")


class Stratum(NamedTuple):
    """A group of events that takes a fixed part of every batch.

    Attributes:
        name: what the events have in common.
        size: number of events.
        quota: how many of them each batch holds.
    """

    name: str
    size: int
    quota: int


def stratify(
    theta: np.ndarray, label: np.ndarray, process: np.ndarray | None, balance: str, batch_size: int, order: np.ndarray
) -> tuple[tuple[Stratum, ...], np.ndarray]:
    """Divides the events into strata, and a batch among them.

    Args:
        theta: (n_events, n_parameters), of which only the signal's is looked at.
        label: (n_events,) 1 for signal, 0 for background.
        process: (n_events,) background process of each event, or None if there is one.
        balance: one of BALANCES.
        batch_size: number of events of a batch.
        order: (n_events,) the indices of the events, in the order in which the strata are to hold them.

    Returns:
        The strata, a tuple of Stratum, and the indices of their events one after the other, (n_events,). Signal comes
        before background in both.

    Raises:
        ValueError: an unknown balance, no signal or no background event, "background" without process, a batch too
            small for the strata.
    """
    groups = _groups(theta, label, process, balance, order)
    members = [member for group in groups for member in group]
    shares = quotas(batch_size, groups)
    strata = [Stratum(name, len(events), quota) for (name, events), quota in zip(members, shares, strict=True)]
    return tuple(strata), np.concatenate([events for _, events in members])


def _groups(
    theta: np.ndarray, label: np.ndarray, process: np.ndarray | None, balance: str, order: np.ndarray
) -> list[list[tuple[str, np.ndarray]]]:
    """The parts that share a batch equally, each a list of strata (name, indices): signal and background, or all."""
    if balance not in BALANCES:
        raise ValueError(f"Expected balance to be one of {', '.join(BALANCES)}. Received: balance={balance!r}")
    if balance == "background" and process is None:
        raise ValueError("balance='background' needs process, the background process of each event. Or use 'class'.")
    in_signal = label[order] == 1
    signal, background = order[in_signal], order[~in_signal]
    if balance == "none":
        return [[("all", np.concatenate([signal, background]))]]
    for name, events in (("signal", signal), ("background", background)):
        if len(events) == 0:
            raise ValueError(f"The stratum {name!r} is empty, and balance={balance!r} needs it. Or use balance='none'.")
    signals, backgrounds = [("signal", signal)], [("background", background)]
    if balance in ("signal", "full"):
        points, group = distinct(theta[signal])
        signals = [(f"signal {_point_name(point)}", signal[group == i]) for i, point in enumerate(points)]
    if balance in ("background", "full") and process is not None:
        names, group = np.unique(process[background], return_inverse=True)
        backgrounds = [(f"background {name}", background[group == i]) for i, name in enumerate(names)]
    return [signals, backgrounds]


def distinct(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted distinct rows of (n, n_parameters), and for each row the index of its own among them."""
    code = np.zeros(len(points), dtype=np.int64)
    for column in points.T:
        values, inverse = np.unique(column, return_inverse=True)
        code = code * len(values) + inverse
    _, first, group = np.unique(code, return_index=True, return_inverse=True)
    return points[first], group


def quotas(batch_size: int, groups: Sequence[Sequence]) -> list[int]:
    """Number of events of each stratum in a batch, group by group, by largest remainder: they sum to batch_size.

    >>> quotas(1024, [["a", "b", "c", "d", "e"], ["background"]])
    [103, 103, 102, 102, 102, 512]
    """
    shares = [
        share
        for group, group_share in zip(groups, _split(batch_size, len(groups)), strict=True)
        for share in _split(group_share, len(group))
    ]
    if min(shares) == 0:
        needed = len(groups) * max(map(len, groups))
        raise ValueError(
            f"batch_size={batch_size} is too small to hold one event of each of the {len(shares)} strata. "
            f"Use batch_size >= {needed}, or a coarser balance such as 'class'."
        )
    return shares


def _split(total: int, n_parts: int) -> list[int]:
    return [total // n_parts + (part < total % n_parts) for part in range(n_parts)]


def _point_name(point: np.ndarray) -> str:
    values = [checks.decimal(value) for value in checks.plain(point)]
    return values[0] if len(values) == 1 else f"({', '.join(values)})"
