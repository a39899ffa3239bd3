"""Every chart of the page as files for a paper, a slide or a README: SVG, PDF, PNG and the text that stands for it."""

from collections.abc import Iterator, Sequence

from bench.analysis.report import Report
from reports.figures.chart import Chart
from reports.figures.svg import files
from reports.page.blocks import Apart, Block
from reports.page.sections import page


def render(report: Report) -> dict[str, bytes]:
    """Four files a chart, named by what it shows: `-speedup.svg`, `.pdf`, `.png` and `-speedup.txt`, the alt text."""
    return {
        f"-{chart.key}{suffix}": content
        for section in page(report).sections
        for chart in _charts(section.blocks)
        for suffix, content in files.render(chart).items()
    }


def _charts(blocks: Sequence[Block]) -> Iterator[Chart]:
    for block in blocks:
        if isinstance(block, Chart):
            yield block
        elif isinstance(block, Apart):
            yield from _charts(block.blocks)
