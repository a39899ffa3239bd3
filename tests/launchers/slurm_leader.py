"""The leader of a job in the test cluster: runs the launches that a JSON file names, and tells how each ended.

    python slurm_leader.py PLAN.json

A plan is {"endings": FILE, "launches": [{"folder": …, "nodes": …, "body": …}, …]}. As soon as all
ranks of a launch have made a step its folder holds `moving`.
"""

import json
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path

from launchers import Request, slurm
from tests.launchers.scripted_ranks import command_for


def main() -> None:
    plan = json.loads(Path(sys.argv[1]).read_text())
    request = Request(name="test", nodes=3, ranks_per_node=1, cores_per_rank=None, gpus_per_node=0)
    launcher = slurm.open(request)
    for asked in plan["launches"]:
        # What an earlier attempt of this job left is not this one's.
        folder = Path(f"{asked['folder']}.a{os.environ.get('SLURM_RESTART_COUNT', '0')}")
        command = command_for(folder, asked["body"], ranks=asked["nodes"])

        def watch(beats, folder=folder) -> None:
            if all(beat.step for beat in beats):
                (folder / "moving").touch()

        ending = launcher.launch(replace(command, nodes=asked["nodes"]), watch)
        with Path(plan["endings"]).open("a") as endings:
            endings.write(json.dumps(asdict(ending)) + "\n")
    launcher.close()


if __name__ == "__main__":
    main()
