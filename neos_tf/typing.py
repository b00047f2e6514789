"""What the functions of this package take for a tensor, and for the features of events."""

from typing import TypeAlias

import tensorflow as tf
from numpy.typing import ArrayLike

TensorLike: TypeAlias = ArrayLike | tf.Tensor
Features: TypeAlias = tf.Tensor | dict[str, tf.Tensor]  # by the name of the network's input, where it has several
