"""How a rank comes to its place: device and threads taken, the group formed, and both compared with the plan."""

from dataclasses import dataclass
from types import ModuleType

import torch

from bench import devices
from bench.version import __version__
from bench.worker import bootstrap, group, job
from bench.worker.process_state import Watch

_COLLECTIVE_TIMEOUT_S = 300.0


@dataclass(frozen=True, kw_only=True)
class Joined:
    """Where one rank of a launch trains."""

    backend: ModuleType  # of bench.devices
    device: torch.device
    group: group.Group
    places: list[str]  # every rank's piece of hardware
    watch: Watch  # of this process, as it was when it joined


def join(rank: bootstrap.Rank, told: job.Job) -> Joined:
    """Take the place.

    Raises:
        WorldMismatchError: the ranks that met are not those that were planned.
    """
    configuration, precision = told.configuration, told.workload.precision
    rank.heart.enter("joining")
    backend = devices.load(configuration.device)
    devices.set_float32_precision(precision)
    device = backend.prepare(rank.local_rank, configuration.cores_per_rank)
    joined = group.join(
        configuration,
        rank=rank.rank,
        world_size=rank.world_size,
        launch_id=told.launch_id,
        # After the supervisor, who names the culprit of a hang; a collective that gives up first names a victim.
        timeout_s=max(2 * told.stall_s, _COLLECTIVE_TIMEOUT_S),
    )
    places = group.assert_world(
        joined,
        configuration,
        node=rank.node,
        place=backend.place(device),
        threads=torch.get_num_threads(),
        software=f"torch {torch.__version__}, bench {__version__}",
        oversubscribed=told.oversubscribed,
    )
    return Joined(backend=backend, device=device, group=joined, places=places, watch=Watch(device, precision))
