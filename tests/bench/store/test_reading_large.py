"""Reading many launches: what is opened, how often, and how it grows; by counts, because seconds say nothing here."""

import contextlib
import importlib.util
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench import study
from bench.analysis.scaling import replicates
from bench.analysis.statistics import steady
from bench.store import index, parquet, schema

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def generated():
    """benchmarks/generated_store.py, which the timings of large stores are taken with."""
    spec = importlib.util.spec_from_file_location("generated_store", REPOSITORY / "benchmarks" / "generated_store.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def store(generated, tmp_path, monkeypatch):
    """A store of this many launches, not synced: it need not outlive a power cut."""
    monkeypatch.setattr(os, "fsync", lambda _: None)

    def make(launches: int, **given) -> Path:
        folder = tmp_path / str(launches)
        generated.write(folder, launches=launches, steps=40, **given)
        return folder

    return make


@contextlib.contextmanager
def opened_files():
    """Every file that Python opens; what Arrow opened by itself nobody would see, so it is handed handles and bytes."""
    opened, listening = [], [True]

    def hear(event, given):
        if listening and event == "open" and isinstance(given[0], str):
            opened.append(Path(given[0]))

    sys.addaudithook(hear)  # cannot be taken back
    yield opened
    listening.clear()


@pytest.fixture
def counted(monkeypatch):
    """How often each file was read, and each table decoded."""
    calls: Counter[str] = Counter()
    read_bytes, decode = Path.read_bytes, parquet.decode

    def reading(path):
        calls[path.name if path.suffix == ".json" and "commits" in path.parts else "/".join(path.parts[-3:])] += 1
        return read_bytes(path)

    def decoding(table, data, columns=None):
        calls[f"decoded {table}"] += 1
        return decode(table, data, columns)

    monkeypatch.setattr(Path, "read_bytes", reading)
    monkeypatch.setattr(parquet, "decode", decoding)
    return calls


def test_a_report_reads_every_file_once(store, counted):
    folder = store(24, epochs=2)
    counted.clear()
    found = study.stored(folder, index.resolve(folder, "@last"))
    assert len(found.launches) == 24
    files = {
        name: count for name, count in counted.items() if re.search(r"\.(parquet|json)$", name) and "study" not in name
    }
    assert len(files) == 24 * 6, "a marker and five tables a launch"
    assert set(files.values()) == {1}
    assert {name: count for name, count in counted.items() if name.startswith("decoded")} == {
        f"decoded {table}": 24
        for table in schema.TABLES
        if table != "layers"  # there are none without --anatomy
    }


def test_of_a_study_of_many_launches_the_pack_is_opened_and_not_one_of_its_files(store, counted):
    folder = store(60, epochs=2)
    counted.clear()
    with opened_files() as opened:
        found = study.stored(folder, index.resolve(folder, "@last"))
    assert len(found.launches) == len(found.steps) == 60
    tables = {path.parts[-3] for path in opened if path.suffix == ".parquet"}
    assert tables == {"packs"}
    assert len([path for path in opened if path.suffix == ".parquet"]) == 5, "a file a table"
    assert not [name for name in counted if name.startswith("decoded")]


def test_only_the_columns_of_steps_that_are_analysed_are_read(store, monkeypatch):
    folder = store(12)
    wanted = []
    decode = parquet.decode

    def decoding(table, data, columns=None):
        if table == "steps":
            wanted.append(columns)
        return decode(table, data, columns)

    monkeypatch.setattr(parquet, "decode", decoding)
    study.analyse(folder, index.resolve(folder, "@last"))
    assert set(wanted) == {steady.Steps.COLUMNS}
    assert not {"study_id", "launch_id"} & set(steady.Steps.COLUMNS), "texts that are the same in every step"


def test_launches_are_never_compared_with_each_other(store, monkeypatch):
    """Telling the failed from the rest by comparing pairs took longest of all at a thousand launches a row."""
    folder = store(24, trouble=True)
    compared = []
    monkeypatch.setattr(schema.Launch, "__eq__", lambda *pair: compared.append(pair) or False)
    found = study.analyse(folder, index.resolve(folder, "@last"))
    assert sum(row.launches_failed for row in found.rows) == 2
    assert compared == []


def test_the_arrow_schema_is_built_once(store, monkeypatch):
    folder = store(12)
    schema.arrow_schema.cache_clear()
    study.stored(folder, index.resolve(folder, "@last"))
    assert schema.arrow_schema.cache_info().misses <= len(schema.TABLES)
    assert replicates.schema is schema


@pytest.mark.parametrize("table", ["launches", "dna", "steps"])
def test_a_small_table_is_stored_plainly_and_reads_back_as_it_was(table, store):
    folder = store(12)
    (file, *_) = sorted((folder / table).glob("*/*.parquet"))
    data = file.read_bytes()
    rows = parquet.decode(table, data)
    assert parquet.encode(table, rows) == data
    group = parquet.pq.ParquetFile(file).metadata.row_group(0)
    compressed = {group.column(number).compression for number in range(group.num_columns)}
    assert compressed == ({"UNCOMPRESSED"} if rows.num_rows < parquet.FEW_ROWS else {"ZSTD"})


def test_a_projection_is_the_same_columns_of_the_whole(store):
    folder = store(12)
    (file, *_) = sorted((folder / "steps").glob("*/*.parquet"))
    whole, some = (
        parquet.decode("steps", file.read_bytes(), wanted) for wanted in (None, ("step_ns", "phase", "gone"))
    )
    assert some.column_names == ["phase", "step_ns"], "in the schema's order; what was never written is left out"
    assert some == whole.select(["phase", "step_ns"])


def test_a_report_does_not_import_what_takes_longer_than_making_it(store, tmp_path):
    """Seven rounds on eight counts: exact tests, and a law is fitted. (`scipy.stats` and `optimize`: 0.7 s.)"""
    folder = store(84)
    program = (
        "import sys\nfrom bench.verbs.report import command\n"
        f"command(['@last', '--store', {str(folder)!r}, '-o', {str(tmp_path)!r}], standalone_mode=False)\n"
        "print(sorted({'scipy.stats', 'scipy.optimize', 'pandas', 'torch'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr == "[]\n"
    assert done.stdout.endswith(".html\n")
