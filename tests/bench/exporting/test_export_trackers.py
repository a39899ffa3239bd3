"""Exports read back with the tracker's own reader: what went in comes out, once, and nothing leaves this machine."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench import exporting
from tests.bench.exporting.exported_files import everything

pytestmark = pytest.mark.trackers

STUDY = "2611241200-lenet-c0de"

# In a network namespace without a way out, every packet for elsewhere is counted by the kernel.
WITHOUT_A_NETWORK = r"""
lost() {
  awk '/^Ip:/ {if (!n) {for (i = 1; i <= NF; i++) if ($i == "OutNoRoutes") n = i} else print $n}' /proc/net/snmp
}
before=$(lost)
"$@" || exit 1
echo "tried=$(($(lost) - before))"
before=$(lost)
python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53))' 2>/dev/null
echo "control=$(($(lost) - before))"
"""


def silent(_: str) -> None:
    pass


def target(name: str):
    """The exporter, or a skip that says what is missing."""
    needs = __import__(f"bench.exporting.targets.{name}", fromlist=["NEEDS"]).NEEDS
    for library, requirement in needs.items():
        if find_spec(library) is None:
            pytest.skip(f"{library} is not installed: make test-trackers installs {requirement}")
    return exporting.find(name)


# TensorBoard


@pytest.fixture
def events():
    """TensorBoard's own reader, for one run's folder."""
    target("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def read(folder: Path):
        found = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
        found.Reload()
        return found

    return read


def test_tensorboard_reads_epochs_against_epochs_and_samples_with_seconds_as_wall_time(of, tmp_path, events):
    record = of()
    target("tensorboard").write(record, tmp_path / "tb", silent)
    read = events(tmp_path / "tb" / STUDY / "single-cpu-1x1" / _short_of(record, "single-cpu-1x1"))
    began = next(run for run in record.runs if run.launch.configuration == "single-cpu-1x1").began_at
    loss = read.Scalars("epochs/validation_loss")
    assert [(each.step, each.value) for each in loss] == [(1, 1.75), (2, 0.75)]
    assert [each.wall_time - began for each in loss] == pytest.approx([10.5, 22.0])
    assert [each.step for each in read.Scalars("by_samples/validation_loss")] == [640, 1280]
    assert [each.value for each in read.Scalars("launch/throughput_sps")] == [320.5]
    assert len(read.Scalars("steps/step_ms")) == 5
    assert [each.value for each in read.Scalars("class_recall/dog|wolf")] == [0.75]


def test_tensorboard_reads_every_setting_with_its_origin_the_dna_and_the_report(of, tmp_path, events):
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    record = of()
    target("tensorboard").write(record, tmp_path / "tb", silent)
    read = events(tmp_path / "tb" / STUDY / "ddp-cpu-2x1" / _short_of(record, "ddp-cpu-2x1"))
    session = HParamsPluginData.FromString(read.PluginTagToContent("hparams")["_hparams_/session_start_info"])
    found = session.session_start_info.hparams
    assert found["recipe.learning_rate"].number_value == 0.05
    assert found["model.name"].string_value == "lenet"
    assert "| recipe.learning_rate | 0.05 | profile demo |" in _text(read, "settings/text_summary")
    assert "00112233445566aa" in _text(read, "dna/text_summary")
    assert "| cat | 3 | 1 |" in _text(read, "confusion/text_summary")
    assert _text(events(tmp_path / "tb" / STUDY), "report/text_summary") == record.report


def test_tensorboard_exported_again_is_the_same_file_and_a_grown_study_has_one_run_more(of, grown, tmp_path):
    export = target("tensorboard")
    export.write(of(), tmp_path / "tb", silent)
    before = everything(tmp_path / "tb")
    export.write(of(), tmp_path / "tb", silent)
    assert everything(tmp_path / "tb") == before
    grown()
    export.write(of(), tmp_path / "tb", silent)
    assert len(everything(tmp_path / "tb")) == len(before) + 1


def _short_of(record, configuration: str) -> str:
    return next(run.short for run in record.runs if run.launch.configuration == configuration and run.epochs)


def _text(read, tag: str) -> str:
    return read.Tensors(tag)[-1].tensor_proto.string_val[0].decode()


# MLflow


@pytest.fixture
def runs(tmp_path):
    """The runs that MLflow's own client finds, by what they are of."""
    target("mlflow")
    from mlflow.tracking import MlflowClient

    def found():
        client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/an mlflow/mlflow.db")
        experiment = client.get_experiment_by_name("bench")
        given = client.search_runs([experiment.experiment_id])
        by_id = {each.data.tags["bench.id"]: each for each in given}
        assert len(by_id) == len(given), "two runs of one thing"
        return client, by_id

    return found


def test_mlflow_reads_what_went_in_and_exporting_again_adds_nothing(of, grown, runs, tmp_path):
    record = of()
    export = target("mlflow")
    export.write(record, tmp_path / "an mlflow", silent)
    client, found = runs()
    assert set(found) == {STUDY, *(run.launch.launch_id for run in record.runs)}
    trained = record.runs[0]
    run = found[trained.launch.launch_id]
    assert run.data.params["recipe.learning_rate"] == "0.05"
    assert run.data.tags["origin.recipe.learning_rate"] == "profile demo"
    assert run.data.tags["dna.hw_id"] == "00112233445566aa"
    assert run.data.tags["mlflow.parentRunId"] == found[STUDY].info.run_id
    assert run.data.metrics["launch/throughput_sps"] == 320.5
    loss = client.get_metric_history(run.info.run_id, "epochs/validation_loss")
    began = round(trained.began_at * 1000)
    assert [(each.step, each.value, each.timestamp - began) for each in loss] == [(1, 1.75, 10_500), (2, 0.75, 22_000)]
    samples = client.get_metric_history(run.info.run_id, "by_samples/validation_loss")
    assert [each.step for each in samples] == [640, 1280]
    assert found[record.runs[2].launch.launch_id].info.status == "FAILED"
    artifacts = Path(client.download_artifacts(found[STUDY].info.run_id, "report.md", str(tmp_path)))
    assert artifacts.read_text() == record.report
    confusion = Path(client.download_artifacts(run.info.run_id, "confusion.csv", str(tmp_path)))
    assert len(confusion.read_text().splitlines()) == 5

    export.write(record, tmp_path / "an mlflow", silent)
    again = runs()[1]
    assert {name: each.info.run_id for name, each in again.items()} == {
        name: each.info.run_id for name, each in found.items()
    }
    assert len(client.get_metric_history(run.info.run_id, "epochs/validation_loss")) == 2

    client.delete_tag(run.info.run_id, "bench.digest")  # as if the export had been broken off there
    grown()
    export.write(of(), tmp_path / "an mlflow", silent)
    later = runs()[1]
    assert len(later) == len(found) + 1
    assert later[record.runs[1].launch.launch_id].info.run_id == found[record.runs[1].launch.launch_id].info.run_id
    assert later[trained.launch.launch_id].info.run_id != run.info.run_id
    parents = {each.data.tags.get("mlflow.parentRunId") for name, each in later.items() if name != STUDY}
    assert parents == {later[STUDY].info.run_id}


def test_mlflow_tells_of_a_database_that_is_none(of, tmp_path):
    from bench.errors import CannotError

    export = target("mlflow")
    (tmp_path / "ml").mkdir()
    (tmp_path / "ml" / "mlflow.db").write_text("this is no database, and long enough to be read as one" * 100)
    with pytest.raises(CannotError, match="MLflow cannot write to"):
        export.write(of(), tmp_path / "ml", silent)


# Weights & Biases


def inspected(run: Path) -> list[dict]:
    """The records of an offline run, as wandb's own inspector prints them."""
    ran = subprocess.run(
        [str(Path(sys.executable).parent / "wandb"), "leet", "inspect", "--json", str(run)],
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_wandb_reads_what_went_in_and_exporting_again_adds_nothing(of, grown, tmp_path):
    record = of()
    export = target("wandb")
    paths = export.write(record, tmp_path / "wb", silent)
    first = record.runs[0]
    records = inspected(paths[0])
    (run,) = [each["run"] for each in records if each["type"] == "run"]
    assert run["run_id"] == first.launch.launch_id
    config = run["config"]["update"]
    assert config["settings"]["recipe.learning_rate"] == 0.05
    assert config["origins"]["recipe.learning_rate"] == "profile demo"
    assert config["dna"]["hw_id"] == "00112233445566aa"
    rows = [each["history"]["item"] for each in records if each["type"] == "history"]
    epochs = [
        (row["epoch"], row["samples"], row["seconds"], row["epochs/validation_loss"]) for row in rows if "epoch" in row
    ]
    assert epochs == [(1, 640, 10.5, 1.75), (2, 1280, 22.0, 0.75)]
    assert sum("steps/step_ms" in row for row in rows) == 5
    summary = {}
    for each in records:
        if each["type"] == "summary":
            summary |= each["summary"]["update"]
    assert summary["launch/throughput_sps"] == 320.5
    assert summary["classes/cat/recall"] == 0.75
    kept = {file["path"] for each in records if each["type"] == "files" for file in each["files"]["files"]}
    assert kept == {"classification.txt", "confusion.csv", "bench-digest.txt"}
    assert (paths[-1] / "files" / "report.md").read_text() == record.report
    (failed,) = [each["exit"]["exit_code"] for each in inspected(paths[2]) if each["type"] == "exit"]
    assert failed == 1

    before = everything(tmp_path / "wb")
    assert export.write(of(), tmp_path / "wb", silent) == paths
    assert everything(tmp_path / "wb") == before

    grown()
    later = export.write(of(), tmp_path / "wb", silent)
    assert later[:3] == paths[:3]
    assert sorted(each.name for each in (tmp_path / "wb").iterdir()) == sorted(each.name for each in later)
    assert len(later) == len(paths) + 1


def test_wandb_keeps_no_trace_of_this_machine_and_writes_nowhere_else(of, tmp_path, monkeypatch):
    import socket

    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    target("wandb").write(of(only=f"{STUDY}.r00p00"), tmp_path / "wb", silent)
    assert everything(home) == {}
    written = b"".join(everything(tmp_path / "wb").values())
    assert socket.gethostname().encode() not in written
    assert str(tmp_path).encode() not in written


@pytest.mark.parametrize("names", [("<5", ">5"), ("a/../b", "a//b"), ("", "."), ("\u732b", "cat|dog")])
def test_mlflow_keeps_classes_apart_whatever_they_are_called(of, tmp_path, names):
    export = target("mlflow")
    record = of()
    run = record.runs[0]
    classes = tuple(replace(each, name=name) for each, name in zip(run.classes, names, strict=True))
    export.write(replace(record, runs=(replace(run, classes=classes),)), tmp_path / "mlflow", silent)
    with export._client(tmp_path / "mlflow") as client:
        (experiment,) = [each for each in client.search_experiments() if each.name == "bench"]
        found = [
            key
            for each in client.search_runs([experiment.experiment_id])
            for key in each.data.metrics
            if key.startswith("class_recall/")
        ]
    assert len(set(found)) == len(names)


# A model hub's folder


def test_a_hub_reads_the_card_and_torch_the_weights(of, a_checkpoint, tmp_path):
    import torch

    export = target("huggingface")
    from safetensors.torch import load_file

    shared = torch.arange(4.0)
    kept = of().runs[1].launch.launch_id
    a_checkpoint(kept, {"a": shared, "tied": shared, "half": torch.ones(2, dtype=torch.bfloat16)})
    paths = export.write(of(), tmp_path / "hub", silent)
    folder = tmp_path / "hub" / STUDY
    assert {path.name for path in paths} == {file.name for file in folder.iterdir()}
    weights = load_file(folder / "model.safetensors")
    assert torch.equal(weights["a"], shared)
    assert torch.equal(weights["tied"], shared)
    assert weights["half"].dtype == torch.bfloat16
    assert json.loads((folder / "metrics.json").read_text())["launch"] == kept
    assert json.loads((folder / "config.json").read_text())["id2label"] == {"0": "cat", "1": "dog|wolf"}
    before = everything(folder)
    export.write(of(), tmp_path / "hub", silent)
    assert everything(folder) == before


def test_averaged_weights_are_the_main_file_because_they_were_evaluated(of, a_checkpoint, tmp_path):
    import torch

    export = target("huggingface")
    from safetensors.torch import load_file

    a_checkpoint(of().runs[0].launch.launch_id, {"a": torch.zeros(3)}, averaged={"a": torch.ones(3)})
    paths = export.write(of(), tmp_path / "hub", silent)
    folder = tmp_path / "hub" / STUDY
    assert {path.name for path in paths} == {file.name for file in folder.iterdir()}
    assert torch.equal(load_file(folder / "model.safetensors")["a"], torch.ones(3))
    assert torch.equal(load_file(folder / "model-unaveraged.safetensors")["a"], torch.zeros(3))
    card = (folder / "README.md").read_text()
    assert "These were evaluated." in card
    assert "Nothing was measured of these." in card
    for name in ("metrics.json", "config.json"):
        about = json.loads((folder / name).read_text())["weights"]
        assert (about["evaluated"], about["averaged"]) == ("model.safetensors", True)


def test_weights_from_after_the_last_evaluation_say_that_the_accuracy_is_not_theirs(of, a_checkpoint, tmp_path):
    import torch

    a_checkpoint(of().runs[0].launch.launch_id, {"a": torch.zeros(3)}, steps=120)
    target("huggingface").write(of(), tmp_path / "hub", silent)
    card = (tmp_path / "hub" / STUDY / "README.md").read_text()
    assert "after 2 epochs and 120 steps" in card
    assert "**not** where these weights are from" in card


def test_the_checkpoint_of_the_evaluated_epoch_goes_before_a_newer_one(of, a_checkpoint, tmp_path):
    import torch

    launch = of().runs[0].launch.launch_id
    later = a_checkpoint(launch, {"a": torch.zeros(3)}, steps=120)
    evaluated = later.file.with_name("epoch0002.pt")
    content = torch.load(later.file, weights_only=True)
    torch.save({**content, "step": 0, "model": {"a": torch.ones(3)}}, evaluated)
    assert of().runs[0].weights == evaluated


def test_a_hubs_own_reader_finds_the_results_in_the_card_and_no_licence(of, tmp_path):
    if find_spec("huggingface_hub") is None:
        pytest.skip("huggingface_hub is not installed: make test-trackers installs it")
    from huggingface_hub import ModelCard

    record = of()
    target("huggingface").write(record, tmp_path / "hub", silent)
    card = ModelCard.load(tmp_path / "hub" / STUDY / "README.md")
    assert card.data.license is None
    assert card.data.datasets == ["cifar10"]
    (found,) = card.data.eval_results
    assert (found.metric_type, found.metric_value, found.dataset_name) == ("accuracy", 0.625, "cifar10")
    for text in (
        record.plan.command,
        "00112233445566aa",
        "kept no checkpoint",
        "| recipe.learning_rate | 0.05 | profile",
    ):
        assert text in card.text
    assert record.report in card.text
    assert not (tmp_path / "hub" / STUDY / "model.safetensors").exists()


def test_a_torn_checkpoint_is_told_and_nothing_is_written(of, a_checkpoint, tmp_path):
    from bench.errors import CannotError

    export = target("huggingface")
    checkpoint = a_checkpoint(of().runs[0].launch.launch_id, {})
    checkpoint.file.write_bytes(checkpoint.file.read_bytes()[:100])
    with pytest.raises(CannotError, match="cannot be read"):
        export.write(of(), tmp_path / "hub", silent)
    assert not (tmp_path / "hub").exists()


# All of them


def test_no_target_sends_anything(learned, tmp_path):
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rn", "true"], check=False).returncode:
        pytest.skip("no network namespace can be made here (unshare -rn)")
    for name in exporting.names():
        target(name)
    ours = [sys.executable, "-m", "bench", "export", "@last", "--store", str(learned), "-o", str(tmp_path / "out")]
    ran = subprocess.run(
        ["unshare", "-rn", "bash", "-c", WITHOUT_A_NETWORK, "-", *ours, "--to", ",".join(exporting.names())],
        capture_output=True,
        text=True,
        check=True,
    )
    counted = dict(line.split("=") for line in ran.stdout.splitlines() if line.startswith(("tried=", "control=")))
    assert int(counted["control"]) > 0  # the kernel does count
    assert int(counted["tried"]) == 0
    assert {each.name for each in (tmp_path / "out").iterdir()} == set(exporting.names())
