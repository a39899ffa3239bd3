"""The connection between a leader and the agent of a node: JSON and bytes, never a pickle, and nobody without the key.

A message is one object of JSON with its "kind", a line end, and bytes that belong to it, such as a piece of a file.
"""

import hashlib
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge
from pathlib import Path
from typing import Any

KEY_NAME = "BENCH_AGENT_KEY"
PING_S = 1.0  # a leader speaks at least this often
SILENCE_S = 10.0  # and who has heard nothing for this long takes the other for gone

_HANDSHAKE_S = 10.0
_RETRY_S = 0.2
_LARGEST_BYTES = 1 << 24
_PIECE_BYTES = 1 << 18  # of a file: every piece is a sign of life, on a slow link too


class NoConnectionError(OSError):
    """The leader cannot be reached, or does not know our key."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """What one end sent the other."""

    kind: str
    facts: Mapping[str, Any]
    body: bytes
    received_ns: int  # monotonic clock of who receives it


class Wire:
    """One end of a connection on which both have shown that they have the key."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.settimeout(None)
        # By the kernel: a link that goes down in the middle of a message must not hold us for ever.
        for limit in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            connected.setsockopt(socket.SOL_SOCKET, limit, struct.pack("ll", int(SILENCE_S), 0))
        self._socket = connected
        self._connection: Connection[bytes, bytes] = Connection(os.dup(connected.fileno()))
        self._send_lock = threading.Lock()

    @property
    def own_address(self) -> str:
        """The address by which this host reaches the other."""
        return str(self._socket.getsockname()[0])

    def challenge(self, key: bytes, *, first: bool) -> None:
        """Have both ends show that they have the key; the one that listens asks first.

        Raises:
            OSError: the other has another key, or is something else altogether.
        """
        try:
            for ask in (first, not first):
                (deliver_challenge if ask else answer_challenge)(self._connection, key)
        except (AuthenticationError, AssertionError, EOFError, ValueError) as error:
            raise NoConnectionError(f"the other end has another key ({error})") from error

    def send(self, kind: str, body: bytes = b"", **facts: Any) -> None:
        """Send a message; any thread may.

        Raises:
            ConnectionError: the connection has broken, or nothing has gone out for 10 s.
        """
        raw = json.dumps({"kind": kind, **facts}).encode() + b"\n" + body
        try:
            with self._send_lock:
                self._connection.send_bytes(raw)
        except OSError as error:
            raise ConnectionError(f"the connection has broken ({error})") from error

    def recv(self, timeout_s: float) -> Message | None:
        """The next message; None when there is none for this long.

        Raises:
            ConnectionError: the connection has broken, or what came is no message of ours.
        """
        try:
            if not self._connection.poll(timeout_s):
                return None
            header, _, body = self._connection.recv_bytes(_LARGEST_BYTES).partition(b"\n")
            facts = json.loads(header)
            return Message(kind=facts.pop("kind"), facts=facts, body=body, received_ns=time.monotonic_ns())
        except (OSError, EOFError, ValueError, KeyError) as error:
            raise ConnectionError(f"the connection has ended ({error})") from error

    def shutdown(self) -> None:
        """End the connection, for both; any thread may, and whoever listens at either end learns it at once."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the connection back to the system; only for the thread that receives."""
        self.shutdown()
        with self._send_lock:
            self._connection.close()
        self._socket.close()


def key_of(environ: Mapping[str, str], name: str | None = None) -> bytes:
    """The key of a study: BENCH_AGENT_KEY, else made of the name of its rendezvous.

    A name keeps two studies of one network apart; only a key that is secret keeps strangers out.

    Raises:
        LookupError: neither is known.
    """
    secret = environ.get(KEY_NAME) or name
    if not secret:
        raise LookupError(f"set {KEY_NAME} to the same secret words on every node")
    return hashlib.sha256(f"bench agent {secret}".encode()).digest()


def connect(host: str, port: int, key: bytes, *, patience_s: float) -> Wire:
    """Reach a leader that may not listen yet.

    Raises:
        NoConnectionError: nobody answers there for `patience_s`, or who does has another key.
    """
    until_s = time.monotonic() + patience_s
    while True:
        try:
            wire = Wire(socket.create_connection((host, port), timeout=_HANDSHAKE_S))
        except OSError as error:
            if time.monotonic() >= until_s:
                raise NoConnectionError(f"nobody answers at {host}:{port} for {patience_s:g} s ({error})") from error
            time.sleep(_RETRY_S)
            continue
        try:
            wire.challenge(key, first=False)
        except OSError as error:
            wire.close()
            raise NoConnectionError(f"{host}:{port} does not take us in: {error}") from error
        return wire


def pieces_of(file: Path) -> Iterator[tuple[dict[str, Any], bytes]]:
    """A file, as facts and bodies of messages of kind "file"; see `save_piece`."""
    with file.open("rb") as opened:
        written = os.fstat(opened.fileno())
        last = False
        while not last:
            body = opened.read(_PIECE_BYTES)
            last = len(body) < _PIECE_BYTES
            # An age and not a time: the clocks of two hosts differ.
            yield {"name": file.name, "last": last, "age_ns": time.time_ns() - written.st_mtime_ns}, body


def save_piece(message: Message, folder: Path) -> None:
    """Take a piece of a file into a folder; the file is there once its last piece is, and as old as it was.

    Raises:
        OSError: it cannot be written, or its name is not that of a file in this folder.
    """
    name = str(message.facts["name"])
    if "/" in name or name in {"", ".", ".."}:
        raise OSError(f"{name!r} is no plain file name")
    draft = folder / f".{name}.part"
    with draft.open("ab") as opened:
        opened.write(message.body)
    if message.facts["last"]:
        received_ns = time.time_ns() - (time.monotonic_ns() - message.received_ns)
        written_ns = received_ns - max(0, int(message.facts["age_ns"]))
        os.utime(draft, ns=(written_ns, written_ns))
        draft.replace(folder / name)
