"""A machine that is held down, and what its rows say."""

import json
from dataclasses import replace

import pytest

from bench.analysis.comparing import dna_effects
from bench.analysis.validity import circumstances
from bench.analysis.validity.rules import SUSPECT
from bench.dna.fingerprint import fingerprint
from bench.store.schema import Launch


def a_launch(**changes):
    given = {
        "study_id": "s",
        "launch_id": "s.r00p00",
        "configuration": "c",
        "strategy": "single",
        "device": "cpu",
        "ranks": 1,
        "nodes": 1,
        "cores_per_rank": 1,
        "status": "ok",
        "window_ns": 6_000_000_000,
    }
    names = Launch.__dataclass_fields__
    missing = {
        name: {"int": 0, "str": "", "bool": False}.get(str(each.type), 0)
        for name, each in names.items()
        if name not in given and each.default is each.default_factory
    }
    return Launch(**{**missing, **given, **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"throttled_s": 3.0, "cpu_quota": 0.5}, "paused the ranks within the window, for a CPU quota of 0.5 cores"),
        ({"throttled_s": 0.1}, "paused the ranks"),  # nobody tells the quota
        ({"cpu_quota": 0.5}, "a CPU quota of 0.5 cores for 1 used"),  # nobody counts the pauses
        ({"gpu_throttling": "power limit, temperature (driver)", "device": "cuda"}, "temperature (driver)"),
    ],
)
def test_a_launch_that_was_held_down_is_suspect(changes, words):
    (mark,) = circumstances.limit_marks(a_launch(**changes))
    assert mark.severity == SUSPECT
    assert words in mark.text


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"throttled_s": 0.0, "cpu_quota": 2.0},
        {"throttled_s": 0.005},  # within what closure allows
        {"gpu_throttling": "power limit", "device": "cuda"},  # what a card under full load does
        {"gpu_throttling": "", "device": "cuda"},
    ],
)
def test_a_launch_that_had_what_it_was_given_is_not(changes):
    assert list(circumstances.limit_marks(a_launch(**changes))) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"turbo": False}, "turbo was switched off"),
        ({"clock_cap_mhz": 1000}, "capped to 1000 MHz"),
        ({"governor": "performance x 1, powersave x 3"}, "powersave x 3"),
        ({"memory_limit_bytes": 2**31, "memory_left_bytes": 2**20}, "2.0 GiB) was nearly spent"),
        ({"gpu_throttling": "power limit"}, "power limit"),
    ],
)
def test_what_holds_the_machine_down_is_warned_of(changes, words):
    (text,) = circumstances.limit_warnings([a_launch(), a_launch(**changes)])
    assert words in text.text
    assert "in 1 of 2 launches" in text.text


def test_an_ordinary_machine_is_nothing_to_speak_of():
    sound = a_launch(turbo=True, governor="schedutil", memory_limit_bytes=2**31, memory_left_bytes=2**30)
    assert list(circumstances.limit_warnings([sound])) == []


def a_row(without=(), absent=(), **values):
    """A fingerprint's row with these facts of the hardware, and some that could not be read, or are not there."""
    here = fingerprint().row("s", "l")
    facts = {"cpu_model": "1", "cpu_threads": 2, "memory_gib": 32} | values
    gaps = dict.fromkeys([f"identity.{name}" for name in without], "unreadable: hidden")
    gaps |= dict.fromkeys([f"identity.{name}" for name in absent], "absent: there is none")
    identity = {name: value for name, value in facts.items() if name not in {*without, *absent}}
    return replace(
        here, hw_id=str(sorted(identity.items())), identity=json.dumps(identity), unavailable=json.dumps(gaps)
    )


def test_an_id_made_of_fewer_facts_is_no_other_machine():
    whole, masked = a_row(), a_row(without=("cpu_model",))
    assert whole.hw_id != masked.hw_id
    launches = [a_launch(hw_id=whole.hw_id), a_launch(hw_id=masked.hw_id)]
    assert len({each.hw_id for each in dna_effects.as_one_machine(launches, [whole, masked])}) == 1


@pytest.mark.parametrize("other", [{"cpu_threads": 4}, {"without": ("cpu_model",), "cpu_threads": 4}])
def test_a_fact_that_both_could_read_and_that_differs_is_another_machine(other):
    rows = [a_row(), a_row(**other)]
    launches = [a_launch(hw_id=row.hw_id) for row in rows]
    assert len({each.hw_id for each in dna_effects.as_one_machine(launches, rows)}) == 2


def test_what_a_machine_does_not_have_differs_from_what_another_has():
    with_gpu = a_row(gpus=[{"name": "H100"}])
    for gap, count in (({"absent": ("gpus",)}, 1), ({"without": ("gpus",)}, 0)):
        (mine, unread), (theirs, more) = (dna_effects.facts([each]) for each in (a_row(**gap), with_gpu))
        found = [each.field for each in dna_effects.differences(mine, theirs, unread | more)]
        assert found.count("identity.gpus.count") == count


@pytest.mark.parametrize(("a", "b", "differs"), [(31, 32, False), (63, 64, False), (16, 32, True), (96, 128, True)])
def test_memory_is_equal_within_what_a_kernel_keeps(a, b, differs):
    (mine, _), (theirs, _) = dna_effects.facts([a_row(memory_gib=a)]), dna_effects.facts([a_row(memory_gib=b)])
    assert bool(dna_effects.differences(mine, theirs)) == differs


def test_what_could_not_be_compared_is_named_with_its_reason():
    assert dna_effects.unread_by([a_row(without=("cpu_model",))], [a_row()]) == {
        "identity.cpu_model of A": "unreadable: hidden"
    }
