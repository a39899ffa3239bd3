"""`bench models` and `bench profiles`, and the flags of a study."""

import json
import tomllib

import click
import pytest
from click.testing import CliRunner

import profiles
from bench.errors import CANNOT, BenchError, UsageError
from bench.settings import resolve
from bench.settings.precedence import NAMES
from bench.verbs import models
from bench.verbs import profiles as profiles_verb
from bench.verbs.study_flags import Options, OutputOptions, study_options
from bench.verbs.study_request import refuse_unknown_names


def output(command, *words) -> str:
    ran = CliRunner().invoke(command, words, catch_exceptions=False)
    assert ran.exit_code == 0
    assert "\x1b" not in ran.stdout
    return ran.stdout


def test_models_are_listed_with_their_origin_ours_first():
    rows = [line.split() for line in output(models.command).splitlines()]
    assert {"lenet-small": "bench", "vgg16": "torchvision"}.items() <= dict(rows).items()
    assert [origin for _, origin in rows] == sorted(origin for _, origin in rows)


def test_models_can_be_filtered_and_told_as_json():
    document = json.loads(output(models.command, "LENET*", "--json"))
    assert document["schema"] == "bench.models/1"
    assert [each["name"] for each in document["models"]] == ["lenet-small", "lenet-large"]


def test_profiles_are_listed_each_with_its_line():
    lines = output(profiles_verb.command).splitlines()
    assert [line.split()[0] for line in lines] == profiles.names()
    document = json.loads(output(profiles_verb.command, "--json"))
    assert all(each["description"] for each in document["profiles"])


def test_a_printed_profile_is_a_profile(tmp_path):
    (tmp_path / "mine.toml").write_text(output(profiles_verb.command, "demo"))
    assert tomllib.loads((tmp_path / "mine.toml").read_text()) == profiles.read("demo")
    assert json.loads(output(profiles_verb.command, "demo", "--json"))["profile"] == profiles.read("demo")


def test_an_unknown_profile_is_refused_with_a_suggestion():
    with pytest.raises(UsageError, match="Did you mean demo"):
        CliRunner().invoke(profiles_verb.command, ["demmo"], catch_exceptions=False)


@pytest.fixture
def asked():
    """What a command with the flags of a study is called with."""

    @click.command()
    @study_options
    def command(options):
        found.append(options)

    found: list[Options] = []

    def called(*words):
        CliRunner().invoke(command, words, catch_exceptions=False)
        return found.pop()

    called.command = command
    return called


def test_only_what_was_given_becomes_a_flag(asked):
    given = asked("--ranks", "1,2", "--quick", "--profile", "demo")
    assert given.flags == {"ranks": "1,2", "quick": True}
    assert given.profile == "demo"
    assert not given.resume
    assert not given.dry_run
    assert given.output == OutputOptions()


def test_every_flag_of_a_setting_is_one_that_settings_know(asked, tmp_path):
    for option in asked.command.params:
        if option.name in {"profile", "fail_on", "resume", "dry_run", "as_json", "plain", "no_color", "wide"}:
            continue
        assert option.name in {*NAMES, "gpus"}, option.name


def test_a_zero_is_something_that_was_given(asked):
    assert asked("--seed", "0").flags == {"seed": "0"}


def test_words_and_names_are_completed(asked):
    def completed(flag, typed):
        option = next(each for each in asked.command.params if flag in each.opts)
        return [item.value for item in option.shell_complete(click.Context(asked.command), typed)]

    assert completed("--device", "c") == ["cpu", "cuda"]
    assert completed("--strategy", "single,d") == ["single,ddp", "single,dp"]
    assert completed("--model", "lenet-s") == ["lenet-small"]
    assert completed("--data", "dig") == ["digits"]
    assert completed("--profile", "dem") == ["demo"]


@pytest.mark.parametrize(
    ("flags", "found"), [({"model": "resnet5O"}, "resnet50"), ({"model": "resnet50", "data": "digit"}, "digits")]
)
def test_names_that_do_not_exist_are_refused_with_what_looks_like_them(flags, found, tmp_path):
    settings = resolve(flags, {}, tmp_path, user_file=tmp_path / "none.toml")
    with pytest.raises(BenchError) as caught:
        refuse_unknown_names(settings)
    assert caught.value.code != CANNOT
    assert found in caught.value.hint
