"""What limited a rank, from counters that are handed in; and what becomes of several ranks."""

from types import SimpleNamespace

import pytest
import torch

from bench.dna import cgroup
from bench.dna.facts import AbsentError
from bench.outcome import measured as of_launch
from bench.worker.meters import Limits

CPU = torch.device("cpu")


@pytest.fixture
def paused(monkeypatch):
    """The kernel's counter of pauses, in ns, as a list of one."""
    counter = [10**9]
    monkeypatch.setattr(cgroup, "throttled_ns", lambda: counter[0])
    return counter


def test_pauses_are_added_over_the_segments_and_not_between_them(paused):
    watch = Limits(CPU)
    for within, between in ((2 * 10**8, 10**9), (3 * 10**8, 0)):
        watch.start()
        paused[0] += within
        watch.stop()
        paused[0] += between
    assert watch.facts()["values"]["throttled"] == 0.5


def test_what_was_warm_up_in_the_end_does_not_count(paused):
    watch = Limits(CPU)
    watch.start()
    paused[0] += 10**9
    watch.stop()
    watch.start_over()
    watch.start()
    watch.stop()
    assert watch.facts()["values"]["throttled"] == 0.0


def test_a_system_that_counts_no_pauses_has_a_reason(monkeypatch):
    def nothing():
        raise AbsentError("no control group counts it")

    monkeypatch.setattr(cgroup, "throttled_ns", nothing)
    watch = Limits(CPU)
    watch.start()
    watch.stop()
    found = watch.facts()
    assert "throttled" not in found["values"]
    assert found["gaps"]["throttled"] == "absent: no control group counts it"


def test_every_limit_has_a_value_or_a_reason():
    found = Limits(CPU).facts()
    assert not found["values"].keys() & found["gaps"].keys()
    assert found["values"].keys() | found["gaps"].keys() == {word for word, _ in of_launch._LIMITS.values()}


def rank(**values):
    return SimpleNamespace(limits={"values": values, "gaps": {"turbo": "absent: no switch"}})


def test_of_several_ranks_the_one_that_was_limited_most_speaks():
    lines = [
        rank(throttled=1.0, cpu_quota=2.0, governor="performance", memory_left=5),
        rank(throttled=3.0, cpu_quota=0.5, governor="powersave", memory_left=7),
    ]
    found = of_launch.limits_of(lines)
    assert (found["throttled_s"], found["cpu_quota"], found["memory_left_bytes"]) == (3.0, 0.5, 5)
    assert found["governor"] == "performance, powersave"
    why = of_launch.why_no_limits(lines)
    assert why["turbo"] == "absent: no switch"
    assert "throttled_s" not in why
    assert set(why) == {name for name, value in found.items() if value is None}


def test_ranks_of_an_older_bench_said_nothing():
    older = SimpleNamespace(limits={"values": {}, "gaps": {}})
    assert set(of_launch.limits_of([older]).values()) == {None}
    assert set(of_launch.why_no_limits([older]).values()) == {"no rank looked at it"}
