"""What `bench` prints: a stream that cannot be written costs its words, and never the study that they are about.

A reader that left (`bench ls | head -1`) is no failure. Anything else that is lost of stdout is, once all is done.
"""

import errno
import io
import os
import select
import sys
from contextlib import suppress
from typing import Any, TextIO


class _Unfailing(io.RawIOBase):
    """A file descriptor whose writes never raise; the first error that is no reader's leaving is kept."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.lost: OSError | None = None

    def write(self, data: Any, /) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:  # somebody made the terminal non-blocking
            select.select((), (self._descriptor,), (), 1.0)
            return 0
        except OSError as error:
            if error.errno != errno.EPIPE:
                self.lost = self.lost or error
            return len(data)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)


def say(line: str) -> None:
    """A line for whoever waits, beside what stdout is for."""
    print(line, file=sys.stderr, flush=True)


class Output:
    """Both streams of this process, from `installed`."""

    def __init__(self) -> None:
        self._stdout, sys.stdout = _unfailing(sys.stdout)
        _, sys.stderr = _unfailing(sys.stderr)

    def lost(self) -> str | None:
        """Why something of stdout is lost; None when nothing is, or when its reader left."""
        with suppress(OSError, ValueError, AttributeError):  # closed, replaced or not there
            sys.stdout.flush()
        error = self._stdout.lost if self._stdout else None
        return (error.strerror or str(error)) if error else None


def _unfailing(stream: TextIO) -> tuple[_Unfailing | None, TextIO]:
    """The stream, so that writing to it never fails; as it is where it is closed or a test has replaced it."""
    if stream is None or stream not in {sys.__stdout__, sys.__stderr__} or stream.closed:
        return None, stream
    raw = _Unfailing(stream.fileno())
    wrapped = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=getattr(stream, "line_buffering", False),
        write_through=getattr(stream, "write_through", False),
    )
    return raw, wrapped
