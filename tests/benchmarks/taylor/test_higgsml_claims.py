"""What is read off a ranking and off the networks of a row, on rankings that are known."""

import pytest

from benchmarks.claims import applies, judge
from benchmarks.published import FIRST_ANGLE, FIRST_ORDER
from benchmarks.taylor import higgsml_claims as claims
from benchmarks.taylor.higgsml import EXPERIMENT
from taylor import FeatureSet


def row_of(names: tuple[str, ...], *first: str) -> dict:
    """A row whose ranking begins with the features named, the others after them as they are."""
    labels = FeatureSet.complete(names, 2).labels
    mean = [len(first) - first.index(label) + 1 if label in first else 0 for label in labels]
    return {"inputs": names, "mean": mean, "error": mean, "n_test": 1, "engine": "adjoint"}


def test_ranks_are_those_of_labels_and_of_the_first_of_a_kind():
    row = row_of(("m", "lep_phi", "pt"), "m, pt", "m, m", "lep_phi, pt", "pt")
    whats = ("m, pt", "m, m", "pt", "m", FIRST_ORDER, FIRST_ANGLE)
    assert [claims.rank(what, row) for what in whats] == [1, 2, 4, 5, 4, 3]
    assert (claims.rank_of_input("pt", row), claims.rank_of_input("m", row)) == (1, 2)


def test_the_centrality_is_no_primitive_azimuth():
    row = row_of(("DER_met_phi_centrality", "PRI_met_phi"), "DER_met_phi_centrality")
    assert claims.matching(claims.ANGLE, row).tolist() == [False, True, False, True, True]
    assert claims.angles_low(row) == pytest.approx(100 * 2 / 3)


def test_an_input_is_found_by_its_whole_name():
    row = row_of(("m", "m_t", "pt"), "m_t, pt", "m, pt", "m")
    assert claims.matching(claims.with_input("m"), row).tolist()[:3] == [False, True, True]
    assert claims.n_top("m", row) == 4  # m, (m, m), (m, m_t), (m, pt): all features are among the first ten
    assert claims.large(row) == pytest.approx(100 * 2 / 9)  # 4 and 3 of at most 4


def test_importance_is_the_mean_over_seeds(rows):
    both = claims.importance(rows[0], rows[2]).mean
    assert both == pytest.approx([(a + b) / 2 for a, b in zip(rows[0]["mean"], rows[2]["mean"], strict=True)])


def test_claims_are_made_of_the_rows_of_a_treatment(rows):
    record = {"scale": "file", "rows": [row for row in rows if row["row"] == "undefined at -999"]}
    judged = {claim.statement: judge(claim, record) for claim in EXPERIMENT.claims if applies(claim, record)}
    assert len(judged) == 2 * len(claims.OF_HIGGSML)
    kept = judged["The kept inputs do as well as all: AUC (undefined at -999)"]
    assert kept.estimate.value == pytest.approx(-1.75)  # 90.5 - 92 with one seed, 91 - 93 with the other
    missing = [j for statement, j in judged.items() if "undefined at the mean" in statement]
    assert len(missing) == len(claims.OF_HIGGSML) and all("not finished" in j.reason for j in missing)
    on_others = [claim for claim in EXPERIMENT.claims if applies(claim, record | {"scale": "embedded"})]
    assert len(on_others) == len(claims.OF_ANY) and all(c.ours and c.published is None for c in on_others)
