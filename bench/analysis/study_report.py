"""From the rows of a store to everything that a report tells of them. Pure."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.analysis.comparing import dna_effects
from bench.analysis.comparing.nouns import Comparison, Difference
from bench.analysis.digits import significant
from bench.analysis.ended import ended
from bench.analysis.learning import curves
from bench.analysis.report import Attempted, Card, Report, StudyReport
from bench.analysis.result import Study
from bench.analysis.scaling import findings, row_details
from bench.analysis.statistics.steady import Steps
from bench.analysis.validity import same_work
from bench.plan import Plan
from bench.recipe import Recipe
from bench.store import schema
from bench.store.schema import ClassScore, Dna, Epoch, Launch

_LAYERS = ("identity", "software", "conditions", "numeric", "measured")  # of a fingerprint


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One study as it lies in its store."""

    plan: Plan
    launches: Sequence[Launch]
    steps: Mapping[str, Steps]
    epochs: Sequence[Epoch]
    classes: Sequence[ClassScore]
    dna: Sequence[Dna]
    damaged: tuple[str, ...] = ()  # files that were left out, in words


def analyse(stored: Stored, peaks: Mapping[str, Any] | None = None) -> Study:
    """The findings of one study, damaged files among its warnings; arguments as for `of_stored`."""
    found = findings.analyse(
        stored.plan,
        dna_effects.as_one_machine(stored.launches, stored.dna),
        stored.steps,
        stored.epochs,
        peaks=peaks,
        classes=stored.classes,
        machine=_machine(stored.dna),
        variables=dna_effects.changed_variables(stored.dna),
    )
    lost = tuple(f"{each}: its numbers are left out" for each in dict.fromkeys(stored.damaged))
    return replace(found, warnings=(*lost, *found.warnings))


def of_stored(stored: Stored, peaks: Mapping[str, Any] | None = None) -> StudyReport:
    """Everything that a report shows of one study.

    Args:
        stored: the study's rows.
        peaks: published peaks of chips (`profiles.hardware_peaks`).
    """
    plan, launches = stored.plan, stored.launches
    study = analyse(stored, peaks)
    return StudyReport(
        study=study,
        created_at=plan.created_at,
        command=plan.command,
        facts=_facts(plan, launches),
        launches=_attempts(study, launches),
        traces=row_details.traces(study, launches, stored.steps),
        parts=row_details.step_parts(study),
        learned=curves.curves(study, launches, stored.epochs),
        classes=curves.classes(study, launches, stored.classes),
        energy=row_details.energy(study, launches),
        reached=row_details.reached(study, launches, stored.dna, peaks),
        cards=cards(stored.dna),
        drift=drift(stored.dna),
    )


def combine(
    stored: Sequence[Stored],
    *,
    peaks: Mapping[str, Any] | None = None,
    title: str = "",
    comparison: Comparison | None = None,
) -> Report:
    """One report of one or several studies.

    Args:
        stored: the studies, in the order in which they are told.
        peaks: published peaks of chips.
        title: the reader's own; empty for one made from the studies.
        comparison: the first study judged against another, where one was asked for.
    """
    return Report(
        studies=tuple(of_stored(each, peaks) for each in stored),
        title=title,
        differences=between(stored[0].dna, stored[1].dna) if len(stored) > 1 else (),
        comparison=comparison,
    )


def recipe_facts(recipe: Recipe, notes: Sequence[str] = ()) -> dict[str, str]:
    """What a reader has to know to train alike: name of a fact -> its words.

    Args:
        recipe: how the weights were trained.
        notes: what it came to in this study, as the plan says it.
    """
    if recipe.optimizer == "sgd":
        optimizer = f"SGD, momentum {recipe.momentum:g}, weight decay {recipe.weight_decay:g}"
    else:
        optimizer = f"AdamW, betas {recipe.betas[0]:g} and {recipe.betas[1]:g}, weight decay {recipe.weight_decay:g}"
    optimizer += ", Nesterov" * recipe.nesterov + " (of weights alone)" * (recipe.decay == "weights")
    rate = f"{recipe.learning_rate:g}, {recipe.schedule}"
    if recipe.warmup_epochs:
        rate += f", rising from {recipe.warmup_rate:g} over the first {recipe.warmup_epochs:g} epochs"
    facts = {"optimizer": optimizer, "learning rate": rate}
    numbers = {
        "label smoothing": recipe.label_smoothing,
        "MixUp": recipe.mixup,
        "CutMix": recipe.cutmix,
        "gradients clipped to": recipe.clip_norm,
        "averaged weights": recipe.ema_decay,
    }
    facts |= {name: f"{value:g}" for name, value in numbers.items() if value}
    if recipe.patience:
        facts["patience"] = f"{recipe.patience} epochs without a better top-1"
    if recipe.phases:
        facts["phases"] = "from epochs " + ", ".join(str(each.from_epoch) for each in recipe.phases)
    if notes:
        facts["recipe here"] = " ".join(notes)
    return facts


def cards(rows: Sequence[Dna]) -> tuple[Card, ...]:
    """Each machine with its software once, in the order in which they first ran; conditions are those of that time."""
    groups: dict[tuple[str, str, str | None], list[Dna]] = {}
    for row in rows:
        groups.setdefault((row.hw_id, row.sw_id, row.num_id), []).append(row)
    return tuple(_card(each) for each in groups.values())


def drift(rows: Sequence[Dna]) -> tuple[Difference, ...]:
    """Fields that differ between the launches of one study: all values of each, the weightiest first."""
    facts, unread = dna_effects.facts(rows)
    first, _ = dna_effects.facts(rows[:1])
    others = {field: values - first.get(field, set()) for field, values in facts.items()}
    changed = {field: values for field, values in others.items() if values}
    return dna_effects.differences({field: first.get(field, set()) for field in changed}, changed, unread)


def between(a: Sequence[Dna], b: Sequence[Dna]) -> tuple[Difference, ...]:
    """Fields that differ between the machines of two studies, without each canary's digest."""
    (mine, unread_a), (theirs, unread_b) = dna_effects.facts(a), dna_effects.facts(b)
    found = dna_effects.differences(mine, theirs, unread_a | unread_b)
    return tuple(each for each in found if not each.field.startswith("numeric."))


def _machine(rows: Sequence[Dna]) -> str:
    """What the machine calls its processor and its devices."""
    facts = json.loads(rows[0].identity) if rows else {}
    gpus = [each.get("name") for each in facts.get("gpus", [])]
    return ", ".join(dict.fromkeys(filter(None, [facts.get("cpu_label"), *gpus])))


def _attempts(study: Study, launches: Sequence[Launch]) -> tuple[Attempted, ...]:
    """Every launch with its rate and its speedup over the baseline of its own round."""
    rates: dict[str, float] = {}
    for row in study.rows:
        its = ended(launches, row.key)
        if len(its) == len(row.rates):  # otherwise one left no timed step, and the row is INVALID for it
            rates |= {each.launch_id: rate for each, rate in zip(its, row.rates, strict=True)}
    base = study.baseline
    by_round = {
        each.round: rates[each.launch_id]
        for each in launches
        if base is not None and each.configuration == base.key and each.launch_id in rates
    }
    with_ratio = {row.key for row in study.rows if row.speedup is not None and not row.is_invalid}
    return tuple(
        Attempted(
            launch_id=each.launch_id,
            configuration=each.configuration,
            round=each.round,
            method_version=each.method_version,
            status=each.status,
            reason=each.reason,
            rate_sps=rates.get(each.launch_id),
            speedup=rates[each.launch_id] / by_round[each.round]
            if each.launch_id in rates and each.round in by_round and each.configuration in with_ratio
            else None,
        )
        for each in sorted(launches, key=lambda each: (each.round, each.position, each.launch_id))
    )


def _facts(plan: Plan, launches: Sequence[Launch]) -> dict[str, str]:
    """What method, captions and citation speak of, as texts."""
    work = plan.workload
    account = same_work.account_of(launches)
    first = next((each for each in launches if each.status in schema.ENDED), None)
    facts: dict[str, object] = {
        "model": work.model,
        "model options": json.dumps(dict(work.model_options), sort_keys=True) if work.model_options else None,
        "data": work.data,
        "pictures": account.summary if account is not None else None,
        "input": "x".join(map(str, work.input_shape)) if work.input_shape else None,
        "augmentation": ", ".join(work.augment) or None,
        "precision": work.precision,
        "memory format": work.memory_format,
        **recipe_facts(work.recipe, plan.notes),
        "seed": ", ".join(map(str, plan.seeds)) or work.seed,
        "window": work.window,
        "warm-up": f"{work.warmup_steps} steps at least",
        "rounds": plan.rounds,
        "order of launches": f"random in each round, seed {plan.order_seed}",
        "launcher": plan.launcher,
        "time limit of a launch": f"{significant(plan.timeout_s, 6)} s",
        "operations per sample": first.flop_per_sample if first else None,
    }
    return {name: str(value) for name, value in facts.items() if value is not None and _is_known(value)}


def _is_known(value: object) -> bool:
    return not (isinstance(value, float) and not math.isfinite(value))


def _card(rows: Sequence[Dna]) -> Card:
    first = rows[0]
    layers = {layer: _texts(first, layer) for layer in _LAYERS}
    return Card(
        hw_id=first.hw_id,
        sw_id=first.sw_id,
        num_id=first.num_id,
        launches=len(rows),
        unavailable={str(name): str(why) for name, why in json.loads(first.unavailable).items()},
        **layers,
    )


def _texts(row: Dna, layer: str) -> Mapping[str, str]:
    """One layer's facts as texts, by the field's name without the layer."""
    emptied: Any = dict.fromkeys((name for name in _LAYERS if name != layer), "{}")
    facts, _ = dna_effects.facts([replace(row, **emptied)])
    return {field.removeprefix(f"{layer}."): " / ".join(sorted(values)) for field, values in sorted(facts.items())}
