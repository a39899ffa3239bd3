"""A study in small: the same program on every node, which becomes torchrun, then leads or follows.

    python torchrun_study.py FOLDER NODES HOST:PORT LAUNCH…

A launch is so many nodes, with so many steps: `2x15`. Before launch k it waits for the file `go-k` in the folder,
where it leaves `at-step` while the ranks are at work, and what became of it as `ending-k.json`.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from launchers import FOLLOW, SUBMIT, Command, Request, torchrun
from launchers.heartbeat import Beat

# The ranks' own file is beside this one, and not installed: its text goes over with what the ranks are told.
RANK = Path(__file__).with_name("gloo_rank.py")


def main() -> None:
    folder, nodes, rendezvous, *launches = sys.argv[1:]
    request = Request(
        name="study-of-the-tests",
        nodes=int(nodes),
        ranks_per_node=1,
        cores_per_rank=None,
        gpus_per_node=0,
        options={"rdzv": rendezvous},
    )
    role = torchrun.role(os.environ)
    if role == SUBMIT:
        torchrun.become((sys.executable, "-P", *sys.argv), request)
    if role == FOLLOW:
        sys.exit(torchrun.follow())
    launcher = torchrun.open(request)
    for number, launch in enumerate(launches):
        while not Path(folder, f"go-{number}").exists():
            time.sleep(0.05)
        nodes, _, steps = launch.partition("x")
        own = Path(folder, f"launch-{number}")
        own.mkdir()
        (own / "rank.py").write_text(RANK.read_text())
        command = Command(
            argv=(sys.executable, "-P", str(own / "rank.py"), steps),
            ranks=int(nodes),
            nodes=int(nodes),
            folder=own,
            environment={"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            cores=None,
            timeout_s=300,
            stall_s=120,
        )
        ending = launcher.launch(command, progress(Path(folder, "at-step")))
        draft = Path(folder, "ending.draft")
        draft.write_text(json.dumps(asdict(ending)))
        draft.rename(Path(folder, f"ending-{number}.json"))
    launcher.close()


def progress(file: Path) -> Callable[[list[Beat]], None]:
    def note(beats: list[Beat]) -> None:
        file.write_text(str(min(beat.step for beat in beats)))

    return note


if __name__ == "__main__":
    main()
