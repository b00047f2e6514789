"""The peers' training steps, as far as the peers are installed."""

from dataclasses import replace
from importlib.util import find_spec

import pytest

from benchmarks.speed import load_triton, training

TINY = training.Config(n_features=4, units=(8, 5), batch_size=64, n_steps=3, repetitions=2)


@pytest.fixture(autouse=True)
def triton_first():
    if find_spec("torch"):
        try:
            load_triton()
        except RuntimeError as reason:
            pytest.skip(f"{reason} Run this test alone.")


def test_without_dropout_all_follow_the_path_of_keras():
    ours, *others = training.make_jobs(replace(TINY, dropout=0.0)).values()
    first = ours()
    assert [other() for other in others] == pytest.approx([first] * len(others), rel=1e-5)  # float32
    for _ in range(20):
        last, *theirs = ours(), *(other() for other in others)
    assert theirs == pytest.approx([last] * len(others), rel=1e-4) and last < 0.99 * first


def test_the_network_is_that_of_the_paper_with_either_dropout():
    from benchmarks.speed.training.keras_step import make_network, weights_of

    for fast in (True, False):
        network = make_network(training.Config(), fast)
        assert network.count_params() == 76151
        assert sum("Dropout" in type(layer).__name__ for layer in network.layers) == 4
        assert any(type(layer).__name__ == "FastDropout" for layer in network.layers) == fast
    blocks = weights_of(network)
    assert sum(array.size for block in blocks for array in block.values()) == 76151


@pytest.mark.slow
def test_all_that_is_installed_is_measured():
    times = training.run(TINY)
    assert list(times)[:2] == [training.OURS, "Keras' own dropout"]
    assert len(times) == 2 + 2 * bool(find_spec("jax")) + bool(find_spec("torch"))
    assert all(len(values) == 2 and min(values) > 0 for values in times.values())
