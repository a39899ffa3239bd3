"""Joules of the window, from counters that are files here and a stand-in for the driver: this machine has neither."""

from types import SimpleNamespace

import pytest
import torch

from bench.worker import meters
from bench.worker.meters import Cards, EnergyMeter, NoCounterError, Packages, energy_meter

ROUND_UJ = 262_143_328_850


@pytest.fixture
def powercap(tmp_path):
    """Two packages, a part of one, and the whole platform: as an Intel server shows them."""
    for domain, name in (
        ("intel-rapl:0", "package-0"),
        ("intel-rapl:0:0", "dram"),
        ("intel-rapl:1", "package-1"),
        ("intel-rapl:2", "psys"),
    ):
        folder = tmp_path / domain
        folder.mkdir()
        (folder / "name").write_text(f"{name}\n")
        (folder / "max_energy_range_uj").write_text(f"{ROUND_UJ}\n")
        (folder / "energy_uj").write_text("1000000\n")
    return tmp_path


def count(powercap, *joules):
    for number, each in enumerate(joules):
        (powercap / f"intel-rapl:{number}" / "energy_uj").write_text(f"{round(each * 1e6)}\n")


def test_packages_are_added_and_neither_their_parts_nor_the_platform(powercap):
    found = EnergyMeter(lambda: Packages(powercap))
    found.start()
    count(powercap, 31, 11, 500)
    found.stop()
    assert (found.joules, found.gap) == (30 + 10, None)


def test_segments_are_added_and_what_passes_between_them_is_not(powercap):
    found = EnergyMeter(lambda: Packages(powercap))
    for before, after in ((1, 3), (50, 54)):
        count(powercap, before, before)
        found.start()
        count(powercap, after, after)
        found.stop()
    assert found.joules == 2 * (2 + 4)


def test_a_counter_that_begins_again_has_not_run_backwards(powercap):
    found = EnergyMeter(lambda: Packages(powercap))
    count(powercap, ROUND_UJ / 1e6 - 5, 0)
    found.start()
    count(powercap, 7, 3)
    found.stop()
    assert found.joules == pytest.approx(12 + 3)


def test_a_host_without_counters_has_a_reason_and_no_joules(tmp_path):
    found = EnergyMeter(lambda: Packages(tmp_path))
    found.start()
    found.stop()
    assert (found.joules, found.gap) == (None, "this host shows no RAPL counter")


def test_a_counter_that_is_lost_in_the_window_costs_the_joules_and_not_the_launch(powercap):
    found = EnergyMeter(lambda: Packages(powercap))
    found.start()
    (powercap / "intel-rapl:1" / "energy_uj").unlink()
    found.stop()
    assert (found.joules, found.gap) == (None, "the counter was lost: FileNotFoundError")


def test_a_counter_that_root_alone_may_read_says_so(powercap, monkeypatch):
    def refuse(file):
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(type(powercap), "read_text", refuse)
    with pytest.raises(NoCounterError, match="root only"):
        Packages(powercap)


class Driver:
    """Two cards: the driver counts their millijoules."""

    class NVMLError(Exception):
        pass

    def __init__(self, *millijoules, refuses=False):
        self.counts, self.refuses = dict(zip(("GPU-a", "GPU-b"), millijoules, strict=False)), refuses

    def nvmlInit(self): ...

    def nvmlDeviceGetHandleByUUID(self, uuid):
        return uuid

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        if self.refuses:
            raise self.NVMLError("Not Supported")
        return self.counts[handle]


@pytest.fixture
def two_cards(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda each: SimpleNamespace(uuid="ab"[each]))


@pytest.mark.usefixtures("two_cards")
def test_a_rank_reads_its_own_card_and_one_process_of_two_reads_both():
    driver = Driver(1000, 1000)
    own, both = EnergyMeter(lambda: Cards([1], driver)), EnergyMeter(lambda: Cards([0, 1], driver))
    own.start()
    both.start()
    driver.counts = {"GPU-a": 3500, "GPU-b": 2000}
    own.stop()
    both.stop()
    assert (own.joules, both.joules) == (1.0, 3.5)


@pytest.mark.usefixtures("two_cards")
def test_a_card_without_a_counter_is_a_reason():
    assert EnergyMeter(lambda: Cards([0], Driver(refuses=True))).gap == "NVIDIA driver: Not Supported"


def test_only_the_first_rank_of_a_host_reads_its_packages():
    second = energy_meter(torch.device("cpu"), devices=1, first_of_host=False)
    assert (second.joules, second.gap) == (None, None)
    assert energy_meter(torch.device("mps"), devices=1, first_of_host=True).gap == "no counter is read on mps"


def test_a_counter_that_stands_still_is_no_training_without_energy(powercap):
    found = EnergyMeter(lambda: Packages(powercap))
    found.start()
    found.stop()
    assert (found.joules, found.gap) == (None, "the energy counter of package-0, package-1 stood still over the window")


def test_one_package_that_stands_still_is_named_and_the_other_s_part_is_not_taken_for_the_whole(powercap):
    found = EnergyMeter(lambda: Packages(powercap))
    found.start()
    count(powercap, 31, 1)
    found.stop()
    assert found.joules is None
    assert "package-1 stood still" in found.gap


def test_a_card_that_counts_nothing_has_a_reason(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda each: SimpleNamespace(uuid=each))
    nvml = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=lambda uuid: uuid,
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: 5,
    )
    found = EnergyMeter(lambda: Cards([0], nvml))
    found.start()
    found.stop()
    assert (found.joules, found.gap) == (None, "the energy counter of GPU 0 stood still over the window")


@pytest.mark.parametrize(
    ("limit_w", "seconds", "known"),
    [
        (None, 200, True),  # 262 kJ hold for 262 s at a bound of 1 kW
        (None, 300, False),
        (200, 600, True),  # twice the kernel's limit of it: 655 s
        (200, 700, False),
        (4095, 200, True),  # "no limit" of an unlocked desktop is none
    ],
)
def test_a_window_that_may_hold_a_whole_round_of_the_counter_has_no_number(
    powercap, monkeypatch, limit_w, seconds, known
):
    if limit_w is not None:
        for package in (0, 1):
            file = powercap / f"intel-rapl:{package}" / "constraint_0_power_limit_uw"
            file.write_text(f"{limit_w * 10**6}\n")
    now = [0.0]
    monkeypatch.setattr(meters.time, "monotonic", lambda: now[0])
    found = EnergyMeter(lambda: Packages(powercap))
    found.start()
    now[0] += seconds
    count(powercap, 11, 11)
    found.stop()
    assert (found.joules is not None) == known
    assert known or "may have gone round unseen" in found.gap


@pytest.mark.parametrize("text", ["", "not a number\n"])
def test_a_limit_that_cannot_be_read_leaves_the_bound(powercap, text):
    (powercap / "intel-rapl:0" / "constraint_0_max_power_uw").write_text(text)
    assert Packages(powercap).joules([0, 0], [10**6, 10**6], 6.0) == [1.0, 1.0]
