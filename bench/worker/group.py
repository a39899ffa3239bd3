"""The ranks of one launch: how a rank joins them, compared with the plan, and asks them for small agreements."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed import HashStore, PrefixStore, TCPStore  # type: ignore[attr-defined]

from bench import devices
from bench.dna import gpu
from bench.dna import hardware as identity
from bench.learn.copying import NotCopiedError
from bench.plan import Configuration
from bench.printable import first_line
from bench.version import __version__
from bench.worker.bootstrap import Rank
from launchers.heartbeat import Heart

_COLLECTIVE_TIMEOUT_S = 300.0
T = TypeVar("T")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class WorldMismatchError(RuntimeError):
    """The world that formed is not the one that was planned: no number may come of it."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """This rank's place among the ranks of one launch. With one plain process there is no group underneath."""

    rank: int
    world_size: int
    backend: str | None

    @property
    def joined(self) -> bool:
        return self.backend is not None

    def barrier(self, device: torch.device) -> None:
        """Wait until every rank is here and its device idle."""
        if not self.joined:
            return
        if self.backend == "nccl":
            dist.barrier(device_ids=[device.index])
            torch.cuda.synchronize(device)
        else:
            dist.barrier()

    def gather(self, value: Any) -> list[Any]:
        """Every rank's value, in order of ranks, on every rank."""
        if not self.joined:
            return [value]
        values: list[Any] = [None] * self.world_size
        dist.all_gather_object(values, value)
        return values

    def share(self, value: Any) -> Any:
        """Rank 0's value, on every rank."""
        values = [value]
        if self.joined:
            dist.broadcast_object_list(values, src=0)
        return values[0]

    def total(self, counts: torch.Tensor, device: torch.device) -> torch.Tensor:
        """The sum of a small tensor over all ranks, on the CPU."""
        if not self.joined:
            return counts
        moved = counts.to(device) if self.backend == "nccl" else counts
        dist.all_reduce(moved)
        return moved.cpu()

    def share_buffers(self, model: nn.Module) -> None:
        """Give every rank rank 0's buffers: running statistics of batch norm differ by rank until the next forward."""
        if self.joined:
            for buffer in model.buffers():
                dist.broadcast(buffer, src=0)

    def leave(self) -> None:
        if self.joined:
            dist.destroy_process_group()


def _form(rank: Rank, configuration: Configuration, launch_id: str, timeout_s: float) -> Group:
    """Form the process group of a DDP launch; a group of one otherwise, with nothing underneath.

    Rank 0 opens the store on the listening socket that it was handed, so no port is guessed and none can collide. Under
    torchrun there is no such socket, and its own rendezvous is used.
    """
    if configuration.strategy != "ddp":
        return Group(rank=rank.rank, world_size=rank.world_size, backend=None)
    limit = timedelta(seconds=timeout_s)
    options: dict[str, Any] = {"backend": configuration.backend, "timeout": limit}
    if rank.world_size == 1:
        options |= {"store": HashStore(), "rank": 0, "world_size": 1}
    elif "BENCH_RUN_FOLDER" in os.environ:
        first, handed = rank.rank == 0, os.environ.get("BENCH_LISTEN_FD")
        store = TCPStore(
            os.environ["MASTER_ADDR"],
            int(os.environ["MASTER_PORT"]),
            rank.world_size,
            is_master=first,
            timeout=limit,
            wait_for_workers=False,
            master_listen_fd=int(handed) if first and handed is not None else None,
        )
        options |= {"store": PrefixStore(launch_id, store), "rank": rank.rank, "world_size": rank.world_size}
    dist.init_process_group(**options)
    return Group(rank=dist.get_rank(), world_size=dist.get_world_size(), backend=configuration.backend)


def assert_world(
    group: Group,
    configuration: Configuration,
    *,
    node: int,
    place: str,
    threads: int,
    software: str,
    oversubscribed: bool,
) -> list[str]:
    """Hold the world that formed against the plan; returns every rank's piece of hardware.

    Raises:
        WorldMismatchError: another number of ranks or hosts, a device used twice, other threads than planned, or
            hosts with different versions.
    """
    place = place if configuration.nodes == 1 else f"node {node} {place}"
    seen = group.gather((group.rank, place, threads, node, software))
    places = [each for _, each, *_ in seen]
    if group.world_size != configuration.processes or [rank for rank, *_ in seen] != list(
        range(configuration.processes)
    ):
        raise WorldMismatchError(f"{len(seen)} ranks formed a world; {configuration.processes} were planned")
    hosts = [host for *_, host, _ in seen]
    if len(versions := sorted({each for *_, each in seen})) > 1:
        raise WorldMismatchError(f"hosts have different software: {'; '.join(versions)}")
    if hosts != [rank // configuration.ranks_per_node for rank in range(len(seen))] and configuration.nodes > 1:
        raise WorldMismatchError(f"ranks are on nodes {hosts}; {configuration.nodes} equal nodes were planned")
    pinned = not places[0].endswith("unpinned")
    if pinned and not oversubscribed and len(set(places)) < len(places):
        raise WorldMismatchError(f"ranks share a device: {', '.join(places)}")
    planned = configuration.cores_per_rank
    if planned is not None and any(count != planned for _, _, count, *_ in seen):
        raise WorldMismatchError(f"threads per rank are {[count for _, _, count, *_ in seen]}; {planned} were planned")
    return places


@dataclass(frozen=True, kw_only=True)
class World:
    """Where one rank trains, and among whom."""

    configuration: Configuration  # the row that it was compared with
    backend: ModuleType  # of bench.devices
    device: torch.device
    group: Group
    heart: Heart
    places: list[str]  # every rank's piece of hardware


def join(
    rank: Rank,
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
    # After the supervisor, who names the culprit of a hang; a collective that gives up first names a victim.
    group = _form(rank, configuration, launch_id, timeout_s=max(2 * stall_s, _COLLECTIVE_TIMEOUT_S))
    places = assert_world(
        group,
        configuration,
        node=rank.node,
        place=backend.place(device),
        threads=torch.get_num_threads(),
        software=f"torch {torch.__version__}, bench {__version__}",
        oversubscribed=oversubscribed,
    )
    return World(
        configuration=configuration, backend=backend, device=device, group=group, heart=rank.heart, places=places
    )


class NotProvenError(Exception):
    """Why something could not be found out: a part of a sentence, in one line."""


def agreed(group: Group, local: Callable[[], T]) -> T:
    """This rank's own value, once every rank has one.

    Raises:
        NotProvenError: on all ranks, when one of them has none.
    """
    value, why = None, None
    try:
        value = local()
    except Exception as error:  # noqa: BLE001 - the user's model may raise anything, and the others wait
        why = in_words(error)
    for rank, each in enumerate(group.gather(why)):
        if each is not None:
            raise NotProvenError(each if rank == 0 else f"rank {rank}: {each}")
    return value  # type: ignore[return-value] # None only where `local` gives it


def in_words(error: BaseException) -> str:
    """One line; a reason of ours as it is, anything else with the name of its kind."""
    first = first_line(error, "")
    if isinstance(error, NotProvenError | NotCopiedError):
        return first
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def host_tags(rank: Rank, nodes: int) -> tuple[str | None, str | None]:
    """A tag of the hardware (of each host's first rank) and one of the running machine; both None on one node.

    Unlike hosts, and one host under two names, must be seen; a tag tells nothing but whether two are equal.
    """
    if nodes == 1:
        return None, None
    hardware = identity.read(gpu.read()).values if rank.local_rank == 0 else None
    try:
        boot = _BOOT_ID.read_text()
    except OSError:  # not Linux
        boot = None
    return _tag(json.dumps(hardware, sort_keys=True, default=str) if hardware else None), _tag(boot)


def _tag(text: str | None) -> str | None:
    return None if text is None else hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
