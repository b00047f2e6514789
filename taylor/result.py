"""What an analysis has found: features with their mean absolute coefficients, ranked, printed, stored."""

import csv
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from taylor import latex, tables
from taylor.comparison import Comparison, compared
from taylor.features import FeatureSet
from taylor.merge import merged
from taylor.ranks import central, ranks_of
from taylor.tables import OPTIONAL

if TYPE_CHECKING:
    import pandas

FORMAT = 1


class RankedFeature(NamedTuple):
    """One line of the ranking.

    Attributes:
        rank: from 1, by decreasing mean.
        feature: the names of its inputs, joined by a comma.
        inputs: their indices.
        order: how many they are.
        mean: <|t_i|>.
        error: its standard error.
        rank_low: lower end of the central interval of 68 per cent of the rank over bootstrap replicas; None without.
        rank_high: upper end.
        median, signed, signed_error, spread: as of TaylorImportance; None without.
    """

    rank: int
    feature: str
    inputs: tuple[int, ...]
    order: int
    mean: float
    error: float
    rank_low: int | None
    rank_high: int | None
    median: float | None = None
    signed: float | None = None
    signed_error: float | None = None
    spread: float | None = None


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
        signed: (n_features,) weighted mean of t_i with its sign; None if it was not asked for.
        signed_error: (n_features,) its standard error.
        median: (n_features,) weighted median of |t_i|; None if it was not asked for.
        spread: (n_features,) standard deviation of the mean from network to network; None for one network.
        n_networks: number of networks that it is the mean of.
        target: "output" or "logit"; None if it is not known.
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
    median: np.ndarray | None = None
    spread: np.ndarray | None = None
    n_networks: int = 1
    target: str | None = None

    @cached_property
    def by_rank(self) -> np.ndarray:
        """(n_features,) columns by decreasing mean; equal means in the order of the features."""
        return np.argsort(-self.mean, kind="stable")

    @cached_property
    def ranks(self) -> np.ndarray:
        """(n_features,) rank of each feature, from 1."""
        return ranks_of(self.mean[None])[0]

    @cached_property
    def rank_interval(self) -> np.ndarray | None:
        """(2, n_features) central interval of 68 per cent of each rank over the replicas; None without replicas."""
        return None if self.replicas is None else central(ranks_of(self.replicas), 0.68)

    def ranking(self, n: int | None = None) -> list[RankedFeature]:
        """The first n features by decreasing mean; all if n is None."""
        return self._lines(self.by_rank[:n])

    def of(self, *inputs: int | str) -> RankedFeature:
        """The feature of the given inputs, such as `of("mass", "pt")`, in any order."""
        (index,) = FeatureSet.chosen(self.features.names, [inputs]).indices
        if index not in self.features.columns:
            raise ValueError(f"Expected one of the {len(self.features)} analysed features. Received: {inputs}")
        return self._lines(np.array([self.features.columns[index]]))[0]

    def _lines(self, columns: np.ndarray) -> list[RankedFeature]:
        features, few = self.features, len(columns) < len(self.features)
        low, high = (None, None) if self.rank_interval is None else self.rank_interval
        numbers = self.mean, self.error, low, high, *(getattr(self, name) for name in OPTIONAL)
        of_columns = [repeat(None) if values is None else values[columns].tolist() for values in numbers]
        return [
            RankedFeature(rank, features.label(i) if few else features.labels[i], index, len(index), *others)
            for rank, i, index, *others in zip(
                self.ranks[columns].tolist(),
                columns.tolist(),
                [features.indices[i] for i in columns.tolist()],
                *of_columns,
                strict=False,
            )
        ]

    def merge(
        self, others: "TaylorImportance | Iterable[TaylorImportance]", *, same_events: bool = False
    ) -> "TaylorImportance":
        """The mean importance over several networks, such as those of folds or of trainings from different starts.

        Each network counts the same. `spread` is the sample standard deviation of <|t_i|> from network to network: it
        says how much one training differs from the next. The chance of training leaves the mean an error of
        spread / sqrt(n_networks), beside the `error` that is due to the number of events. For folds, `spread` has the
        fluctuations of events in it, so that spread / sqrt(n_networks) is the whole error of the mean.

        Results that are merged themselves are merged as if all their networks were merged at once. Regions are merged
        by name, and so are replicas if all have the same number of them.

        Args:
            others: of other networks, with the same features.
            same_events: whether all networks were shown the same events. If not, as for folds, errors are independent
                and add in squares, sqrt(sum error^2) / n_networks. If so, the error is that of the merged replicas,
                which must be of the same seed; without replicas the mean of the errors, which is an upper limit.

        Raises:
            ValueError: no others, other features, another target, other regions, other numbers of events with
                same_events.
        """
        others = [others] if isinstance(others, TaylorImportance) else list(others)
        return merged([self, *others], same_events)

    def compare(self, other: "TaylorImportance", *, level: float = 0.95, seed: int = 0) -> Comparison:
        """This importance minus another one of the same features: of another network, or over another region.

        The rank of a feature has moved if the central interval, at `level`, of the difference of its two ranks does
        not contain 0; so at most 1 - level of the features seem to have moved where nothing has. The interval is over
        pairs of bootstrap replicas, the first with the first and so on. With one seed, replicas hold the same copies of
        the same events, so that what is common to both cancels; for other events or another seed they are independent.
        If there are too few replicas, 39 at 95 per cent, or not the same number, means are drawn from their errors as
        if all were independent. The chance of training counts where it is known, in importances that were merged.

        Args:
            other: the importance to subtract.
            level: confidence level, in (0, 1).
            seed: of what is drawn.

        Raises:
            ValueError: other features, another target, a level out of range.
        """
        return compared(self, other, level, seed)

    def __str__(self) -> str:
        return tables.text(self)

    def _repr_html_(self) -> str:
        return tables.html(self)

    def to_csv(self, path: str | os.PathLike) -> None:
        """Writes the ranking as a table with a heading; columns as of `to_frame`, but for the indices of the inputs."""
        columns = tables.columns(self)
        del columns["inputs"]
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))

    def to_frame(self) -> "pandas.DataFrame":
        """The ranking as a pandas.DataFrame.

        Columns as the fields of RankedFeature; the optional ones if there are any. Then, of each region, the same
        numbers by names such as `mean_signal` and `error_signal`.

        Raises:
            ImportError: pandas is not installed; the package does not depend on it.
        """
        return tables.frame(tables.columns(self))

    def to_latex(
        self,
        path: str | os.PathLike | None = None,
        *,
        n: int | None = 20,
        caption: str | None = None,
        label: str | None = None,
    ) -> str:
        r"""The first n features as a table for LaTeX with the package booktabs; written to `path` if one is given.

        Values are rounded to two digits of their errors. What LaTeX reads as a command is escaped in names of inputs
        and of regions, but for what stands between two dollar signs, so that `$p_T$` is what it is in LaTeX; Greek
        letters become commands.

        Args:
            path: of the file.
            n: number of features; all if None.
            caption: in LaTeX, as it is. With it or with `label`, the tabular stands in a table.
            label: to refer to.
        """
        text = latex.table(self, n, caption, label)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

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
            "replicas": None if self.replicas is None else self.replicas.tolist(),
            "regions": {name: region.to_dict() for name, region in self.regions.items()},
            **{name: values.tolist() for name in OPTIONAL if (values := getattr(self, name)) is not None},
            "n_networks": self.n_networks,
            "target": self.target,
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
            replicas=None if stored["replicas"] is None else np.array(stored["replicas"]),
            regions={name: cls.from_dict(region, features) for name, region in stored["regions"].items()},
            **{name: np.array(stored[name]) for name in OPTIONAL if stored.get(name) is not None},
            n_networks=stored.get("n_networks", 1),
            target=stored.get("target"),
        )
