"""The result of a variation: what it prints, and that it is kept as it is."""

from dataclasses import fields, replace

import numpy as np
import pytest

from taylor import FeatureSet, VariationImportance

FEATURES = FeatureSet.chosen(("pt", "eta", "phi"), ["pt", "phi", ("pt", "pt"), ("pt", "phi"), ("phi", "phi")])
INPUTS = FeatureSet.chosen(("pt", "eta", "phi"), ["pt", "phi"])


def importance(features=FEATURES, factor=1.0, **further):
    contribution = factor * np.array([0.02, -0.05, 0.0, 0.01, 0.001])[: len(features)]
    return VariationImportance(
        features,
        change=-0.02 * factor,
        change_error=0.001,
        contribution=contribution,
        error=np.abs(contribution) / 10,
        share_error=np.full(len(features), 0.05),
        mean_abs=2 * np.abs(contribution),
        remainder=-0.001 * factor,
        remainder_error=0.0001,
        beyond_marginals=0.0,
        beyond_marginals_error=0.0,
        n_events=1234,
        engine="adjoint",
        **further,
    )


def everything():
    nested = {"by_input": importance(INPUTS), "down": importance(factor=-1), "half_difference": importance()}
    one = importance(**nested, mean_shift=importance(factor=0.1))
    return replace(one, regions={"signal": importance(factor=2, by_input=importance(INPUTS, 2))})


def test_the_ranking_is_by_absolute_contribution():
    lines = importance().ranking()
    assert [line.feature for line in lines] == ["phi", "pt", "pt, phi", "phi, phi", "pt, pt"]
    first = lines[0]
    assert first[:4] == (1, "phi", (2,), 1)
    assert first[4:] == pytest.approx((-0.05, 0.005, 2.5, 0.05, 0.1))
    assert importance().of("phi", "pt").contribution == 0.01
    with pytest.raises(ValueError, match="the 5 features that move"):
        importance().of("eta")


def test_it_prints_every_part_of_the_change(monkeypatch):
    monkeypatch.setattr("taylor.variation_result.N_SHOWN", 3)
    assert str(importance()).splitlines() == [
        "Change of the mean response over 1,234 events; 2 of 3 inputs move",
        "rank  feature            order  contribution    error     share    error   mean |.|",
        "   1  phi                    1         -0.05    0.005    250.0%     5.0%        0.1",
        "   2  pt                     1          0.02    0.002   -100.0%     5.0%       0.04",
        "   3  pt, phi                2          0.01    0.001    -50.0%     5.0%       0.02",
        "      2 more, their sum                0.001              -5.0%",
        "      remainder                       -0.001   0.0001      5.0%",
        "      change                           -0.02    0.001    100.0%",
    ]
    between = str(replace(importance(), beyond_marginals=0.01, beyond_marginals_error=0.002))
    assert between.splitlines()[-2].split() == ["beyond", "marginals", "0.01", "0.002", "-50.0%"]


def same(one, other):
    if isinstance(one, VariationImportance):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if isinstance(one, dict):
        return list(one) == list(other) and all(map(same, one.values(), other.values()))
    return np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other


def test_json_keeps_everything(tmp_path):
    one = everything()
    text = one.to_json(tmp_path / "variation.json")
    for read in (VariationImportance.from_json(text), VariationImportance.from_json(tmp_path / "variation.json")):
        assert same(one, read)
    with pytest.raises(ValueError, match=r"what VariationImportance\.to_json wrote"):
        VariationImportance.from_json('{"format": 1, "mean": []}')


def test_a_frame_has_a_row_for_each_feature():
    frame = importance().to_frame()
    assert frame["feature"].tolist() == ["phi", "pt", "pt, phi", "phi, phi", "pt, pt"]
    assert frame["share"].tolist() == pytest.approx([2.5, -1, -0.5, -0.05, 0])
