import keras
import numpy as np
import pytest

from neos_tf import sample_batches


def numbered(**n_events):
    """Features that number the events of each sample."""
    return {name: np.arange(2.0 * n).reshape(n, 2) for name, n in n_events.items()}


def epoch(dataset):
    return [keras.tree.map_structure(np.asarray, batch) for batch in dataset]


def seen(batches, name):
    return np.concatenate([batch[name] for batch in batches])


def test_an_epoch_has_every_event_once_and_as_many_of_every_sample_in_a_batch():
    samples = numbered(signal=12, background=12)
    batches = epoch(sample_batches(samples, 4))
    assert [{name: len(x) for name, x in batch.items()} for batch in batches] == 3 * [{"signal": 4, "background": 4}]
    for name, x in samples.items():
        rows = seen(batches, name)
        assert not np.array_equal(rows, x)
        assert np.array_equal(rows[np.argsort(rows[:, 0])], x)


def test_an_epoch_ends_with_the_smallest_sample_and_leaves_out_what_fills_no_batch():
    batches = epoch(sample_batches(numbered(signal=7, background=100), 3))
    assert len(batches) == 2
    assert all(len(x) == 3 for batch in batches for x in batch.values())


def test_order_is_new_each_epoch_the_same_for_a_seed_and_another_for_each_sample():
    samples = numbered(signal=50, background=50)
    dataset, again, other = (sample_batches(samples, 10, seed=seed) for seed in (3, 3, 4))
    first, second = epoch(dataset), epoch(dataset)
    for expected, batches in zip((first, second), (epoch(again), epoch(again)), strict=True):
        for name in samples:
            assert np.array_equal(seen(batches, name), seen(expected, name))
    assert not np.array_equal(seen(first, "signal"), seen(second, "signal"))
    assert not np.array_equal(seen(first, "signal"), seen(first, "background"))
    assert not np.array_equal(seen(first, "signal"), seen(epoch(other), "signal"))


def test_without_a_seed_the_order_is_the_one_given():
    samples = numbered(signal=6)
    assert np.array_equal(seen(epoch(sample_batches(samples, 3, seed=None)), "signal"), samples["signal"])


def test_weights_stay_with_their_events():
    features = numbered(signal=20)["signal"]
    for batch in epoch(sample_batches({"signal": (features, 10 * features[:, 0])}, 5)):
        x, weights = batch["signal"]
        assert np.array_equal(weights, 10 * x[:, 0])


def test_what_is_paired_stays_together():
    samples = numbered(signal=20, background=30, up=30, down=30)
    dataset = sample_batches(samples, 5, paired=[("background", "up")])
    for batch in (*epoch(dataset), *epoch(dataset)):
        assert np.array_equal(batch["up"], batch["background"])
        assert not np.array_equal(batch["down"], batch["background"])
    alone, together = (
        seen(epoch(sample_batches(samples, 5, paired=groups)), "up") for groups in ((), [("up", "down")])
    )
    assert np.array_equal(alone, together), "a pair has the order of its first sample"


def test_variations_are_made_of_the_batch():
    samples = {"signal": np.ones((12, 2)), "background": (numbered(b=12)["b"], np.arange(12.0))}
    variations = {
        "up": ("background", lambda features, weights: (features + 1, 2 * weights)),
        "shifted": ("signal", lambda features: features + np.array([3, 0])),
    }
    for batch in epoch(sample_batches(samples, 4, variations=variations)):
        features, weights = batch["background"]
        assert np.array_equal(batch["up"][0], features + 1)
        assert np.array_equal(batch["up"][1], 2 * weights)
        assert np.array_equal(batch["shifted"], np.tile([4, 1], (4, 1)))


def test_scaled_weights_of_a_batch_are_expected_events():
    """As each event is in one of the n_events / batch_size batches, the batches of an epoch have the sum on average."""
    weights = {"signal": np.arange(1.0, 13), "background": np.linspace(0, 3, 8)}
    samples = {name: (np.ones((len(w), 1)), w) for name, w in weights.items()}
    up = {"up": ("background", lambda features, weights: (features, 2 * weights))}
    plain, scaled = (epoch(sample_batches(samples, 4, variations=up, scale_weights=on)) for on in (False, True))
    for name, factor in {"signal": 3, "background": 2, "up": 2}.items():
        for before, after in zip(plain, scaled, strict=True):
            np.testing.assert_allclose(after[name][1], factor * before[name][1])
    only = epoch(sample_batches({"background": samples["background"]}, 4, scale_weights=True))
    np.testing.assert_allclose(np.mean([batch["background"][1].sum() for batch in only]), 12.0)
    for given, variations, name in (
        (samples | {"data": np.ones((9, 1))}, {}, "data"),
        (samples, {"up": ("signal", lambda x, w: x)}, "up"),
    ):
        with pytest.raises(ValueError, match=f"weights of every sample for scale_weights. Received: none of '{name}'"):
            sample_batches(given, 4, variations=variations, scale_weights=True)


@pytest.mark.parametrize(
    ("samples", "batch_size", "message"),
    [
        ({}, 1, "sample.*none"),
        (numbered(signal=5, background=3), 4, "batch_size between 1 and .* 3 of 'background'. Received: batch_size=4"),
        (numbered(signal=5), 0, "Received: batch_size=0"),
        ({"signal": (np.ones((5, 2)), np.ones(4))}, 2, r"one weight an event of sample 'signal'. Received: .*\[4, 5\]"),
    ],
)
def test_bad_arguments_are_named(samples, batch_size, message):
    with pytest.raises(ValueError, match=message):
        sample_batches(samples, batch_size)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"paired": ("a", "b")}, r"groups of names.* of a, b, c. Received: \('a', 'b'\)"),
        ({"paired": [("a", "d")]}, "each name once, of a, b, c"),
        ({"paired": [("a", "b"), ("b", "c")]}, "each name once"),
        ({"paired": [("a", "c")]}, r"as many events of each.*Received: {'a': 6, 'c': 5}"),
        ({"variations": {"up": ("d", abs)}}, "made of one of a, b, c. Received: 'up' of 'd'"),
        ({"variations": {"b": ("a", abs)}}, "names of their own.*Received: 'b' of 'a'"),
        (
            {"variations": {"up": ("a", lambda x: x[1:])}},
            "'up' of 3 events, as the batch of 'a'. Received: 2",
        ),
    ],
)
def test_bad_pairs_and_variations_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        sample_batches(numbered(a=6, b=6, c=5), 3, **options)
