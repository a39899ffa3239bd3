"""Every profile that trains whole epochs trains one, on a handful of pictures, alone and on two ranks.

The pictures, the batch and (for the class folders) the size of an image are cut down; the network, the recipe and the
augmentations are the profile's own. Its precision is too, but for fp16, which a CPU computes a hundred times slower
than bf16: there the other half takes its place.
"""

import json
import math
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import profiles
from bench import planning
from bench.dna.machine import Machine
from bench.settings import resolve
from bench.worker.job import Job, RankResult
from tests.learning import tiny_data

pytestmark = pytest.mark.learning

MACHINE = Machine(cpu_ids=(0, 1), pinnable=False, memory_bytes=2**34)
TIMEOUT_S = 3600  # a guard; alone on two cores it takes a minute or two
BATCH = 4  # over all ranks


def trained_profiles():
    """Those of whole epochs; the demo, whose data travel in the package, has tests of its own."""
    documents = {name: profiles.read(name) for name in profiles.names()}
    return [name for name, each in documents.items() if each.get("measure", {}).get("epochs") and name != "demo"]


def settings_of(name, data_dir, tmp_path):
    flags = {"epochs": "1", "warmup": "1", "device": "cpu", "cores_per_rank": "1", "data_dir": str(data_dir)}
    flags |= {"batch": str(BATCH), "scaling": "strong", "allow_oversubscribe": True}
    if profiles.read(name)["data"]["name"] == "folder":
        flags |= {"input_shape": "3,32,32", "data_dir": str(data_dir / "folder")}
    if profiles.read(name)["measure"].get("precision") == "fp16":
        flags["precision"] = "bf16"
    return resolve(flags, {}, tmp_path, name, user_file=tmp_path / "none.toml")


def jobs(ranks, data_dir, tmp_path):
    """A folder for each profile, with the job that `bench scale` would give a launch of it."""
    folders = {}
    for name in trained_profiles():
        settings = settings_of(name, data_dir, tmp_path)
        settings = replace(settings, scale=settings.scale.model_copy(update={"ranks": (ranks,)}))
        plan = planning.build(settings, MACHINE, study_id=name, created_at="", command="", order_seed=0)
        row = next(each for each in plan.configurations if each.strategy == ("single" if ranks == 1 else "ddp"))
        folder = tmp_path / f"{name}-{ranks}"
        folder.mkdir()
        Job(
            launch_id=f"{name}.r00p00",
            workload=plan.workload,
            configuration=row,
            oversubscribed=True,
            stall_s=60.0,
            minimum_steps=1,
        ).write(folder)
        (folder / "port").write_text(str(free_port()))
        folders[name] = folder
    return folders


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def live_through(folders, ranks, log):
    """As many processes as ranks, each of which runs every job in turn."""
    script = Path(__file__).with_name("one_epoch_each.py")
    with log.open("w") as stream:
        processes = [
            subprocess.Popen(
                [sys.executable, str(script), str(rank), str(ranks), *map(str, folders.values())],
                stdout=stream,
                stderr=stream,
            )
            for rank in range(ranks)
        ]
        try:
            codes = [each.wait(timeout=TIMEOUT_S) for each in processes]
        finally:
            for each in processes:
                each.kill()
    assert codes == [0] * ranks, log.read_text()[-3000:]


@pytest.mark.parametrize("ranks", [1, 2])
def test_every_profile_trains_an_epoch_and_evaluates_it(tmp_path, ranks):
    folders = jobs(ranks, tiny_data.write_all(tmp_path / "data"), tmp_path)
    assert len(folders) >= 19
    live_through(folders, ranks, tmp_path / "log")
    for name, folder in folders.items():
        results = [RankResult.from_json(json.loads((folder / f"rank{rank}.json").read_text())) for rank in range(ranks)]
        (epoch,) = results[0].epochs
        assert all(each.weights_moved and each.losses_finite for each in results), name
        assert math.isfinite(epoch.train_loss), name
        assert math.isfinite(epoch.validation_loss), name
        assert epoch.samples > 0, name
        assert sum(each.support for each in epoch.classes) == epoch.validation_samples, name
        if ranks > 1:
            assert results[0].weights_equal, name
