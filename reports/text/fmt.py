"""Numbers and names as text, written once, so that every output shows the same digits and says the same words.

Digits follow the interval: an estimate is shown to two significant digits of its half-width. Without an interval three
significant digits are shown, and whole numbers whole. A narrow no-break space stands where a line must not break: in
thousands, before a unit, within an interval.
"""

import math
import unicodedata
from collections.abc import Iterable

from bench.analysis.result import Estimate
from bench.printable import printable

MISSING = "\N{EN DASH}"
NARROW = "\u202f"  # narrow no-break space
_UNITS = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))
_MOST_DIGITS = 15  # a float64 carries no more

_FORMULAS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_ASCII = str.maketrans(
    {
        NARROW: " ",
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "-",
        "\N{MINUS SIGN}": "-",
        "\N{MIDDLE DOT}": "|",
        "\N{MULTIPLICATION SIGN}": "x",
        "\N{PLUS-MINUS SIGN}": "+-",
        "\N{BOX DRAWINGS LIGHT HORIZONTAL}": "-",
        "\N{BOX DRAWINGS HEAVY HORIZONTAL}": "=",
        "\N{BOX DRAWINGS HEAVY LEFT}": "=",
        "\N{LEFT SINGLE QUOTATION MARK}": "'",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{LEFT DOUBLE QUOTATION MARK}": '"',
        "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    }
)


def number(value: float | None, decimals: int | None = None) -> str:
    """A number with the decimals given, else with three significant digits, an int whole; a dash when it is missing."""
    if value is None or not math.isfinite(value):
        return MISSING
    places = decimals if decimals is not None else 0 if isinstance(value, int) else _places(value, 3)
    return f"{value:z,.{places}f}".replace(",", NARROW)


def has_interval(estimate: Estimate) -> bool:
    """Whether there is an interval to show: n was large enough, both ends are numbers, and they differ."""
    low, high = estimate.low, estimate.high
    return low is not None and high is not None and math.isfinite(low) and math.isfinite(high) and low < high


def decimals_of(estimate: Estimate, scale: float = 1) -> int | None:
    """Decimals that show two significant digits of the interval's half-width; None without an interval.

    At least two of the estimate itself: an interval wider than the number would leave a 0 that nobody measured.
    """
    if estimate.low is None or estimate.high is None or not has_interval(estimate):
        return None
    largest = scale * max(abs(estimate.low), abs(estimate.high))
    wanted = max(_places(scale * (estimate.high - estimate.low) / 2, 2), _places(scale * abs(estimate.estimate), 2))
    return min(wanted, _places(largest, _MOST_DIGITS))


def point(estimate: Estimate | None, scale: float = 1) -> str:
    """The estimate alone, e.g. `1.730`, in the digits that its interval allows."""
    if estimate is None:
        return MISSING
    return number(scale * estimate.estimate, decimals_of(estimate, scale))


def interval(estimate: Estimate | None, scale: float = 1) -> str:
    """The interval alone, e.g. `[1.704, 1.757]`; empty without one."""
    if estimate is None or estimate.low is None or estimate.high is None or not has_interval(estimate):
        return ""
    places = decimals_of(estimate, scale)
    return f"[{number(scale * estimate.low, places)},{NARROW}{number(scale * estimate.high, places)}]"


def with_interval(estimate: Estimate | None) -> str:
    """E.g. `1.730 [1.704, 1.757]`."""
    return f"{point(estimate)} {interval(estimate)}".rstrip()


def percent(fraction: float | None, decimals: int | None = None) -> str:
    """A share, e.g. `6.2 %`; with one decimal unless told otherwise."""
    if fraction is None or not math.isfinite(fraction):
        return MISSING
    return f"{number(100 * fraction, 1 if decimals is None else decimals)}{NARROW}%"


def percent_point(estimate: Estimate | None) -> str:
    """A share that was estimated, e.g. `86.5 %`, in the digits that its interval allows."""
    text = point(estimate, 100)
    return text if text == MISSING else f"{text}{NARROW}%"


def percent_with_interval(estimate: Estimate | None) -> str:
    """E.g. `86.5 % [85.2, 87.9]`."""
    return f"{percent_point(estimate)} {interval(estimate, 100)}".rstrip()


def plus_minus(estimate: Estimate | None) -> str:
    """Half of the interval's width as a share of the estimate, e.g. `0.65 %`; `n=1` when there is no interval."""
    if estimate is None:
        return MISSING
    if estimate.low is None or estimate.high is None or not has_interval(estimate) or not estimate.estimate:
        return f"n={estimate.n}"
    share = (estimate.high - estimate.low) / 2 / abs(estimate.estimate)
    return percent(share, _places(100 * share, 2))


def size(many: float) -> str:
    """An amount of memory or disk, given in bytes, e.g. `412 MiB`."""
    unit, in_bytes = next((each for each in _UNITS if many >= each[1]), _UNITS[-1])
    return f"{number(many / in_bytes)}{NARROW}{unit}"


def duration(seconds: float) -> str:
    """A length of time in the words of a person who waits: `40 s`, `2 min`, `1 h 10 min`."""
    if seconds < 100:  # 95 s says more than 2 min
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def count(many: int, noun: str) -> str:
    """E.g. `1 rank`, `6 rounds`, `2 launches`."""
    plural = noun + ("es" if noun.endswith("ch") and noun != "epoch" else "s")
    return f"{number(many)} {noun if many == 1 else plural}"


def listed(items: Iterable[str]) -> str:
    """E.g. `a`, `a and b`, `a, b and c`."""
    *first, last = list(items) or [""]
    return f"{', '.join(first)} and {last}" if first else last


def clean(text: str) -> str:
    """Text from outside (names, reasons, log lines) on one line and without terminal codes or control characters."""
    return " ".join(printable(text).replace(NARROW, " ").split())


def cell(text: str) -> str:
    """Text for a cell of a CSV, clean; one that a spreadsheet would run as a formula has an apostrophe before it.

    As OWASP has it (CSV injection): what begins with `=`, `+`, `-` or `@`, or with their wide forms; tabs and carriage
    returns are no part of clean text. Numbers are no texts, and stay as they are.
    """
    bare = clean(text)
    return f"'{bare}" if bare.startswith(_FORMULAS) else bare


def to_ascii(text: str) -> str:
    """For streams that cannot show more; a letter without a likeness becomes its code point, never a silent gap."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_ASCII))
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return bare.encode("ascii", "backslashreplace").decode("ascii")


def _places(value: float, digits: int) -> int:
    """Decimals that show this many significant digits of a value; never fewer than none."""
    if not value or not math.isfinite(value):
        return 0
    return max(0, digits - 1 - int(f"{abs(value):.{digits - 1}e}".partition("e")[2]))
