"""Training from a profile on the command line: gates, seeds, what is shown, and bad input before anything starts."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from bench.errors import UsageError
from bench.plan import Published, in_rounds, to_json
from bench.store import index
from bench.store.commit import Store
from bench.verbs import scale, study_request
from bench.verbs.show import command as show
from bench.verbs.study_flags import OutputOptions
from tests.bench.verbs.measured_stores import SINGLE, commit, measured

WORK = {"model": "resnet18", "data": "cifar10"}
ASKED = SimpleNamespace(targets={"top1": 0.9}, measure=SimpleNamespace(epochs=2))


def shown(store, *arguments):
    return CliRunner().invoke(show, ["--store", str(store.path), *arguments], catch_exceptions=False)


@pytest.fixture
def trained(tmp_path):
    """A study of one epoch from two seeds, whose profile quotes a result and wants one reached."""
    store = Store.open(tmp_path / "results")
    draft = measured(Store.open(tmp_path / "draft"), "trained-01", [], top1=0.5)
    plan = replace(
        draft,
        workload=replace(draft.workload, **WORK),
        launches=in_rounds(draft.study_id, (SINGLE,), 2, order_seed=0, seeds=(5, 6)),
        rounds=2,
        seeds=(5, 6),
        profile="s2-resnet18",
        published=(Published(metric="top1", value=60.0, unit="%", epochs=1, hardware="Apple M4"),),
        targets={"top1": 0.55},
    )
    store.create_study(to_json(plan))
    for planned, top1 in zip(plan.launches, (0.50, 0.52), strict=True):
        seeded = replace(plan, workload=plan.workload_of(planned))
        commit(store, seeded, planned, 100.0, hw_id="hw", top1=top1)
    return store


def test_a_plan_with_seeds_comes_back_from_the_store_as_it_was(trained):
    plan = index.plan(trained.path, "trained-01")
    assert plan.seeds == (5, 6)
    assert [plan.workload_of(each).seed for each in plan.launches] == [5, 6]
    assert plan.published[0].hardware == "Apple M4"


def test_show_tells_what_was_learned_beside_what_was_published(trained):
    text = shown(trained).stdout
    assert "learned" in text
    assert "mean of 2 seeds" in text
    assert "top-1 was to be at least 55.0 %: missed by 4.00 points" in text
    assert "top-1, 1 epoch " in text
    assert "-9.00 points" in text


def test_show_as_json_has_the_same_and_the_causes_on_request(trained):
    document = json.loads(shown(trained, "--json").stdout)["shown"][0]
    (row,) = document["learned"]
    assert (row["accuracy"]["top1"], row["accuracy"]["seeds"]) == (pytest.approx(0.51), 2)
    assert document["published"][0]["difference"]["estimate"] == pytest.approx(-9.0)
    assert "why" not in document
    asked = json.loads(shown(trained, "--why", "--json").stdout)["shown"][0]
    assert "augmentation" in [each["name"] for each in asked["why"][0]["causes"]]


def test_why_names_the_causes_and_what_is_known_to_be_possible(trained):
    text = shown(trained, "--why").stdout
    assert "the learning rate stayed at 0.05 to the end" in text
    assert "Known to be possible: 95.55 % after 200 epochs, with --profile s4-resnet18-best." in text
    assert "repeat" not in text


def test_why_of_a_study_without_epochs_says_what_is_missing(tmp_path):
    store = Store.open(tmp_path / "results")
    measured(store, "speed-01", [100.0, 101.0])
    assert "trained no whole epochs" in shown(store, "--why").stdout


def test_the_time_to_an_accuracy_is_told_when_asked(trained):
    text = shown(trained, "--reach", "0.51").stdout
    assert "51.0 % was reached by 1 of 2 launches after 1 epoch" in text


def test_the_gate_needs_a_target_and_epochs():
    assert study_request.gates_of("accuracy", ASKED) == ("accuracy",)
    assert study_request.gates_of(None, ASKED) == ()
    with pytest.raises(UsageError, match="no gate 'slower'"):
        study_request.gates_of("slower", ASKED)
    with pytest.raises(UsageError, match="nothing says which accuracy"):
        study_request.gates_of("accuracy", SimpleNamespace(targets={}, measure=ASKED.measure))
    with pytest.raises(UsageError, match="only whole epochs are evaluated"):
        study_request.gates_of("accuracy", SimpleNamespace(targets=ASKED.targets, measure=SimpleNamespace(epochs=None)))


def test_a_missed_target_is_exit_4_when_the_gate_was_asked_for(trained, capsys):
    from bench import study
    from bench.verbs.leading import Led

    led = Led(study=study.analyse(trained.path, "trained-01"), code=0)
    output = OutputOptions(plain=True, no_color=True)
    assert scale.show(led, trained.path, output) == 0
    assert scale.show(led, trained.path, output, ("accuracy",)) == 4
    assert "gate failed: accuracy: top-1 was to be at least 55.0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[measure]\nepochs = 2\nseeds = [1, 1]", "different whole numbers"),
        ("[targets]\nacuracy = 0.9", "'acuracy' is no target"),
        ("[[published]]\nmetric = 'top1'\nvalue = 'many'", "published.0.value"),
        ("[publication]\nhardwear = 'x'", "unknown key 'hardwear' in [publication]"),
        ("[recipe]\nmomentm = 0.9", "unknown key 'momentm' in [recipe]"),
    ],
)
def test_a_profile_that_is_wrong_in_any_key_is_refused_before_anything_starts(run_bench, tmp_path, text, found):
    (tmp_path / "mine.toml").write_text(f"description = 'wrong'\n[model]\nname = 'lenet-small'\n{text}\n")
    ran = run_bench("run", "--profile", "mine.toml")
    assert ran.returncode == 2, ran
    assert found in ran.stderr
    assert len(ran.stderr.strip().splitlines()) <= 4
    assert not (tmp_path / "results").exists()
