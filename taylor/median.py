"""Exact weighted medians of |t_i|. Unlike means they need all events at once, so that |t| is kept in memory."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import tensorflow as tf

from taylor.analysis import Analysis, require_memory
from taylor.result import TaylorImportance
from taylor.sources import Chunk

ROUNDING = 1e-10  # relative, of a sum of weights


class Medians:
    """Keeps the coefficients of the chunks that pass, until their medians are wanted.

    Args:
        analysis: what to compute.
        wanted: whether there is anything to do.
        replacements: as of `sum_over_events`.
    """

    def __init__(self, analysis: Analysis, wanted: bool, replacements: Sequence[Mapping]):
        self._analysis, self._wanted, self._replacements = analysis, wanted, replacements
        self._weights: list[np.ndarray] = []
        self._coefficients: list[list[np.ndarray]] = [[] for _ in replacements]  # (n_columns, n_events) each
        self._n_bytes = 0

    def passing(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """The chunks, unchanged.

        Raises:
            ValueError: a negative weight.
            MemoryError: more coefficients than fit in memory.
        """
        for chunk in chunks:
            if self._wanted:
                chunk.try_out(self._analysis)
                self._keep(chunk.tensors, np.asarray(chunk.weight, np.float64))
            yield chunk

    def of(self, replacement: int, columns: slice) -> np.ndarray:
        """(n_regions, n) the medians of some of the columns, once all chunks have passed."""
        weight = np.concatenate(self._weights)
        kept = zip(*(coefficients[columns] for coefficients in self._coefficients[replacement]), strict=True)
        masks = weight.T > 0
        if all(np.ptp(of_region[mask]) == 0 for of_region, mask in zip(weight.T, masks, strict=True)):
            # Events that all count the same need not be sorted.
            medians = [[np.median(values[mask]) for mask in masks] for values in map(np.concatenate, kept)]
        else:
            medians = [weighted_medians(values, weight) for values in map(np.concatenate, kept)]
        return np.array(medians, np.float64).T

    def added_to(self, importance: TaylorImportance, replacement: int, columns: slice) -> TaylorImportance:
        """The importance of these columns with its medians, and those of its regions, if they are wanted."""
        if not self._wanted:
            return importance
        median, *of_regions = self.of(replacement, columns)
        regions = {
            name: replace(region, median=of_region)
            for (name, region), of_region in zip(importance.regions.items(), of_regions, strict=True)
        }
        return replace(importance, median=median, regions=regions)

    def _keep(self, tensors: Sequence[tf.Tensor], weight: np.ndarray) -> None:
        if (weight < 0).any():
            raise ValueError(
                "Expected weights of at least 0 for the median. Received: negative ones. Use median=False, or the "
                "events without them."
            )
        used = weight.any(axis=1)
        self._weights.append(weight[used])
        for kept, new in zip(self._coefficients, self._replacements, strict=True):
            shown = tuple(new.get(i, tensor) for i, tensor in enumerate(tensors))
            t = np.abs(self._analysis.compiled(shown))
            kept.append(np.ascontiguousarray(t[used].T))
            self._n_bytes += kept[-1].nbytes
        require_memory(
            self._n_bytes,
            "|t| of all events, for the median,",
            "Take fewer events, or name the features you want with features=[...].",
        )


def weighted_medians(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(n_columns,) the median of values (n,) by each column of weights (n, n_columns).

    On both sides of it lies at most half of the weight; where a whole interval does that, its middle.

    >>> weighted_medians(np.array([3.0, 1.0, 2.0, 4.0]), np.array([[1, 5], [1, 1], [1, 1], [1, 1]]))
    array([2.5, 3. ])
    """
    order = np.argsort(values)
    values, below = values[order].astype(np.float64), np.cumsum(weight[order], axis=0)
    medians = np.empty(weight.shape[1])
    for column, sums in enumerate(below.T):
        half = sums[-1] / 2
        low = np.searchsorted(sums, half * (1 - ROUNDING))
        high = np.searchsorted(sums, half * (1 + ROUNDING), side="right")
        medians[column] = (values[low] + values[high]) / 2
    return medians
