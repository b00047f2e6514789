"""Two networks, or two regions, side by side: which means differ, and whose rank has moved by more than its error."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from taylor import tables
from taylor.features import FeatureSet
from taylor.merge import require_comparable
from taylor.ranks import ranks_of

if TYPE_CHECKING:
    import pandas

    from taylor.result import TaylorImportance

N_DRAWS = 200  # of means, where there are no replicas


class ComparedFeature(NamedTuple):
    """One line of a comparison.

    Attributes:
        rank: in the first, from 1.
        other_rank: in the second.
        feature: the names of its inputs, joined by a comma.
        inputs: their indices.
        order: how many they are.
        mean: <|t_i|> of the first.
        other_mean: that of the second.
        difference: mean - other_mean.
        error: its standard error.
        pull: difference / error.
        moved: whether the ranks differ by more than their errors.
    """

    rank: int
    other_rank: int
    feature: str
    inputs: tuple[int, ...]
    order: int
    mean: float
    other_mean: float
    difference: float
    error: float
    pull: float
    moved: bool


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two importances of the same features.

    Attributes:
        features: names and input indices of the columns.
        means: (2, n_features) <|t_i|> of the first and the second.
        ranks: (2, n_features) from 1.
        error: (n_features,) standard error of the difference of the means.
        moved: (n_features,) whether the ranks differ by more than their errors, at `level`.
        level: confidence level of `moved`.
    """

    features: FeatureSet
    means: np.ndarray
    ranks: np.ndarray
    error: np.ndarray
    moved: np.ndarray
    level: float

    @property
    def difference(self) -> np.ndarray:
        """(n_features,) mean of the first minus mean of the second."""
        return self.means[0] - self.means[1]

    @property
    def pull(self) -> np.ndarray:
        """(n_features,) the difference in units of its error; 0 if there is none."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.difference == 0, 0.0, self.difference / self.error)

    def ranking(self, n: int | None = None) -> list[ComparedFeature]:
        """The first n features by their rank in the first importance; all if n is None."""
        columns = np.argsort(self.ranks[0])[:n]
        inputs = [self.features.indices[column] for column in columns.tolist()]
        numbers = *self.means, self.difference, self.error, self.pull, self.moved
        return [
            ComparedFeature(rank, other_rank, self.features.label(column), index, len(index), *others)
            for rank, other_rank, column, index, *others in zip(
                *self.ranks[:, columns].tolist(),
                columns.tolist(),
                inputs,
                *(values[columns].tolist() for values in numbers),
                strict=True,
            )
        ]

    def __str__(self) -> str:
        return "\n".join([self._title(), *tables.aligned(self._shown()), *tables.more(self.features)])

    def _repr_html_(self) -> str:
        return tables.html_table(self._title(), self._shown(), *tables.more(self.features))

    def to_frame(self) -> "pandas.DataFrame":
        """The ranking as a pandas.DataFrame.

        Raises:
            ImportError: pandas is not installed; the package does not depend on it.
        """
        return tables.frame(self.ranking())

    def _title(self) -> str:
        return (
            f"Comparison of {len(self.features):,} features: the ranks of {self.moved.sum():,} have moved by more than "
            f"their errors ({100 * self.level:g} %)"
        )

    def _shown(self) -> list[tuple[str, list[str]]]:
        lines = self.ranking(tables.N_SHOWN)
        headings = {
            "rank": ("rank", "4"),
            "other_rank": ("second", "6"),
            "feature": ("feature", ""),
            "order": ("order", "5"),
            "mean": ("<|t|>", "8.4g"),
            "other_mean": ("second", "8.4g"),
            "difference": ("difference", "10.3g"),
            "error": ("error", "8.2g"),
            "pull": ("pull", "6.1f"),
        }
        shown = [
            (heading, [format(getattr(line, name), style) for line in lines])
            for name, (heading, style) in headings.items()
        ]
        return [*shown, ("moved", ["yes" if line.moved else "" for line in lines])]


def compared(first: "TaylorImportance", second: "TaylorImportance", level: float, seed: int) -> Comparison:
    """As `TaylorImportance.compare`."""
    both = first, second
    require_comparable(both)
    if not 0 < level < 1:
        raise ValueError(f"Expected level, a confidence level, in (0, 1). Received: level={level}")
    n_needed = int(np.ceil(2 / (1 - level) - 1 - 1e-9))  # for one replica beyond each end of the interval
    n_replicas = {0 if one.replicas is None else len(one.replicas) for one in both}
    rng = np.random.default_rng(seed)
    if len(n_replicas) == 1 and min(n_replicas) >= n_needed:
        draws = [one.replicas for one in both if one.replicas is not None]
        variance = (draws[0] - draws[1]).var(axis=0, ddof=1)
    else:
        draws = [rng.normal(one.mean, one.error, (max(N_DRAWS, n_needed), len(one.mean))) for one in both]
        variance = first.error**2 + second.error**2
    for i, one in enumerate(both):
        if one.spread is not None:
            of_mean = one.spread / np.sqrt(one.n_networks)
            draws[i] = draws[i] + rng.normal(0, of_mean, draws[i].shape)
            variance = variance + of_mean**2
    low, high = _interval(ranks_of(draws[0]) - ranks_of(draws[1]), level)
    return Comparison(
        features=first.features,
        means=np.stack([first.mean, second.mean]),
        ranks=np.stack([first.ranks, second.ranks]),
        error=np.sqrt(variance),
        moved=(low > 0) | (high < 0),
        level=level,
    )


def _interval(moves: np.ndarray, level: float) -> Sequence[np.ndarray]:
    """Ends of the central interval of each column: a further draw is beyond them with 1 - level at most."""
    beyond = int((1 - level) / 2 * (len(moves) + 1) + 1e-9) - 1
    moves = np.sort(np.ascontiguousarray(moves.T), axis=1)
    return moves[:, beyond], moves[:, -1 - beyond]
