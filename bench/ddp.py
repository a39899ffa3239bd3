"""Options of torch's DistributedDataParallel, as one text: `bucket_cap_mb=50,find_unused_parameters=true`. Pure."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

DEFAULTS: Mapping[str, bool | float] = {"gradient_as_bucket_view": True}  # ours where they differ from torch's
SWITCHES = (
    "broadcast_buffers",
    "find_unused_parameters",
    "gradient_as_bucket_view",
    "static_graph",
)
NUMBERS = ("bucket_cap_mb",)
_ALL = tuple(sorted(SWITCHES + NUMBERS))
_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def parse(text: str) -> dict[str, bool | float]:
    """The options that a text names.

    Raises:
        ValueError: no such option, a value it cannot have, or one option twice.
    """
    found: dict[str, bool | float] = {}
    for word in filter(None, (each.strip() for each in text.split(","))):
        name, equals, value = (part.strip() for part in word.partition("="))
        if name not in _ALL:
            near = get_close_matches(name, _ALL, n=1)
            raise ValueError(
                f"has no option {name!r}" + (f" (did you mean {near[0]}?)" if near else f": {', '.join(_ALL)}")
            )
        if name in found:
            raise ValueError(f"names {name} twice")
        found[name] = _value(name, value if equals else "true")
    return found


def _value(name: str, text: str) -> bool | float:
    if name in SWITCHES:
        if text.lower() not in _WORDS:
            raise ValueError(f"should say {name}=true or {name}=false, not {text!r}")
        return _WORDS[text.lower()]
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ValueError(f"should have a number of MB above 0 for {name}, not {text!r}")
    return number


def canonical(text: str) -> str:
    """One spelling of what a text says, so that equal options are equal texts.

    Raises:
        ValueError: as `parse`.
    """
    texts = {
        name: str(value).lower() if isinstance(value, bool) else f"{value:g}" for name, value in parse(text).items()
    }
    return ",".join(f"{name}={texts[name]}" for name in sorted(texts))


def options(text: str) -> dict[str, Any]:
    """Keyword arguments of DistributedDataParallel: ours, and what the text says."""
    return {**DEFAULTS, **parse(text)}
