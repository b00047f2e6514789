"""Records survive: rows are kept, writing is atomic, another configuration is another file."""

import json

import numpy as np
import pytest

from benchmarks import record


def example():
    return record.new_record("some-table", "smoke", {"epochs": 3}, {"name": "events", "fingerprint": "abc"})


def test_rows_are_found_again_by_the_same_configuration(tmp_path):
    path, first = record.open_record(tmp_path, "some-table", "smoke", {"units": (3, 2)}, {"fingerprint": "abc"})
    first["rows"].append({"row": "pNN", "seed": 1, "auc": [0.5]})
    record.write_record(path, first)
    again, second = record.open_record(tmp_path, "some-table", "smoke", {"units": (3, 2)}, {"fingerprint": "abc"})
    assert again == path
    assert second["rows"] == [{"row": "pNN", "seed": 1, "auc": [0.5]}]
    assert record.finished(second) == {("pNN", 1)}


@pytest.mark.parametrize(
    "change",
    [
        {"experiment": "other-table"},
        {"configuration": {"epochs": 4}},
        {"data": {"name": "events", "fingerprint": "abd"}},
    ],
)
def test_another_configuration_goes_to_another_file(change, tmp_path):
    assert record.record_path(tmp_path, example() | change) != record.record_path(tmp_path, example())


def test_a_failed_write_leaves_the_old_record_and_no_rubbish(tmp_path):
    path = tmp_path / "record.json"
    record.write_record(path, example())
    with pytest.raises(ValueError, match="Out of range float"):
        record.write_record(path, example() | {"rows": [{"auc": float("nan")}]})
    with pytest.raises(UnicodeEncodeError):  # fails after the file was opened
        record.write_record(path, example() | {"rows": [{"row": "\ud800"}]})
    assert record.read_record(path) == example()
    assert [entry.name for entry in tmp_path.iterdir()] == ["record.json"]


@pytest.mark.parametrize("text", ["{", "[1, 2]", '{"format": 0}'])
def test_what_is_not_a_record_is_refused_by_name(text, tmp_path):
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"record.*broken\.json"):
        record.read_record(path)


def test_the_fingerprint_sees_every_value_type_and_shape():
    array = np.arange(6.0)
    variants = [array, array.astype("float32"), array.reshape(2, 3), np.where(array == 5, -5, array)]
    assert len({record.fingerprint(variant) for variant in variants}) == 4
    assert record.fingerprint(array) == record.fingerprint(np.arange(12.0)[::2] / 2)


def test_provenance_names_versions_and_device_but_not_the_machine(monkeypatch):
    import platform

    run = record.provenance()
    assert {"python", "keras-hep", "tensorflow", "keras", "numpy"} == set(run["versions"])
    assert all(run["versions"].values()) and run["device"]
    assert platform.node() not in json.dumps(run)


def test_outside_git_there_is_no_commit(monkeypatch, tmp_path):
    monkeypatch.setattr(record, "_git", lambda *arguments: None)
    assert "commit" not in record.provenance()
