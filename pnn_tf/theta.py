"""Where background events get their theta from: Anzalone et al. 2022, section 4.2.

Signal has the theta it was generated with; background has none, and how it gets one decides what the network can learn.
A strategy is any object with `n_parameters`, `sampled` (whether theta is drawn afresh in every batch, or once for the
whole data set) and `draw(n, seed, features)`; the three here are the paper's. Each is drawn jointly in all parameters.
"""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike


class ThetaStrategy(Protocol):
    """What `balanced_batches` takes for a strategy."""

    @property
    def n_parameters(self) -> int:
        """Number of parameters that it draws."""

    @property
    def sampled(self) -> bool:
        """Whether to draw afresh in every batch."""

    def draw(self, n: int, seed: Sequence[int | tf.Tensor], features: np.ndarray | tf.Tensor) -> tf.Tensor:
        """(n, n_parameters) float32 for n events with `features` (n, n_features); the same for the same seed."""


@dataclass(frozen=True)
class Identical:
    """Background theta is one of the signal's hypotheses, all equally likely.

    Attributes:
        hypotheses: (n_hypotheses,) or (n_hypotheses, n_parameters), in physical units.
        sampled: True to draw afresh in every batch, False to draw once.

    >>> Identical([500.0, 1000.0, 1500.0], sampled=False).n_parameters
    1
    """

    hypotheses: ArrayLike
    sampled: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "hypotheses", _points("hypotheses", self.hypotheses))

    @property
    def n_parameters(self) -> int:
        return np.shape(self.hypotheses)[1]

    def draw(
        self, n: int, seed: Sequence[int | tf.Tensor], features: np.ndarray | tf.Tensor | None = None
    ) -> tf.Tensor:
        """Draws theta for n events.

        Args:
            n: number of events.
            seed: (2,) integers; the same seed gives the same theta.
            features: not used.

        Returns:
            (n, n_parameters) float32.
        """
        index = tf.random.stateless_uniform([n], seed, 0, np.shape(self.hypotheses)[0], dtype=tf.int32)
        return tf.gather(tf.constant(self.hypotheses, tf.float32), index)


@dataclass(frozen=True)
class Uniform:
    """Background theta is uniform between low and high, independently in each parameter.

    Attributes:
        low: lower end, a number or one per parameter, in physical units.
        high: upper end, likewise.
        sampled: True to draw afresh in every batch, False to draw once.

    >>> Uniform(low=(500, 0.1), high=(1500, 0.3)).n_parameters
    2
    """

    low: ArrayLike
    high: ArrayLike
    sampled: bool = True

    def __post_init__(self) -> None:
        (low,), (high,) = _points("low", [np.atleast_1d(self.low)]), _points("high", [np.atleast_1d(self.high)])
        if len(low) != len(high) or any(a > b for a, b in zip(low, high, strict=True)):
            raise ValueError(
                f"Expected low <= high, one of each per parameter. Received: low={self.low}, high={self.high}"
            )
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    @property
    def n_parameters(self) -> int:
        return np.size(self.low)

    def draw(
        self, n: int, seed: Sequence[int | tf.Tensor], features: np.ndarray | tf.Tensor | None = None
    ) -> tf.Tensor:
        """As `Identical.draw`."""
        low, high = tf.constant(self.low), tf.constant(self.high)
        return low + (high - low) * tf.random.stateless_uniform([n, self.n_parameters], seed)


@dataclass(frozen=True)
class Binned:
    """Background theta is the hypothesis of the bin that a feature falls in, for example the reconstructed mass.

    Nothing is random: a fixed and a sampled assignment are the same. Events below the first edge or above the last
    belong to the first and last bin.

    Attributes:
        edges: (n_bins + 1,) increasing, in the units of the feature as given to `balanced_batches`.
        hypotheses: (n_bins,) or (n_bins, n_parameters), in physical units.
        feature: index of the column that is binned.

    >>> nearest = Binned(edges=[350, 625, 875], hypotheses=[500, 750], feature=0)
    >>> nearest.draw(2, seed=None, features=np.array([[400.0], [900.0]])).numpy()
    array([[500.],
           [750.]], dtype=float32)
    """

    edges: ArrayLike
    hypotheses: ArrayLike
    feature: int
    sampled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "hypotheses", _points("hypotheses", self.hypotheses))
        edges = np.asarray(self.edges, dtype=float)
        object.__setattr__(self, "edges", tuple(edges.tolist()))
        object.__setattr__(self, "feature", operator.index(self.feature))
        n_hypotheses = np.shape(self.hypotheses)[0]
        if edges.shape != (n_hypotheses + 1,) or not np.all(np.diff(edges) > 0):
            raise ValueError(
                "Expected increasing edges, one more than the hypotheses. Received: "
                f"edges={self.edges} for {n_hypotheses} hypotheses"
            )

    @property
    def n_parameters(self) -> int:
        return np.shape(self.hypotheses)[1]

    def draw(self, n: int, seed: Sequence[int | tf.Tensor] | None, features: np.ndarray | tf.Tensor) -> tf.Tensor:
        """As `Identical.draw`, with features (n, n_features); the seed is not used."""
        value = tf.cast(features[:, self.feature], tf.float32)
        inner_edges = tf.constant(self.edges, tf.float32)[1:-1]
        return tf.gather(tf.constant(self.hypotheses, tf.float32), tf.searchsorted(inner_edges, value, side="right"))


def _points(argument: str, values: ArrayLike) -> tuple[tuple[float, ...], ...]:
    """(n,) or (n, n_parameters) numbers as a tuple of n tuples."""
    array = np.asarray(values, dtype=float)
    if array.ndim == 1:
        array = array[:, np.newaxis]
    if array.ndim != 2 or array.size == 0 or not np.isfinite(array).all():
        raise ValueError(
            f"Expected finite {argument} of shape (n,) or (n, n_parameters), at least one. Received: {values}"
        )
    return tuple(map(tuple, array.tolist()))
