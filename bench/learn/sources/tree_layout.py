"""Which folder of a tree serves as what: training, validation, classes. By names, and by what the folders hold."""

import csv
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.account import TRAINING, VALIDATION, several
from bench.learn import WorkloadError
from bench.learn.sources.file_tree import Tree, Where, shown
from bench.printable import first_line

ACCEPTED = "Taken are <class>/*.jpg, or train/<class>/*.jpg beside val/<class>/*.jpg; see docs/data.md"
_TEST = "test"
_WORDS = {
    TRAINING: ("train", "training"),
    VALIDATION: ("val", "valid", "validation", "dev", "eval"),
    _TEST: ("test", "testing"),
}
_WORD = re.compile(r"[a-z]+")  # train2017 and seg_train have the word in them, trainers has not
_ANNOTATIONS = "val_annotations.txt"  # Tiny-ImageNet's
_TABLES = (".csv", ".tsv", ".json", ".txt")

Classes = Mapping[str, Sequence[Where]]  # class -> pictures


@dataclass(frozen=True, kw_only=True)
class TreeLayout:
    """A tree that is understood: each picture with its class."""

    training: Classes
    validation: Classes | None  # None: to be split off
    folders: Mapping[str, str]  # part -> folder, relative
    remarks: tuple[tuple[str, str], ...]
    depth: int  # parts of a training picture's path up to its class


@dataclass(eq=False)
class _Found:
    """What is being found out about a tree."""

    tree: Tree
    remarks: list[tuple[str, str]] = field(default_factory=list)

    def say(self, what: str, fix: str) -> None:
        self.remarks.append((what, fix))

    def at(self, place: Where) -> str:
        return str(self.tree.root.joinpath(*place))


def understood(tree: Tree) -> TreeLayout:
    """The layout of a tree.

    Raises:
        WorkloadError: it is none that is known, or could be two; with what was found and what is taken.
    """
    found = _Found(tree)
    top = _top(found)
    parts = _parts(found, top)
    training_at = (*top, parts[TRAINING]) if TRAINING in parts else top
    training = _classes(found, training_at, without=() if TRAINING in parts else tuple(parts.values()))
    _refuse_unless_classes(found, training, training_at)
    if TRAINING not in parts:
        _refuse_parts_as_classes(found, top)
    validation_at, validation = _validation(found, top, parts, training)
    _say_twins(found, training)
    places = [training_at] if validation is None else [training_at, validation_at]
    _say_empty(found, places, {*training, *(validation or ())})
    folders = dict(zip((TRAINING, VALIDATION), map("/".join, places), strict=False))
    return TreeLayout(
        training=training,
        validation=validation,
        folders={part: place for part, place in folders.items() if place},
        remarks=tuple(found.remarks),
        depth=len(training_at) + 1,
    )


def _children(tree: Tree, place: Where) -> list[str]:
    """Folders directly below a place that hold pictures at some depth, in order."""
    depth = len(place)
    return sorted({each[depth] for each in tree.pictures if len(each) > depth + 1 and each[:depth] == place})


def _named(names: Iterable[str], part: str) -> list[str]:
    """Those that are a word for the part, whatever their case."""
    return [each for each in names if each.lower() in _WORDS[part]]


def _holds_classes(tree: Tree, place: Where) -> bool:
    return len(_children(tree, place)) > 1


def _top(found: _Found) -> Where:
    """The folder that is the data set: the one given, or the only one in it."""
    tree = found.tree
    place: Where = ()
    while True:
        children = _children(tree, place)
        if any(_named(children, part) for part in _WORDS):
            return place
        sets = [each for each in children if _is_parted(tree, (*place, each))]
        if len(sets) > 1:
            raise WorkloadError(
                f"{found.at(place)} holds {len(sets)} data sets: {several(sets)}.",
                f"Give one of them: --data-dir {found.at((*place, sets[0]))}",
            )
        if not sets and (len(children) != 1 or not _holds_classes(tree, (*place, children[0]))):
            return place
        inner = sets[0] if sets else children[0]
        if others := [f"{each}/" for each in children if each != inner]:
            found.say(f"{inner}/ is taken as the data set, and not {several(others)} beside it", "move it elsewhere")
        place = (*place, inner)


def _is_parted(tree: Tree, place: Where) -> bool:
    """Whether a folder is a data set with a training part."""
    return any(_holds_classes(tree, (*place, each)) for each in _named(_children(tree, place), TRAINING))


def _parts(found: _Found, top: Where) -> dict[str, str]:
    """Part -> its folder's name; beside other folders, one of such a name that holds no classes is a class itself."""
    tree, children = found.tree, _children(found.tree, top)
    named = {part: _named(children, part) for part in _WORDS}
    others = [f"{each}/" for each in children if not any(each in names for names in named.values())]
    with_classes = {
        part: [each for each in names if _holds_classes(tree, (*top, each))] for part, names in named.items()
    }
    if others and not with_classes[TRAINING]:
        for each in (each for part, names in named.items() for each in names if each not in with_classes[part]):
            found.say(f"{each}/ is taken as a class, as {several(others)} beside it", "rename it if it is a part")
        named = with_classes
    for part, names in named.items():
        if len(names) > 1:
            raise WorkloadError(
                f"{found.at(top)} has {' and '.join(f'{each}/' for each in names)}, all for {part}.",
                "Keep one of them, or rename the others.",
            )
    parts = {part: names[0] for part, names in named.items() if names}
    if TRAINING in parts and others:
        if len(parts) == 1:
            raise WorkloadError(
                f"{found.at(top)} has {parts[TRAINING]}/ beside {several(others)}: is it the training part or a class?",
                "If it is the part, move the others away; if it is a class, rename it.",
            )
        found.say(f"{several(others)} beside {parts[TRAINING]}/ not taken", "it is no part's name")
    if parts and TRAINING not in parts and not others:
        raise WorkloadError(
            f"{found.at(top)} has {' and '.join(f'{each}/' for each in parts.values())} and no train/ with pictures.",
            _archive_hint(tree) or "Add the training part, or call its folder train/.",
        )
    return parts


def _classes(found: _Found, place: Where, without: Sequence[str] = ()) -> Classes:
    """Class -> its pictures, at any depth below its folder; names compared as Unicode means them."""
    classes: dict[str, list[Where]] = defaultdict(list)
    spelled: dict[str, str] = {}
    deeper = []
    depth = len(place)
    for each in found.tree.below(*place):
        if len(each) == depth + 1 or each[depth] in without:
            continue
        name = unicodedata.normalize("NFC", each[depth])
        if name != shown((name,)):
            raise WorkloadError(
                f"The class folder {shown((*place, name))} has a name that is no UTF-8.", "Rename it: names are stored."
            )
        if spelled.setdefault(name, each[depth]) != each[depth]:
            raise WorkloadError(
                f"Class {name!r} has two folders in {found.at(place)}, which differ in how Unicode composes a letter.",
                "Merge them.",
            )
        classes[name].append(each)
        if len(each) > depth + 2:
            deeper.append(each)
    if deeper and len(classes) > 1:
        found.say(
            f"pictures deeper than their class folder: {len(deeper):,}, as {'/'.join(deeper[0])}",
            "each counts for the class of the first folder, as with torchvision's ImageFolder",
        )
    return {name: classes[name] for name in sorted(classes)}


def _validation(found: _Found, top: Where, parts: Mapping[str, str], training: Classes) -> tuple[Where, Classes | None]:
    """The folder for validation and its pictures by class; None: there is none that could be used."""
    taken: tuple[Where, Classes | None] = ((), None)
    for part, name in ((part, parts[part]) for part in (VALIDATION, _TEST) if part in parts):
        place = (*top, name)
        if taken[1] is not None:
            found.say(f"{name}/ is not used: {taken[0][-1]}/ is there for validation", "to take it, leave that one out")
            continue
        classes = _annotated(found, place)
        if classes is None:
            classes = _classes(found, place)
        if len(classes) > 1 or classes.keys() & training.keys():
            _refuse_other_classes(found, place, training, classes)
            if part == _TEST:
                found.say(
                    f"{name}/ serves as validation: there is no val/",
                    "a number that is picked by it has seen the test; a folder val/ would be taken instead",
                )
            taken = place, classes
        else:
            found.say(f"{name}/ is not used: its pictures have no classes", "sort them into class folders to use them")
    return taken


def _annotated(found: _Found, place: Where) -> Classes | None:
    """Tiny-ImageNet's validation: pictures in one folder, and a text file that names the class of each."""
    if not (file := found.tree.root.joinpath(*place, _ANNOTATIONS)).is_file():
        return None
    class_of = _class_of(file)
    classes: dict[str, list[Where]] = defaultdict(list)
    for each in found.tree.below(*place):
        if each[-1] not in class_of:
            raise WorkloadError(f"{file} names no class for {each[-1]}.", "Add its line, or remove the picture.")
        classes[class_of[each[-1]]].append(each)
    found.say(f"the classes of {'/'.join(place)}/ are read from {_ANNOTATIONS}", "class folders would be taken as well")
    return dict(classes)


def _class_of(file: Path) -> dict[str, str]:
    """Picture's name -> its class: the first two columns of lines with tabs."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            return {row[0]: row[1] for row in csv.reader(lines, delimiter="\t") if len(row) > 1}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise WorkloadError(f"{file} cannot be read: {first_line(error)}.", "Save it as UTF-8, with tabs.") from error


def _refuse_unless_classes(found: _Found, training: Classes, place: Where) -> None:
    if len(training) > 1:
        return
    tree, inside = found.tree, found.tree.below(*place)
    if training:
        there = f"one class alone, {next(iter(training))}/"
    elif inside:
        there = f"{len(inside):,} pictures that lie in it without a class"
    else:
        there = f"{tree.found:,} files, none of them a picture" if tree.found else "nothing"
    table = next((each.example for each in tree.left_out if each.example.lower().endswith(_TABLES)), None)
    labels = f"Labels are not read from a file such as {table}. " if table and inside else ""
    raise WorkloadError(
        f"folder was not found: {found.at(place)} has no class folders with pictures in them, but {there}.",
        _archive_hint(tree) or f"{labels}{ACCEPTED}",
    )


def _refuse_parts_as_classes(found: _Found, top: Where) -> None:
    """A folder that would be a class, or within one, holds folders and is named like a training part."""
    for place in sorted({each[:end] for each in found.tree.pictures for end in range(len(top) + 1, len(each))}):
        inside = place if {*_WORD.findall(place[-1].lower())} & {*_WORDS[TRAINING]} else ()
        while inside and len(children := _children(found.tree, inside)) == 1:  # seg_train/seg_train
            inside = (*inside, children[0])
        if inside and len(children) > 1:
            raise WorkloadError(
                f"{found.at(place)} holds {several(children)}: is it the training part or a class?",
                "If the part, call it train/ beside val/, and give --data-dir their folder; if a class, rename it.",
            )


def _archive_hint(tree: Tree) -> str:
    return f"Unpack {tree.archives[0]} first: archives are not read." if tree.archives else ""


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _refuse_other_classes(found: _Found, place: Where, training: Classes, validation: Classes) -> None:
    """Classes that only one part has because it spells them otherwise, or has none of the other's at all."""
    spelled = {_folded(name): name for name in training.keys() - validation.keys()}
    for name in sorted(validation.keys() - training.keys()):
        if (other := spelled.get(_folded(name))) is not None:
            raise WorkloadError(
                f"Class {other!r} of training is {name!r} in {found.at(place)}: they differ in case or spaces alone.",
                "Give both folders one name.",
            )
    if not validation.keys() & training.keys():
        raise WorkloadError(
            f"{found.at(place)} has none of the classes of training ({several(list(training))}) "
            f"but {several(sorted(validation))}.",
            "Give the class folders of both parts the same names.",
        )


def _say_twins(found: _Found, training: Classes) -> None:
    spelled: dict[str, str] = {}
    for name in training:
        other = spelled.setdefault(_folded(name), name)
        if other != name:
            found.say(f"classes {other!r} and {name!r} differ in case or spaces alone", "merge them if they are one")


def _say_empty(found: _Found, places: Sequence[Where], classes: Collection[str]) -> None:
    """Class folders in which nothing was found, in no part."""
    empty = sorted(
        {
            "/".join(each)
            for each in found.tree.folders
            if each[:-1] in places and each and unicodedata.normalize("NFC", each[-1]) not in classes
            if not found.tree.below(*each)
        }
    )
    if empty:
        found.say(f"folders without pictures: {several(empty)}", "they are no classes here; remove or fill them")
