"""Templates as histograms of other packages, and the other way: the protocol PlottableHistogram, https://uhi.readthedocs.io.

hist, boost-histogram and uproot give objects that follow it, and hist takes them; none is imported.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from neos_tf.specification import Template


class Traits(NamedTuple):
    """Bins that do not wrap around, and have a width."""

    circular: bool = False
    discrete: bool = False


class Axis:
    """Bins between `edges` (n_bins + 1,), each a pair of floats."""

    traits = Traits()

    def __init__(self, edges: ArrayLike):
        self.edges = np.asarray(edges, np.float64)

    def __len__(self) -> int:
        return len(self.edges) - 1

    def __getitem__(self, index: int) -> tuple[float, float]:
        low, high = self.edges[:-1][index], self.edges[1:][index]
        return float(low), float(high)

    def __iter__(self) -> Iterator[tuple[float, float]]:
        return (self[index] for index in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Axis) and np.array_equal(self.edges, other.edges)

    __hash__ = None  # type: ignore[assignment]  # as Python has it for what can change


class Histogram:
    """A template with its statistical uncertainty; `hist.Hist(histogram)` is one of hist, with weights.

    Args:
        values: (n_bins,) expected events.
        variances: (n_bins,) squares of their absolute uncertainties; None for none known.
        edges: (n_bins + 1,) of the observable.
    """

    kind = "COUNT"

    def __init__(self, values: ArrayLike, variances: ArrayLike | None, edges: ArrayLike):
        self._values, self.axes = np.array(values, np.float64), (Axis(edges),)
        self._variances = None if variances is None else np.array(variances, np.float64)

    def values(self) -> np.ndarray:
        return self._values

    def variances(self) -> np.ndarray | None:
        return self._variances

    def counts(self) -> np.ndarray | None:
        """(n_bins,) events without weights that would know as much."""
        if self._variances is None:
            return None
        return np.divide(self._values**2, self._variances, out=np.zeros_like(self._values), where=self._variances > 0)

    def _to_uhi_(self) -> dict[str, Any]:
        storage: dict[str, Any] = {"type": "double", "values": self._values}
        if self._variances is not None:
            storage = {"type": "weighted", "values": self._values, "variances": self._variances}
        axis = {"type": "variable", "edges": self.axes[0].edges, "circular": False}
        return {"uhi_schema": 1, "axes": [{**axis, "underflow": False, "overflow": False}], "storage": storage}


def from_histograms(given: Mapping[str, Any], templates: Mapping[str, Template]) -> dict[str, Any]:
    """Counts in place of histograms, and their uncertainties for the templates of these that are names alone.

    Raises:
        ValueError: a histogram of several axes, or of other things than counts.
    """
    arrays = dict(given)
    for name, histogram in given.items():
        if not (callable(getattr(histogram, "values", None)) and hasattr(histogram, "variances")):
            continue
        axes, kind = len(histogram.axes), histogram.kind
        if axes != 1 or kind != "COUNT":
            raise ValueError(f"Expected histograms of counts on one axis. Received: {name!r} of {axes} axes, {kind}.")
        arrays[name], variances = histogram.values(), histogram.variances()
        for template in templates.values():
            if variances is not None and template.uncertainty_of == name and template.required:
                arrays.setdefault(template.name, np.sqrt(variances))
    return arrays


def to_histograms(templates: Mapping[str, Template], numbers: np.ndarray, edges: Mapping | ArrayLike) -> dict:
    """By name of the template, those that are not uncertainties; see `Likelihood.histograms`."""
    found = {}
    for name, template in templates.items():
        if template.shape and template.uncertainty_of is None:
            own = np.asarray(edges[name] if isinstance(edges, Mapping) else edges, np.float64)
            if own.shape != (template.n_values + 1,):
                raise ValueError(
                    f"Expected edges of {template.n_values} bins for template {name!r}. Received: shape {own.shape}. "
                    "Give edges={name: edges} where they differ."
                )
            squared = [numbers[other.places] ** 2 for other in templates.values() if other.uncertainty_of == name]
            found[name] = Histogram(numbers[template.places], sum(squared) if squared else None, own)
    return found
