"""Numbers within sentences of the analysis: digits that follow the number, and no exponent where a person reads one."""

import math

_PLAIN = (1e-4, 1e15)  # between these a number is written out


def significant(value: float, digits: int) -> str:
    """So many significant digits, whole numbers whole: 0.05, 1.2, 101, 1250000. Beyond any plain size, an exponent.

    >>> significant(101.1, 2)
    '101'
    """
    if not math.isfinite(value):
        return "infinite" if math.isinf(value) else "NaN"
    if value and not _PLAIN[0] <= abs(value) < _PLAIN[1]:
        return f"{value:.{digits}g}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if places else text


def span(low: float, high: float) -> str:
    """An interval of a ratio, e.g. `0.958 to 0.961`."""
    return f"{significant(low, 4)} to {significant(high, 4)}"


def percent(share: float, sign: str = "") -> str:
    """A share that was estimated, with one decimal as in every table: `101.1 %`, with `+` in front where asked."""
    return f"{100 * share:{sign}.1f} %"


def limit(share: float) -> str:
    """A share that somebody set, as they would write it: `2 %`."""
    return f"{significant(100 * share, 4)} %"
