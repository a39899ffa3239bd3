"""A pack is a copy that is read only where it is exactly what the launches' own files are."""

import itertools
import json
import os
import shutil
import signal
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import recovery, verifying
from bench.plan import to_json
from bench.store import fsops, index, packing, packs, parquet, read, schema
from bench.store.commit import Store
from bench.store.schema import LaunchRows
from tests.bench.store import dying_writers

OLD = "2611220824-lenet-0a1b"


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch):
    monkeypatch.setattr(packs, "FEWEST_LAUNCHES", 1)


@pytest.fixture
def packed(filled):
    """A finished study of four launches with its pack."""
    assert packing.pack(filled, OLD)
    return filled


@pytest.fixture
def reads_the_pack(monkeypatch):
    """Whether reading opens none of the launches' own files."""

    def ask(store):
        decoded = []
        with monkeypatch.context() as patch:
            decode = parquet.decode
            patch.setattr(parquet, "decode", lambda *found: decoded.append(found[0]) or decode(*found))
            tables_of(store)
        return not decoded

    return ask


def tables_of(store, study_id=OLD):
    """Everything that readers give, damage included."""
    damaged = []
    files = read.committed(store.path, study_id, damaged)
    steps = {
        launch_id: {name: values.tolist() for name, values in columns.items()}
        for launch_id, columns in files.steps(damaged)
    }
    rows = [getattr(files, table)(damaged) for table in ("launches", "epochs", "classes", "layers", "dna")]
    return steps, rows, sorted(map(str, damaged))


def unpacked(store, study_id=OLD):
    """The same without any pack."""
    hidden = store.path / "packs" / study_id
    hidden.rename(store.path / "hidden")
    try:
        return tables_of(store, study_id)
    finally:
        (store.path / "hidden").rename(hidden)


def files_of(store, study_id=OLD):
    return sorted(file.relative_to(store.path / "packs" / study_id).as_posix() for file in pack_folder(store, study_id))


def pack_folder(store, study_id=OLD):
    return list((store.path / "packs" / study_id).glob("*"))


def the(pattern, store):
    (file,) = (store.path / "packs" / OLD).glob(pattern)
    return file


def test_a_pack_is_read_in_place_of_the_launches_own_files(packed, reads_the_pack):
    assert reads_the_pack(packed)
    assert tables_of(packed) == unpacked(packed)
    assert verifying.check(packed.path, OLD).wrong == []


def test_a_pack_lies_where_no_pattern_over_a_tables_own_folder_finds_it(packed):
    assert {file.suffix for file in pack_folder(packed)} == {".json", ".parquet"}
    assert len(pd.read_parquet(packed.path / "launches")) == 7, "of both studies, each once"
    assert len(pd.read_parquet(the("launches.*", packed))) == 4


def test_few_launches_get_none(filled, monkeypatch):
    monkeypatch.setattr(packs, "FEWEST_LAUNCHES", 5)
    assert not packing.pack(filled, OLD)
    assert not (filled.path / "packs").exists()


def test_a_second_call_writes_nothing(packed):
    before = files_of(packed)
    assert packing.pack(packed, OLD)
    assert files_of(packed) == before


counts = st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(0, 4), st.integers(0, 3), st.booleans())


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(shapes=st.lists(counts, min_size=1, max_size=4), together=st.integers(1, 40))
def test_whatever_launches_there_are_every_table_is_the_same_with_a_pack_as_without(
    shapes, together, tmp_path_factory, a_plan, a_launch, a_dna, some_steps, monkeypatch
):
    monkeypatch.setattr(fsops, "_sync", lambda handle: None)
    monkeypatch.setattr(packing, "ROWS_TOGETHER", together)
    store, plan = Store.open(tmp_path_factory.mktemp("packed") / "store"), a_plan()
    store.create_study(to_json(plan))
    for place, (steps, epochs, classes, layers, again) in enumerate(shapes):
        for attempt in range(1 + again):
            launch = a_launch(plan, place, attempt=attempt, loss_last=None if steps % 2 else float(steps))
            own = {"study_id": plan.study_id, "launch_id": launch.launch_id}
            store.commit(
                LaunchRows(
                    launch=launch,
                    steps=some_steps(launch, steps) if steps else None,
                    epochs=[an_epoch(own, number) for number in range(epochs)],
                    classes=[a_class(own, number) for number in range(classes)],
                    dna=a_dna(launch) if place else None,
                    layers=[a_layer(own, number) for number in range(layers)],
                )
            )
    assert packing.pack(store, plan.study_id)
    framed = {table: read.load(store.path, table) for table in schema.TABLES}
    assert tables_of(store) == unpacked(store)
    assert verifying.check(store.path, plan.study_id).wrong == [
        each for each in verifying.check(store.path, plan.study_id).wrong if "packs" not in each
    ]
    shutil.rmtree(store.path / "packs")
    for table, frame in framed.items():
        pd.testing.assert_frame_equal(frame, read.load(store.path, table))


def an_epoch(own, number):
    facts = dict.fromkeys(
        ("train_s", "evaluate_s", "learning_rate", "train_loss", "train_top1", "validation_loss"), 0.5
    )
    return schema.Epoch(**own, **facts, epoch=number, samples=9, top1=0.1 * number, top5=None, validation_samples=7)


def a_class(own, number):
    called = tuple(range(number))
    return schema.ClassScore(**own, epoch=0, label=number, name=f"class {number}", support=number, confusion=called)


def a_layer(own, number):
    return schema.Layer(**own, epoch=0, step=1, layer=f"l{number}", position=number, kind="conv", params=1, macs=2)


def cut(file):
    file.write_bytes(file.read_bytes()[:-9])


def flip(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


HARMS = {
    "its document is gone": lambda store: the("*.json", store).unlink(),
    "its document is torn": lambda store: cut(the("*.json", store)),
    "a file of it is gone": lambda store: [the(f"{table}.*", store).unlink() for table in ("launches", "steps", "dna")],
    "a bit of it is flipped": lambda store: [flip(file) for file in pack_folder(store)],
    "it is cut short": lambda store: [cut(file) for file in pack_folder(store)],
    "it covers another attempt": lambda store: cut(next((store.path / "commits" / OLD).glob("*r00p00.json"))),
    "a launch's own files are gone": lambda store: [each.unlink() for each in store.path.glob(f"*/{OLD}/*p00.parquet")],
    "a launch's own files are cut": lambda store: [cut(each) for each in store.path.glob(f"*/{OLD}/*p00.parquet")],
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
def test_where_anything_is_not_as_it_was_the_single_files_are_read_and_damage_is_told(packed, harm, reads_the_pack):
    harm(packed)
    assert not reads_the_pack(packed)
    assert tables_of(packed) == unpacked(packed)


def test_a_launch_committed_since_makes_it_stale_and_the_next_one_takes_its_place(
    packed, a_plan, a_launch, a_dna, reads_the_pack
):
    before = set(files_of(packed))
    again = a_launch(a_plan(OLD), 0, attempt=1, throughput_sps=99.0)
    packed.commit(LaunchRows(launch=again, dna=a_dna(again)))
    assert not reads_the_pack(packed)
    assert 99.0 in [each.throughput_sps for each in read.launches(packed.path, OLD)]
    assert packing.pack(packed, OLD)
    assert reads_the_pack(packed)
    assert not before & set(files_of(packed))
    assert len(files_of(packed)) == 4


@pytest.mark.parametrize("harm", [flip, cut, lambda file: file.unlink()], ids=["flipped", "cut", "gone"])
def test_a_damaged_pack_is_written_anew(packed, harm, reads_the_pack):
    harm(the("steps.*", packed))
    assert packing.pack(packed, OLD)
    assert reads_the_pack(packed)
    assert len(files_of(packed)) == 4


def test_a_damaged_launch_is_not_packed_so_that_it_is_told_of(filled):
    victim = filled.path / "steps" / OLD / f"{OLD}.r00p00.parquet"
    flip(victim)
    assert not packing.pack(filled, OLD)
    assert pack_folder(filled) == []
    assert [f"{OLD}.r00p00" in each for each in tables_of(filled)[2]] == [True]


def test_rows_of_an_older_schema_are_not_packed(filled, a_plan, a_launch, a_dna, monkeypatch):
    whole = parquet.arrow_schema
    older = a_launch(a_plan(OLD), 0, attempt=1)
    with monkeypatch.context() as patch:
        patch.setattr(
            parquet,
            "arrow_schema",
            lambda table: parquet.pa.schema([each for each in whole(table) if each.name != "throughput_sps"]),
        )
        filled.commit(LaunchRows(launch=older, dna=a_dna(older)))
    assert not packing.pack(filled, OLD)
    assert pack_folder(filled) == []


def test_a_pack_of_an_older_schema_is_read_as_its_files_are(filled, a_plan, a_launch, monkeypatch):
    whole = parquet.arrow_schema

    def older(table):
        return parquet.pa.schema([each for each in whole(table) if each.name not in {"segment", "warnings", "hw_id"}])

    plan, store = a_plan("old"), filled
    with monkeypatch.context() as patch:
        patch.setattr(parquet, "arrow_schema", older)
        patch.setattr(packing, "arrow_schema", older)
        parquet._kept.cache_clear()
        launch = a_launch(plan, 0)
        store.create_study(to_json(plan))
        store.commit(LaunchRows(launch=launch))
        assert packing.pack(store, "old")
    parquet._kept.cache_clear()
    assert tables_of(store, "old") == unpacked(store, "old")
    assert read.launches(store.path, "old") == [launch]


def test_verify_finds_a_pack_with_other_rows_and_says_what_to_do(packed):
    document = the("*.json", packed)
    payload = json.loads(document.read_bytes())
    (file,) = (each for each in payload["files"] if each["table"] == "launches")
    rows = parquet.pq.read_table(packed.path / file["path"])
    faster = rows.set_column(
        rows.column_names.index("throughput_sps"),
        rows.schema.field("throughput_sps"),
        parquet.pa.array([1e9] * len(rows)),
    )
    parquet.pq.write_table(faster, packed.path / file["path"])
    assert f"packs/{OLD} is not what was written" in " ".join(verifying.check(packed.path, OLD).wrong)
    file["bytes"], file["sha256"] = packs.digest(packed.path / file["path"])
    document.write_text(json.dumps(payload))
    (wrong,) = verifying.check(packed.path, OLD).wrong
    assert wrong == (
        f"packs/{OLD} holds other rows of launches than the launches' own files: "
        f"remove packs/{OLD}, which is only a copy"
    )


def test_recover_removes_what_nobody_reads_and_leaves_what_is_read(packed, a_plan, a_launch, a_dna):
    folder = packed.path / "packs" / OLD
    (folder / "steps.0123.parquet").write_bytes(b"of a writer that died")
    (folder / "dna.4567.parquet").write_bytes(b"of a writer that is at it")
    os.utime(folder / "steps.0123.parquet", (0, 0))
    assert list(recovery.recover(packed.path).removed) == [f"packs/{OLD}/steps.0123.parquet"]
    for file in folder.iterdir():
        os.utime(file, (0, 0))
    assert list(recovery.recover(packed.path).removed) == [f"packs/{OLD}/dna.4567.parquet"]
    again = a_launch(a_plan(OLD), 0, attempt=1)
    packed.commit(LaunchRows(launch=again, dna=a_dna(again)))
    assert len(recovery.recover(packed.path).removed) == 4, "a stale pack: its document and three tables"
    assert pack_folder(packed) == []


def refusing(code):
    def refuse(*_, **__):
        raise OSError(code, os.strerror(code))

    return refuse


def test_a_store_that_cannot_be_written_has_no_pack_and_nothing_else_happens(filled, monkeypatch):
    monkeypatch.setattr(fsops, "_at", refusing(30))  # EROFS
    assert not packing.pack(filled, OLD)
    assert not (filled.path / "packs").exists()


def test_a_disk_without_twice_the_room_gets_none(filled, monkeypatch):
    size = sum(file.bytes for marker in index.markers(filled.path, OLD) for file in marker.files)
    monkeypatch.setattr(fsops, "room", lambda _: fsops.Room(bytes=2 * size - 1, files=None))
    assert not packing.pack(filled, OLD)


def test_a_disk_that_is_full_from_any_call_on_costs_the_pack_and_leaves_nothing(filled, monkeypatch, reads_the_pack):
    monkeypatch.setattr(fsops, "_sync", lambda handle: None)
    expected = tables_of(filled)
    for number in itertools.count(1):
        monkeypatch.setattr(fsops, "_numbers", itertools.count(1))
        monkeypatch.setenv("BENCH_DISK_FULL_AT", str(number))
        done = packing.pack(filled, OLD)
        monkeypatch.delenv("BENCH_DISK_FULL_AT")
        assert tables_of(filled) == expected
        assert list((filled.path / "staging").iterdir()) == []
        assert len(pack_folder(filled)) in {0, 4}, "what takes room is removed again"
        if done:
            break
    assert number > 20
    assert reads_the_pack(filled)
    assert len(files_of(filled)) == 4, "what earlier ones left was removed"


def test_one_that_is_killed_at_any_call_costs_the_pack_only(tmp_path, a_study, die_everywhere, monkeypatch):
    monkeypatch.setattr(fsops, "_sync", lambda handle: None)
    plan, launches, dna = a_study
    before = Store.open(tmp_path / "before")
    before.create_study(to_json(plan))
    for launch in launches:
        dying_writers.run_one(before, launch, dna[launch.launch_id])
    expected = tables_of(before, plan.study_id)
    answers = die_everywhere("pack", "BENCH_CRASH_AT", 3)
    assert {answer["code"] for answer in answers[:-1]} == {-signal.SIGKILL}
    assert answers[-1]["told"] == ["packed"]
    assert answers[-1]["number"] > 20
    for answer in answers:
        store = Store(tmp_path / str(answer["number"]))
        assert tables_of(store, plan.study_id) == expected
        assert verifying.check(store.path, plan.study_id).wrong == verifying.check(before.path, plan.study_id).wrong
        assert packing.pack(store, plan.study_id)
        assert len(files_of(store, plan.study_id)) == 4


def test_a_document_for_other_markers_under_the_right_name_is_not_believed(packed):
    document = the("*.json", packed)
    pack = packs.Pack.from_bytes(document.read_bytes())
    markers = index.markers(packed.path, OLD)
    assert packs.find(read.existing(packed.path), markers) == pack
    document.write_bytes(replace(pack, covers="0" * 64).to_bytes())
    assert packs.find(read.existing(packed.path), markers) is None
