import os
import time

import pytest

from launchers.wire import Message, pieces_of, save_piece


def as_received(facts: dict, body: bytes) -> Message:
    return Message(kind="file", facts=facts, body=body, received_ns=time.monotonic_ns())


def test_a_file_arrives_whole_and_as_old_as_it_was(tmp_path):
    (tmp_path / "there").mkdir()
    file = tmp_path / "rank3.log"
    for size in (0, 1 << 18, (1 << 18) + 1):
        file.write_bytes(os.urandom(size))
        an_hour_ago = time.time() - 3600
        os.utime(file, (an_hour_ago, an_hour_ago))
        for facts, body in pieces_of(file):
            save_piece(as_received(facts, body), tmp_path / "there")
        arrived = tmp_path / "there" / file.name
        assert arrived.read_bytes() == file.read_bytes()
        assert abs(arrived.stat().st_mtime - an_hour_ago) < 60
    assert [each.name for each in (tmp_path / "there").iterdir()] == ["rank3.log"]


@pytest.mark.parametrize("name", ["../rank0.log", "/etc/passwd", "a/b", "..", ""])
def test_a_file_goes_nowhere_but_into_the_launchs_folder(tmp_path, name):
    with pytest.raises(OSError, match="no plain file name"):
        save_piece(as_received({"name": name, "last": True, "age_ns": 0}, b"x"), tmp_path)
