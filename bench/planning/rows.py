"""Which rows a study has on a machine, which of them cannot run and why, and when to refuse the whole. Pure."""

import math
from dataclasses import dataclass

from bench.dna.machine import CPU_ONLY, Machine
from bench.errors import CannotError, UsageError
from bench.plan import Configuration, Unrunnable
from bench.planning.placement import device_of
from bench.settings import Settings

LADDER_TOP_CPU = 8  # more ranks on one host add no hardware: they are run when asked for, not assumed
AUTO_TOP = 4


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows of a study."""

    baseline: Configuration
    runnable: tuple[Configuration, ...]
    unrunnable: tuple[Unrunnable, ...]
    oversubscribed: bool  # some row wants more cores than there are


@dataclass(frozen=True, kw_only=True)
class _Request:
    """What was asked for, with everything left open decided for one machine."""

    verb: str
    settings: Settings
    machine: Machine
    device: str
    capacity: int  # ranks that find a place: cores, CUDA devices, or the one MPS device
    ranks: tuple[int, ...]  # ascending
    strategies: tuple[str, ...]
    strategies_said: bool
    nodes: tuple[int, ...]  # ascending; empty: this host
    ranks_per_node: int
    cores: int | None  # of every rank; None: not bound

    def configuration(self, strategy: str, ranks: int = 1, cores: int | None = None, nodes: int = 1) -> Configuration:
        scale = self.settings.scale
        weak = scale.scaling == "weak"
        backend = scale.backend or ("nccl" if self.device == "cuda" else "gloo")
        return Configuration(
            strategy=strategy,
            ranks=ranks,
            device=self.device,
            backend=backend if strategy == "ddp" else None,
            cores_per_rank=cores or self.cores,
            batch_per_rank=scale.batch if weak else scale.batch // ranks,
            batch_global=scale.batch * ranks if weak else scale.batch,
            nodes=nodes,
            ddp=scale.ddp if strategy == "ddp" else "",
        )


def rows_of(settings: Settings, machine: Machine, *, one_row: bool = False) -> Rows:
    """The plain baseline always, then what was asked for: `single` with all cores on CPUs, DDP and DataParallel.

    Raises:
        UsageError: the request contradicts itself.
        CannotError: no row that was asked for can run here.
    """
    request = _settle(settings, machine, one_row=one_row)
    _check_consistent(request)
    baseline = request.configuration("single")
    rows = [] if one_row else [baseline]
    if "single" in request.strategies:
        rows += [baseline] if one_row else _all_cores(request)
    if request.nodes:
        per_node = request.ranks_per_node
        rows += [request.configuration("ddp", nodes * per_node, nodes=nodes) for nodes in request.nodes]
    elif "ddp" in request.strategies:
        rows += [request.configuration("ddp", ranks) for ranks in request.ranks]
    if "dp" in request.strategies:  # over one device it is the plain run
        several = [ranks for ranks in request.ranks if ranks > 1]
        rows += [request.configuration("dp", ranks) for ranks in several or request.ranks]
    obstacles = {row.key: _obstacle(request, row) for row in rows}
    runnable = tuple(row for row in rows if obstacles[row.key] is None)
    unrunnable = tuple(Unrunnable(configuration=row, reason=why) for row in rows if (why := obstacles[row.key]))
    if not any(_asked_for(request, row) for row in runnable):
        raise _refusal(request, unrunnable)
    oversubscribed = [row for row in runnable if _cores_per_node(row) > len(machine.cpu_ids)]
    if oversubscribed and not settings.scale.allow_oversubscribe:
        raise _too_few_cores(request, oversubscribed[-1])
    return Rows(baseline=baseline, runnable=runnable, unrunnable=unrunnable, oversubscribed=bool(oversubscribed))


def _settle(settings: Settings, machine: Machine, *, one_row: bool) -> _Request:
    scale = settings.scale
    device = device_of(scale.device, machine)
    capacity = {"cpu": machine.cores.places, "cuda": machine.cuda_devices, "mps": int(machine.mps)}[device]
    nodes, per_node = _nodes(settings, capacity if device != "cpu" else 1)
    ranks, strategies = scale.ranks, scale.strategy
    if nodes:
        ranks = tuple(count * per_node for count in nodes)
        strategies = strategies or (("ddp",) if one_row else ("single", "ddp"))
    if one_row:  # a profile's lists are a study's, and say nothing about one row
        ranks = None if settings.origins["scale.ranks"].startswith("profile ") else ranks
        strategies = None if settings.origins["scale.strategy"].startswith("profile ") else strategies
        strategies = strategies or (("single",) if ranks in {None, (1,)} else ("ddp",))
        if ranks is None:
            ranks = (1,) if strategies == ("single",) else "auto"
    if ranks is None:
        settled = _ladder(min(capacity, LADDER_TOP_CPU) if device == "cpu" else capacity)
    else:
        settled = (_auto(capacity),) if isinstance(ranks, str) else tuple(sorted(set(ranks)))
    cores = scale.cores_per_rank
    if cores is None and device == "cpu":
        cores = max(1, capacity // (per_node if nodes else settled[-1]))
    request = _Request(
        verb="bench run" if one_row else "bench scale",
        settings=settings,
        machine=machine,
        device=device,
        capacity=capacity,
        ranks=settled,
        strategies=strategies or _usual_strategies(device, capacity, settled),
        strategies_said=strategies is not None,
        nodes=nodes,
        ranks_per_node=per_node,
        cores=cores,
    )
    if one_row and (len(request.ranks) > 1 or len(request.strategies) > 1):
        raise UsageError("bench run takes one strategy and one number of ranks", "for several: bench scale")
    return request


def _nodes(settings: Settings, places: int) -> tuple[tuple[int, ...], int]:
    """Numbers of hosts, ascending, and the ranks on each; no hosts at all where none were asked for."""
    scale, launcher = settings.scale, settings.study.launcher
    if scale.nodes is None:
        if launcher != "local":
            raise UsageError(f"--launcher {launcher} needs to know how many hosts", "add --nodes 1,2,4")
        return (), places
    if launcher == "local":
        raise UsageError("--nodes needs a launcher that reaches other hosts", "add --launcher torchrun or slurm")
    if scale.ranks is not None and not settings.origins["scale.ranks"].startswith("profile "):
        raise UsageError("--nodes and --ranks both count ranks", "with --nodes say --ranks-per-node N")
    if scale.strategy is not None and "ddp" not in scale.strategy:
        raise UsageError("several hosts are joined by ddp alone", "leave --strategy out, or add ddp to it")
    return tuple(sorted(set(scale.nodes))), scale.ranks_per_node or max(1, places)


def _ladder(capacity: int) -> tuple[int, ...]:
    """1, 2, 4, … and the capacity itself."""
    powers = [2**power for power in range(max(1, capacity).bit_length())]
    return tuple(sorted({*powers, max(1, capacity)}))


def _auto(capacity: int) -> int:
    """One N that shows scaling on any machine: 4 or 2, or 1 where there is no second place."""
    return max(power for power in (1, 2, AUTO_TOP) if power <= max(1, capacity))


def _usual_strategies(device: str, capacity: int, ranks: tuple[int, ...]) -> tuple[str, ...]:
    several = ranks[-1] > 1
    if device == "cuda":
        return ("single", "ddp", "dp") if capacity > 1 and several else ("single", "ddp")
    return ("single", "ddp") if device == "cpu" or several else ("single",)


def _all_cores(request: _Request) -> list[Configuration]:
    """On CPUs: one process with every core, which is what a user would do instead of starting ranks.

    Second threads of the cores are left out, as torch leaves them out, unless one core is all there is.
    """
    cores = len(request.machine.cores.cores)
    usable = cores if cores > 1 else len(request.machine.cpu_ids)
    if request.device != "cpu" or request.cores == usable:
        return []
    return [request.configuration("single", cores=usable)]


def _check_consistent(request: _Request) -> None:
    scale, measure = request.settings.scale, request.settings.measure
    if scale.ddp and request.settings.origins["scale.ddp"] == "--ddp" and "ddp" not in request.strategies:
        raise UsageError("--ddp sets options of ddp, and no row is ddp", "add --ranks 2, or --strategy ddp")
    if scale.backend == "nccl" and request.device != "cuda":
        raise UsageError(f"backend nccl moves data between CUDA devices, not on {request.device}", "use --backend gloo")
    if measure.precision == "tf32" and request.device != "cuda":
        raise UsageError(
            f"tf32 is a mode of NVIDIA GPUs; {request.device} has none", "use --precision fp32 or --precision bf16"
        )
    if measure.epochs and request.settings.data.name == "synthetic":
        raise UsageError("synthetic data has no epochs and nothing to test on", "use --steps, --seconds or real --data")
    _check_kept(request.settings)
    uneven = [ranks for ranks in request.ranks if scale.batch % ranks]
    if scale.scaling == "strong" and uneven and request.strategies != ("single",):
        step = math.lcm(*request.ranks)
        below, above = scale.batch // step * step, scale.batch // step * step + step
        fitting = " or ".join(f"--batch {batch}" for batch in (below, above) if batch)
        raise UsageError(
            f"a global batch of {scale.batch} cannot be shared equally by {uneven[0]} ranks",
            f"strong scaling needs a batch that every number of ranks divides: {fitting}",
        )


def _check_kept(settings: Settings) -> None:
    keep = settings.keep
    if settings.measure.epochs is None and (keep.checkpoint or keep.start is not None):
        flag = "--checkpoint" if keep.checkpoint else "--from"
        raise UsageError(f"{flag} is for training in epochs; a window of steps or seconds has none", "add --epochs N")
    if keep.checkpoint_steps is not None and not keep.checkpoint:
        raise UsageError("--checkpoint-steps needs to know what to keep", "add --checkpoint last")


def _obstacle(request: _Request, row: Configuration) -> str | None:
    """Why this machine cannot run a row; None when it can."""
    machine = request.machine
    if row.device == "mps":
        if not machine.mps:
            return "this machine shows no Apple GPU"
        return None if row.strategy == "single" else "one MPS device: nothing to spread over"
    if row.strategy == "dp" and row.device != "cuda":
        return f"DataParallel drives several CUDA devices from one process; on {row.device} use ddp"
    if row.device == "cuda" and row.ranks_per_node > request.capacity:
        return f"needs {_count(row.ranks_per_node, 'CUDA device')}, this machine shows {request.capacity}"
    if row.strategy == "dp" and row.ranks == 1:
        return "DataParallel over one device is the plain run"
    return None


def _asked_for(request: _Request, row: Configuration) -> bool:
    """Rows that come along without having been asked for are no reason to start."""
    return row.strategy in request.strategies if request.strategies_said else row.ranks in request.ranks


def _cores_per_node(row: Configuration) -> int:
    return row.processes // row.nodes * (row.cores_per_rank or 0)


def _too_few_cores(request: _Request, row: Configuration) -> UsageError:
    usable, cores = len(request.machine.cpu_ids), row.cores_per_rank or 1
    ranks = row.processes // row.nodes
    fitting = sorted({count for count in (*request.ranks, usable // cores) if 0 < count * cores <= usable})
    ways = [f"--ranks {','.join(map(str, fitting))}"] if fitting else []
    if request.nodes:
        ways = [f"--ranks-per-node {usable // cores}"] if usable >= cores else []
    if cores > 1 and ranks <= usable:
        ways.append(f"--cores-per-rank {usable // ranks}")
    ways.append("--allow-oversubscribe, which shares cores and says so")
    return UsageError(
        f"{_count(ranks, 'rank')} x {_count(cores, 'core')} need {ranks * cores} cores, this process may use {usable}",
        f"use {', or '.join(ways)}",
    )


def _refusal(request: _Request, unrunnable: tuple[Unrunnable, ...]) -> CannotError:
    """What was asked for, what there is, and a command that runs."""
    settings, machine = request.settings, request.machine
    what = f"--profile {settings.profile}" if settings.profile else f"--model {settings.model.name}"
    fitting = ",".join(str(ranks) for ranks in _ladder(min(machine.cores.places, LADDER_TOP_CPU)))
    spread = f"--device cpu --ranks {fitting.rpartition(',')[2] if request.verb == 'bench run' else fitting}"
    if request.device != "cuda":
        reason = unrunnable[-1].reason if unrunnable else "nothing to run"
        if request.device == "mps" and machine.mps:
            spread = "--device mps --ranks 1"
        return CannotError(reason, f"try:  {request.verb} {what} {spread}")
    if request.capacity and request.strategies != ("dp",):
        spread = f"--gpus {','.join(str(ranks) for ranks in _ladder(request.capacity))}"
    hint = f"try:  {request.verb} {what} {spread}"
    if machine.torch_build == CPU_ONLY and machine.cards.names:
        hint = f"fix:  uv pip install --torch-backend=auto --reinstall torch torchvision\n{hint}"
    asked = _count(request.ranks[-1], "CUDA device")
    return CannotError(f"asked for {asked}, this machine shows {request.capacity}\n{_cuda_facts(machine)}", hint)


def _cuda_facts(machine: Machine) -> str:
    """Everything that decides how many CUDA devices are seen, in one line."""
    driver = f"NVIDIA driver {machine.cards.driver}" if machine.cards.driver else "no NVIDIA driver answers"
    visible = machine.cuda_visible_devices
    hiding = "CUDA_VISIBLE_DEVICES is not set" if visible is None else f"CUDA_VISIBLE_DEVICES={visible!r}"
    if machine.cards.hidden:
        hiding += f" hides {machine.cards.hidden}"
    build = machine.torch_build or "unknown"
    torch = f"torch {machine.torch_version} is a {build} build" if machine.torch_version else "torch is not installed"
    present = f"{_count(len(machine.cards.names), 'NVIDIA GPU')} present" if machine.cards.names else ""
    return "; ".join(filter(None, (*machine.cards.trouble, torch, driver, present, hiding, *machine.cards.notes)))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
