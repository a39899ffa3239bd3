"""What stands at the end of a page: warnings, machines, method, how to repeat, cite and take the data along."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from bench.analysis.report import Card, Report, StudyReport
from bench.analysis.result import Title
from bench.plan import STRATEGIES
from reports.data import tables
from reports.data.document import as_text
from reports.page.blocks import Block, Code, Download, Finding, Pairs, Points, Prose, Section
from reports.scaling.sentence import all_reasons
from reports.text import fmt, names
from reports.text.latex import escape

Each = Callable[[Callable[[StudyReport, str], tuple[Block, ...]]], tuple[Block, ...]]

CARRIED = 100_000  # characters of data that a page carries; more is a file of its own


def sections(report: Report, each: Each) -> Iterator[Section]:
    """The last sections."""
    yield Section(key="warnings", title="Warnings", blocks=each(warnings))
    yield Section(key="machine", title="Machine", blocks=_machines(report, each))
    yield Section(key="method", title="Method", blocks=each(_method))
    yield Section(key="reproduce", title="Reproduce", blocks=each(_reproduce))
    yield Section(key="cite", title="Cite and download", blocks=_take_along(report))


def colophon(report: Report) -> str:
    """The last line: by what this was measured."""
    versions = dict.fromkeys(
        card.software["scaling-bench"]
        for study in report.studies
        for card in study.cards
        if "scaling-bench" in card.software
    )
    methods = sorted(
        {study.study.method_version for study in report.studies}
        | {each.method_version for study in report.studies for each in study.launches}
    )
    by = f"scaling-bench {', '.join(versions)}" if versions else "scaling-bench"
    return f"Measured by {by}, method {', '.join(map(str, methods))}."


def warnings(report: StudyReport, _: str) -> tuple[Block, ...]:
    """Findings of the study first, then what casts doubt on single rows."""
    study = report.study
    found = [_finding("", text) for text in study.warnings]
    for row in study.rows:
        if row.status != "ok" or (row.verdict is not None and row.verdict.word == "INVALID"):
            name = names.phrase(row, study.rows)
            found += [_finding(f"{name} ({row.status}): ", text) for text in all_reasons(row) or (row.status,)]
    return tuple(dict.fromkeys(found)) or (Prose(text="Nothing speaks against these numbers that bench looks for."),)


def _finding(who: str, text: str) -> Finding:
    """A finding reads `effect: fix`."""
    what, _, fix = fmt.clean(text).rpartition(": ")
    found = what or fix
    is_name = found.partition(" ")[0] in STRATEGIES
    said = who + found if who or is_name else found[:1].upper() + found[1:]
    return Finding(text=said, fix=fix if what else "")


_FACTS = (
    ("identity", ("cpu_label", "cpu_brand", "cpu_architecture", "cpu_cores", "cpu_threads", "cpu_sockets")),
    ("identity", ("numa_nodes", "memory_gib", "gpus", "virtual")),
    ("software", ("os", "kernel", "python", "torch", "driver", "scaling-bench")),
)


def _machines(report: Report, each: Each) -> tuple[Block, ...]:
    blocks: list[Block] = []
    if report.differences:
        pairs = tuple(
            (f"{one.field} ({_EFFECTS.get(one.effect, one.effect)})", f"{_value(one.a)} → {_value(one.b)}")
            for one in report.differences
        )
        blocks.append(Pairs(pairs=pairs, marked=frozenset(name for name, _ in pairs)))
    differing = {one.field for one in report.differences}
    return (*blocks, *each(lambda study, key: _cards(study, key, differing)))


_EFFECTS = {"numbers": "can change numbers", "speed": "can change speed", "cosmetic": "cosmetic"}


def _cards(report: StudyReport, _: str, differing: set[str]) -> tuple[Block, ...]:
    if not report.cards:
        return (Prose(text="No launch left a fingerprint."),)
    blocks: list[Block] = []
    for card in report.cards:
        blocks.append(
            Pairs(
                pairs=(
                    ("hardware", card.hw_id),
                    ("software", card.sw_id),
                    ("numbers", card.num_id or f"not available ({card.unavailable.get('num_id', 'no reason given')})"),
                    *_short(card),
                )
            )
        )
        for layer, summary in (
            ("identity", "Hardware, in full"),
            ("software", "Software, in full"),
            ("conditions", "Conditions when the first launch began"),
            ("measured", "Measured ceilings"),
        ):
            facts: Mapping[str, str] = getattr(card, layer)
            if facts:
                marked = frozenset(name for name in facts if f"{layer}.{name}" in differing)
                blocks.append(Pairs(pairs=tuple((n, _value(v)) for n, v in facts.items()), fold=summary, marked=marked))
    if report.drift:
        changes = (f"{one.field}, {_value(one.a)} → {_value(one.b)}" for one in report.drift[:8])
        blocks.append(Prose(text=f"Within the study changed: {'; '.join(changes)}."))
    blocks.append(
        Prose(
            text="Equal hardware, software and numbers ids mean that two results may be held against each other. The "
            "ids are hashes of the facts above; names of hosts and people, addresses and serial numbers are not "
            "collected.",
            is_quiet=True,
        )
    )
    return tuple(blocks)


def _short(card: Card) -> Iterator[tuple[str, str]]:
    """What a reader asks first."""
    hardware, software = card.identity, card.software
    cpu = hardware.get("cpu_label") or hardware.get("cpu_brand")
    counts = [
        f"{hardware[name]} {noun}"
        for name, noun in (("cpu_cores", "cores"), ("cpu_threads", "threads"))
        if name in hardware
    ]
    if cpu:
        yield "CPU", ", ".join([cpu, *counts])
    gpus = [value for name, value in hardware.items() if name.startswith("gpus.") and name.endswith(".name")]
    if gpus:
        yield "GPU", ", ".join(f"{gpus.count(name)} x {name}" for name in dict.fromkeys(gpus))
    if "memory_gib" in hardware:
        yield "memory", f"{hardware['memory_gib']}{fmt.NARROW}GiB"
    allowed = [
        f"{card.conditions[name]}{fmt.NARROW}{unit}"
        for name, unit in (("cpu_quota", "cores' worth of time"), ("memory_limit_gib", "GiB"))
        if name in card.conditions
    ]
    if allowed:
        yield "allowed", ", ".join(allowed)  # of the above, by a container's limits
    system = [software[name] for name in ("os", "kernel") if name in software]
    if system:
        yield "system", ", ".join(system)
    stack = [f"{name} {software[name]}" for name in ("torch", "python", "driver") if name in software]
    if stack:
        yield "stack", ", ".join(stack)


def _value(text: str | None) -> str:
    if text is None:
        return "not there"
    bare = fmt.clean(text)
    return bare if len(bare) <= 120 else f"{bare[:119]}…"


def _method(report: StudyReport, _: str) -> tuple[Block, ...]:
    study = report.study
    methods = dict.fromkeys(
        each.method for row in study.rows for each in (row.throughput, row.speedup) if each is not None and each.low
    )
    statements = _how(study.title, methods, fmt.percent(study.margin))
    return (
        Points(items=statements),
        Pairs(pairs=tuple(report.facts.items()), fold="Workload and plan, in full") if report.facts else Prose(text=""),
    )


def _how(title: Title, methods: Iterable[str], margin: str) -> tuple[str, ...]:
    """How it was measured, in the order in which it happened."""
    rounds = fmt.count(title.rounds, "round")
    statements = (
        """A launch is a fresh group of processes, and the unit of replication: steps of one launch share its luck and
        are never pooled.""",
        f"""{rounds} of {title.window}; every configuration once a round, in random order, so that drift which is common
        to a round cancels from the ratios.""",
        """samples/s is all samples of all ranks over the wall time between common barriers, the slowest rank included.
        Nothing is trimmed: stalls count, outliers are flagged.""",
        """Warm-up has a floor, then a cut that the data give (MSER-5), the same for all launches of a row, and a test
        of the rest for drift.""",
        f"Intervals are 95 %: {'; '.join(methods) or 'none, for want of launches'}. Two launches give none.",
        f"""Verdicts against the baseline have a margin of {margin}: EQUIVALENT by two one-sided tests, FASTER or SLOWER
        when the interval excludes 1 and the exact sign test agrees.""",
        "Failed launches are rows with a reason, counted and never averaged. What is missing is empty, never 0.",
    )
    return tuple(re.sub(r"\n\s+", " ", each) for each in statements)


def _reproduce(report: StudyReport, _: str) -> tuple[Block, ...]:
    study = report.study
    if not report.command:
        return (Prose(text="The command was not kept."),)
    check = f"bench compare {study.study_id} @last"
    return (
        Code(label="The same study", text=fmt.clean(report.command)),
        Code(label="Held against this one, in one store", text=check),
        Prose(
            text="Weights, order of data and augmentation follow the seed, the order of launches a seed of its own; "
            "both are in the command or in Method.",
            is_quiet=True,
        ),
    )


def _take_along(report: Report) -> tuple[Block, ...]:
    texts = [
        Download(name=f"{report.name}{suffix}", text=text, media=media, what=what)
        for suffix, text, media, what in (
            (".csv", tables.rows_as_csv(report), "text/csv", "every row, unrounded"),
            ("-launches.csv", tables.launches_as_csv(report), "text/csv", "every launch, the failed ones too"),
            (".json", as_text(report), "application/json", "the whole report"),
        )
    ]
    large = [each.name for each in texts if len(each.text) > CARRIED]
    carried = [each for each in texts if each.name not in large]
    too_large = f"Too large to travel in this page: {', '.join(large)} (bench report --format csv,json)."
    entries = [Code(label="BibTeX", text=_bibtex(study)) for study in report.studies]
    return (*entries, *carried, *((Prose(text=too_large),) if large else ()))


def _bibtex(report: StudyReport) -> str:
    """A BibTeX entry; the author is for the reader to fill in, because a fingerprint knows no names."""
    study = report.study
    run = study.title
    version = next((card.software["scaling-bench"] for card in report.cards if "scaling-bench" in card.software), "")
    ids = ", ".join(
        f"{name} {each}" for name, each in (("hardware", study.hw_id), ("software", study.sw_id)) if each is not None
    )
    fields = {
        "author": "{}",
        "title": f"{{{escape(fmt.clean(run.model))} on {escape(fmt.clean(run.data))}, {run.scaling} scaling}}",
        "year": f"{{{report.created_at[:4]}}}" if report.created_at else "{}",
        "howpublished": f"{{Measured with scaling-bench {escape(version)}}}".replace(" }", "}"),
        "note": f"{{Study {escape(study.study_id)}; {ids}}}",
    }
    lines = [f"  {name:<12} = {value}," for name, value in fields.items()]
    key = re.sub(r"[^A-Za-z0-9-]+", "-", study.study_id)
    return "\n".join([f"@misc{{bench-{key},", *lines, "}"])
