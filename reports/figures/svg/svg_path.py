"""Path data of an SVG, short: relative, one decimal, no separator that is not needed. A line's point takes 7 bytes."""

import re
from collections.abc import Iterable

_COMMAND = re.compile(r"([MLHVCQZ])([^MLHVCQZ]*)")
NUMBER = re.compile(r"-?\d*\.?\d+(?:e-?\d+)?")


def compact(text: str, shift: tuple[float, float] = (0.0, 0.0)) -> str:
    """The same path, moved by `shift`. Of the commands matplotlib writes: M, L, C, Q and Z, with absolute numbers.

    Rounding does not add up: every step starts where the rounded path is, not where the exact one was.

    >>> compact("M 10.04 20 L 12.5 20 L 12.5 18.25 Z")
    'M10 20h2.5v-1.8z'
    """
    out = []
    at = start = (0.0, 0.0)
    before = ""
    for command, arguments in _COMMAND.findall(text):
        if command == "Z":
            out.append("z")
            at, before = start, ""
            continue
        numbers = [float(each) for each in NUMBER.findall(arguments)]
        pairs = [(x + shift[0], y + shift[1]) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
        if command == "M":
            at = start = (_round(pairs[0][0]), _round(pairs[0][1]))
            out.append(f"M{_listed(at)}")
            before = "L"
            continue
        steps = [(_round(x - at[0]), _round(y - at[1])) for x, y in pairs]
        at = (_round(at[0] + steps[-1][0]), _round(at[1] + steps[-1][1]))
        letter, values = _shortest(command, steps)
        steps_as_text = _listed(values)
        is_joined = letter == before and steps_as_text.startswith("-")  # the sign separates
        out.append(steps_as_text if is_joined else f"{' ' if letter == before else letter}{steps_as_text}")
        before = letter
    return "".join(out)


def dots(places: Iterable[tuple[float, float]]) -> str:
    """Points as a path of lines without length, which round line caps make visible; one for all at the same place."""
    return "".join(dict.fromkeys(f"M{_listed(place)}h0" for place in places))


def short(value: float) -> str:
    """A number with at most one decimal and no zero that says nothing."""
    text = f"{_round(value):.1f}".removesuffix(".0")
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def _shortest(command: str, steps: list[tuple[float, float]]) -> tuple[str, list[float]]:
    if command == "L" and not steps[0][1]:
        return "h", [steps[0][0]]
    if command == "L" and not steps[0][0]:
        return "v", [steps[0][1]]
    return command.lower(), [value for step in steps for value in step]


def _listed(values: Iterable[float]) -> str:
    texts = list(map(short, values))
    return texts[0] + "".join(text if text.startswith("-") else f" {text}" for text in texts[1:])


def _round(value: float) -> float:
    return round(value, 1) + 0.0
