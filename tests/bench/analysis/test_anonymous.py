"""What a report tells of the place where it was made: nothing, once it is anonymous."""

import json
from dataclasses import replace

import pytest

from bench.analysis.anonymous import anonymous, without_names
from bench.analysis.report import Attempted, Card, Report, StudyReport
from bench.analysis.result import Study, Title

SECRETS = (
    "alice",
    "lab-node-07",
    "10.0.3.7",
    "fe80::1ff:fe23:4567:890a",
    "00:1b:44:11:3a:b7",
    "GPU-4f2a91bc-1234",
    "lab.edu",
)
TEXT = (
    "rank 1 of lab-node-07 at 10.0.3.7:29400 (fe80::1ff:fe23:4567:890a, 00:1b:44:11:3a:b7) said: "
    "/home/alice/code/my_model.py:12 OOM on GPU-4f2a91bc-1234; ssh alice@lab.edu; node 3 (lab-node-07) does not answer"
)


def study(**changes) -> Study:
    title = Title(
        model="/home/alice/code/my_model.py:build",
        params=1,
        data="folder",
        precision="fp32",
        memory_format="contiguous",
        scaling="weak",
        batch=64,
        seed=0,
        rounds=6,
        window="30 steps",
        device="cpu",
    )
    given = {"study_id": "s", "method_version": 1, "title": title, "rows": (), "warnings": (TEXT,), "quick": False}
    return Study(**{**given, "margin": 0.02, "hw_id": "h", "sw_id": "s", "num_id": None, **changes})


def report() -> Report:
    card = Card(
        hw_id="h",
        sw_id="s",
        num_id=None,
        launches=1,
        identity={"cpu_label": "AMD EPYC 7B13"},
        software={"kernel": "Linux 6.8.0-45-generic-alice", "scaling-bench": "0.1.0+g1234", "torch": "2.15.0+cu130"},
        conditions={"load_1m": "0.2"},
        numeric={},
        measured={},
        unavailable={"num_id": TEXT},
    )
    launch = Attempted(
        launch_id="s.r00p00",
        configuration="c",
        round=0,
        method_version=1,
        status="crash",
        reason=TEXT,
        rate_sps=None,
        speedup=None,
    )
    study_report = StudyReport(
        study=study(),
        command="bench scale --model ~/code/my_model.py:build --data-dir /mnt/alice/cifar10 --store /srv/alice/results "
        "--rdzv lab-node-07:29400 --ranks 1,2",
        facts={"model": "/home/alice/code/my_model.py:build", "learning rate": "0.05, constant"},
        launches=(launch,),
        cards=(card,),
    )
    return Report(studies=(study_report,), title="of alice")


def spoken(found: Report) -> str:
    return json.dumps(found, default=lambda each: each.__dict__, ensure_ascii=False)


@pytest.mark.parametrize("secret", SECRETS)
def test_nothing_of_host_user_or_address_is_left(secret):
    assert secret in spoken(report())
    assert secret not in spoken(anonymous(report(), also=("lab-node-07", "alice")))


def test_no_path_is_left_but_its_last_part():
    study_report = anonymous(report(), also=())
    command = study_report.studies[0].command
    assert "/home" not in spoken(study_report)
    assert "--model …/my_model.py:build" in command
    assert "--data-dir …/cifar10" in command
    assert "--ranks 1,2" in command
    assert study_report.studies[0].study.title.model == "…/my_model.py:build"


def test_what_a_reader_compares_stays():
    study_report = anonymous(report())
    card = study_report.studies[0].cards[0]
    assert (card.hw_id, card.identity) == ("h", {"cpu_label": "AMD EPYC 7B13"})
    assert card.software == {"kernel": "Linux 6.8", "scaling-bench": "0.1.0", "torch": "2.15.0+cu130"}
    assert card.conditions == {}
    assert study_report.studies[0].facts["learning rate"] == "0.05, constant"
    assert study_report.anonymous


@pytest.mark.parametrize(
    "text",
    [
        "ddp on 2 ranks: 3 of 6 launches ended as hang: no step for 60 s",
        "--steps/--seconds and/or samples/s",
        "the 95 % interval 0.98 to 1.02 contains 1",
        "torch 2.15.0, driver 580.65.06, step 12:30",
    ],
)
def test_ordinary_words_and_numbers_stay(text):
    changed = replace(report(), studies=(replace(report().studies[0], command=text),))
    assert anonymous(changed).studies[0].command == text


@pytest.mark.parametrize(
    "text",
    [
        "FileNotFoundError: '/home/rosa meier/my data/labels.csv'",  # blanks
        'cannot read "/Users/rosa meier/net.py"',
        "/home/rosa meier/net.py:12: OutOfMemoryError",
        "ROSA-PC: /home/rosa meier is full",
        "files: ~/rosa/net.py",
    ],
)
def test_a_home_with_blanks_in_its_name_is_left_in_no_text(text):
    study_report = without_names(
        {"reasons": [text], text: {"log_tail": (text,)}}, also=("/home/rosa meier", "rosa meier", "rosa-pc")
    )
    assert "rosa" not in json.dumps(study_report).lower()
    assert len(json.dumps(study_report)) > 40, "the words around it stay"
