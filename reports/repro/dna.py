"""A fingerprint as a card, and how two differ, for a terminal."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from reports.text import fmt
from reports.text.console import show_hanging, shown

_NOT_COLLECTED = "names of hosts and people, addresses, paths, serial numbers"
_EFFECTS = {"numbers": "can change the numbers", "speed": "can change the speed", "cosmetic": "cosmetic"}
_LONGEST = 60  # characters of a value
_ISA = ("amx_bf16", "avx512_bf16", "avx512f", "avx2", "sve", "asimd")
_STEPS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"))


def show(document: Mapping[str, Any], console: Console) -> None:
    """Print the card of a fingerprint's document (`bench dna --json`)."""
    _print([*_ids(document), *_hardware(document), *_now(document)], console)
    _print([*_numbers(document), *_ceilings(document)], console)
    missing = len(document["unavailable"])
    text = f"{fmt.count(missing, 'fact')}, each with its reason in bench dna --json" if missing else "nothing"
    _print([("not known", text), ("not asked", _NOT_COLLECTED)], console)


def show_difference(compared: Mapping[str, Any], console: Console) -> None:
    """Print how two fingerprints differ (`bench dna --diff A B --json`)."""
    fingerprints = [compared["a"], compared["b"]]
    _print([(letter, _side(each)) for letter, each in zip("AB", fingerprints, strict=True)], console)
    for effect, heading in _EFFECTS.items():
        fields = [each for each in compared["dna"] if each["effect"] == effect]
        if fields:
            console.print()
            console.print(shown(f"{heading[0].upper()}{heading[1:]}", console, "bold"))
            _print([(each["field"], f"{_value(each['a'])} -> {_value(each['b'])}") for each in fields], console)
    if unread := compared.get("unread"):
        console.print()
        console.print(shown("Not compared, since it could not be read", console, "bold"))
        _print(list(unread.items()), console)
    console.print()
    for line in _verdict(compared):
        show_hanging(line[: len(line) - len(line.lstrip())], line.lstrip(), console)


def _print(pairs: Sequence[tuple[str, str]], console: Console) -> None:
    width = max([9, *(len(name) for name, _ in pairs)])
    for name, text in pairs:
        show_hanging(f"{name:<{width}}  ", text, console)


def _ids(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    reasons = document["unavailable"]
    without = f" ({reasons['hw_id']})" if "hw_id" in reasons else ""
    yield "hardware", f"{document['hw_id']}{without}"
    yield "software", document["sw_id"]
    yield "numbers", document["num_id"] or f"{fmt.MISSING} ({reasons.get('num_id', 'no reason given')})"


def _hardware(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    hardware, software = document["identity"], document["software"]
    isa = next((each for each in _ISA if each in hardware.get("cpu_isa", [])), None)
    cpu = [
        hardware.get("cpu_label", hardware.get("cpu_brand", "a CPU without a name")),
        *_counted(hardware, cpu_sockets="socket", cpu_cores="core", cpu_threads="thread", numa_nodes="memory node"),
        *([f"up to {isa}"] if isa else []),
    ]
    yield "cpu", ", ".join(cpu)
    if "memory_gib" in hardware:
        yield "memory", f"{hardware['memory_gib']}{fmt.NARROW}GiB"
    cards = Counter(f"{card.get('name', 'GPU')} {card.get('memory_gib', '?')} GiB" for card in hardware.get("gpus", []))
    text = ", ".join(f"{count} x {name}" for name, count in cards.items())
    yield "gpu", text or document["unavailable"].get("identity.gpus", "none")
    yield "system", ", ".join(software[name] for name in ("os", "kernel", "python") if name in software)
    yield "torch", software.get("torch", document["unavailable"].get("software.torch", fmt.MISSING))


def _counted(facts: Mapping[str, Any], **nouns: str) -> Iterator[str]:
    for name, noun in nouns.items():
        if name in facts:
            yield fmt.count(facts[name], noun)


def _now(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    now = document["conditions"]
    parts = [
        *([f"load {now['load_1m']}"] if "load_1m" in now else []),
        *([f"{fmt.count(now['usable_threads'], 'core')} for us"] if "usable_threads" in now else []),
        *([f"{now['available_gib']}{fmt.NARROW}GiB free"] if "available_gib" in now else []),
        *([f"{now['cpu_mhz']}{fmt.NARROW}MHz"] if "cpu_mhz" in now else []),
        *([f"governor {now['governor']}"] if "governor" in now else []),
        *(["on battery"] if now.get("on_battery") else []),
    ]
    yield "now", ", ".join(parts) or document["unavailable"].get("conditions", fmt.MISSING)


def _numbers(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    numeric = document["numeric"]
    if numeric is None:
        return
    one_thread, together, ulp = numeric["one_thread"], numeric["all_threads"], numeric["ulp"]
    worst = max(ulp, key=ulp.__getitem__)
    differ = [name for name in one_thread if one_thread[name] != together.get(name)]
    threads = fmt.count(numeric["threads"], "thread")
    failed = f", {len(numeric['failed'])} failed" if numeric["failed"] else ""
    yield "canaries", f"{len(one_thread)} ran{failed}; {numeric['capability']} kernels"
    yield "", f"at most {fmt.number(ulp[worst])} ulp from float64 ({worst})"
    yield "", f"other bits at {threads} than at one: {', '.join(differ) or 'none'}"
    for kind, each in numeric["accelerators"].items():
        unstable = ", ".join(each["unstable"]) or "none"
        yield f"  {kind}", f"{len(each['digests'])} ran; other bits in {each['repeats']} repeats: {unstable}"


def _ceilings(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    measured = document["measured"]
    if measured is None:
        return
    yield "measured", f"on {measured['device']}, {fmt.count(measured['threads'], 'thread')}; median, spread, n"
    for field, found in measured.items():
        unit = next((each for suffix, each in _UNITS if field.endswith(suffix)), None)
        if unit is None:
            continue
        label = field.removesuffix(next(suffix for suffix, _ in _UNITS if field.endswith(suffix))).replace("_", " ")
        for part, each in {"": found}.items() if "median" in found else found.items():
            spread = fmt.percent(each["spread"])
            named = f"{label} {fmt.size(int(part)) if part.isdigit() else part}".strip()
            yield f"  {named}", f"{_si(each['median'], unit)}, {spread}, {each['n']}"
    for flag in measured["flags"]:
        yield "  doubt", flag


_UNITS = (("_flop_per_s", "FLOP/s"), ("_bytes_per_s", "B/s"), ("_s", "s"))


def _si(value: float, unit: str) -> str:
    scale, prefix = next((step for step in _STEPS if value >= step[0]), (1e-3, "m"))
    return f"{fmt.number(value / scale)}{fmt.NARROW}{prefix}{unit}"


def _side(side: Mapping[str, Any]) -> str:
    ids = f"hardware {side['hw_id']}, software {side['sw_id']}, numbers {side['num_id'] or fmt.MISSING}"
    return f"{side['name']}: {ids}"


def _value(text: str | None) -> str:
    if text is None:
        return "not there"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} \N{HORIZONTAL ELLIPSIS}"


def _verdict(compared: Mapping[str, Any]) -> Iterator[str]:
    """Whether the two compute alike, and what probably makes the difference."""
    canaries = compared["canaries"]
    if canaries["obstacle"]:
        yield f"Whether they compute alike is not known: {canaries['obstacle']}."
        return
    differ = {*canaries["one_thread"], *canaries["all_threads"]}
    if not differ:
        yield "They compute alike: every canary has the same bits, at one thread and at the run's."
        return
    yield f"They do not compute alike: {fmt.count(len(differ), 'canary operation')} with other bits. Likely because"
    for cause in canaries["causes"]:
        doubt = "" if cause["evidence"] == "measured" else " (told by others, not repeated by us)"
        yield f"  {', '.join(cause['canaries'])}: {cause['text']}{doubt}"
