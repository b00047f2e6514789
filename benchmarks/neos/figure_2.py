"""NEOS Fig. 2: the trade-off of the bandwidth of a binned kernel density estimate, drawn and measured.

Simpson and Heinrich, arXiv:2203.05570, section 2.1. The paper draws estimates of 200 samples of a bimodal mixture at
several bandwidths, and says that a small one has gradients of high variance, a large one a bias. Here both are measured
over many draws: those of the counts, and those of their derivatives with respect to the location of the mixture.
"""

from dataclasses import dataclass
from typing import NamedTuple, TypedDict

import numpy as np
import tensorflow as tf

from benchmarks.neos import mixture
from benchmarks.neos.figure_2_section import plot, section
from benchmarks.record import fingerprint
from benchmarks.rows import in_turn
from benchmarks.terminal import Display
from neos_tf import binned_kde, hard_histogram

__all__ = ["SCALES", "Config", "Row", "Samples", "load", "one_line", "plot", "run", "section"]


@dataclass(frozen=True)
class Config:
    """The histogram, and how often it is made.

    Args:
        n_samples: in a histogram.
        n_draws: histograms of independent samples that means and variances are taken over.
        low: first edge, in t.
        high: last edge.
        n_bins: of one width.
        bandwidths: of the kernels, in bin widths.
    """

    n_samples: int = 200
    n_draws: int = 500
    low: float = -3.5
    high: float = 3.5
    n_bins: int = 10
    bandwidths: tuple[float, ...] = (0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0)


SCALES = {
    "smoke": Config(n_draws=50, bandwidths=(0.05, 0.2, 1.0)),
    "embedded": Config(),
    "paper": Config(n_draws=5000),
}


class Samples(NamedTuple):
    """Edges (n_bins + 1,) of the histogram, in t, and what the record says of the mixture."""

    edges: np.ndarray
    data: dict


class Row(TypedDict):
    """One bandwidth with one seed, which is that of the draws.

    Counts are events of n_samples. `samples`, in the row of the histogram alone, and `counts` are the first draw's.
    Biases and standard deviations are root mean squares over the bins; those of slopes, which are derivatives with
    respect to the location, are relative to that of the true slopes. What a finite number of draws adds to a bias is
    taken off it. `exact_...` are closed forms; a histogram's slopes are zero.
    """

    row: str
    seed: int
    bandwidth: float
    edges: list[float]
    samples: list[float]
    counts: list[float]
    count_bias: float
    count_deviation: float
    slope_bias: float
    slope_deviation: float
    exact_count_bias: float
    exact_slope_bias: float
    exact_slope_deviation: float
    wall_s: float


def load(config: Config) -> Samples:
    """The edges; samples are drawn anew with every seed."""
    modes = [[fraction, mode.mean, mode.stdev] for fraction, mode in mixture.MODES]
    return Samples(
        np.linspace(config.low, config.high, config.n_bins + 1),
        {"name": "bimodal Gaussian mixture (drawn)", "modes": modes, "fingerprint": fingerprint(np.array(modes))},
    )


def _names(config: Config) -> dict[str, float]:
    """The names of the rows, and their bandwidths; 0 is the histogram."""
    return {f"bandwidth {h:g}" if h else "histogram": h for h in (0.0, *config.bandwidths)}


def _make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    edges, bandwidth = samples.edges, _names(config)[name]
    draws = mixture.draw(config.n_draws, config.n_samples, seed)
    h = bandwidth * (edges[1] - edges[0])
    true_counts, true_slopes = (config.n_samples * of(edges) for of in (mixture.shares, mixture.slopes))
    counts, slopes = (values.numpy() for values in (_smooth(draws, edges, h) if h else _hard(draws, edges)))
    scale = _rms(true_slopes)
    variances = config.n_samples * mixture.slope_variances(edges, h) if h else np.zeros(config.n_bins)
    display.advance(1, f"{name}, seed {seed}")
    return dict(
        bandwidth=bandwidth,
        edges=edges.tolist(),
        samples=[] if bandwidth else draws[0].round(4).tolist(),
        counts=counts[0].round(4).tolist(),
        count_bias=_bias(counts, true_counts),
        count_deviation=_rms(counts.std(axis=0, ddof=1)),
        slope_bias=_bias(slopes, true_slopes) / scale,
        slope_deviation=_rms(slopes.std(axis=0, ddof=1)) / scale,
        exact_count_bias=_rms(config.n_samples * mixture.shares(edges, h) - true_counts),
        exact_slope_bias=_rms(config.n_samples * mixture.slopes(edges, h) - true_slopes) / scale if h else 1.0,
        exact_slope_deviation=_rms(np.sqrt(variances)) / scale,
    )


@tf.function
def _smooth(draws, edges, bandwidth):
    """(n_draws, n_bins) counts of the samples of each draw, and their derivatives to the location of all samples."""

    def of_draw(samples):
        with tf.autodiff.ForwardAccumulator(samples, tf.ones_like(samples)) as moved:
            counts = binned_kde(samples, edges, bandwidth)
        return counts, moved.jvp(counts)

    return tf.map_fn(of_draw, draws, fn_output_signature=(tf.float64, tf.float64))


@tf.function
def _hard(draws, edges):
    """As `_smooth`, of histograms, which do not change with an infinitesimal move."""
    counts = tf.map_fn(lambda samples: hard_histogram(samples, edges), draws)
    return counts, tf.zeros_like(counts)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _bias(values: np.ndarray, truth: np.ndarray) -> float:
    """Root mean square over bins of the bias of values (n_draws, n_bins), less the square that is noise of the mean."""
    noise = values.var(axis=0, ddof=1) / len(values)
    return float(np.sqrt(max(np.mean((values.mean(axis=0) - truth) ** 2 - noise), 0.0)))


run = in_turn(_names, _make_row)


def one_line(row: Row) -> str:
    """What a log says of a finished row."""
    return (
        f"{row['row']}, seed {row['seed']}: bias {row['count_bias']:.2f} events a bin, bias of slopes "
        f"{100 * row['slope_bias']:.1f} %, standard deviation {100 * row['slope_deviation']:.1f} %"
    )
