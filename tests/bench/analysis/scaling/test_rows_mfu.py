import pytest
from hypothesis import given
from hypothesis import strategies as st

import profiles
from bench.analysis.scaling.rows import utilisation

PEAKS = {"chip": [{"match": ["Chip A"], "dense_flops": {"bf16": 100e12}}]}


def share(**changes):
    given_ = {
        "rate_sps": 1000.0,
        "flop_per_sample": 25e9,
        "device_names": ("Chip A",),
        "devices": 1,
        "precision": "bf16",
        "peaks": PEAKS,
    }
    return utilisation(**{**given_, **changes})


def test_the_share_is_achieved_over_peak():
    assert share().value == pytest.approx(0.25)
    assert share().reason is None


def test_the_peak_grows_with_the_devices():
    assert share(device_names=("Chip A",) * 4, devices=4).value == pytest.approx(0.0625)
    assert share(device_names=("Chip A",), devices=4).value == pytest.approx(0.0625)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"device_names": ("Chip A Plus",)}, "no published peak for 'Chip A Plus'"),
        ({"device_names": ("chip a",)}, "no published peak for 'chip a'"),
        ({"device_names": ("cpu",)}, "no published peak for 'cpu'"),
        ({"device_names": ("Chip A", "Chip B"), "devices": 2}, "no published peak for 'Chip B'"),
        ({"device_names": ("Chip A", "Chip B"), "devices": 3}, "not every device"),
        ({"device_names": ()}, "not every device"),
        ({"precision": "fp16"}, "no published fp16 peak"),
        ({"flop_per_sample": None}, "not counted"),
        ({"flop_per_sample": 101e9}, "101% of the published peak is impossible"),
        ({"peaks": None}, "no published peak"),
    ],
)
def test_without_a_known_peak_there_is_no_share_but_a_reason(changes, words):
    found = share(**changes)
    assert found.value is None
    assert words in found.reason


@given(st.floats(1e-3, 1e12), st.floats(1e-3, 1e12))
def test_a_share_is_never_above_one(rate_sps, flop):
    found = share(rate_sps=rate_sps, flop_per_sample=flop)
    assert (found.value is None) != (found.reason is None)
    assert found.value is None or 0 < found.value <= 1


def test_the_published_table_names_a_source_for_every_chip_and_no_device_twice():
    chips = profiles.hardware_peaks()["chip"]
    names = [name for chip in chips for name in chip["match"]]
    assert len(names) == len(set(names)) > len(chips)
    for chip in chips:
        assert chip["source"]
        assert 2015 < int(chip["date"]) < 2100
        assert set(chip["dense_flops"]) <= {"fp32", "tf32", "bf16", "fp16"}
        assert all(1e12 < peak < 1e16 for peak in chip["dense_flops"].values())
        ordered = [chip["dense_flops"][kind] for kind in ("fp32", "tf32", "fp16") if kind in chip["dense_flops"]]
        assert ordered == sorted(ordered)


@pytest.mark.parametrize(
    ("device", "precision", "peak"),
    [
        ("NVIDIA A100-SXM4-80GB", "bf16", 312e12),
        ("NVIDIA H100 80GB HBM3", "bf16", 989e12),
        ("NVIDIA H100 PCIe", "bf16", 756e12),
        ("NVIDIA H200", "bf16", 989e12),
        ("NVIDIA L40S", "bf16", 362e12),
        ("NVIDIA L4", "bf16", 121e12),
        ("Tesla V100-SXM2-16GB", "fp16", 125e12),
    ],
)
def test_chips_that_others_confuse_keep_their_own_peak(device, precision, peak):
    found = share(
        device_names=(device,), precision=precision, flop_per_sample=peak / 2000, peaks=profiles.hardware_peaks()
    )
    assert found.value == pytest.approx(0.5)
