"""The machines behind a study: each fingerprint once, and what differs between them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bench.analysis.comparing import dna_effects
from bench.analysis.comparing.nouns import Difference
from bench.analysis.report import Card
from bench.store.schema import Dna

_LAYERS = ("identity", "software", "conditions", "numeric", "measured")


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
    stripped = [name for name in _LAYERS if name != layer]
    facts, _ = dna_effects.facts([_only(row, stripped)])
    return {field.removeprefix(f"{layer}."): " / ".join(sorted(values)) for field, values in sorted(facts.items())}


def _only(row: Dna, without: Sequence[str]) -> Dna:
    return replace(row, **dict.fromkeys(without, "{}"))  # type: ignore[arg-type]  # layers are texts
