"""Continuous masses beside five points: which events, one training from end to end, and what is made of rows."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.affine import continuous
from benchmarks.published import MASSES
from tests.benchmarks.affine.conftest import cells
from tests.benchmarks.silent import Silent

TINY = replace(
    continuous.EXPERIMENT.scales["smoke"],
    epochs=3,
    units=(8,),
    batch_size=128,
    learning_rate=0.02,
    n_signal=1000,
    n_background=1500,
)


@pytest.fixture(scope="module")
def samples():
    return continuous.load(TINY)


def test_both_networks_have_the_same_background_and_as_much_signal(samples):
    for part in (samples.five, samples.range):
        assert part.label.sum() == 1000 and len(part) == samples.data["n_train"] == 2500
    background = [part.select(part.label == 0) for part in (samples.five, samples.range)]
    np.testing.assert_array_equal(background[0].features, background[1].features)
    assert set(background[0].theta[:, 0]) == set(MASSES) == set(samples.five.hypotheses[:, 0])
    # Uniform from 500 to 1500 GeV: the largest distance to that of 1500 events is below 0.05 in 99.9 % of the cases.
    theta = np.sort(background[1].theta[:, 0])
    assert abs((theta - 500) / 1000 - np.linspace(0, 1, 1500)).max() < 0.05
    masses = samples.test.hypotheses[:, 0]
    assert len(masses) == 10 and np.isin(MASSES, masses).all()


@pytest.mark.slow
def test_rows_are_trainings_of_four_networks(samples):
    display = Silent()
    first, second = (continuous.make_row(TINY, samples, name, 3, display) for name in ("training 1", "training 2"))
    assert display.work == pytest.approx(2)
    for row in (first, second):
        assert sum(row["n_signal"]) + row["n_background"] == len(samples.test)
        assert set(row["n_train"].values()) == {1875}  # without the quarter that validates
        assert all(auc[-1] > 0.9 for auc in row["auc"].values())  # at 1500 GeV; in long trainings 0.99
    assert all(first["auc"][network] != second["auc"][network] for network in first["auc"])  # seeds differ


@pytest.fixture(scope="module")
def rows():
    """One training in which the range gains 0.006 between the points, loses 0.005 at them, and nothing else differs."""
    masses = sorted((*map(float, MASSES), 525.0, 600.0, 875.0, 1125.0, 1375.0))
    gains, contrasts = [-0.005 if mass in MASSES else 0.006 for mass in masses], []
    for network, reference in continuous.PAIRS.values():
        by_range = network.endswith("range") and reference.endswith("points")
        difference = gains if by_range else [0.0] * 10
        groups = {n: [float(np.mean(np.take(difference, at))), 0.001] for n, at in continuous.groups(masses).items()}
        pair = {"network": network, "reference": reference, "difference": difference, "error": [0.001] * 10}
        contrasts.append(pair | {"groups": groups})
    auc = {network: [0.9] * 10 for network in continuous.COLOURS}
    return [{"row": "training 1", "seed": 1, "masses": masses, "auc": auc, "contrasts": contrasts}]


def test_claims_and_tables_are_made_of_the_rows(rows):
    values = [claim.measure(rows).value for claim in continuous.EXPERIMENT.claims]
    # Four of the five masses and three of those between are heavy: (3 x 0.6 - 4 x 0.5) / 7.
    assert values == pytest.approx([-0.5, 0.6, -0.2 / 7] * 2 + [0] * 6)
    auc, differences = map(cells, continuous.tables({"rows": rows}))
    assert len(auc) == 11 and len(differences) == 13
    assert differences["mean between"]["pNN: range minus points"] == (pytest.approx(0.6), pytest.approx(0.1), None)
