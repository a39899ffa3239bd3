"""CSV and JSON: every number of the study, missing as missing, whole files or none."""

import csv
import io
import json
from pathlib import Path

import pytest

from bench import exporting
from bench.exporting.files import drafted
from bench.exporting.targets import csv as to_csv
from bench.exporting.targets import json as to_json
from tests.bench.exporting.exported_files import everything


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def silent(_: str) -> None:
    pass


def half_written(folder: Path) -> None:
    with drafted(folder) as draft:
        (draft / "epochs.csv").write_text("half")
        raise OSError("disk full")


def read(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))


def test_every_table_is_there_and_comes_back_as_it_was(of, out):
    record = of()
    paths = to_csv.write(record, out, silent)
    folder = out / record.name
    assert {path.name for path in paths} == {file.name for file in folder.iterdir()}
    epochs = read(folder / "epochs.csv")
    assert [(row["launch"], int(row["epoch"]), float(row["seconds"])) for row in epochs] == [
        (run.launch.launch_id, point.index, point.seconds) for run in record.runs for point in run.epochs
    ]
    assert [float(row["validation_loss"]) for row in epochs] == [1.75, 0.75, 1.75, 0.75]
    settings = {row["name"]: (row["value"], row["origin"]) for row in read(folder / "settings.csv")}
    assert settings["recipe.learning_rate"] == ("0.05", "profile demo")
    launches = read(folder / "launches.csv")
    assert [row["status"] for row in launches] == ["ok", "ok", "crash"]
    assert [row["throughput_sps"] for row in launches] == ["320.5", "320.5", ""]
    assert {row["hw_id"] for row in launches} == {"00112233445566aa"}
    assert {row["configuration"] for row in read(folder / "rows.csv")} == {
        "single-cpu-1x1",
        "ddp-cpu-2x1",
        "ddp-cuda-4x1",
    }
    assert (folder / "report.md").read_text() == record.report


def test_the_confusion_of_the_last_epoch_is_counted_and_shared(of, out):
    to_csv.write(of(), out, silent)
    rows = read(out / of().name / "confusion.csv")
    first = [(row["is"], row["called"], row["images"], row["share"]) for row in rows[:4]]
    assert first == [
        ("cat", "cat", "3", "0.75"),
        ("cat", "dog|wolf", "1", "0.25"),
        ("dog|wolf", "cat", "1", "0.25"),
        ("dog|wolf", "dog|wolf", "3", "0.75"),
    ]
    assert {row["epoch"] for row in rows} == {"2"}


def test_the_classification_report_names_each_class_with_means(of, out):
    to_csv.write(of(), out, silent)
    text = (out / of().name / "classification-r00p00.txt").read_text()
    assert text.splitlines()[2:] == [
        "              precision     recall         f1    support",
        "cat              0.7500     0.7500     0.7500          4",
        "dog|wolf         0.7500     0.7500     0.7500          4",
        "",
        "macro mean       0.7500     0.7500     0.7500          8",
        "accuracy                               0.7500          8",
    ]


def test_the_document_has_everything_and_no_nan(of, out):
    record = of()
    (path,) = to_json.write(record, out, silent)
    document = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} in the document"))
    assert document["schema"] == "bench.record/1"
    assert [each["dna"]["hw_id"] for each in document["launches"]] == ["00112233445566aa"] * 3
    assert document["launches"][0]["epochs"][1] == {"epoch": 2, "samples": 1280, "seconds": 22.0} | dict(
        record.runs[0].epochs[1].values
    )
    assert document["launches"][0]["classes"][1]["confusion"] == [1, 3]
    assert document["launches"][2]["row"]["throughput_sps"] is None
    assert {"name": "model.name", "value": "lenet", "origin": "--model"} in document["settings"]
    assert document["report"] == record.report
    assert len(document["findings"]["rows"]) == 3


@pytest.mark.parametrize("target", [to_csv, to_json])
def test_exporting_again_gives_the_same_bytes(target, of, out):
    target.write(of(), out, silent)
    before = everything(out)
    target.write(of(), out, silent)
    assert everything(out) == before


def test_a_study_of_speed_alone_has_its_launches_and_steps_and_no_empty_tables(of, out):
    record = of("2611230900-lenet-77ff")
    names = {path.name for path in to_csv.write(record, out, silent)}
    assert {"launches.csv", "steps.csv", "rows.csv", "settings.csv"} <= names
    assert not {"epochs.csv", "classes.csv", "confusion.csv"} & names


def test_one_launch_is_exported_alone_under_its_own_name(of, out):
    record = of(only="2611241200-lenet-c0de.r00p01")
    to_csv.write(record, out, silent)
    assert [file.name for file in out.iterdir()] == ["2611241200-lenet-c0de.r00p01"]
    assert {row["launch_id"] for row in read(out / record.name / "launches.csv")} == {record.name}


def test_an_export_that_fails_leaves_the_earlier_one_and_no_draft(of, out):
    to_csv.write(of(), out, silent)
    before = everything(out)
    with pytest.raises(OSError, match="disk full"):
        half_written(out / of().name)
    assert everything(out) == before


def test_an_export_that_fails_leaves_no_folders_that_it_made(out):
    with pytest.raises(OSError, match="disk full"):
        half_written(out / "a" / "b")
    assert list(out.iterdir()) == []


def test_files_of_the_users_own_stay(of, out):
    (out / of().name).mkdir()
    (out / of().name / "notes.txt").write_text("mine")
    to_csv.write(of(), out, silent)
    assert (out / of().name / "notes.txt").read_text() == "mine"


def test_every_target_is_one_file_with_the_three_things_that_it_has_to_have():
    assert exporting.names() == ("csv", "huggingface", "json", "mlflow", "tensorboard", "wandb")
    for name in ("csv", "json"):
        module = exporting.find(name)
        assert dict(module.NEEDS) == {}
        assert callable(module.write)
        assert callable(module.opened)
