"""The file that travels: whole or refused, the same after a journey, and without a word about whose machine it was."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from bench.errors import UsageError
from bench.plan import Configuration, Recipe, Workload
from bench.repro import capsule
from bench.repro.capsule import Capsule, Envelope, Fact, Part, RanksCheck, ReproRun

ROW = Configuration(
    strategy="single", ranks=1, device="cpu", backend=None, cores_per_rank=1, batch_per_rank=8, batch_global=8
)
WORK = Workload(model="lenet-small", data="digits", steps=2, recipe=Recipe(momentum=0.8), augment=("crop",))


def a_capsule(**changes) -> Capsule:
    facts = (
        Fact(stage="indices", step=0, tensor="samples", hash="aa", count=8),
        Fact(
            stage="init",
            step=0,
            tensor="0.weight",
            hash="bb",
            count=3,
            largest=2.5,
            sample=np.float32([0.1, -2.5, 1e-9]),
        ),
        Fact(stage="forward", step=0, tensor="0", hash="cc", kind="Conv2d", count=1, sample=np.float32([np.nan])),
    )
    part = Part(
        rank=0,
        conditions={"threads": 1, "versions": {"torch": "2.15.0"}},
        facts=facts,
        losses=((0.1).hex(), float("nan").hex()),
        warnings=("one",),
    )
    document = {
        "created_at": "2026-11-22T08:24:00+00:00",
        "repro_run": ReproRun(workload=WORK, configuration=ROW),
        "parts": (part,),
        "ids": {"hw_id": "h", "sw_id": "s", "num_id": None},
        "envelope": Envelope(loss=(1e-6, 2e-6), weights={1: 1e-6, 2: 3e-6}, runs=("a", "b")),
        "envelope_other_device": Envelope(loss=(1e-5, 2e-5), weights={1: 1e-5, 2: 3e-5}, runs=("a", "b", "c")),
        "finals": {0: 0.9, 1: 0.91},
        "ranks": (RanksCheck(ranks=3, tensor="0.weight", scaled_ulp=3.0, bound=12.7),),
    }
    return Capsule(**{**document, **changes})


def test_a_capsule_is_the_same_after_its_journey(tmp_path):
    sent = a_capsule()
    capsule.write(tmp_path / "a.capsule", sent)
    got = capsule.read(tmp_path / "a.capsule")
    for name in ("created_at", "repro_run", "ids", "envelope", "envelope_other_device", "finals", "ranks"):
        assert getattr(got, name) == getattr(sent, name), name
    for mine, theirs in zip(sent.parts[0].facts, got.parts[0].facts, strict=True):
        assert mine.key == theirs.key
        assert (mine.hash, mine.kind, mine.count, mine.largest) == (
            theirs.hash,
            theirs.kind,
            theirs.count,
            theirs.largest,
        )
        np.testing.assert_array_equal(mine.sample, theirs.sample)
    assert got.parts[0].losses == sent.parts[0].losses
    assert got.parts[0].conditions == sent.parts[0].conditions


def test_a_person_can_open_it_with_the_tools_at_hand(tmp_path):
    capsule.write(tmp_path / "a.capsule", a_capsule())
    with np.load(tmp_path / "a.capsule") as opened:
        assert len(opened["rank0"]) == 4
        assert json.loads(opened["capsule.json"])["rehearsal"]["workload"]["model"] == "lenet-small"


def test_folders_of_the_recording_machine_do_not_travel(tmp_path):
    private = replace(WORK, data_dir="/home/erika/data", model="/home/erika/thesis/mine.py:build")
    capsule.write(tmp_path / "a.capsule", a_capsule(repro_run=ReproRun(workload=private, configuration=ROW)))
    with zipfile.ZipFile(tmp_path / "a.capsule") as archive:
        assert not any(b"erika" in archive.read(name) for name in archive.namelist())
    assert capsule.read(tmp_path / "a.capsule").repro_run.workload.model == "mine.py:build"


@pytest.mark.parametrize("torn", ["empty", "half", "another zip", "another json"])
def test_what_is_no_capsule_is_refused_in_words(tmp_path, torn):
    file = tmp_path / "a.capsule"
    capsule.write(file, a_capsule())
    if torn == "empty":
        file.write_bytes(b"")
    elif torn == "half":
        file.write_bytes(file.read_bytes()[:200])
    else:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("other.txt" if torn == "another zip" else "capsule.json", "{}")
    with pytest.raises(UsageError, match="no capsule, or a torn one"):
        capsule.read(file)


def test_a_missing_file_and_a_newer_format_are_told_apart(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        capsule.read(tmp_path / "none.capsule")
    with zipfile.ZipFile(tmp_path / "new.capsule", "w") as archive:
        archive.writestr("capsule.json", json.dumps({"schema": "bench.capsule/9"}))
    with pytest.raises(UsageError, match=r"this bench reads bench\.capsule/1"):
        capsule.read(tmp_path / "new.capsule")


def test_a_capsule_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(UsageError, match="cannot be written"):
        capsule.write(tmp_path / "nowhere" / "a.capsule", a_capsule())
    assert list(tmp_path.iterdir()) == []


def test_a_repro_run_is_told_to_its_ranks_without_loss(tmp_path):
    found = ReproRun(workload=WORK, configuration=ROW, nudged=3, still=True)
    found.write(tmp_path)
    assert ReproRun.read(tmp_path) == found
