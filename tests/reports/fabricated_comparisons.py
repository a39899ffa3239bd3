"""Comparisons made by hand, one for each thing that their reports must be able to tell."""

from dataclasses import replace

from bench.analysis.comparing.nouns import (
    ACCURACY,
    EFFICIENCY,
    ENERGY,
    LOSS,
    MEMORY,
    THROUGHPUT,
    Calibration,
    Comparison,
    Difference,
    FalseAlarms,
    MachineRate,
    Machines,
    RowAcrossMachines,
    RowQuantity,
    StudyRef,
)
from bench.analysis.result import Estimate, Verdict
from tests.reports import fabricated_studies as studies


def estimate(value, half=None, n=6, method="Welch t interval on log throughput over launches"):
    low, high = (None, None) if half is None else (value - half, value + half)
    return Estimate(estimate=value, low=low, high=high, n=n, method=method)


def party(name, **changes):
    document = {
        "study_id": f"2611220824-lenet-large-{name}",
        "created_at": "2026-11-22T08:24:00+00:00",
        "launch_id": None,
        "model": "lenet-large",
        "data": "cifar10",
        "precision": "fp32",
        "hw_id": "7f3c91a202bd77e0",
        "sw_id": "02bd77e07f3c91a2",
    }
    return StudyRef(name=name, **{**document, **changes})


A, B = party("aaaa"), party("bbbb", sw_id="ffeeddccbbaa9988")


def verdict(word, *reasons, needed=None, detectable=1.013, **more):
    return Verdict(word=word, reasons=reasons or ("because",), detectable=detectable, rounds_needed=needed, **more)


def compared(metric, ranks=2, unit="", **found):
    return RowQuantity(
        configuration=studies.row("ddp" if ranks > 1 else "single", ranks).configuration,
        metric=metric,
        unit=unit,
        **found,
    )


def speed(ranks, a, b, half, word, *reasons, **more):
    return compared(
        THROUGHPUT,
        ranks,
        unit="samples/s",
        a=estimate(a, a * 0.004),
        b=estimate(b, b * 0.004),
        ratio=estimate(b / a, half),
        verdict=verdict(word, *reasons, **more),
    )


def comparison(*rows, **given):
    document = {
        "a": A,
        "b": B,
        "obstacles": (),
        "dna": (),
        "unmatched": (),
        "notes": (
            "The same machine at two times: what differs from one session to the next is part of every difference.",
        ),
        "margin": 0.02,
    }
    return Comparison(rows=rows, **{**document, **given})


def slower():
    """A new torch: two ranks got slower, hungrier and learn otherwise; one rank is as fast as ever."""
    memory = 421_527_552.0
    return comparison(
        speed(1, 1303.1, 1305.2, 0.0062, "EQUIVALENT"),
        compared(
            MEMORY,
            1,
            "bytes",
            a=estimate(memory),
            b=estimate(memory),
            ratio=estimate(1.0, 0.0),
            verdict=verdict("EQUIVALENT"),
        ),
        compared(ENERGY, 1, "J/sample", reasons=("not measured by A and B",)),
        compared(
            LOSS, 1, a=estimate(1.1042), b=estimate(1.1042), ratio=estimate(1.0, 0.0), verdict=verdict("EQUIVALENT")
        ),
        speed(2, 2253.4, 2019.8, 0.0071, "SLOWER", beyond_margin=True),
        compared(
            EFFICIENCY,
            a=estimate(0.8645, 0.008),
            b=estimate(0.774, 0.009),
            ratio=estimate(0.8953, 0.012),
            verdict=verdict("LOWER"),
        ),
        compared(
            MEMORY,
            unit="bytes",
            a=estimate(memory),
            b=estimate(1.2 * memory),
            ratio=estimate(1.2, 0.001),
            verdict=verdict("HIGHER"),
        ),
        compared(ENERGY, unit="J/sample", reasons=("not measured by A and B",)),
        compared(
            ACCURACY,
            a=estimate(0.91, 0.003, n=5),
            b=estimate(0.87, 0.004, n=5),
            difference=estimate(-0.04, 0.005, n=5),
            verdict=verdict("DIVERGED"),
        ),
        dna=(
            Difference(field="software.torch", a="2.14.1", b="2.15.0", effect="numbers"),
            Difference(field="software.timm", a=None, b="1.0.9", effect="numbers"),
            *(
                Difference(field=f"numeric.one_thread.{name}", a="0a1b", b="77ff", effect="numbers")
                for name in ("bmm", "conv", "exp", "mm", "softmax")
            ),
            Difference(field="conditions.governor", a="performance", b="powersave", effect="speed"),
            Difference(field="software.scaling-bench", a="0.1.0", b="0.2.0", effect="cosmetic"),
        ),
    )


def undecided():
    """Too noisy for one row, too few launches for the other, and a row that only A has."""
    return comparison(
        speed(1, 1303.1, 1281.0, 0.031, "INCONCLUSIVE", "contains 1", "9 launches a side would show 2 %", needed=9),
        compared(
            THROUGHPUT,
            unit="samples/s",
            a=estimate(2253.4, n=2),
            b=estimate(2001.0, n=2),
            ratio=estimate(0.888, n=2),
            verdict=verdict("INCONCLUSIVE", "2 launches on a side; a verdict needs 5", needed=5, detectable=None),
        ),
        b=replace(B, sw_id=A.sw_id),
        unmatched=("ddp-cpu-4x1 of A has no partner: B has no such row",),
    )


def refused():
    """A row whose numbers must not be used."""
    return comparison(
        compared(
            THROUGHPUT, 1, "samples/s", verdict=verdict("INVALID", "B: the weights did not change", detectable=None)
        ),
        b=replace(B, hw_id="0011223344556677"),
        notes=(),
    )


def incomparable():
    return comparison(obstacles=("precision: fp32 against bf16", "steps: 40 against 50"), notes=())


ALL = {"slower": slower, "undecided": undecided, "refused": refused, "incomparable": incomparable}


def fleet():
    """Six machines, one of them slow."""
    rates = (2701.0, 2700.2, 2698.9, 2601.0, 2702.3, 2699.5)
    machines = tuple(
        MachineRate(
            party=party(f"node{place}"),
            rate=estimate(rate, 3.1, n=3),
            ratio=estimate(rate / 2700.4, 0.0012, n=3),
            verdict=verdict("SLOWER", beyond_margin=True) if rate < 2650 else verdict("EQUIVALENT"),
            word="SLOWER" if rate < 2650 else None,
            p=3e-8 if rate < 2650 else None,
        )
        for place, rate in enumerate(rates)
    )
    return Machines(
        parties=tuple(each.party for each in machines),
        left_out=("node9 is left out: precision: fp32 against bf16",),
        rows=(
            RowAcrossMachines(
                configuration=studies.row("single", 1, device="cuda", cores_per_rank=None).configuration,
                machines=machines,
                spread=0.00051,
                absent=("node8: it has no such row",),
                reasons=(),
                could_name=1.02,
            ),
        ),
        notes=("A machine is named if the test picks it, its own launches agree, and it is beyond the margin.",),
        margin=0.02,
    )


def calibration(alarms=0, comparisons=10, high=0.308):
    return Calibration(
        study_id="2611220824-lenet-large-cccc",
        created_at="2026-11-22T08:24:00+00:00",
        hw_id="7f3c91a202bd77e0",
        workload="b64fd8f49c182474",
        configuration="single-cpu-1x2",
        device="cpu",
        launches=120,
        cv=estimate(0.0084, 0.0011, n=120),
        within_pairs=estimate(0.0079, 0.0014, n=60),
        drift=estimate(1.0007, 0.0031, n=60),
        disjoint=FalseAlarms(alarms=alarms, comparisons=comparisons, low=0.0 if comparisons else None, high=high),
        halves=FalseAlarms(alarms=6, comparisons=200),
        launches_per_side=6,
        margin=0.02,
        detectable={3: 1.031, 6: 1.0152, 10: 1.0111},
    )
