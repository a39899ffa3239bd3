"""Machines behind a study: each once, with what differs between them and how much that matters."""

import json

from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import study_report
from bench.store.schema import Dna


def dna(number=0, *, hw="hw", sw="sw", num="num", unavailable=None, **layers):
    document = {
        "identity": {"cpu_cores": 2, "gpus": []},
        "conditions": {"load_1m": 0.1 * number},
        "software": {"torch": "2.15.0"},
        **layers,
    }
    texts = {name: None if facts is None else json.dumps(facts) for name, facts in document.items()}
    return Dna(
        study_id="s",
        launch_id=f"s.r{number:02d}p00",
        hw_id=hw,
        sw_id=sw,
        num_id=num,
        unavailable=json.dumps(unavailable or {}),
        **texts,
    )


def test_a_machine_with_its_software_is_one_card_however_many_launches_it_ran():
    (card,) = study_report.cards([dna(number) for number in range(6)])
    assert (card.hw_id, card.sw_id, card.num_id, card.launches) == ("hw", "sw", "num", 6)
    assert card.conditions == {"load_1m": "0.0"}  # of the time of the first


def test_cards_stand_in_the_order_in_which_they_first_ran():
    rows = [dna(0, hw="b"), dna(1, hw="a"), dna(2, hw="b"), dna(3, hw="b", sw="other")]
    assert [(card.hw_id, card.sw_id, card.launches) for card in study_report.cards(rows)] == [
        ("b", "sw", 2), ("a", "sw", 1), ("b", "other", 1)
    ]  # fmt: skip


@given(st.lists(st.tuples(*[st.sampled_from("ab")] * 2, st.sampled_from([None, "n"])), max_size=20))
def test_every_launch_is_on_exactly_one_card(ids):
    found = study_report.cards([dna(number, hw=hw, sw=sw, num=num) for number, (hw, sw, num) in enumerate(ids)])
    assert sum(card.launches for card in found) == len(ids)
    assert len({(card.hw_id, card.sw_id, card.num_id) for card in found}) == len(found)


def test_facts_are_texts_under_the_names_that_comparisons_use():
    layers = {
        "identity": {"cpu_isa": ["avx", "avx2"], "gpus": [{"name": "Chip", "memory_gib": 80}, {"name": "Chip"}]},
        "software": {"torch": "2.15.0"},
    }
    (card,) = study_report.cards([dna(unavailable={"num_id": "not asked for"}, **layers)])
    assert card.identity == {
        "cpu_isa": '["avx", "avx2"]',
        "gpus.count": "2",
        "gpus.0.name": "Chip",
        "gpus.0.memory_gib": "80",
        "gpus.1.name": "Chip",
    }
    assert card.software == {"torch": "2.15.0"}
    assert card.unavailable == {"num_id": "not asked for"}


def test_layers_that_were_not_asked_for_are_empty():
    (card,) = study_report.cards([dna()])
    assert (card.numeric, card.measured) == ({}, {})


def test_what_changed_within_a_study_is_told_with_all_its_values_and_the_weightiest_first():
    rows = [
        dna(0, software={"torch": "2.15.0", "kernel": "6.1"}),
        dna(1, software={"torch": "2.15.1", "kernel": "6.1"}),
        dna(2, software={"torch": "2.15.2", "kernel": "6.2"}),
    ]
    torch, kernel = study_report.drift(rows)
    assert (torch.field, torch.a, torch.b, torch.effect) == ("software.torch", "2.15.0", "2.15.1 / 2.15.2", "numbers")
    assert (kernel.field, kernel.a, kernel.b, kernel.effect) == ("software.kernel", "6.1", "6.2", "speed")


def test_the_load_of_a_moment_and_measured_ceilings_are_no_drift():
    rows = [dna(number, measured={"launch_s": {"median": number}}) for number in range(3)]
    assert study_report.drift(rows) == ()


def test_a_study_of_one_launch_or_none_does_not_drift():
    assert study_report.drift([]) == ()
    assert study_report.drift([dna()]) == ()


def test_what_one_launch_could_not_read_is_no_drift():
    rows = [dna(0), dna(1, identity={"gpus": []}, unavailable={"identity.cpu_cores": "no permission"})]
    assert study_report.drift(rows) == ()


def test_between_two_studies_each_digest_of_a_canary_is_left_to_the_id():
    a = dna(numeric={"one_thread": {"mm": "00"}}, software={"torch": "2.15.0"})
    b = dna(numeric={"one_thread": {"mm": "11"}}, software={"torch": "2.16.0"})
    assert [each.field for each in study_report.between([a], [b])] == ["software.torch"]


def test_a_machine_does_not_differ_from_itself():
    rows = [dna(number) for number in range(4)]
    assert study_report.between(rows, rows[::-1]) == ()
