"""The page in a real browser: nothing it asks for, nothing that sticks out, readable by everybody, whole on paper.

The browser is Debian's own, driven by Playwright; the rules of contrast, headings and tables are axe's (WCAG 2.2 AA).
"""

import importlib
import os
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from bench.analysis.report import Report
from reports.page.layout import html
from tests.reports import fabricated_studies as studies
from tests.reports.page import fabricated_reports as reports

pytestmark = pytest.mark.browser

WIDTHS = (360, 768, 1440)
A4 = {"width": 794 - 2 * 57, "height": 1123 - 2 * 60}  # what the margins of the page's print style leave, at 96 dpi
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

MADE = {
    "trained": lambda: reports.several(reports.trained()),
    "two": lambda: reports.several(reports.trained(), reports.whole(studies.accelerators())),
    "failed": lambda: reports.several(reports.whole(studies.failed_rank())),
    "twelve": lambda: reports.several(reports.whole(reports.twelve_rows())),
}


@pytest.fixture(scope="session")
def playwright():
    try:
        sync_api = importlib.import_module("playwright.sync_api")
    except ModuleNotFoundError:
        pytest.skip("playwright is not installed here: `make test-browser` installs it")
    with sync_api.sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright):
    program = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
    )
    if not program:
        pytest.skip("no Chromium is on the PATH: `make test-browser` installs Debian's")
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    running = playwright.chromium.launch(executable_path=program, args=[*as_root, "--font-render-hinting=none"])
    yield running
    running.close()


@pytest.fixture(scope="session", params=MADE)
def file(request, tmp_path_factory) -> Path:
    """The page on the disk, as a reader has it."""
    report: Report = MADE[request.param]()
    path: Path = tmp_path_factory.mktemp("pages") / f"{request.param}.html"
    path.write_text(html(report), encoding="utf-8")
    return path


class Opened:
    """A page in the browser, with everything that it said or asked for."""

    def __init__(self, browser, file: Path, **context) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self.context = browser.new_context(offline=True, **context)
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(file.as_uri())

    def measure(self, script: str):
        return self.page.evaluate(script)


@pytest.fixture
def opened(browser, file) -> Iterator:
    made: list[Opened] = []

    def make(**context) -> Opened:
        made.append(Opened(browser, file, **context))
        return made[-1]

    yield make
    for each in made:
        each.context.close()


def test_the_page_says_nothing_to_the_console_and_asks_for_nothing_but_itself(opened, file):
    page = opened(viewport={"width": 1440, "height": 900})
    page.measure("document.querySelectorAll('details').forEach(each => each.open = true)")
    page.measure("window.scrollTo(0, document.body.scrollHeight)")
    page.page.wait_for_timeout(200)
    assert page.said == []
    assert {url for url in page.asked if not url.startswith("data:")} == {file.as_uri()}


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_sticks_out_at_the_side(opened, width):
    page = opened(viewport={"width": width, "height": 900})
    page.measure("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.measure("document.documentElement.scrollWidth") <= width
    out = page.measure(
        """() => [...document.querySelectorAll('body *')].filter(each => {
            const box = each.getBoundingClientRect();
            return box.width > 0 && box.right > innerWidth + 0.5 && !each.closest('.scroll, pre, .skip');
        }).map(each => each.tagName + '.' + each.className)"""
    )
    assert out == []


@pytest.mark.parametrize("width", WIDTHS)
def test_the_text_of_charts_stays_within_them(opened, width):
    """The browser's own font may be wider than the one they were laid out in."""
    page = opened(viewport={"width": width, "height": 900})
    out = page.measure(
        """() => [...document.querySelectorAll('figure svg text')].filter(each => {
            const box = each.getBoundingClientRect(), whole = each.ownerSVGElement.getBoundingClientRect();
            return box.left < whole.left - 1 || box.right > whole.right + 1 || box.bottom > whole.bottom + 1;
        }).map(each => each.textContent)"""
    )
    assert out == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_against_wcag_aa(opened, scheme):
    axe = Path(importlib.import_module("axe_playwright_python").__file__).parent / "axe.min.js"
    page = opened(viewport={"width": 1440, "height": 900}, color_scheme=scheme)
    page.measure("document.querySelectorAll('details').forEach(each => each.open = true)")
    page.page.evaluate(axe.read_text(encoding="utf-8"))
    found = page.page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations', 'incomplete']})", RULES
    )
    lines = [
        f"{each['id']}: {node['html'][:120]} {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]
    assert lines == []
    assert {"color-contrast", "heading-order", "th-has-data-cells"} <= {each["id"] for each in found["passes"]}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_text_and_the_marks_of_charts_stand_out_from_the_page(opened, scheme):
    """Axe does not look into SVG: 4.5 : 1 for text, 3 : 1 for lines and bars that are not meant to be faint."""
    page = opened(viewport={"width": 1440, "height": 900}, color_scheme=scheme)
    low = page.measure(
        """() => {
            const channel = value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
            const light = colour => {
                const [r, g, b] = colour.match(/[\\d.]+/g).map(each => channel(each / 255));
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const ratio = (one, other) => {
                const [darker, lighter] = [light(one), light(other)].sort((a, b) => a - b);
                return (lighter + 0.05) / (darker + 0.05);
            };
            const paper = getComputedStyle(document.body).backgroundColor, found = [];
            for (const each of document.querySelectorAll('figure svg text, figure svg path, figure svg use')) {
                const style = getComputedStyle(each);
                if (each.closest('defs') || style.opacity < 1) continue;
                const is_text = each.tagName === 'text';
                const is_line = style.fill === 'none' || (style.stroke !== 'none' && !is_text);
                const colour = is_line ? style.stroke : style.fill;
                if ((is_line ? style.strokeOpacity : style.fillOpacity) < 1 || colour === 'none') continue;
                if (ratio(colour, paper) < (is_text ? 4.5 : 3)) found.push(each.outerHTML.slice(0, 90) + colour);
            }
            return found;
        }"""
    )
    assert low == []
    assert page.measure("document.querySelectorAll('figure svg path').length") > 10


def test_dark_and_light_differ_and_charts_follow(opened):
    looks = """() => [document.body, document.querySelector('figure svg text')].map(each => {
        const style = getComputedStyle(each);
        return each.tagName === 'text' ? style.fill : style.backgroundColor;
    })"""
    light, dark = (opened(color_scheme=scheme).measure(looks) for scheme in ("light", "dark"))
    assert light[0] != dark[0]
    assert light[1] != dark[1]


def test_headings_go_down_one_level_at_a_time_and_tables_say_what_their_cells_are(opened):
    page = opened()
    levels = page.measure("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(each => +each.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    bare = page.measure("[...document.querySelectorAll('th:not([scope])')].length")
    assert bare == 0
    assert page.measure("document.documentElement.lang") == "en"


def test_everything_is_there_without_javascript(opened):
    page = opened(java_script_enabled=False, viewport={"width": 1440, "height": 900})
    text = page.page.locator("main").inner_text()
    assert page.page.locator("figure svg").count() >= 3
    assert "Speedup" in text
    for number in range(page.page.locator("main section").count()):
        assert page.page.locator("main section").nth(number).inner_text().strip()
    assert page.page.locator("button:visible").count() == 0, "a button that does nothing"


def test_no_figure_is_cut_on_paper(opened, tmp_path):
    page = opened(viewport=A4, color_scheme="dark")
    page.page.emulate_media(media="print")
    tall = page.measure(
        f"""() => [...document.querySelectorAll('figure, tr, .finding')].filter(each =>
            each.getBoundingClientRect().height > {A4["height"]}
            || getComputedStyle(each).breakInside !== 'avoid'
        ).map(each => each.tagName + ' ' + (each.id || each.className))"""
    )
    assert tall == [], "taller than a sheet, or allowed to break"
    assert page.measure("getComputedStyle(document.body).backgroundColor") in {"rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"}
    data = page.page.pdf(path=str(tmp_path / "page.pdf"), prefer_css_page_size=True)
    assert data.startswith(b"%PDF")
    assert data.count(b"/Type /Page\n") + data.count(b"/Type /Page/") + data.count(b"/Type /Page ") < 40


def test_the_links_within_the_page_lead_somewhere(opened):
    page = opened()
    lost = page.measure(
        "() => [...document.querySelectorAll('a[href^=\"#\"]')].filter("
        "each => !document.getElementById(each.hash.slice(1))).map(each => each.hash)"
    )
    assert lost == []
