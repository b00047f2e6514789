"""What is timed is right, in tiny sizes and without a peer."""

import re
from importlib import import_module

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.speed.taylor import PARTS, calls, comparison, main, memory, third_order
from benchmarks.speed.taylor.multiply_adds import multiply_adds
from benchmarks.speed.taylor.networks import THETA, affine_network, events, tanh_network
from benchmarks.speed.taylor.ours import end_to_end, matrix_product, summation
from benchmarks.speed.taylor.peers import Peer
from taylor.analysis import analysis_of

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


def output(layers, activation, x):
    """The network in float64, from its plain arrays."""
    *hidden, (weight, bias) = layers
    z = x.astype(np.float64)
    for w, b, *affine in hidden:
        z = np.tanh(z @ w + b) if activation == "tanh" else np.maximum(z @ w + b, 0)
        if affine:
            z = z * affine[0] + affine[1]
    return 1 / (1 + np.exp(-(z @ weight + bias)[:, 0]))


def sums_by_differences(network, x, step=1e-4):
    """Sums of |t| of the first order and of the pairs i <= j, by central differences in float64."""
    e = step * np.eye(x.shape[1])
    f = lambda shift: output(network.layers, network.activation, x + shift)  # noqa: E731
    sums = [abs(f(ei) - f(-ei)).sum() / (2 * step) for ei in e]
    for i, ei in enumerate(e):
        for j, ej in enumerate(e[i:], start=i):
            second = (f(ei + ej) - f(ei - ej) - f(ej - ei) + f(-ei - ej)) / (4 * step**2)
            sums.append(abs(second).sum() / (2 if i == j else 1))
    return np.array(sums)


def test_plain_arrays_are_the_model(network):
    x = events(20, 3)
    expected = np.asarray(network.model(network.data(x)))[:, 0]
    # A few float32 operations.
    np.testing.assert_allclose(output(network.layers, network.activation, x), expected, rtol=1e-5)
    assert network.widths[0] == 3
    assert network.widths[-1] == 1


def test_affine_network_is_shown_theta():
    network = affine_network(3, (7,))
    (_, _, scale, _), _ = network.layers
    layer = network.model.get_layer("affine_1")
    expected = THETA[0, 0] / 1000 * layer.scale.numpy()[0] + layer.scale.numpy()[1]
    np.testing.assert_allclose(scale, expected, rtol=1e-6)  # one float32 product


def test_jobs_of_ours_give_the_sums(network, uncompiled):
    x = events(64, 3)
    jobs = {"end to end": end_to_end(network, x)}
    jobs |= {engine: summation(network, x, engine) for engine in ("adjoint", "autodiff")}
    if len(network.widths) == 3:
        jobs["closed_form"] = summation(network, x, "closed_form")
    expected = sums_by_differences(network, x)
    for name, job in jobs.items():
        assert job.chunk == 64
        # Differences: truncation step^2 times fourth derivatives, 1e-8; rounding 1e-16 / step^2 an event, 1e-8. Sums of
        # float32 numbers that cancel in part: 1e-5.
        np.testing.assert_allclose(job.sums(x), expected, rtol=2e-5, atol=1e-6, err_msg=name)


def test_summation_to_the_third_order(uncompiled):
    network, x = tanh_network(2, 4), events(16, 2)
    found = [summation(network, x, engine, order=3).sums(x) for engine in ("closed_form", "autodiff")]
    assert found[0].shape == (2 + 3 + 4,)
    np.testing.assert_allclose(*found, rtol=1e-4)  # float32, nested three times


@pytest.mark.parametrize("jit_compile", [False, True])
def test_matrix_product_is_one(jit_compile):
    job = matrix_product(8, jit_compile=jit_compile)
    matrix = tf.random.stateless_uniform((8, 8), (0, 0)).numpy()
    assert job.chunk == len(job.x) == 8
    np.testing.assert_allclose(job.sums(job.x), matrix[0] @ matrix, rtol=1e-5)  # sums of 8 float32 numbers


def products_in_graph(network, engine, n_events):
    """Multiply-adds of all matrix products that the coefficients are made of, read from the graph."""
    x = events(n_events, network.widths[0])
    analysis, parts = analysis_of(network.model, network.data(x), engine=engine)
    analysis.try_out(parts)
    specs = tuple(tf.TensorSpec(part.shape) for part in parts)
    graph = tf.function(analysis.coefficients, autograph=False).get_concrete_function(specs)
    total, seen, stack = 0, set(), [graph.outputs[0].op]
    while stack:
        operation = stack.pop()
        if operation in seen:
            continue
        seen.add(operation)
        stack += [tensor.op for tensor in operation.inputs]
        if operation.type in ("MatMul", "BatchMatMulV2"):
            adjoint = operation.get_attr("transpose_a" if operation.type == "MatMul" else "adj_x")
            contracted = operation.inputs[0].shape[-2 if adjoint else -1]
            total += contracted * operation.outputs[0].shape.num_elements()
    return total


@pytest.mark.parametrize("engine", ["adjoint", "closed_form", "autodiff"])
def test_multiply_adds_are_those_of_the_graph(network, engine):
    if engine == "closed_form" and len(network.widths) > 3:
        with pytest.raises(ValueError, match="one hidden layer"):
            multiply_adds(engine, network.widths, network.activation)
        return
    of_16 = products_in_graph(network, engine, 32) - products_in_graph(network, engine, 16)
    assert multiply_adds(engine, network.widths, network.activation) == of_16 / 16


def test_multiply_adds_need_a_hidden_layer():
    with pytest.raises(ValueError, match=r"hidden layers and one output\. Received: widths=\(3, 1\)"):
        multiply_adds("adjoint", (3, 1), "tanh")


TINY = {"n_events": 64, "repetitions": 2, "seconds": 1e-3, "matrix_size": 16}


def test_comparison_with_a_peer_and_without(uncompiled, capsys):
    """One peer that gives our own sums, twice too large for pairs, and one that is absent."""
    network = tanh_network(3, 7)

    def wrong(layers, activation):
        return lambda x: np.array([1.0] * 3 + [2.0] * 6) * end_to_end(network, x).sums(x)

    peers = (Peer("wrong", "numpy", (32,), {"doubled": wrong}), Peer("absent", "no_such_package", (32,), {}))
    rows = comparison.run(network, comparison.Config(**TINY, peers=peers))
    by_way = {(row["name"], row["way"]): row for row in rows}
    ours = by_way["taylor", "mean_abs_coefficients"]
    assert rows[0] is ours
    assert len(ours["cpu_us"]) == 2
    assert by_way["taylor", "adjoint"]["difference"] < 1e-6  # the same graph
    assert by_way["taylor", "autodiff"]["difference"] < 1e-4  # float32
    assert by_way["wrong", "doubled"]["difference"] == pytest.approx(1, rel=1e-6)
    assert by_way["absent", None]["cpu_us"] is None
    product = by_way["matrix product", "TensorFlow"]
    # 2 x 16^2 operations a row, in the median time of a row
    assert product["gflops"] == pytest.approx(2e-3 * 16**2 / np.median(product["cpu_us"]))
    comparison.print_rows("tiny", rows)
    printed = capsys.readouterr().out
    assert "not installed: pip install 'keras-hep[peers]'" in printed
    assert re.search(r"mean_abs_coefficients .* ratio   1\.0, 64 in a call", printed)


def test_third_order(uncompiled):
    times = third_order.run(third_order.Config(n_inputs=2, units=3, n_events=16, repetitions=2, seconds=1e-3))
    assert {engine: len(values) for engine, values in times.items()} == {"closed_form": 2, "autodiff": 2}


def test_calls():
    rows = calls.run(tanh_network(2, 3), 1, calls.Config(n_events=32, n_calls=3))
    assert [row["function"] for row in rows] == ["taylor_coefficients", "mean_abs_coefficients"]
    for row in rows:
        assert len(row["call_ms"]) == 3
        # What is traced takes tens of ms, a call about one; a median, since one call can be held up.
        assert row["first_s"] > 2e-3 * np.median(row["call_ms"])
        assert row["first_many_s"] > 2e-3 * np.median(row["call_ms"])
    assert len(calls.bare_call_ms(3)) == 3


def test_peak_is_of_the_job():
    size = 1 << 27
    before = memory.peak_during(lambda: None)
    peak = memory.peak_during(lambda: np.ones(size, np.uint8).sum())  # 128 MiB, touched
    # Nothing else of this size comes or goes meanwhile.
    assert 0.8 * size < peak - before < 1.5 * size


@pytest.mark.parametrize("kind", ["stream", "mapped"])
def test_memory_of_either_kind(kind, monkeypatch):
    n_events = []
    original = import_module("taylor").mean_abs_coefficients

    def remember(model, data):
        importance = original(model, data)
        n_events.append(importance.n_events)

    monkeypatch.setattr("taylor.mean_abs_coefficients", remember)
    assert memory.measure(kind, 25_000, 2, 3) > 0
    assert n_events == [25_000]


def test_parts_run_one_after_another(monkeypatch):
    commands = []
    monkeypatch.setattr("subprocess.run", lambda command, check: commands.append(command[-1]))
    main()
    assert commands == [f"benchmarks.speed.taylor.{part}" for part in PARTS]
    assert all(callable(import_module(command).main) for command in commands)
