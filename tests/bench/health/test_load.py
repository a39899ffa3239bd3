"""What others use now: real busy processes, and times that were made up."""

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import psutil
import pytest

from bench.dna.machine import here
from bench.health import host

BUSY = "import time\nuntil = time.monotonic() + {}\nwhile time.monotonic() < until: pass"


def at(seconds, used, ours=0.0, cores=2):
    return host.CpuTimes(at_s=seconds, cores=cores, used_s=used, ours_s=ours)


@pytest.mark.parametrize(
    ("before", "after", "share"),
    [
        (at(0, 0), at(10, 0), 0.0),
        (at(0, 5), at(10, 15), 0.5),
        (at(0, 5), at(10, 25, ours=20), 0.0),  # all of it is ours
        (at(0, 5), at(10, 15, ours=10.2), 0.0),  # the system counts in ticks
        (at(0, 0, cores=1), at(2, 1.0, ours=0.5, cores=1), 0.25),
        (at(0, 0), None, None),
        (None, at(0, 0), None),
        (at(3, 0), at(3, 0), None),
    ],
)
def test_others_are_all_that_was_used_without_what_is_ours(before, after, share):
    assert host.others(before, after) == (None if share is None else pytest.approx(share))


def test_a_program_that_has_just_ended_is_not_counted_although_the_load_average_remembers_it(monkeypatch):
    used = iter((100.0, 100.004))
    monkeypatch.setattr(os, "getloadavg", lambda: (9.0, 9.0, 9.0))
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu: [SimpleNamespace(user=next(used), system=0.0, idle=1.0)])
    assert host.others_now([0], lambda _: time.sleep(0.02)) < 0.25


def test_a_quiet_machine_costs_a_glance_and_a_burst_a_second_look(monkeypatch):
    slept = []
    clock = iter(range(100))
    found = {"quiet": [at(0, 0), at(1, 0.1)], "burst": [at(0, 0), at(1, 2), at(6, 2)]}
    for kind, pauses in (("quiet", 1), ("burst", 2)):
        looks = iter(found[kind])
        monkeypatch.setattr(host, "cpu_times", lambda _, looks=looks: next(looks))
        slept.clear()
        assert host.others_now([0, 1], lambda _: slept.append(next(clock))) <= host.SHARED
        assert len(slept) == pauses


def test_a_machine_that_does_not_tell_has_no_number(monkeypatch):
    def hidden(percpu):
        raise FileNotFoundError("/proc/stat")

    monkeypatch.setattr(psutil, "cpu_times", hidden)
    assert host.others_now([0], lambda _: None) is None


def test_what_this_process_starts_is_ours_while_it_runs_and_after_it_ended():
    cores = here().cpu_ids
    before = host.cpu_times(cores)
    child = subprocess.Popen([sys.executable, "-c", BUSY.format(0.5)])
    time.sleep(0.3)
    running = host.cpu_times(cores)
    child.wait()
    ended = host.cpu_times(cores)
    assert before.ours_s < running.ours_s <= ended.ours_s


def test_a_program_of_somebody_else_is_seen():
    """Told by a process that did not start it; other load may be there too, and only adds to it."""
    tell = (
        "from bench.health import host\nfrom bench.dna.machine import here\nimport time\n"
        "cores = here().cpu_ids\nfirst = host.cpu_times(cores)\ntime.sleep(0.5)\n"
        "print(host.others(first, host.cpu_times(cores)))"
    )
    busy = [subprocess.Popen([sys.executable, "-c", BUSY.format(30)]) for _ in here().cpu_ids]
    try:
        ran = subprocess.run([sys.executable, "-c", tell], capture_output=True, text=True, check=True)
    finally:
        for each in busy:
            each.kill()
            each.wait()
    assert float(ran.stdout) > host.SHARED
