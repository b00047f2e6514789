"""What is timed is right, in tiny sizes and without a peer."""

from importlib import import_module
from itertools import pairwise

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.speed import neos, taylor
from benchmarks.speed.taylor import calls, comparison, memory
from benchmarks.speed.taylor.ours import (
    affine_network,
    end_to_end,
    events,
    matrix_product,
    multiply_adds,
    summation,
    tanh_network,
)
from benchmarks.speed.taylor.peers import Peer
from pnn_tf import AffineConditioning
from tests.benchmarks.speed.reference import network_in_float64, sums_by_differences

NETWORKS = {
    "one hidden layer": lambda: tanh_network(3, 7),
    "three hidden layers": lambda: tanh_network(3, 7, 5, 4),
    "affine": lambda: affine_network(3, (7, 5)),
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    return NETWORKS[request.param]()


@pytest.fixture
def uncompiled():
    """Operation by operation, where a test is not about what a compiler makes of them."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_plain_arrays_are_the_model(network):
    x = events(20, 3)
    expected = np.asarray(network.model(network.data(x)))[:, 0]
    # A few float32 operations.
    np.testing.assert_allclose(network_in_float64(network.layers, network.activation, x), expected, rtol=1e-5)
    assert (network.widths[0], network.widths[-1]) == (3, 1)


def test_jobs_of_ours_give_the_sums(network, uncompiled):
    x = events(64, 3)
    engines = ("adjoint", "autodiff", "closed_form")[: 3 if len(network.widths) == 3 else 2]
    jobs = {"end to end": end_to_end(network, x)} | {engine: summation(network, x, engine) for engine in engines}
    expected = sums_by_differences(network.layers, network.activation, x)
    for name, job in jobs.items():
        assert len(job.x) == 64
        # Sums of float32 numbers that cancel in part: 1e-5.
        np.testing.assert_allclose(job.sums(x), expected, rtol=2e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_matrix_product_is_one(jit_compile):
    job = matrix_product(8, jit_compile=jit_compile)
    matrix = job.x.numpy()
    np.testing.assert_allclose(job.sums(job.x), matrix[0] @ matrix, rtol=1e-5)  # sums of 8 float32 numbers


def test_multiply_adds(network):
    """Of F = d n_1 + n_1 n_2 + ... + n_L in one pass: autodiff 2 (1 + d) F, for the response and each row of H.

    Tapes are shown theta with each event, and make its conditioning for each of them once.
    """
    d, *hidden, _ = network.widths
    forward = sum(n * m for n, m in pairwise(network.widths))
    conditioning = sum(
        np.size(weight)
        for layer in network.model.layers
        if isinstance(layer, AffineConditioning)
        for weight in layer.get_weights()
    )
    assert multiply_adds(network, "autodiff") == 2 * (1 + d) * forward + conditioning
    # Backward but for the last layer; for tanh then all pairs through the first layer, and what is between layers.
    adjoint = forward + forward - hidden[-1]
    if network.activation == "tanh":
        adjoint += d * (d + 1) // 2 * hidden[0]
        adjoint += sum(d * (n * m + d * m) for n, m in pairwise(hidden))
    assert multiply_adds(network, "adjoint") == adjoint
    if len(hidden) == 1:
        assert multiply_adds(network, "closed_form") == forward + (d + d * (d + 1) // 2) * hidden[0]


def test_multiply_adds_of_a_network_that_is_analysed_block_by_block():
    forward, pairs, between = 30 * 200 + 200 * 200 + 200, 30 * 31 // 2 * 200, 30 * (200 * 200 + 30 * 200)
    assert multiply_adds(tanh_network(30, 200, 200), "adjoint") == 2 * forward - 200 + pairs + between


def test_comparison_with_a_peer_and_without(uncompiled):
    """One peer that gives our own sums, twice too large for pairs, and one that is absent."""
    network = tanh_network(3, 7)

    def wrong(layers, activation):
        return lambda x: np.array([1.0] * 3 + [2.0] * 6) * end_to_end(network, x).sums(x)

    peers = (Peer("wrong", "numpy", (32,), {"doubled": wrong}), Peer("absent", "no_such_package", (32,), {}))
    rows = comparison.run(network, n_events=64, repetitions=2, seconds=1e-3, matrix_size=16, peers=peers)
    by_way = {(row["name"], row["way"]): row for row in rows}
    ours, time = by_way["taylor", "mean_abs_coefficients"], comparison.TIME
    assert (rows[0], ours["ratio"], ours["in a call"], len(ours[time])) == (ours, 1, 64, 2)
    assert by_way["taylor", "adjoint"]["differs by"] < 1e-6  # the same graph
    assert by_way["taylor", "autodiff"]["differs by"] < 1e-4  # float32
    assert by_way["wrong", "doubled"]["differs by"] == pytest.approx(1, rel=1e-6)
    assert by_way["absent", "not installed: pip install 'keras-hep[peers]'"].get(time) is None
    product = by_way["matrix product", "TensorFlow"]
    # 2 x 16^2 operations a row, in the median time of a row
    assert product["GFlop/s"] == pytest.approx(2e-3 * 16**2 / np.median(product[time]))
    assert product["ratio"] is None and max(row.get("of the product's") or 0 for row in rows[-3:-1]) == 1


@pytest.mark.slow
def test_third_order(uncompiled):
    network, x = tanh_network(2, 4), events(16, 2)
    found = [summation(network, x, engine, order=3).sums(x) for engine in ("closed_form", "autodiff")]
    assert found[0].shape == (2 + 3 + 4,)
    np.testing.assert_allclose(*found, rtol=1e-4)  # float32, nested three times
    closed_form, autodiff = comparison.run_third_order(2, 3, n_events=16, repetitions=2, seconds=1e-3)
    assert closed_form["ratio"] == 1 and autodiff["ratio"] > 0 and len(autodiff[comparison.TIME]) == 2


def test_calls():
    rows = calls.run(tanh_network(2, 3), 1, n_events=600, n_calls=3)
    assert [row["function"] for row in rows] == ["taylor_coefficients", "mean_abs_coefficients"]
    for row in [*rows, calls.run_bare(3), calls.run_look(tanh_network(2, 3), 100, 3)]:
        assert len(row["call (ms)"]) == 3
        # What is traced takes tens of ms, a call about one; a median, since one call can be held up.
        for first in {"first call (s)", "first call with many (s)"} & set(row):
            assert row[first] > 2e-3 * np.median(row["call (ms)"])


def test_peak_is_of_the_job():
    size = 1 << 27
    before = memory.peak_during(lambda: None)
    peak = memory.peak_during(lambda: np.ones(size, np.uint8).sum())  # 128 MiB, touched
    # Nothing else of this size comes or goes meanwhile.
    assert 0.8 * size < peak - before < 1.5 * size


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["stream", "mapped"])
def test_memory_of_either_kind(kind, monkeypatch):
    results = []
    monkeypatch.setattr(memory, "peak_during", lambda job: results.append(job()))
    memory.measure(kind, 25_000, 2, 3)
    assert [result.n_events for result in results] == [25_000]


@pytest.mark.parametrize("package", [taylor, neos])
def test_parts_run_one_after_another(package, monkeypatch):
    commands = []
    monkeypatch.setattr("subprocess.run", lambda command, check: commands.append(command[-1]))
    package.main()
    assert commands == [f"{package.__name__}.{part}" for part in package.PARTS]
    assert all(callable(import_module(command).main) for command in commands)
