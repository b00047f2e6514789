"""The trainings of the search: what they are fed with, row by row, and that each leaves the others as they are."""

import re
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.search import networks
from benchmarks.search.events import VARIED
from benchmarks.search.networks import (
    CROSS_ENTROPY,
    LIMIT,
    LIMIT_TRAINED,
    PARTS,
    SCALES,
    TRAININGS,
    Settings,
    copy_of,
    measurement_batches,
    new_network,
    on_measurement,
)
from tests.benchmarks.small_search import SEED, SETTINGS, samples, scorer

N_STEPS, RATE, BATCH = 2, 1e-3, 50


def outputs(network, training=False):
    """Of 100 events at 750 GeV, and nominal jet energy scale if the network is told."""
    theta = np.tile(np.float32([750, 1.0]), (100, 1))[:, : network.input["theta"].shape[1]]
    return network({"features": samples().test.nominal.features[:100], "theta": theta}, training=training).numpy()


def test_scales_are_three_per_cent_about_the_nominal():
    assert pytest.approx({None: 1.0, "jes_up": 1.03, "jes_down": 0.97}) == SCALES


def test_a_copy_without_dropout_is_the_same_network_without_chance():
    network = new_network(samples().train, replace(SETTINGS, dropout=0.5), SEED)
    same, without = copy_of(network), copy_of(network, dropout=False)
    for copy in (same, without):
        np.testing.assert_array_equal(outputs(copy), outputs(network))
    np.testing.assert_array_equal(outputs(without, training=True), outputs(network))
    assert not np.allclose(outputs(same, training=True), outputs(network))
    assert [layer.name for layer in without.layers] == [layer.name for layer in network.layers]
    for copy in (same, without):
        copy.set_weights([weight + 1 for weight in copy.get_weights()])
    assert not np.allclose(outputs(same), outputs(network)) and not np.allclose(outputs(without), outputs(network))


@pytest.fixture(scope="module")
def batches():
    """Four of each mass."""
    stream = measurement_batches(samples().train, BATCH, SEED).take(20)
    return [
        {name: (x["features"], x["theta"], weight) for name, (x, weight) in batch.items()}
        for batch in stream.as_numpy_iterator()
    ]


def test_a_batch_has_one_mass_and_all_masses_come_in_turn(batches):
    masses = [np.unique(np.concatenate([theta for _, theta, _ in batch.values()])) for batch in batches]
    assert [mass.tolist() for mass in masses] == [[mass] for mass in samples().train.masses] * 4
    for batch in batches:
        assert (
            set(batch)
            == set(PARTS)
            == {"background", "signal"}
            | {f"{process}_{name}" for process in ("background", "signal") for name in VARIED}
        )
        assert all(len(features) == len(weight) == BATCH for features, _, weight in batch.values())


def test_variations_have_the_same_events_row_by_row(batches):
    names = samples().train.nominal.names
    of_jets = [i for i, name in enumerate(names) if re.match(r"jet\d_(pt|eta|phi)$", name)]
    assert len(of_jets) == 12
    for batch in batches[:5]:
        for process in ("background", "signal"):
            nominal, soft_met, btag = (batch[f"{process}{name}"] for name in ("", "_soft_met_up", "_btag_down"))
            np.testing.assert_array_equal(soft_met[0][:, of_jets], nominal[0][:, of_jets])
            assert not np.allclose(soft_met[0][:, names.index("met")], nominal[0][:, names.index("met")])
            np.testing.assert_array_equal(btag[0], nominal[0])
            assert not np.allclose(btag[2], nominal[2])


def test_weights_of_batches_sum_to_the_expected_events_on_average(batches):
    train = samples().train
    for variation in (None, "jer_up"):
        ending = "" if variation is None else f"_{variation}"
        for process, parts in (
            ("background", [train.background(variation)] * 5),
            ("signal", [train.signal(mass, variation) for mass in train.masses]),
        ):
            for number, part in enumerate(parts):
                own = {row.tobytes(): weight for row, weight in zip(part.features, part.weight, strict=True)}
                for features, _, weights in (batch[process + ending] for batch in batches[number::5]):
                    expected = [own[row.tobytes()] * len(part.weight) / BATCH for row in features]
                    np.testing.assert_allclose(weights, expected, rtol=1e-6)  # float32


def test_batches_do_not_repeat_and_follow_the_seed(batches):
    first, second = (batches[i]["background"][0] for i in (0, 5))
    assert not (first[:, None] == second[None]).all(axis=2).any()  # another part of one pass
    again = next(measurement_batches(samples().train, BATCH, SEED).as_numpy_iterator())
    np.testing.assert_array_equal(again["signal_jes_up"][0]["features"], batches[0]["signal_jes_up"][0])


def test_steps_on_the_measurement_leave_the_start_as_it_is():
    start = new_network(samples().train, SETTINGS, SEED)
    before = start.get_weights()
    score = on_measurement(start, LIMIT, N_STEPS, RATE, samples().train, SETTINGS, SEED)
    for weight, expected in zip(start.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, expected)
    moved = [np.abs(new - old).max() for new, old in zip(score.network.get_weights(), before, strict=True)]
    # Adam moves a weight by about its rate a step, and never by many times that.
    assert 0.5 * RATE < max(moved) < 3 * N_STEPS * RATE
    np.testing.assert_array_equal(outputs(score.network, training=True), outputs(score.network))


def scales_of(batch, which=()):
    """By scale that is told, which variations have the events."""
    rows = {name: {row.tobytes() for row in events(name).features[events(name).weight > 0]} for name in which}
    found = defaultdict(lambda: dict.fromkeys(which, 0))
    x, _, weight = batch
    assert (weight > 0).all()
    for features, theta in zip(x["features"], x["theta"], strict=True):
        for name in which:
            found[round(float(theta[1]), 4)][name] += features.tobytes() in rows[name]
    return found


def events(name):
    return samples().train.nominal if name is None else samples().train.varied[name]


def test_who_is_told_the_scale_sees_each_of_the_three_with_its_own_events():
    batch = next(networks._batches(samples().train, SCALES, SETTINGS, SEED, told=True).as_numpy_iterator())
    x, label, _ = batch
    found = scales_of(batch, tuple(SCALES))
    assert set(found) == {1.0, 1.03, 0.97}
    for name, scale in SCALES.items():
        of_scale = np.isclose(x["theta"][:, 1], scale)
        assert found[round(scale, 4)][name] == of_scale.sum() > 100
        assert set(x["theta"][of_scale, 0]) == set(samples().train.masses)
        # A few events have no jet that the scale moves.
        assert all(n < of_scale.sum() / 10 for other, n in found[round(scale, 4)].items() if other != name)
    assert label.mean() == pytest.approx(0.5, abs=0.01)


def test_others_see_nominal_events_alone_or_all_variations():
    def share(scales, name):
        x, _, weight = next(networks._batches(samples().train, scales, SETTINGS, SEED).as_numpy_iterator())
        assert x["theta"].shape == (SETTINGS.batch_size, 1) and (weight > 0).all()
        rows = {row.tobytes() for row in events(name).features[events(name).weight > 0]}
        return np.mean([row.tobytes() in rows for row in x["features"]])

    assert share({None: 1.0}, None) == 1
    augmented = dict.fromkeys((None, *VARIED), 1.0)
    # A ninth each, and those of the b-tag have nominal features: 3 / 9, with 512 events.
    assert share(augmented, None) == pytest.approx(3 / 9, abs=0.1)
    assert share(augmented, "jes_up") == pytest.approx(1 / 9, abs=0.07)


@pytest.mark.parametrize("name", ["augmented", "told the scale", "decorrelated"])
def test_trainings_on_varied_events_give_other_networks(name):
    before, score = scorer().network.get_weights(), scorer(name)
    assert score is scorer(name)  # made once
    found, classifier = outputs(score.network), outputs(scorer().network)
    assert np.isfinite(found).all() and not np.allclose(found, classifier, rtol=1e-3)
    for weight, expected in zip(scorer().network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, expected)
    assert score.further == ((1.0,) if name == "told the scale" else ())


def test_the_same_seed_trains_the_same_network():
    again = networks.cross_entropy(samples().train, SETTINGS, SEED)
    np.testing.assert_allclose(outputs(again.network), outputs(scorer().network), rtol=1e-3)  # sums in another order
    other = networks.cross_entropy(samples().train, SETTINGS, SEED + 1)
    assert not np.allclose(outputs(other.network), outputs(scorer().network), rtol=1e-2)


def test_as_many_values_were_tried_of_each_training_and_one_is_taken():
    assert {CROSS_ENTROPY, LIMIT_TRAINED} < set(TRAININGS)
    for training in TRAININGS.values():
        assert len(training.values) == 3 and getattr(Settings(), training.setting) in training.values


@pytest.mark.slow
@pytest.mark.parametrize("name", ["variance (INFERNO)", LIMIT_TRAINED, "limit from scratch"])
def test_trainings_on_the_measurement_start_where_they_say(name):
    start = new_network(samples().train, SETTINGS, SEED) if name == "limit from scratch" else scorer().network
    rates = {LIMIT_TRAINED: SETTINGS.limit_rate, "variance (INFERNO)": SETTINGS.variance_rate}
    rate = rates.get(name, SETTINGS.scratch_rate)
    pairs = zip(scorer(name).network.get_weights(), start.get_weights(), strict=True)
    assert 0 < max(np.abs(new - old).max() for new, old in pairs) < 3 * SETTINGS.steps * rate
