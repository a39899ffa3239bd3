"""What a profile, `./bench.toml` or the user configuration may say, with its types and defaults."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from bench import plan, recipe

_UNIT_S = {"": 1, "s": 1, "m": 60, "h": 3600}


def suggestion(word: str, known: Iterable[str]) -> str:
    """A sentence that names the closest known words; empty when none is close."""
    close = get_close_matches(word, list(known), n=3)
    return f" Did you mean {', '.join(close)}?" if close else ""


def _one_of(*known: str) -> AfterValidator:
    def check(word: str) -> str:
        if word not in known:
            raise ValueError(f"is none of {', '.join(known)}.{suggestion(word, known)}")
        return word

    return AfterValidator(check)


def _items(value: Any) -> Any:
    """`1,2,4` and `[1, 2, 4]` and a lone value are one thing: a tuple. `none` is the empty one."""
    if isinstance(value, str):
        return () if value == "none" else tuple(part.strip() for part in value.split(","))
    return tuple(value) if isinstance(value, list) else value if isinstance(value, tuple) else (value,)


def _counts(value: Any) -> tuple[int, ...]:
    try:
        counts = tuple(int(part) if isinstance(part, str) else part for part in _items(value))
    except ValueError:
        counts = ()
    if not counts or any(type(number) is not int or number < 1 for number in counts):
        raise ValueError("should be whole numbers from 1, as in 1,2,4")
    return counts


def _ranks(value: Any) -> tuple[int, ...] | str:
    try:
        return "auto" if value == "auto" else _counts(value)
    except ValueError as error:
        raise ValueError(f"{error}, or auto") from None


def _shape(value: Any) -> tuple[int, int, int]:
    try:
        channels, height, width = (int(part) if isinstance(part, str) else part for part in _items(value))
    except ValueError:
        channels = height = width = 0
    if any(type(side) is not int or side < 1 for side in (channels, height, width)):
        raise ValueError("should be channels, height and width, as in 3,32,32")
    return channels, height, width


def _numbers(value: Any) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) if isinstance(part, str) else part for part in _items(value))
    except ValueError:
        numbers = ()
    if not numbers or any(isinstance(each, bool) or not isinstance(each, int | float) or each < 0 for each in numbers):
        raise ValueError("should be numbers from 0, as in [0.5, 1]")
    return tuple(map(float, numbers))


def _betas(value: Any) -> tuple[float, float]:
    numbers = _numbers(value)
    if len(numbers) != 2 or max(numbers) >= 1:
        raise ValueError("should be two numbers below 1, as in [0.9, 0.999]")
    return numbers[0], numbers[1]


def _duration_s(value: Any) -> float:
    told = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", str(value).strip())
    if isinstance(value, bool) or not told or float(told[1]) == 0:
        raise ValueError("should be a length of time, as in 90s, 10m or 1h")
    return float(told[1]) * _UNIT_S[told[2]]


def _expanded(folder: str) -> str:
    return str(Path(folder).expanduser())


def _seeds(value: Any) -> tuple[int, ...]:
    try:
        seeds = tuple(int(part) if isinstance(part, str) else part for part in _items(value))
    except ValueError:
        seeds = ()
    if not seeds or any(type(seed) is not int or seed < 0 for seed in seeds) or len(set(seeds)) < len(seeds):
        raise ValueError("should be different whole numbers from 0, as in 1,2,3")
    return seeds


def _targets(targets: dict[str, float]) -> dict[str, float]:
    for name, value in targets.items():
        if name not in plan.TARGETS:
            raise ValueError(f"'{name}' is no target: {', '.join(plan.TARGETS)}.{suggestion(name, plan.TARGETS)}")
        if value <= 0 or (value > 1 and name != "validation_loss"):
            raise ValueError(f"'{name}' is a share from 0 to 1, as in 0.7 for 70 %")
    return targets


_Items = BeforeValidator(_items)
_Positive = Annotated[int, Field(ge=1)]
_NotNegative = Annotated[int, Field(ge=0)]
_Text = Annotated[str, Field(min_length=1)]
_Folder = Annotated[_Text, AfterValidator(_expanded)]
_Share = Annotated[float, Field(ge=0, lt=1)]
_Numbers = Annotated[tuple[float, ...], PlainValidator(_numbers)]
_Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_FromZero = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Duration = Annotated[float, PlainValidator(_duration_s)]


class Section(BaseModel):
    """One table of a document: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSettings(Section):
    """`[model]`: what is trained."""

    name: _Text | None = None  # a built-in, torchvision's, timm:NAME, FILE.py:CALLABLE or MODULE:CALLABLE
    options: dict[str, Any] = {}  # keyword arguments of a built-in model


class DataSettings(Section):
    """`[data]`: what it is trained on."""

    name: _Text = "synthetic"
    dir: _Folder | None = None
    input_shape: Annotated[tuple[int, int, int], PlainValidator(_shape)] | None = None  # channels, height, width
    classes: _Positive | None = None
    augment: Annotated[tuple[_Text, ...], _Items] = ()  # words of docs/training.md, as in crop,flip,jitter:0.2
    mean: _Numbers | None = None  # per channel, of pixels as 0..1; None: the data set's own
    std: _Numbers | None = None


class PhaseSettings(Section):
    """`[[recipe.phases]]`: what changes at an epoch; the fields of `bench.recipe.Phase`."""

    from_epoch: _NotNegative
    dropout: _Share | None = None
    augment: Annotated[tuple[_Text, ...], _Items] | None = None
    mixup: _FromZero | None = None
    cutmix: _FromZero | None = None
    label_smoothing: _Share | None = None
    learning_rate: _Rate | None = None
    schedule: Annotated[str, _one_of(*recipe.SCHEDULES)] | None = None
    restart_epochs: _Rate | None = None
    minimum_rate: _FromZero | None = None


class RecipeSettings(Section):
    """`[recipe]`: how the weights are trained; the fields of `bench.recipe.Recipe`."""

    optimizer: Annotated[str, _one_of(*recipe.OPTIMIZERS)] = "sgd"
    learning_rate: _Rate = 0.05
    momentum: _Share = 0.9
    nesterov: bool = False
    betas: Annotated[tuple[float, float], PlainValidator(_betas)] = (0.9, 0.999)
    weight_decay: _FromZero = 0.0
    decay: Annotated[str, _one_of(*recipe.DECAYS)] = "all"
    schedule: Annotated[str, _one_of(*recipe.SCHEDULES)] = "constant"
    milestones: Annotated[tuple[_Rate, ...], _Items] = ()  # epochs
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1
    every_epochs: _Rate = 30.0
    restart_epochs: _Rate = 25.0
    restart_factor: _Positive = 1
    minimum_rate: _FromZero = 0.0
    warmup_epochs: _FromZero = 0.0
    warmup_rate: _FromZero = 0.0
    rising_share: Annotated[float, Field(gt=0, lt=1)] = 0.3
    label_smoothing: _Share = 0.0
    mixup: _FromZero = 0.0
    cutmix: _FromZero = 0.0
    clip_norm: _FromZero = 0.0
    ema_decay: _Share = 0.0
    patience: _NotNegative = 0  # epochs
    batch_rule: Annotated[str, _one_of(*recipe.BATCH_RULES)] = "none"
    batch_reference: _Positive | None = None
    batch_warmup_epochs: _FromZero = 0.0
    phases: Annotated[tuple[PhaseSettings, ...], _Items] = ()


class MeasureSettings(Section):
    """`[measure]`: how long, how often, in which numbers."""

    warmup: _Positive = 10  # steps; they also tell how long a step is
    steps: _Positive | None = None
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    epochs: _Positive | None = None
    rounds: _Positive = 6
    quick: bool = False
    precision: Annotated[str, _one_of(*plan.PRECISIONS)] = "fp32"
    memory_format: Annotated[str, _one_of(*plan.MEMORY_FORMATS)] = "contiguous"
    seed: _NotNegative = 0
    seeds: Annotated[tuple[int, ...], PlainValidator(_seeds)] | None = None  # one a round instead of `seed` in each


class ScaleSettings(Section):
    """`[scale]`: over what the work is spread."""

    device: Annotated[str, _one_of("auto", *plan.DEVICES)] = "auto"
    ranks: Annotated[tuple[int, ...] | Literal["auto"], PlainValidator(_ranks)] | None = None
    strategy: Annotated[tuple[Annotated[str, _one_of(*plan.STRATEGIES)], ...], _Items, Field(min_length=1)] | None = (
        None
    )
    scaling: Annotated[str, _one_of(*plan.SCALINGS)] = "weak"
    nodes: Annotated[tuple[int, ...], PlainValidator(_counts)] | None = None  # hosts; None: this one
    ranks_per_node: _Positive | None = None  # None: one on CPUs, one a GPU otherwise
    batch: _Positive = 64  # per device when weak, global when strong
    cores_per_rank: _Positive | None = None
    backend: Annotated[str, _one_of(*plan.BACKENDS)] | None = None
    allow_oversubscribe: bool = False


class StudySettings(Section):
    """`[study]`: where results go, and what the study may cost."""

    store: _Folder = "bench-results"
    budget: _Duration | None = None  # seconds
    timeout: _Duration | None = None  # seconds of one launch
    stall: _Duration = 300.0  # seconds without a step; a step of a large network on one core takes a minute
    margin: Annotated[float, Field(gt=0, lt=1)] = 0.02
    order_seed: _NotNegative | None = None  # of the order of launches; None: drawn
    when_busy: Annotated[str, _one_of(*plan.WHEN_BUSY)] = "refuse"  # when another study is measuring on this host
    launcher: Annotated[str, _one_of(*plan.LAUNCHERS)] = "local"
    rdzv: _Text | None = None  # HOST:PORT where the nodes of torchrun meet


class SlurmSettings(Section):
    """`[slurm]`: what a site asks of a job; see docs/slurm.md."""

    partition: _Text | None = None
    account: _Text | None = None
    qos: _Text | None = None
    time: _Text | None = None  # as sbatch takes it: 02:00:00
    constraint: _Text | None = None
    reservation: _Text | None = None
    mem: _Text | None = None
    gpus_per_node: _Positive | None = None
    exclusive: bool = True  # neighbours on a node change its speed
    requeue: bool = True
    extra: Annotated[tuple[_Text, ...], _Items] = ()  # further #SBATCH lines
    setup: Annotated[tuple[_Text, ...], _Items] = ()  # shell lines before bench, as in "module load cuda"


class PublishedSettings(Section):
    """`[[published]]`: a result that others reported; the fields of `plan.Published`."""

    metric: Annotated[str, _one_of(*plan.METRICS)]
    value: float
    low: float | None = None
    high: float | None = None
    unit: _Text | None = None
    epochs: _Positive | None = None
    epoch: _NotNegative | None = None  # 0: before training
    class_name: _Text | None = None
    ranks: _Positive | None = None
    device: Annotated[str, _one_of(*plan.DEVICES)] | None = None
    hardware: _Text | None = None
    source: _Text | None = None
    note: _Text | None = None


class Publication(BaseModel):
    """`[publication]`: what all of a profile's `[[published]]` share, unless one says it itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: _Positive | None = None
    device: Annotated[str, _one_of(*plan.DEVICES)] | None = None
    hardware: _Text | None = None
    source: _Text | None = None


class Document(Section):
    """A profile, `./bench.toml` or the user configuration."""

    description: str = ""
    model: ModelSettings = ModelSettings()
    data: DataSettings = DataSettings()
    recipe: RecipeSettings = RecipeSettings()
    measure: MeasureSettings = MeasureSettings()
    scale: ScaleSettings = ScaleSettings()
    study: StudySettings = StudySettings()
    slurm: SlurmSettings = SlurmSettings()
    publication: Publication = Publication()
    published: Annotated[tuple[PublishedSettings, ...], _Items] = ()
    targets: Annotated[dict[str, float], AfterValidator(_targets)] = {}

    def quoted(self) -> tuple[PublishedSettings, ...]:
        """What is published, each with what it shares with the others."""
        shared = self.publication.model_dump(exclude_none=True)
        return tuple(
            each.model_copy(update={name: value for name, value in shared.items() if getattr(each, name) is None})
            for each in self.published
        )
