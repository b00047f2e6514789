"""Sections 4.2 and 4.3: the leak of a rule that a network could learn, and what is made of rows."""

import keras
import numpy as np
import pytest

import pnn_tf
from benchmarks.affine import section_4
from benchmarks.affine.section_4 import BINNED, EXPERIMENT, RULES, SETUPS
from benchmarks.published import AFFINE_TABLE_5
from tests.benchmarks.affine.conftest import cells, made_up_rows


@pytest.fixture(scope="module")
def knows_the_hypotheses():
    """A network that only looks whether it is shown one of the five masses: score 1/2 if so, less if not."""
    features = keras.Input((3,), name="features")
    theta = keras.Input((1,), name="theta")
    distance = keras.ops.abs(theta / 250 - keras.ops.round(theta / 250))
    return keras.Model({"features": features, "theta": theta}, keras.ops.sigmoid(-distance))


def test_uniform_masses_leak_wholly_into_such_a_network(samples, knows_the_hypotheses):
    test = samples.test
    uniform = section_4.theta_by(pnn_tf.Uniform(500.0, 1500.0, sampled=False), test, seed=1)
    assert np.array_equal(uniform[test.label == 1], test.theta[test.label == 1])
    masses = {"identical": section_4.theta_by(None, test, seed=1), "uniform": uniform}
    measured = section_4.measure(masses, knows_the_hypotheses, test, test.hypotheses)
    assert measured["joint_auc_identical"] == [0.5] and measured["joint_auc_uniform"] == [1.0]
    assert measured["auc"] == [0.5] * 5 and len(measured["significance"]) == 5


@pytest.fixture(scope="module")
def rows():
    """A made-up run: the rows that Table 5 has are the paper's, the others are one of these."""
    there = {(row["row"], row["seed"]): row for row in made_up_rows(AFFINE_TABLE_5)}
    rows = []
    for seed in (1, 2):
        for name in SETUPS:
            row = there.get((name, seed), there[section_4.PLAIN, seed]) | {"row": name}
            row |= {f"joint_auc_{rule}{suffix}": [0.9] for rule in RULES for suffix in ("", "_last")}
            if name == BINNED:
                row |= {"joint_auc_binned": [0.95], "joint_auc_binned_last": [0.9 + 0.01 * seed]}
                row |= {"auc": [value - 0.1 for value in row["auc"]]}
            rows.append(row)
    return rows


def test_a_leak_is_what_is_gained_by_the_rule_of_the_training(rows):
    kept, last = (section_4.leak(BINNED, epoch)(rows) for epoch in section_4.EPOCHS)
    assert (kept.value, kept.error) == (pytest.approx(5), pytest.approx(0, abs=1e-9))
    assert (last.value, last.spread) == (pytest.approx(1.5), pytest.approx(np.sqrt(0.5)))
    assert section_4.leak("pNN uniform (fixed)", "epoch kept")(rows).value == pytest.approx(0)


def test_claims_and_tables_are_made_of_the_rows(rows):
    published = [claim for claim in EXPERIMENT.claims if claim.published is not None]
    assert len(published) == 5
    assert [claim.measure(rows).value for claim in published] == pytest.approx([claim.published for claim in published])
    main, joint, _ = map(cells, section_4.tables({"rows": rows}))
    assert [cell.ours for cell in joint[BINNED].values()] == pytest.approx([90, 90, 95, 90, 90, 91.5])
    assert main[BINNED]["500 GeV"].paper is None and main[BINNED]["500 GeV"].ours == pytest.approx(76.71 - 1 - 10)


def test_the_figure_has_a_dot_for_each_rule(rows):
    (_, _), (_, figure) = section_4.figures({"rows": rows})
    drawn = [dict(zip(line.get_ydata(), line.get_xdata(), strict=True)) for line in figure.axes[0].get_lines()]
    assert [auc[BINNED] for auc in drawn] == pytest.approx([90, 90, 91.5])
