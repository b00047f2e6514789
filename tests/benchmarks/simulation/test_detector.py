import itertools

import numpy as np
import pytest

from benchmarks.simulation.detector import TAG_BOUND, Detector, measure
from benchmarks.simulation.particles import N_JETS, ParticleLevel

PERFECT = Detector(
    jet_scale=(1.0, 0.0), jet_resolution=(0.0, 0.0, 0.0), soft_met=0.0, lepton_resolution=0.0, light_efficiency=0.0
)


def particles(n_events, jets=((100, 0, 0, 5), (80, 0.5, 2, 5), (60, -0.5, 4, 0), (40, 1, 5, 0)), **changes):
    """Events that are all alike, with jets of given (pt, eta, phi, flavour)."""
    table = np.zeros((n_events, N_JETS, 4), np.float32)
    flavour = np.zeros((n_events, N_JETS), np.uint8)
    for k, (pt, eta, phi, quark) in enumerate(jets):
        table[:, k] = (pt, eta, phi, 10.0)
        flavour[:, k] = quark
    columns = {
        "lepton": np.tile(np.float32([50, 0.3, 1]), (n_events, 1)),
        "isolation": np.zeros(n_events, np.float32),
        "met": np.tile(np.float32([30, -20]), (n_events, 1)),
        "jets": table,
        "jet_flavour": flavour,
        "mass": np.zeros(n_events, np.float32),
    }
    return ParticleLevel(**(columns | changes))


def test_perfect_detector_changes_nothing_but_the_tags():
    events = particles(2000)
    measured = measure(events, PERFECT, np.random.default_rng(0))
    assert len(measured.index) > 100
    np.testing.assert_allclose(measured.lepton, events.lepton[measured.index])
    np.testing.assert_allclose(measured.met, events.met[measured.index])
    np.testing.assert_allclose(measured.jets, events.jets[measured.index])
    assert measured.tag[:, :2].all() and not measured.tag[:, 2:].any()  # both b-jets, since light jets have no tag


def test_jet_scale_shifts_jets_and_missing_momentum_together():
    events = particles(2000)
    scaled = Detector(**(vars(PERFECT) | {"jet_scale": (1.1, 0.0)}))
    measured = measure(events, scaled, np.random.default_rng(0))
    np.testing.assert_allclose(measured.jets[0, :4, 0], [110, 88, 66, 44])
    pt, phi = np.array([100, 80, 60, 40]), np.array([0, 2, 4, 5])
    expected = [30 - 0.1 * (pt * np.cos(phi)).sum(), -20 - 0.1 * (pt * np.sin(phi)).sum()]
    np.testing.assert_allclose(measured.met[0], expected, rtol=1e-6)  # the inputs are float32


def test_resolution_is_the_sum_in_quadrature():
    jets = ((100, 0, 0, 5), (99, 0, 2, 5), (98, 0, 3, 0), (97, 0, 4, 0))
    smeared = Detector(**(vars(PERFECT) | {"jet_resolution": (2.0, 0.5, 0.03), "jet_min_pt": 0.0}))
    measured = measure(particles(40_000, jets), smeared, np.random.default_rng(1))
    expected = np.mean([np.hypot(np.hypot(2 / pt, 0.5 / np.sqrt(pt)), 0.03) for pt in (100, 99, 98, 97)])
    total = measured.jets[:, :4, 0].sum(axis=1)
    # The tags turn on slowly with pt and so favour harder jets a little: hence 3 % of tolerance, the error is 1 %.
    assert np.std(total) / 98.5 / 2 == pytest.approx(expected, rel=0.03)


B_JETS = ((100, 0, 0, 5), (80, 0, 2, 5))


@pytest.mark.parametrize(
    "change",
    [
        {"lepton": np.tile(np.float32([14, 0, 0]), (500, 1))},
        {"lepton": np.tile(np.float32([50, 2.6, 0]), (500, 1))},
        {"isolation": np.full(500, 0.2, np.float32)},
        {"jets": (*B_JETS, (60, 0, 4, 0), (19, 0, 5, 0))},  # three above the threshold
        {"jets": ((100, 2.6, 0, 5), (80, 0.5, 2, 5), (60, -0.5, 4, 0), (40, 1, 5, 0))},  # no tag beyond the tracker
    ],
)
def test_events_outside_the_selection_are_dropped(change):
    assert len(measure(particles(500, **change), PERFECT, np.random.default_rng(0)).index) == 0


def test_tags_have_the_distribution_of_plain_tagging_and_selecting():
    """Accepting with the probability of two tags and drawing them then, against brute force, pattern by pattern."""
    jets = ((100, 0, 0, 5), (80, 0.5, 2, 5), (60, -0.5, 4, 4), (40, 1, 5, 0), (30, 2, 1, 0))
    detector = Detector(**(vars(PERFECT) | {"light_efficiency": 0.05}))
    n_events = 40_000
    measured = measure(particles(n_events, jets), detector, np.random.default_rng(2))
    probability = np.array([*(np.array([0.5, 0.5, 0.2]) * np.tanh(0.03 * np.array([100, 80, 60]) - 0.4)), 0.05, 0.05])
    expected = dict.fromkeys(itertools.product((False, True), repeat=5), 0.0)
    for tags in itertools.product((False, True), repeat=5):
        if sum(tags) >= 2:
            leading = tuple(tag and sum(tags[: k + 1]) <= 2 for k, tag in enumerate(tags))
            expected[leading] += np.prod(np.where(tags, probability, 1 - probability))
    two = sum(expected.values())
    n_selected = len(measured.index)
    # Binomial error of the acceptance two / TAG_BOUND, four standard deviations.
    accepted = two / TAG_BOUND
    assert abs(n_selected / n_events - accepted) < 4 * np.sqrt(accepted / n_events)
    for tags, chance in expected.items():
        share = np.mean((measured.tag[:, :5] == tags).all(axis=1))
        assert abs(share - chance / two) < 4 * np.sqrt(chance / two / n_selected) + 1e-12


@pytest.mark.parametrize("change", [{"b_efficiency": (1.0, 0.4)}, {"soft_met": -1.0}, {"light_efficiency": -0.1}])
def test_impossible_detectors_are_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        Detector(**change)
