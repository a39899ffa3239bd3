"""What was measured beside what others published of the same training: the same metric, after the same epoch. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.analysis.learning import accuracy
from bench.analysis.learning.accuracy import Macro, by_seed, last_epochs, over_seeds
from bench.analysis.result import Estimate, PublishedComparison, Row
from bench.plan import PERCENT, Plan, Published
from bench.store.schema import ClassScore, Epoch, Launch

SPEEDS = ("throughput", "speedup", "epoch_s", "training_s")  # of a machine as much as of a recipe

_OF_AN_EPOCH: Mapping[str, Callable[[Epoch], float | None]] = {
    "top1": lambda epoch: epoch.top1,
    "top5": lambda epoch: epoch.top5,
    "validation_loss": lambda epoch: epoch.validation_loss,
    "train_top1": lambda epoch: epoch.train_top1,
    "train_loss": lambda epoch: epoch.train_loss,
    "training_s": lambda epoch: epoch.warm_s,
}
_OF_A_CLASS: Mapping[str, Callable[[ClassScore], float | None]] = {
    "precision": lambda score: score.precision,
    "recall": lambda score: score.recall,
    "f1": lambda score: score.f1,
}
_MEANS: Mapping[str, Callable[[Macro], float | None]] = {
    "precision": lambda mean: mean.precision,
    "recall": lambda mean: mean.recall,
    "f1": lambda mean: mean.f1,
}


def beside(
    plan: Plan,
    rows: Sequence[Row],
    launches: Sequence[Launch],
    *,
    epochs: Sequence[Epoch],
    classes: Sequence[ClassScore],
    machine: str = "",
) -> tuple[PublishedComparison, ...]:
    """Every published result that this study has something to compare with, in the profile's order.

    A result of a longer run is told only where the profile quotes none of the length that was trained. What differs
    between the two runs (length, device, hardware) is named; it is never corrected for.

    Args:
        plan: with what its profile quotes.
        rows: the table.
        launches: of the study, failed ones too.
        epochs: of these launches.
        classes: of these launches.
        machine: what this one calls its processor and its devices.
    """
    found = []
    for published in plan.published:
        row = _row(published, rows, plan)
        if row is None:
            continue
        ran = [each for each in launches if each.configuration == row.key]
        ids = {each.launch_id for each in ran}
        study = _Study(
            row=row,
            launches=ran,
            epochs=[each for each in epochs if each.launch_id in ids],
            classes=[each for each in classes if each.launch_id in ids],
            steady=plan.workload.recipe.schedule == "constant",
            machine=machine,
        )
        if not study.epochs and published.metric not in {"throughput", "speedup", "epoch_s", "params"}:
            continue
        if study.epochs and _is_outdone(published, plan.published, study.trained):
            continue
        found.append(study.held(published))
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class _Study:
    """One row, and everything that its launches left."""

    row: Row
    launches: Sequence[Launch]
    epochs: Sequence[Epoch]
    classes: Sequence[ClassScore]
    steady: bool
    machine: str

    @property
    def trained(self) -> int:
        """Epochs."""
        return max((each.epoch + 1 for each in self.epochs), default=0)

    def held(self, published: Published) -> PublishedComparison:
        measured = self._measured(published)
        if measured is not None and published.unit == PERCENT:
            measured = _scaled(measured, 100)
        reason = None if measured is not None else self._why_null(published)
        return PublishedComparison(
            published=published,
            configuration=self.row.key,
            measured=measured,
            difference=measured and _less(measured, published.value),
            ratio=measured.estimate / published.value if measured and published.metric in SPEEDS else None,
            apart=tuple(self._apart(published)),
            reason=reason,
        )

    def _at(self, published: Published) -> int | None:
        """The epoch to look at, from 1; None: each launch's last."""
        at = published.epoch if published.epoch is not None else published.epochs
        return at if at is not None and at < self.trained else None

    def _measured(self, published: Published) -> Estimate | None:
        metric, at = published.metric, self._at(published)
        if metric == "throughput":
            return self.row.throughput
        if metric == "speedup":
            return self.row.speedup
        if metric == "params":
            return _single(next((each.params for each in self.launches if each.params is not None), None))
        if metric == "epoch_s":
            return _single(self.row.epoch_s.estimate if self.row.epoch_s else None)
        if metric in {*_OF_A_CLASS, "worst_recall"}:
            return self._of_classes(published, at)
        if metric == "best_top1":
            return over_seeds(by_seed(self.launches, self._best(at), lambda each: each.top1), "best top-1")
        chosen = last_epochs(self.epochs) if at is None else [each for each in self.epochs if each.epoch == at - 1]
        return over_seeds(by_seed(self.launches, chosen, _OF_AN_EPOCH[metric]), metric)

    def _best(self, at: int | None) -> list[Epoch]:
        """Of each launch the epoch with the highest accuracy so far."""
        best: dict[str, Epoch] = {}
        for each in self.epochs:
            if at is not None and each.epoch >= at:
                continue
            if each.launch_id not in best or each.top1 > best[each.launch_id].top1:
                best[each.launch_id] = each
        return list(best.values())

    def _of_classes(self, published: Published, at: int | None) -> Estimate | None:
        seeds = {launch.launch_id: launch.seed for launch in self.launches}
        value, mean = _OF_A_CLASS.get(published.metric, _OF_A_CLASS["recall"]), _MEANS.get(published.metric)
        found: dict[int, list[float]] = {}
        for launch_id in sorted({each.launch_id for each in self.classes}):
            every = [each for each in self.classes if each.launch_id == launch_id]
            epoch = max(each.epoch for each in every) if at is None else at - 1
            mine = accuracy.scored(sorted((each for each in every if each.epoch == epoch), key=lambda each: each.label))
            if published.class_name is not None:
                name = published.class_name.lower()
                score = next((value(each) for each in mine if each.name.lower() == name), None)
            elif mean is not None:
                score = mean(accuracy.macro_means(mine))
            else:
                score = min((each.recall for each in mine if each.recall is not None), default=None)
            if score is not None:
                found.setdefault(seeds[launch_id], []).append(score)
        return over_seeds(found, published.metric)

    def _why_null(self, published: Published) -> str:
        if published.epoch == 0:
            return "a run evaluates after each epoch, not before the first"
        if published.class_name is not None:
            return f"no class {published.class_name!r} in this data, or nothing was called so"
        return self.row.reasons_null.get(published.metric, "not measured")

    def _apart(self, published: Published) -> Iterator[str]:
        if published.metric == "params":
            return
        if published.device is not None and published.device != self.row.configuration.device:
            yield f"on {self.row.configuration.device}, published on {published.device}"
        if published.metric in SPEEDS and published.hardware is not None and not self._is_here(published.hardware):
            yield "other hardware"
        length = published.epochs
        if not self.epochs or length in {None, self.trained} or published.metric in {"throughput", "speedup"}:
            return
        at = self._at(published)
        if published.epoch is None and at is None:
            yield f"after {self.trained} of its {length} epochs"
        elif not self.steady:
            yield f"its run had {length} epochs, this one {self.trained}"

    def _is_here(self, hardware: str) -> bool:
        """The published machine is this one, as far as its name tells: each part of ours stands in theirs."""
        names = [part.strip().lower() for part in self.machine.split(",") if part.strip()]
        return any(name in hardware.lower() for name in names)


def _row(published: Published, rows: Sequence[Row], plan: Plan) -> Row | None:
    """The row of so many ranks; else the plain run; else the only row there is."""
    given = [row for row in rows if row.throughput is not None]
    if published.ranks is not None:
        return next((row for row in reversed(given) if row.configuration.ranks == published.ranks), None)
    baseline = next((row for row in given if row.key == plan.baseline.key), None)
    return baseline or (given[0] if len(given) == 1 else None)


def _is_outdone(published: Published, among: Iterable[Published], trained: int) -> bool:
    """Of a longer run than ours, where a nearer one is quoted too."""
    if published.epoch is not None:
        return published.epoch > trained
    if published.epochs is None or published.epochs <= trained:
        return False
    lengths = [
        each.epochs
        for each in among
        if each.epochs is not None and each.epoch is None and _of_what(each) == _of_what(published)
    ]
    return any(length <= trained for length in lengths) or published.epochs != min(lengths)


def _of_what(published: Published) -> tuple[str, str | None, int | None]:
    return published.metric, published.class_name, published.ranks


def _single(value: float | None) -> Estimate | None:
    return None if value is None else Estimate(estimate=value, low=None, high=None, n=1, method="as recorded")


def _scaled(estimate: Estimate, by: float) -> Estimate:
    low, high = (None if each is None else by * each for each in (estimate.low, estimate.high))
    return replace(estimate, estimate=by * estimate.estimate, low=low, high=high)


def _less(estimate: Estimate, value: float) -> Estimate:
    low, high = (None if each is None else each - value for each in (estimate.low, estimate.high))
    return replace(estimate, estimate=estimate.estimate - value, low=low, high=high)
