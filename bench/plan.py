"""What will be run: a workload, its configurations, and complete rounds of launches in a random order. Pure."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bench.documents import noun_of
from bench.recipe import Recipe

STRATEGIES = ("single", "ddp", "dp")
DEVICES = ("cpu", "cuda", "mps")
BACKENDS = ("gloo", "nccl")
SCALINGS = ("weak", "strong")
PRECISIONS = ("fp32", "tf32", "bf16", "fp16")
MEMORY_FORMATS = ("contiguous", "channels_last")
WHEN_BUSY = ("refuse", "wait", "share")  # if another study measures on the same host
SHARED_HOST = "another study was measuring on this host at the same time"  # the warning of every launch of such a study
PERCENT = "%"  # the unit of a published share; what is measured is a share of 1
# What others publish of a training and a run measures too; of one class where `Published.class_name` says which.
METRICS = (
    *("top1", "top5", "best_top1", "validation_loss", "train_top1", "train_loss"),
    *("precision", "recall", "f1", "worst_recall"),
    *("throughput", "speedup", "epoch_s", "training_s", "params"),
)
TARGETS = ("top1", "top5", "worst_recall", "validation_loss")  # of the last epoch; the loss at most, the rest at least


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What is trained, and for how long; the same in every configuration."""

    model: str
    model_options: Mapping[str, Any] = field(default_factory=dict)  # keyword arguments of a built-in model
    data: str = "synthetic"
    data_dir: str | None = None
    input_shape: tuple[int, int, int] | None = None  # channels, height, width; None: the data set's own
    classes: int | None = None  # None: the data set's own
    allow_empty_classes: bool = False  # one that only one part has pictures of is no error
    augment: tuple[str, ...] = ()  # words, some with a number after a colon
    mean: tuple[float, ...] | None = None  # per channel, of pixels as 0..1; None: the data set's own
    std: tuple[float, ...] | None = None
    precision: str = "fp32"
    memory_format: str = "contiguous"
    seed: int = 0
    recipe: Recipe = field(default_factory=Recipe)
    warmup_steps: int = 10
    steps: int | None = None  # exactly one of steps, seconds and epochs is set
    seconds: float | None = None
    epochs: int | None = None

    @property
    def window(self) -> str:
        """The length of the timed window in words."""
        if self.epochs is not None:
            return f"{self.epochs} epoch{'s' * (self.epochs != 1)}"
        return f"{self.steps} steps" if self.steps is not None else f"{self.seconds:g} s"


@dataclass(frozen=True, kw_only=True)
class Published:
    """A result that others reported, as a profile quotes it."""

    metric: str  # one of METRICS
    value: float
    low: float | None = None  # where a range was reported, its ends; `value` is their middle
    high: float | None = None
    unit: str | None = None
    epochs: int | None = None  # length of the run it is from
    epoch: int | None = None  # after this one of them, from 1; None: after the last
    class_name: str | None = None  # None: all classes; of precision, recall and F1 their plain mean
    ranks: int | None = None  # None: the plain run
    device: str | None = None  # one of DEVICES
    hardware: str | None = None
    source: str | None = None
    note: str | None = None  # what the report does not say, or says twice

    @property
    def share(self) -> float:
        """An accuracy as a share of 1, whichever way it is quoted."""
        return self.value / 100 if self.unit == PERCENT else self.value


@dataclass(frozen=True, kw_only=True)
class Checkpointing:
    """What a launch leaves beside its numbers."""

    checkpoint: tuple[str, ...] = ()  # last, last:K, best, every:K; empty: none
    checkpoint_steps: int | None = None  # also after every so many steps within an epoch
    start: str | None = None  # the checkpoint that training starts from; None: at the beginning
    anatomy: int | None = None  # look into the layers every so many steps; None: never


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """One row of the table: how the workload is spread over the machine."""

    strategy: str  # one of STRATEGIES
    ranks: int  # workers; for dp: devices driven by the one process
    device: str  # one of DEVICES
    backend: str | None  # one of BACKENDS; None without a process group
    cores_per_rank: int | None
    batch_per_rank: int
    batch_global: int
    nodes: int = 1  # hosts, with equally many ranks on each
    ddp: str = ""  # options of DDP as `bench.ddp` spells them; empty: ours, and for other strategies

    @property
    def key(self) -> str:
        """Short and stable: the strategy, the device, ranks x cores, and the hosts where there are several."""
        cores = f"x{self.cores_per_rank}" if self.cores_per_rank is not None else ""
        hosts = f"-{self.nodes}n" if self.nodes > 1 else ""
        return f"{self.strategy}-{self.device}-{self.ranks}{cores}{hosts}"

    @property
    def processes(self) -> int:
        """Processes to start: DataParallel drives all its devices from one."""
        return self.ranks if self.strategy == "ddp" else 1

    @property
    def batch_per_process(self) -> int:
        """Samples of a step in one process: DataParallel scatters them over the devices that it drives."""
        return self.batch_global // self.processes

    @property
    def ranks_per_node(self) -> int:
        return self.ranks // self.nodes


@dataclass(frozen=True, kw_only=True)
class PlannedLaunch:
    """One launch to come."""

    launch_id: str
    round: int
    position: int
    configuration: Configuration
    seed: int | None = None  # None: the workload's


@dataclass(frozen=True, kw_only=True)
class Unrunnable:
    """A row that this machine cannot run, and why."""

    configuration: Configuration
    reason: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One study to come. Serialises to JSON and back without loss."""

    study_id: str
    created_at: str
    command: str  # what repeats it
    workload: Workload
    scaling: str
    baseline: Configuration
    configurations: tuple[Configuration, ...]
    unrunnable: tuple[Unrunnable, ...]
    launches: tuple[PlannedLaunch, ...]
    rounds: int
    order_seed: int
    quick: bool
    margin: float
    timeout_s: float
    stall_s: float
    budget_s: float | None
    oversubscribed: bool
    origins: Mapping[str, str]  # setting -> where its value came from
    estimated_s: float
    estimated_bytes: int
    launcher: str = "local"  # its name
    data_notes: tuple[str, ...] = ()  # what the data are, and what of them was not taken, in sentences
    notes: tuple[str, ...] = ()  # what the recipe comes to in this study, in sentences
    machine_notes: tuple[str, ...] = ()  # what of the machine stands beside every number, in sentences
    placement: Mapping[str, str] = field(default_factory=dict)  # row's key -> what its cores are, where not whole cores
    settings: Mapping[str, Any] = field(default_factory=dict)  # the same settings -> what they came to, as JSON types
    seeds: tuple[int, ...] = ()  # one a round, from the first again when they run out; empty: the workload's in each
    profile: str | None = None
    published: tuple[Published, ...] = ()  # what the profile quotes
    targets: Mapping[str, float] = field(default_factory=dict)  # of TARGETS -> what the last epoch has to reach
    keep: Checkpointing = field(default_factory=Checkpointing)
    not_passed: tuple[str, ...] = ()  # names of variables that were set in the shell, and that ranks do not get
    # Configuration's key -> seconds that a launch may take until its first step, and from there to its end.
    estimates: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    schema: str = "bench.plan/1"

    @property
    def estimated_files(self) -> int:
        """About how many files it will write: a launch's note, marker and tables, and what each of its ranks leaves."""
        return sum(12 + 6 * each.configuration.processes for each in self.launches)

    def workload_of(self, planned: PlannedLaunch) -> Workload:
        """What one launch trains: the workload, from the seed of its round."""
        return self.workload if planned.seed is None else replace(self.workload, seed=planned.seed)


def in_rounds(
    study_id: str, configurations: Sequence[Configuration], rounds: int, order_seed: int, seeds: Sequence[int] = ()
) -> tuple[PlannedLaunch, ...]:
    """Randomised complete blocks: every configuration once per round, each round in a fresh random order.

    Drift of the machine that is common to a round then cancels from every ratio paired by round, and what is not
    common is spread over the configurations by chance instead of by their place in a list. All of a round train from
    one seed, so that what is learned is paired too.
    """
    rng = random.Random(order_seed)
    launches = []
    for number in range(rounds):
        order = list(configurations)
        rng.shuffle(order)
        launches += [
            PlannedLaunch(
                launch_id=f"{study_id}.r{number:02d}p{position:02d}",
                round=number,
                position=position,
                configuration=each,
                seed=seeds[number % len(seeds)] if seeds else None,
            )
            for position, each in enumerate(order)
        ]
    return tuple(launches)


def to_json(plan: Plan) -> dict[str, Any]:
    """The plan as plain JSON types."""
    return asdict(plan)


def from_json(document: Mapping[str, Any]) -> Plan:
    """The inverse of `to_json`."""
    return noun_of(Plan, document)
