import numpy as np
import pytest

from pnn_tf.training_state import read_state, write_state
from tests.pnn_tf.test_resuming import assert_same, train


def test_a_state_is_read_as_it_was_written(tmp_path):
    state = {"variable_0": np.arange(6.0).reshape(2, 3), "variable_1": np.array(7, np.int64)}
    write_state(tmp_path / "new" / "last.npz", {"step": 3, "logs": [[0, {"loss": np.float32(0.5)}]]}, state)
    progress, found = read_state(tmp_path / "new" / "last.npz")
    assert progress["step"] == 3 and progress["logs"] == [[0, {"loss": 0.5}]]
    assert found.keys() == state.keys() and all(np.array_equal(found[name], state[name]) for name in state)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["last.npz"]


@pytest.mark.parametrize("content", [b"", b"PK not a zip", b"text"])
def test_another_file_is_named(tmp_path, content):
    (tmp_path / "last.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"last.npz, which cannot be used.*Move it away"):
        read_state(tmp_path / "last.npz")
    np.savez(tmp_path / "last.npz", x=1)
    with pytest.raises(ValueError, match=r"last.npz, which cannot be used: 'progress"):
        read_state(tmp_path / "last.npz")


def test_a_flipped_byte_is_found(tmp_path):
    path = tmp_path / "last.npz"
    write_state(path, {"step": 3}, {"variable_0": np.zeros(1000)})
    content = bytearray(path.read_bytes())
    content[content.index(bytes(1000)) + 500] = 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="Bad CRC"):
        read_state(path)


def test_a_training_stops_at_a_full_disk_and_goes_on_when_there_is_room(tmp_path, full_disk):
    whole, path = train(tmp_path / "whole.npz", epochs=2), tmp_path / "last.npz"
    train(path, epochs=1)
    with full_disk(1000), pytest.raises(OSError, match=r"while writing. What was there before is kept: .*last.npz"):
        train(path, epochs=2)
    assert read_state(path)[0]["step"] == 8
    assert_same(train(path, epochs=2), whole)
