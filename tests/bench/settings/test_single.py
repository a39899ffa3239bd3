"""A verb that needs one setting finds it where `run` and `scale` find it."""

import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bench.errors import UsageError
from bench.settings.precedence import of_files
from bench.verbs.study_flags import busy_option, data_dir_option, store_option


@click.command()
@store_option
@busy_option
@data_dir_option
def verb(store, when_busy, data_dir):
    click.echo(f"{store} {when_busy} {data_dir}")


@pytest.fixture
def said(tmp_path, monkeypatch):
    """What a verb gets, with these words in ./bench.toml and in the user's own configuration."""
    home = tmp_path / "home"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    for name in ("BENCH_STORE", "BENCH_WHEN_BUSY", "BENCH_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)

    def ask(*words, local=None, user=None, **variables):
        for text, file in ((local, Path("bench.toml")), (user, user_file())):
            if text is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
        done = CliRunner().invoke(verb, list(words), env=variables, catch_exceptions=False)
        return done.output.strip()

    return ask


def user_file():
    from platformdirs import user_config_path

    return user_config_path("bench", appauthor=False) / "bench.toml"


LOCAL, USER = '[study]\nstore = "local"\n', '[study]\nstore = "user"\n'


def test_flag_variable_local_file_user_file_and_default_in_that_order(said):
    assert said() == "bench-results refuse None"
    assert said(user=USER).startswith("user ")
    assert said(local=LOCAL).startswith("local ")
    assert said(BENCH_STORE="variable").startswith("variable ")
    assert said("--store", "flag", BENCH_STORE="variable").startswith("flag ")


def test_a_home_is_expanded_wherever_the_store_is_said(said):
    home = os.environ["HOME"]
    assert said("--store", "~/a").startswith(f"{home}/a ")
    assert said(BENCH_STORE="~/b").startswith(f"{home}/b ")
    assert said(local='[study]\nstore = "~/c"\n').startswith(f"{home}/c ")


def test_other_settings_of_such_verbs_come_from_the_same_places(said):
    assert said(local='[study]\nwhen_busy = "wait"\n[data]\ndir = "~/d"\n').split()[1:] == [
        "wait",
        f"{os.environ['HOME']}/d",
    ]


def test_a_file_that_is_wrong_is_named_and_not_passed_over(said):
    with pytest.raises(UsageError, match=r"bench\.toml"):
        said(local="[study]\nstroe = 'x'\n")


def test_what_no_file_says_is_the_default_of_the_document(tmp_path):
    assert of_files("scale.batch", tmp_path, tmp_path / "none.toml") == 64
