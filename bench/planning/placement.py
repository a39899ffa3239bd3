"""On which cores the ranks of a row run, and what has to be said of them. Pure."""

from collections.abc import Iterator, Sequence

from bench.dna.machine import CPU_ONLY, Machine
from bench.errors import CannotError
from bench.plan import Configuration


def device_of(asked: str, machine: Machine) -> str:
    """The kind of device to measure: the one asked for; for `auto` the best that works.

    Raises:
        CannotError: `auto` would take a GPU that is there and broken: nothing else is measured in its place unasked.
    """
    if asked != "auto":
        return asked
    if machine.cuda_devices:
        return "cuda"
    if machine.cards.trouble and machine.torch_build != CPU_ONLY:
        more = len(machine.cards.trouble) - 1
        others = f" (and {more} more)" if more else ""
        raise CannotError(
            f"there is a GPU, and it cannot be used: {machine.cards.trouble[0]}{others}",
            "nvidia-smi and bench doctor tell more; to measure the CPU instead: --device cpu",
        )
    return "mps" if machine.mps else "cpu"


def cores_of(configuration: Configuration, machine: Machine) -> tuple[tuple[int, ...], ...] | None:
    """CPU ids of each process of one host, whole physical cores of the strongest kind first; None: nothing is bound.

    Where a rank gets several threads and there are too few cores for them all, it gets both threads of its cores.
    Where more are asked for than there are, the blocks start over from the first, and overlap.
    """
    cores = configuration.cores_per_rank
    if cores is None or not machine.pinnable:
        return None
    processes = configuration.processes // configuration.nodes
    ids = machine.cores.order
    if cores > 1 and processes * cores > len(machine.cores.cores):
        ids = tuple(cpu for core in machine.cores.cores for cpu in core.threads)
    blocks = (range(rank * cores, (rank + 1) * cores) for rank in range(processes))
    return tuple(tuple(dict.fromkeys(ids[place % len(ids)] for place in block)) for block in blocks)


def words(configurations: Sequence[Configuration], machine: Machine) -> dict[str, str]:
    """What the cores of a row are where they are not so many whole cores of one kind, by the row's key."""
    found = {}
    for row in configurations:
        cpus = [cpu for block in cores_of(row, machine) or () for cpu in block]
        if text := machine.cores.words(cpus):
            found[row.key] = text
    return found


def notes(configurations: Sequence[Configuration], machine: Machine, asked: str) -> Iterator[str]:
    """What of this machine stands beside every number of the study."""
    device = configurations[0].device if configurations else "cpu"
    if device == "cuda":
        yield from (f"{text}; it is not measured" for text in machine.cards.trouble)
        yield from machine.cards.notes
    elif asked == "auto":
        yield from _not_taken(machine)
    if device == "cpu":
        yield from _cores(configurations, machine)
    quota = machine.cpu_quota
    most = max((row.processes // row.nodes * (row.cores_per_rank or 1) for row in configurations), default=0)
    if quota is not None and most > quota:
        cores = f"{most} core{'s' * (most != 1)}"
        yield (
            f"a CPU quota of {quota:g} cores, and rows that use {cores}: the kernel pauses them for the rest of each "
            "period (whole cores instead of a quota: docker run --cpuset-cpus=0-3)"
        )


def _not_taken(machine: Machine) -> Iterator[str]:
    """Why `auto` measures something else than the GPUs that are here."""
    if machine.cards.names and machine.torch_build == CPU_ONLY:
        yield f"the GPUs here are not measured ({', '.join(machine.cards.names)}): torch is a {CPU_ONLY} build"
    elif machine.cards.hidden and not machine.cards.names:
        yield f"CUDA_VISIBLE_DEVICES={machine.cuda_visible_devices!r} hides every GPU; the CPU is measured"
    yield from machine.cards.notes


def _cores(configurations: Sequence[Configuration], machine: Machine) -> Iterator[str]:
    for key, text in words(configurations, machine).items():
        row = next(each for each in configurations if each.key == key)
        ranks = f" on {row.ranks} ranks" if row.processes > 1 else ""
        yield (
            f"{row.strategy}{ranks} runs on {text}: threads of one core share it, unlike cores wait for the slowest, "
            "so speedup and efficiency are not those of as many whole cores"
        )
