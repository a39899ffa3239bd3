"""`bench show`: the card of a study or a launch: what was run, where each setting came from, and how to repeat it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.errors import CannotError
from bench.printable import printable
from bench.store import index
from bench.store.attempts import Attempt, open_attempts
from bench.store.layout import UnreadableError, existing
from bench.verbs.cards import LaunchCard, StudyCard
from bench.verbs.study_flags import json_option, store_option
from reports.text.plain import finite

if TYPE_CHECKING:
    from bench.verbs.learned import Learned

SCHEMA = "bench.show/1"


@click.command(
    epilog="""\b
Examples:
  bench show
  bench show @-2
  bench show @last.r00p01 --json
  bench show --why                          why is my accuracy low?
  bench show --reach 0.94                   how long did 94 % take?"""
)
@click.argument("ids", metavar="[STUDY|LAUNCH]...", nargs=-1)
@click.option("--anatomy", is_flag=True, help="The layers of launches that were run with --anatomy.")
@store_option
@click.option("--why", is_flag=True, help="Why is its accuracy low? The usual causes that its record has.")
@click.option("--reach", type=click.FloatRange(0, 1, min_open=True), help="Also how long this share of top-1 took.")
@json_option
def command(ids: tuple[str, ...], store: Path, *, anatomy: bool, why: bool, reach: float | None, as_json: bool) -> None:
    """Show a study or a launch: what was run, where each setting came from, and the command that repeats it.

    Of a study that trained whole epochs also what it learned, beside what its profile quotes of others.

    Ids may be shortened; @last is the newest study (shown when none is named), @-2 the one before.
    """
    if anatomy:
        from bench.verbs.layers import show

        show(ids or ("@last",), store, as_json=as_json)
        return
    damaged: list[index.Damage] = []
    cards = [_card(store, text, damaged) for text in ids or ("@last",)]
    learned = [_learned(store, card, damaged, reach) for card in cards]
    warnings = list(dict.fromkeys(map(str, damaged)))
    if as_json:
        shown = [
            card.document() | (seen.document(why=why) if seen else {})
            for card, seen in zip(cards, learned, strict=True)
        ]
        document = {"schema": SCHEMA, "store": str(store), "shown": shown, "warnings": warnings, "exit": 0}
        click.echo(json.dumps(finite(document), indent=2))
        return
    texts = [
        _why_lines(card, seen) if why else [*card.lines(), *(seen.lines() if seen else ())]
        for card, seen in zip(cards, learned, strict=True)
    ]
    click.echo("\n\n".join("\n".join(map(printable, lines)) for lines in texts))
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)


def _learned(
    store: Path, card: StudyCard | LaunchCard, damaged: list[index.Damage], reach: float | None
) -> "Learned | None":
    """What the study of a card learned; nothing where no whole epochs were trained."""
    from bench.verbs.learned import Learned

    plan = card.plan if isinstance(card, StudyCard) else index.plan(store, card.launch.study_id)
    if plan.workload.epochs is None:
        return None
    launch = None if isinstance(card, StudyCard) else card.launch
    return Learned.read(store, plan, launch, damaged, reach)


def _why_lines(card: StudyCard | LaunchCard, seen: "Learned | None") -> list[str]:
    if seen is not None:
        return list(seen.why_lines())
    launches = card.launches if isinstance(card, StudyCard) else [card.launch]
    name = card.plan.study_id if isinstance(card, StudyCard) else card.launch.launch_id
    if broken := [each.launch_id for each in launches if each.loss_finite is False]:
        return [
            f"{name} diverged: the loss became NaN or infinite in {len(broken)} of {len(launches)} launches.",
            "Look at the learning rate first, then at the precision: a tenth of the rate, or --precision fp32.",
        ]
    return [f"{name} trained no whole epochs, so it has no accuracy to ask about: --epochs N trains and evaluates."]


def _begun(store: Path, study_id: str, damaged: list[index.Damage]) -> list[Attempt]:
    """The attempts that have not ended, as far as that can be seen; a marker's damage has told of the rest."""
    try:
        return open_attempts(store, study_id)
    except UnreadableError as error:
        if not any(each.is_unread for each in damaged):
            path = f"studies/{study_id}/attempts"
            damaged.append(
                index.Damage(study_id=study_id, launch_id="", path=path, reason=error.message, is_unread=True)
            )
        return []


def _card(store: Path, text: str, damaged: list[index.Damage]) -> StudyCard | LaunchCard:
    from bench.store import read

    layout = existing(store)
    if "." not in text:
        study_id = index.resolve(store, text)
        return StudyCard(
            layout=layout,
            plan=index.plan(store, study_id),
            launches=read.launches(store, study_id, damaged),
            dna=read.committed(store, study_id, damaged).dna(damaged),
            begun=_begun(store, study_id, damaged),
        )
    marker = index.resolve_launch(store, text, damaged)
    rows = {each.launch_id: each for each in read.launches(store, marker.study_id, damaged)}
    launch = rows.get(marker.launch_id)
    if launch is None:
        reason = next(f"{each.path} {each.reason}" for each in damaged if each.launch_id == marker.launch_id)
        raise CannotError(f"launch {marker.launch_id} cannot be shown: {reason}")
    others = index.every_marker(store, marker.study_id, damaged)
    earlier = [each for each in others if each.launch_id == marker.launch_id and each.attempt < marker.attempt]
    return LaunchCard(layout=layout, launch=launch, files=[file.path for file in marker.files], earlier=earlier)
