"""Nothing personal leaves the machine: every output is searched for this machine's own names, and for planted ones."""

import getpass
import json
import re
import socket
import sys
from pathlib import Path

import psutil
import pyarrow.parquet
import pytest

from bench.dna import child, numbers
from bench.dna.fingerprint import fingerprint
from bench.plan import to_json
from bench.store import read
from bench.store.commit import Store
from bench.store.schema import LaunchRows

PLANTED = "zebra-of-arc"
SERIALS = (
    *("/etc/machine-id", "/proc/sys/kernel/random/boot_id"),
    *("/sys/class/dmi/id/product_uuid", "/sys/class/dmi/id/product_serial", "/sys/class/dmi/id/board_serial"),
)


def own_names():
    """What would tell this machine, its user or its place, as far as this process may read it."""
    names = {PLANTED, socket.gethostname(), getpass.getuser(), str(Path.home()), sys.prefix, str(Path.cwd())}
    names |= {str(Path(numbers.__file__).parents[2])}
    names |= {each.address for cards in psutil.net_if_addrs().values() for each in cards}
    for file in [*map(Path, SERIALS), *Path("/sys/block").glob("*/device/serial"), *Path("/sys/block").glob("*/wwid")]:
        try:
            names.add(file.read_text().strip())
        except OSError:
            continue
    return names - {""}


def found_in(text):
    pattern = r"(?<![a-z0-9]){}(?![a-z0-9])"
    return [name for name in own_names() if re.search(pattern.format(re.escape(name)), text, re.IGNORECASE)]


def test_the_search_finds_what_it_looks_for():
    for name in own_names():
        assert name in found_in(f'{{"host": "{name}"}}')
    assert found_in('{"cpu": "Zen"}') == []


@pytest.fixture
def hostile(tmp_path):
    """Variables that programs take names from, all with a planted one, and a folder of that name."""
    home = tmp_path / PLANTED
    home.mkdir()
    names = ("USER", "LOGNAME", "USERNAME", "HOSTNAME", "HOST")
    return {"cwd": home, "HOME": str(home), **dict.fromkeys(names, PLANTED)}


@pytest.mark.parametrize(
    "words", [["--json"], ["--json", "--anonymize"], ["--export", "mlperf"], [], ["--json", "--diff", "here", "here"]]
)
def test_nothing_personal_is_printed(run_bench, hostile, words):
    ran = run_bench("dna", *words, **hostile)
    assert ran.returncode == 0, str(ran)
    assert len(ran.stdout) > 300
    assert found_in(ran.stdout) == []


def test_a_file_is_named_without_its_folder(run_bench, hostile):
    file = hostile["cwd"] / "a.json"
    file.write_text(run_bench("dna", "--json").stdout)
    ran = run_bench("dna", "--json", "--diff", file, "here", **hostile)
    assert ran.json()["a"]["name"] == "a.json"
    assert found_in(ran.stdout) == []


def texts_of(folder):
    """Every value of every table as one text: the files themselves are compressed."""
    return "\n".join(str(pyarrow.parquet.read_table(file).to_pylist()) for file in sorted(folder.rglob("*.parquet")))


def test_nothing_personal_is_in_a_stored_fingerprint(tmp_path, monkeypatch, cache_home, a_plan, a_launch, some_steps):
    monkeypatch.setenv("BENCH_CACHE_DIR", str(cache_home / "bench"))
    here, plan = fingerprint(numbers.read), a_plan()
    store = Store.open(tmp_path / "store")
    store.create_study(to_json(plan))
    launch = a_launch(plan, 0, num_id=here.num_id)
    store.commit(LaunchRows(launch=launch, steps=some_steps(launch), dna=here.row(plan.study_id, launch.launch_id)))
    text = texts_of(store.path)
    assert here.hw_id in text
    assert here.numeric["one_thread"]["softmax"] in text
    assert found_in(text) == []


@pytest.mark.slow
def test_a_study_carries_the_numbers_identity_and_nothing_personal(run_bench, tmp_path, hostile):
    tiny = ("--model", "lenet-small", "--input-shape", "3,32,32", "--device", "cpu", "--rounds", 1, "--steps", 10)
    study = run_bench("run", *tiny, "--json", "--store", tmp_path / "store", **hostile).json()
    assert study["dna"]["num_id"] == run_bench("dna", "--json").json()["num_id"] is not None
    (row,) = read.launches(tmp_path / "store", study["study"])
    assert row.num_id == study["dna"]["num_id"]
    assert "num_id" not in json.loads(row.unavailable)
    text = texts_of(tmp_path / "store")
    assert row.num_id in text
    assert found_in(text) == []
    compared = run_bench("dna", "--json", "--diff", study["study"], "here", "--store", tmp_path / "store").json()
    assert compared["canaries"]["obstacle"] is None
    assert compared["canaries"]["one_thread"] == compared["canaries"]["all_threads"] == []


def test_a_variable_s_value_is_told_without_what_may_be_a_path():
    assert child.plain("AVX2") == "AVX2"
    assert child.plain("/home/zebra/x ~/y C:\\z AVX2") == "… … … AVX2"


def test_what_is_not_available_has_reasons_without_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert found_in(json.dumps(dict(fingerprint().unavailable))) == []
