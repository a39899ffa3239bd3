"""CIFAR from the authors' pickles and from parquet: the same images, and torn files named."""

import io
import json
import os
import pickle
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from bench.learn import WorkloadError, sources
from tests.bench.learn.loading import load

NAMES = tuple(f"kind {label}" for label in range(10))
ROWS = 20


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    return {
        split: (rng.integers(0, 256, (ROWS, 3, 32, 32), dtype=np.uint8), np.arange(ROWS) % 10)
        for split in ("train", "test")
    }


def dump(file, content):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(pickle.dumps(content, protocol=2))


def write_pickles(folder, pictures):
    images, labels = pictures["train"]
    for part, rows in enumerate(np.array_split(np.arange(ROWS), 5), 1):
        content = {"data": images[rows].reshape(-1, 3072), "labels": labels[rows].tolist()}
        dump(folder / "cifar-10-batches-py" / f"data_batch_{part}", content)
    images, labels = pictures["test"]
    dump(folder / "cifar-10-batches-py" / "test_batch", {"data": images.reshape(-1, 3072), "labels": labels.tolist()})
    dump(folder / "cifar-10-batches-py" / "batches.meta", {"label_names": list(NAMES)})


def png(image):
    stream = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(stream, "PNG")
    return stream.getvalue()


def write_parquet(file, images, labels, names=NAMES, label_column="label"):
    file.parent.mkdir(parents=True, exist_ok=True)
    features = {"img": {"_type": "Image"}, label_column: {"names": names, "_type": "ClassLabel"}}
    rows = [{"bytes": png(image) if isinstance(image, np.ndarray) else image, "path": None} for image in images]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"img": pa.array(rows, kind), label_column: pa.array(labels, pa.int64())})
    metadata = {"huggingface": json.dumps({"info": {"features": features}})} if names else {}
    pq.write_table(table.replace_schema_metadata(metadata), file)


def write_hub(folder, pictures, **more):
    for split, (images, labels) in pictures.items():
        write_parquet(folder / f"{split}-00000-of-00001.parquet", images, labels, **more)


def assert_same(data, pictures):
    for split in ("train", "test"):
        images, labels = pictures[split]
        assert torch.equal(getattr(data, f"{split}_images"), torch.from_numpy(images))
        assert torch.equal(getattr(data, f"{split}_labels"), torch.from_numpy(labels))


def refusal(name, folder):
    with pytest.raises(WorkloadError) as caught:
        load(name, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_pickles_and_parquet_of_the_same_images_read_alike(tmp_path, pictures):
    write_pickles(tmp_path / "a", pictures)
    write_hub(tmp_path / "b", pictures)
    for folder in ("a", "b", "b"):  # the second time from the kept copy
        data = load("cifar10", tmp_path / folder)
        assert_same(data, pictures)
        assert data.class_names == NAMES
        assert (data.input_shape, data.classes) == ((3, 32, 32), 10)


@pytest.mark.parametrize("place", ["", "cifar10", "plain_text", "cifar10/plain_text", "cifar10/data"])
def test_parquet_is_found_in_its_own_folder_and_in_those_that_hold_it(tmp_path, pictures, place):
    write_hub(tmp_path / place, pictures)
    assert_same(load("cifar10", tmp_path), pictures)


def test_pickles_are_found_in_their_own_folder_and_by_the_environment(tmp_path, pictures, monkeypatch):
    write_pickles(tmp_path, pictures)
    assert_same(load("cifar10", tmp_path / "cifar-10-batches-py"), pictures)
    monkeypatch.setenv("BENCH_DATA_DIR", str(tmp_path))
    assert_same(load("cifar10"), pictures)


def test_parts_are_read_in_order_and_a_missing_part_is_noticed(tmp_path, pictures):
    images, labels = pictures["train"]
    write_parquet(tmp_path / "test-00000-of-00001.parquet", *pictures["test"])
    write_parquet(tmp_path / "train-00001-of-00002.parquet", images[12:], labels[12:])
    assert "holds 1 of 2 parts of train" in refusal("cifar10", tmp_path)
    write_parquet(tmp_path / "train-00000-of-00002.parquet", images[:12], labels[:12])
    assert_same(load("cifar10", tmp_path), pictures)


def test_cifar100_has_fine_labels_in_both_layouts(tmp_path, pictures):
    names = [f"fine {label}" for label in range(100)]
    write_hub(tmp_path / "hub", pictures, names=names, label_column="fine_label")
    for split, (images, labels) in pictures.items():
        content = {"data": images.reshape(-1, 3072), "fine_labels": labels.tolist()}
        dump(tmp_path / "old" / "cifar-100-python" / split, content)
    dump(tmp_path / "old" / "cifar-100-python" / "meta", {"fine_label_names": names})
    for folder in ("hub", "old"):
        data = load("cifar100", tmp_path / folder)
        assert_same(data, pictures)
        assert data.class_names == tuple(names)


@pytest.mark.parametrize(
    "given", [None, 3, "airplane", dict.fromkeys(NAMES), [*NAMES[:9], None], [*NAMES[:9], NAMES[0]]]
)
def test_pickled_class_names_that_are_none_are_named_with_the_file(tmp_path, pictures, given):
    write_pickles(tmp_path, pictures)
    dump(tmp_path / "cifar-10-batches-py" / "batches.meta", {"label_names": given})
    error = refusal("cifar10", tmp_path)
    assert "batches.meta: label_names " in error
    assert "not a list of texts" in error or f"the name {NAMES[0]!r}" in error


@pytest.mark.parametrize("name", ["train-extra.parquet", "train.parquet", "train-00000-of-00001 (1).parquet"])
def test_parquet_files_that_are_no_part_are_left_out_and_counted(tmp_path, pictures, name):
    write_hub(tmp_path, pictures)
    write_parquet(tmp_path / name, *pictures["test"])
    account = sources.find(sources.DataRequest(name="cifar10", folder=str(tmp_path))).account
    assert (account.found, account.taken, sum(account.training)) == (3, 2, ROWS)
    assert f"left out files that are no part of cifar10: 1, as {name}" in [what for what, _ in account.notes]


def test_a_pickle_beside_the_five_is_left_out_and_counted(tmp_path, pictures):
    write_pickles(tmp_path, pictures)
    dump(tmp_path / "cifar-10-batches-py" / "data_batch_6", {})
    account = sources.find(sources.DataRequest(name="cifar10", folder=str(tmp_path))).account
    assert "left out files that are no part of cifar10: 1, as data_batch_6" in [what for what, _ in account.notes]


def test_an_unsigned_label_that_no_signed_number_holds_is_named_as_it_is(tmp_path, pictures):
    write_hub(tmp_path, pictures)
    file = tmp_path / "train-00000-of-00001.parquet"
    table = pq.read_table(file)
    pq.write_table(table.set_column(1, "label", pa.array([2**64 - 1] * ROWS, pa.uint64())), file)
    assert "row 0 of column label is 18446744073709551615" in refusal("cifar10", tmp_path)


def test_classes_without_names_are_numbered(tmp_path, pictures):
    write_hub(tmp_path, pictures, names=None)
    assert load("cifar10", tmp_path).class_names == tuple("0123456789")


def test_data_that_is_not_there_is_told_with_where_it_was_looked_for(tmp_path, monkeypatch):
    error = refusal("cifar10", tmp_path)
    assert f"{tmp_path} has no cifar-10-batches-py and no train-*.parquet" in error
    assert "--data-dir" in error
    assert "BENCH_DATA_DIR" in error
    assert f"{tmp_path / 'nowhere'} does not exist" in refusal("cifar10", tmp_path / "nowhere")
    monkeypatch.delenv("BENCH_DATA_DIR", raising=False)
    assert f"{tmp_path / 'cache' / 'data'} does not exist" in refusal("cifar10", None)


def test_the_wrong_one_of_the_two_is_noticed(tmp_path, pictures):
    write_hub(tmp_path, pictures)
    assert "holds 10 classes; cifar100 has 100" in refusal("cifar100", tmp_path)


def test_a_missing_pickle_is_named(tmp_path, pictures):
    write_pickles(tmp_path, pictures)
    (tmp_path / "cifar-10-batches-py" / "data_batch_3").unlink()
    assert "lacks data_batch_3" in refusal("cifar10", tmp_path)


@pytest.mark.parametrize("keep", [0, 100, 2_000])
def test_a_torn_pickle_is_named(tmp_path, pictures, keep):
    write_pickles(tmp_path, pictures)
    file = tmp_path / "cifar-10-batches-py" / "data_batch_2"
    file.write_bytes(file.read_bytes()[:keep])
    assert f"{file} is damaged" in refusal("cifar10", tmp_path)


def test_a_pickle_with_too_few_labels_is_damaged(tmp_path, pictures):
    write_pickles(tmp_path, pictures)
    dump(tmp_path / "cifar-10-batches-py" / "test_batch", {"data": np.zeros((3, 3072), np.uint8), "labels": [1]})
    assert "test_batch is damaged: it holds 3 images and 1 labels" in refusal("cifar10", tmp_path)


def test_a_pickle_that_asks_for_code_is_refused_and_runs_nothing(tmp_path, pictures):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    write_pickles(tmp_path, pictures)
    dump(tmp_path / "cifar-10-batches-py" / "test_batch", {"data": Evil()})
    assert "test_batch holds posix.mkdir, and only NumPy arrays" in refusal("cifar10", tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("keep", [0, 10, 3_000])
def test_a_torn_parquet_file_is_named(tmp_path, pictures, keep):
    write_hub(tmp_path, pictures)
    file = tmp_path / "test-00000-of-00001.parquet"
    file.write_bytes(file.read_bytes()[:keep])
    assert f"{file} is damaged" in refusal("cifar10", tmp_path)


@pytest.mark.parametrize("blob", [b"", b"no picture", "half"])
def test_a_torn_picture_is_named_by_file_and_row(tmp_path, pictures, blob):
    images, labels = pictures["train"]
    rows = list(images)
    rows[3] = png(images[3])[:1500] if blob == "half" else blob
    write_hub(tmp_path, pictures)
    write_parquet(tmp_path / "train-00000-of-00001.parquet", rows, labels)
    assert "train-00000-of-00001.parquet is damaged: row 3: " in refusal("cifar10", tmp_path)


def test_a_file_without_pictures_says_what_it_has_instead(tmp_path):
    for split in ("train", "test"):
        pq.write_table(pa.table({"pixels": [1], "label": [1]}), tmp_path / f"{split}-00000-of-00001.parquet")
    assert "has no column img or image. Its columns are: pixels, label." in refusal("cifar10", tmp_path)


def write_batch(tmp_path, pictures, **changes):
    """All pickles, with another `test_batch`."""
    write_pickles(tmp_path, pictures)
    images, labels = pictures["test"]
    content = {"data": images.reshape(-1, 3072), "labels": labels.tolist()} | changes
    dump(tmp_path / "cifar-10-batches-py" / "test_batch", content)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda data: data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), "20x32x32x3.*data.transpose"),
        (lambda data: data / 255, "float64, as 0.*255"),
        (lambda data: data.astype(np.float32) * np.nan, "float32, as nan"),
        (lambda data: data.astype(np.int64) * 2 - 9, "data holds -?[0-9]+; pixels"),
        (lambda data: data[:, :3000], "20x3000, not 20 rows of 3072"),
        (lambda data: [row.tolist()[: 3072 - at] for at, row in enumerate(data)], "rows of different lengths"),
        (lambda data: data > 9, "bool, as"),
        (lambda data: None, "a single value"),
    ],
)
def test_pickled_pixels_that_are_none_are_named_with_the_way_out(tmp_path, pictures, change, found):
    write_batch(tmp_path, pictures, data=change(pictures["test"][0].reshape(-1, 3072)))
    assert re.search(f"test_batch.*{found}", refusal("cifar10", tmp_path))


@pytest.mark.parametrize("kind", [np.int64, np.uint16, np.int32])
def test_pickled_pixels_of_a_wider_whole_number_are_the_same_pixels(tmp_path, pictures, kind):
    write_batch(tmp_path, pictures, data=pictures["test"][0].astype(kind))
    assert_same(load("cifar10", tmp_path), pictures)


@pytest.mark.parametrize("wrong", [-1, None, "cat", 0.6, True, 10, 2**70, np.float64(1)])
def test_a_pickled_label_that_is_no_class_is_named_by_file_and_place(tmp_path, pictures, wrong):
    listed = pictures["test"][1].tolist()
    listed[7] = wrong
    write_batch(tmp_path, pictures, labels=listed)
    assert "test_batch: label 7 of labels is" in refusal("cifar10", tmp_path)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([0] * 7 + [-1] + [0] * 12, "row 7 of column label is -1; there are classes 0 to 9"),
        ([0] * 7 + [10] + [0] * 12, "row 7 of column label is 10; there are classes 0 to 9, and 11 in this file"),
        ([0] * 7 + [None] + [0] * 12, "row 7 of column label is null"),
        (["cat"] * ROWS, "column label holds string, as 'cat'; labels are whole numbers"),
        ([0.6] * ROWS, "column label holds double, as '0.6'"),
        ([True] * ROWS, "column label holds bool, as 'True'"),
        (pa.array(["cat"] * ROWS).dictionary_encode(), "column label holds string, as 'cat'"),
        ([[1]] * ROWS, "column label holds list"),
    ],
)
def test_a_column_of_labels_that_are_no_classes_is_named_by_file_and_row(tmp_path, pictures, values, found):
    write_hub(tmp_path, pictures)
    file = tmp_path / "test-00000-of-00001.parquet"
    column = values if isinstance(values, pa.Array) else pa.array(values)
    pq.write_table(pq.read_table(file).set_column(1, "label", column), file)
    assert f"{file}: {found}" in refusal("cifar10", tmp_path)


def test_pickles_with_keys_of_bytes_are_read(tmp_path, pictures):
    write_pickles(tmp_path, pictures)
    for file in (tmp_path / "cifar-10-batches-py").iterdir():
        content = pickle.loads(file.read_bytes())  # noqa: S301 - written above
        dump(
            file,
            {
                key.encode(): [each.encode() for each in value] if key == "label_names" else value
                for key, value in content.items()
            },
        )
    data = load("cifar10", tmp_path)
    assert_same(data, pictures)
    assert data.class_names == NAMES


def test_labels_pickled_as_numpys_own_numbers_are_read(tmp_path, pictures):
    write_batch(tmp_path, pictures, labels=list(pictures["test"][1]))
    assert_same(load("cifar10", tmp_path), pictures)


def test_a_pickle_that_is_no_dictionary_says_what_it_is(tmp_path, pictures):
    write_pickles(tmp_path, pictures)
    dump(tmp_path / "cifar-10-batches-py" / "test_batch", [1, 2])
    assert "test_batch holds a list, and no dictionary" in refusal("cifar10", tmp_path)


def test_a_batch_file_that_is_a_copy_of_another_is_refused(tmp_path, pictures):
    write_pickles(tmp_path, pictures)
    folder = tmp_path / "cifar-10-batches-py"
    (folder / "data_batch_4").write_bytes((folder / "data_batch_2").read_bytes())
    assert "data_batch_4 holds the same pictures as data_batch_2" in refusal("cifar10", tmp_path)


@pytest.mark.parametrize("suffix", ["", "-b42a775f407cee45"])
def test_a_part_that_is_missing_twice_or_of_another_set_is_named(tmp_path, pictures, suffix):
    write_hub(tmp_path, pictures)
    file = tmp_path / "train-00000-of-00001.parquet"
    content = file.read_bytes()
    file.rename(tmp_path / f"train-00001-of-00003{suffix}.parquet")
    error = refusal("cifar10", tmp_path)
    assert "holds 1 of 3 parts of train: train-00000, train-00002 is missing" in error
    for number in (0, 2):
        (tmp_path / f"train-{number:05d}-of-00003{suffix}.parquet").write_bytes(content)
    assert "is a copy of train-00000-of-00003" in refusal("cifar10", tmp_path)
    (tmp_path / "train-00000-of-00004.parquet").write_bytes(content)
    assert "parts of two sets of train" in refusal("cifar10", tmp_path)


def test_parts_in_a_folder_for_each_split_are_read_and_a_gap_is_named(tmp_path, pictures):
    images, labels = pictures["train"]
    write_parquet(tmp_path / "plain_text" / "test" / "0000.parquet", *pictures["test"])
    write_parquet(tmp_path / "plain_text" / "train" / "0000.parquet", images[:12], labels[:12])
    write_parquet(tmp_path / "plain_text" / "train" / "0001.parquet", images[12:], labels[12:])
    assert_same(load("cifar10", tmp_path), pictures)
    (tmp_path / "plain_text" / "train" / "0001.parquet").rename(tmp_path / "plain_text" / "train" / "0002.parquet")
    assert "2 parts of train: train-00001 is missing" in refusal("cifar10", tmp_path)


def test_a_gap_in_numbered_parts_is_named_where_no_name_says_how_many(tmp_path, pictures):
    write_hub(tmp_path, pictures)
    for number in (0, 2):
        (tmp_path / f"train-{number}.parquet").write_bytes((tmp_path / "train-00000-of-00001.parquet").read_bytes())
    (tmp_path / "train-00000-of-00001.parquet").unlink()
    assert "holds 2 parts of train: train-00001 is missing" in refusal("cifar10", tmp_path)


@pytest.mark.parametrize(
    ("column", "found"),
    [
        (["a.png"] * ROWS, "column img holds string, and no encoded pictures"),
        ([[[1, 2], [3, 4]]] * ROWS, "column img holds list"),
        ([{"path": "a.png"}] * ROWS, "column img holds struct<path: string>"),
        ([{"bytes": None, "path": "a.png"}] * ROWS, "column img holds struct<bytes: null"),
    ],
)
def test_a_column_of_pictures_that_holds_something_else_is_named(tmp_path, pictures, column, found):
    write_hub(tmp_path, pictures)
    file = tmp_path / "train-00000-of-00001.parquet"
    table = pq.read_table(file)
    pq.write_table(table.set_column(0, "img", pa.array(column)), file)
    assert found in refusal("cifar10", tmp_path)


@pytest.mark.parametrize("name", ["img", "image"])
def test_plain_columns_of_bytes_and_labels_of_a_dictionary_are_read(tmp_path, pictures, name):
    for split, (images, labels) in pictures.items():
        numbers = pa.array(labels, pa.int64()).dictionary_encode()
        table = pa.table({name: pa.array([png(image) for image in images]), "label": numbers})
        pq.write_table(table, tmp_path / f"{split}-00000-of-00001.parquet")
    assert_same(load("cifar10", tmp_path), pictures)


def test_a_picture_of_another_size_is_refused_and_not_scaled(tmp_path, pictures):
    write_hub(tmp_path, {**pictures, "test": (pictures["test"][0][:, :, :30], pictures["test"][1])})
    assert "row 0 cannot be taken: it is 32x30 pixels, not 32x32" in refusal("cifar10", tmp_path)


def test_a_row_without_a_picture_is_named(tmp_path, pictures):
    images, labels = pictures["train"]
    write_hub(tmp_path, pictures)
    write_parquet(tmp_path / "train-00000-of-00001.parquet", [*images[:3], None, *images[4:]], labels)
    assert "row 3 has no picture in it, or only the path of one" in refusal("cifar10", tmp_path)


def test_both_layouts_have_one_digest_and_other_labels_another(tmp_path, pictures):
    write_pickles(tmp_path / "a", pictures)
    write_hub(tmp_path / "b", pictures)
    images, labels = pictures["train"]
    write_hub(tmp_path / "c", {**pictures, "train": (images, labels[::-1])})
    first, second, other = (load("cifar10", tmp_path / each) for each in "abc")
    assert first.digest == second.digest != other.digest
    assert first.account.training == (2,) * 10


def test_a_part_of_the_published_set_says_how_much_it_is(tmp_path, pictures):
    write_hub(tmp_path, pictures)
    (what, _), *_ = load("cifar10", tmp_path).account.notes
    assert what == "20 training and 20 test pictures; cifar10 has 50,000 and 10,000"


def test_an_archive_that_was_not_unpacked_is_named(tmp_path):
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"\x1f\x8b")
    assert f"Unpack {tmp_path / 'cifar-10-python.tar.gz'} first" in refusal("cifar10", tmp_path)


def test_another_shape_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(WorkloadError, match="--input-shape 3,32,32, not 3,224,224"):
        load("cifar10", tmp_path, (3, 224, 224))


@pytest.mark.slow
def test_the_real_cifar10_is_whole_and_has_its_known_colours(cifar10_dir):
    data = load("cifar10", cifar10_dir)
    assert data.train_images.shape == (50_000, 3, 32, 32)
    assert data.test_images.shape == (10_000, 3, 32, 32)
    assert data.train_labels.bincount().tolist() == [5_000] * 10
    assert data.test_labels.bincount().tolist() == [1_000] * 10
    assert data.class_names[:3] == ("airplane", "automobile", "bird")
    pixels = data.train_images / 255
    assert pixels.mean((0, 2, 3)).tolist() == pytest.approx(data.mean, abs=1e-3)
    assert pixels.std((0, 2, 3)).tolist() == pytest.approx(data.std, abs=3e-3)
    assert torch.equal(load("cifar10", cifar10_dir / "cifar10").test_images, data.test_images)
