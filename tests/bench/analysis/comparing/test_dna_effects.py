"""What differs between two fingerprints, and what that can change."""

import json

import pytest

from bench.analysis.comparing.dna_effects import COSMETIC, NUMBERS, SPEED, differences, effect_of, facts
from bench.store.schema import Dna

NOT_EVER_COMPARED = ("conditions.load_1m", "conditions.cpu_mhz", "conditions.gpus.0.power_w", "measured.gemm_fp32")


def fingerprint(identity=None, software=None, conditions=None, unavailable=None, numeric=None):
    return Dna(
        study_id="s",
        launch_id="s.r00p00",
        hw_id="h",
        sw_id="s",
        identity=json.dumps(identity or {}),
        software=json.dumps(software or {}),
        conditions=json.dumps(conditions or {}),
        numeric=json.dumps(numeric) if numeric else None,
        unavailable=json.dumps(unavailable or {}),
    )


def between(a, b):
    (mine, gaps), (theirs, more) = facts([a]), facts([b])
    return {each.field: (each.a, each.b, each.effect) for each in differences(mine, theirs, gaps | more)}


@pytest.mark.parametrize(
    ("field", "effect"),
    [
        ("software.torch", NUMBERS),
        ("software.nvidia-cudnn-cu13", NUMBERS),
        ("identity.cpu_isa", NUMBERS),
        ("identity.gpus.0.name", NUMBERS),
        ("launch.ddp-cpu-2x1.threads_per_rank", NUMBERS),
        ("numeric.threads_1.gemm", NUMBERS),
        ("software.driver", SPEED),
        ("conditions.governor", SPEED),
        ("conditions.usable_threads", SPEED),
        ("identity.memory_gib", SPEED),
        ("identity.gpus.3.memory_gib", SPEED),
        ("identity.cpu_cores", SPEED),
        ("identity.cpu_label", COSMETIC),
        ("software.scaling-bench", COSMETIC),
        *((field, None) for field in NOT_EVER_COMPARED),
    ],
)
def test_every_field_has_its_effect(field, effect):
    assert effect_of(field) == effect


def test_a_field_that_nobody_knows_may_change_the_numbers():
    assert effect_of("weather.outside") == NUMBERS
    assert effect_of("software.a-library-of-next-year") == NUMBERS


def test_the_first_pattern_that_fits_decides_so_none_stands_behind_one_that_covers_it():
    from fnmatch import fnmatchcase

    from bench.analysis.comparing.dna_effects import EFFECTS

    patterns = [pattern for pattern, _ in EFFECTS]
    for number, pattern in enumerate(patterns):
        example = pattern.replace("*", "x")
        assert not any(fnmatchcase(example, earlier) for earlier in patterns[:number]), pattern


def test_equal_fingerprints_differ_in_nothing():
    one = fingerprint({"cpu_cores": 2, "cpu_isa": ["avx2"]}, {"torch": "2.15.0"}, {"load_1m": 0.1})
    assert between(one, one) == {}
    assert between(one, fingerprint({"cpu_cores": 2, "cpu_isa": ["avx2"]}, {"torch": "2.15.0"}, {"load_1m": 3.0})) == {}


def test_a_package_that_only_one_side_has_is_a_difference():
    a, b = fingerprint(software={"torch": "2.15.0", "timm": "1.0.9"}), fingerprint(software={"torch": "2.15.0"})
    assert between(a, b) == {"software.timm": ("1.0.9", None, NUMBERS)}


def test_a_layer_that_one_side_never_wrote_contradicts_nothing():
    a, b = fingerprint({"cpu_cores": 2}, numeric={"one_thread": {"conv": "aa"}}), fingerprint({"cpu_cores": 2})
    assert between(a, b) == {}


def test_canaries_are_compared_by_their_bits_and_not_by_their_distance_from_the_truth():
    a, b = (fingerprint(numeric={"one_thread": {"conv": bits}, "ulp": {"conv": bits}}) for bits in ("aa", "bb"))
    assert between(a, b) == {"numeric.one_thread.conv": ("aa", "bb", NUMBERS)}


def test_what_one_side_could_not_read_contradicts_nothing():
    a = fingerprint(conditions={"governor": "performance"}, identity={"cache_kib": {"L1d": 32}})
    b = fingerprint(unavailable={"conditions.governor": "no such file", "identity.cache_kib": "no such folder"})
    assert between(a, b) == {}


def test_gpus_are_compared_one_by_one_and_counted():
    card = {"name": "H100", "memory_gib": 80}
    a, b = fingerprint({"gpus": [card, card]}), fingerprint({"gpus": [{**card, "name": "H200", "memory_gib": 141}]})
    assert between(a, b) == {
        "identity.gpus.0.name": ("H100", "H200", NUMBERS),
        "identity.gpus.0.memory_gib": ("80", "141", SPEED),
        "identity.gpus.count": ("2", "1", SPEED),
    }


def test_a_setting_that_changed_within_a_study_is_told_with_all_its_values():
    mine, _ = facts([fingerprint(conditions={"governor": word}) for word in ("powersave", "performance")])
    theirs, _ = facts([fingerprint(conditions={"governor": "performance"})])
    (found,) = differences(mine, theirs)
    assert (found.a, found.b) == ("performance / powersave", "performance")
