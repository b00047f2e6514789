import csv
import json
import sys

import numpy as np
import pytest

from taylor import FeatureSet, RankedFeature, TaylorImportance, select_features

FEATURES = FeatureSet.complete(("mass", "pt"), 2)  # mass; pt; mass, mass; mass, pt; pt, pt


def importance(**changes):
    fields = {
        "features": FEATURES,
        "mean": np.array([0.2, 0.3, 0.05, 0.3, 0.1]),
        "error": np.array([0.01, 0.02, 0.003, 0.004, 0.005]),
        "n_events": 12345,
        "engine": "adjoint",
    }
    return TaylorImportance(**{**fields, **changes})


def with_replicas():
    """Three replicas: pt is at rank 1, 1 and 3; mass at 3, 2 and 2."""
    means = [[0.2, 0.4, 0.0, 0.3, 0.1], [0.3, 0.4, 0.0, 0.2, 0.1], [0.3, 0.2, 0.0, 0.4, 0.1]]
    return importance(replicas=np.array(means))


def test_features_are_ranked_by_their_mean_and_ties_stay_in_order():
    ranking = importance().ranking()
    assert [line.feature for line in ranking] == ["pt", "mass, pt", "mass", "pt, pt", "mass, mass"]
    assert [line.rank for line in ranking] == [1, 2, 3, 4, 5]
    assert importance().ranks.tolist() == [3, 1, 5, 2, 4]
    assert ranking[1] == RankedFeature(2, "mass, pt", (0, 1), 2, 0.3, 0.004, None, None)
    assert importance().ranking(2) == ranking[:2]
    all_alike = importance(mean=np.full(5, 0.5))
    assert all_alike.ranks.tolist() == [1, 2, 3, 4, 5]


def test_the_interval_of_a_rank_is_central_among_the_replicas():
    assert importance().rank_interval is None
    low, high = with_replicas().rank_interval
    assert (low <= high).all()
    assert (low[1], high[1]) == (1, 3)
    assert (low[2], high[2]) == (5, 5)
    mass = with_replicas().of("mass")
    assert (mass.rank_low, mass.rank_high) == (2, 3)
    rng = np.random.default_rng(0)
    many = importance(replicas=np.column_stack([rng.permutation(1000), np.full((1000, 4), -1.0)]))
    # The first feature is always the largest; its interval leaves nothing over.
    assert many.rank_interval[:, 0].tolist() == [1, 1]


def test_a_feature_is_found_by_its_inputs_in_any_order():
    for inputs in (("mass", "pt"), ("pt", "mass"), (1, 0), (0, "pt")):
        assert importance().of(*inputs).mean == 0.3
    assert importance().of("pt", "pt").rank == 4
    some = importance(features=FeatureSet.chosen(("mass", "pt"), [0, (0, 1)]), mean=np.ones(2), error=np.ones(2))
    with pytest.raises(ValueError, match=r"one of the 2 analysed features. Received: \('pt',\)"):
        some.of("pt")
    with pytest.raises(ValueError, match="Received: 'eta'"):
        importance().of("eta")


def test_it_prints_a_table():
    assert str(importance()) == (
        "Mean absolute Taylor coefficients of 5 features over 12,345 events\n"
        "rank  feature     order     <|t|>     error\n"
        "   1  pt              1       0.3      0.02\n"
        "   2  mass, pt        2       0.3     0.004\n"
        "   3  mass            1       0.2      0.01\n"
        "   4  pt, pt          2       0.1     0.005\n"
        "   5  mass, mass      2      0.05     0.003"
    )
    lines = str(with_replicas()).splitlines()
    assert lines[1].endswith("error  rank, 68 %")
    assert lines[2].endswith("1 to 3")


def test_a_long_table_is_cut():
    features = FeatureSet.complete(tuple("abcdef"), 2)
    long = importance(features=features, mean=np.arange(27.0), error=np.ones(27))
    lines = str(long).splitlines()
    assert len(lines) == 2 + 20 + 1
    assert lines[-1] == "and 7 more"


def test_csv_holds_the_ranking(tmp_path):
    with_replicas().to_csv(tmp_path / "ranking.csv")
    with open(tmp_path / "ranking.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["feature"] for row in rows] == ["pt", "mass, pt", "mass", "pt, pt", "mass, mass"]
    for row, line in zip(rows, with_replicas().ranking(), strict=True):
        assert float(row["mean"]) == line.mean
        assert float(row["error"]) == line.error
        for name in ("rank", "order", "rank_low", "rank_high"):
            assert int(row[name]) == getattr(line, name)
    importance().to_csv(tmp_path / "no_replicas.csv")
    assert (tmp_path / "no_replicas.csv").read_text().splitlines()[1] == "1,pt,1,0.3,0.02,,"


ARRAYS = "mean", "error", "replicas", "signed", "signed_error", "median", "spread"


def same(one, other):
    assert one.features == other.features
    for name in ARRAYS:
        first, second = getattr(one, name), getattr(other, name)
        assert (first is None) == (second is None)
        assert first is None or np.array_equal(first, second)
    for name in ("n_events", "engine", "n_networks", "target"):
        assert getattr(one, name) == getattr(other, name)
    assert list(one.regions) == list(other.regions)
    for name in one.regions:
        same(one.regions[name], other.regions[name])


def test_json_brings_everything_back(tmp_path):
    mean = np.array([1 / 3, np.pi, 1e-300, 1e300, 0.1])  # to the last digit
    optional = {name: np.arange(5) / 7 for name in ("signed", "signed_error", "median", "spread")}
    regions = {"signal": with_replicas(), "background": importance(**optional)}
    original = importance(mean=mean, **optional, n_networks=3, target="logit", regions=regions)
    text = original.to_json(tmp_path / "importance.json")
    for stored in (text, tmp_path / "importance.json", str(tmp_path / "importance.json")):
        same(TaylorImportance.from_json(stored), original)
    assert json.loads(text)["names"] == ["mass", "pt"]


def test_json_without_the_optional_numbers_is_read():
    """As the first version of this class wrote it."""
    of_region = {"mean": [0.5], "error": [0.1], "n_events": 3, "engine": "adjoint", "replicas": None, "regions": {}}
    stored = {"format": 1, "names": ["mass"], "features": [[0]], **of_region, "regions": {"signal": of_region}}
    one = TaylorImportance.from_json(json.dumps(stored))
    assert (one.of("mass").mean, one.n_networks, one.target, one.median) == (0.5, 1, None, None)
    assert one.regions["signal"].n_events == 3


def test_many_features_are_not_gone_through_for_a_few(monkeypatch):
    features = FeatureSet.complete(tuple(f"x{i}" for i in range(50)), 2)
    mean = np.random.default_rng(0).permutation(len(features)).astype(float)
    many = importance(features=features, mean=mean, error=mean / 10)
    made, label = [], FeatureSet.label
    monkeypatch.setattr(FeatureSet, "label", lambda self, column: made.append(column) or label(self, column))
    assert many.of("x49", 3).feature == "x3, x49"
    assert len(made) == 1
    str(many)
    select_features(many, k=30)
    assert len(made) == 1 + 20
    assert [line.mean for line in many.ranking()] == list(range(len(features)))[::-1]
    assert many.of("x49", 3) == many.ranking()[many.of("x49", 3).rank - 1]


@pytest.mark.parametrize("text", ["{}", '{"format": 99}'])
def test_another_format_is_refused(text):
    with pytest.raises(ValueError, match=r"importance of format 1\. Received"):
        TaylorImportance.from_json(text)


def test_a_data_frame_holds_the_ranking():
    pytest.importorskip("pandas")
    frame = importance().to_frame()
    assert frame["feature"].tolist() == ["pt", "mass, pt", "mass", "pt, pt", "mass, mass"]
    assert frame["mean"].tolist() == [0.3, 0.3, 0.2, 0.1, 0.05]


def test_without_pandas_it_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"to_frame needs pandas.*ranking\(\)"):
        importance().to_frame()
