"""Paired differences of AUC, against counting pairs and against many test samples."""

import numpy as np
import pytest

import pnn_tf
from benchmarks.paired import INDISTINCT, Difference, difference, placements


def test_placements_count_pairs_with_ties_as_halves():
    generator = np.random.default_rng(1)
    signal, background = generator.integers(3, 9, 40) / 10, generator.integers(0, 7, 30) / 10
    above = (signal[:, None] > background) + 0.5 * (signal[:, None] == background)
    placed = placements(signal, background)
    np.testing.assert_allclose(placed.signal, above.mean(axis=1), rtol=1e-12)  # sums of at most 40 numbers
    np.testing.assert_allclose(placed.background, above.mean(axis=0), rtol=1e-12)
    auc = pnn_tf.roc_auc(np.repeat([1, 0], [40, 30]), np.concatenate([signal, background]))
    assert placed.auc == pytest.approx(auc, rel=1e-12)
    assert placed.background.mean() == pytest.approx(auc, rel=1e-12)


def scores(generator, n_signal, n_background, background):
    """Two classifiers on the same events: each sees the shift of the signal with noise of its own."""
    signal = generator.normal(1, 1, n_signal)
    return [
        placements(signal + noise * generator.normal(size=n_signal), background + noise * background_noise)
        for noise, background_noise in (
            (0.3, generator.normal(size=n_background)),
            (0.6, generator.normal(size=n_background)),
        )
    ]


def test_the_error_is_the_scatter_over_test_samples():
    """Of the mean over two hypotheses with the same background: 300 samples, whose scatter is known to 4 %."""
    generator = np.random.default_rng(2)
    found = []
    for _ in range(300):
        background = generator.normal(0, 1, 150)
        pairs = [scores(generator, 100, 150, background) for _ in range(2)]
        found.append(difference(*zip(*pairs, strict=True)))
    values, errors, _ = np.array(found).T
    assert errors.mean() == pytest.approx(values.std(ddof=1), rel=0.12)  # three standard deviations
    assert errors.std() < 0.2 * errors.mean()


def test_a_classifier_does_not_differ_from_itself_or_from_one_that_ranks_alike():
    generator = np.random.default_rng(3)
    signal, background = generator.normal(1, 1, 50), generator.normal(0, 1, 60)
    first, second = placements(signal, background), placements(np.exp(signal), np.exp(background))
    assert difference([first], [second])[:2] == (0, 0)


def test_the_mean_over_hypotheses_is_the_mean():
    generator = np.random.default_rng(4)
    background = generator.normal(0, 1, 60)
    (a, b), (c, d) = scores(generator, 30, 60, background), scores(generator, 40, 60, background)
    mean = (a.auc + c.auc - b.auc - d.auc) / 2
    assert difference([a, c], [b, d]).value == pytest.approx(mean, abs=1e-12)  # sums of 60 numbers


def test_other_events_are_refused():
    one, other = placements([1, 2], [0, 1]), placements([1, 2, 3], [0, 1])
    with pytest.raises(ValueError, match=r"the same events.*\[\(2, 2\)\] and \[\(3, 2\)\]"):
        difference([one], [other])
    fewer = placements([1, 2], [0])
    with pytest.raises(ValueError, match="the same background at each hypothesis"):
        difference([one, fewer], [one, fewer])


def test_a_verdict_needs_two_standard_errors():
    verdicts = [Difference(value, 0.001, 3).verdict for value in (0.0021, -0.0021, 0.0019, -0.0019)]
    assert verdicts == ["better", "worse", INDISTINCT, INDISTINCT]
    assert Difference(0.0021, 0.001).verdict == "better in this one training"
    assert Difference(0.0, 0.0).verdict == INDISTINCT  # of a classifier and itself


def test_a_difference_is_told_in_points():
    assert str(Difference(-0.005, 0.002)) == "-0.50 \N{PLUS-MINUS SIGN} 0.20"
    assert Difference(-0.005, 0.002).cell == (-0.5, 0.2, None)
