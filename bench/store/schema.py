"""The six tables: the only place that knows column names, their types and what they mean.

A row is a frozen dataclass; the Arrow schema is derived from its annotations, so Python and parquet cannot disagree.
Changes are additive: a column never changes its meaning, `None` becomes null, and every measured quantity is
float64 or int64 from the first version on.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

import pyarrow as pa

from bench.measured import MeasuredClass, MeasuredEpoch, MeasuredLayer, column

SCHEMA_VERSION = 1
METHOD_VERSION = 3  # bump with any change to what is measured, and say "Numbers may change" in the changelog

OK = "ok"
SUSPECT = "suspect"
NOT_APPLICABLE = "n/a"
NOT_RUN = "not_run"
FAILURES = ("oom_device", "oom_kill", "crash", "killed", "hang", "timeout", "cancelled", "lost")
ENDED = (OK, SUSPECT)  # with a number
STATUSES = (OK, SUSPECT, NOT_APPLICABLE, NOT_RUN, *FAILURES)
R = TypeVar("R", bound="OfLaunch")

LAUNCH_ID = "launch_id"  # the column of every table that says whose a row is

WARMUP, WINDOW = "warmup", "window"


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One fresh process group of N ranks: the unit of replication."""

    study_id: str = column("the study this launch belongs to")
    launch_id: str = column("unique over all stores; the study's id, the round and the position")
    schema_version: int = column("version of these columns", default=SCHEMA_VERSION)
    method_version: int = column("version of what is measured and how", default=METHOD_VERSION)

    model: str = column("model name as asked for")
    data: str = column("data name as asked for")
    precision: str = column("fp32, tf32, bf16 or fp16")
    memory_format: str = column("contiguous (NCHW) or channels_last (NHWC)")
    scaling: str = column("weak (fixed batch per rank) or strong (fixed global batch)")
    seed: int = column("seed of weights, data order and augmentation")
    configuration: str = column("short key of the row this launch repeats, e.g. ddp-cpu-2x1")
    strategy: str = column("single, ddp or dp")
    device: str = column("cpu, cuda or mps")
    backend: str | None = column("gloo or nccl; null without a process group")
    ranks: int = column("workers planned (for dp: devices planned), over all nodes")
    nodes: int = column("hosts planned", default=1)
    cores_per_rank: int | None = column("CPU cores given to each rank; null where not set")
    batch_per_rank: int = column("samples per rank and step")
    batch_global: int = column("samples per step over all ranks")
    round: int = column("complete round, from 0")
    position: int = column("place of this launch within its round, from 0")
    attempt: int = column("which try of this launch, from 0; a later one follows a lost or cancelled one", default=0)
    launcher: str = column("what started it: local, torchrun or slurm", default="local")

    world_size: int | None = column("ranks that really joined", default=None)
    distinct_devices: int | None = column("distinct accelerators in use, or distinct CPU sets", default=None)
    device_names: tuple[str, ...] = column("device of each rank, as the device calls itself", default=())
    threads_per_rank: int | None = column("torch's intra-op threads in each rank", default=None)
    cores: tuple[str, ...] = column("CPU cores of each rank at the window's end, as 0-1; empty: not told", default=())
    changed: str = column("JSON: what the model's code changed of its process or input -> values seen", default="{}")

    status: str = column("ok, suspect or why there is no number")
    reason: str | None = column("one sentence for any status but ok", default=None)
    failed_rank: int | None = column("the rank that failed first", default=None)
    warnings: tuple[str, ...] = column("findings that did not stop the launch", default=())

    started_at: str = column("UTC time of the start, ISO 8601")
    startup_s: float | None = column("process start to first warm-up step, slowest rank", default=None)
    total_s: float | None = column("process start to the end of the last rank", default=None)
    warmup_steps: int | None = column("steps before the window", default=None)
    window_steps: int | None = column("steps in the window, per rank", default=None)
    window_samples: int | None = column("samples of all ranks in the window", default=None)
    window_ns: int | None = column("wall time of the barrier window, slowest rank included", default=None)
    throughput_sps: float | None = column("window_samples over window_ns, samples per second", default=None)
    closure_error: float | None = column("|sum of step intervals / synchronised wall - 1|, worst rank", default=None)
    clock_ns_per_step: float | None = column("time spent in our own calls per step", default=None)
    data_wait: float | None = column("share of the window spent waiting for the next batch", default=None)
    compute_step_ns: int | None = column(
        "median step without synchronising gradients, slowest rank, timed after the window", default=None
    )

    resumed_epoch: int | None = column(
        "whole epochs that the checkpoint it went on from had trained; null when it began at the start", default=None
    )
    resumed_step: int | None = column("and steps into the next epoch", default=None)
    checkpoint_s: float | None = column("wall time of writing checkpoints, outside the window", default=None)
    anatomy: bool | None = column("the layers were looked into, so nothing was timed", default=None)

    params: int | None = column("trainable parameters", default=None)
    flop_per_sample: float | None = column("floating point operations per sample, forward and backward", default=None)
    epoch_samples: int | None = column("training samples in one epoch; null for synthetic data", default=None)
    loss_first: float | None = column("loss of the first step", default=None)
    loss_last: float | None = column("loss of the last step", default=None)
    loss_finite: bool | None = column("no step's loss was NaN or infinite", default=None)
    weights_moved: bool | None = column("the weights changed while training", default=None)
    weights_equal: bool | None = column("all ranks end with the same bits; null with one rank", default=None)

    gradient_error: float | None = column(
        "largest relative difference of the ranks' averaged gradient from the same samples' on one device; "
        "null with one process, and where it is not proven",
        default=None,
    )
    ddp: str | None = column("options DDP was given beside our own, as key=value,…; null without any", default=None)
    gradient_cause: str | None = column(
        "what differs where that is more than rounding: rank (a rank's model alone) or wrapper (only the average)",
        default=None,
    )

    peak_memory_bytes: int | None = column(
        "peak memory of the hungriest rank: device memory, or RSS on CPU", default=None
    )
    energy_j: float | None = column(
        "energy of the window: the GPUs' own, or all CPU packages of the hosts (RAPL)", default=None
    )
    worker_cpu_s: float | None = column("CPU time of all ranks over the window", default=None)
    involuntary_switches: int | None = column("involuntary context switches of all ranks over the window", default=None)
    collection_s: float | None = column("of the window, by Python's garbage collector, slowest rank", default=None)
    supervisor_cpu: float | None = column("CPU time of the supervisor over the launch's wall time", default=None)
    cpu_quota: float | None = column(
        "CPUs' worth of time that the control groups allowed; null: no limit", default=None
    )
    throttled_s: float | None = column(
        "for how long the quota paused the ranks' control group over the window, added up over its CPUs", default=None
    )
    governor: str | None = column("how the clocks of the used cores were chosen (cpufreq)", default=None)
    clock_cap_mhz: int | None = column(
        "lowest clock that a used core was capped to; null: none was capped", default=None
    )
    turbo: bool | None = column("clocks above the nominal one were allowed; null: no such switch", default=None)
    memory_limit_bytes: int | None = column("the control groups' limit of memory; null: no limit", default=None)
    memory_left_bytes: int | None = column("what was left of it after the window", default=None)
    gpu_throttling: str | None = column(
        "what held the GPUs' clocks down at either end of the window; empty: nothing", default=None
    )
    load_before: float | None = column("load average of the host over one minute before the start", default=None)
    others_share: float | None = column(
        "share of its ranks' cores, on the first host, that other programs used while it ran", default=None
    )

    hw_id: str | None = column("DNA: identity of the hardware", default=None)
    sw_id: str | None = column("DNA: identity of the software", default=None)
    num_id: str | None = column("DNA: identity of the numeric behaviour", default=None)
    unavailable: str = column("JSON object: column -> why it is null", default="{}")

    source: str | None = column(
        "JSON object: the user's own files that were loaded (name -> digest of the content), the commit they are of, "
        "and those that ranks loaded with different content",
        default=None,
    )
    data_hash: str | None = column("digest of classes, labels and pictures; null of synthetic data", default=None)
    data_account: str | None = column("JSON object: files found and left out, pictures by class", default=None)

    @property
    def why_untimed(self) -> str | None:
        """Why there is no throughput; None where there is one, or nobody said."""
        why: str | None = json.loads(self.unavailable).get("throughput_sps")
        return why


@dataclass(frozen=True, kw_only=True)
class OfLaunch:
    """Whose a row is, and by which rules it was measured: the first columns of every table but the launches' own."""

    study_id: str = column("the study")
    launch_id: str = column("the launch")
    schema_version: int = column("version of these columns", default=SCHEMA_VERSION)
    method_version: int = column("version of the method", default=METHOD_VERSION)


@dataclass(frozen=True, kw_only=True)
class OfEpoch(OfLaunch):
    """Of which epoch of it."""

    epoch: int = column("epoch, from 0")


@dataclass(frozen=True, kw_only=True)
class Step(OfLaunch):
    """One step of one rank (on MPS: one block of `steps` steps between two synchronisations)."""

    rank: int = column("worker")
    epoch: int = column("epoch from 0; 0 throughout when no epochs were asked for")
    step: int = column("index within the launch, from 0")
    phase: str = column("warmup or window")
    start_ns: int = column("start of the step since the launch's first barrier, this rank's monotonic clock")
    step_ns: int = column("length of the step")
    data_wait_ns: int = column("part of the step spent waiting for its batch")
    samples: int = column("samples of this rank in this step")
    steps: int = column("steps in this row: 1, or the block's length where the device cannot time single steps")
    segment: int = column(
        "which stretch of steps between two synchronisations, from 0; checkpoints and evaluations lie between them",
        default=0,
    )


@dataclass(frozen=True, kw_only=True)
class Epoch(MeasuredEpoch, OfLaunch):
    """One trained epoch, evaluated exactly: every sample counted once, whatever the number of ranks."""

    cold_s: float | None = column("from the start of the processes to the end of its evaluation", default=None)
    warm_s: float | None = column("from the first step to the end of its evaluation", default=None)


@dataclass(frozen=True, kw_only=True)
class ClassScore(MeasuredClass, OfEpoch):
    """One class after one epoch."""


@dataclass(frozen=True, kw_only=True)
class Layer(MeasuredLayer, OfLaunch):
    """One layer of the model at one step that was looked at (`--anatomy`)."""


@dataclass(frozen=True, kw_only=True)
class Dna(OfLaunch):
    """What machine and software a launch ran on."""

    hw_id: str = column("identity of the hardware")
    sw_id: str = column("identity of the software")
    num_id: str | None = column("identity of the numeric behaviour", default=None)
    identity: str = column("JSON object: stable hardware facts")
    conditions: str = column("JSON object: load, power and clocks at the time")
    software: str = column("JSON object: versions and settings")
    numeric: str | None = column("JSON object: canary hashes", default=None)
    measured: str | None = column("JSON object: measured ceilings", default=None)
    unavailable: str = column("JSON object: field -> why it is missing", default="{}")


TABLES: dict[str, type] = {
    "launches": Launch,
    "steps": Step,
    "epochs": Epoch,
    "classes": ClassScore,
    "layers": Layer,
    "dna": Dna,
}

_ARROW = {
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    bool: pa.bool_(),
    tuple[str, ...]: pa.list_(pa.string()),
    tuple[int, ...]: pa.list_(pa.int64()),
}


def unavailable(**reasons: str) -> str:
    """Why columns are null, as the JSON text of a row's `unavailable`: `unavailable(energy_j="no counter")`.

    Raises:
        ValueError: a name that is no column of the launches.
    """
    unknown = reasons.keys() - {item.name for item in fields(Launch)}
    if unknown:
        raise ValueError(f"no such column: {', '.join(sorted(unknown))}")
    return json.dumps(reasons, sort_keys=True)


def row_of(table: type[R], launch: Launch, measured: Any, **own: Any) -> R:
    """A row of a launch that carries what was measured, and columns of its own beside that."""
    columns = {item.name for item in fields(table)}
    carried = {name: value for name, value in vars(measured).items() if name in columns}
    return table(study_id=launch.study_id, launch_id=launch.launch_id, **carried, **own)


@cache
def arrow_schema(table: str) -> pa.Schema:
    """The Arrow schema of one table, with each column's documentation in its field metadata."""
    row = TABLES[table]
    hints = get_type_hints(row)
    columns = []
    for item in fields(row):
        hint = hints[item.name]
        nullable = NoneType in get_args(hint)
        kind = next(arg for arg in get_args(hint) if arg is not NoneType) if nullable else hint
        columns.append(pa.field(item.name, _ARROW[kind], nullable=nullable, metadata={"doc": item.metadata["doc"]}))
    return pa.schema(columns, metadata={"bench.table": table, "bench.schema_version": str(SCHEMA_VERSION)})


def to_table(table: str, rows: list[Any]) -> pa.Table:
    """Rows (dataclasses of one table) as an Arrow table of exactly the table's schema."""
    names = [item.name for item in fields(TABLES[table])]
    schema = arrow_schema(table)
    columns = [
        pa.array(
            [list(value) if isinstance(value := getattr(row, name), tuple) else value for row in rows],
            schema.field(name).type,
        )
        for name in names
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def from_table(table: str, data: pa.Table) -> list[Any]:
    """Rows of one table; columns a newer version added are ignored, columns an older one lacked take their default."""
    row = TABLES[table]
    known = {item.name for item in fields(row)}
    names = [name for name in data.column_names if name in known]
    columns = []
    for name in names:
        values = data.column(name).to_pylist()
        columns.append(map(tuple, values) if pa.types.is_list(data.schema.field(name).type) else values)
    return [row(**dict(zip(names, record, strict=True))) for record in zip(*columns, strict=True)]


@dataclass(frozen=True, kw_only=True)
class LaunchRows:
    """The rows of one attempt of a launch, by table."""

    launch: Launch
    steps: pa.Table | None = None  # of all ranks; None when none was timed
    epochs: Sequence[Epoch] = ()  # that were evaluated
    classes: Sequence[ClassScore] = ()  # their scores
    layers: Sequence[Layer] = ()  # that were looked into
    dna: Dna | None = None  # of the machine; None of a launch that is lost, and may have run on another

    def as_attempt(self, attempt: int, warning: str) -> "LaunchRows":
        """The same rows as a later attempt, with why."""
        launch = replace(self.launch, attempt=attempt, warnings=(*self.launch.warnings, warning))
        return replace(self, launch=launch)

    @property
    def tables(self) -> dict[str, pa.Table]:
        """The tables that have rows, in the order in which they are written."""
        rows: dict[str, list[Any]] = {
            "launches": [self.launch],
            "epochs": list(self.epochs),
            "classes": list(self.classes),
            "layers": list(self.layers),
            "dna": [self.dna] if self.dna is not None else [],
        }
        found = {table: to_table(table, each) for table, each in rows.items() if each}
        if self.steps is not None:
            found["steps"] = self.steps
        return {table: found[table] for table in TABLES if table in found}


def steps_of_ranks(study_id: str, launch_id: str, ranks: Sequence[Mapping[str, Any]]) -> pa.Table:
    """The step table of one launch from each rank's arrays (in order of ranks), as the worker leaves them.

    Each rank's mapping holds int64 arrays of one length: epoch, step, in_window (0 or 1), start_ns, step_ns,
    data_wait_ns, samples, steps and, where there are several, segment.
    """
    schema, pieces, phases = arrow_schema("steps"), [], (WARMUP, WINDOW)
    alike = dict(study_id=study_id, launch_id=launch_id, schema_version=SCHEMA_VERSION, method_version=METHOD_VERSION)
    for rank, arrays in enumerate(ranks):
        of_all = {"segment": 0, **alike, "rank": rank}
        known = {**arrays, "phase": [phases[bool(inside)] for inside in arrays["in_window"]]}
        columns = [
            pa.array(known[column.name], column.type)
            if column.name in known
            else pa.repeat(pa.scalar(of_all[column.name], column.type), len(arrays["step"]))
            for column in schema
        ]
        pieces.append(pa.Table.from_arrays(columns, schema=schema))
    return pa.concat_tables(pieces) if pieces else schema.empty_table()
