"""Several networks as one result: the mean over folds or trainings, and its spread from network to network."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from taylor.result import TaylorImportance


def merged(importances: Sequence["TaylorImportance"], same_events: bool) -> "TaylorImportance":
    """As `TaylorImportance.merge`."""
    first = importances[0]
    require_comparable(importances)
    names = list(first.regions)
    for one in importances:
        if set(one.regions) != set(names):
            raise ValueError(f"Expected the same regions in all. Received: {names} and {list(one.regions)}.")
    n_events = {one.n_events for one in importances}
    if same_events and len(n_events) > 1:
        raise ValueError(f"Expected the same number of events, for same_events=True. Received: {sorted(n_events)}.")
    n_networks = np.array([one.n_networks for one in importances])
    share = n_networks / n_networks.sum()

    def stacked(name: str) -> np.ndarray | None:
        values = [getattr(one, name) for one in importances]
        alike = all(value is not None for value in values) and len({value.shape for value in values}) == 1
        return np.stack(values) if alike else None

    def mean_of(name: str) -> np.ndarray | None:
        values = stacked(name)
        return None if values is None else np.tensordot(share, values, axes=1)

    def error_of(name: str) -> np.ndarray | None:
        errors = stacked(name)
        if errors is None or same_events:
            return None if errors is None else share @ errors
        return np.sqrt(share**2 @ errors**2)

    means = np.stack([one.mean for one in importances])
    mean, replicas, error = np.tensordot(share, means, axes=1), mean_of("replicas"), error_of("error")
    if same_events and replicas is not None and len(replicas) > 1:
        error = replicas.std(axis=0, ddof=1)
    squares = n_networks @ (means - mean) ** 2
    for one in importances:
        squares += 0 if one.spread is None else (one.n_networks - 1) * one.spread**2
    return replace(
        first,
        mean=mean,
        error=error,
        n_events=first.n_events if same_events else sum(one.n_events for one in importances),
        engine=", ".join(dict.fromkeys(one.engine for one in importances)),
        replicas=replicas,
        regions={name: merged([one.regions[name] for one in importances], same_events) for name in names},
        signed=mean_of("signed"),
        signed_error=error_of("signed_error"),
        median=mean_of("median"),
        spread=np.sqrt(squares / (n_networks.sum() - 1)),
        n_networks=int(n_networks.sum()),
    )


def require_comparable(importances: Sequence[Any]) -> None:
    """Raises ValueError if the features of importances, or of sums, are not the same, or the target is not."""
    if len(importances) < 2:
        raise ValueError("Expected at least one other importance. Received: none.")
    first = importances[0]
    for one in importances:
        if one.features != first.features:
            raise ValueError(
                f"Expected importances of the same features in the same order. Received: {_brief(first)} and "
                f"{_brief(one)}. Analyse them with the same names, order and features."
            )
        if None not in (one.target, first.target) and one.target != first.target:
            raise ValueError(
                f"Expected importances of the same target. Received: {first.target!r} and {one.target!r}. Analyse them "
                "with the same target."
            )


def _brief(importance: Any) -> str:
    names = importance.features.names
    return f"{len(importance.features)} features of {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"
