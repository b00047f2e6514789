import errno

import pytest

import pnn_tf.whole_file
import taylor.whole_file


@pytest.fixture(params=[pnn_tf.whole_file, taylor.whole_file], ids=["pnn_tf", "taylor"])
def written_whole(request):
    return request.param.written_whole


def test_the_file_before_stays_when_the_disk_is_full(written_whole, tmp_path, full_disk):
    path = tmp_path / "new" / "last"
    with written_whole(path) as temporary:
        temporary.write_text("first")
    for room in (10, 0):
        with (
            full_disk(room),
            pytest.raises(OSError, match=r"while writing\. What was there before is kept") as caught,
            written_whole(path) as temporary,
        ):
            temporary.write_text("more than ten bytes")
        assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(path))
        assert path.read_text() == "first" and list(path.parent.iterdir()) == [path]


def test_a_full_device_is_named(written_whole, tmp_path):
    (tmp_path / "last.tmp").symlink_to("/dev/full")
    with (
        pytest.raises(OSError, match=r"No space left on device, while writing. There is nothing from before: .*last"),
        written_whole(tmp_path / "last") as temporary,
    ):
        temporary.write_text("text")
    assert list(tmp_path.iterdir()) == []


def test_a_kill_before_all_is_written_leaves_the_file_before(written_whole, tmp_path, monkeypatch):
    (tmp_path / "last").write_text("first")

    class Killed(BaseException):
        pass

    def killed(descriptor):
        raise Killed

    monkeypatch.setattr("os.fsync", killed)
    with pytest.raises(Killed), written_whole(tmp_path / "last") as temporary:
        temporary.write_text("second")
    assert (tmp_path / "last").read_text() == "first"
    monkeypatch.undo()
    with written_whole(tmp_path / "last") as temporary:
        temporary.write_text("third")
    assert (tmp_path / "last").read_text() == "third" and len(list(tmp_path.iterdir())) == 1
