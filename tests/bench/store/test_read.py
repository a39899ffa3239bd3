"""Readers take what markers name, check it, and let one torn file cost its own launch only."""

import json
import subprocess
import sys
from dataclasses import fields
from types import NoneType
from typing import get_args, get_type_hints

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bench
from bench.errors import UsageError
from bench.store import index, parquet, read, schema
from bench.store.commit import Store
from bench.store.schema import LaunchRows

OLD, NEW = "2611220824-lenet-0a1b", "2611230900-lenet-77ff"

_VALUES = {
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False),
    str: st.text(max_size=20),
    bool: st.booleans(),
    tuple[str, ...]: st.lists(st.text(max_size=8), max_size=3).map(tuple),
}


def rows_of(kind):
    """Any row of a table that its annotations allow, `None` among the rest where they do."""
    hints = get_type_hints(kind)
    columns = {}
    for item in fields(kind):
        hint = hints[item.name]
        optional = NoneType in get_args(hint)
        values = _VALUES[next(each for each in get_args(hint) if each is not NoneType) if optional else hint]
        columns[item.name] = st.none() | values if optional else values
    return st.builds(kind, **columns)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(launch=rows_of(schema.Launch))
def test_any_launch_survives_parquet(launch):
    data = parquet.encode("launches", schema.to_table("launches", [launch]))
    assert schema.from_table("launches", parquet.decode("launches", data)) == [launch]


def test_the_files_open_without_us(filled):
    for table in ("launches", "steps", "dna"):
        files = sorted((filled.path / table).rglob("*.parquet"))
        frame = pd.concat([pd.read_parquet(file) for file in files])
        assert list(frame.columns) == [item.name for item in fields(schema.TABLES[table])]
        assert len(frame) == len(read.load(filled.path, table))
    described = pq.read_schema(files[0])
    assert described.field("hw_id").metadata[b"doc"] == b"identity of the hardware"


def test_a_frame_has_the_same_types_whether_the_store_is_empty_or_full(filled, tmp_path):
    empty = Store.open(tmp_path / "empty")
    for table, kind in schema.TABLES.items():
        nothing, something = bench.load(empty.path, table), bench.load(str(filled.path), table)
        assert list(nothing.columns) == [item.name for item in fields(kind)]
        assert len(nothing) == 0
        assert nothing.dtypes.equals(something.dtypes)
    frame = bench.load(filled.path, "launches")
    assert len(frame) == 7
    assert frame["study_id"].tolist() == [OLD] * 4 + [NEW] * 3
    assert str(frame["window_ns"].dtype) == "Int64"  # whole numbers stay whole beside a missing one
    assert frame["window_ns"].dropna().tolist() == [2_000_000_001] * 6
    assert str(frame["throughput_sps"].dtype) == "float64"


def test_an_unknown_table_or_store_is_named_with_what_there_is(filled, tmp_path):
    with pytest.raises(ValueError, match="no table 'launch'") as error:
        bench.load(filled.path, "launch")
    assert isinstance(error.value, UsageError)
    assert error.value.hint == "did you mean launches ?"
    with pytest.raises(FileNotFoundError, match="no store") as error:
        bench.load(tmp_path / "nothing", "launches")
    assert isinstance(error.value, UsageError)
    assert error.value.code == 2


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:-20]), "bytes of"),
        (lambda file: file.write_bytes(b"\x00" * file.stat().st_size), "hash differs"),
        (lambda file: file.unlink(), "missing"),
    ],
    ids=["torn", "overwritten", "gone"],
)
@pytest.mark.parametrize("table", ["launches", "steps"])
def test_a_damaged_file_costs_its_own_launch_and_no_other(filled, table, harm, reason):
    victim = f"{OLD}.r00p01"
    harm(filled.path / table / OLD / f"{victim}.parquet")
    damaged = []

    def launches_of(study_id):
        files = read.committed(filled.path, study_id, damaged)
        if table == "steps":
            return {name for name, _ in files.steps(damaged)}
        return {row.launch_id for row in files.launches(damaged)}

    left = launches_of(OLD)
    everyone = {f"{OLD}.r0{number}p0{place}" for number in range(2) for place in range(2)}
    if table == "steps":
        everyone -= {f"{OLD}.r01p01"}  # the launch that crashed has no steps
    assert left == everyone - {victim}
    (damage,) = damaged
    assert (damage.study_id, damage.launch_id) == (OLD, victim)
    assert reason in damage.reason
    with pytest.warns(index.DamageWarning, match=victim):
        frame = read.load(filled.path, table)
    assert victim not in set(frame["launch_id"])
    assert NEW in set(frame["study_id"])
    assert len(launches_of(NEW)) == 3
    assert len(damaged) == 1


def test_a_marker_that_cannot_be_read_costs_its_own_launch(filled):
    (filled.path / "commits" / NEW / f"{NEW}.r00p00.json").write_text('{"schema": "ben')
    damaged = []
    assert len(read.launches(filled.path, NEW, damaged)) == 2
    assert [each.launch_id for each in damaged] == [f"{NEW}.r00p00"]


def test_a_file_that_no_marker_names_is_not_read(filled):
    source = filled.path / "launches" / OLD / f"{OLD}.r00p00.parquet"
    (source.parent / "stray.parquet").write_bytes(source.read_bytes())
    (source.parent / "torn.parquet").write_bytes(b"PAR1")
    damaged = []
    assert len(read.launches(filled.path, OLD, damaged)) == 4
    assert damaged == []
    assert len(read.load(filled.path, "launches")) == 7


def test_what_an_older_bench_did_not_write_is_missing_and_what_a_newer_one_added_is_left_out(a_plan, a_launch):
    whole = schema.to_table("launches", [a_launch(a_plan(), 0)])
    older = whole.drop_columns(["supervisor_cpu", "warnings"])
    newer = older.append_column("colour", pa.array(["green"]))
    sink = pa.BufferOutputStream()
    pq.write_table(newer, sink)
    (launch,) = schema.from_table("launches", parquet.decode("launches", sink.getvalue().to_pybytes()))
    assert launch == a_launch(a_plan(), 0)


def test_a_frame_over_old_and_new_files_has_gaps_where_the_old_ones_have_no_column(
    filled, a_plan, a_launch, a_dna, monkeypatch
):
    whole = parquet.arrow_schema

    def older(table):
        return pa.schema([each for each in whole(table) if each.name != "throughput_sps"])

    launch = a_launch(a_plan(NEW), 3)
    with monkeypatch.context() as patch:
        patch.setattr(parquet, "arrow_schema", older)
        filled.commit(LaunchRows(launch=launch, dna=a_dna(launch)))
    frame = read.load(filled.path, "launches").set_index("launch_id")
    assert len(frame) == 8
    assert pd.isna(frame.loc[launch.launch_id, "throughput_sps"])
    assert frame["throughput_sps"].dropna().tolist() == [320.5] * 6


def test_launches_come_in_the_order_they_were_planned(tmp_path, a_plan, a_launch, a_dna):
    store = Store.open(tmp_path / "results")
    plan = a_plan()
    for place in (3, 0, 2, 1):
        launch = a_launch(plan, place)
        store.commit(LaunchRows(launch=launch, dna=a_dna(launch)))
    found = [launch.launch_id for launch in read.launches(store.path, plan.study_id)]
    assert found == [each.launch_id for each in plan.launches]


def test_reading_needs_no_torch_and_listing_no_pyarrow(filled):
    program = f"""
import sys
from bench.store import index
assert len(index.studies({str(filled.path)!r})) == 2
print(sorted({{"torch", "pandas", "numpy", "pyarrow", "scipy", "matplotlib"}} & set(sys.modules)))
from bench.store import read
read.launches({str(filled.path)!r}, {OLD!r})
print(sorted({{"torch", "pandas", "scipy", "matplotlib"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.split("\n")[:2] == ["[]", "[]"], done


def test_studies_are_found_by_prefix_and_by_age(filled):
    path = filled.path
    assert index.studies(path) == [NEW, OLD]
    assert index.resolve(path, OLD) == OLD
    assert index.resolve(path, "261122") == OLD
    assert index.resolve(path, "@last") == NEW
    assert index.resolve(path, "@-1") == NEW
    assert index.resolve(path, "@-2") == OLD
    assert index.resolve_launch(path, "261122.r01p00").launch_id == f"{OLD}.r01p00"
    assert index.resolve_launch(path, "@last.r01").launch_id == f"{NEW}.r01p00"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("2611", "begins 2 ids", "more of the id"),
        ("2611220824-lent-0a1b", "no study", OLD),
        ("zebra", "no study", NEW),
        ("", "no study", NEW),
        ("@-3", "2 studies", ""),
    ],
)
def test_an_id_that_names_none_or_several_is_told_what_there_is(filled, text, message, hint):
    with pytest.raises(UsageError) as error:
        index.resolve(filled.path, text)
    assert message in error.value.message
    assert hint in error.value.hint


def test_an_ambiguous_prefix_lists_its_candidates(filled):
    with pytest.raises(UsageError, match=f"{NEW}, {OLD}"):
        index.resolve(filled.path, "2611")
    with pytest.raises(UsageError, match=r"r00p00, .*r00p01"):
        index.resolve_launch(filled.path, "@last.r00")


def test_an_exact_id_wins_over_the_ids_it_begins(tmp_path, a_plan):
    store = Store.open(tmp_path / "results")
    for study_id in ("a", "ab"):
        store.create_study(json.loads(json.dumps({"study_id": study_id, "created_at": ""})))
    assert index.resolve(store.path, "a") == "a"
