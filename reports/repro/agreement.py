"""Whether two machines agree, in words and as the documents that scripts rely on."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console

from bench.analysis.repro.nouns import BITWISE, DIFFERENT, NUMERICS, STATISTICS, Agreement
from bench.repro.capsule import Capsule
from reports.text import fmt
from reports.text.console import show_hanging, shown
from reports.text.plain import finite, payload, picked

SCHEMA, RECORD, REPEAT = "bench.agreement/1", "bench.capsule-record/1", "bench.repeat/1"
STYLES = {BITWISE: "green", NUMERICS: "green", STATISTICS: "green", DIFFERENT: "red"}
_MEANING = {
    BITWISE: "every bit that was recorded is the same here",
    NUMERICS: "not the same bits, and no further off than rounding drives equal runs apart",
    STATISTICS: "other numbers, and what is learned is the same",
    DIFFERENT: "this is another computation",
}


def document(found: Agreement, exit_code: int) -> dict[str, Any]:
    """The document of `bench repro check --json`; plain JSON types only."""
    return payload(
        schema=SCHEMA,
        exit=exit_code,
        **picked(found, "verdict", "first_difference", "cause", "curve", "reasons"),
    )


def record_document(capsule: Capsule, path: str, size_bytes: int, exit_code: int) -> dict[str, Any]:
    """The document of `bench repro record --json`."""
    envelope = capsule.envelope
    return {
        "schema": RECORD,
        "exit": exit_code,
        "capsule": path,
        "bytes": size_bytes,
        "steps": len(capsule.parts[0].losses),
        "facts": sum(len(part.facts) for part in capsule.parts),
        "envelope": envelope and {"runs": list(envelope.runs), "loss_last": envelope.loss[-1]},
        "accuracies": capsule.finals and {str(seed): top1 for seed, top1 in capsule.finals.items()},
        "ranks": [finite({"ranks": each.ranks, "agrees": each.agrees, **vars(each)}) for each in capsule.ranks],
        "ids": dict(capsule.ids),
        "warnings": list(capsule.parts[0].warnings),
    }


def repeat_document(
    study_id: str, numbers: Mapping[str, Agreement], speed: dict[str, Any] | None, exit_code: int
) -> dict[str, Any]:
    """The document of `bench repro run --json`.

    Args:
        study_id: of the study that was run here.
        numbers: the capsules' file names -> what became of them.
        speed: the comparison of both studies, as `bench compare --json` tells it; None when it was broken off.
        exit_code: of the whole.
    """
    return {
        "schema": REPEAT,
        "exit": exit_code,
        "study": study_id,
        "numbers": {name: document(each, exit_code) for name, each in numbers.items()},
        "speed": speed,
    }


def show(found: Agreement, console: Console, *, title: str = "") -> None:
    """Print a verdict, what is behind it, and the first difference."""
    meaning = f": {_MEANING[found.verdict]}" if found.verdict in _MEANING else ""
    lead = f"{title}: " if title else ""
    show_hanging(f"{lead}{found.verdict}", meaning, console, STYLES.get(found.verdict, "yellow"))
    for name, text in _lines(found):
        show_hanging(f"{name:<18}", fmt.clean(text), console)


def show_recorded(capsule: Capsule, path: str, size_bytes: int, console: Console) -> None:
    """Print what a capsule holds, and what to do with it."""
    for name, text in _recorded(capsule):
        show_hanging(f"{name:<11}", text, console)
    console.print(shown(f"{path}: {fmt.size(size_bytes)}", console, "bold"), soft_wrap=True)
    console.print(shown(f"On another machine: bench repro check {path}", console), soft_wrap=True)


def show_no_capsule(bundle: str, console: Console) -> None:
    """Say that only the speed was judged."""
    text = "so only the speed was judged; its owner makes one: bench repro record -o FILE.capsule"
    show_hanging("", f"No capsule in {bundle}, {text}", console)


def _lines(found: Agreement) -> Iterator[tuple[str, str]]:
    first = found.first_difference
    if first is not None:
        rank = f" on rank {first.rank}" if first.rank else ""
        size = f", {fmt.number(first.scaled_ulp)} scaled ulp" if first.scaled_ulp else ""
        yield "First difference", f"{first.stage} of {first.tensor} at step {first.step}{rank}{size}"
    if found.cause:
        yield "Likely cause", found.cause
    for index, reason in enumerate(found.reasons):
        yield "" if index else "Because", reason


def _recorded(capsule: Capsule) -> Iterator[tuple[str, str]]:
    part = capsule.parts[0]
    facts = sum(len(each.facts) for each in capsule.parts)
    yield "Recorded", f"{fmt.count(len(part.losses), 'step')}, {fmt.number(facts)} facts, deterministic mode"
    if capsule.envelope is not None:
        runs, last = len(capsule.envelope.runs), capsule.envelope.loss[-1]
        yield "Envelope", f"of {fmt.count(runs, 'run')}: rounding may move the last loss by {fmt.percent(last, 4)}"
    for each in capsule.ranks:
        mark = "agree with" if each.agrees else "DO NOT compute what is computed by"
        off = f"{fmt.number(each.scaled_ulp)} scaled ulp in {each.tensor}, bound {fmt.number(each.bound)}"
        yield "Ranks", f"{each.ranks} {mark} one process: {off}"
    if capsule.finals:
        low, high = (fmt.percent(share) for share in (min(capsule.finals.values()), max(capsule.finals.values())))
        yield "Accuracy", f"of {fmt.count(len(capsule.finals), 'seed')}: {low} to {high}"
    for warning in part.warnings:
        yield "Warning", fmt.clean(warning)
