"""A writer of checkpoints that is killed at any one of its calls leaves whole files and no other."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bench.store import fsops
from bench.worker import checkpoint_file
from bench.worker.checkpoint_file import Folder, Place

# One process a call would import torch a hundred times: each death is a fork's.
WRITER = """
import itertools, os, sys
from pathlib import Path
import torch
from bench.store import fsops
from bench.worker import checkpoint_file
from bench.worker.checkpoint_file import Folder, Place

fsops._sync = lambda handle: None  # SIGKILL takes nothing that the kernel has
torch.set_num_threads(1)

def write(root):
    folder = Folder(root)
    for epoch in (1, 2, 3):
        content = {"schema": checkpoint_file.SCHEMA, "epoch": epoch, "model": {"w": torch.full((9,), float(epoch))}}
        kept, best = checkpoint_file.kept_epochs(("last:2", "best"), [0.5, 0.4, 0.3][:epoch])
        folder.write(Place(epoch), content, best=best, keep=kept)
        print(epoch, flush=True)

for call in itertools.count(1):
    root = Path(sys.argv[1], str(call))
    root.mkdir()
    child = os.fork()
    if not child:
        os.environ["BENCH_CRASH_AT"] = str(call)
        os.dup2(os.open(root / "told", os.O_CREAT | os.O_WRONLY), 1)
        write(root)
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        print(call)
        break
"""


def test_a_writer_killed_at_any_call_leaves_every_checkpoint_that_it_had_told_of(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", WRITER, str(tmp_path)], capture_output=True, text=True, check=True, timeout=120
    )
    calls = int(ran.stdout)
    assert calls > 25, "every write, sync, rename, pointer and removal of three checkpoints is numbered"
    seen = set()
    for call in range(1, calls + 1):
        root = tmp_path / str(call)
        text = [int(line) for line in (root / "told").read_text().split()]
        places = Folder(root).places()
        seen.add((len(text), len(places)))
        for place in places:
            content = checkpoint_file.read(root / place.file_name)
            assert torch.equal(content["model"]["w"], torch.full((9,), float(place.epochs)))
        if text:
            newest = places[0].epochs
            assert newest >= text[-1], f"call {call}"
            assert Place(1) in places, f"call {call}: the best is kept"
            for name in (checkpoint_file.LAST, checkpoint_file.BEST):
                assert checkpoint_file.read(root / name)["epoch"] in {place.epochs for place in places}, f"call {call}"
        # The next to write here leaves nothing of the dead one behind.
        content = {"schema": checkpoint_file.SCHEMA, "epoch": 4, "model": {"w": torch.zeros(9)}}
        Folder(root).write(Place(4), content, best=1 if text else None, keep={1, 3, 4})
        assert not list(root.glob(".*"))
        assert checkpoint_file.read(root / checkpoint_file.LAST)["epoch"] == 4
    assert len(seen) > 4


def test_a_disk_without_room_is_an_error_and_the_files_before_stay(tmp_path, monkeypatch):
    folder = Folder(tmp_path)
    content = {"schema": checkpoint_file.SCHEMA, "epoch": 1}
    folder.write(Place(1), content, best=None, keep={1})
    monkeypatch.setattr(fsops, "_numbers", iter(range(1, 100)))
    monkeypatch.setenv("BENCH_DISK_FULL_AT", "1")
    with pytest.raises(OSError, match="No space left"):
        folder.write(Place(2), {**content, "epoch": 2}, best=None, keep={2})
    assert [place.epochs for place in folder.places()] == [1]
    assert checkpoint_file.read(tmp_path / checkpoint_file.LAST)["epoch"] == 1


def test_the_names_of_files_sort_as_training_went_on(tmp_path):
    places = [Place(0, 7), Place(1), Place(1, 120), Place(2), Place(12), Place(12, 3)]
    for place in places:
        (tmp_path / place.file_name).touch()
    (tmp_path / "epoch-of-my-own.pt").touch()
    assert Folder(tmp_path).places() == places[::-1]
    assert str(Place(2, 5)) == "epoch 2, step 5"


def test_a_file_system_without_symbolic_links_keeps_checkpoints_without_pointers(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(1, os.strerror(1))

    monkeypatch.setattr(Path, "symlink_to", refuse)
    Folder(tmp_path).write(Place(1), {"schema": checkpoint_file.SCHEMA}, best=1, keep={1})
    assert [file.name for file in tmp_path.iterdir()] == ["epoch0001.pt"]
