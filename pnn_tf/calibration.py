"""p(score | theta) of signal and background and their ratio, interpolated in theta: Baldi et al. 2016, section 4."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from pnn_tf import checks


class Bins(NamedTuple):
    """A calibration at one theta.

    Attributes:
        edges: (n_bins + 1,) of the score, from 0 to 1.
        signal: (n_bins,) share of the signal in each bin; their sum is 1.
        background: (n_bins,) likewise.
    """

    edges: np.ndarray
    signal: np.ndarray
    background: np.ndarray


@dataclass(frozen=True, eq=False)
class Calibration:
    """Densities of a score at any theta between hypotheses, constant inside bins; made by `calibrate`.

    At theta between two hypotheses, the logits of the bins' edges and the shares of each class in the bins are those of
    the two neighbours, weighted linearly. Edges near 0 and 1, where scores pile up, move by factors in this way.

    All arguments are arrays of numbers: `numpy.savez(path, **dataclasses.asdict(calibration))` stores a calibration,
    and `Calibration(**numpy.load(path))` reads it.

    Args:
        hypotheses: (n_hypotheses,) theta in physical units, increasing; at least two. Kept as float32 numbers, as theta
            is everywhere.
        edges: (n_hypotheses, n_bins + 1) of the score at each hypothesis, increasing from 0 to 1.
        signal: (n_hypotheses, n_bins) share of the signal in each bin, > 0; the sum over the bins is 1.
        background: (n_hypotheses, n_bins) likewise.
        n_signal: (n_hypotheses,) number of signal events that the shares were found from; with weights w,
            (sum w)^2 / sum w^2.
        n_background: (n_hypotheses,) likewise.

    Raises:
        ValueError: shapes that do not belong together, values other than said above.
    """

    hypotheses: np.ndarray
    edges: np.ndarray
    signal: np.ndarray
    background: np.ndarray
    n_signal: np.ndarray
    n_background: np.ndarray

    def __post_init__(self) -> None:
        for name in ("hypotheses", "edges", "signal", "background", "n_signal", "n_background"):
            object.__setattr__(self, name, np.array(getattr(self, name), np.float64))
        object.__setattr__(self, "hypotheses", self.hypotheses.astype(np.float32).astype(np.float64))
        if self.hypotheses.ndim != 1 or len(self.hypotheses) < 2 or not np.all(np.diff(self.hypotheses) > 0):
            raise ValueError(f"Expected at least two hypotheses, increasing. Received: {self.hypotheses.tolist()}")
        n_hypotheses, n_bins = len(self.hypotheses), self.signal.shape[-1]
        for name, shape in (
            ("edges", (n_hypotheses, n_bins + 1)),
            ("signal", (n_hypotheses, n_bins)),
            ("background", (n_hypotheses, n_bins)),
            ("n_signal", (n_hypotheses,)),
            ("n_background", (n_hypotheses,)),
        ):
            if getattr(self, name).shape != shape:
                raise ValueError(f"Expected {name} of shape {shape}. Received: {getattr(self, name).shape}")
        if not (np.all(np.diff(self.edges) > 0) and np.all(self.edges[:, [0, -1]] == [0, 1])):
            raise ValueError("Expected edges that increase from 0 to 1 at each hypothesis.")
        for name in ("signal", "background"):
            shares = getattr(self, name)
            if not (np.all(shares > 0) and np.allclose(shares.sum(axis=1), 1, rtol=0, atol=1e-6)):
                raise ValueError(f"Expected shares of {name} > 0 with a sum of 1 at each hypothesis.")

    def signal_density(self, score: ArrayLike, theta: ArrayLike) -> np.ndarray:
        """p(score | theta, signal).

        Args:
            score: (n_events,) in [0, 1].
            theta: (n_events,), or a number for all events, within the hypotheses.

        Returns:
            (n_events,) float64 density: its integral over the score is 1.

        Raises:
            ValueError: a score that is NaN or outside [0, 1], theta outside the hypotheses, lengths that differ.
        """
        return self._checked_densities(score, theta)[0]

    def background_density(self, score: ArrayLike, theta: ArrayLike) -> np.ndarray:
        """p(score | theta, background); as `signal_density`."""
        return self._checked_densities(score, theta)[1]

    def likelihood_ratio(self, score: ArrayLike, theta: ArrayLike) -> np.ndarray:
        """p(score | theta, signal) / p(score | theta, background); arguments and errors as `signal_density`."""
        signal, background = self._checked_densities(score, theta)
        return signal / background

    def at(self, theta: float) -> Bins:
        """The bins at one theta, a number within the hypotheses."""
        theta = self._require_inside(np.reshape(theta, 1))
        return Bins(*(table.numpy()[0] for table in self._tables(tf.constant(theta, tf.float64))))

    def densities(self, score: tf.Tensor, theta: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Both densities as tensors, in a graph or not.

        Args:
            score: tensor (n_events,) or (n_events, 1), in [0, 1].
            theta: tensor (n_events,) or (n_events, 1), or of one entry for all events.

        Returns:
            p(score | theta, signal) and p(score | theta, background), each (n_events,) float64; NaN where the score is
            NaN or outside [0, 1].

        Raises:
            tf.errors.InvalidArgumentError: theta outside the hypotheses, when the graph is run. A graph compiled with
                XLA cannot raise; there the densities are NaN.
        """
        score = tf.reshape(tf.cast(score, tf.float64), [-1])
        theta = tf.reshape(tf.cast(tf.cast(theta, tf.float32), tf.float64), [-1])  # hypotheses are float32 numbers
        low, high = self.hypotheses[[0, -1]]
        inside = (theta >= low) & (theta <= high)
        said = f"theta lies outside the calibrated range from {low:g} to {high:g}; it is not extrapolated. Received:"
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(inside), [said, theta])]):
            edges, signal, background = self._tables(tf.identity(theta))
        n_events = tf.shape(score)[0]
        edges, signal, background = (
            tf.broadcast_to(table, [n_events, table.shape[1]]) for table in (edges, signal, background)
        )
        own = tf.reduce_sum(tf.cast(edges[:, 1:-1] <= score[:, tf.newaxis], tf.int32), axis=1)  # the event's bin
        width = tf.gather(edges, own + 1, batch_dims=1) - tf.gather(edges, own, batch_dims=1)
        known = inside & (score >= 0) & (score <= 1)
        return tuple(
            tf.where(known, tf.gather(shares, own, batch_dims=1) / width, np.nan) for shares in (signal, background)
        )

    def weights(self, theta: float) -> np.ndarray:
        """(n_hypotheses,) of one theta: how much of each hypothesis is in the interpolation."""
        (theta,) = self._require_inside(np.reshape(theta, 1))
        return np.array([np.interp(theta, self.hypotheses, unit) for unit in np.eye(len(self.hypotheses))])

    def _tables(self, theta: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """edges, signal and background at theta (n,) float64: tensors (n, n_bins + 1), (n, n_bins), (n, n_bins)."""
        hypotheses = tf.constant(self.hypotheses)
        left = tf.searchsorted(hypotheses, theta, side="right") - 1
        left = tf.clip_by_value(left, 0, len(self.hypotheses) - 2)
        start, stop = tf.gather(hypotheses, left), tf.gather(hypotheses, left + 1)
        share = ((theta - start) / (stop - start))[:, tf.newaxis]

        def between(table):
            return (1 - share) * tf.gather(table, left) + share * tf.gather(table, left + 1)

        inner = tf.sigmoid(between(_logit(self.edges[:, 1:-1])))
        edges = tf.concat([tf.zeros_like(share), inner, tf.ones_like(share)], axis=1)
        return edges, between(self.signal), between(self.background)

    def _checked_densities(self, score: ArrayLike, theta: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        score = np.atleast_1d(score)
        score = checks.as_probability(score, len(score))
        theta = self._require_inside(checks.as_theta(np.atleast_1d(theta), 1 if np.size(theta) == 1 else len(score)))
        return tuple(density.numpy() for density in self.densities(score, theta))

    def _require_inside(self, theta: ArrayLike) -> np.ndarray:
        theta = np.asarray(theta, np.float32)
        low, high = self.hypotheses[[0, -1]]
        outside = ~((theta >= low) & (theta <= high))
        if outside.any():
            raise ValueError(
                f"Expected theta within the calibrated range from {low:g} to {high:g}: it is not extrapolated. "
                f"Received, in {outside.sum()} of {theta.size} places, for example: "
                f"{np.unique(theta[outside])[:5].tolist()}. Calibrate with signal out to there."
            )
        return theta


def _logit(p: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(p) - np.log1p(-p)
