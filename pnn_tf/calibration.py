"""p(score | theta) of signal and background and their ratio, interpolated in theta: Baldi et al. 2016, section 4."""

import os
import zipfile
import zlib
from dataclasses import asdict, dataclass
from typing import NamedTuple, Self

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from pnn_tf import checks
from pnn_tf.whole_file import written_whole

# float32 has no score between HIGHEST and 1: what lies beyond counts as 1. Those near 0 reach down to LOWEST.
LOWEST, HIGHEST = 1e-38, 1 - 2.0**-25


class Densities(NamedTuple):
    """A calibration at one theta, for each unit of the score's logit, l = ln(score / (1 - score)).

    Attributes:
        logit: (n_points,) increasing.
        signal: (n_points,) p(l | theta, signal).
        background: (n_points,) p(l | theta, background).
    """

    logit: np.ndarray
    signal: np.ndarray
    background: np.ndarray


@dataclass(frozen=True, eq=False)
class Calibration:
    """Distributions of a score at any theta between hypotheses; made by `calibrate`.

    At each theta of a grid, the logit of the probability to have a smaller score is a smooth function of the score's
    logit: a monotone cubic through knots, for signal and for background, and straight lines beyond them. Between the
    points of the grid, knots and values at them are interpolated linearly.

    `calibration.save(path)` stores it, and `Calibration.load(path)` reads it.

    Args:
        hypotheses: (n_hypotheses,) theta of the signal that it was made with, in physical units, at least two,
            increasing.
        n_signal: (n_hypotheses,) number of signal events of each; with weights w, (sum w)^2 / sum w^2.
        n_background: number of background events, likewise.
        grid: (n_grid,) theta, at least three, increasing, from the first hypothesis to the last.
        knots: (n_grid, n_knots) logits of scores, increasing.
        signal: (n_grid, n_knots) logits of the probability that the signal's score is below each knot, increasing.
        background: (n_grid, n_knots) likewise.

    Raises:
        ValueError: shapes that do not belong together, values other than said above.
    """

    hypotheses: np.ndarray
    n_signal: np.ndarray
    n_background: np.ndarray
    grid: np.ndarray
    knots: np.ndarray
    signal: np.ndarray
    background: np.ndarray

    def __post_init__(self) -> None:
        for name in asdict(self):
            try:
                array = np.array(getattr(self, name), np.float64)
            except (TypeError, ValueError) as error:
                raise ValueError(f"Expected numbers as {name}. Received: {getattr(self, name)!r}") from error
            object.__setattr__(self, name, array)
        for name in ("hypotheses", "grid"):
            points = getattr(self, name)
            least = 2 if name == "hypotheses" else 3
            if points.ndim != 1 or len(points) < least or not np.all(np.diff(points) > 0):
                raise ValueError(f"Expected {name}, at least {least}, increasing. Received: {points.tolist()}")
        if not np.array_equal(self.hypotheses[[0, -1]], self.grid[[0, -1]]):
            raise ValueError(
                f"Expected a grid from {self.hypotheses[0]:g} to {self.hypotheses[-1]:g}, as the hypotheses. "
                f"Received: {self.grid[0]:g} to {self.grid[-1]:g}"
            )
        shape = len(self.grid), self.knots.shape[-1] if self.knots.ndim else 0
        for name, expected in {
            "n_signal": self.hypotheses.shape,
            "n_background": (),
            "knots": shape,
            "signal": shape,
            "background": shape,
        }.items():
            if getattr(self, name).shape != expected:
                raise ValueError(f"Expected {name} of shape {expected}. Received: {getattr(self, name).shape}")
        for name in ("n_signal", "n_background"):
            if not np.all(getattr(self, name) > 0):
                raise ValueError(f"Expected {name} > 0. Received: {getattr(self, name).tolist()}")
        for name in ("knots", "signal", "background"):
            table = getattr(self, name)
            if shape[1] < 2 or not np.isfinite(table).all() or not np.all(np.diff(table) > 0):
                raise ValueError(f"Expected {name} that increase at each theta, at least two and all finite.")

    def save(self, path: str | os.PathLike) -> None:
        """Stores it as arrays, by `numpy.savez`. Where that fails, as on a full disk, a file from before stays."""
        with (
            written_whole(path) as temporary,
            open(temporary, "wb") as file,
        ):  # by its name alone, NumPy would add a suffix to it
            np.savez(file, **asdict(self))

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """Reads what `save` has stored.

        Raises:
            ValueError: a damaged file, or one of something else.
        """
        try:
            with open(path, "rb") as file, np.load(file) as arrays:
                return cls(**arrays)
        except (ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(
                f"{os.fspath(path)} is not a calibration, or damaged: {error}. Make it anew by calibration.save(path)."
            ) from error

    @property
    def grid_error(self) -> tuple[float, float]:
        """Largest error, of signal and of background, of a probability to have a smaller score, from the grid's steps.

        It is measured at every second point of the grid, interpolated from its two neighbours. As the step is twice as
        long there, it is an upper limit.
        """
        share = ((self.grid[1:-1] - self.grid[:-2]) / (self.grid[2:] - self.grid[:-2]))[::2, np.newaxis]
        tables = self.knots, self.signal, self.background
        there = [table[1:-1:2] for table in tables]
        without = [(1 - share) * table[:-2:2] + share * table[2::2] for table in tables]
        signal, background = (
            max(
                float(np.abs(_expit(np.interp(*curve)) - _expit(values)).max())
                for values, *curve in zip(there[own], there[0], without[0], without[own], strict=True)
            )
            for own in (1, 2)
        )
        return signal, background

    def signal_density(self, score: ArrayLike, theta: ArrayLike) -> np.ndarray:
        """p(score | theta, signal).

        Args:
            score: (n_events,) in [0, 1].
            theta: (n_events,), or a number for all events, within the hypotheses.

        Returns:
            (n_events,) float64 density, > 0: its integral over the score is 1.

        Raises:
            ValueError: a score that is NaN or outside [0, 1], theta outside the hypotheses, lengths that differ.
        """
        return self._checked(self.densities, score, theta)[0]

    def background_density(self, score: ArrayLike, theta: ArrayLike) -> np.ndarray:
        """p(score | theta, background); as `signal_density`."""
        return self._checked(self.densities, score, theta)[1]

    def likelihood_ratio(self, score: ArrayLike, theta: ArrayLike) -> np.ndarray:
        """p(score | theta, signal) / p(score | theta, background); arguments and errors as `signal_density`."""
        signal, background = self._checked(self.densities, score, theta)
        return signal / background

    def cumulative(self, score: ArrayLike, theta: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities of a smaller score, of signal and of background: one minus the efficiencies of a cut.

        Arguments and errors are those of `signal_density`.
        """

        def below(score, theta):
            curves, _ = self._curves(_logit(score), theta)
            return [tf.sigmoid(value) for value, _ in curves]

        signal, background = self._checked(below, score, theta)
        return signal, background

    def at(self, theta: float, n_points: int = 200) -> Densities:
        """Both densities at one theta, a number within the hypotheses, to be drawn."""
        (theta,) = self._require_inside(np.reshape(theta, 1))
        ends = [np.interp(theta, self._points(), self.knots[:, end]) for end in (0, -1)]
        logit = np.linspace(*ends, n_points)
        curves, _ = self._curves(tf.constant(logit), tf.constant([theta], tf.float64))
        return Densities(logit, *(_density(*curve).numpy() for curve in curves))

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
        curves, inside = self._curves(_logit(score), theta)
        known = inside & (score >= 0) & (score <= 1)
        width = tf.clip_by_value(score, LOWEST, HIGHEST) * (1 - tf.clip_by_value(score, LOWEST, HIGHEST))
        return tuple(
            tf.where(
                known,
                tf.where(score > HIGHEST, tf.sigmoid(-value) / (1 - HIGHEST), _density(value, slope) / width),
                np.nan,
            )
            for value, slope in curves
        )

    def _curves(self, logit: tf.Tensor, theta: tf.Tensor) -> tuple[list[tuple[tf.Tensor, tf.Tensor]], tf.Tensor]:
        """Value and slope of the curves of signal and background at logits (n_events,); whether theta is inside."""
        theta = tf.reshape(tf.cast(tf.cast(theta, tf.float32), tf.float64), [-1])
        low, high = self._points()[[0, -1]]
        inside = (theta >= low) & (theta <= high)
        said = f"theta lies outside the calibrated range from {low:g} to {high:g}; it is not extrapolated. Received:"
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(inside), [said, theta])]):
            theta = tf.identity(theta)
        grid = tf.constant(self._points())
        left = tf.clip_by_value(tf.searchsorted(grid, theta, side="right") - 1, 0, len(self.grid) - 2)
        start, stop = tf.gather(grid, left), tf.gather(grid, left + 1)
        n_events = tf.shape(logit)[:1]
        share = tf.broadcast_to((theta - start) / (stop - start), n_events)
        left = tf.broadcast_to(left, n_events)
        n_knots = self.knots.shape[1]

        def at(table: np.ndarray, columns: tf.Tensor) -> tf.Tensor:
            """The table (n_grid, n_knots) at theta and some columns, (n_events,) or (n, n_events)."""
            rows, place = tf.constant(table.ravel()), left * n_knots + columns
            return (1 - share) * tf.gather(rows, place) + share * tf.gather(rows, place + n_knots)

        own = tf.zeros_like(left)  # the last knot that is not above the score, by bisection; not the last of all
        for step in 2 ** np.arange(n_knots.bit_length())[::-1]:
            next_one = tf.minimum(own + int(step), n_knots - 2)
            own = tf.where(at(self.knots, next_one) <= logit, next_one, own)
        columns = tf.clip_by_value(own + np.arange(-1, 3, dtype=np.int32)[:, np.newaxis], 0, n_knots - 1)
        knots = at(self.knots, columns)
        return [_monotone_cubic(knots, at(table, columns), logit) for table in (self.signal, self.background)], inside

    def _points(self) -> np.ndarray:
        """(n_grid,) the grid as float32 numbers, as theta is everywhere."""
        return self.grid.astype(np.float32).astype(np.float64)

    def _checked(self, function, score: ArrayLike, theta: ArrayLike) -> list[np.ndarray]:
        score = np.atleast_1d(score)
        score = checks.as_probability(score, len(score))
        theta = self._require_inside(checks.as_theta(np.atleast_1d(theta), 1 if np.size(theta) == 1 else len(score)))
        return [values.numpy() for values in function(tf.constant(score), tf.constant(theta))]

    def _require_inside(self, theta: ArrayLike) -> np.ndarray:
        theta = np.asarray(theta, np.float32)
        low, high = self._points()[[0, -1]]
        outside = ~((theta >= low) & (theta <= high))
        if outside.any():
            raise ValueError(
                f"Expected theta within the calibrated range from {low:g} to {high:g}: it is not extrapolated. "
                f"Received, in {outside.sum()} of {theta.size} places, for example: "
                f"{checks.plain(np.unique(theta[outside])[:5]).tolist()}. Calibrate with signal out to there."
            )
        return theta


def score_logit(score: ArrayLike) -> np.ndarray:
    """(n_events,) logits of scores in [0, 1], all finite: 0 and 1 count as the nearest that float32 tells from them."""
    score = np.clip(score, LOWEST, HIGHEST)
    return np.log(score) - np.log1p(-score)


def _logit(score: tf.Tensor) -> tf.Tensor:
    score = tf.clip_by_value(score, LOWEST, HIGHEST)
    return tf.math.log(score) - tf.math.log1p(-score)


def _expit(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _density(value: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    """Derivative of sigmoid(value)."""
    return tf.sigmoid(value) * tf.sigmoid(-value) * slope


def _monotone_cubic(x: tf.Tensor, y: tf.Tensor, at: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Value and slope of the cubic of Fritsch and Butland (PCHIP) in the middle of three intervals.

    Beyond the last knots it goes on as a straight line.

    Args:
        x: (4, n) knots, increasing; the first or the last may be given twice where there is no other.
        y: (4, n) values, likewise.
        at: (n,).
    """
    (h0, h, h1), (dy0, dy, dy1) = (tf.unstack(z[1:] - z[:-1]) for z in (x, y))
    secant = dy / h

    def slope_between(h_other, dy_other):
        near, far = h_other + 2 * h, 2 * h_other + h  # weights of the harmonic mean
        there = h_other > 0
        other = tf.where(there, dy_other / tf.where(there, h_other, 1), secant)
        return (near + far) / (near / other + far / secant)

    left, right = slope_between(h0, dy0), slope_between(h1, dy1)
    t = tf.clip_by_value((at - x[1]) / h, 0, 1)
    u = 1 - t
    value = y[1] + dy * t * t * (3 - 2 * t) + h * t * u * (u * left - t * right)
    slope = 6 * secant * t * u + left * u * (u - 2 * t) + right * t * (t - 2 * u)
    value = value + slope * (at - x[1] - t * h)
    return tf.clip_by_value(value, -300.0, 300.0), slope
