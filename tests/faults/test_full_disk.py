"""A disk that fills up: refused before a study; in the middle of one, nothing is half there, and it goes on later.

The same at every single call that writes: tests/bench/store/test_promise_*.py.
"""

import re

import pytest

from tests.faults.faulty_studies import inside, needs_namespaces, outcome, planned, rows, study

pytestmark = pytest.mark.faults

# Fills the file system as soon as the second launch has begun, and frees it for what comes after.
FILLING = """
mkdir -p results && mount -t tmpfs -o size=8m tmpfs results
(until ls results/studies/*/logs/*.r01p00*/rank1.heartbeat; do sleep 0.05; done
 dd if=/dev/zero of=results/filler bs=4k) >/dev/null 2>&1 &
"$@" > told.txt 2>&1; echo $? > code.txt
cp -r results full; rm -f full/filler results/filler
"$1" recover --store results > recovered.txt 2>&1; echo $? > recovered-code.txt
"$@" --resume > resumed.txt 2>&1; echo $? > resumed-code.txt
cp -r results after
exit 0"""


def test_a_disk_without_room_is_refused_before_anything_is_trained(tmp_path, environment) -> None:
    needs_namespaces("-m")
    setup = "mkdir -p results && mount -t tmpfs -o size=16k tmpfs results"
    ran = inside(setup, study(tmp_path, rounds=3), environment, tmp_path, namespaces=("-m",))
    assert ran.returncode == 3, ran
    assert re.search("room|space", ran.stderr), ran.stderr
    assert len(ran.stderr.splitlines()) <= 4


def test_a_disk_that_fills_during_a_launch_costs_that_launch_and_nothing_else(tmp_path, environment) -> None:
    needs_namespaces("-m")
    words = study(tmp_path, rounds=3, steps=100, sleep_ms=10)
    ended = inside(f"{{ {FILLING}\n}}", words, environment, tmp_path, namespaces=("-m",))
    printed = (tmp_path / "told.txt").read_text()
    assert (tmp_path / "code.txt").read_text().strip() in ("3", "5"), f"{printed}\n{ended.stderr}"
    assert "Traceback" not in printed
    assert re.search("(?i)no space left", printed), printed
    first, *others = rows(tmp_path / "full")
    assert outcome(first) == ("ok", None)
    assert all(row.status != "ok" for row in others)

    assert (tmp_path / "recovered-code.txt").read_text().strip() == "0", (tmp_path / "recovered.txt").read_text()
    assert (tmp_path / "resumed-code.txt").read_text().strip() in ("0", "5"), (tmp_path / "resumed.txt").read_text()
    after = rows(tmp_path / "after")
    assert [row.launch_id for row in after] == planned(tmp_path / "after")
    assert outcome(after[0]) == outcome(after[2]) == ("ok", None)
