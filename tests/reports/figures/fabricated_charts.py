"""One chart of every kind, from made-up numbers: small ones, and what a study of twelve rows would ask for."""

import math
import random
import xml.etree.ElementTree as ET

from bench.analysis.result import Estimate
from reports.figures import data

SETUP = "resnet18, synthetic; weak scaling, batch 64 on every rank; fp32"


def parsed(svg):
    return ET.fromstring(svg)  # noqa: S314 - our own


def estimate(value, half=0.02, n=6):
    """An estimate with a symmetric interval; without one below three launches."""
    interval = (value * (1 - half), value * (1 + half)) if n >= 3 else (None, None)
    return Estimate(estimate=value, low=interval[0], high=interval[1], n=n, method="t interval")


def scaling_line(label, counts, efficiency, n=6):
    dice = random.Random(label)
    points = []
    for count in counts:
        value = count * efficiency ** math.log2(count)
        launches = tuple(value * dice.gauss(1, 0.01) for _ in range(n))
        points.append(data.ScalingPoint(resources=count, estimate=estimate(value, n=n), launches=launches))
    return data.ScalingLine(label=label, points=tuple(points))


def as_efficiency(line):
    return data.ScalingLine(
        label=line.label,
        points=tuple(
            data.ScalingPoint(
                resources=point.resources,
                estimate=estimate(point.estimate.estimate / point.resources, n=point.estimate.n),
                launches=tuple(value / point.resources for value in point.launches),
            )
            for point in line.points
        ),
    )


def speedup(key="speedup", counts=(1, 2, 4, 8), lines=2, **changes):
    """`lines`: the lines themselves, or how many are to be made up."""
    if isinstance(lines, int):
        labels = ["ddp", "dp", "ddp over 2 nodes", "ddp, 2 cores", "a", "b", "c", "d"][:lines]
        lines = tuple(scaling_line(label, counts, 0.97 - 0.04 * number) for number, label in enumerate(labels))
    told = dict(title="Speedup", setup=SETUP, resource="ranks", baseline="single: 1 302 samples/s", lines=lines)
    return data.Speedup(key=key, **{**told, **changes})


def efficiency(key="efficiency", counts=(1, 2, 4, 8), lines=2, **changes):
    source = speedup(counts=counts, lines=lines)
    lines = tuple(map(as_efficiency, source.lines)) if isinstance(lines, int) else lines
    told = dict(title="Efficiency", setup=SETUP, resource="ranks", baseline=source.baseline, lines=lines)
    return data.Efficiency(key=key, **{**told, **changes})


def step_parts(key="time", rows=4, **changes):
    names = ("data wait", "forward", "backward", "exposed communication", "optimizer", "other")
    bars = []
    for number in range(rows):
        parts = tuple(
            data.Part(name=name, ms=value)
            for name, value in zip(names, (1.5, 16, 31, 4.0 * number, 3, 0.5), strict=True)
        )
        total = sum(part.ms for part in parts)
        bars.append(data.StepBar(label=f"ddp on {2**number} ranks", total_ms=total, parts=parts))
    return data.StepParts(**{**dict(key=key, title="Where the time goes", setup=SETUP, bars=tuple(bars)), **changes})


def steps_of(seed, count=300, warmup=10, base=49.0):
    dice = random.Random(seed)
    values = [base * (1 + 3 * math.exp(-place / 3)) * dice.gauss(1, 0.01) for place in range(count)]
    values[count // 2] *= 5
    return data.LaunchSteps(launch=f"round {seed}", step_ms=tuple(values), warmup_steps=warmup, cut_steps=15)


def steadiness(key="steady", rows=2, launches=5, steps=300, **changes):
    found = tuple(
        data.SteadyRow(
            label=f"ddp on {number + 1} ranks",
            launches=tuple(steps_of(launch, count=steps, base=49 + 3 * number) for launch in range(launches)),
        )
        for number in range(rows)
    )
    return data.Steadiness(**{**dict(key=key, title="Step time", setup=SETUP, rows=found), **changes})


def curve(label, epochs=25, speed=1.0, best=0.93):
    passed = range(1, epochs + 1)
    return data.LearningCurve(
        label=label,
        samples=tuple(50_000.0 * each for each in passed),
        seconds=tuple(19.2 * each / speed for each in passed),
        train_loss=tuple(0.02 + 2.2 * math.exp(-each / 6) for each in passed),
        validation_loss=tuple(0.22 + 1.9 * math.exp(-each / 5) for each in passed),
        train_accuracy=tuple(0.99 - 0.8 * math.exp(-each / 5) for each in passed),
        validation_accuracy=tuple(best - 0.75 * math.exp(-each / 5) for each in passed),
    )


def learning(key="learning", curves=3, epochs=25, **changes):
    found = tuple(
        curve(f"ddp on {2**number} ranks", epochs, 2**number, 0.93 - 0.01 * number) for number in range(curves)
    )
    return data.Learning(**{**dict(key=key, title="Learning", setup=SETUP, curves=found), **changes})


def learning_rate(key="rate", **changes):
    epochs = tuple(float(each) for each in range(1, 26))
    rates = tuple(0.15 / 2 * (1 + math.cos(math.pi * each / 25)) for each in range(25))
    lines = (data.RateLine(label="all rows", epochs=epochs, learning_rate=rates),)
    return data.LearningRate(**{**dict(key=key, title="Learning rate", setup=SETUP, lines=lines), **changes})


CIFAR10 = ("plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def classes(key="classes", names=CIFAR10, **changes):
    recalls = (0.639, 0.757, 0.541, 0.354, 0.471, 0.588, 0.736, 0.654, 0.759, 0.759)
    found = tuple(
        data.ClassBar(
            name=name,
            support=1000,
            recall=recalls[place % 10],
            precision=recalls[-1 - place % 10],
            f1=0.6,
            published=recalls[place % 10] + 0.02,
        )
        for place, name in enumerate(names)
    )
    return data.Classes(**{**dict(key=key, title="Classes", setup=SETUP, classes=found), **changes})


def confusion(key="confusion", names=CIFAR10, **changes):
    dice = random.Random(0)
    many = len(names)
    counts = []
    for row in range(many):
        wrong = [dice.randrange(600 // many) if column != row else 0 for column in range(many)]
        wrong[row] = max(0, 1000 - sum(wrong))
        counts.append(tuple(wrong))
    told = dict(key=key, title="Confusion", setup=SETUP, names=tuple(names), counts=tuple(counts))
    return data.Confusion(**{**told, **changes})


def bars(key="throughput", **changes):
    found = tuple(
        data.Bar(
            label=label,
            estimate=estimate(value),
            launches=tuple(value * (1 + 0.005 * step) for step in range(-3, 3)),
            note=note,
        )
        for label, value, note in (("cpu x4", 1302.0, ""), ("mps x1", 9840.0, "another device"), ("cuda", 27010.0, ""))
    )
    told = dict(key=key, title="Throughput", setup=SETUP, quantity="throughput", unit="samples/s", bars=found)
    return data.Bars(**{**told, **changes})


def limits(key="limits", **changes):
    ceilings = (data.Ceiling(name="measured matmul", tflops=1.1), data.Ceiling(name="published peak", tflops=1.5))
    rows = (
        data.Reached(label="single", tflops=0.42, ceilings=ceilings),
        data.Reached(label="ddp on 2 ranks", tflops=0.78, ceilings=ceilings),
    )
    return data.Limits(**{**dict(key=key, title="Limits", setup=SETUP, rows=rows), **changes})


EVERY_KIND = (
    speedup(),
    efficiency(),
    step_parts(),
    steadiness(),
    learning(),
    learning_rate(),
    classes(),
    confusion(),
    confusion("confusion-shares", normalised=True),
    bars(),
    limits(),
)

# What the page of a study of twelve rows shows.
TWELVE_ROWS = (
    speedup(counts=(1, 2, 4, 8, 12, 16), lines=2, key="speedup"),
    efficiency(counts=(1, 2, 4, 8, 12, 16), lines=2),
    step_parts(rows=12),
    steadiness(rows=12, launches=6, steps=400),
    learning(curves=6),
    *EVERY_KIND[5:],
)
