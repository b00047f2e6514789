"""PNN Figs. 7 and 8: networks on small Gaussian samples, and what is made of made-up rows."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from benchmarks.pnn import fig_7
from benchmarks.pnn.fig_7 import EXPERIMENT, NETWORKS
from benchmarks.pnn.tested import summary
from benchmarks.published import MASSES
from pnn_tf import auc_error
from tests.benchmarks.silent import Silent

TINY = replace(EXPERIMENT.scales["smoke"], units=(20,), epochs=3, batch_size=64, learning_rate=0.01)


@pytest.mark.slow
def test_a_network_is_trained_and_tested_at_each_mass(samples):
    display = Silent()
    row = fig_7.make_row(TINY, samples, "interpolating, low-level", 1, display)
    assert display.work == pytest.approx(1)
    assert (row["network"], row["features"]) == ("interpolating", "low-level")
    assert row["n_train"] == 3240  # without the 400 signal events, and the tenth that validates
    assert [tested["theta"] for tested in row["tested"]] == list(MASSES)
    for tested in row["tested"]:
        # jet1_pt alone is shifted: Phi(d / sqrt 2). Above it four standard errors; 21 features without information
        # cost a little trained network some points.
        best = NormalDist().cdf(tested["theta"] / 1000 / np.sqrt(2))
        assert best - 0.12 < tested["auc"] < best + 4 * auc_error(best, 200, 1000)


@pytest.mark.parametrize(
    ("name", "conditioning", "masses", "n_features"),
    [
        ("parametrised, all", "concat", MASSES, 27),
        ("interpolating, low-level", "concat", (500, 750, 1250, 1500), 22),
        ("fixed, all", None, (1000,), 27),
        ("mixture, low-level", None, MASSES, 22),
    ],
)
def test_the_networks_are_the_papers(samples, monkeypatch, name, conditioning, masses, n_features):
    class Stop(Exception):
        pass

    def fit(config, events, *arguments, **more):
        assert more["conditioning"] == conditioning and events.features.shape[1] == n_features
        assert tuple(events.hypotheses[:, 0]) == masses
        assert set(events.theta[events.label == 0, 0]) == set(masses)
        raise Stop

    monkeypatch.setattr(fig_7, "fit", fit)
    with pytest.raises(Stop):
        fig_7.make_row(TINY, samples, name, 1, Silent())


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    """Fixed equals parametrised at 1000 GeV and is worse elsewhere; mixture is worse, low-level features too."""
    generator = np.random.default_rng(4)
    signal, background = generator.normal(2, 1, 2000), generator.normal(0, 1, 2000)
    noise = generator.normal(size=(2, 2000))
    rows = []
    for features, of_features in (("low-level", 0.5), ("all", 0.0)):
        for network in NETWORKS:
            tested = []
            for mass in MASSES:
                lost = {"fixed": abs(mass - 1000) / 1000, "mixture": 0.7}.get(network, 0.0) + of_features
                tested.append(summary(mass, signal + mass / 1000 + lost * noise[0], background + lost * noise[1]))
            row = {"row": f"{network}, {features}", "seed": 1, "network": network, "features": features}
            rows.append(row | {"tested": tested, "n_train": 1000, "best_epoch": 2, "wall_s": 1.5})
    return rows


def test_claims_are_made_of_the_rows(rows):
    claims = [claim for claim in EXPERIMENT.claims if "all features" in claim.statement]
    fixed, interpolating, mixture, elsewhere, everywhere = (claim.measure(rows) for claim in claims)
    auc = {row["row"]: [100 * tested["auc"] for tested in row["tested"]] for row in rows}
    assert fixed["1000 GeV"][:2] == interpolating["1000 GeV"][:2] == (0, 0)
    assert list(elsewhere) == ["500 GeV", "750 GeV", "1250 GeV", "1500 GeV"] and len(everywhere) == 5
    # Placements are rounded to six digits.
    gap = auc["mixture, all"][2] - auc["parametrised, all"][2]
    assert gap < 0 and mixture["1000 GeV"].value == everywhere["1000 GeV"].value == pytest.approx(gap, abs=1e-3)
    features, rise = (claim.measure(rows) for claim in EXPERIMENT.claims[-2:])
    assert all(estimate.value < 0 for estimate in features.values()) and len(features) == 4
    expected = auc["parametrised, low-level"][4] - auc["parametrised, low-level"][3]
    assert rise["1500 GeV"].value == pytest.approx(expected)
    errors = [100 * auc_error(auc["parametrised, low-level"][i] / 100, 2000, 2000) for i in (3, 4)]
    assert rise["1500 GeV"].error == pytest.approx(np.hypot(*errors))


def test_tables_and_figure_have_every_network(rows):
    auc, training, differences, features = fig_7.tables({"rows": rows})
    assert [name for name, _ in auc.lines] == [name for name, _ in training.lines]
    assert auc.lines[0][0] == "parametrised, low-level" and len(auc.lines) == 8
    assert auc.lines[5][1][2].ours == pytest.approx(100 * rows[5]["tested"][2]["auc"])
    assert len(differences.lines) == 6 and len(features.lines) == 4
    ((_, figure),) = fig_7.figures({"rows": rows})
    line = figure.axes[0].get_lines()[0]
    index = list(line.get_xdata()).index(0.5)
    assert line.get_ydata()[index] == pytest.approx(1 / rows[0]["tested"][2]["background_efficiency"][49])
