"""The significance ratio of AFFINE, Eq. (2), from histograms of the scores instead of the scores themselves.

The authors' code at the time of the paper filled signal and background into 50 bins each, and gave every histogram the
range of its own scores. Bin i of one is then another score than bin i of the other, but they were divided index by
index: no single cut has the numbers that the ratio is made of. Later the code was repaired to a common range.
"""

import numpy as np

import pnn_tf


def binned_significance_ratio(label, score, weight=None, *, n_bins: int = 50, common_range: bool = False) -> float:
    """max_i s_i / sqrt(s_i + b_i) / sqrt(s_0), where s_i and b_i are what lies in bin i and above.

    Args:
        label, score, weight: as of `pnn_tf.significance_ratio`.
        n_bins: bins of each histogram.
        common_range: True for the same bins for signal and background, from the lowest score of all to the highest;
            False, as for the paper, for the range of its own scores for each.

    Returns:
        The ratio. With common bins it lies in [0, 1] and is at most the exact one of `pnn_tf.significance_ratio`, since
        the bins' edges are some of the cuts. Otherwise it may lie on either side of it.

    Raises:
        ValueError: as `pnn_tf.significance_ratio`, and no background.

    >>> binned_significance_ratio([1, 1, 0, 0], [1.0, 0.6, 0.4, 0.0], common_range=True)
    1.0
    >>> round(binned_significance_ratio([1, 1, 0, 0], [1.0, 0.6, 0.4, 0.0]), 4)  # sqrt(1/2): half background anywhere
    0.7071
    """
    pnn_tf.Ranking(label, score).auc(weight)  # complains where there is nothing to measure
    label, score = np.asarray(label), np.asarray(score, np.float64)
    weight = np.ones(len(label)) if weight is None else np.asarray(weight, np.float64)
    above = []
    for of_class in (label == 1, label == 0):
        ranged = score if common_range else score[of_class]
        counts, _ = np.histogram(score[of_class], n_bins, range=(ranged.min(), ranged.max()), weights=weight[of_class])
        above.append(np.cumsum(counts[::-1])[::-1])
    signal, background = above
    total = np.maximum(signal + background, np.finfo(np.float64).tiny)
    return float(np.sqrt(np.max((signal / total) * (signal / signal[0]))))
