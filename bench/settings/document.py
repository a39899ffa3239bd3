"""What a profile, `./bench.toml` or the user configuration may say, with its types and defaults."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator

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


class PhaseSettings(Section):
    """`[[recipe.phases]]`: what changes at an epoch; the fields of `bench.recipe.Phase`."""

    from_epoch: NotNegative
    dropout: Share | None = None
    augment: Annotated[tuple[Text, ...], Items] | None = None
    mixup: FromZero | None = None
    cutmix: FromZero | None = None
    label_smoothing: Share | None = None
    learning_rate: Rate | None = None
    schedule: Annotated[str, values.one_of(*recipe.SCHEDULES)] | None = None
    restart_epochs: Rate | None = None
    minimum_rate: FromZero | None = None


class RecipeSettings(Section):
    """`[recipe]`: how the weights are trained; the fields of `bench.recipe.Recipe`."""

    optimizer: Annotated[str, values.one_of(*recipe.OPTIMIZERS)] = "sgd"
    learning_rate: Rate = 0.05
    momentum: Share = 0.9
    nesterov: bool = False
    betas: Annotated[tuple[float, float], PlainValidator(values.betas)] = (0.9, 0.999)
    weight_decay: FromZero = 0.0
    decay: Annotated[str, values.one_of(*recipe.DECAYS)] = "all"
    schedule: Annotated[str, values.one_of(*recipe.SCHEDULES)] = "constant"
    milestones: Annotated[tuple[Rate, ...], Items] = ()  # epochs
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1
    every_epochs: Rate = 30.0
    restart_epochs: Rate = 25.0
    restart_factor: Positive = 1
    minimum_rate: FromZero = 0.0
    warmup_epochs: FromZero = 0.0
    warmup_rate: FromZero = 0.0
    rising_share: Annotated[float, Field(gt=0, lt=1)] = 0.3
    label_smoothing: Share = 0.0
    mixup: FromZero = 0.0
    cutmix: FromZero = 0.0
    clip_norm: FromZero = 0.0
    ema_decay: Share = 0.0
    patience: NotNegative = 0  # epochs
    batch_rule: Annotated[str, values.one_of(*recipe.BATCH_RULES)] = "none"
    batch_reference: Positive | None = None
    batch_warmup_epochs: FromZero = 0.0
    phases: Annotated[tuple[PhaseSettings, ...], Items] = ()


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


class KeepSettings(Section):
    """`[keep]`: what a launch leaves beside its numbers; fields of `plan.Checkpointing`. See docs/checkpoints.md."""

    checkpoint: Annotated[tuple[Annotated[Text, AfterValidator(values.checkpoint)], ...], Items] = ()
    checkpoint_steps: Positive | None = None
    start: Folder | None = None  # a file: what --from says
    anatomy: Positive | None = None  # steps


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


class PublishedSettings(Section):
    """`[[published]]`: a result that others reported; the fields of `plan.Published`."""

    metric: Annotated[str, values.one_of(*plan.METRICS)]
    value: float
    low: float | None = None
    high: float | None = None
    unit: Text | None = None
    epochs: Positive | None = None
    epoch: NotNegative | None = None  # 0: before training
    class_name: Text | None = None
    ranks: Positive | None = None
    device: Annotated[str, values.one_of(*plan.DEVICES)] | None = None
    hardware: Text | None = None
    source: Text | None = None
    note: Text | None = None


class Publication(BaseModel):
    """`[publication]`: what all of a profile's `[[published]]` share, unless one says it itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: Positive | None = None
    device: Annotated[str, values.one_of(*plan.DEVICES)] | None = None
    hardware: Text | None = None
    source: Text | None = None


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
