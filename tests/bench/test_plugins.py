"""What other distributions bring is found by name, after our own, and blamed by name where it is broken."""

import sys
import traceback
from pathlib import Path

import pytest

import launchers
from bench import cli, exporting, last_resort, plugins
from bench.errors import CannotError, UsageError
from bench.learn.sources import DataRequest, find
from bench.settings import resolve
from reports import formats


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Installs a distribution: its name, a group with its names, and the text of its one module."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(plugins, "_loaded", {})
    before = set(sys.modules)

    def install(distribution, group, names, text=""):
        module = distribution.replace("-", "_")
        about = tmp_path / f"{module}-2.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 2.0\n")
        (about / "entry_points.txt").write_text(f"[{group}]\n" + "".join(f"{name} = {module}\n" for name in names))
        (tmp_path / f"{module}.py").write_text(text)

    yield install
    for name in set(sys.modules) - before:
        del sys.modules[name]


FORMAT = "def render(report):\n    return {'.org': 'told'}\n"


def test_a_name_of_another_distribution_is_found_and_listed(site):
    site("bench-org", plugins.REPORT_FORMATS, ["org"], FORMAT)
    assert formats.find("org").render(None) == {".org": "told"}
    assert {"html", "org"} <= {*formats.names()}


def test_our_own_name_comes_first_and_nothing_that_is_installed_is_looked_at(site, monkeypatch):
    site("bench-html", plugins.REPORT_FORMATS, ["html"], "raise SystemExit\n")
    monkeypatch.setattr(plugins, "_entry_points", lambda group: pytest.fail(f"{group} was looked for"))
    assert formats.find("html").__name__ == "reports.formats.html"
    assert exporting.find("csv").__name__ == "bench.exporting.targets.csv"
    assert find(DataRequest(name="digits")).name == "digits"
    assert resolve({"launcher": "local"}, {}, Path()).study.launcher == "local"


def test_one_name_of_two_distributions_is_an_error_that_names_both(site):
    for distribution in ("bench-org", "bench-org-mode"):
        site(distribution, plugins.REPORT_FORMATS, ["org"], FORMAT)
    with pytest.raises(UsageError, match=r"both bring 'org'") as refused:
        formats.find("org")
    assert {"bench-org 2.0", "bench-org-mode 2.0"} == {*refused.value.message.partition(" both ")[0].split(" and ")}


@pytest.mark.parametrize(
    ("group", "ask"),
    [
        (plugins.REPORT_FORMATS, formats.find),
        (plugins.EXPORTERS, exporting.find),
        (plugins.DATASETS, lambda name: find(DataRequest(name=name))),
    ],
)
@pytest.mark.parametrize("why", ["ModuleNotFoundError", "ZeroDivisionError"])
def test_a_broken_one_is_an_error_of_its_distribution_once_it_is_asked_for(site, group, ask, why):
    site("bench-broken", group, ["broken"], f"raise {why}\n")
    with pytest.raises(CannotError, match=rf"'broken' of bench-broken 2\.0 cannot be loaded: {why}"):
        ask("broken")


def test_a_broken_one_disturbs_nobody_who_did_not_ask_for_it(site):
    site("bench-broken", plugins.EXPORTERS, ["broken"], "raise SystemExit\n")
    assert "broken" in exporting.names()
    assert exporting.find("json").NEEDS == {}


def test_what_is_not_of_its_kind_is_refused_with_what_it_lacks(site):
    site("bench-half", plugins.EXPORTERS, ["half"], "NEEDS = {}\ndef write(record, folder, say): ...\n")
    with pytest.raises(CannotError, match=r"'half' of bench-half 2\.0 has no opened, as bench\.exporters must"):
        exporting.find("half")


def test_a_name_that_nobody_brings_is_answered_with_all_there_are(site):
    site("bench-org", plugins.REPORT_FORMATS, ["org"], FORMAT)
    with pytest.raises(UsageError) as refused:
        formats.find("orgg")
    assert "org, pdf" in refused.value.hint


def test_a_launcher_of_another_distribution_is_among_what_a_misspelled_one_may_have_meant(site):
    site("bench-rested", plugins.LAUNCHERS, ["rested"])
    with pytest.raises(UsageError, match="Did you mean rested"):
        resolve({"launcher": "restd"}, {}, Path())
    assert resolve({"launcher": "rested"}, {}, Path()).study.launcher == "rested"


def test_every_launcher_of_ours_is_found_by_the_name_of_its_file():
    assert launchers.names() == ("local", "slurm", "torchrun")
    assert all(hasattr(launchers.find(name), "script") for name in launchers.names())


def test_a_bug_in_another_distribution_is_reported_there(site):
    site("bench-wrong", plugins.REPORT_FORMATS, ["wrong"], "def render(report):\n    return {}['nothing']\n")
    with pytest.raises(KeyError) as raised:
        formats.find("wrong").render(None)
    failure = last_resort.failure(raised.value)
    assert failure.message == "a bug in bench-wrong 2.0: KeyError: 'nothing'"
    assert "report it there" in failure.hint


def test_a_bug_of_ours_that_another_distribution_ran_into_stays_ours(site, monkeypatch):
    text = "from reports import formats\ndef render(report):\n    formats.find(report)\n"
    site("bench-caller", plugins.REPORT_FORMATS, ["caller"], text)
    caller = formats.find("caller")
    monkeypatch.setattr(formats, "_own", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError) as raised:
        caller.render("html")
    assert [each.name for each in traceback.extract_tb(raised.value.__traceback__)][-3:-1] == ["render", "find"]
    assert plugins.blamed(raised.value) == ""


def test_help_looks_at_nothing_that_is_installed(monkeypatch, capsys):
    monkeypatch.setattr(plugins, "_entry_points", lambda group: pytest.fail(f"{group} was looked for"))
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    assert "scale" in capsys.readouterr().out
