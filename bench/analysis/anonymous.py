"""A report without what belongs to one site or one moment. Pure.

A fingerprint names no host and no person, but commands, reasons and warnings are free text: they may quote paths, hosts
and addresses. Paths keep their last part, so that `…/my_model.py:build` still says what was trained.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from bench.analysis.report import Card, Report

_GONE = "…"
_HEX = "[0-9a-fA-F]{1,4}"
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s'\"]+"), f"{_GONE}"),  # a URL names a host
    # A quoted path may have blanks in it; its last part stays.
    (re.compile(r"(['\"])(?:~|[A-Za-z]:)?[/\\][^'\"\n]*[/\\]([^'\"/\\\n]+)\1"), rf"\1{_GONE}/\2\1"),
    (re.compile(r"(?<![\w.])[\w.+-]+@[\w-]+(?:\.[\w-]+)*(?::\S+)?"), _GONE),  # user@host
    (re.compile(r"(?<![\w…/.])(?:~|[A-Za-z]:)?[/\\](?:[^\s'\"/\\,;:()]+[/\\])+([^\s'\"/\\,;:()]+)"), rf"{_GONE}/\1"),
    (re.compile(r"(?<![\w…/])(?:~/|/(?=home|Users|root|tmp))([^\s'\"/\\,;:()]+)"), _GONE),
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b"), _GONE),  # IPv4
    (re.compile(r"\b(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}\b"), _GONE),  # MAC
    (re.compile(rf"(?<![\w:])(?:(?:{_HEX}:){{4,7}}{_HEX}|(?:{_HEX}:)*:(?::?{_HEX})+)(?![\w:])"), _GONE),  # IPv6
    (re.compile(r"\b(?:GPU|MIG)-[0-9a-fA-F]{8}(?:-[0-9a-fA-F]+)*"), _GONE),  # a card's own number
    (re.compile(r"(node \d+) \([^)]*\)"), r"\1"),  # what the node calls itself
    (re.compile(r"(--rdzv[ =])\S+"), rf"\1{_GONE}"),
)


def anonymous(report: Report, also: tuple[str, ...] = ()) -> Report:
    """The same report with every text cleaned, and no conditions of the moment.

    Args:
        report: what is to be given away.
        also: names that must not be left either: of this host and whoever is logged in.
    """
    cleaned: Report = _clean(report, _names(also))
    return replace(cleaned, anonymous=True)


def without_names(document: Any, also: tuple[str, ...] = ()) -> Any:
    """A document of plain JSON types with every text of it cleaned, keys included."""
    return _clean(document, _names(also))


def _names(also: tuple[str, ...]) -> re.Pattern[str] | None:
    words = sorted({each for each in also if len(each) > 2}, key=lambda each: (-len(each), each))
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)", re.IGNORECASE) if words else None


def _clean(value: Any, names: re.Pattern[str] | None) -> Any:
    if isinstance(value, str):
        return _text(value, names) if (inside := _parsed(value)) is None else json.dumps(_clean(inside, names))
    if isinstance(value, Card):
        value = _card(value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _clean(getattr(value, each.name), names) for each in fields(value)})
    if isinstance(value, Mapping):
        return {_clean(name, names): _clean(each, names) for name, each in value.items()}
    if isinstance(value, list | set | frozenset):
        return type(value)(_clean(each, names) for each in value)
    if isinstance(value, tuple):
        if value and isinstance(value[0], int | float):
            return value
        return tuple(_clean(each, names) for each in value)
    return value


def _parsed(text: str) -> dict[str, Any] | None:
    """A JSON object that stands in a text, as fingerprints are stored: cleaned as a text it would be none any more."""
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _text(text: str, names: re.Pattern[str] | None) -> str:
    if names is not None:  # a home folder may have blanks in its name: it is gone before paths are looked for
        text = names.sub(lambda found: _GONE if "/" in found[0] else found[0], text)
    for pattern, instead in _RULES:
        text = pattern.sub(instead, text)
    return names.sub(_GONE, text) if names is not None else text


def _card(card: Card) -> Card:
    """As `bench dna --anonymize`: no state of the moment, versions without a builder's suffix, no quoted reasons."""
    software = dict(card.software)
    if "kernel" in software:
        software["kernel"] = re.sub(r"^(\S+ \d+\.\d+).*", r"\1", software["kernel"])
    if "scaling-bench" in software:
        software["scaling-bench"] = software["scaling-bench"].partition("+")[0]
    return replace(
        card, software=software, conditions={}, unavailable=dict.fromkeys(card.unavailable, "left out by --anonymize")
    )
