"""A training step of the network of AFFINE beside Keras' own dropout, jitted JAX and PyTorch, in turn in one process.

The network of Table 2, its L2 penalties, batches of 1024, a dropout rate of 0.25, Adam: the same initial weights and
the same step in all, so that without dropout all follow the same path, which the tests show. Peers that are not
installed are left out; `pip install 'keras-hep[peers]'` installs them.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from benchmarks.speed import in_turn, load_triton, ratio_by_turns, show

KERNEL_L2, BIAS_L2 = 1e-4, 1e-5
ADAM = 3e-4, 0.9, 0.999, 1e-7  # learning rate, and betas and epsilon as Keras has them
OURS = "pnn_tf"
REST_S = 1.0  # before a measurement: the threads of PyTorch spin for a while after their work


@dataclass(frozen=True)
class Config:
    """Sizes of the network and of the measurement; `n_steps` are run between two looks at the clock.

    `steps_per_execution` is that of Keras.
    """

    n_features: int = 27
    units: tuple[int, ...] = (300, 150, 100, 50)
    dropout: float = 0.25
    batch_size: int = 1024
    n_steps: int = 64
    steps_per_execution: int = 32
    repetitions: int = 11


def make_batch(config: Config) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """features (batch_size, n_features), theta (batch_size, 1) in GeV, label (batch_size, 1); float32."""
    rng = np.random.default_rng(0)
    label = np.arange(config.batch_size)[:, None] % 2
    theta = rng.choice([500, 750, 1000, 1250, 1500], size=(config.batch_size, 1))
    features = rng.normal(size=(config.batch_size, config.n_features)) + label * theta / 1000
    return tuple(array.astype(np.float32) for array in (features, theta, label))


def make_jobs(config: Config) -> dict[str, Callable[[], float]]:
    """Functions that run `n_steps` steps on the same batch and return the mean loss, by name."""
    from benchmarks.speed.training.keras_step import keras_steps, make_network, weights_of

    batch = make_batch(config)
    start = config, weights_of(make_network(config)), batch
    jobs = {OURS: keras_steps(config, batch), "Keras' own dropout": keras_steps(config, batch, fast=False)}
    if find_spec("jax"):
        from benchmarks.speed.training.jax_step import jax_steps

        jobs["JAX, a jitted step"] = jax_steps(*start)
        jobs[f"JAX, {config.n_steps} steps jitted as one"] = jax_steps(*start, as_one=True)
    if find_spec("torch"):
        from benchmarks.speed.training.torch_step import torch_steps

        jobs["PyTorch"] = torch_steps(*start)
    return jobs


def run(config: Config) -> dict[str, list[float]]:
    """Wall time of a step in milliseconds, `repetitions` times, by name of the job."""
    times = in_turn(make_jobs(config), config.repetitions, rest_s=REST_S)
    return {name: [1e3 * seconds / config.n_steps for seconds in times[name].wall_s] for name in times}


def main() -> None:
    """Measures and prints."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    load_triton()
    times = run(Config())
    ratios = {name: ratio_by_turns(values, times[OURS]) for name, values in times.items()}
    rows = [{"step": name, "ms": values, "ratio to ours, by turns": ratios[name]} for name, values in times.items()]
    show("Training step", rows)
