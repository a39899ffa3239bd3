"""`bench report`: one or more studies as a page, a paper's table, data and figures."""

import json
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.errors import UsageError
from bench.verbs.study_flags import Extensible, store_option

if TYPE_CHECKING:
    from bench.analysis.comparing.nouns import Comparison

SCHEMA = "bench.report/1"


def _formats() -> Sequence[str]:
    from reports.formats import names

    return names()


@click.command(
    epilog="""\b
Examples:
  bench report @last
  bench report @last --format html,pdf,tex -o paper
  bench report @-2 @last --title "One process against two"
  bench report 20261122-0814 --store results --compare @last --anonymize"""
)
@click.argument("studies", metavar="STUDY...", nargs=-1, required=True)
@store_option
@click.option(
    "--format",
    "wanted",
    cls=Extensible,
    names=_formats,
    default="html",
    show_default=True,
    help="csv, figures, html, json, md, pdf, tex; several with commas.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=".",
    show_default="here",
    help="Folder for the files; made when missing.",
)
@click.option("--title", default="", help="Of the page, instead of the model's name.")
@click.option("--compare", "other", metavar="OTHER", help="Also judge STUDY against OTHER: bench compare OTHER STUDY.")
@click.option("--anonymize", is_flag=True, help="Leave out what belongs to one site: paths, hosts, the state then.")
@click.option("--open", "show", is_flag=True, help="Open the page in the browser.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document with the paths.")
def command(
    *,
    studies: tuple[str, ...],
    store: Path,
    wanted: str,
    output: Path,
    title: str,
    other: str | None,
    anonymize: bool,
    show: bool,
    as_json: bool,
) -> None:
    """Write one report of every STUDY (an id, the start of one, @last or @-2) and print the paths written.

    Several studies share a report, side by side.
    """
    import profiles
    from bench import study
    from bench.analysis import study_report
    from bench.analysis.anonymous import anonymous
    from bench.store import index
    from bench.verbs.own_names import own_names
    from reports import build, formats

    names = [name.strip() for name in wanted.split(",")]
    for name in names:
        formats.find(name)  # a wrong name is refused before anything is read or written
    if show and "html" not in names:
        raise UsageError("--open shows the page, and html is not among the formats", "add it: --format html,…")
    ids = list(dict.fromkeys(index.resolve(store, each) for each in studies))
    report = study_report.combine(
        [study.stored(store, each) for each in ids],
        peaks=profiles.hardware_peaks(),
        title=title,
        comparison=_compared(ids[0], other, store) if other is not None else None,
    )
    if anonymize:
        report = anonymous(report, also=own_names())
    paths = build.write(report, names, output)
    if show:
        webbrowser.open(next(path for path in paths if path.suffix == ".html").resolve().as_uri())
    if as_json:
        document = {"schema": SCHEMA, "exit": 0, "studies": ids, "paths": list(map(str, paths))}
        document["reports"] = [{"study": report.name, "paths": list(map(str, paths))}]
        click.echo(json.dumps(document, indent=2))
        return
    for path in paths:
        click.echo(path)


def _compared(study_id: str, other: str, store: Path) -> "Comparison":
    """The study judged against another, by the rules of `bench compare`: FASTER means that the study reported is."""
    from bench.verbs import study_refs

    a, b = study_refs.find_side("--compare", other, store), study_refs.find(study_id, store)
    return next(study_refs.comparisons(a, b))
