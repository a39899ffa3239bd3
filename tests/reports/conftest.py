"""Streams to write to, and the outputs that were read and approved by a person."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


class Stream(io.StringIO):
    """A text stream that says of itself what a test wants."""

    def __init__(self, *, is_terminal: bool = False, encoding: str = "utf-8") -> None:
        super().__init__()
        self._is_terminal = is_terminal
        self._encoding = encoding

    @property
    def encoding(self) -> str:
        return self._encoding

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.fixture
def stream() -> type[Stream]:
    return Stream


@pytest.fixture(autouse=True)
def a_plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer's shell says about colour and width decides nothing here."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "CI", "TTY_COMPATIBLE", "BENCH_STORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture
def approved() -> Callable[[str, str], None]:
    """Compare a text with the golden file of that name; BENCH_UPDATE_GOLDEN=1 writes it, for a person to read."""

    def check(text: str, name: str) -> None:
        file = GOLDEN / name
        if os.environ.get("BENCH_UPDATE_GOLDEN"):
            file.write_text(text, encoding="utf-8", newline="\n")
        with file.open(encoding="utf-8", newline="") as golden:
            assert text == golden.read(), f"{name} differs; if the new one is right: BENCH_UPDATE_GOLDEN=1 pytest"

    return check
