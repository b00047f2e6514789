"""Layers that the fast engines do not know, or that no analysis can take."""

import keras
from keras import layers


class Double(layers.Layer):
    def call(self, x):
        return 2 * x


class Centre(layers.Layer):
    """Makes the response to an event depend on the others of its batch."""

    def call(self, x):
        return x - keras.ops.mean(x, axis=0)


class Jitter(layers.Layer):
    """Draws random numbers at inference too."""

    def call(self, x):
        return x + keras.random.normal(keras.ops.shape(x))
