"""Every way of every peer against the closed form of one hidden layer, in float64; peers may be absent."""

import shutil
import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks.speed.taylor import one_thread
from benchmarks.speed.taylor.one_thread import use_one_cpu_thread
from benchmarks.speed.taylor.peers import PEERS, Peer, fastest
from benchmarks.speed.taylor.timing import Job, cpu_us_in_turn

SLOPE = {"tanh": lambda z: 1 - np.tanh(z) ** 2, "relu": lambda z: 1.0 * (z > 0)}
CURVATURE = {"tanh": lambda z: -2 * np.tanh(z) * (1 - np.tanh(z) ** 2), "relu": np.zeros_like}
ACTIVATION = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}


@pytest.fixture(params=[pytest.param((peer, way), id=f"{peer.name}: {way}") for peer in PEERS for way in peer.ways])
def make(request):
    """A way of a peer, as far as it can be had here."""
    peer, way = request.param
    if not peer.installed:
        pytest.skip(f"no {peer.package}: pip install 'keras-hep[peers]'")
    late = find_spec("triton") and "tensorflow" in sys.modules and "triton" not in sys.modules
    if peer.package == "torch" and late:
        pytest.skip("Triton crashes after TensorFlow, which another test has imported: run this file alone")
    if "compiled" in way and not (shutil.which("g++") or shutil.which("clang++")):
        pytest.skip("no C++ compiler")
    return peer.ways[way]


def one_hidden_layer(affine: bool):
    generator = np.random.default_rng(0)
    hidden = (generator.normal(size=(3, 7)), generator.normal(size=7))
    if affine:
        hidden += (generator.normal(size=7), generator.normal(size=7))
    layers = [hidden, (generator.normal(size=(7, 1)), generator.normal(size=1))]
    return [tuple(array.astype(np.float32) for array in layer) for layer in layers]


def events(n: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(n, 3)).astype(np.float32)


def output(layers, activation, x):
    """The network in float64."""
    *hidden, (weight, bias) = [[array.astype(np.float64) for array in layer] for layer in layers]
    z = x.astype(np.float64)
    for w, b, *affine in hidden:
        z = ACTIVATION[activation](z @ w + b)
        if affine:
            z = z * affine[0] + affine[1]
    return 1 / (1 + np.exp(-(z @ weight + bias)[:, 0]))


def closed_form(layers, activation, x):
    """f = sigmoid(y), y = v (h(z) s + c) + const, z = x W + b: gradient (n, d) and Hessian (n, d, d), in float64.

    With y_i = sum_k W_ik s_k v_k h'(z_k) and y_ij = sum_k W_ik W_jk s_k v_k h''(z_k),
    f_i = f (1 - f) y_i and f_ij = f (1 - f) (y_ij + (1 - 2 f) y_i y_j).
    """
    (w, b, *affine), (v, _) = [[array.astype(np.float64) for array in layer] for layer in layers]
    z, s = x.astype(np.float64) @ w + b, affine[0] if affine else 1.0
    y_i = (SLOPE[activation](z) * s * v[:, 0]) @ w.T
    y_ij = np.einsum("nk,ik,jk->nij", CURVATURE[activation](z) * s * v[:, 0], w, w)
    f = output(layers, activation, x)[:, None]
    gradient = f * (1 - f) * y_i
    hessian = (f * (1 - f))[..., None] * (y_ij + (1 - 2 * f)[..., None] * y_i[:, :, None] * y_i[:, None, :])
    return gradient, hessian


def sums(gradient, hessian):
    """Sums of |t| in the order of the peers."""
    pairs = [abs(hessian[:, i, j]).sum() / (2 if i == j else 1) for i in range(3) for j in range(i, 3)]
    return np.array([*abs(gradient).sum(0), *pairs])


def differences(layers, activation, x, step=1e-4):
    """Gradient and Hessian by central differences in float64."""
    x, e = x.astype(np.float64), step * np.eye(3)
    f = lambda shift: output(layers, activation, x + shift)  # noqa: E731
    gradient = np.stack([(f(e[i]) - f(-e[i])) / (2 * step) for i in range(3)], -1)
    hessian = [
        (f(e[i] + e[j]) - f(e[i] - e[j]) - f(e[j] - e[i]) + f(-e[i] - e[j])) / (4 * step**2)
        for i in range(3)
        for j in range(3)
    ]
    return gradient, np.stack(hessian, -1).reshape(-1, 3, 3)


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_closed_form_is_the_derivative(activation, affine):
    layers, x = one_hidden_layer(affine), events(50)
    expected = differences(layers, activation, x)
    # Central differences with step h: truncation h^2 times fourth derivatives of order 100, rounding 1e-16 / h^2.
    for ours, theirs in zip(closed_form(layers, activation, x), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize(("activation", "affine"), [("tanh", False), ("relu", True)])
def test_peer_against_closed_form(make, activation, affine):
    layers, x = one_hidden_layer(affine), events(64)
    expected = sums(*closed_form(layers, activation, x))
    # Sums of 64 float32 numbers, each from sums of 7 terms that cancel in part.
    np.testing.assert_allclose(make(layers, activation)(x), expected, rtol=1e-5)


def test_peer_with_two_hidden_layers(make):
    generator = np.random.default_rng(2)
    second = [generator.normal(size=shape).astype(np.float32) for shape in ((7, 5), 5, 5, 5)]
    last = [generator.normal(size=shape).astype(np.float32) for shape in ((5, 1), 1)]
    layers, x = [one_hidden_layer(affine=True)[0], second, last], events(64)
    # As above, for the differences and for float32.
    expected = sums(*differences(layers, "tanh", x))
    np.testing.assert_allclose(make(layers, "tanh")(x), expected, rtol=2e-5)


def test_unknown_activation(make):
    with pytest.raises(ValueError, match=r"Expected activation tanh or relu\. Received: activation='gelu'"):
        make(one_hidden_layer(affine=False), "gelu")


def test_fastest_finds_way_and_chunk():
    """A slow way takes 1 ms of CPU an event; a quick one 10 ms a call, so that its largest chunk is the best."""

    def busy(seconds):
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass

    ways = {
        "slow": lambda layers, activation: lambda x: busy(1e-3 * len(x)),
        "quick": lambda layers, activation: lambda x: busy(1e-2),
    }
    best = fastest(Peer("busy", "numpy", (10, 100), ways), [], "tanh", events(250), repetitions=1)
    assert (best.way, best.job.chunk) == ("quick", 100)
    # The loop never ends early, and late by the clock's tick at the most; a loaded machine adds no CPU time.
    assert 100 <= best.cpu_us < 150


def test_chunks_are_whole_and_go_round():
    seen = []
    times = cpu_us_in_turn({"a": Job(lambda x: seen.append(x[0, 0]), events(25), 10)}, repetitions=2, seconds=1e-3)
    assert len(times["a"]) == 2
    assert set(seen) == {events(25)[0, 0], events(25)[10, 0]}


def test_too_few_events():
    with pytest.raises(ValueError, match=r"at least one chunk of 10 events for a\. Received: x of 9 events"):
        cpu_us_in_turn({"a": Job(len, events(9), 10)}, repetitions=1)


def test_order_of_triton_and_tensorflow(monkeypatch):
    """An error that says what to do, where the libraries would end the process."""
    monkeypatch.setattr(one_thread, "find_spec", lambda name: True)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    with pytest.raises(RuntimeError, match="before the first import of TensorFlow"):
        use_one_cpu_thread()
