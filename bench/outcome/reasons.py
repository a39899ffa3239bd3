"""In words: why a launch has no number for something, and what else has to be said of it."""

from collections.abc import Iterator, Sequence
from dataclasses import fields

from bench.plan import Workload
from bench.store import schema
from bench.worker.job import RankResult

_NOT_FOUND = {
    "gradient_error": "not proven that the ranks compute what one device does",
    "weights_equal": "not proven that the ranks ended with equal weights",
    "layers": "no pictures of the layers",
    "group": "the ranks did not part in peace",
}
LOOKED_INTO = "throughput is not measured: the layers were looked into between the steps (--anatomy)"


def why_no_energy(results: Sequence[RankResult]) -> str:
    return next((each.energy_gap for each in results if each.energy_gap is not None), "no rank read a counter")


def why_not_found(results: Sequence[RankResult]) -> dict[str, str]:
    """Why a column is null that a rank looked for after the window, in the words of the first that says so."""
    columns = {item.name for item in fields(schema.Launch)}
    return {name: why for each in reversed(results) for name, why in each.unavailable.items() if name in columns}


def about_checks(results: Sequence[RankResult]) -> Iterator[str]:
    """What could not be found out after the window, where trust rests on it or no column of its own would say so."""
    for name, why in results[0].unavailable.items():
        if name in _NOT_FOUND:
            yield f"{_NOT_FOUND[name]}: {why}"


def about_patience(workload: Workload, rank0: RankResult) -> Iterator[str]:
    """That a launch ended before its last epoch, because it did not get better."""
    trained, asked = len(rank0.epochs), workload.epochs
    if asked is not None and trained < asked:
        yield (
            f"stopped after {trained} of {asked} epochs: {workload.recipe.patience} without a better top-1 on the "
            "validation set"
        )


def about_hosts(results: Sequence[RankResult], nodes: int) -> Iterator[str]:
    """What casts doubt on calling the hosts of a launch so many equal machines."""
    kinds = {each.hardware_tag for each in results if each.hardware_tag is not None}
    if len(kinds) > 1:
        yield f"its {nodes} nodes are of {len(kinds)} kinds of hardware, and the slowest decides"
    first = results[:: max(1, len(results) // nodes)]  # a rank of each node
    machines = {each.boot_tag for each in first if each.boot_tag is not None}
    if machines and len(machines) < nodes:
        yield f"its {nodes} nodes are {len(machines)} running machine{'s' * (len(machines) != 1)}, and may share cores"


def _why_untimed(launch: schema.Launch) -> str:
    if launch.status != schema.OK:
        return f"the launch ended as {launch.status}"
    if launch.anatomy:
        return LOOKED_INTO
    if launch.resumed_epoch is not None and not launch.warmup_steps:
        return "the checkpoint that it went on from had trained everything already"
    return "the warm-up took every step: train for longer"


def why_null(launch: schema.Launch) -> dict[str, str]:
    """A reason for each column that is null and need not be."""
    why: dict[str, str] = {}
    if launch.flop_per_sample is None:
        why |= dict(
            flop_per_sample="not counted: of this CPU no ceiling was measured to hold it beneath (bench dna --measure)"
        )
    if launch.num_id is None:
        why |= dict(num_id="the numeric canaries gave no answer; the row of the fingerprint says why")
    if launch.throughput_sps is None:
        why |= dict(throughput_sps=_why_untimed(launch))
    if launch.status != schema.OK:
        return why
    if launch.loss_last is None:
        why |= dict(loss_last="not finite")
    if launch.weights_equal is None:
        why |= dict(weights_equal="one process has nobody to agree with")
    if launch.gradient_error is None:
        nobody = "one process has nobody to average with"
        why |= dict(gradient_error=nobody if launch.weights_equal is None else "not finite")
    if launch.compute_step_ns is None:
        why |= dict(compute_step_ns="one process has nobody to synchronise with")
    if launch.epoch_samples is None:
        why |= dict(epoch_samples="synthetic data has no epoch")
    return why
