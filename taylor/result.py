"""What an analysis has found: features with their mean absolute coefficients, ranked, printed, stored."""

import csv
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from taylor.features import FeatureSet

if TYPE_CHECKING:
    import pandas

FORMAT = 1
N_SHOWN = 20  # features that are printed
OPTIONAL = ("replicas", "signed", "signed_error")  # arrays that not every result has


class RankedFeature(NamedTuple):
    """One line of the ranking.

    Attributes:
        rank: from 1, by decreasing mean.
        feature: the names of its inputs, joined by a comma.
        inputs: their indices.
        order: how many they are.
        mean: <t_i>.
        error: its standard error.
        rank_low: lower end of the central interval of 68 per cent of the rank over bootstrap replicas; None without.
        rank_high: upper end.
    """

    rank: int
    feature: str
    inputs: tuple[int, ...]
    order: int
    mean: float
    error: float
    rank_low: int | None
    rank_high: int | None


@dataclass(frozen=True, eq=False)
class TaylorImportance:
    """Mean absolute Taylor coefficients of a response, over the events of a region.

    Attributes:
        features: names and input indices of the columns.
        mean: (n_features,) weighted mean of |t_i|.
        error: (n_features,) its standard error: sqrt(sum w^2 (|t| - mean)^2) / sum w, and more where weights of both
            signs cancel.
        n_events: number of events of weight other than 0.
        engine: name of the engine that differentiated.
        replicas: (n_replicas, n_features) the means over bootstrap replicas of the events; None if there are none.
        regions: the same for further regions, by name.
        signed: (n_features,) weighted mean of t_i itself; None unless asked for.
        signed_error: (n_features,) its standard error.
    """

    features: FeatureSet
    mean: np.ndarray
    error: np.ndarray
    n_events: int
    engine: str
    replicas: np.ndarray | None = None
    regions: Mapping[str, "TaylorImportance"] = field(default_factory=dict)
    signed: np.ndarray | None = None
    signed_error: np.ndarray | None = None

    @cached_property
    def ranks(self) -> np.ndarray:
        """(n_features,) rank of each feature, from 1; equal means in the order of the features."""
        return _ranks(self.mean)

    @cached_property
    def rank_interval(self) -> np.ndarray | None:
        """(2, n_features) central interval of 68 per cent of each rank over the replicas; None without replicas."""
        if self.replicas is None:
            return None
        ranks = np.stack([_ranks(replica) for replica in self.replicas])
        return np.quantile(ranks, (0.16, 0.84), axis=0, method="nearest").astype(int)

    def ranking(self) -> list[RankedFeature]:
        """All features by decreasing mean."""
        interval = self.rank_interval
        low, high = ([None] * len(self.features),) * 2 if interval is None else interval.tolist()
        return [
            RankedFeature(
                rank,
                self.features.labels[i],
                self.features.indices[i],
                len(self.features.indices[i]),
                float(self.mean[i]),
                float(self.error[i]),
                low[i],
                high[i],
            )
            for rank, i in enumerate(np.argsort(self.ranks), start=1)
        ]

    def of(self, *inputs: int | str) -> RankedFeature:
        """The feature of the given inputs, such as `of("mass", "pt")`, in any order."""
        (index,) = FeatureSet.chosen(self.features.names, [inputs]).indices
        if index not in self.features.indices:
            raise ValueError(f"Expected one of the {len(self.features)} analysed features. Received: {inputs}")
        return self.ranking()[self.ranks[self.features.indices.index(index)] - 1]

    def __str__(self) -> str:
        lines = self.ranking()
        shown = lines[:N_SHOWN]
        width = max(len("feature"), *(len(line.feature) for line in shown))
        interval = "" if self.replicas is None else "  rank, 68 %"
        text = [
            f"Mean absolute Taylor coefficients of {len(lines):,} features over {self.n_events:,} events",
            f"rank  {'feature':{width}}  order     <|t|>     error{interval}",
        ]
        for line in shown:
            interval = "" if line.rank_low is None else f"  {line.rank_low:>4} to {line.rank_high}"
            text.append(
                f"{line.rank:4}  {line.feature:{width}}  {line.order:5}  {line.mean:8.4g}  {line.error:8.2g}{interval}"
            )
        if len(lines) > len(shown):
            text.append(f"and {len(lines) - len(shown):,} more")
        return "\n".join(text)

    def to_csv(self, path: str | os.PathLike) -> None:
        """Writes the ranking as a table with a heading."""
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("rank", "feature", "order", "mean", "error", "rank_low", "rank_high"))
            for line in self.ranking():
                row = line._asdict()
                del row["inputs"]
                writer.writerow(row.values())

    def to_frame(self) -> "pandas.DataFrame":
        """The ranking as a pandas.DataFrame.

        Raises:
            ImportError: pandas is not installed; the package does not depend on it.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("to_frame needs pandas: `pip install pandas`. Without it, use ranking().") from error
        return pd.DataFrame(self.ranking())

    def to_json(self, path: str | os.PathLike | None = None) -> str:
        """Everything, with the regions, as JSON text; written to `path` if one is given."""
        text = json.dumps({"format": FORMAT, **self.features.to_dict(), **self.to_dict()}, indent=1)
        if path is not None:
            Path(path).write_text(text + "\n", encoding="utf-8")
        return text

    @classmethod
    def from_json(cls, path_or_text: str | os.PathLike) -> "TaylorImportance":
        """Reads what `to_json` has written: a path, or the text.

        Raises:
            ValueError: something else.
        """
        text = str(path_or_text)
        stored = json.loads(text if text.lstrip().startswith("{") else Path(path_or_text).read_text(encoding="utf-8"))
        if stored.get("format") != FORMAT:
            raise ValueError(f"Expected an importance of format {FORMAT}. Received: {stored.get('format')!r}")
        return cls.from_dict(stored, FeatureSet.from_dict(stored))

    def to_dict(self) -> dict:
        """Everything but the features, as plain values."""
        return {
            "mean": self.mean.tolist(),
            "error": self.error.tolist(),
            "n_events": self.n_events,
            "engine": self.engine,
            **{name: _list(getattr(self, name)) for name in OPTIONAL},
            "regions": {name: region.to_dict() for name, region in self.regions.items()},
        }

    @classmethod
    def from_dict(cls, stored: Mapping, features: FeatureSet) -> "TaylorImportance":
        """From what `to_dict` has returned."""
        return cls(
            features=features,
            mean=np.array(stored["mean"]),
            error=np.array(stored["error"]),
            n_events=stored["n_events"],
            engine=stored["engine"],
            **{name: np.array(stored[name]) for name in OPTIONAL if stored.get(name) is not None},
            regions={name: cls.from_dict(region, features) for name, region in stored["regions"].items()},
        )


def _list(array: np.ndarray | None) -> list | None:
    return None if array is None else array.tolist()


def _ranks(mean: np.ndarray) -> np.ndarray:
    ranks = np.empty(len(mean), int)
    ranks[np.argsort(-mean, kind="stable")] = np.arange(1, len(mean) + 1)
    return ranks
