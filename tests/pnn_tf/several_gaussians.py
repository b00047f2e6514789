"""Two backgrounds and two signals, unit Gaussians in two features, whose probabilities are known.

Means: (0, 0) and (0, 1) of the backgrounds 0 and 1; (theta, 0) and (-theta, -1) of the signals 2 and 3.
"""

from functools import lru_cache

import keras
import numpy as np

BACKGROUNDS = (0, 1)
THETA = (1.0, 2.0, 3.0)


def means(theta):
    """The mean (n_events, 2) of each class at theta (n_events, 1)."""
    zero, one = 0 * theta, 0 * theta + 1
    pairs = (zero, zero), (zero, one), (theta, zero), (-theta, -one)
    return [keras.ops.concatenate(pair, axis=-1) for pair in pairs]


def sample(n, seed, thetas=THETA):
    """features, theta and label: n events of each background, and of each signal at each theta; NaN in background."""
    generator = np.random.default_rng(seed)
    parts = [(background, np.nan) for background in BACKGROUNDS]
    parts += [(signal, theta) for signal in (2, 3) for theta in thetas]
    features = [
        generator.normal(np.asarray(means(np.array([[np.nan_to_num(theta)]]))[label]), size=(n, 2))
        for label, theta in parts
    ]
    label, theta = np.repeat(np.array(parts).T, n, axis=1)
    return np.concatenate(features).astype("float32"), theta, label.astype(int)


@lru_cache
def model():
    """The exact probabilities for equal numbers of each class."""
    x, theta = keras.Input((2,), name="features"), keras.Input((1,), name="theta")

    def logits(inputs):
        x, theta = inputs
        distances = [keras.ops.sum((x - mean) ** 2, axis=1, keepdims=True) for mean in means(theta)]
        return -keras.ops.concatenate(distances, axis=1) / 2

    z = keras.layers.Lambda(logits, output_shape=(4,))([x, theta])
    return keras.Model({"features": x, "theta": theta}, keras.layers.Softmax()(z))
