"""What `bench push` and `bench pull` share: copy, say how far it is, tell what became of it."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TextIO

import click
from rich.control import Control
from rich.segment import ControlType

from bench.errors import DONE, PARTIAL
from bench.store import packing
from bench.store.commit import Store
from bench.store.place import Place
from bench.store.transfer import Transfer, transfer
from reports.text import fmt
from reports.text.console import console_for, wants_color

_SILENT_S = 2.0
_LINE_S = 60.0  # between lines where there is no live one
_DRAW_S = 0.5


def move(source: str, target: str, studies: tuple[str, ...], *, logs: bool, schema: str, as_json: bool) -> int:
    """Copy studies from one place to another; returns the exit code.

    Raises:
        BenchError: no such place, store or study; or one of the places cannot be read or written.
    """
    here, there = Place.at(source), Place.at(target)
    progress = _Progress(sys.stderr)
    try:
        transferred = transfer(here, there, studies, logs=logs, tell=(lambda *_: None) if as_json else progress.tell)
    finally:
        progress.end()
    if there.folder is not None:  # packs are not carried: a place makes its own of what arrived there
        for study_id in transferred.studies:
            packing.pack(Store(there.folder), study_id)
    code = PARTIAL if transferred.refused else DONE
    if as_json:
        document = {"schema": schema, "source": here.url, "destination": there.url, **asdict(transferred), "exit": code}
        click.echo(json.dumps(document, indent=2))
        return code
    click.echo(_sentence(transferred, there.url))
    for each in (*transferred.refused, *transferred.notes):
        click.echo(f"warning: {each}", err=True)
    return code


def _sentence(transferred: Transfer, target: str) -> str:
    studies = f"{len(transferred.studies)} {'study' if len(transferred.studies) == 1 else 'studies'}"
    if not transferred.files:
        return f"Nothing to copy: {studies} looked at, {fmt.count(transferred.present, 'file')} there already."
    copied = f"{fmt.count(transferred.files, 'file')} ({transferred.bytes / 1e6:.1f} MB)"
    already = f"; {fmt.number(transferred.present)} were there already" if transferred.present else ""
    return f"Copied {copied} of {studies} to {target}: {fmt.count(transferred.launches, 'launch')} new there{already}."


class _Progress:
    """A line about how far it is, once it takes long: redrawn on a terminal, else a new one a minute."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._next = clock() + _SILENT_S
        self._drawn = False

    def tell(self, done: int, total: int) -> None:
        now = self._clock()
        if now < self._next:
            return
        console = console_for(self._stream)
        live = self._stream.isatty() and wants_color()
        self._next = now + (_DRAW_S if live else _LINE_S)
        if live:
            console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))
        console.print(f"{done} of {total} files", end="" if live else "\n", soft_wrap=True)
        self._drawn = live

    def end(self) -> None:
        if self._drawn:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()
        self._drawn = False
