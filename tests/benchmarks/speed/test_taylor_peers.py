"""Every way of every peer against differences of the network in float64; peers may be absent."""

import shutil
import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks.speed.taylor.peers import PEERS, Peer, best_jobs
from tests.benchmarks.speed.reference import sums_by_differences


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


def random_layers(*shapes):
    generator = np.random.default_rng(0)
    return [tuple(generator.normal(size=shape).astype(np.float32) for shape in layer) for layer in shapes]


def events(n: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(n, 3)).astype(np.float32)


HIDDEN, AFFINE, LAST = ((3, 7), 7), ((3, 7), 7, 7, 7), ((7, 1), 1)
NETWORKS = {
    "tanh": ("tanh", random_layers(HIDDEN, LAST)),
    "relu, affine": ("relu", random_layers(AFFINE, LAST)),
    "tanh, two affine layers": ("tanh", random_layers(AFFINE, ((7, 5), 5, 5, 5), ((5, 1), 1))),
}


@pytest.mark.parametrize("network", NETWORKS)
def test_peer_against_differences(make, network):
    activation, layers = NETWORKS[network]
    found = make(layers, activation)(events(64))
    # Sums of 64 float32 numbers, each from sums of 7 terms that cancel in part; the differences err by less.
    np.testing.assert_allclose(found, sums_by_differences(layers, activation, events(64)), rtol=2e-5)


def test_unknown_activation(make):
    with pytest.raises(ValueError, match=r"Expected activation tanh or relu\. Received: activation='gelu'"):
        make(NETWORKS["tanh"][1], "gelu")


def test_best_ways_and_chunks():
    """The documented way takes 1 ms of CPU an event and 3 a call, the quick one 10 ms a call: large chunks are best."""

    def busy(seconds):
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass

    ways = {
        "documented": lambda layers, activation: lambda x: busy(1e-3 * (3 + len(x))),
        "quick": lambda layers, activation: lambda x: busy(1e-2),
    }
    for names in (["documented", "quick"], ["quick"]):
        peer = Peer("busy", "numpy", (10, 100), {name: ways[name] for name in names})
        assert {way: len(job.x) for way, job in best_jobs(peer, [], "tanh", events(250)).items()} == dict.fromkeys(
            names, 100
        )
