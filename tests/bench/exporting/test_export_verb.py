"""`bench export`: mistakes are told before anything is written, and what is printed is what a script needs."""

import json
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import exporting
from bench.errors import CannotError, UsageError
from bench.verbs.export import command

REPOSITORY = Path(__file__).parents[3]
STUDY = "2611241200-lenet-c0de"


@pytest.fixture
def invoke(learned, tmp_path):
    def run(*words):
        return CliRunner().invoke(command, [*map(str, words), "--store", str(learned), "-o", str(tmp_path / "out")])

    return run


def test_it_prints_the_paths_and_says_on_stderr_what_to_do_with_them(invoke, tmp_path):
    ran = invoke("@last", "--to", "csv,json")
    assert ran.exit_code == 0
    assert all(Path(path).is_file() for path in ran.stdout.splitlines())
    assert f"{tmp_path}/out/json/{STUDY}/{STUDY}.json" in ran.stdout.splitlines()
    assert "the tables are in" in ran.stderr


def test_json_is_one_document_with_the_paths(invoke):
    document = json.loads(invoke("@last", "@-2", f"{STUDY}.r00p00", "--to", "json", "--json").stdout)
    assert (document["schema"], document["exit"]) == ("bench.export/1", 0)
    assert [(each["export"], each["to"]) for each in document["exports"]] == [
        (STUDY, "json"),
        ("2611230900-lenet-77ff", "json"),
        (f"{STUDY}.r00p00", "json"),
    ]
    assert all(Path(path).is_file() for each in document["exports"] for path in each["paths"])


def test_a_target_there_is_not_is_told_with_the_one_that_was_meant(invoke, tmp_path):
    refused = invoke("@last", "--to", "csv,tensorbord").exception
    assert isinstance(refused, UsageError)
    assert "Did you mean tensorboard?" in refused.message
    assert "mlflow" in refused.hint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow", "huggingface"])
def test_an_extra_that_is_absent_is_told_with_the_line_that_installs_it(invoke, monkeypatch, tmp_path, name):
    real = exporting.find_spec
    needs = import_module(f"bench.exporting.targets.{name}").NEEDS
    monkeypatch.setattr(exporting, "find_spec", lambda library: None if library in needs else real(library))
    refused = invoke("@last", "--to", name).exception
    assert isinstance(refused, CannotError)
    assert refused.code == 3
    assert refused.hint == "pip install " + " ".join(f'"{each}"' for each in needs.values())
    assert not (tmp_path / "out").exists()


def test_what_a_target_needs_is_what_its_extra_installs():
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for name in exporting.names():
        needs = list(import_module(f"bench.exporting.targets.{name}").NEEDS.values())
        assert needs == extras.get(name, []), name


def test_a_study_there_is_not_is_told_before_anything_is_written(invoke, tmp_path):
    assert isinstance(invoke("@last", "nonsense", "--to", "csv").exception, UsageError)
    assert isinstance(invoke("@last.r77", "--to", "csv").exception, UsageError)
    assert not (tmp_path / "out").exists()


def test_an_output_that_cannot_be_written_is_told(invoke, tmp_path):
    (tmp_path / "out").write_text("mine")
    refused = invoke("@last", "--to", "csv").exception
    assert isinstance(refused, CannotError)
    assert "cannot write the export" in refused.message
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("name", ["huggingface", "wandb", "json"])
def test_what_is_made_to_be_published_names_no_folder_without_being_asked(learned, tmp_path, monkeypatch, name):
    plan = learned / "studies" / STUDY / "study.json"
    plan.write_text(plan.read_text().replace('"command": "', '"command": "bench run --model /srv/ada/net.py:build '))
    lines = []
    target = import_module(f"bench.exporting.targets.{name}")
    monkeypatch.setattr(exporting, "find", lambda _: target)
    monkeypatch.setattr(target, "write", lambda record, *_: lines.append(record) or [])  # its library may be absent
    CliRunner().invoke(
        command, [STUDY, "--to", name, "--store", str(learned), "-o", str(tmp_path)], catch_exceptions=False
    )
    assert ("/srv/ada" in lines[0].plan.command) == (name == "json")
    assert "net.py:build" in lines[0].plan.command


def test_targets_and_studies_are_completed(learned):
    context = command.make_context("export", ["@last", "--to", "csv", "--store", str(learned)])
    parameters = {each.name: each for each in command.params}
    found = parameters["wanted"].shell_complete(context, "csv,w")
    assert [each.value for each in found] == ["csv,wandb"]
    found = parameters["studies"].shell_complete(context, "26112")
    assert [each.value for each in found] == [STUDY, "2611230900-lenet-77ff"]


def test_tables_are_exported_without_torch(learned, tmp_path):
    script = (
        "import sys\n"
        "from bench.verbs.export import command\n"
        f"command(['@last', '--to', 'csv,json', '--store', {str(learned)!r}, '-o', {str(tmp_path / 'out')!r}],"
        " standalone_mode=False)\n"
        "print([name for name in ('torch', 'wandb', 'mlflow', 'tensorboard') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"
