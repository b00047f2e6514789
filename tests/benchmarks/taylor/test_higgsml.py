"""The HiggsML experiment: a small run, and the tables made of rows."""

from dataclasses import replace

import numpy as np
import pytest

import pnn_tf
from benchmarks.data import rescale_weights
from benchmarks.data.higgsml import HIGGSML_FEATURES
from benchmarks.experiment import make_rows
from benchmarks.published import TAYLOR_HIGGSML_RANKS
from benchmarks.samples import Samples
from benchmarks.tables import Cell
from benchmarks.taylor.higgsml import EXPERIMENT, judged, tables
from benchmarks.taylor.higgsml_claims import importance
from tests.benchmarks.silent import Silent

TINY = replace(EXPERIMENT.scales["file"], units=12, learning_rate=0.01, epochs=8, bootstrap=20)


@pytest.mark.slow
def test_rows_describe_what_was_trained_and_ranked(samples):
    display = Silent()
    names = EXPERIMENT.names(TINY)
    rows = list(make_rows(EXPERIMENT, TINY, samples, [(name, 3) for name in names], display))
    assert [row["row"] for row in rows] == names and display.work == 2
    for row in rows:
        assert {len(row[field]) for field in ("mean", "error", "rank_low", "rank_high")} == {495}
        assert (row["n_train"], row["n_test"], row["n_signal"]) == (3000, 1500, 500)
        # The only input that separates is the first, and the relations that make up the upper 5 % contain it.
        ranking = importance(row)
        assert ranking.ranking()[0].feature == "DER_mass_vis" == row["kept"][0]
        top = {i for line in ranking.ranking()[:25] for i in line.inputs}  # 5 % of 495, rounded up
        assert {HIGGSML_FEATURES.index(name) for name in row["kept"]} == top
        assert row["rank_low"][ranking.ranks.argmin()] == row["rank_high"][ranking.ranks.argmin()] == 1
        # The best AUC of two Gaussians of width 25 a distance of 50 apart is Phi(2 / sqrt 2) = 0.921, whatever the
        # weights: within a class they are independent of the features. 500 and 1000 test events leave an error of
        # 0.008; 29 inputs of noise and 1500 events to learn from cost 0.02.
        assert row["auc"] == pytest.approx([0.921] * 2, abs=0.05)
        assert row["auc_weighted"] == pytest.approx(row["auc"], abs=0.02)
        assert all(0 < unbiased <= ams for ams, unbiased in zip(row["ams"], row["ams_unbiased"], strict=True))
        # The area above the curve, from its 100 points: the weighted AUC within a step of 0.01.
        assert 1 - np.mean(row["roc"], axis=1) == pytest.approx(row["auc_weighted"], abs=0.01)


def test_the_cut_of_the_training_events_is_applied_to_the_test_events(samples):
    generator = np.random.default_rng(5)
    train_score, score = (generator.random(len(e)).round(2) + e.label for e in samples[:2])

    def ams_of(events, passing):
        weight = np.where(passing, rescale_weights(events).weight, 0)
        return float(pnn_tf.ams(weight[events.label == 1].sum(), weight[events.label == 0].sum()))

    best = max(np.unique(train_score), key=lambda cut: ams_of(samples.train, train_score >= cut))
    found = judged(samples, train_score, score)
    assert found["ams_unbiased"] == pytest.approx(ams_of(samples.test, score >= best), rel=1e-6)


def test_events_without_weights_have_neither_weighted_auc_nor_ams(samples):
    unweighted = [replace(e, weight=np.ones(len(e))) for e in samples[:2]]
    found = judged(Samples(*unweighted, {}), *(e.label.astype(float) for e in unweighted))
    assert found["auc"] == 1
    assert found["auc_weighted"] is found["ams"] is found["ams_unbiased"] is None


def test_the_tables_hold_mean_spread_and_paper(rows, samples):
    performance, stated, top, _ = tables({"rows": rows, "data": samples.data})
    lines = {name: dict(zip(performance.columns, cells, strict=True)) for name, cells in performance.lines}
    everything, kept = (lines[f"undefined at the mean: {which}"] for which in ("all inputs", "kept inputs"))
    assert everything["weighted AUC (%)"] == Cell(pytest.approx(92.5), pytest.approx(0.5**0.5), 92.0)
    assert everything["AMS, best cut"] == Cell(pytest.approx(4.0), pytest.approx(0.5**0.5), 2.61)
    assert kept["inputs"] == Cell(2.5, pytest.approx(0.5**0.5), 9)
    assert kept["AMS, best cut"].paper is None  # the paper gives the AMS of all inputs alone

    assert stated.columns[:2] == ("undefined at the mean, from 1", "undefined at the mean, from 0")
    alone = dict(stated.lines)["DER_mass_vis"]
    assert alone[:2] == (Cell(3, pytest.approx(2**0.5), 10), Cell(2, pytest.approx(2**0.5), 10))  # second and fourth
    assert {name: cells[0].paper for name, cells in stated.lines} == TAYLOR_HIGGSML_RANKS

    assert len(top.lines) == 10 and top.lines[0][0] == "1  DER_mass_vis, DER_pt_ratio_lep_tau"
    assert [cell.ours for cell in top.lines[0][1]] == pytest.approx([1, 0.001, 1, 3, 5])


def test_other_events_have_none_of_the_papers_numbers(rows, samples):
    renamed = [name.replace("DER_mass_vis", "m_wwbb") for name in rows[0]["inputs"]]
    none = {"row": "nothing undefined", "inputs": renamed, "auc_weighted": None, "ams": None, "ams_unbiased": None}
    data = {"contours": samples.data["contours"] | {"x": ["m_wwbb", "GeV"]}}
    found = list(tables({"rows": [row | none for row in rows[:1]], "data": data}))
    assert found[0].columns == ("inputs", "AUC (%)", "epochs")
    assert all(cell.paper is cell.spread is None for table in found for _, cells in table.lines for cell in cells)
    assert dict(found[1].lines)["m_wwbb"][0].ours == 2
