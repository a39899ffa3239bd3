"""The fingerprint of this machine: stable, complete or with reasons, and nothing personal in it."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest

import bench
from bench.dna import gpu, hardware, linux, software
from bench.dna.facts import Facts, UnavailableError
from bench.dna.fingerprint import fingerprint, of_document, of_row
from bench.dna.machine import usable_cpus
from bench.dna.numbers import Circumstances, num_id
from bench.store import schema
from tests.bench.dna.linux_files import X86, a_linux

NO_GPU = gpu.Gpus(
    identity=Facts(values={}, unavailable={"gpus": "absent: none"}),
    conditions=Facts(values={}, unavailable={"gpus": "none"}),
    driver=Facts(values={}, unavailable={"driver": "none"}),
)


NUMERIC = {"one_thread": {"mm": "00ff"}, "all_threads": {"mm": "00ff"}}


@pytest.fixture
def busy():
    """Two programs that take all they can get."""
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    yield
    for burner in burners:
        burner.kill()
        burner.wait()


def test_the_ids_are_the_same_over_a_hundred_calls_and_under_load(busy):
    ids = {(each.hw_id, each.sw_id) for each in (fingerprint() for _ in range(100))}
    ((hw_id, sw_id),) = ids
    assert all(re.fullmatch(r"[0-9a-f]{16}", each) for each in (hw_id, sw_id))


def test_the_numbers_are_asked_for_by_what_they_depend_on():
    asked = []

    def ask(about):
        asked.append(about)
        return NUMERIC

    here = fingerprint(ask)
    assert asked == [Circumstances(here.hw_id, here.sw_id, len(usable_cpus()))]
    assert here.numeric == NUMERIC
    assert here.num_id == num_id(NUMERIC)
    assert set(here.unavailable) & {"num_id", "numeric"} == set()
    assert (here.hw_id, here.sw_id) == (fingerprint().hw_id, fingerprint().sw_id)


def test_numbers_that_cannot_be_had_are_missing_with_their_reason():
    def ask(*_):
        raise UnavailableError("no answer in 30 s")

    here = fingerprint(ask)
    assert (here.num_id, here.numeric) == (None, None)
    assert here.unavailable["num_id"] == here.unavailable["numeric"] == "canaries: no answer in 30 s"


def test_a_reboot_is_the_same_hardware_and_a_change_of_it_is_another(monkeypatch, tmp_path):
    """From files in the form of the kernel's; a reboot brings new firmware, clocks, flags and a bit less memory."""
    real = linux.identity

    def hw_id(**changes):
        monkeypatch.setattr(linux, "identity", lambda: real(a_linux(tmp_path / "root", **changes)))
        return fingerprint().hw_id

    if sys.platform != "linux":
        monkeypatch.setattr(sys, "platform", "linux")
    before = hw_id()
    rebooted = hw_id(microcode="0x2c", mhz=3100.5, extra="ibrs_enhanced flush_l1d", memory_kb=65_790_512)
    assert rebooted == before
    others = [hw_id(cores=8), hw_id(threads_per_core=1), hw_id(memory_kb=131_572_000), hw_id(extra="avx512_vnni")]
    assert len({before, *others}) == 5


@pytest.mark.parametrize("locale", ["tr_TR.UTF-8", "C"])
def test_the_ids_are_the_same_in_another_locale_and_home(locale, tmp_path):
    program = "from bench.dna.fingerprint import fingerprint as f; p = f(); print(p.hw_id, p.sw_id)"
    changed = {"LC_ALL": locale, "LANG": locale, "HOME": str(tmp_path), "TZ": "Asia/Kathmandu"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | changed, capture_output=True, text=True, check=True
    )
    here = fingerprint()
    assert done.stdout.split() == [here.hw_id, here.sw_id]


def test_the_conditions_of_the_moment_are_in_no_id(monkeypatch):
    before = fingerprint()
    monkeypatch.setattr(os, "getloadavg", lambda: (99.0, 99.0, 99.0))
    monkeypatch.setattr(psutil, "cpu_freq", lambda: None)
    monkeypatch.setattr(linux, "clocks_mhz", lambda cpus: {}[0])
    after = fingerprint()
    assert (before.hw_id, before.sw_id) == (after.hw_id, after.sw_id)
    assert after.conditions["load_1m"] == 99.0
    assert "conditions.cpu_mhz" in after.unavailable


def test_another_gpu_is_another_hardware_and_another_driver_another_software(monkeypatch):
    ids = []
    for name, driver in (("H100", "580"), ("H200", "580"), ("H200", "581")):
        cards = replace(
            NO_GPU,
            identity=Facts(values={"gpus": [{"name": name}]}, unavailable={}),
            driver=Facts(values={"driver": driver}, unavailable={}),
        )
        monkeypatch.setattr(gpu, "read", lambda cards=cards: cards)
        ids.append((fingerprint().hw_id, fingerprint().sw_id))
    assert len({hw_id for hw_id, _ in ids}) == 2
    assert ids[0][1] == ids[1][1] != ids[2][1]


def test_the_hardware_s_id_does_not_hang_on_a_program_that_may_time_out(monkeypatch):
    before = fingerprint().hw_id
    monkeypatch.setattr(hardware, "cpu_label", lambda facts: "a name from elsewhere")
    after = fingerprint()
    assert after.identity["cpu_label"] == "a name from elsewhere"
    assert after.hw_id == before


def test_our_own_version_is_told_and_no_part_of_the_software_s_id(monkeypatch):
    before = fingerprint()
    assert before.software["scaling-bench"] == bench.__version__
    monkeypatch.setattr(software, "__version__", "99")
    assert fingerprint().software["scaling-bench"] == "99"
    assert fingerprint().sw_id == before.sw_id
    real = importlib.metadata.version
    monkeypatch.setattr(software, "version", lambda name: "99" if name == "torch" else real(name))
    assert fingerprint().sw_id != before.sw_id


def test_every_gap_has_a_reason_and_no_field_is_both():
    here = fingerprint()
    for layer in ("identity", "conditions", "software"):
        found = getattr(here, layer)
        assert None not in found.values()
        for name in found:
            assert f"{layer}.{name}" not in here.unavailable
    assert all(here.unavailable.values())
    assert here.num_id is None
    assert here.unavailable["num_id"] == here.unavailable["numeric"] == "canaries: not asked for"
    assert here.unavailable["measured"] == "only where it is asked for: bench dna --measure"
    assert {"cpu_vendor", "cpu_cores", "memory_gib"} <= {
        *here.identity,
        *(n.rpartition(".")[2] for n in here.unavailable),
    }


def test_a_row_of_the_store_holds_it_as_json():
    here = fingerprint()
    row = here.row("study", "launch")
    assert isinstance(row, schema.Dna)
    assert (row.study_id, row.launch_id, row.hw_id, row.sw_id, row.num_id) == (
        "study", "launch", here.hw_id, here.sw_id, None
    )  # fmt: skip
    for layer in ("identity", "conditions", "software", "unavailable"):
        assert json.loads(getattr(row, layer)) == getattr(here, layer)
    assert (row.numeric, row.measured) == (None, None)
    assert of_row(row) == here


def test_what_was_printed_or_stored_is_the_same_fingerprint_again():
    here = replace(fingerprint(lambda *_: NUMERIC), measured={"flags": []})
    assert of_document(json.loads(json.dumps(here.document()))) == here
    assert of_row(here.row("study", "launch")) == here


@pytest.mark.parametrize("document", [{}, [], {"schema": "bench.dna/2"}, {"schema": "bench.dna/1", "hw_id": "x"}])
def test_another_document_is_no_fingerprint(document):
    with pytest.raises(ValueError, match=r"bench\.dna/1"):
        of_document(document)


def test_versions_are_those_of_the_installed_packages():
    facts = software.read(NO_GPU)
    torch = Path(importlib.metadata.distribution("torch").locate_file("torch/version.py"))
    assert facts.values["torch"] == importlib.metadata.version("torch")
    assert facts.values["torch_git"] in torch.read_text()
    assert facts.values["python"].endswith(".".join(map(str, sys.version_info[:3])))


def test_a_package_that_is_not_there_is_a_gap_and_not_a_crash(monkeypatch):
    def nothing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(software, "version", nothing)
    monkeypatch.setattr(software, "requires", nothing)
    monkeypatch.setattr(software.importlib.util, "find_spec", lambda name: None)
    facts = software.read(NO_GPU)
    assert facts.unavailable["torch"] == "absent: not installed"
    assert facts.unavailable["torch_git"] == "absent: torch is not installed"
    assert "timm" not in facts.values | facts.unavailable


def test_it_imports_neither_torch_nor_pyarrow():
    program = (
        "import sys; from bench.dna.fingerprint import fingerprint; fingerprint();"
        "print({'torch', 'pyarrow', 'pandas', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_fingerprint_is_plain_json():
    assert json.loads(json.dumps(asdict(fingerprint())))["num_id"] is None


def of_files(monkeypatch, root):
    """The fingerprint of the machine whose files these are."""
    facts = linux.identity
    with monkeypatch.context() as here:
        here.setattr(hardware.sys, "platform", "linux")
        here.setattr(hardware.linux, "identity", lambda: facts(root))
        here.setattr(hardware.platform, "machine", lambda: "x86_64")
        here.setattr(gpu, "read", lambda: NO_GPU)
        return fingerprint()


@pytest.mark.parametrize("hidden", ["sys", "sys/devices/system/cpu/cpu0/cache", "sys/devices/system/node"])
def test_a_hidden_sys_is_the_same_machine(monkeypatch, tmp_path, hidden):
    text = X86.replace("stepping", "physical id : 0\ncore id : {number}\nsiblings : 8\nstepping")
    whole = of_files(monkeypatch, a_linux(tmp_path / "whole", text=text))
    shutil.rmtree(a_linux(tmp_path / "masked", text=text) / hidden)
    masked = of_files(monkeypatch, tmp_path / "masked")
    assert masked.hw_id == whole.hw_id
    assert len(masked.identity) < len(whole.identity)
    assert "hw_id" not in masked.unavailable, "nothing that it is made of was missing"


def test_an_id_that_was_made_of_fewer_facts_says_which(monkeypatch, tmp_path):
    root = a_linux(tmp_path / "root")
    (root / "proc/meminfo").write_text("nothing\n")
    found = of_files(monkeypatch, root)
    assert found.unavailable["hw_id"] == "made without memory_gib, which could not be read"
    (root / "proc/cpuinfo").unlink()
    assert "cpu_model" in of_files(monkeypatch, root).unavailable["hw_id"]
