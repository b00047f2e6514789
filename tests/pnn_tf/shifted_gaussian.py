"""Signal N(theta, 1) on background N(0, 1): the best score, its distribution and the likelihood ratio are all known.

With the posterior for equal classes as the score, its logit is theta x - theta^2 / 2, and is distributed as
N(theta^2 / 2, theta) in signal, N(-theta^2 / 2, theta) in background; the likelihood ratio is score / (1 - score).
"""

from functools import lru_cache

import keras
import numpy as np
from scipy.stats import norm

THETA = (0.5, 1.0, 1.5, 2.0, 2.5)


@lru_cache
def model(power=1.0):
    """The best score, raised to a power."""
    x, theta = keras.Input((1,), name="features"), keras.Input((1,), name="theta")

    def score(inputs):
        x, theta = inputs
        return keras.ops.sigmoid(theta * x - theta**2 / 2) ** power

    return keras.Model({"features": x, "theta": theta}, keras.layers.Lambda(score, output_shape=(1,))([x, theta]))


def sample(n_signal, n_background, seed, thetas=THETA):
    """features, theta and label: n_signal events at each theta, and n_background, whose theta is the first."""
    generator = np.random.default_rng(seed)
    theta = np.repeat(thetas, n_signal)
    x = np.concatenate([generator.normal(theta), generator.normal(size=n_background)])
    label = np.repeat([1, 0], [len(theta), n_background])
    return x[:, None], np.concatenate([theta, np.full(n_background, thetas[0])]), label


def cumulative(score, theta, label):
    """Probability of a smaller score."""
    logit = np.log(score) - np.log1p(-np.asarray(score))
    return norm.cdf(logit, (label - 0.5) * theta**2, theta)
