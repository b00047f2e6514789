"""Continuous masses beside five points, from end to end on a small sample, and what the section says of rows."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import data
from benchmarks.affine import continuous
from benchmarks.data.events import Events
from benchmarks.published import MASSES
from tests.benchmarks.affine.conftest import cells
from tests.benchmarks.silent import Silent

TINY = replace(
    continuous.EXPERIMENT.scales["smoke"],
    epochs=3,
    units=(8,),
    batch_size=128,
    learning_rate=0.02,
    dropout=0.0,
    trainings=2,
)
BETWEEN = (525, 600, 875, 1125, 1375)


def events(mass, label, seed):
    """Three unit Gaussians, the first shifted by mass / 1000 GeV in signal."""
    mass, label = np.broadcast_arrays(np.asarray(mass, float), label)
    features = np.random.default_rng(seed).normal(size=(len(mass), 3))
    features[:, 0] += label * mass / 1000
    return Events(features, mass, label)


@pytest.fixture(scope="module")
def sources():
    """Stand-ins of the embedded sample and its two variants, by name and split."""
    background = np.resize(MASSES, 2000)
    own = {
        split: Events.concatenate([events(background, 0, seed), events(np.resize(MASSES, 2000), 1, seed + 1)])
        for split, seed in (("train", 1), ("test", 3))
    }
    masses = np.random.default_rng(5).uniform(500, 1500, 2000)
    samples = {
        "hepmass-like": own,
        "hepmass-like-between": {"test": events(np.resize(BETWEEN, 1000), 1, 6)},
        "hepmass-like-continuous": {"train": events(masses, 1, 7)},
    }

    def loader(splits):
        return lambda split, n_events=None: splits[split] if n_events is None else splits[split].draw(n_events)

    return {name: loader(splits) for name, splits in samples.items()}


@pytest.fixture(scope="module")
def samples(sources):
    with pytest.MonkeyPatch.context() as patch:
        for name, source in sources.items():
            patch.setitem(data.SOURCES, name, source)
        return continuous.load(replace(TINY, n_signal=1000, n_background=1500, test_share=0.5))


def test_both_networks_have_the_same_background_and_as_much_signal(samples):
    for part in (samples.five, samples.range):
        assert part.label.sum() == 1000 and len(part) == 2500
    background = [part.select(part.label == 0) for part in (samples.five, samples.range)]
    np.testing.assert_array_equal(background[0].features, background[1].features)
    assert set(background[0].theta[:, 0]) == set(MASSES)
    # Uniform from 500 to 1500 GeV: the largest distance to that of 1500 events is below 0.05 in 99.9 % of the cases.
    theta = np.sort(background[1].theta[:, 0])
    assert abs((theta - 500) / 1000 - np.linspace(0, 1, 1500)).max() < 0.05
    assert samples.test.hypotheses[:, 0].tolist() == sorted((*MASSES, *BETWEEN))
    assert len(samples.test) == 2500 and samples.data["n_train"] == 2500


@pytest.mark.slow
def test_rows_are_trainings_of_four_networks(samples):
    display = Silent()
    first, second = (continuous.make_row(TINY, samples, name, 3, display) for name in ("training 1", "training 2"))
    assert display.work == pytest.approx(2)
    for row in (first, second):
        assert row["n_signal"] == [200, 100, 100, 200, 100, 200, 100, 200, 100, 200]  # half of 2000 at 5, 1000 at 5
        assert set(row["n_train"].values()) == {1875}  # without the quarter that validates
        # The best AUC is Phi(mass / 1000 GeV / sqrt 2): 0.856 at 1500 GeV, with an error of 0.014 and the networks'.
        assert all(auc[-1] == pytest.approx(0.856, abs=0.07) for auc in row["auc"].values())
    assert all(first["auc"][network] != second["auc"][network] for network in first["auc"])  # seeds differ


@pytest.fixture(scope="module")
def rows():
    """One training in which the range gains 0.006 between the points, loses 0.005 at them, and nothing else differs."""
    masses = sorted((*map(float, MASSES), *map(float, BETWEEN)))
    gains = [-0.005 if mass in MASSES else 0.006 for mass in masses]
    contrasts = []
    for network, reference in continuous.PAIRS.values():
        by_range = network.endswith("range") and reference.endswith("points")
        difference = gains if by_range else [0.0] * 10
        groups = {n: [float(np.mean(np.take(difference, at))), 0.001] for n, at in continuous.groups(masses).items()}
        pair = {"network": network, "reference": reference, "difference": difference, "error": [0.001] * 10}
        contrasts.append(pair | {"groups": groups})
    auc = {network: [0.9] * 10 for network in continuous.COLOURS}
    events = {"masses": masses, "n_signal": [100] * 10, "n_background": 1000}
    return [{"row": "training 1", "seed": 1, "auc": auc, "contrasts": contrasts} | events]


def test_claims_and_tables_are_made_of_the_rows(rows):
    values = [claim.measure(rows).value for claim in continuous.EXPERIMENT.claims]
    # Four of the five masses and three of those between are heavy: (3 x 0.6 - 4 x 0.5) / 7.
    assert values == pytest.approx([0.6, -0.5, -0.2 / 7] * 2 + [0] * 6)
    auc, differences = map(cells, continuous.tables({"rows": rows}))
    assert len(auc) == 11 and len(differences) == 13
    assert differences["mean between"]["pNN: range minus points"] == (pytest.approx(0.6), pytest.approx(0.1), None)
    ((_, figure),) = continuous.figures({"rows": rows})
    assert len(figure.axes) == 4
