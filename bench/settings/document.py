"""What a profile, `./bench.toml` or the user configuration may say, with its types and defaults."""

from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Annotated, Any, Literal, TypeVar, get_args, get_type_hints

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, create_model

from bench import plan, recipe
from bench.settings import values
from bench.settings.values import (
    DdpOptions,
    Duration,
    Folder,
    FromZero,
    Items,
    NotNegative,
    Numbers,
    Positive,
    Rate,
    Share,
    Text,
)


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
        (Annotated[tuple[Annotated[Text, AfterValidator(values.checkpoint)], ...], Items], "checkpoint"),
        (Annotated[tuple[float, float], PlainValidator(values.betas)], "betas"),
        (Annotated[str, values.one_of(*recipe.OPTIMIZERS)], "optimizer"),
        (Annotated[str, values.one_of(*recipe.DECAYS)], "decay"),
        (Annotated[str, values.one_of(*recipe.SCHEDULES)], "schedule"),
        (Annotated[str, values.one_of(*recipe.BATCH_RULES)], "batch_rule"),
        (Annotated[str, values.one_of(*plan.METRICS)], "metric"),
        (Annotated[str, values.one_of(*plan.DEVICES)], "device"),
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
    input_shape: Annotated[tuple[int, int, int], PlainValidator(values.shape)] | None = None  # channels, height, width
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
    precision: Annotated[str, values.one_of(*plan.PRECISIONS)] = "fp32"
    memory_format: Annotated[str, values.one_of(*plan.MEMORY_FORMATS)] = "contiguous"
    seed: NotNegative = 0
    seeds: Annotated[tuple[int, ...], PlainValidator(values.seeds)] | None = (
        None  # one a round instead of `seed` in each
    )


class ScaleSettings(Section):
    """`[scale]`: over what the work is spread."""

    device: Annotated[str, values.one_of("auto", *plan.DEVICES)] = "auto"
    ranks: Annotated[tuple[int, ...] | Literal["auto"], PlainValidator(values.ranks)] | None = None
    strategy: (
        Annotated[tuple[Annotated[str, values.one_of(*plan.STRATEGIES)], ...], Items, Field(min_length=1)] | None
    ) = None
    scaling: Annotated[str, values.one_of(*plan.SCALINGS)] = "weak"
    nodes: Annotated[tuple[int, ...], PlainValidator(values.counts)] | None = None  # hosts; None: this one
    ranks_per_node: Positive | None = None  # None: one on CPUs, one a GPU otherwise
    batch: Positive = 64  # per device when weak, global when strong
    cores_per_rank: Positive | None = None
    backend: Annotated[str, values.one_of(*plan.BACKENDS)] | None = None
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
    when_busy: Annotated[str, values.one_of(*plan.WHEN_BUSY)] = "refuse"  # when another study is measuring on this host
    launcher: Annotated[str, AfterValidator(values.launcher)] = "local"
    rdzv: Text | None = None  # HOST:PORT where the nodes of torchrun meet
    env: Annotated[tuple[Annotated[Text, AfterValidator(values.variable)], ...], Items] = ()  # NAME or NAME=VALUE


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
    targets: Annotated[dict[str, float], AfterValidator(values.targets)] = {}

    def quoted(self) -> tuple[PublishedSettings, ...]:
        """What is published, each with what it shares with the others."""
        shared = self.publication.model_dump(exclude_none=True)
        return tuple(
            each.model_copy(update={name: value for name, value in shared.items() if getattr(each, name) is None})
            for each in self.published
        )
