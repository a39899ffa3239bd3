"""One chart of every kind, from made-up numbers: small ones, and what a study of twelve rows would ask for."""

import math
import random
import xml.etree.ElementTree as ET
from functools import cache

from bench.analysis.result import (
    Ceiling,
    Classes,
    ClassResult,
    EpochPoint,
    Estimate,
    Learned,
    Part,
    Reached,
    StepParts,
    Trace,
    Traces,
)
from reports.figures.class_recall import ClassRecall
from reports.figures.confusion import Confusion, ConfusionShares
from reports.figures.efficiency import Efficiency
from reports.figures.hardware_limits import HardwareLimits
from reports.figures.kinds.bars import Bar
from reports.figures.kinds.lines import Line, Point
from reports.figures.learning_curves import LearningCurves
from reports.figures.learning_rate import LearningRate
from reports.figures.speedup import Speedup
from reports.figures.step_parts import StepPartsChart
from reports.figures.step_time import StepTime
from reports.figures.svg.files import inline
from reports.figures.throughput import Throughput

SETUP = "resnet18, synthetic; weak scaling, batch 64 on every rank; fp32"


SVG = "{http://www.w3.org/2000/svg}"

svg = cache(inline)


def parsed(source):
    return ET.fromstring(source)  # noqa: S314 - our own


def texts(chart):
    return [each.text for each in parsed(svg(chart)).iter(f"{SVG}text")]


def estimate(value, half=0.02, n=6):
    """An estimate with a symmetric interval; without one below three launches."""
    interval = (value * (1 - half), value * (1 + half)) if n >= 3 else (None, None)
    return Estimate(estimate=value, low=interval[0], high=interval[1], n=n, method="t interval")


def scaling_line(label, counts, efficiency, n=6):
    rng = random.Random(label)
    points = []
    for count in counts:
        value = count * efficiency ** math.log2(count)
        launches = tuple((f"r{number:02d}p{count:02d}", value * rng.gauss(1, 0.01)) for number in range(n))
        points.append(Point(resources=count, estimate=estimate(value, n=n), launches=launches))
    return Line(label=label, points=tuple(points))


def as_efficiency(line):
    return Line(
        label=line.label,
        points=tuple(
            Point(
                resources=point.resources,
                estimate=estimate(point.estimate.estimate / point.resources, n=point.estimate.n),
                launches=tuple((name, value / point.resources) for name, value in point.launches),
            )
            for point in line.points
        ),
    )


def speedup(suffix="", counts=(1, 2, 4, 8), lines=2, **changes):
    """`lines`: the lines themselves, or how many are to be made up."""
    if isinstance(lines, int):
        labels = ["ddp", "dp", "ddp over 2 nodes", "ddp, 2 cores", "a", "b", "c", "d"][:lines]
        lines = tuple(scaling_line(label, counts, 0.97 - 0.04 * number) for number, label in enumerate(labels))
    made = dict(setup=SETUP, resource="ranks", baseline="single: 1 302 samples/s", lines=lines)
    return Speedup(suffix=suffix, **{**made, **changes})


def efficiency(suffix="", counts=(1, 2, 4, 8), lines=2, **changes):
    source = speedup(counts=counts, lines=lines)
    lines = tuple(map(as_efficiency, source.lines)) if isinstance(lines, int) else lines
    made = dict(setup=SETUP, resource="ranks", baseline=source.baseline, lines=lines)
    return Efficiency(suffix=suffix, **{**made, **changes})


def step_parts(rows=4, **changes):
    names = ("data wait", "forward", "backward", "exposed communication", "optimizer", "other")
    found = []
    for number in range(rows):
        parts = tuple(
            Part(name=name, ms=value) for name, value in zip(names, (1.5, 16, 31, 4.0 * number, 3, 0.5), strict=True)
        )
        label = f"ddp on {2**number} ranks"
        found.append((label, StepParts(configuration=label, total_ms=sum(part.ms for part in parts), parts=parts)))
    return StepPartsChart(**{**dict(setup=SETUP, rows=tuple(found)), **changes})


def trace(seed, count=300, warmup=10, base=49.0):
    rng = random.Random(seed)
    values = [base * (1 + 3 * math.exp(-place / 3)) * rng.gauss(1, 0.01) for place in range(count)]
    values[count // 2] *= 5
    return Trace(configuration="ddp", round=seed, step_ms=tuple(values), warmup_steps=warmup, cut_steps=15)


def traces(label, found, of=None):
    return label, Traces(configuration=label, traces=tuple(found), launches=of or len(found))


def step_time(rows=2, launches=5, steps=300, **changes):
    found = tuple(
        traces(
            f"ddp on {number + 1} ranks",
            [trace(launch, count=steps, base=49 + 3 * number) for launch in range(launches)],
        )
        for number in range(rows)
    )
    return StepTime(**{**dict(setup=SETUP, rows=found), **changes})


def curve(label, epochs=25, speed=1.0, best=0.93):
    points = tuple(
        EpochPoint(
            epoch=each,
            samples=50_000.0 * each,
            seconds=19.2 * each / speed,
            learning_rate=0.15 / 2 * (1 + math.cos(math.pi * (each - 1) / 25)),
            train_loss=0.02 + 2.2 * math.exp(-each / 6),
            train_top1=0.99 - 0.8 * math.exp(-each / 5),
            validation_loss=0.22 + 1.9 * math.exp(-each / 5),
            top1=best - 0.75 * math.exp(-each / 5),
            top5=None,
        )
        for each in range(1, epochs + 1)
    )
    final = estimate(best, n=1)
    learned = Learned(
        configuration=label,
        launches=1,
        points=points,
        train_s=points[-1].seconds,
        final_top1=final,
        best_top1=best,
        best_epoch=epochs,
        gap=None,
    )
    return label, learned


def learning(curves=3, epochs=25, **changes):
    found = tuple(
        curve(f"ddp on {2**number} ranks", epochs, 2**number, 0.93 - 0.01 * number) for number in range(curves)
    )
    return LearningCurves(**{**dict(setup=SETUP, curves=found), **changes})


def learning_rate(**changes):
    schedule = tuple((point.epoch, point.learning_rate) for point in curve("all rows")[1].points)
    return LearningRate(**{**dict(setup=SETUP, lines=(("all rows", schedule),)), **changes})


CIFAR10 = ("plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_RECALLS = (0.639, 0.757, 0.541, 0.354, 0.471, 0.588, 0.736, 0.654, 0.759, 0.759)


def class_results(names=CIFAR10):
    return tuple(
        ClassResult(name=name, support=1000, recall=_RECALLS[place % 10], precision=_RECALLS[-1 - place % 10], f1=0.6)
        for place, name in enumerate(names)
    )


def classes(names=CIFAR10, **changes):
    found = tuple((each, each.recall + 0.02) for each in class_results(names))
    return ClassRecall(**{**dict(setup=SETUP, classes=found), **changes})


def confusion(kind=Confusion, names=CIFAR10, counts=None):
    rng = random.Random(0)
    many = len(names)
    if counts is None:
        counts = []
        for row in range(many):
            wrong = [rng.randrange(600 // many) if column != row else 0 for column in range(many)]
            wrong[row] = max(0, 1000 - sum(wrong))
            counts.append(tuple(wrong))
    result = Classes(configuration="single", epoch=8, launches=1, classes=class_results(names), confusion=tuple(counts))
    return kind(setup=SETUP, result=result)


def shares(**given):
    return confusion(ConfusionShares, **given)


def bars(**changes):
    found = tuple(
        Bar(
            label=label,
            estimate=estimate(value),
            launches=tuple(value * (1 + 0.005 * step) for step in range(-3, 3)),
            note=note,
        )
        for label, value, note in (("cpu x4", 1302.0, ""), ("mps x1", 9840.0, "another device"), ("cuda", 27010.0, ""))
    )
    return Throughput(**{**dict(setup=SETUP, bars=found), **changes})


def reached(label, tflops, **ceilings):
    found = tuple(
        Ceiling(name=name.replace("_", " "), flop_per_s=1e12 * value, source="") for name, value in ceilings.items()
    )
    return label, Reached(configuration=label, flop_per_s=1e12 * tflops, ceilings=found)


def limits(**changes):
    rows = (
        reached("single", 0.42, measured_matmul=1.1, published_peak=1.5),
        reached("ddp on 2 ranks", 0.78, measured_matmul=1.1, published_peak=1.5),
    )
    return HardwareLimits(**{**dict(setup=SETUP, rows=rows), **changes})


EVERY_KIND = (
    speedup(),
    efficiency(),
    step_parts(),
    step_time(),
    learning(),
    learning_rate(),
    classes(),
    confusion(),
    shares(),
    bars(),
    limits(),
)

# What the page of a study of twelve rows shows.
TWELVE_ROWS = (
    speedup(counts=(1, 2, 4, 8, 12, 16), lines=2),
    efficiency(counts=(1, 2, 4, 8, 12, 16), lines=2),
    step_parts(rows=12),
    step_time(rows=12, launches=6, steps=400),
    learning(curves=6),
    *EVERY_KIND[5:],
)
