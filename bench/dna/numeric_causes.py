"""Why two machines compute differently, concluded from which canaries differ. Pure: two numeric layers in, causes out.

Each row of the table says where it was seen: `MEASURED`, by switching that one thing on an AMD Zen 4 (AVX-512 with
bf16, no AMX; torch 2.15, MKL 2024.2, oneDNN 3.13), or `PUBLISHED`, on a machine that this was not repeated on.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MEASURED, PUBLISHED = "measured", "published"


@dataclass(frozen=True, kw_only=True)
class NumericCause:
    """A likely cause, and what speaks for it."""

    text: str
    canaries: tuple[str, ...]  # that it accounts for
    evidence: str  # MEASURED or PUBLISHED


@dataclass(frozen=True, kw_only=True)
class NumericDiagnosis:
    """Which canaries differ between A and B, and the likely causes."""

    obstacle: str | None  # why nothing can be said
    one_thread: tuple[str, ...] = ()
    all_threads: tuple[str, ...] = ()
    causes: tuple[NumericCause, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Pattern:
    """A cause shows in its `marks`; where it does, it accounts for its `others` too."""

    text: str
    marks: frozenset[str]
    others: frozenset[str] = frozenset()
    unless: frozenset[str] = frozenset()  # another cause is the better one where these differ too
    evidence: str
    package: str | None = None  # whose version is the other explanation


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_RANDOM = _set("rand randn randperm dropout linear_init")

# Of two machines at one thread. Several causes can be at work; each takes the canaries it accounts for.
PATTERNS: tuple[_Pattern, ...] = (
    _Pattern(
        text="oneDNN chose kernels of another instruction set (ONEDNN_MAX_CPU_ISA, or a CPU with other instructions)",
        marks=_set("conv conv_dx conv_nhwc"),
        others=_set("conv_dw mm_bf16 conv_bf16"),
        evidence=MEASURED,
        package="onednn",
    ),
    _Pattern(
        text="bf16 products ran without AMX on one side (ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16, or a CPU without it)",
        marks=_set("mm_bf16"),
        others=_set("conv_bf16"),
        unless=_set("conv conv_dx conv_nhwc"),
        evidence=PUBLISHED,
        package="onednn",
    ),
    _Pattern(
        text="ATen chose kernels without vector instructions on one side (ATEN_CPU_CAPABILITY=default)",
        marks=_set("layer_norm batch_norm sigmoid"),
        others=_set("softmax cross_entropy batch_norm_dx randn linear_init mean_dim cumsum sum_1m avg_pool"),
        evidence=MEASURED,
    ),
    _Pattern(
        text="ATen chose kernels of another vector width (ATEN_CPU_CAPABILITY, or AVX2 against AVX-512)",
        marks=_set("softmax"),
        others=_set("cross_entropy"),
        unless=_set("layer_norm batch_norm sigmoid"),
        evidence=MEASURED,
    ),
    _Pattern(
        text="MKL took another code path in its elementwise functions (MKL_CBWR, or a CPU of another vendor)",
        marks=_set("exp tanh erf sin sqrt_div"),
        others=_set("mv mm mm_k4096 bmm linear sigmoid"),
        evidence=PUBLISHED,
        package="mkl",
    ),
    _Pattern(
        text="MKL took another code path in its products (MKL_CBWR, or a CPU of another vendor)",
        marks=_set("mv mm mm_k4096 bmm linear"),
        unless=_set("exp tanh erf sin sqrt_div"),
        evidence=MEASURED,
        package="mkl",
    ),
    _Pattern(
        text="subnormal numbers are flushed to zero on one side, which a library does that was linked with -ffast-math",
        marks=_set("subnormal"),
        evidence=MEASURED,
    ),
    _Pattern(
        text="the generator of random numbers changed, which the version of torch decides",
        marks=_RANDOM,
        unless=_set("layer_norm batch_norm sigmoid"),
        evidence=PUBLISHED,
    ),
)


def diagnose(
    a: Mapping[str, Any] | None, b: Mapping[str, Any] | None, differing: Collection[str] = ()
) -> NumericDiagnosis:
    """The likely causes of what differs between two numeric layers.

    Args:
        a: the numeric layer of A (`bench.dna.numbers`); None where it has none.
        b: that of B.
        differing: other fields that differ, as "layer.name": they name the cause where the canaries only hint at it.
    """
    if a is None or b is None:
        return NumericDiagnosis(obstacle=f"{'A' if a is None else 'B'} has no canaries")
    if a["method"] != b["method"]:
        return NumericDiagnosis(obstacle="the canaries are of two versions, whose digests say nothing about each other")
    one_thread, all_threads = _differing(a, b, "one_thread"), _differing(a, b, "all_threads")
    only_together = frozenset(all_threads) - frozenset(one_thread)
    # With as many threads on both sides, what made the others differ is the first to blame for these too.
    also = only_together if a["threads"] == b["threads"] else frozenset()
    causes = tuple(_causes(a, b, frozenset(one_thread), also, frozenset(differing)))
    explained = {name for cause in causes for name in cause.canaries}
    if left := only_together - explained:
        causes = (*causes, _of_threads(a, b, _sorted(left)))
    return NumericDiagnosis(obstacle=None, one_thread=one_thread, all_threads=all_threads, causes=causes)


def _differing(a: Mapping[str, Any], b: Mapping[str, Any], field: str) -> tuple[str, ...]:
    """Canaries whose digests differ; one that ran on one side only differs."""
    mine, theirs = a[field], b[field]
    return tuple(name for name in dict.fromkeys([*mine, *theirs]) if mine.get(name) != theirs.get(name))


def _causes(
    a: Mapping[str, Any], b: Mapping[str, Any], differ: frozenset[str], also: frozenset[str], fields: frozenset[str]
) -> Iterator[NumericCause]:
    """Causes of what differs at one thread; they may account for some of `also`, which differs at several."""
    if not differ:
        return
    if "identity.cpu_architecture" in fields:
        text = "another CPU architecture: every library has other kernels for it"
        yield NumericCause(text=text, canaries=_sorted(differ | also), evidence=PUBLISHED)
        return
    left = differ
    for pattern in PATTERNS:
        if not (pattern.marks & differ) or pattern.unless & differ:
            continue
        taken = (pattern.marks | pattern.others) & (differ | also)
        left -= taken
        text = "; ".join([pattern.text, *_known(a, b, pattern)])
        yield NumericCause(text=text, canaries=_sorted(taken), evidence=pattern.evidence)
    if left:
        torch = ["software.torch"] * ("software.torch" in fields)
        why = "the version of torch differs" if torch else "no known pattern"
        yield NumericCause(text=why, canaries=_sorted(left), evidence=PUBLISHED)


def _known(a: Mapping[str, Any], b: Mapping[str, Any], pattern: _Pattern) -> Iterator[str]:
    """What the two sides say of it themselves."""
    if pattern.text.startswith("ATen") and a["capability"] != b["capability"]:
        yield f"A ran {a['capability']}, B {b['capability']}"
    for name in sorted({*a["variables"], *b["variables"]}):
        mine, theirs = a["variables"].get(name), b["variables"].get(name)
        if mine != theirs and name in pattern.text:
            yield f"{name} is {mine or 'not set'} on A, {theirs or 'not set'} on B"
    if pattern.package:
        mine, theirs = (side["libraries"].get(pattern.package) for side in (a, b))
        if mine != theirs:
            yield f"or its version: {mine or 'none'} on A, {theirs or 'none'} on B"


def _of_threads(a: Mapping[str, Any], b: Mapping[str, Any], canaries: tuple[str, ...]) -> NumericCause:
    """What is equal at one thread and differs at the run's thread counts."""
    if a["threads"] != b["threads"]:
        text = f"the thread count: long sums are cut into {a['threads']} parts on A, {b['threads']} on B"
    else:
        text = f"work is cut differently over the same {a['threads']} threads, as caches and cores decide"
    return NumericCause(text=text, canaries=canaries, evidence=MEASURED if a["threads"] != b["threads"] else PUBLISHED)


def _sorted(names: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(names))
