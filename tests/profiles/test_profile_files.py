"""Every profile that ships is whole and says what it is for."""

import json

import pytest

import profiles
from bench import planning
from bench.dna.machine import Machine
from bench.dna.nvidia import NvidiaCards
from bench.learn.catalogue import check_data, check_model
from bench.plan import from_json, to_json
from bench.settings import resolve


@pytest.mark.parametrize("name", profiles.names())
def test_a_profile_resolves_names_what_exists_and_describes_itself(name, tmp_path):
    settings = resolve({}, {}, tmp_path, name, user_file=tmp_path / "none.toml")
    check_model(settings.model.name)
    check_data(settings.data.name)
    assert 20 < len(settings.description) < 120


def test_the_known_answers_are_arithmetic(tmp_path):
    settings = resolve({}, {}, tmp_path, "known-answer", user_file=tmp_path / "none.toml")
    rate_sps = settings.scale.batch / (settings.model.options["sleep_ms"] / 1e3)
    for each in settings.published:
        expected = each.ranks * (rate_sps if each.metric == "throughput" else 1)
        assert each.value == pytest.approx(expected)


EXPERIMENTS = [name for name in profiles.names() if name.startswith(("s1-", "s2-", "s3-", "s4-", "s5-"))]
TWO_GPUS = Machine(
    cpu_ids=(0, 1),
    pinnable=True,
    memory_bytes=2**36,
    cards=NvidiaCards(names=("A GPU", "A GPU")),
    torch_build="CUDA 13.0",
)


def resolved(name, tmp_path, **flags):
    return resolve(flags, {}, tmp_path, name, user_file=tmp_path / "none.toml")


def test_all_variants_of_the_five_experiments_are_here_with_the_recipes_known_to_be_better():
    assert len(EXPERIMENTS) == 20
    assert sum(name.endswith("-best") for name in EXPERIMENTS) == 5


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_trains_once_at_its_published_length_and_quotes_its_source(name, tmp_path):
    settings = resolved(name, tmp_path)
    assert settings.measure.rounds == 1
    if name == "s5-wrn-28-10-two-phases":  # planned in the report, never run
        assert not settings.published
        return
    assert any(each.metric.endswith("top1") and each.epoch is None for each in settings.published)
    assert settings.measure.epochs in {each.epochs for each in settings.published}
    assert all(each.source for each in settings.published)
    assert name.endswith("-best") or all(each.hardware for each in settings.published)
    assert all(0 <= each.value <= 100 for each in settings.published if each.unit == "%")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_target_is_no_more_than_was_published(name, tmp_path):
    settings = resolved(name, tmp_path)
    best = max((each.value for each in settings.published if each.metric in {"top1", "best_top1"}), default=100)
    assert settings.targets.get("top1", 0) <= best / 100


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize("flags", [{}, {"epochs": "1"}, {"seeds": "1,2,3"}, {"seconds": "6"}])
def test_an_experiment_can_be_planned_on_gpus_at_its_length_shorter_and_for_its_speed(name, flags, tmp_path):
    settings = resolved(name, tmp_path, gpus="1,2", **flags)
    plan = planning.build(settings, TWO_GPUS, study_id="s", created_at="", command="", order_seed=0)
    assert {row.key for row in plan.configurations} == {"single-cuda-1", "ddp-cuda-1", "ddp-cuda-2", "dp-cuda-2"}
    assert plan.rounds == {"seeds": 3, "seconds": 6}.get(next(iter(flags), ""), 1)
    assert from_json(json.loads(json.dumps(to_json(plan)))) == plan


def test_half_floats_on_a_cpu_are_warned_of(tmp_path):
    settings = resolved("s5-wrn-28-10", tmp_path, device="cpu", ranks="1")
    plan = planning.build(settings, TWO_GPUS, study_id="s", created_at="", command="", order_seed=0)
    assert any("--precision bf16" in note for note in plan.notes)
    other = resolved("s5-wrn-28-10", tmp_path, device="cpu", ranks="1", precision="bf16")
    assert not any(
        "--precision" in note
        for note in planning.build(other, TWO_GPUS, study_id="s", created_at="", command="", order_seed=0).notes
    )


def test_the_first_report_has_every_epoch_and_every_class(tmp_path):
    published = resolved("s1-resnet50", tmp_path).published
    curve = [each.value for each in published if each.metric == "top1" and each.epoch is not None]
    assert curve == [22.10, 30.59, 40.07, 43.75, 51.51, 57.60, 59.21, 61.42, 62.76]
    classes = {each.class_name: each.value for each in published if each.class_name}
    assert len(classes) == 10
    assert (classes["automobile"], classes["cat"]) == (75.7, 35.4)


def test_an_unknown_profile_is_a_lookup_error():
    with pytest.raises(LookupError, match="nothing-of-the-kind"):
        profiles.read("nothing-of-the-kind")
