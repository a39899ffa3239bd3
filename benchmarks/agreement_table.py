"""The verdicts of `bench repro` on what is known beforehand: nothing changed, rounding changed, or a mistake planted.

    python benchmarks/agreement_table.py [--repeats 20] [--seconds 600] [--keep FILE] [--markdown FILE]

Each repeat has a seed of its own: its capsule is recorded with its envelope, then every case is run in processes
of its own and compared with it. (Repeats of one seed would be the same bits again, and say nothing.) A case that a
machine cannot show (an instruction set that it lacks) is left out with the reason. With --keep each repeat is one line
of JSON in that file, and those that are there already are not run again.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench.analysis.repro import agree, nouns
from bench.dna.machine import here
from bench.plan import Configuration, Workload
from bench.repro import runs
from bench.repro.capsule import Capsule, ReproRun

AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "AVX2"}
STEPS, BATCH = 50, 48  # a batch that 1, 2 and 3 ranks can share
RANKS = 3


@dataclass(frozen=True, kw_only=True)
class Case:
    """One thing that is otherwise, and what must come of it."""

    name: str
    verdict: str
    stage: str | None  # of the first difference
    cause: str  # words that must stand in it
    planted: str = ""  # of PLANTS
    threads: int = 1
    variables: tuple[tuple[str, str], ...] = ()


CASES = (
    Case(name="nothing", verdict=nouns.BITWISE, stage=None, cause=""),
    Case(name="2 threads", verdict=nouns.NUMERICS, stage="local gradient", cause="number of threads", threads=2),
    Case(
        name="AVX2",
        verdict=nouns.NUMERICS,
        stage="forward",
        cause="instruction set",
        variables=tuple(AVX2.items()),
    ),
    Case(
        name="momentum 0.9001",
        verdict=nouns.DIFFERENT,
        stage="weights",
        cause="optimizer",
        planted="momentum",
    ),
    Case(name="shuffled shard", verdict=nouns.DIFFERENT, stage="indices", cause="data pipeline", planted="shard"),
    Case(name="other pixels", verdict=nouns.DIFFERENT, stage="raw batch", cause="decoder", planted="pixels"),
    Case(
        name="per-batch crop",
        verdict=nouns.DIFFERENT,
        stage="augmented batch",
        cause="augmentation",
        planted="crop",
    ),
    Case(name="changed seed", verdict=nouns.DIFFERENT, stage="indices", cause="data pipeline", planted="seed"),
    Case(name="changed seed of the weights", verdict=nouns.DIFFERENT, stage="init", cause="seed", planted="init"),
    Case(
        name="other kernels (a stand-in for a GPU)",
        verdict=nouns.NUMERICS,
        stage="forward",
        cause="another kind of device",
        planted="kernels",
    ),
    Case(
        name="other kernels, products in TF32",
        verdict=nouns.DIFFERENT,
        stage="forward",
        cause="another kind of device",
        planted="kernels_tf32",
    ),
    Case(
        name="other kernels and momentum 0.91",
        verdict=nouns.DIFFERENT,
        stage="forward",
        cause="another kind of device",
        planted="kernels_momentum",
    ),
)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--repeats", type=int, default=20)
    arguments.add_argument("--seconds", type=float, default=600.0, help="begin no repeat after this")
    arguments.add_argument("--keep", type=Path, help="one line a repeat; those that are there are not run again")
    arguments.add_argument("--markdown", type=Path)
    asked = arguments.parse_args()

    until_s = time.monotonic() + asked.seconds
    cases = [case for case in CASES if not (why := cannot_show(case)) or print(f"{case.name}: left out, {why}")]
    kept = asked.keep.read_text().splitlines() if asked.keep and asked.keep.exists() else []
    repeats = [Repeat(**json.loads(line)) for line in kept]
    for seed in sorted(set(range(asked.repeats)) - {each.seed for each in repeats}):
        if time.monotonic() > until_s:
            break
        repeats.append(repeated(seed, cases))
        if asked.keep:
            with asked.keep.open("a") as file:
                file.write(json.dumps(asdict(repeats[-1])) + "\n")
        print(f"seed {seed}: {len(repeats)} of {asked.repeats} repeats", flush=True)
    if repeats:
        table = "\n".join([*_lines(cases, repeats), "", *_rank_lines(repeats)])
        print(table)
        if asked.markdown:
            asked.markdown.write_text(table + "\n")


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """All cases under one seed, in words that can be kept."""

    seed: int
    cases: dict[str, dict[str, Any]]  # by name: verdict, first, cause (was it named right), right (all of it)
    ranks: dict[str, dict[str, Any]]  # by what was planted: agrees, scaled_ulp, bound


def repeated(seed: int, cases: list[Case]) -> Repeat:
    """Record a capsule, and compare every case with it."""
    capsule = runs.recorded(_repro_run(seed=seed), _stage())
    judgements, ranks = {}, {}
    for case in cases:
        seen = judged(case, capsule)
        cause, right = case.cause in seen.cause, _as_expected(case, seen)
        judgements[case.name] = {"verdict": seen.verdict, "first": _first(seen), "cause": cause, "right": right}
    for planted in ("", "divisor"):
        [check] = runs.ranks_checks(capsule.repro_run, (RANKS,), _stage(planted))
        ranks[planted] = {"agrees": check.agrees, "scaled_ulp": check.scaled_ulp, "bound": check.bound}
    return Repeat(seed=seed, cases=judgements, ranks=ranks)


def judged(case: Case, capsule: Capsule) -> nouns.Agreement:
    """One repeat of a case."""
    configuration = replace(capsule.repro_run.configuration, cores_per_rank=case.threads)
    repro_run = replace(capsule.repro_run, configuration=configuration)
    with _set(dict(case.variables)):
        return agree.judge(capsule, runs.observed(repro_run, _stage(case.planted)))


def _repro_run(seed: int) -> ReproRun:
    workload = Workload(model="lenet-small", data="digits", steps=STEPS, augment=("crop",), seed=seed)
    configuration = Configuration(
        strategy="single",
        ranks=1,
        device="cpu",
        backend=None,
        cores_per_rank=1,
        batch_per_rank=BATCH,
        batch_global=BATCH,
    )
    return ReproRun(workload=workload, configuration=configuration)


def _stage(planted: str = "") -> runs.Stage:
    argv = (sys.executable, "-P", __file__, "--rank", planted) if planted else runs.RANK
    return runs.Stage(machine=here(), ids={}, say=lambda _: None, argv=argv)


def cannot_show(case: Case) -> str | None:
    """Why this machine cannot show a case; None when it can."""
    if case.threads > len(here().cpu_ids):
        return f"this machine has {len(here().cpu_ids)} core"
    if case.variables:
        import torch

        capability = torch.backends.cpu.get_cpu_capability()
        return None if "AVX512" in capability else f"this CPU has {capability}: there is nothing to take away"
    return None


@contextmanager
def _set(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _lines(cases: list[Case], repeats: list[Repeat]) -> Iterator[str]:
    yield "| otherwise | n | verdicts | first difference | cause named right | as expected |"
    yield "| --- | ---: | --- | --- | ---: | ---: |"
    for case in cases:
        seen = [each.cases[case.name] for each in repeats if case.name in each.cases]  # kept from before it was one
        counters = [Counter(each[what] for each in seen) for what in ("verdict", "first")]
        words = (", ".join(f"{word} {count}" for word, count in counter.most_common()) for counter in counters)
        causes, right = (sum(each[what] for each in seen) for what in ("cause", "right"))
        yield f"| {case.name} | {len(seen)} | {' | '.join(words)} | {causes} | {right} |"


def _rank_lines(repeats: list[Repeat]) -> Iterator[str]:
    yield f"| {RANKS} Gloo ranks against one process | n | agree | scaled ulp | bound, at least |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for planted, name in (("", "as they are"), ("divisor", "a planted wrong divisor")):
        seen = [each.ranks[planted] for each in repeats]
        agree, bound = sum(each["agrees"] for each in seen), min(each["bound"] for each in seen)
        ulps = [each["scaled_ulp"] for each in seen]
        yield f"| {name} | {len(seen)} | {agree} | {min(ulps):.3g} to {max(ulps):.3g} | {bound:.3g} |"


def _as_expected(case: Case, seen: nouns.Agreement) -> bool:
    stage = seen.first_difference.stage if seen.first_difference else None
    return (seen.verdict, stage) == (case.verdict, case.stage) and case.cause in seen.cause


def _first(seen: nouns.Agreement) -> str:
    first = seen.first_difference
    return f"{first.stage} of {first.tensor} at step {first.step}" if first else "none"


# --- what is planted: each changes one thing inside a rank, before it begins ---------------------------------------


def _momentum(momentum: float = 0.9001) -> None:
    from bench.learn import recipe

    plain = recipe.optimizer
    recipe.optimizer = lambda model, asked, *sparse: plain(model, replace(asked, momentum=momentum), *sparse)


def _shard() -> None:
    """The same samples in every global batch of the epoch but two, which change places."""
    from bench.learn import batches

    plain = batches.Batches.epoch

    def epoch(self, number):
        each = list(plain(self, number))
        each[1], each[2] = each[2], each[1]
        yield from each

    batches.Batches.epoch = epoch


def _pixels() -> None:
    """One pixel of every image is decoded as the next level of grey."""
    from bench.worker import session

    original = session.of_workload

    def of_workload(*args):
        data = original(*args)
        images = data.train_images.clone()
        images[:, 0, 16, 16] += 1
        return replace(data, train_images=images)

    session.of_workload = of_workload


def _crop() -> None:
    """Every image of the epoch is cropped as the first one is: the mistake that one draw for a whole batch makes."""
    from bench.learn import augment

    plain = augment.draw
    augment.draw = lambda *args: plain(*args)[:1].expand(args[0], -1)


def _seed() -> None:
    from bench.worker.repro import run

    original = run.trace
    run.trace = lambda asked, world: original(
        replace(asked, workload=replace(asked.workload, seed=asked.workload.seed + 1000)), world
    )


def _init() -> None:
    import torch

    from bench.worker import session

    original = session.build

    def build(*args):
        torch.manual_seed(1000)
        return original(*args)

    session.build = build


def _kernels(forward_ulp: float = 5.0, gradient_ulp: float = 8.0) -> None:
    """What the envelope of another device is measured with, by less, and the rank says that it ran on such a device."""
    from bench.worker import session
    from bench.worker.repro import perturb, run

    original, conditions = session.build, run.conditions

    def build(*args):
        model = original(*args)
        perturb.round_otherwise(model, 20_26, forward_ulp, gradient_ulp)
        return model

    session.build = build
    run.conditions = lambda *args: {**conditions(*args), "device": "cuda"}


def _kernels_tf32() -> None:
    _kernels(forward_ulp=1700.0, gradient_ulp=2200.0)  # as an H100's were, before cuDNN was told not to


def _kernels_momentum() -> None:
    _kernels()
    _momentum(0.91)


def _divisor() -> None:
    """The ranks' gradients are divided by one rank too many."""
    import torch.distributed

    from bench.worker import session

    original = session.wrapped

    def wrapped(model, configuration, device):
        made = original(model, configuration, device)
        if configuration.strategy == "ddp":
            made.register_comm_hook(None, divided_by_one_too_many)
        return made

    def divided_by_one_too_many(_, bucket):
        ranks = torch.distributed.get_world_size()
        summed = torch.distributed.all_reduce(bucket.buffer(), async_op=True).get_future()
        return summed.then(lambda done: done.value()[0].div_(ranks + 1))

    session.wrapped = wrapped


PLANTS = {
    "momentum": _momentum,
    "shard": _shard,
    "pixels": _pixels,
    "crop": _crop,
    "seed": _seed,
    "init": _init,
    "kernels": _kernels,
    "kernels_tf32": _kernels_tf32,
    "kernels_momentum": _kernels_momentum,
    "divisor": _divisor,
}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--rank"]:
        from bench.worker import bootstrap
        from bench.worker.repro import __main__ as repro_rank

        def planted(rank) -> None:
            PLANTS[sys.argv[2]]()
            repro_rank.record(rank)

        bootstrap.run(planted)
    main()
