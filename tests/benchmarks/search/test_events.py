"""The events of the search: row by row the same under each variation, and parts that stand for all."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.data.events import Events
from benchmarks.data.top_pairs import load_top_pairs
from benchmarks.search.events import VARIED, Sample, load_samples
from tests.benchmarks.small_search import samples

RNG = np.random.default_rng(1)
NOMINAL = Events(
    features=RNG.normal(size=(40, 2)),
    theta=np.tile([500, 750], 20),
    label=np.repeat([0, 1], 20),
    weight=RNG.uniform(1, 2, 40),
)
SAME = dict.fromkeys(VARIED, NOMINAL)


def moved(events, **columns):
    return replace(events, process=None, **columns)


def test_the_variations_are_an_up_and_a_down_of_each_shape():
    assert set(VARIED) == {f"{name}_{side}" for name in ("jes", "jer", "soft_met", "btag") for side in ("up", "down")}


def test_parts_are_the_rows_of_a_process_and_a_mass():
    varied = moved(NOMINAL, features=NOMINAL.features + 1, weight=2 * NOMINAL.weight)
    sample = Sample(NOMINAL, SAME | {"jes_up": varied})
    for events, variation in ((NOMINAL, None), (NOMINAL, "jer_up"), (varied, "jes_up")):
        background, signal = sample.background(variation), sample.signal(750.0, variation)
        np.testing.assert_array_equal(background.features, events.features[:20])
        np.testing.assert_array_equal(background.weight, events.weight[:20])
        np.testing.assert_array_equal(signal.features, events.features[21::2])
        np.testing.assert_array_equal(signal.weight, events.weight[21::2])
        assert signal.weight.dtype == np.float64
    assert sample.masses == (500.0, 750.0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"jer_up": NOMINAL.select(np.arange(39))}, "'jer_up' of the 40 nominal events.*weight 0.*39 events"),
        ({"jer_up": NOMINAL.select(np.arange(40)[::-1])}, "'jer_up'.*40 rows of another process or mass.*row 0"),
        ({"btag_down": moved(NOMINAL, theta=np.r_[np.tile([500, 750], 19), 750, 500])}, "2 rows.*first is row 38"),
        ({"btag_down": moved(NOMINAL, label=np.repeat([0, 1], (21, 19)))}, "1 rows.*first is row 20"),
    ],
)
def test_variations_of_other_events_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        Sample(NOMINAL, SAME | changed)


def test_a_missing_variation_and_a_mass_that_there_is_not_are_refused():
    fewer = {name: events for name, events in SAME.items() if name not in ("jes_up", "btag_down")}
    with pytest.raises(ValueError, match=r"Missing: btag_down, jes_up\.$"):
        Sample(NOMINAL, fewer)
    with pytest.raises(ValueError, match=r"\(500.0, 750.0\) GeV. Received: mass=625.0"):
        Sample(NOMINAL, SAME).signal(625.0)


@pytest.mark.parametrize("fraction", [0.3, 0.5])
def test_a_split_leaves_no_row_out_and_has_none_twice(fraction):
    numbered = moved(NOMINAL, features=np.arange(40)[:, None], names=("row",))
    varied = moved(numbered, weight=2 * NOMINAL.weight)
    parts = Sample(numbered, dict.fromkeys(VARIED, numbered) | {"jer_down": varied}).split(fraction)
    rows = [part.nominal.features[:, 0].astype(int) for part in parts]
    assert sorted(np.concatenate(rows)) == list(range(40)) and len(rows[1]) == fraction * 40
    for part, share, chosen in zip(parts, (1 - fraction, fraction), rows, strict=True):
        np.testing.assert_allclose(part.nominal.weight, NOMINAL.weight[chosen] / share, rtol=1e-6)  # float32
        np.testing.assert_array_equal(part.varied["jer_down"].weight, 2 * part.nominal.weight)


@pytest.mark.parametrize("variation", [None, "jes_up", "btag_down"])
def test_each_part_of_a_split_has_the_expected_events_of_all(variation):
    whole = samples().train
    for part in whole.split(0.3):
        assert part.masses == whole.masses
        of = [lambda sample: sample.background(variation)]
        of += [lambda sample, mass=mass: sample.signal(mass, variation) for mass in whole.masses]
        for select in of:
            here, everything = select(part).weight, select(whole).weight
            assert abs(here.sum() - everything.sum()) < 4 * np.sqrt(np.sum(here**2))


def test_samples_are_those_of_the_loader():
    train, test, data = samples()
    assert train.masses == (500.0, 750.0, 1000.0, 1250.0, 1500.0) and len(test.masses) == 9
    for split, sample in (("train", train), ("test", test)):
        expected = load_top_pairs(split, "soft_met_down", every=64)
        np.testing.assert_array_equal(sample.varied["soft_met_down"].features, expected.features)
        np.testing.assert_array_equal(sample.varied["soft_met_down"].weight, expected.weight)
        assert data[f"n_{split}"] == len(sample.nominal) == len(expected)
    assert f"{data['n_train']:,} training" in data["name"]


def test_other_events_have_another_fingerprint():
    def loader(factor):
        return lambda split, variation=None, every=1: moved(NOMINAL, weight=factor * NOMINAL.weight)

    def one_variation(split, variation=None, every=1):
        return loader(2 if variation == "jer_down" else 1)(split)

    one, again, other = (load_samples(load=loader(factor)).data["fingerprint"] for factor in (1, 1, 2))
    assert one == again != other
    assert load_samples(load=one_variation).data["fingerprint"] not in (one, other)
