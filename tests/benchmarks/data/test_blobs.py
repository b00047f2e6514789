import numpy as np
import pytest

from benchmarks.data.blobs import MEANS, NAMES, by_process, load_blobs

N_EVENTS = 20_000


@pytest.mark.parametrize("means", MEANS)
def test_each_blob_is_a_unit_gaussian_about_its_mean(means):
    samples = by_process(load_blobs(means, N_EVENTS))
    assert tuple(samples) == NAMES
    for name, features in samples.items():
        assert features.shape == (N_EVENTS, 2)
        # Five standard errors: of a mean 1 / sqrt(n), of a variance or covariance at most sqrt(2 / n).
        np.testing.assert_allclose(features.mean(axis=0), MEANS[means][name], atol=5 / np.sqrt(N_EVENTS))
        np.testing.assert_allclose(np.cov(features.T), np.eye(2), atol=5 * np.sqrt(2 / N_EVENTS))


@pytest.mark.parametrize(("means", "between"), [("code", True), ("appendix", False)])
def test_only_the_variations_of_the_code_lie_on_either_side_of_the_background(means, between):
    up, down = (np.array(MEANS[means][f"background_{side}"]) - MEANS[means]["background"] for side in ("up", "down"))
    assert (up @ down < 0) == between


def test_only_the_signal_is_labelled_so_and_a_seed_draws_the_same_events():
    events = load_blobs("code", 10, seed=3)
    assert events.label.tolist() == [1] * 10 + [0] * 30
    np.testing.assert_array_equal(events.features, load_blobs("code", 10, seed=3).features)
    assert not np.array_equal(events.features, load_blobs("code", 10, seed=4).features)


@pytest.mark.parametrize(("arguments", "match"), [(("paper", 10), "code, appendix"), (("code", 0), "n_events")])
def test_bad_arguments_are_named(arguments, match):
    with pytest.raises(ValueError, match=match):
        load_blobs(*arguments)
