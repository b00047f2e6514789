"""What the functions of this package take for a tensor."""

from typing import TypeAlias

import tensorflow as tf
from numpy.typing import ArrayLike

TensorLike: TypeAlias = ArrayLike | tf.Tensor
