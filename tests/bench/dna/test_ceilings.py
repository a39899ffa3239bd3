"""What a machine can do at most: n, median, spread, and what disturbed it."""

import json
import time
from dataclasses import replace

import pytest

from bench.dna import ceilings, measured
from bench.dna.fingerprint import fingerprint
from bench.dna.machine import Machine, here

torch = measured.torch


def test_a_summary_is_the_middle_and_the_spread_of_the_middle_half():
    text = ceilings.summary([5.0, 1.0, 2.0, 3.0, 4.0])
    assert text == {"n": 5, "median": 3.0, "spread": round(2 / 3, 4)}


def test_times_leave_out_the_warm_up_and_wait_for_the_device():
    calls = []
    taken = ceilings.times_s(
        lambda: calls.append("work"), 3, warm_up=2, wait=lambda: (time.sleep(0.002), calls.append("wait"))
    )
    assert calls == ["work", "wait"] * 5
    assert len(taken) == 3
    assert all(each >= 0.002 for each in taken)


@pytest.fixture
def meter(capsys):
    return measured.CeilingMeter(torch.device("cpu"), threads=1)


def test_what_cannot_be_measured_costs_itself_only(meter):
    def broken():
        raise RuntimeError("no kernel in /opt/somebody\nand more")

    meter.take("a", "one thing", broken)
    meter.take("b", "another", lambda: 1)
    assert meter.unavailable == {"a": "no kernel in …"}
    assert meter.measured == {"b": 1}


def test_cores_that_others_had_are_flagged(meter):
    meter.take("idle", "nothing", lambda: meter._busy(lambda: time.sleep(0.02), 3))
    assert len(meter.flags) == 1
    assert meter.flags[0].startswith("idle: had ")


def test_a_gpu_that_is_throttled_is_flagged(meter, monkeypatch):
    cards = [{"throttle_reasons": "0x1"}, {"throttle_reasons": "0x4"}, {}]

    class Gpus:
        conditions = type("Conditions", (), {"values": {"gpus": cards}})

    monkeypatch.setattr(measured.gpu, "read", lambda: Gpus)
    meter.take("copy", "copies", lambda: 1)
    assert meter.flags == ["copy: GPU 1 was throttled (reasons 0x4)"]


def test_the_disk_is_measured_where_results_go_and_left_as_it_was(tmp_path):
    with measured._scratch(tmp_path / "not" / "there" / "yet") as file:
        found = measured._fsync(file)
        assert found["n"] == 30
        assert 0 < found["median"] < 60
    assert list(tmp_path.iterdir()) == []


def test_one_core_is_too_few_for_two_ranks(monkeypatch, capsys):
    monkeypatch.setattr(ceilings, "document_of", lambda *_, **__: {"flags": [], "unavailable": {"copy": "no GPU"}})
    machine = Machine(cpu_ids=(0,), pinnable=False, memory_bytes=1)
    ceilings_here = ceilings.measure(machine, ceilings.Path())
    assert set(ceilings_here["unavailable"]) == {"copy", "allreduce_s", "allreduce_bytes_per_s"}
    assert "2 ranks need as many cores" in ceilings_here["unavailable"]["allreduce_s"]


def test_the_bus_bandwidth_of_two_ranks_is_the_bytes_over_the_time(monkeypatch, capsys):
    monkeypatch.setattr(ceilings, "document_of", lambda *_, **__: {"flags": [], "unavailable": {}})
    monkeypatch.setattr(ceilings, "_all_reduce", lambda machine: {"4096": [0.5, 0.5, 0.5]})
    ceilings_here = ceilings.measure(Machine(cpu_ids=(0, 1), pinnable=False, memory_bytes=1), ceilings.Path())
    assert ceilings_here["allreduce_s"] == {"4096": {"n": 3, "median": 0.5, "spread": 0.0}}
    assert ceilings_here["allreduce_bytes_per_s"] == {"4096": {"n": 3, "median": 8192.0, "spread": 0.0}}


@pytest.mark.slow
def test_this_machine_is_measured_whole(tmp_path, capsys):
    machine = here()
    ceilings_here = ceilings.measure(machine, tmp_path)
    assert json.loads(json.dumps(ceilings_here, allow_nan=False)) == ceilings_here
    fields = {"gemm_flop_per_s", "memory_bytes_per_s", "copy_bytes_per_s", "launch_s", "training_step_s"}
    fields |= {"disk_write_bytes_per_s", "fsync_s", "allreduce_s", "allreduce_bytes_per_s"}
    assert fields <= set(ceilings_here) | set(ceilings_here["unavailable"])
    assert ceilings_here["gemm_flop_per_s"]["fp32"]["n"] == 20
    assert ceilings_here["gemm_flop_per_s"]["fp32"]["median"] > 1e8
    if len(machine.cpu_ids) >= 2:
        assert list(ceilings_here["allreduce_s"]) == ["4096", "1048576", "67108864"]
    assert capsys.readouterr().err.count("Measuring") >= 1
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def remembering(monkeypatch, tmp_path):
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_ceilings_are_kept_for_the_studies_of_this_hardware_software_and_number_of_threads(remembering):
    """They once were printed and forgotten, so that no report ever had a measured ceiling to draw."""
    here = fingerprint()
    document = {"device": "cpu", "threads": 2, "gemm_flop_per_s": {"fp32": {"median": 1e9}}, "flags": []}
    assert ceilings.joined(here, 2) == here
    ceilings.keep(ceilings.of_measured(here, document), 2)
    found = ceilings.joined(here, 2)
    assert found.measured == document
    assert "measured" not in found.unavailable
    assert json.loads(found.row("study", "launch").measured) == document
    for other in (replace(here, hw_id="another"), replace(here, sw_id="another")):
        assert ceilings.joined(other, 2) == other
    assert ceilings.joined(here, 4) == here


@pytest.mark.parametrize("text", ["", "[1]", "null", '{"half'])
def test_a_file_of_ceilings_that_cannot_be_read_is_as_none(remembering, text):
    here = fingerprint()
    ceilings.keep(ceilings.of_measured(here, {"flags": []}), 2)
    (file,) = remembering.glob("ceilings-*")
    file.write_text(text)
    assert ceilings.joined(here, 2) == here
