import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from launchers import scratch

HOLD = "from launchers.scratch import scratch\nwith scratch() as folder:\n    print(folder, flush=True)\n    input()"


@pytest.fixture(autouse=True)
def _own_place(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


def test_a_folder_is_there_for_a_launch_and_gone_after_it(tmp_path):
    with scratch.scratch() as folder:
        (folder / "rank0.log").write_text("words")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_agent_left_is_cleared_away_by_the_next_and_what_another_uses_is_not(tmp_path):
    (tmp_path / "bench-other").mkdir()
    holders = [
        subprocess.Popen((sys.executable, "-P", "-c", HOLD), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    killed, used = [holder.stdout.readline().strip() for holder in holders]
    holders[0].kill()
    holders[0].communicate()
    scratch.clear_away()
    assert Path(killed).is_dir()  # too young: it could be one that is just being made
    for folder in (killed, used):
        os.utime(folder, (0, 0))
    scratch.clear_away()
    assert not Path(killed).exists()
    assert Path(used).is_dir()
    holders[1].communicate("\n")
    assert [left.name for left in tmp_path.iterdir()] == ["bench-other"]
