"""Who set what: the order of places, the one length of the window, and what a mistake is told like."""

from itertools import chain, combinations
from pathlib import Path

import pytest

from bench.errors import USAGE, UsageError
from bench.settings import Settings, resolve
from bench.settings.precedence import NAMES, WINDOW


@pytest.fixture
def ask(tmp_path):
    """Resolve settings in an empty folder, with what is said in each place."""

    def resolved(flags=None, environ=None, profile=None, *, local=None, user=None) -> Settings:
        for file, text in (("bench.toml", local), ("user.toml", user)):
            if text is not None:
                (tmp_path / file).write_text(text)
        return resolve(flags or {}, environ or {}, tmp_path, profile, user_file=tmp_path / "user.toml")

    return resolved


def refusal(ask, *arguments, **places) -> UsageError:
    with pytest.raises(UsageError) as caught:
        ask(*arguments, **places)
    assert caught.value.code == USAGE
    assert len(caught.value.lines) <= 4
    return caught.value


PLACES = ["flag", "environment", "local", "user", "profile"]


@pytest.mark.parametrize("said_in", list(chain.from_iterable(combinations(PLACES, n) for n in range(6))))
def test_the_highest_place_that_says_a_setting_wins_and_is_named(ask, tmp_path, said_in):
    batches = {place: 10 + number for number, place in enumerate(PLACES)}
    said = {place: f"[scale]\nbatch = {batches[place]}" if place in said_in else "" for place in PLACES}
    (tmp_path / "mine.toml").write_text('[model]\nname = "m"\n' + said["profile"])
    settings = ask(
        {"batch": "10"} if "flag" in said_in else {},
        {"BENCH_BATCH": "11"} if "environment" in said_in else {},
        "mine.toml",
        local=said["local"],
        user=said["user"],
    )
    names = dict(
        zip(
            PLACES,
            ["--batch", "BENCH_BATCH", "./bench.toml", str(tmp_path / "user.toml"), "profile mine.toml"],
            strict=True,
        )
    )
    if said_in:
        assert (settings.scale.batch, settings.origins["scale.batch"]) == (batches[said_in[0]], names[said_in[0]])
    else:
        assert (settings.scale.batch, settings.origins["scale.batch"]) == (64, "default")


def test_every_flag_and_variable_names_a_setting_that_has_an_origin(ask):
    assert set(NAMES.values()) <= set(ask({"model": "m"}).origins)


def test_nothing_asked_for_is_the_demo(ask):
    settings = ask()
    assert settings.profile == "demo"
    assert settings.origins["model.name"] == "profile demo"


@pytest.mark.parametrize(
    "place", [{"flags": {"model": "m"}}, {"environ": {"BENCH_MODEL": "m"}}, {"local": '[model]\nname = "m"'}]
)
def test_a_model_from_anywhere_is_not_the_demo(ask, place):
    settings = ask(**place)
    assert (settings.profile, settings.model.name, settings.measure.quick) == (None, "m", False)


def test_the_defaults_are_six_rounds_of_six_seconds(ask):
    measure = ask({"model": "m"}).measure
    assert (measure.rounds, measure.seconds, measure.warmup) == (6, 6.0, 10)
    assert (measure.precision, measure.memory_format, measure.seed) == ("fp32", "contiguous", 0)


def test_quick_is_three_rounds_of_three_seconds_and_says_so(ask):
    settings = ask({"model": "m", "quick": True})
    assert (settings.measure.rounds, settings.measure.seconds, settings.measure.warmup) == (3, 3.0, 5)
    assert settings.origins["measure.rounds"] == "--quick"


def test_quick_beats_the_rounds_of_lower_places_but_not_those_beside_or_above_it(ask):
    assert ask({"model": "m", "quick": True}, local="[measure]\nrounds = 9").measure.rounds == 3
    assert ask({"model": "m", "quick": True, "rounds": "9"}).measure.rounds == 9
    assert ask({"model": "m", "rounds": "9"}, local="[measure]\nquick = true").measure.rounds == 9


def test_a_higher_place_replaces_another_length_of_the_window(ask):
    settings = ask({"model": "m", "steps": "20"}, local="[measure]\nepochs = 3")
    assert [getattr(settings.measure, key.split(".")[1]) for key in WINDOW] == [20, None, None]
    assert settings.origins["measure.epochs"] == "default"


TRAINS_ONCE = '[model]\nname = "m"\n[measure]\nepochs = 40\nrounds = 1\n'


def test_the_rounds_of_a_profile_belong_to_its_length(ask, tmp_path):
    (tmp_path / "mine.toml").write_text(TRAINS_ONCE)
    assert ask({}, {}, "mine.toml").measure.rounds == 1
    assert ask({"epochs": "2"}, {}, "mine.toml").measure.rounds == 1
    assert ask({"quick": True}, {}, "mine.toml").measure.rounds == 1
    assert ask({"rounds": "4"}, {}, "mine.toml").measure.rounds == 4
    windows = ask({"seconds": "2"}, {}, "mine.toml")
    assert (windows.measure.rounds, windows.origins["measure.rounds"]) == (6, "default")
    assert ask({"seconds": "2"}, {}, "mine.toml", local="[measure]\nrounds = 5").measure.rounds == 5


def test_seeds_are_a_round_each_and_replace_the_one_seed_and_the_rounds_of_lower_places(ask, tmp_path):
    (tmp_path / "mine.toml").write_text(TRAINS_ONCE + "seed = 1111\n")
    seeds = ask({"seeds": "1,2,3"}, {}, "mine.toml")
    assert (seeds.measure.seeds, seeds.measure.rounds, seeds.origins["measure.rounds"]) == ((1, 2, 3), 3, "--seeds")
    assert seeds.origins["measure.seed"] == "default"
    assert ask({"seeds": "1,2", "rounds": "4"}, {}, "mine.toml").measure.rounds == 4
    with pytest.raises(UsageError, match=r"--rounds: of 3 seeds, rounds = 1 would leave some out"):
        ask({"seeds": "1,2,3", "rounds": "1"}, {}, "mine.toml")
    one = ask({"seed": "5"}, {}, "mine.toml", local="[measure]\nseeds = [1, 2]")
    assert (one.measure.seed, one.measure.seeds, one.measure.rounds) == (5, None, 6)


def test_two_lengths_of_the_window_in_one_place_are_an_error(ask):
    assert "--steps and --epochs" in refusal(ask, {"model": "m", "steps": "1", "epochs": "1"}).message


def test_gpus_is_short_for_a_device_and_its_ranks(ask):
    settings = ask({"model": "m", "gpus": "1,2,4"}, local='[scale]\ndevice = "cpu"')
    assert (settings.scale.device, settings.scale.ranks) == ("cuda", (1, 2, 4))
    assert settings.origins["scale.ranks"] == "--gpus"


def test_gpus_and_ranks_together_are_an_error(ask):
    assert "--gpus and --ranks" in refusal(ask, {"gpus": "1", "ranks": "1"}).message


def test_text_of_flags_and_variables_is_converted(ask):
    settings = ask(
        {"model": "m", "strategy": "ddp,single", "input_shape": "3,32,64", "budget": "1.5h", "augment": "none"},
        {"BENCH_QUICK": "1", "BENCH_RANKS": "auto", "BENCH_MARGIN": "0.05", "BENCH_TIMEOUT": "90"},
    )
    assert settings.scale.strategy == ("ddp", "single")
    assert settings.data.input_shape == (3, 32, 64)
    assert settings.data.augment == ()
    assert (settings.study.budget, settings.study.timeout, settings.study.margin) == (5400.0, 90.0, 0.05)
    assert (settings.measure.quick, settings.scale.ranks) == (True, "auto")


def test_a_home_folder_is_expanded_where_no_shell_did_it(ask):
    settings = ask({"model": "m"}, local='[data]\ndir = "~/images"')
    assert settings.data.dir == str(Path.home() / "images")


def test_options_of_a_model_pass_through_as_they_are(ask):
    options = {"sleep_ms": 5, "rank": 1}
    assert ask({"model": "m"}, local="[model.options]\nsleep_ms = 5\nrank = 1").model.options == options


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ({"device": "cdua"}, "--device: 'cdua' is none of auto, cpu, cuda, mps. Did you mean cuda"),
        ({"strategy": "single,dpd"}, "--strategy: 'dpd' is none of single, ddp, dp."),
        ({"precision": "fp8"}, "--precision"),
        ({"ranks": "1,x"}, "--ranks: '1,x' should be whole numbers from 1"),
        ({"ranks": "0"}, "--ranks"),
        ({"ranks": ""}, "--ranks"),
        ({"batch": "0"}, "--batch"),
        ({"rounds": "many"}, "--rounds: 'many'"),
        ({"seconds": "nan"}, "--seconds"),
        ({"seconds": "-1"}, "--seconds"),
        ({"warmup": "0"}, "--warmup"),
        ({"budget": "10x"}, "--budget: '10x' should be a length of time"),
        ({"timeout": "0"}, "--timeout"),
        ({"input_shape": "3,32"}, "--input-shape: '3,32' should be channels, height and width"),
        ({"input_shape": "3,32,a"}, "--input-shape"),
        ({"margin": "2"}, "--margin"),
        ({"model": ""}, "--model"),
    ],
)
def test_a_wrong_value_names_its_flag_and_what_is_right(ask, flags, found):
    assert refusal(ask, {"model": "m", **flags}).message.startswith(found)


def test_a_wrong_variable_is_named(ask):
    assert refusal(ask, {"model": "m"}, {"BENCH_ROUNDS": "x"}).message.startswith("BENCH_ROUNDS: 'x'")


def test_variables_that_are_no_setting_are_left_alone(ask):
    assert ask({"model": "m"}, {"BENCH_OF_ANOTHER_PROGRAM": "1", "BENCH_ROUNDS": ""}).measure.rounds == 6


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[measure]\nroundz = 3", "./bench.toml: unknown key 'roundz' in [measure]. Did you mean rounds"),
        ("[mesure]\nrounds = 3", "./bench.toml: unknown key 'mesure'. Did you mean measure"),
        ("measure = 3", "./bench.toml: [measure] should be a table"),
        ('[measure]\nrounds = "3"', "./bench.toml: measure.rounds: '3'"),
        ("[measure]\nrounds = true", "./bench.toml: measure.rounds: True"),
        ("[scale]\nranks = [1.5]", "./bench.toml: scale.ranks"),
        ("[recipe]\nlearning_rate = 0", "./bench.toml: recipe.learning_rate"),
        ('[recipe]\nschedule = "cosin"', "./bench.toml: recipe.schedule: 'cosin' is none of"),
        ('[[published]]\nmetric = "top1"', "./bench.toml: [published.0] has no 'value'"),
        ('[[published]]\nmetric = "top"\nvalue = 1', "./bench.toml: published.0.metric: 'top' is none of"),
        ('[[published]]\nmetric = "top1"\nvalue = 1\nsouce = "x"', "./bench.toml: unknown key 'souce' in [published]"),
        ("[targets]\ntop_1 = 0.7", "./bench.toml: targets: {'top_1': 0.7} 'top_1' is no target"),
        ("[targets]\ntop1 = 70", "./bench.toml: targets: {'top1': 70} 'top1' is a share from 0 to 1"),
        ("[measure]\nseeds = [1, 1]", "./bench.toml: measure.seeds: [1, 1] should be different whole numbers"),
        ("[measure]\nseed = 1\nseeds = [1, 2]", "./bench.toml and ./bench.toml both say the seed"),
        ("[measure]\nsteps = 1\nseconds = 2", "./bench.toml"),
    ],
)
def test_a_mistake_in_a_file_names_the_file_and_the_key(ask, text, found):
    assert refusal(ask, {"model": "m"}, local=text).message.startswith(found)


@pytest.mark.parametrize("text", ["[measure\n", "\x00", "a = 1\na = 2"])
def test_a_file_that_is_not_toml_is_named(ask, text):
    assert "bench.toml is not TOML" in refusal(ask, {"model": "m"}, local=text).message


def test_an_unknown_profile_gets_a_suggestion(ask):
    assert "Did you mean demo" in refusal(ask, {}, {}, "demmo").message


def test_a_missing_profile_file_is_named(ask):
    assert "nowhere.toml" in refusal(ask, {}, {}, "nowhere.toml").message


def test_a_profile_without_a_model_asks_for_one(ask, tmp_path):
    (tmp_path / "mine.toml").write_text("[measure]\nrounds = 3")
    assert "names no model" in refusal(ask, {}, {}, "mine.toml").message
    assert ask({"model": "m"}, {}, "mine.toml").measure.rounds == 3
