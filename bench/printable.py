"""Text from outside (a model's error, a file's name, a class) fit to be shown: nothing in it acts on a terminal."""

import re

_CODES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?", re.DOTALL)
_OUR_OWN = "\u202f"  # narrow no-break space, within numbers


def printable(line: str) -> str:
    """A line without terminal codes, control characters and marks that turn the direction of text; spaces stay."""
    bare = _CODES.sub("", line)
    return "".join(char if char.isprintable() or char == _OUR_OWN else " " for char in bare)


def first_line(error: BaseException, otherwise: str | None = None) -> str:
    """Of what somebody else's error says, which may be long; of one that says nothing, `otherwise`, else its type."""
    return next(iter(str(error).splitlines()), type(error).__name__ if otherwise is None else otherwise)
