import errno
import resource

import numpy as np
import pytest

from pnn_tf.training_state import read_state, write_state, written_whole
from tests.pnn_tf.test_resuming import assert_same, train


@pytest.fixture
def full_disk():
    """Fills the disk, as far as this process sees it, when called with the bytes that a file may still have."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(n_bytes):
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))

    yield fill
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


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


def test_the_last_good_state_stays_when_the_disk_is_full(tmp_path, full_disk):
    path = tmp_path / "last.npz"
    write_state(path, {"step": 3}, {"variable_0": np.zeros(1000)})
    before = path.read_bytes()
    for room in (10_000, 0):
        full_disk(room)
        with pytest.raises(OSError, match="The one before is kept") as caught:
            write_state(path, {"step": 4}, {"variable_0": np.ones(10_000)})
        assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(path))
        assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_kill_before_all_is_written_leaves_the_last_good_state(tmp_path, monkeypatch):
    path = tmp_path / "last.npz"
    write_state(path, {"step": 3}, {})

    class Killed(BaseException):
        pass

    def killed(descriptor):
        raise Killed

    monkeypatch.setattr("os.fsync", killed)
    with pytest.raises(Killed):
        write_state(path, {"step": 4}, {})
    assert read_state(path)[0]["step"] == 3
    monkeypatch.undo()
    write_state(path, {"step": 5}, {})
    assert read_state(path)[0]["step"] == 5 and list(tmp_path.iterdir()) == [path]


def test_a_full_device_is_named(tmp_path):
    (tmp_path / "last.npz.tmp").symlink_to("/dev/full")
    with (
        pytest.raises(OSError, match=r"No space left on device, while writing. There is none from before: .*last.npz"),
        written_whole(tmp_path / "last.npz") as temporary,
    ):
        temporary.write_bytes(b"state")
    assert list(tmp_path.iterdir()) == []


def test_a_training_stops_at_a_full_disk_and_goes_on_when_there_is_room(tmp_path, full_disk):
    whole, path = train(tmp_path / "whole.npz", epochs=2), tmp_path / "last.npz"
    train(path, epochs=1)
    full_disk(1000)
    with pytest.raises(OSError, match="The one before is kept"):
        train(path, epochs=2)
    full_disk(resource.RLIM_INFINITY)
    assert read_state(path)[0]["step"] == 8
    assert_same(train(path, epochs=2), whole)
