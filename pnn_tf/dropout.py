"""Dropout that draws one random byte a unit, or two, where Keras' own draws four."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="pnn_tf")
class FastDropout(keras.layers.Dropout):
    """Sets inputs to zero at random in training and scales up the others, as `keras.layers.Dropout` does, in less time.

    On a CPU the random numbers of Keras' layer, 32 bits a unit, take a large part of a training step. Here a unit gets
    8 bits if the rate is a multiple of 1/256, as 0.25 and 0.5 are, and 16 if not, with the rate rounded to a multiple
    of 1/65536. Under XLA on a CPU any dropout is slow.

    Args:
        rate: share of the inputs that is dropped, in [0, 1).
        seed: int from which all randomness follows; None for one drawn by Keras.

    Under a `tf.distribute` strategy the devices draw independently of each other.

    Call arguments: inputs, a tensor of any shape; training, whether to drop.

    Input shape: any. Output shape: the same.
    """

    identity_at_inference = True  # for whoever analyses a network layer by layer

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any):
        super().__init__(rate, seed=seed, **kwargs)
        self._bits = tf.uint8 if float(256 * rate).is_integer() else tf.uint16
        n_values = 2 ** (8 * self._bits.size)
        self._n_dropped = round(n_values * rate)  # of the values of a random integer
        if self._n_dropped == n_values:
            raise ValueError(f"Expected a rate in [0, 1), below 1 - 1/131072. Received: rate={rate}")
        self._scale = n_values / (n_values - self._n_dropped)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not training or self._n_dropped == 0:
            return inputs
        kept = self._random_integers(tf.shape(inputs)) >= tf.constant(self._n_dropped, self._bits)
        # In half a precision the factor itself would be rounded, 4/3 by 0.2 %, always the same way.
        dtype = tf.float32 if inputs.dtype.size < tf.float32.size else inputs.dtype
        return tf.cast(tf.cast(inputs, dtype) * (tf.cast(kept, dtype) * self._scale), inputs.dtype)

    def _random_integers(self, shape: tf.Tensor) -> tf.Tensor:
        n = tf.reduce_prod(shape)
        in_a_word = 4 // self._bits.size
        n_words = -(-n // in_a_word)
        words = tf.random.stateless_uniform([n_words], self._next_seed(), None, None, tf.uint32)
        return tf.reshape(tf.reshape(tf.bitcast(words, self._bits), [-1])[:n], shape)

    def _next_seed(self) -> tf.Tensor:
        seed, replica = self.seed_generator.next(), tf.distribute.get_replica_context()
        if replica is None or replica.num_replicas_in_sync == 1:
            return seed
        return tf.random.experimental.stateless_fold_in(tf.cast(seed, tf.int64), replica.replica_id_in_sync_group)

    def save_own_variables(self, store: Any) -> None:
        """The state of the random numbers, which Keras leaves out: a resumed training goes on with those due."""
        if self.rate > 0:
            store["seed_state"] = self.seed_generator.state.numpy()

    def load_own_variables(self, store: Any) -> None:
        if "seed_state" in store:  # not in files of before
            self.seed_generator.state.assign(store["seed_state"])

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["noise_shape"]
        return config
