"""How long torchrun takes to end what we end in seconds: both in one run, with the same ranks and the same fault."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from gloo_ranks import gloo_command

from launchers.local import launch

pytestmark = pytest.mark.slow

TORCHRUN_RANK = """
import os, signal, time
from datetime import timedelta
from pathlib import Path
import torch
import torch.distributed as dist
dist.init_process_group("gloo", timeout=timedelta(seconds=3))
for step in range(200):
    if dist.get_rank() == 1 and step == 50:
        Path(os.environ["STRUCK"]).write_text(str(time.monotonic_ns()))
        os.kill(os.getpid(), signal.SIGSTOP)
    dist.all_reduce(torch.ones(1000))
"""


def since(struck: Path) -> float:
    """Seconds since a rank noted that it is about to go wrong."""
    return (time.monotonic_ns() - int(struck.read_text())) / 1e9


def test_torchrun_takes_longer_with_the_same_stopped_rank(tmp_path, environment) -> None:
    """Beside ours in one run: the same ranks, and the same 3 s after which silence is a fault."""
    command = gloo_command(tmp_path / "ours", "os.kill(os.getpid(), signal.SIGSTOP)", ranks=3, stall_s=3)
    assert launch(command, lambda _: None).status == "hang"
    ours_s = since(tmp_path / "ours" / "struck_ns")
    (tmp_path / "rank.py").write_text(TORCHRUN_RANK)
    struck = tmp_path / "struck_ns"
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "3")
    ended = subprocess.run(
        (*torchrun, str(tmp_path / "rank.py")),
        env=environment | {"STRUCK": str(struck)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    theirs_s = since(struck)
    assert ended.returncode != 0
    print(f"until nothing is left after a rank was stopped: ours {ours_s:.1f} s, torchrun {theirs_s:.1f} s")
    assert ours_s < theirs_s
