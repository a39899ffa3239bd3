"""Why is my accuracy low? The usual causes, each looked for in the record of a run, with its usual cost. Pure.

A cost is what others measured where the cause was the only difference, on the model and data named by its source. It
orders the causes; it does not add up, and it is no measurement of this run.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from bench.analysis.digits import significant
from bench.analysis.learning.accuracy import Divergence, divergences
from bench.analysis.result import Cause, Diagnosis, Row
from bench.plan import Plan, Workload
from bench.store.schema import Epoch

SMALL_SIDE = 64  # pixels up to which ImageNet's stem throws away what there is to see
LONG_RUN = 100  # epochs; the well-known CIFAR recipes train 200
FADED = 0.05  # of the highest rate: a schedule that ended is below it
USUAL_RATE = 0.1 / 128  # per sample of the batch: SGD with momentum 0.9 on networks with batch norm
USUAL_DECAY = 5e-4
BATCH_NORM_NEEDS = 16  # samples on each rank

_SIZES = {"digits": 32, "cifar10": 32, "cifar100": 32}
_OURS = re.compile(r"lenet-\w+|resnet(18|34|50|101|152)|wrn-\d+-\d+|known-answer")  # with a stem for small images
_NORMED = re.compile(r"resnet|wrn-|densenet|mobilenet|efficientnet|regnet|resnext|_bn$")
# Points of top-1, by the most epochs, and by the most samples on a rank, that they are the cost of.
_COST_OF_LENGTH = ((12, (10.0, 33.0)), (30, (2.0, 3.0)), (60, (1.0, 2.0)), (LONG_RUN, (0.5, 1.0)))
_COST_OF_BATCH = ((2, (8.0, 11.0)), (4, (3.0, 4.0)), (BATCH_NORM_NEEDS, (0.3, 1.2)))
_NARROW = {"fp16": "65 504", "bf16": "3.4e38"}
_MARGIN = 0.001  # of top-1: less between the best and the last epoch is luck


def diagnose(plan: Plan, row: Row, epochs: Sequence[Epoch]) -> Diagnosis:
    """Look for every usual cause in what was recorded of one row.

    Args:
        plan: of the study.
        row: the row asked about.
        epochs: of the row's launches; without any, what only they can show is left out.
    """
    run = _Run(plan, row, epochs)
    if broken := divergences(epochs):
        return Diagnosis(
            configuration=row.key,
            top1=row.accuracy.top1 if row.accuracy else None,
            causes=tuple(_of_divergence(broken, run.epochs, plan.workload)),
            sound=(),  # what a recipe costs is not asked of a training that ended in no number
        )
    found = {name: cause for name, look in _CAUSES.items() if (cause := look(run)) is not None}
    ordered = sorted(found.values(), key=lambda cause: -((cause.low or 0) + (cause.high or 0)))
    return Diagnosis(
        configuration=row.key,
        top1=row.accuracy.top1 if row.accuracy else None,
        causes=tuple(ordered),
        sound=tuple(name for name in _CAUSES if name not in found),
    )


class _Run:
    """What the causes look at."""

    def __init__(self, plan: Plan, row: Row, epochs: Sequence[Epoch]) -> None:
        self.plan, self.row = plan, row
        self.workload: Workload = plan.workload
        self.recipe = plan.workload.recipe
        self.epochs = sorted(epochs, key=lambda each: each.epoch)
        self.trained = max((each.epoch + 1 for each in epochs), default=self.workload.epochs or 0)
        shape = self.workload.input_shape
        self.side = max(shape[1:]) if shape else _SIZES.get(self.workload.data, 224)
        self.small = self.side <= SMALL_SIDE
        self.normed = _NORMED.search(self.workload.model) is not None
        self.words = {word.partition(":")[0] for word in self.workload.augment}
        for phase in self.recipe.phases:
            self.words |= {word.partition(":")[0] for word in phase.augment or ()}

    @property
    def constant(self) -> bool:
        return self.recipe.schedule == "constant" and all(each.schedule is None for each in self.recipe.phases)


def _up_to(value: int, costs: Sequence[tuple[int, tuple[float, float]]]) -> tuple[float, float]:
    return next(cost for most, cost in costs if value <= most)


def _of_divergence(broken: Mapping[str, Divergence], epochs: Sequence[Epoch], workload: Workload) -> Iterator[Cause]:
    """A loss that is no number any more: the rate first, then what the numbers were kept in."""
    precision = workload.precision
    launches = len({each.launch_id for each in epochs})
    several = f" in {len(broken)} of {launches} launches" if launches > 1 else ""
    seen = "; ".join(dict.fromkeys(map(str, sorted(broken.values(), key=lambda each: each.epoch))))
    rates = [each.learning_rate for each in epochs]
    highest = f"{max(rates):g}"
    if all(not each.in_training for each in broken.values()):
        yield Cause(
            name="diverged",
            seen=f"{seen}{several}, while training's loss stayed finite",
            low=None,
            high=None,
            source="this run",
            fix="look at running statistics and at averaged weights ([recipe] ema_decay)",
        )
        return
    yield Cause(
        name="learning rate",
        seen=f"{seen}{several}, at a learning rate of up to {highest}",
        low=None,
        high=None,
        source="this run: from there on nothing was learned, and its accuracy is that of broken weights",
        fix="a tenth of that rate, [recipe] warmup_epochs or clip_norm; then look for NaN in the data itself",
    )
    if precision in _NARROW:
        yield Cause(
            name="precision",
            seen=f"{precision} holds numbers up to {_NARROW[precision]} only, or with few digits",
            low=None,
            high=None,
            source="docs.pytorch.org/docs/stable/notes/amp_examples.html",
            fix=f"--precision fp32 tells whether that is it{'; bf16 has the range of fp32' * (precision == 'fp16')}",
        )


def _stem(run: _Run) -> Cause | None:
    model = run.workload.model
    if not run.small or _OURS.fullmatch(model) or (":" in model and not model.startswith("timm:")):
        return None
    return Cause(
        name="stem",
        seen=f"{model} begins as for ImageNet, and shrinks the {run.side} pixels of a side before its first block",
        low=5,
        high=15,
        source="CIFAR-100, ResNet-18: 55 against 70 % (github.com/weiaicunzai/pytorch-cifar100/issues/29)",
        fix="our own resnet18 to resnet152 and wrn-* keep the resolution of images up to 64 pixels",
    )


def _schedule(run: _Run) -> Cause | None:
    recipe, rates = run.recipe, [each.learning_rate for each in run.epochs]
    if run.constant:
        return Cause(
            name="schedule",
            seen=f"the learning rate stayed at {recipe.learning_rate:g} to the end",
            low=3,
            high=5,
            source="CIFAR-10, ResNet-18: 89 against 93 % with a cosine (github.com/kuangliu/pytorch-cifar/issues/161)",
            fix='[recipe] schedule = "cosine"',
        )
    if rates and rates[-1] > FADED * max(rates):
        return Cause(
            name="schedule",
            seen=f"the run ended at {rates[-1] / max(rates):.0%} of its highest learning rate, so its schedule did not",
            low=1,
            high=4,
            source="github.com/kuangliu/pytorch-cifar/issues/161, which has the whole of that effect at 4 points",
            fix=f"epochs that the schedule ends with (planned: {run.workload.epochs}, trained: {run.trained})",
        )
    return None


def _length(run: _Run) -> Cause | None:
    if not 0 < run.trained < LONG_RUN or not run.normed:
        return None
    low, high = _up_to(run.trained, _COST_OF_LENGTH)
    return Cause(
        name="length",
        seen=f"{run.trained} epochs were trained; the well-known recipes train 200",
        low=low,
        high=high,
        source="CIFAR-10: ResNet-50 62.6 % after 10, ResNet-18 93.1 % after 25 epochs, both 95.4 % after 200"
        " (docs/experiments.md)",
        fix="more --epochs",
    )


def _decay(run: _Run) -> Cause | None:
    recipe = run.recipe
    if not run.small or not run.normed or recipe.optimizer != "sgd" or recipe.weight_decay > USUAL_DECAY / 3:
        return None
    return Cause(
        name="weight decay",
        seen=f"weight decay {recipe.weight_decay:g}; networks with batch norm on small images take {USUAL_DECAY:g}",
        low=0.5,
        high=2,
        source="the recipe of github.com/kuangliu/pytorch-cifar (main.py), 95.4 to 95.7 %",
        fix=f"[recipe] weight_decay = {USUAL_DECAY:g}",
    )


def _augmentation(run: _Run) -> Cause | None:
    if run.words & {"crop", "affine"} or run.workload.data in {"synthetic", "digits"}:
        return None
    hundred = run.workload.data == "cifar100"
    return Cause(
        name="augmentation",
        seen=f"images were {'only flipped' if 'flip' in run.words else 'not augmented'}, and none was moved",
        low=10 if hundred else 5,
        high=17 if hundred else 7,
        source="ResNet-110, none against crop and flip: CIFAR-10 86.4 and 93.6 %, CIFAR-100 55.3 and 72.8 %"
        " (arXiv:1608.06993, table 2)",
        fix="--augment crop,flip; both are drawn for each sample by itself",
    )


def _rate(run: _Run) -> Cause | None:
    recipe, batch = run.recipe, run.row.configuration.batch_global
    share = recipe.learning_rate * recipe.rate_factor(batch) / batch / USUAL_RATE
    if recipe.optimizer != "sgd" or recipe.momentum < 0.8 or share > 0.1:
        return None
    return Cause(
        name="learning rate",
        seen=f"{recipe.learning_rate:g} at a batch of {batch} is {significant(share, 2)} of the usual 0.1 at 128",
        low=3,
        high=7,
        source="CIFAR-10, a large LeNet at 40 epochs: 78 % at a low constant rate, 85 % with OneCycle up to 0.1"
        " (docs/experiments.md)",
        fix='a higher --profile or [recipe] learning_rate, with schedule = "onecycle" or warmup_epochs',
    )


def _global_batch(run: _Run) -> Cause | None:
    recipe = run.recipe
    reference = recipe.batch_reference or run.plan.baseline.batch_global
    grown = run.row.configuration.batch_global / reference
    if recipe.batch_rule != "none" or grown < 2:
        return None
    return Cause(
        name="global batch",
        seen=f"the ranks together took {significant(grown, 3)} times the batch of {reference}, at the same rate",
        low=0.3 * grown,
        high=1.0 * grown,
        source="the rate grows with the batch: arXiv:1706.02677, section 2.1; the cost is an estimate",
        fix='[recipe] batch_rule = "linear" and batch_warmup_epochs, or --scaling strong',
    )


def _best_epoch(run: _Run) -> Cause | None:
    found = run.row.accuracy
    if found is None or found.best_top1 is None or found.best_top1 - found.top1 < _MARGIN:
        return None
    points = 100 * (found.best_top1 - found.top1)
    return Cause(
        name="best epoch",
        seen=f"epoch {found.best_epoch} of {found.epoch} had {points:.2f} points more than the last: whoever publishes "
        "the best epoch shows that much more",
        low=points,
        high=points,
        source="this run; picking it on the test set inflates (github.com/kuangliu/pytorch-cifar/issues/149)",
        fix="compare last epochs with last epochs",
    )


def _batch_norm(run: _Run) -> Cause | None:
    batch = run.row.configuration.batch_per_rank
    if not run.normed or batch >= BATCH_NORM_NEEDS:
        return None
    low, high = _up_to(batch, _COST_OF_BATCH)
    return Cause(
        name="batch norm",
        seen=f"each rank's batch norm saw {batch} samples a step; ranks do not share their statistics",
        low=low,
        high=high,
        source="ImageNet, ResNet-50, error at 32, 8, 4 and 2 a device: 23.6, 24.8, 27.3 and 34.7 %"
        " (arXiv:1803.08494, table 2)",
        fix="a larger --batch on each rank, or fewer ranks",
    )


def _mixing(run: _Run) -> Cause | None:
    recipe = run.recipe
    mixed = [name for name in ("mixup", "cutmix") if getattr(recipe, name)]
    if not mixed or not 0 < run.trained <= LONG_RUN:
        return None
    return Cause(
        name="mixing",
        seen=f"{' and '.join(mixed)} in a run of {run.trained} epochs: mixed images need longer ones",
        low=0.5,
        high=2,
        source="MixUp's own CIFAR runs have 200 epochs (arXiv:1710.09412, section 3.2); the cost is an estimate",
        fix="200 epochs, or [recipe] mixup = 0",
    )


_CAUSES: dict[str, Callable[[_Run], Cause | None]] = {
    "stem": _stem,
    "schedule": _schedule,
    "length": _length,
    "weight decay": _decay,
    "augmentation": _augmentation,
    "learning rate": _rate,
    "global batch": _global_batch,
    "best epoch": _best_epoch,
    "batch norm": _batch_norm,
    "mixing": _mixing,
}
