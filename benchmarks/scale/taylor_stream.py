"""Taylor importance of more events than fit in memory: the rate, and the memory, of a stream of any length.

Events are drawn from the embedded sample on the fly. Peak memory is that of the process: call `stream_rate` in a fresh
one, `benchmarks.speed.in_fresh_process(stream_rate, n_events)`.
"""

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import taylor
from benchmarks.data.hepmass_like import load_hepmass_like
from benchmarks.speed import bytes_in_use
from pnn_tf import parametric_network
from taylor.chunks import n_workers

THETA = 1000.0  # GeV; what a parametric network is shown with all events
BATCH = 1 << 16
N_WARM = 1 << 17  # events of the first call, which traces and compiles


def stream_rate(
    n_events: int, network: str = "tanh", source: str = "stream", bootstrap: int = 0, seed: int = 0
) -> dict[str, Any]:
    """How fast the importance of features up to the second order is computed, and in how much memory.

    Args:
        n_events: how many.
        network: "tanh", with 100 hidden units, or "affine", the AffinePNN of Anzalone et al. 2022; untrained, since no
            time depends on the weights.
        source: "stream", drawn on the fly, or "memory", the same events in an array; for comparison.
        bootstrap: number of replicas.
        seed: of the events.

    Returns:
        The arguments; `wall_s` and `cpu_s` of the call; `draw_cpu_s`, what it takes to draw the events alone, 0 in
        memory; `events_a_second`, `events_a_core_second` by the wall time of all cores, and `events_a_cpu_second`;
        `peak_bytes` of the process; `n_inputs`, `largest`, the first feature of the ranking.
    """
    features = load_hepmass_like().features
    names = ("tanh", "affine")
    if network not in names or source not in ("stream", "memory"):
        raise ValueError(f"Expected network in {names}, source 'stream' or 'memory'. Received: {network!r}, {source!r}")
    model = _tanh(features.shape[1]) if network == "tanh" else _affine(features.shape[1])

    def data(n: int) -> Any:
        drawn = drawn_events(features, n, seed)
        if source == "memory":
            x = np.concatenate([np.asarray(batch) for batch in drawn])
            theta = np.full((n, 1), THETA, np.float32)  # of each event, as in the stream: one for all takes 10 % less
            return {"features": x, "theta": theta} if network == "affine" else x
        return drawn.map(_with_theta) if network == "affine" else drawn

    def analyse(events: Any) -> taylor.TaylorImportance:
        return taylor.importance_sums(model, events, bootstrap=bootstrap, seed=seed).importance()

    analyse(data(min(n_events, N_WARM)))
    events = data(n_events)
    _, draw_cpu_s, _ = _timed(lambda: [None for _ in events]) if source == "stream" else (0.0, 0.0, None)
    wall_s, cpu_s, importance = _timed(lambda: analyse(events))
    return {
        "n_events": n_events,
        "network": network,
        "source": source,
        "bootstrap": bootstrap,
        "seed": seed,
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "draw_cpu_s": draw_cpu_s,
        "n_cores": n_workers(),
        "events_a_second": n_events / wall_s,
        "events_a_core_second": n_events / wall_s / n_workers(),
        "events_a_cpu_second": n_events / cpu_s,
        "peak_bytes": bytes_in_use(),
        "n_inputs": features.shape[1],
        "largest": importance.ranking(1)[0].feature,
    }


def drawn_events(rows: np.ndarray, n_events: int, seed: int) -> tf.data.Dataset:
    """A stream of batches (n, n_features) of rows, drawn at random with replacement; the same for the same seed.

    >>> [batch.shape[0] for batch in drawn_events(np.zeros((5, 3), "float32"), 70_000, seed=1)]
    [65536, 4464]
    """
    table = tf.constant(rows)

    def batch(number: tf.Tensor) -> tf.Tensor:
        n = tf.minimum(n_events - number * BATCH, BATCH)
        chosen = tf.random.stateless_uniform(n[None], (seed, number), maxval=len(rows), dtype=tf.int32)
        return tf.gather(table, chosen)

    return tf.data.Dataset.range(-(-n_events // BATCH)).map(batch)


def _with_theta(features: tf.Tensor) -> dict[str, tf.Tensor]:
    return {"features": features, "theta": tf.fill((tf.shape(features)[0], 1), THETA)}


def _tanh(n_inputs: int) -> keras.Model:
    hidden, last = (keras.initializers.GlorotUniform(seed=seed) for seed in (0, 1))
    layers = [keras.layers.Dense(100, "tanh", kernel_initializer=hidden)]
    layers += [keras.layers.Dense(1, "sigmoid", kernel_initializer=last)]
    return keras.Sequential([keras.Input((n_inputs,)), *layers])


def _affine(n_inputs: int) -> keras.Model:
    return parametric_network(n_inputs, units=(300, 150, 100, 50), affine_start="glorot_uniform", seed=0)


def _timed(job: Callable[[], Any]) -> tuple[float, float, Any]:
    """Wall and CPU seconds of a call, and what it returns."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = job()
    return time.perf_counter() - wall, time.process_time() - cpu, result
