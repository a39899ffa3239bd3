"""The page as HTML, whole or cut to a notebook's cell: one file, no request, no need of JavaScript."""

import base64
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from bench.analysis.comparing.nouns import DIVERGED, Comparison
from bench.analysis.report import Report, StudyReport
from bench.analysis.result import EQUIVALENT, FASTER, INCONCLUSIVE, INVALID, SLOWER, Study
from bench.store.schema import STATUSES
from reports.comparing import comparison
from reports.figures.chart import Chart
from reports.figures.svg import palette
from reports.figures.svg.files import inline
from reports.page.blocks import Block, Download
from reports.page.closing import warnings
from reports.page.comparing import compared
from reports.page.sections import page, results
from reports.scaling.sentence import sentence

_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
_WORDS = frozenset({FASTER, SLOWER, EQUIVALENT, INCONCLUSIVE, INVALID, DIVERGED, *STATUSES})


def html(report: Report, *, unfolded: bool = False) -> str:
    """The whole page; the same report always gives the same text. `unfolded` opens what is folded, for print."""
    return _rendered("page.html.j2", page=page(report), unfolded=unfolded)


def study_cell(found: Study) -> str:
    """A study as the output of a notebook's cell: its sentence, the table with its notes, the warnings."""
    report = StudyReport(study=found)
    return _cell(sentence(found), (*results(report, f"-{found.study_id}"), *warnings(report, "")))


def comparison_cell(found: Comparison) -> str:
    """The sentence, the table with its notes, what differs between the machines."""
    _, *blocks = compared(found).blocks
    return _cell(comparison.sentence(found), blocks)


def _cell(sentence: str, blocks: Sequence[Block]) -> str:
    """Blocks of a page without the page around them: its style holds within them alone."""
    return _rendered("cell.html.j2", sentence=sentence, blocks=blocks).replace(":root", ":scope").strip()


def _rendered(template: str, **shown: Any) -> str:
    return re.sub(r"\n\s*\n+", "\n", _environment().get_template(template).render(**shown))


@cache
def _environment() -> Environment:
    from jinja2 import PackageLoader  # noqa: PLC0415

    found = Environment(
        loader=PackageLoader("reports.page", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    found.filters["flags"] = _flags
    found.globals |= {
        "svg": _svg,
        "style": _style,
        "script": _script,
        "uri": _uri,
        "slug": _slug,
        "words": _WORDS,
    }
    return found


def _svg(chart: Chart) -> Markup:
    return Markup(inline(chart))  # noqa: S704 - drawn by us; its texts are escaped where it is drawn


def _flags(text: str) -> Markup:
    """Text with its flags as code, so that no line breaks after the first of their hyphens."""
    return Markup(_FLAG.sub(r"<code>\g<0></code>", str(escape(text))))  # noqa: S704 - escaped here


def _style() -> Markup:
    text = _resource("page.css")
    text = text.replace("/* series: light */", palette.css(palette.LIGHT))
    text = text.replace("/* series: dark */", palette.css(palette.DARK))
    return Markup(text)  # noqa: S704 - our own file


def _script() -> Markup:
    return Markup(_resource("page.js"))  # noqa: S704 - our own file


def _resource(name: str) -> str:
    return files("reports.page").joinpath("templates", name).read_text(encoding="utf-8")


def _uri(download: Download) -> str:
    """The data themselves as a link: base64, because percent signs would treble every separator."""
    coded = base64.b64encode(download.text.encode()).decode("ascii")
    return f"data:{download.media};charset=utf-8;base64,{coded}"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
