"""The page: whole without JavaScript or a network, the same bytes each time, and true to the rules of telling."""

import base64
import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from bench.analysis.report import Report, of_study
from reports.page.closing import _short
from reports.page.layout import html
from reports.page.opening import headlines as page_headlines
from reports.page.sections import page
from reports.scaling import table as model
from reports.text import fmt
from tests.reports import fabricated_studies as studies
from tests.reports.page import fabricated_reports as reports

VOID = {"meta", "link", "br", "img", "input", "hr", "path", "circle", "line", "rect", "use", "polyline", "polygon"}
SECTIONS = ["results", "speedup", "time", "steady", "learning", "energy", "limits", "warnings", "machine"]
SECTIONS += ["method", "reproduce", "cite"]


class Outline(HTMLParser):
    """What a page is made of; fails on a tag that closes another than the last."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: dict[str, list[str]] = {}
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        for tag in self.open:
            self.words.setdefault(tag, []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def of_stored(study) -> Report:
    return Report(studies=(reports.whole(study),))


def spoken(text: str) -> str:
    """The text of a page without its tags, style and script."""
    bare = re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", bare).replace("&#39;", "'").replace("&amp;", "&").split())


@pytest.fixture(scope="module")
def good() -> str:
    return html(of_stored(studies.good()))


@pytest.fixture(scope="module")
def trained() -> str:
    return html(Report(studies=(reports.trained(),)))


@pytest.mark.parametrize("made", studies.ALL.values(), ids=studies.ALL)
def test_every_study_has_a_page_with_its_sections_in_order(made):
    outline = Outline(html(of_stored(made())))
    keys = [attrs["id"] for attrs in outline.all("section")]
    assert [key for key in keys if key in SECTIONS] == SECTIONS
    assert len(outline.all("h1")) == 1


@pytest.mark.parametrize("made", studies.ALL.values(), ids=studies.ALL)
def test_a_study_of_which_only_the_table_is_known_has_a_page_too(made):
    Outline(html(of_study(made())))


def test_the_same_report_gives_the_same_bytes(good):
    assert html(of_stored(studies.good())) == good


def test_headings_never_skip_a_level(trained):
    both = html(reports.several(reports.trained(), reports.whole(studies.good())))
    for text in (trained, both):
        levels = [int(tag[1]) for tag, _ in Outline(text).tags if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))


def test_ids_are_unique_and_every_reference_leads_somewhere(trained):
    for text in (trained, html(reports.several(reports.trained(), reports.trained()))):
        outline = Outline(text)
        ids = [attrs["id"] for _, attrs in outline.tags if "id" in attrs]
        assert len(ids) == len(set(ids))
        wanted = [attrs["href"][1:] for attrs in outline.all("a") if (attrs["href"] or "").startswith("#")]
        for _, attrs in outline.tags:
            wanted += (attrs.get("aria-labelledby") or "").split()
        assert set(wanted) <= set(ids)


def test_every_table_says_what_its_columns_and_rows_are(trained):
    outline = Outline(trained)
    assert outline.all("th")
    assert {attrs.get("scope") for attrs in outline.all("th")} == {"col", "row"}
    assert outline.all("html") == [{"lang": "en"}]


def test_every_chart_has_a_title_a_description_and_a_table_of_its_data(trained):
    outline = Outline(trained)
    charts = [attrs for attrs in outline.all("svg") if attrs.get("role") == "img"]
    assert len(charts) == len(outline.all("figure")) > 5
    assert all(attrs["aria-labelledby"] for attrs in charts)
    assert trained.count('<details class="data">') == len(charts)


def test_nothing_is_fetched(trained):
    sources = [attrs.get(name) for _, attrs in Outline(trained).tags for name in ("src", "href") if attrs.get(name)]
    assert all(source.startswith(("#", "data:")) for source in sources)
    bare = trained.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|url\((?!#)|@import", bare)


def test_a_page_of_twelve_rows_is_at_most_300_kilobytes():
    assert len(html(Report(studies=(reports.whole(reports.twelve_rows(), steps=200),))).encode()) <= 300_000


def test_its_table_has_the_digits_of_every_other_output(good):
    table = model.build(studies.good())
    text = spoken(good)
    for column in table.columns:
        for cell in column.cells:
            assert " ".join(cell.split()) in text
    assert " ".join(table.sentence.split()) in text


@pytest.mark.parametrize(
    ("limits", "words_shown"),
    [
        ({"cpu_quota": "0.5", "memory_limit_gib": "2.0"}, "0.5\u202fcores' worth of time, 2.0\u202fGiB"),
        ({"memory_limit_gib": "2.0"}, "2.0\u202fGiB"),
        ({}, None),
    ],
)
def test_what_a_container_allows_of_the_machine_stands_with_it(limits, words_shown):
    card = reports.card()
    pairs = dict(_short(replace(card, conditions={**card.conditions, **limits})))
    assert pairs.get("allowed") == words_shown


@pytest.mark.parametrize("status", ["ok", "suspect"])
def test_a_large_number_of_a_suspect_row_says_so_itself(status):
    base, two, *_ = studies.good().rows
    both_rows = (base, replace(two, status=status, reasons=("a CPU quota",) * (status != "ok")))
    labels = [
        each.label for each in page_headlines(replace(studies.good(), rows=both_rows)) if "samples/s" in each.label
    ]
    assert labels
    assert all(("suspect" in label) == (status != "ok") for label in labels)


def test_the_data_in_the_page_reproduce_its_headline(good):
    links = {attrs["download"]: attrs["href"] for attrs in Outline(good).all("a") if "download" in attrs}
    names = sorted(links)
    assert [name.partition("-3fa9")[2] for name in names] == ["-launches.csv", ".csv", ".json"]
    launches, rows, document = (
        base64.b64decode((links[name] or "").partition("base64,")[2]).decode() for name in names
    )
    record = next(each for each in csv.DictReader(io.StringIO(rows)) if each["configuration"] == "ddp-cpu-2x1")
    row = next(each for each in json.loads(document)["studies"][0]["rows"] if each["configuration"] == "ddp-cpu-2x1")
    assert float(record["speedup"]) == pytest.approx(row["speedup"]["estimate"], rel=1e-11)
    assert f'<dd class="value">{float(record["speedup"]):.3f}x</dd>' in good
    assert len(list(csv.DictReader(io.StringIO(launches)))) == 24


def test_no_speedup_stands_without_its_base_rate(good):
    outline = page(of_stored(studies.good()))
    ratio = next(each for each in outline.headlines if each.value.endswith("x"))
    assert "samples/s" in ratio.label
    assert fmt.point(studies.good().baseline.throughput) in ratio.label
    drawn = [block for section in outline.sections for block in section.blocks if block.kind == "figure"]
    speedup = next(block for block in drawn if block.key == "speedup")
    assert "samples/s" in speedup.baseline
    assert speedup.baseline in speedup.caption


@pytest.mark.parametrize("made", [studies.good, studies.quick, studies.accelerators, studies.undecided])
def test_every_caption_says_weak_or_strong_with_batch_precision_and_data(made):
    title = made().title
    for section in page(of_stored(made())).sections:
        for block in section.blocks:
            if block.kind in {"figure", "grid"}:
                for fact in (f"{title.scaling} scaling", f"batch {title.batch}", title.precision, title.data):
                    assert fact in block.caption


def test_an_invalid_row_has_no_ratio_anywhere_and_failures_are_counted():
    text = spoken(html(of_stored(studies.failed_rank())))
    charts = [
        block
        for section in page(of_stored(studies.failed_rank())).sections
        for block in section.blocks
        if block.kind == "figure"
    ]
    assert not any(chart.key in {"speedup", "efficiency"} for chart in charts)
    assert "9 of 18 launches gave no number" in text
    assert "ddp on 2 ranks: crash" in text
    assert "ddp on 3 ranks: INVALID" in text


def test_without_a_baseline_nothing_is_divided_and_the_reason_is_told():
    text = spoken(html(of_stored(studies.missing_baseline())))
    assert "No speedup to draw: the baseline, single, has no number to divide by" in text


def test_more_than_a_hundred_percent_is_explained_not_applauded():
    assert "Hardware cannot give more than was added" in spoken(html(of_stored(studies.undecided())))
    assert "Hardware cannot give more than was added" not in spoken(html(of_stored(studies.good())))


def test_nothing_is_extrapolated_and_why_is_told(good):
    assert "nothing is extrapolated: 2 counts of resources" in spoken(good)


def test_energy_that_was_not_measured_has_its_reason_and_is_never_nothing(good):
    text = spoken(good)
    assert "Not measured here: no counter can be read" in text
    assert "0 J" not in text


def test_training_shows_curves_classes_and_both_confusion_matrices(trained):
    keys = [attrs["id"] for attrs in Outline(trained).all("figure")]
    assert {"figure-learning", "figure-classes", "figure-confusion", "figure-confusion-shares"} <= set(keys)
    text = spoken(trained)
    assert "-0.56 [-2.11, 0.99]" in text.replace(fmt.NARROW, " ")
    assert "Constant at 0.05" in text


def test_names_from_outside_are_text_and_never_markup(trained):
    assert "<b>one</b>" not in trained
    assert "&lt;b&gt;one&lt;/b&gt;" in trained
    evil = replace(studies.good().title, model="<script>alert(1)</script>", device='"><img src=x>')
    text = html(Report(studies=(reports.whole(replace(studies.good(), title=evil)),), title="<i>mine</i> & yours"))
    assert "<script>alert" not in text
    assert "<img" not in text
    assert "&lt;i&gt;mine&lt;/i&gt; &amp; yours" in text
    Outline(text)


def test_a_flag_is_never_broken_after_its_first_hyphen(good):
    assert "<code>--resume</code>" in html(of_stored(studies.failed_rank()))


def test_several_studies_stand_side_by_side_each_with_its_own_base():
    strong = reports.whole(replace(studies.good(), title=replace(studies.TITLE, scaling="strong")))
    both = reports.several(reports.whole(studies.good()), strong)
    outline = page(both)
    assert outline.sections[0].key == "side-by-side"
    grid = outline.sections[0].blocks[0]
    assert len(grid.rows) == 2
    assert [head.text for head in grid.heads][:3] == ["study", "scaling", "baseline, samples/s"]
    assert [row[1] for row in grid.rows] == ["weak, batch 64", "strong, batch 64"]
    assert "The same in all: model, data lenet-large, cifar10; device" in grid.caption
    bars = next(block for block in outline.sections[0].blocks if block.kind == "figure").bars
    assert [bar.label for bar in bars] == ["1. weak", "2. strong"]
    speedup = next(section for section in outline.sections if section.key == "speedup")
    assert [block.heading.partition(" (")[0] for block in speedup.blocks] == ["1. weak", "2. strong"]
    Outline(html(both))


def test_devices_of_different_kinds_share_no_efficiency():
    both = reports.several(reports.whole(studies.good()), reports.whole(studies.accelerators()))
    text = spoken(html(both))
    assert "share no efficiency" in text


def test_a_row_on_another_kind_of_device_is_named_and_not_drawn_on_the_scale():
    mps = studies.measured(
        "single",
        1,
        studies.DDP2_RATES,
        device="mps",
        cores_per_rank=None,
        speedup=studies.paired(studies.DDP2_RATES, studies.BASE_RATES),
        reasons_null={"efficiency": "mps against cpu: efficiency holds only within one kind of device"},
    )
    study = replace(studies.good(), rows=(*studies.good().rows, mps))
    charts = [
        block
        for section in page(of_stored(study)).sections
        for block in section.blocks
        if block.kind == "figure" and block.key in {"speedup", "efficiency"}
    ]
    assert len(charts) == 2
    for chart in charts:
        assert all("mps" not in line.label for line in chart.lines)
        assert any("efficiency holds only within one kind of device" in each for each in chart.absent)


def test_studies_of_different_methods_are_said_to_be_so():
    other = reports.whole(replace(studies.good(), method_version=99))
    text = spoken(html(reports.several(reports.whole(studies.good()), other)))
    assert "different methods (1, 99)" in text


def test_folds_are_open_where_the_page_is_printed():
    printed = html(of_stored(studies.good()), unfolded=True)
    assert printed.count("<details open>") == html(of_stored(studies.good())).count("<details><summary>")
    assert "<details><summary>" not in printed
