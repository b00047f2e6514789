"""pyhf, and what it computes with. The only file that imports it.

It computes in TensorFlow, or in NumPy, for a while and in one thread; the backend that the user has set is left as it
was.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

try:
    import pyhf
    import tensorflow_probability as tfp
    from pyhf.tensor import manager
    from pyhf.tensor.numpy_backend import numpy_backend as NumpyBackend
    from pyhf.tensor.tensorflow_backend import tensorflow_backend as TensorflowBackend
except ImportError as error:
    raise ImportError(
        "neos_tf needs pyhf and its TensorFlow backend: `pip install 'pyhf>=0.7.6,<0.8' tensorflow-probability "
        "tf_keras`."
    ) from error

if not pyhf.__version__.startswith("0.7."):
    raise ImportError(
        f"Expected pyhf 0.7.6 or a later 0.7, the last with a TensorFlow backend. Received: pyhf {pyhf.__version__}. "
        "`pip install 'pyhf>=0.7.6,<0.8'`."
    )


class Poisson(tfp.distributions.Poisson):
    """TensorFlow Probability's, but for its logarithm: that has no gradient where nothing is expected nor observed."""

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        rate = tf.where(self.rate < 0, tf.cast(float("nan"), self.rate.dtype), self.rate)
        return tf.math.xlogy(x, rate) - rate - tf.math.lgamma(x + 1)


class DifferentiableBackend(TensorflowBackend):
    """pyhf's, but for three gradients.

    That of empty bins. That of a join, as TensorFlow's own cannot be differentiated twice more under XLA. That of
    |alpha| at 0, which is that from below, as code1 takes the variation down there; with TensorFlow's, 0, a fit would
    not leave 0.
    """

    def poisson_dist(self, rate: tf.Tensor) -> Poisson:
        return Poisson(self.astensor(rate))

    def abs(self, tensor: tf.Tensor) -> tf.Tensor:
        return tf.where(tensor > 0, tensor, -tensor)

    def concatenate(self, sequence: Sequence[tf.Tensor], axis: int = 0) -> tf.Tensor:
        @tf.custom_gradient
        def joined(*tensors):
            def pieces(upstream):
                stops = np.cumsum([tensor.shape[axis] for tensor in tensors])
                places = [slice(stop - tensor.shape[axis], stop) for tensor, stop in zip(tensors, stops, strict=True)]
                return [upstream[place] if axis == 0 else upstream[..., place] for place in places]

            return tf.concat(tensors, axis=axis), pieces

        return joined(*sequence)


TENSORFLOW, NUMPY = DifferentiableBackend(precision="64b"), NumpyBackend(precision="64b")


def numpy_backend() -> AbstractContextManager[None]:
    """pyhf computes in NumPy meanwhile, in this thread."""
    return computing_in(NUMPY)


class _StatePerThread(dict):
    """pyhf's state, the backends in use, of which a thread may see its own for a while: no other has to wait."""

    def __init__(self, state: dict):
        super().__init__(state)
        self.own = threading.local()

    def __getitem__(self, key: str) -> Any:
        own = getattr(self.own, "state", {})
        return own[key] if key in own else super().__getitem__(key)


_installing = threading.Lock()


@contextmanager
def computing_in(tensorlib: Any, default: bool = False) -> Iterator[None]:
    """Another backend for a while, in this thread. No event is triggered, so that no model of the user's is touched."""
    with _installing:
        if not isinstance(manager.state, _StatePerThread):
            manager.state = _StatePerThread(manager.state)
    own = manager.state.own
    before = getattr(own, "state", {})
    backend = tensorlib, manager.state["current"][1]
    own.state = {**before, "current": backend, **({"default": backend} if default else {})}
    try:
        yield
    finally:
        own.state = before


@contextmanager
def words_of_pyhf() -> Iterator[None]:
    """What pyhf refuses is a ValueError with its words."""
    try:
        yield
    except AssertionError as error:
        raise ValueError("Expected the samples of each staterror to have it in the same channels.") from error
    except tuple(getattr(pyhf.exceptions, name) for name in pyhf.exceptions.__all__) as error:
        raise ValueError(f"Expected a specification that pyhf accepts. pyhf says: {error}") from error
