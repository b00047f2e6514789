"""What a variation of the inputs moves: its change of the response, part by part, ranked, printed, stored."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from taylor import tables
from taylor.features import FeatureSet

if TYPE_CHECKING:
    import pandas

FORMAT = 1
N_SHOWN = 20  # features that are printed
FURTHER = "by_input", "down", "half_difference", "mean_shift"


class Contribution(NamedTuple):
    """One line of the ranking.

    Attributes:
        rank: from 1, by decreasing absolute contribution.
        feature: the names of its inputs, joined by a comma.
        inputs: their indices.
        order: how many they are.
        contribution: to the mean change of the response, in the response's units.
        error: its standard error.
        share: of the mean change.
        share_error: its standard error.
        mean_abs: mean over events of the absolute contribution.
    """

    rank: int
    feature: str
    inputs: tuple[int, ...]
    order: int
    contribution: float
    error: float
    share: float
    share_error: float
    mean_abs: float


@dataclass(frozen=True, eq=False)
class VariationImportance:
    """The mean change of a response under a variation of its inputs, as a sum of contributions of features.

    change = sum of contribution + remainder + beyond_marginals. All are in the units of the response; each error is a
    standard error from the finite number of events.

    Attributes:
        features: those of the inputs that move, in the order of the columns; `features.names` has all inputs.
        change: weighted mean of the varied response minus that of the nominal one.
        change_error: its error.
        contribution: (n_features,) weighted means.
        error: (n_features,) their errors.
        share_error: (n_features,) errors of `share`, with the correlation of contribution and change.
        mean_abs: (n_features,) weighted means of the absolute contribution to an event: large where the contributions
            to events are, even if they cancel in the mean.
        remainder: what the contributions leave of the change of the events as they are moved.
        remainder_error: its error.
        beyond_marginals: between samples of different events, what moving each input by itself leaves of the change:
            that of the correlations. 0 where events are moved one by one.
        beyond_marginals_error: its error.
        n_events: number of nominal events of weight other than 0.
        engine: name of the engine that differentiated.
        by_input: the same change by input alone: its first order, its own second order and half of its pairs, which are
            the Integrated Gradients of the input. None in `by_input` itself.
        down: the same for the down variation; None without one.
        half_difference: the same for (up - down) / 2, to which the second order nearly cancels; None without down.
        mean_shift: the same for (up + down) / 2 minus nominal, to which the first order nearly cancels; None without
            down.
        regions: the same for further regions, by name.
    """

    features: FeatureSet
    change: float
    change_error: float
    contribution: np.ndarray
    error: np.ndarray
    share_error: np.ndarray
    mean_abs: np.ndarray
    remainder: float
    remainder_error: float
    beyond_marginals: float
    beyond_marginals_error: float
    n_events: int
    engine: str
    by_input: "VariationImportance | None" = None
    down: "VariationImportance | None" = None
    half_difference: "VariationImportance | None" = None
    mean_shift: "VariationImportance | None" = None
    regions: Mapping[str, "VariationImportance"] = field(default_factory=dict)

    @property
    def share(self) -> np.ndarray:
        """(n_features,) contribution / change; NaN if nothing changes."""
        return self.contribution / (self.change or np.nan)

    @cached_property
    def _order(self) -> np.ndarray:
        """(n_features,) columns by decreasing absolute contribution; equal ones in the order of the features."""
        return np.argsort(-np.abs(self.contribution), kind="stable")

    def ranking(self) -> list[Contribution]:
        """All features by decreasing absolute contribution."""
        share = self.share
        return [
            Contribution(
                rank,
                self.features.labels[i],
                self.features.indices[i],
                len(self.features.indices[i]),
                float(self.contribution[i]),
                float(self.error[i]),
                float(share[i]),
                float(self.share_error[i]),
                float(self.mean_abs[i]),
            )
            for rank, i in enumerate(self._order.tolist(), start=1)
        ]

    def of(self, *inputs: int | str) -> Contribution:
        """The feature of the given inputs, such as `of("mass", "pt")`, in any order.

        Raises:
            ValueError: an unknown input, or one that does not move.
        """
        (index,) = FeatureSet.chosen(self.features.names, [inputs]).indices
        if index not in self.features.indices:
            raise ValueError(f"Expected one of the {len(self.features)} features that move. Received: {inputs}")
        return next(line for line in self.ranking() if line.inputs == index)

    def __str__(self) -> str:
        lines = self.ranking()
        shown, others = lines[:N_SHOWN], lines[N_SHOWN:]
        moving = {i for line in lines for i in line.inputs}
        rest: list[tuple[str, float, float | None]] = [("remainder", self.remainder, self.remainder_error)]
        if self.beyond_marginals_error or self.beyond_marginals:
            rest.append(("beyond marginals", self.beyond_marginals, self.beyond_marginals_error))
        rest.append(("change", self.change, self.change_error))
        if others:
            total = sum(line.contribution for line in others)
            rest.insert(0, (f"{len(others):,} more, their sum", total, None))
        width = max(len(label) for label in [*(line.feature for line in shown), *(name for name, *_ in rest)])
        text = [
            f"Change of the mean response over {self.n_events:,} events; {len(moving)} of {len(self.features.names)} "
            "inputs move",
            f"rank  {'feature':{width}}  order  contribution    error     share    error   mean |.|",
        ]
        text += [
            f"{line.rank:4}  {line.feature:{width}}  {line.order:5}  {line.contribution:12.4g}  {line.error:7.2g}  "
            f"{line.share:8.1%}  {line.share_error:7.1%}  {line.mean_abs:9.3g}"
            for line in shown
        ]
        for name, value, error in rest:
            error = " " * 7 if error is None else f"{error:7.2g}"
            text.append(f"      {name:{width}}         {value:12.4g}  {error}  {value / (self.change or np.nan):8.1%}")
        return "\n".join(text)

    def to_frame(self) -> "pandas.DataFrame":
        """The ranking as a pandas.DataFrame.

        Raises:
            ImportError: pandas is not installed; the package does not depend on it.
        """
        return tables.frame(self.ranking())

    def to_json(self, path: str | os.PathLike | None = None) -> str:
        """Everything, with the regions, as JSON text; written to `path` if one is given."""
        text = json.dumps({"format": FORMAT, **self.features.to_dict(), **self._to_dict()}, indent=1)
        if path is not None:
            Path(path).write_text(text + "\n", encoding="utf-8")
        return text

    @classmethod
    def from_json(cls, path_or_text: str | os.PathLike) -> "VariationImportance":
        """Reads what `to_json` has written: a path, or the text.

        Raises:
            ValueError: a text of another kind.
        """
        text = str(path_or_text)
        stored = json.loads(text if text.lstrip().startswith("{") else Path(path_or_text).read_text(encoding="utf-8"))
        if stored.get("format") != FORMAT or "change" not in stored:
            raise ValueError(f"Expected what VariationImportance.to_json wrote. Received: {', '.join(stored)}")
        return cls._from_dict(stored, FeatureSet.from_dict(stored))

    def _to_dict(self) -> dict:
        stored: dict = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "features"}
        for name, value in stored.items():
            if isinstance(value, np.ndarray):
                stored[name] = value.tolist()
            elif isinstance(value, VariationImportance):
                stored[name] = value._to_dict()
        return stored | {"regions": {name: region._to_dict() for name, region in self.regions.items()}}

    @classmethod
    def _from_dict(cls, stored: Mapping, features: FeatureSet) -> "VariationImportance":
        kept = {f.name: stored[f.name] for f in fields(cls) if f.name != "features"}
        kept |= {name: np.array(value) for name, value in kept.items() if isinstance(value, list)}
        for name in FURTHER:
            if kept[name] is not None:
                of = inputs_of(features) if name == "by_input" else features
                kept[name] = cls._from_dict(kept[name], of)
        kept["regions"] = {name: cls._from_dict(region, features) for name, region in kept["regions"].items()}
        return cls(features, **kept)


def inputs_of(features: FeatureSet) -> FeatureSet:
    """The single inputs that features are made of."""
    return FeatureSet(features.names, tuple((i,) for i in sorted({i for index in features.indices for i in index})))
