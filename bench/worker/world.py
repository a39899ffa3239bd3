"""How a rank joins its world: device and threads taken, the group formed, and both compared with the plan."""

from dataclasses import dataclass
from types import ModuleType

import torch

from bench import devices
from bench.plan import Configuration
from bench.version import __version__
from bench.worker import bootstrap, group
from launchers.heartbeat import Heart

_COLLECTIVE_TIMEOUT_S = 300.0


@dataclass(frozen=True, kw_only=True)
class World:
    """Where one rank trains, and among whom."""

    configuration: Configuration  # the row that it was compared with
    backend: ModuleType  # of bench.devices
    device: torch.device
    group: group.Group
    heart: Heart
    places: list[str]  # every rank's piece of hardware


def join(
    rank: bootstrap.Rank,
    configuration: Configuration,
    precision: str,
    *,
    launch_id: str,
    oversubscribed: bool,
    stall_s: float = 0.0,
) -> World:
    """Take the place; without a step for `stall_s` the supervisor ends the launch.

    Raises:
        WorldMismatchError: the ranks that met are not those that were planned.
    """
    rank.heart.enter("joining")
    backend = devices.load(configuration.device)
    devices.set_float32_precision(precision)
    device = backend.prepare(rank.local_rank, configuration.cores_per_rank)
    joined = group.join(
        configuration,
        rank=rank.rank,
        world_size=rank.world_size,
        launch_id=launch_id,
        # After the supervisor, who names the culprit of a hang; a collective that gives up first names a victim.
        timeout_s=max(2 * stall_s, _COLLECTIVE_TIMEOUT_S),
    )
    places = group.assert_world(
        joined,
        configuration,
        node=rank.node,
        place=backend.place(device),
        threads=torch.get_num_threads(),
        software=f"torch {torch.__version__}, bench {__version__}",
        oversubscribed=oversubscribed,
    )
    return World(
        configuration=configuration, backend=backend, device=device, group=joined, heart=rank.heart, places=places
    )
