"""torch's flight recorder: the last collectives of each rank, written to a file when a hang is ended. NCCL only.

A rank's watchdog of NCCL looks once a second at a named pipe, and writes the dump (to be read with `torchfrtrace`) when
somebody has written into it. Names as in torch's FlightRecorder.hpp and ProcessGroupNCCL.hpp; the older ones beside
them.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

ENTRIES = "2000"  # torch's own default: recording them costs nothing that it would not cost anyway
DUMP_S = 3.0  # for the watchdog to look, and to write
WANTED = {"TORCH_NCCL_DUMP_ON_TIMEOUT": "1"}  # what a launch over NCCL sets


def settings(folder: Path) -> dict[str, str]:
    """Variables that have each rank keep its dump in the launch's folder; nothing but NCCL reads them."""
    dump = str(folder / "nccl_trace_rank_")
    return {
        "TORCH_FR_BUFFER_SIZE": ENTRIES,
        "TORCH_NCCL_TRACE_BUFFER_SIZE": ENTRIES,
        "TORCH_FR_DUMP_TEMP_FILE": dump,
        "TORCH_NCCL_DEBUG_INFO_TEMP_FILE": dump,
        "TORCH_NCCL_DEBUG_INFO_PIPE_FILE": str(folder / "nccl_dump_rank_"),
    }


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether a launch with these variables would write a dump when asked."""
    return WANTED.items() <= environment.items()


def ask(folder: Path, rank: int) -> None:
    """Ask a rank for its dump; one without a pipe, or that no longer reads it, is let be."""
    with suppress(OSError):
        pipe = os.open(folder / f"nccl_dump_rank_{rank}.pipe", os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(pipe, b"1\n")
        finally:
            os.close(pipe)
