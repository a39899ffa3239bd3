"""Data on the command line: what is wrong with them is said before a study begins, and with --dry-run alike."""

import json

import pytest
from click.testing import CliRunner
from PIL import Image

from bench.account import Account, LeftOut
from bench.errors import USAGE, BenchError
from bench.store.commit import Store
from bench.verbs.run import command as run
from bench.verbs.show import command as show
from tests.bench.verbs.measured_stores import measured

ACCOUNT = Account(
    name="folder",
    found=25,
    taken=24,
    left_out=(LeftOut(kind="broken links", count=1, example="train/cat/9.png", fix="remove them"),),
    split="val/ is for validation",
    classes=("cat", "dog"),
    training=(10, 8),
    validation=(3, 3),
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two classes of 12 training and 4 validation pictures; caches are the test's own."""
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("BENCH_STORE", raising=False)
    for part, count in (("train", 12), ("val", 4)):
        for label, name in enumerate(("cat", "dog")):
            (tmp_path / "data" / part / name).mkdir(parents=True)
            for number in range(count):
                shade = 100 * label + 2 * number + len(part)
                Image.new("L", (28, 28), shade).save(tmp_path / "data" / part / name / f"{number}.png")
    return tmp_path / "data"


def asked(folder, *more):
    words = ["--model", "lenet-small", "--data", "folder", "--data-dir", str(folder), "--input-shape", "1,28,28"]
    words += ["--device", "cpu", "--ranks", "1", "--cores-per-rank", "1", "--epochs", "1", "--rounds", "1"]
    return CliRunner().invoke(run, [*words, "--store", str(folder.parent / "store"), *more], catch_exceptions=False)


BROKEN = {
    "a torn picture": lambda root: (root / "val" / "dog" / "1.png").write_bytes(b"\x89PNG half of it"),
    "an empty picture": lambda root: (root / "train" / "cat" / "0.png").write_bytes(b""),
    "a class without validation": lambda root: (root / "val" / "dog").rename(root / "dog"),
    "no such folder": lambda root: root.rename(root.with_name("elsewhere")),
}


@pytest.mark.parametrize("breaks", BROKEN.values(), ids=BROKEN)
def test_what_is_wrong_with_data_is_said_before_a_study_exists_and_alike_in_a_dry_run(folder, breaks):
    breaks(folder)
    said = []
    for more in (["--dry-run"], []):
        with pytest.raises(BenchError) as caught:
            asked(folder, "--batch", "4", *more)
        assert caught.value.code == USAGE
        assert len(caught.value.lines) <= 4
        said.append(caught.value.lines)
    assert said[0] == said[1]
    assert not (folder.parent / "store").exists()


def test_fewer_pictures_than_a_batch_are_refused_before_a_study_exists(folder):
    with pytest.raises(BenchError, match="folder has 24 training images; one global batch is 64"):
        asked(folder)
    assert not (folder.parent / "store").exists()


def test_a_shape_that_the_data_do_not_have_is_refused_before_a_study_exists(folder):
    words = ["--model", "lenet-small", "--data", "digits", "--input-shape", "3,32,32", "--store", str(folder / "s")]
    with pytest.raises(BenchError, match="digits has --input-shape 1,32,32, not 3,32,32"):
        CliRunner().invoke(run, words, catch_exceptions=False)
    assert not (folder / "s").exists()


@pytest.mark.parametrize("where", [["--augment", "hue:0.1"], ["--augment", "flip,hue:0.1"]])
def test_hue_of_grey_pictures_is_refused_before_a_study_exists(folder, where):
    with pytest.raises(BenchError, match="folder is not in colour, and has no hue"):
        asked(folder, "--batch", "4", *where)
    assert not (folder.parent / "store").exists()


def test_a_dry_run_counts_the_pictures_and_names_what_is_left_out(folder):
    (folder / "train.zip").write_bytes(b"PK")
    lines = asked(folder, "--batch", "4", "--dry-run").stdout.splitlines()
    assert any(line.startswith("Data     folder: 24 training pictures (train/) and 8 validation") for line in lines)
    assert "Data     left out archives that were not unpacked: 1, as train.zip; unpack them if they are data" in lines
    document = json.loads(asked(folder, "--batch", "4", "--dry-run", "--json").stdout)
    assert document["data_notes"][1].startswith("left out archives")


def test_a_class_without_validation_can_be_asked_for(folder):
    BROKEN["a class without validation"](folder)
    found = asked(folder, "--batch", "4", "--dry-run", "--allow-empty-classes").stdout
    assert "classes without a validation picture: 1 of 2, as dog" in found


def test_show_has_the_account_of_a_study_and_all_of_it_of_a_launch(tmp_path):
    store = Store.open(tmp_path / "results")
    account = {"data_hash": "d1", "data_account": ACCOUNT.to_json()}
    measured(store, "trained-01", [100.0, 101.0], changes=account)

    def shown(*words):
        return CliRunner().invoke(show, ["--store", str(store.path), *words], catch_exceptions=False).stdout

    assert "  left out broken links: 1, as train/cat/9.png; remove them" in shown().splitlines()
    launch = json.loads(shown("--json"))["shown"][0]["launches"][0]
    assert launch["data_account"]["training"] == [10, 8]
    text = shown(launch["launch_id"])
    assert "  files: 25 found, 24 taken" in text
    assert "  validation by class: cat 3, dog 3" in text
    assert "data_hash" in text
    assert "data_account" not in text
