"""Continuous masses beside five points, from end to end on a small sample, and what the section says of rows."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import data, runner
from benchmarks import record as records
from benchmarks.affine import continuous
from benchmarks.data.events import Events
from benchmarks.published import MASSES

TINY = replace(
    continuous.SCALES["smoke"], epochs=3, units=(8,), batch_size=128, learning_rate=0.02, dropout=0.0, trainings=2
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


@pytest.fixture(scope="module")
def record(samples, tmp_path_factory):
    """Of a run of two trainings, through everything that the command line does."""
    out = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(continuous, "SCALES", {"smoke": TINY})
        patch.setattr(continuous, "load", lambda config: samples)
        runner.run_experiments(["affine-continuous"], "smoke", (3,), out)
    (path,) = out.glob("*.json")
    return records.read_record(path)


def test_rows_are_trainings_of_four_networks(record):
    assert [row["row"] for row in record["rows"]] == ["training 1", "training 2"]
    for row in record["rows"]:
        assert row["n_signal"] == [200, 100, 100, 200, 100, 200, 100, 200, 100, 200]  # half of 2000 at 5, 1000 at 5
        assert set(row["n_train"].values()) == {1875}  # without the quarter that validates
        # The best AUC is Phi(mass / 1000 GeV / sqrt 2): 0.856 at 1500 GeV, with an error of 0.014 and the networks'.
        assert all(auc[-1] == pytest.approx(0.856, abs=0.07) for auc in row["auc"].values())
    first, second = (row["auc"] for row in record["rows"])
    assert all(first[network] != second[network] for network in first)  # seeds differ


def made_up(gain_between, gain_at_five, error):
    """One training in which the range gains so much, in units of 0.01, and nothing else differs."""
    masses = sorted((*map(float, MASSES), *map(float, BETWEEN)))
    gains = [0.01 * (gain_at_five if mass in MASSES else gain_between) for mass in masses]
    auc = {network: [0.9] * 10 for network in continuous.COLOURS}
    pairs = []
    for network, reference in continuous.PAIRS.values():
        by_range = network.endswith("range") and reference.endswith("points")
        difference = gains if by_range else [0.0] * 10
        groups = {
            name: [float(np.mean([difference[i] for i in where])), error]
            for name, where in continuous.groups(masses).items()
        }
        pairs.append(
            {
                "network": network,
                "reference": reference,
                "difference": difference,
                "error": [error] * 10,
                "groups": groups,
            }
        )
    return {"masses": masses, "n_signal": [100] * 10, "n_background": 1000, "auc": auc, "contrasts": pairs}


def test_findings_are_made_of_the_rows(record):
    rows = [made_up(gain_between=0.6, gain_at_five=-0.5, error=0.001) | {"row": "training 1", "seed": 1}]
    findings = {finding.heading: finding for finding in continuous.section(record | {"rows": rows}).findings}
    between = findings["Affine: range minus five points, between the points"]
    assert between.points.ours == pytest.approx(0.6) and between.points.spread == pytest.approx(0.1)
    assert "525, 600, 875, 1125 and 1375 GeV: trained on the range it is better in this one training." in between.text
    assert "At the five points themselves it is worse in this one training (-0.50 ± 0.10)" in between.text
    # Four of the five masses and three of those between: (3 x 0.6 - 4 x 0.5) / 7.
    assert "from 750 GeV on neither better nor worse within two standard errors (-0.029 ± 0.100)" in between.text
    assert "neither" in findings["Affine minus pNN, range, between the points"].text
    assert "Chance in training" not in findings  # needs two

    section = continuous.section(record)
    assert section.findings[-1].heading == "Chance in training"
    assert len(section.tables[0][1].rows) == 11 and len(section.figures[0][1].axes) == 4
