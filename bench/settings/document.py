"""What a profile, `./bench.toml` or the user configuration may say, with its types and defaults."""

import re
from collections.abc import Callable, Iterable
from dataclasses import MISSING, fields
from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeVar, get_args, get_type_hints

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, create_model

import launchers
from bench import ddp, folders, plan, plugins, recipe
from launchers.environment import PLANNED

_UNIT_S = {"": 1, "s": 1, "m": 60, "h": 3600}


# What other programs call a device. Nothing in the letters of "gpu" leads to cuda, and "cpu" is one letter away.
_SYNONYMS = {"gpu": ("cuda", "mps"), "nvidia": ("cuda",), "rocm": ("cuda",), "hip": ("cuda",), "metal": ("mps",)}


def suggestion(word: str, known: Iterable[str]) -> str:
    """A sentence that names the closest known words; empty when none is close."""
    known, plain = list(known), word.lower().partition(":")[0]  # cuda:0
    close = [each for each in _SYNONYMS.get(plain, ()) if each in known] or get_close_matches(plain, known, n=3)
    return f" Did you mean {', '.join(close)}?" if close else ""


def _one_of(*known: str) -> AfterValidator:
    def check(word: str) -> str:
        if word not in known:
            raise ValueError(f"is none of {', '.join(known)}.{suggestion(word, known)}")
        return word

    return AfterValidator(check)


def _launcher(word: str) -> str:
    if word not in launchers.names():
        known = plugins.names(plugins.LAUNCHERS, *launchers.names())
        if word not in known:
            raise ValueError(f"is none of {', '.join(known)}.{suggestion(word, known)}")
    return word


def _items(value: Any) -> Any:
    """`1,2,4` and `[1, 2, 4]` and a lone value are one thing: a tuple. `none` is the empty one."""
    if isinstance(value, str):
        return () if value == "none" else tuple(part.strip() for part in value.split(","))
    return tuple(value) if isinstance(value, list) else value if isinstance(value, tuple) else (value,)


def _numbers_of(
    value: Any, kind: Callable[[str], float], meant: str, *, least: float, how_many: int = 0
) -> tuple[Any, ...]:
    """Numbers of one kind, from a list or from text."""
    try:
        found = tuple(kind(part) if isinstance(part, str) else part for part in _items(value))
    except ValueError:
        found = ()
    kinds = {int, kind}  # a whole number is any, a switch is none
    if len(found) != (how_many or len(found) or 1) or any(type(each) not in kinds or each < least for each in found):
        raise ValueError(f"should be {meant}")
    return found


def _counts(value: Any) -> tuple[int, ...]:
    return _numbers_of(value, int, "whole numbers from 1, as in 1,2,4", least=1)


def _ranks(value: Any) -> tuple[int, ...] | str:
    try:
        return "auto" if value == "auto" else _counts(value)
    except ValueError as error:
        raise ValueError(f"{error}, or auto") from None


def _shape(value: Any) -> tuple[int, int, int]:
    channels, height, width = _numbers_of(value, int, "channels, height and width, as in 3,32,32", least=1, how_many=3)
    return channels, height, width


def _numbers(value: Any) -> tuple[float, ...]:
    return tuple(map(float, _numbers_of(value, float, "numbers from 0, as in [0.5, 1]", least=0)))


def _betas(value: Any) -> tuple[float, float]:
    numbers = _numbers(value)
    if len(numbers) != 2 or max(numbers) >= 1:
        raise ValueError("should be two numbers below 1, as in [0.9, 0.999]")
    return numbers[0], numbers[1]


def _duration_s(value: Any) -> float:
    parsed = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", str(value).strip())
    if isinstance(value, bool) or not parsed or float(parsed[1]) == 0:
        raise ValueError("should be a length of time, as in 90s, 10m or 1h")
    return float(parsed[1]) * _UNIT_S[parsed[2]]


_CHECKPOINT = re.compile(r"best|last(:[1-9]\d*)?|every:[1-9]\d*")


def _checkpoint(word: str) -> str:
    if not _CHECKPOINT.fullmatch(word):
        raise ValueError(f"is none of last, last:K, best and every:K.{suggestion(word, ('last', 'best', 'every:'))}")
    return word


_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(=.*)?", re.DOTALL)


def _variable(word: str) -> str:
    if not _VARIABLE.fullmatch(word):
        raise ValueError("should be the name of a variable, or NAME=VALUE")
    if (name := word.partition("=")[0]) in PLANNED:
        raise ValueError(f"cannot be passed: {name} is set by the plan and the launcher, in each rank")
    return word


def _expanded(folder: str) -> str:
    return str(folders.expanded(folder))


def _seeds(value: Any) -> tuple[int, ...]:
    meant = "different whole numbers from 0, as in 1,2,3"
    seeds: tuple[int, ...] = _numbers_of(value, int, meant, least=0)
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"should be {meant}")
    return seeds


def _targets(targets: dict[str, float]) -> dict[str, float]:
    for name, value in targets.items():
        if name not in plan.TARGETS:
            raise ValueError(f"'{name}' is no target: {', '.join(plan.TARGETS)}.{suggestion(name, plan.TARGETS)}")
        if value <= 0 or (value > 1 and name != "validation_loss"):
            raise ValueError(f"'{name}' is a share from 0 to 1, as in 0.7 for 70 %")
    return targets


Items = BeforeValidator(_items)
DdpOptions = Annotated[str, AfterValidator(ddp.canonical)]
Positive = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]
Folder = Annotated[Text, AfterValidator(_expanded)]
Share = Annotated[float, Field(ge=0, lt=1)]
Numbers = Annotated[tuple[float, ...], PlainValidator(_numbers)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
FromZero = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Duration = Annotated[float, PlainValidator(_duration_s)]


class Section(BaseModel):
    """One table of a document: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# What a noun's field may be beyond its type, for fields of one name in every noun. Its `None` and its default are the
# noun's own; of a field that is not here, a switch or any number, so is its type.
_KINDS: dict[str, Any] = {
    name: kind
    for kind, names in (
        (Share, "momentum label_smoothing ema_decay dropout"),
        (Rate, "learning_rate every_epochs restart_epochs"),
        (FromZero, "weight_decay minimum_rate warmup_epochs warmup_rate mixup cutmix clip_norm batch_warmup_epochs"),
        (Annotated[float, Field(gt=0, le=1)], "gamma"),
        (Annotated[float, Field(gt=0, lt=1)], "rising_share"),
        (Positive, "restart_factor batch_reference checkpoint_steps anatomy epochs ranks"),
        (NotNegative, "patience from_epoch epoch"),
        (Text, "unit class_name hardware source note"),
        (Folder, "start"),  # a file: what --from says
        (Annotated[tuple[Rate, ...], Items], "milestones"),
        (Annotated[tuple[Text, ...], Items], "augment"),
        (Annotated[tuple[Annotated[Text, AfterValidator(_checkpoint)], ...], Items], "checkpoint"),
        (Annotated[tuple[float, float], PlainValidator(_betas)], "betas"),
        (Annotated[str, _one_of(*recipe.OPTIMIZERS)], "optimizer"),
        (Annotated[str, _one_of(*recipe.DECAYS)], "decay"),
        (Annotated[str, _one_of(*recipe.SCHEDULES)], "schedule"),
        (Annotated[str, _one_of(*recipe.BATCH_RULES)], "batch_rule"),
        (Annotated[str, _one_of(*plan.METRICS)], "metric"),
        (Annotated[str, _one_of(*plan.DEVICES)], "device"),
    )
    for name in names.split()
}
_Table = TypeVar("_Table", bound=BaseModel)


def fields_of(noun: type, *only: str, **kinds: Any) -> Callable[[type[_Table]], type[_Table]]:
    """Gives a table the fields of a noun, so that what the noun can hold can be said, with the noun's defaults.

    Args:
        noun: a dataclass.
        only: these of its fields; all when none is named.
        kinds: of single fields, instead of those of `_KINDS`.
    """
    types = get_type_hints(noun)

    def field(name: str, default: Any) -> Any:
        kind = kinds.get(name) or _KINDS.get(name, types[name])
        return (kind | None if type(None) in get_args(types[name]) else kind, ... if default is MISSING else default)

    def filled(table: type[_Table]) -> type[_Table]:
        found = {each.name: field(each.name, each.default) for each in fields(noun) if not only or each.name in only}
        return create_model(table.__name__, __base__=table, __doc__=table.__doc__, __module__=table.__module__, **found)

    return filled


class ModelSettings(Section):
    """`[model]`: what is trained."""

    name: Text | None = None  # a built-in, torchvision's, timm:NAME, FILE.py:CALLABLE or MODULE:CALLABLE
    options: dict[str, Any] = {}  # keyword arguments of a built-in model


class DataSettings(Section):
    """`[data]`: what it is trained on."""

    name: Text = "synthetic"
    dir: Folder | None = None
    input_shape: Annotated[tuple[int, int, int], PlainValidator(_shape)] | None = None  # channels, height, width
    classes: Positive | None = None
    allow_empty_classes: bool = False  # one that only one part has pictures of
    augment: Annotated[tuple[Text, ...], Items] = ()  # words of docs/training.md, as in crop,flip,jitter:0.2
    mean: Numbers | None = None  # per channel, of pixels as 0..1; None: the data set's own
    std: Numbers | None = None


@fields_of(recipe.Phase)
class PhaseSettings(Section):
    """`[[recipe.phases]]`: what changes at an epoch."""


@fields_of(recipe.Recipe, phases=Annotated[tuple[PhaseSettings, ...], Items])
class RecipeSettings(Section):
    """`[recipe]`: how the weights are trained."""


class MeasureSettings(Section):
    """`[measure]`: how long, how often, in which numbers."""

    warmup: Positive = 10  # steps; they also tell how long a step is
    steps: Positive | None = None
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    epochs: Positive | None = None
    rounds: Positive = 6
    quick: bool = False
    precision: Annotated[str, _one_of(*plan.PRECISIONS)] = "fp32"
    memory_format: Annotated[str, _one_of(*plan.MEMORY_FORMATS)] = "contiguous"
    seed: NotNegative = 0
    seeds: Annotated[tuple[int, ...], PlainValidator(_seeds)] | None = None  # one a round instead of `seed` in each


class ScaleSettings(Section):
    """`[scale]`: over what the work is spread."""

    device: Annotated[str, _one_of("auto", *plan.DEVICES)] = "auto"
    ranks: Annotated[tuple[int, ...] | Literal["auto"], PlainValidator(_ranks)] | None = None
    strategy: Annotated[tuple[Annotated[str, _one_of(*plan.STRATEGIES)], ...], Items, Field(min_length=1)] | None = None
    scaling: Annotated[str, _one_of(*plan.SCALINGS)] = "weak"
    nodes: Annotated[tuple[int, ...], PlainValidator(_counts)] | None = None  # hosts; None: this one
    ranks_per_node: Positive | None = None  # None: one on CPUs, one a GPU otherwise
    batch: Positive = 64  # per device when weak, global when strong
    cores_per_rank: Positive | None = None
    backend: Annotated[str, _one_of(*plan.BACKENDS)] | None = None
    ddp: DdpOptions = ""  # options of DDP, as in find_unused_parameters=true
    allow_oversubscribe: bool = False


class StudySettings(Section):
    """`[study]`: where results go, and what the study may cost."""

    store: Folder = "bench-results"
    budget: Duration | None = None  # seconds
    timeout: Duration | None = None  # seconds of one launch
    stall: Duration = 300.0  # seconds without a step; a step of a large network on one core takes a minute
    margin: Annotated[float, Field(gt=0, lt=1)] = 0.02
    order_seed: NotNegative | None = None  # of the order of launches; None: drawn
    when_busy: Annotated[str, _one_of(*plan.WHEN_BUSY)] = "refuse"  # when another study is measuring on this host
    launcher: Annotated[str, AfterValidator(_launcher)] = "local"
    rdzv: Text | None = None  # HOST:PORT where the nodes of torchrun meet
    env: Annotated[tuple[Annotated[Text, AfterValidator(_variable)], ...], Items] = ()  # NAME or NAME=VALUE


@fields_of(plan.Checkpointing)
class KeepSettings(Section):
    """`[keep]`: what a launch leaves beside its numbers. See docs/checkpoints.md."""


class SlurmSettings(Section):
    """`[slurm]`: what a site asks of a job; see docs/slurm.md."""

    partition: Text | None = None
    account: Text | None = None
    qos: Text | None = None
    time: Text | None = None  # as sbatch takes it: 02:00:00
    constraint: Text | None = None
    reservation: Text | None = None
    mem: Text | None = None
    gpus_per_node: Positive | None = None
    exclusive: bool = True  # neighbours on a node change its speed
    requeue: bool = True
    extra: Annotated[tuple[Text, ...], Items] = ()  # further #SBATCH lines
    setup: Annotated[tuple[Text, ...], Items] = ()  # shell lines before bench, as in "module load cuda"


@fields_of(plan.Published)
class PublishedSettings(Section):
    """`[[published]]`: a result that others reported."""


@fields_of(plan.Published, "epochs", "device", "hardware", "source")
class Publication(BaseModel):
    """`[publication]`: what all of a profile's `[[published]]` share, unless one says it itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Document(Section):
    """A profile, `./bench.toml` or the user configuration."""

    description: str = ""
    model: ModelSettings = ModelSettings()
    data: DataSettings = DataSettings()
    recipe: RecipeSettings = RecipeSettings()
    measure: MeasureSettings = MeasureSettings()
    scale: ScaleSettings = ScaleSettings()
    study: StudySettings = StudySettings()
    keep: KeepSettings = KeepSettings()
    slurm: SlurmSettings = SlurmSettings()
    publication: Publication = Publication()
    published: Annotated[tuple[PublishedSettings, ...], Items] = ()
    targets: Annotated[dict[str, float], AfterValidator(_targets)] = {}

    def quoted(self) -> tuple[PublishedSettings, ...]:
        """What is published, each with what it shares with the others."""
        shared = self.publication.model_dump(exclude_none=True)
        return tuple(
            each.model_copy(update={name: value for name, value in shared.items() if getattr(each, name) is None})
            for each in self.published
        )
