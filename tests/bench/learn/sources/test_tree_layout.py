"""Which folder serves as what, and what is left out: trees as people have them."""

import os
import unicodedata

import pytest

from bench.learn import WorkloadError
from bench.learn.sources import DataRequest, find
from bench.learn.sources import folder as module
from tests.bench.learn.sources.trees import CLASSES, png, put, tree


def found(root, **more):
    return find(DataRequest(name="folder", folder=str(root), input_shape=(3, 4, 4), **more))


def account(root, **more):
    return found(root, **more).account


def notes(root, **more):
    return " | ".join("; ".join(each) for each in account(root, **more).notes)


def refusal(root, **more):
    with pytest.raises(WorkloadError) as caught:
        found(root, **more).arrays()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["val", "Val", "valid", "validation", "dev", "eval", "VALID"])
@pytest.mark.parametrize("train", ["train", "Training"])
def test_every_usual_word_for_validation_is_known_in_any_case(tmp_path, train, name):
    account_row = account(tree(tmp_path, train, name))
    assert account_row.folders == {"training": train, "validation": name}
    assert (account_row.training, account_row.validation) == ((2, 2, 2), (2, 2, 2))
    assert account_row.notes == ()


def test_of_val_and_test_the_first_is_taken_and_the_other_named(tmp_path):
    tree(tree(tmp_path, "train", "valid"), "test", per_class=5)
    account_row = account(tmp_path)
    assert account_row.folders["validation"] == "valid"
    assert "test/ is not used: valid/ is there for validation" in notes(tmp_path)
    assert account_row.found == account_row.taken + sum(each.count for each in account_row.left_out) == 27


def test_a_test_folder_alone_serves_as_validation_and_says_so(tmp_path):
    assert "test/ serves as validation: there is no val/" in notes(tree(tmp_path, "train", "test"))


@pytest.mark.parametrize("pair", [("val", "valid"), ("Val", "dev"), ("train", "training")])
def test_two_folders_for_one_part_are_refused(tmp_path, pair):
    error = refusal(tree(tmp_path, "train", "val", *pair))
    assert all(f"{name}/" in error for name in pair)
    assert "Keep one of them" in error


def test_parts_without_one_for_training_are_refused(tmp_path):
    assert "no train/ with pictures" in refusal(tree(tmp_path, "val", "test"))


def test_a_test_folder_without_classes_is_not_used_and_the_training_part_is_split(tmp_path):
    tree(tmp_path, "train", per_class=10)
    for number in range(4):
        put(tmp_path / "test" / f"{number}.png")
    assert "test/ is not used: its pictures have no classes" in notes(tmp_path)
    assert min(account(tmp_path).validation) > 0


@pytest.mark.parametrize("inside", ["images", "a/b"])
def test_pictures_deeper_in_a_class_folder_count_for_it_and_are_mentioned(tmp_path, inside):
    account_row = account(tree(tmp_path, "train", "val", inside=inside))
    assert (account_row.classes, account_row.training) == (CLASSES, (2, 2, 2))
    assert f"deeper than their class folder: 6, as train/ants/{inside}/0.png" in account_row.notes[0][0]


def test_tiny_imagenet_is_read_with_the_annotations_of_its_validation(tmp_path):
    tree(tmp_path, "train", inside="images", suffix=".JPEG")
    lines = []
    for number, name in enumerate((*CLASSES, *CLASSES)):
        put(tmp_path / "val" / "images" / f"val_{number}.JPEG")
        lines.append(f"val_{number}.JPEG\t{name}\t0\t0\t62\t62\n")
    put(tmp_path / "test" / "images" / "test_0.JPEG")
    (tmp_path / "val" / "val_annotations.txt").write_text("".join(lines))
    (tmp_path / "wnids.txt").write_text("\n".join(CLASSES))
    account_row = account(tmp_path)
    assert account_row.validation == (2, 2, 2)
    assert "the classes of val/ are read from val_annotations.txt" in notes(tmp_path)
    (tmp_path / "val" / "val_annotations.txt").write_text("".join(lines[:-1]))
    assert "names no class for val_5.JPEG" in refusal(tmp_path)


@pytest.mark.parametrize("text", ["\ufeff0.png\tants\r\n1.png\tbees\r\n", "0.png\tants\t0\n1.png\tbees\t0\n"])
def test_annotations_are_read_with_a_byte_order_mark_and_other_line_ends(tmp_path, text):
    tree(tmp_path, "train", inside="images", classes=CLASSES[:2])
    for name in ("0.png", "1.png"):
        put(tmp_path / "val" / "images" / name)
    (tmp_path / "val" / "val_annotations.txt").write_bytes(text.encode())
    assert account(tmp_path).validation == (1, 1)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_annotations_in_another_encoding_are_refused_with_the_way_out(tmp_path, encoding):
    tree(tmp_path, "train", inside="images")
    put(tmp_path / "val" / "images" / "é.png")
    (tmp_path / "val" / "val_annotations.txt").write_bytes("é.png\tants\n".encode(encoding))
    assert "val_annotations.txt cannot be read" in (error := refusal(tmp_path))
    assert "Save it as UTF-8" in error


@pytest.mark.parametrize(
    "train", ["train2017", "training_set", "seg_train/seg_train", "Train-images", "Data/CLS/train", "trains/lot_train"]
)
def test_a_training_part_by_another_name_is_refused_and_no_class(tmp_path, train):
    tree(tmp_path, train, train.replace("train", "val").replace("Train", "Val"), "other")
    error = refusal(tmp_path)
    assert "holds ants, bees, wasps: is it the training part or a class?" in error
    assert "--data-dir" in error


@pytest.mark.parametrize("name", ["trainers", "train_station", "constraint"])
def test_a_class_that_has_a_word_for_training_in_its_name_is_a_class(tmp_path, name):
    assert account(tree(tmp_path, "", classes=("bus", name))).classes == ("bus", name)


@pytest.mark.parametrize("name", ["train", "test", "val", "Training"])
def test_a_class_called_like_a_part_is_a_class_beside_other_classes(tmp_path, name):
    account_row = account(tree(tmp_path, "", per_class=5, classes=("bus", "car", name)))
    assert set(account_row.classes) == {"bus", "car", name}
    assert f"{name}/ is taken as a class" in account_row.notes[0][0]


def test_a_train_folder_that_could_be_a_class_or_a_part_is_refused(tmp_path):
    tree(tmp_path, "", classes=("bus", "car"))
    assert "is it the training part or a class?" in refusal(tree(tmp_path, "train"))


def test_folders_beside_the_parts_are_named_and_not_taken(tmp_path):
    put(tree(tmp_path, "train", "val") / "masks" / "0.png")
    assert "masks/ beside train/ not taken" in notes(tmp_path)
    assert account(tmp_path).classes == CLASSES


def test_the_data_set_may_be_the_only_one_in_the_folder_given(tmp_path):
    assert account(tree(tmp_path / "downloads", "insects/train", "insects/val")).folders["training"] == "insects/train"
    assert account(tree(tmp_path / "flat", "insects", per_class=9)).classes == CLASSES


def test_of_two_data_sets_in_one_folder_one_must_be_named(tmp_path):
    error = refusal(tree(tmp_path, "a/train", "a/val", "b/train"))
    assert "holds 2 data sets: a, b" in error
    assert f"--data-dir {tmp_path / 'a'}" in error


@pytest.mark.parametrize("suffix", [".jfif", ".tif", ".TIFF", ".bmp", ".webp", ".GIF", ".ppm", ".JPEG", ".PNG", ".Jpg"])
def test_pictures_of_every_usual_extension_are_taken(tmp_path, suffix):
    tree(tmp_path, "train", "val")
    put(tmp_path / "train" / "ants" / f"more{suffix}")
    assert account(tmp_path).training == (3, 2, 2)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_a_picture_without_an_extension_is_known_by_its_first_bytes(tmp_path, kind):
    tree(tmp_path, "train", "val")
    put(tmp_path / "train" / "ants" / "d41d8cd98f", kind=kind)
    (tmp_path / "train" / "ants" / "README").write_text("Pictures of ants.")
    assert account(tmp_path).training == (3, 2, 2)
    assert "left out files without an extension that are no pictures: 1, as train/ants/README" in notes(tmp_path)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("train/ants/._0.png", "left out AppleDouble files of macOS (._*): 1, as train/ants/._0.png"),
        ("train/ants/.DS_Store", "left out hidden files and a file manager's own: 1"),
        ("train/Thumbs.db", "left out hidden files and a file manager's own: 1"),
        ("__MACOSX/train/ants/._0.png", "left out hidden folders, with what is in them: 1, as __MACOSX"),
        (
            "train/ants/0.heic",
            "left out files with the extension .heic: 1, as train/ants/0.heic; if they are pictures, convert",
        ),
        ("train.zip", "left out archives that were not unpacked: 1, as train.zip; unpack them"),
        ("train/ants/more.tar.gz", "left out archives that were not unpacked: 1"),
        ("labels.csv", "left out files with the extension .csv: 1, as labels.csv"),
        ("train/loose.png", "left out pictures outside of class folders: 1, as train/loose.png"),
        ("cover.jpg", "left out pictures outside of class folders: 1, as cover.jpg"),
    ],
)
def test_what_is_left_out_is_counted_by_kind_with_an_example(tmp_path, name, given):
    tree(tmp_path, "train", "val")
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"\0\5\26\7")
    assert given in notes(tmp_path)
    assert account(tmp_path).training == (2, 2, 2)


def test_links_are_followed_and_those_that_lead_nowhere_or_back_are_named(tmp_path):
    tree(tmp_path / "pool", "ants")
    tree(tmp_path / "data", "train", "val", classes=("bees", "wasps"))
    (tmp_path / "data" / "train" / "ants").symlink_to(tmp_path / "pool" / "ants" / "ants")
    put(tmp_path / "data" / "val" / "ants" / "0.png")
    (tmp_path / "data" / "train" / "bees" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "data" / "train" / "bees" / "up").symlink_to(tmp_path / "data")
    text = notes(tmp_path / "data")
    assert account(tmp_path / "data").training == (2, 2, 2)
    assert "left out broken links: 1, as train/bees/gone.png" in text
    assert "left out links that lead back to a folder above them: 1, as train/bees/up" in text


def test_a_folder_without_pictures_is_named_and_no_class(tmp_path):
    (tree(tmp_path, "train", "val") / "train" / "hornets").mkdir()
    assert "folders without pictures: train/hornets" in notes(tmp_path)
    assert account(tmp_path).classes == CLASSES


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_no_empty_one(tmp_path):
    tree(tmp_path, "train", "val")
    (tmp_path / "train" / "ants").chmod(0)
    assert "cannot be read: Permission denied" in refusal(tmp_path)


def test_a_class_of_one_part_alone_is_refused_unless_that_is_asked_for(tmp_path):
    put(tree(tmp_path, "train", "val") / "train" / "hornets" / "0.png")
    assert "Class 'hornets' has training pictures (train/) and no validation pictures (val/)" in refusal(tmp_path)
    assert "--allow-empty-classes" in refusal(tmp_path)
    account_row = account(tmp_path, allow_empty_classes=True)
    assert account_row.validation == (2, 2, 0, 2)
    assert "classes without a validation picture: 1 of 4, as hornets" in notes(tmp_path, allow_empty_classes=True)


@pytest.mark.parametrize("other", ["Ants", "ants ", "ANTS"])
def test_a_class_that_the_other_part_spells_otherwise_is_named_as_that(tmp_path, other):
    tree(tmp_path, "train")
    error = refusal(tree(tmp_path, "val", classes=(other, "bees", "wasps")))
    assert f"Class 'ants' of training is {other!r}" in error


def test_names_that_unicode_composes_otherwise_are_one_class(tmp_path):
    one, other = (unicodedata.normalize(form, "äffchen") for form in ("NFC", "NFD"))
    tree(tree(tmp_path, "train", classes=(one, "bees")), "val", classes=(other, "bees"))
    assert account(tmp_path).classes == ("bees", one)
    tree(tmp_path, "train", classes=(other,))
    assert "which differ in how Unicode composes a letter" in refusal(tmp_path)


def test_classes_of_one_part_that_differ_in_case_are_two_and_mentioned(tmp_path):
    letters = tree(tmp_path, "train", "val", classes=("A", "a", "b"))
    assert account(letters).classes == ("A", "a", "b")
    assert "classes 'A' and 'a' differ in case or spaces alone" in notes(letters)


def test_validation_with_none_of_the_classes_of_training_is_refused(tmp_path):
    tree(tmp_path, "train")
    error = refusal(tree(tmp_path, "val", classes=("n01440764", "n01443537")))
    assert "has none of the classes of training (ants, bees, wasps) but n01440764, n01443537" in error


@pytest.mark.parametrize(
    ("files", "given"),
    [
        (["images/0.png", "images/1.png", "labels.csv"], "Labels are not read from a file such as labels.csv"),
        (["0.png", "1.png"], "2 pictures that lie in it without a class"),
        (["train.zip"], "Unpack train.zip first"),
        (["train.tar", "val/ants/0.png", "val/bees/0.png"], "Unpack train.tar first"),
        ([], "but nothing"),
        (["notes.txt"], "1 files, none of them a picture"),
    ],
)
def test_what_is_no_tree_is_told_with_what_was_found_and_what_is_taken(tmp_path, files, given):
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(png() if name.endswith("png") else b"PK")
    assert given in refusal(tmp_path)


def test_without_a_folder_for_validation_every_class_keeps_some_of_both(tmp_path):
    account_row = account(tree(tmp_path, "", per_class=2, classes=tuple(f"class {number}" for number in range(20))))
    assert account_row.training == account_row.validation == (1,) * 20
    assert account_row.split == "one in five of each class is for validation"
    assert module._lot("ants", ("0.png",)) == module._lot("ants", ("0.png",)) != module._lot("bees", ("0.png",))


def test_copies_and_pictures_in_both_parts_are_counted(tmp_path):
    tree(tmp_path, "train", "val")
    for place in ("train/ants/a.png", "train/ants/b.png", "val/ants/c.png"):
        put(tmp_path / place, shade=77)
    given = found(tmp_path).arrays().account
    assert (given.shared, given.shared_example, given.repeated) == (1, "val/ants/c.png", 1)
    assert "validation pictures that are also in training: 1, as val/ants/c.png" in given.notes[0][0]


def test_the_digest_is_of_pictures_labels_and_classes_and_of_no_place(tmp_path):
    def digest(name, *, move=None, edit=None):
        root = tmp_path / name
        for part in ("train", "val"):
            for label, kind in enumerate(CLASSES):
                for number in range(2):
                    put(root / part / kind / f"{number}.png", shade=100 * label + 10 * number + len(part))
        if move:
            (root / move[0]).rename(root / move[1])
        if edit:
            put(root / edit, shade=999)
        return found(root).arrays().digest

    first = digest("a")
    assert digest("b") == first
    assert digest("c", move=("train/ants/0.png", "train/bees/2.png")) != first
    assert digest("d", edit="val/wasps/1.png") != first


def test_an_index_that_takes_long_says_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.learn.sources.source._EVERY_S", -1)
    said = []
    found(tree(tmp_path, "train", "val"), tell=said.append).arrays()
    assert any("looking through" in line for line in said)
    assert any("decoding 6 pictures" in line for line in said)


def test_every_damaged_picture_is_counted_and_the_first_is_named(tmp_path):
    tree(tmp_path, "train", "val")
    (tmp_path / "train" / "ants" / "1.png").write_bytes(b"")
    (tmp_path / "train" / "bees" / "0.png").write_bytes(b"<html>Not found</html>")
    error = refusal(tmp_path)
    assert "train/ants/1.png is damaged: it is empty; 1 more of 6 cannot be taken either" in error


@pytest.mark.skipif(os.name != "posix" or os.uname().sysname != "Linux", reason="names are text there")
def test_names_that_are_no_text_are_shown_replaced_and_no_classes(tmp_path):
    tree(tmp_path, "train", "val")
    (tmp_path / "train" / os.fsdecode(b"caf\xe9.txt")).write_text("")
    assert "as train/caf\N{REPLACEMENT CHARACTER}.txt" in notes(tmp_path)
    put(tmp_path / "train" / os.fsdecode(b"caf\xe9") / "0.png")
    assert "has a name that is no UTF-8" in refusal(tmp_path)
