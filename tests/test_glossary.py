"""The glossary is complete: every table, every column and every key of the JSON documents has its sentence."""

import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.cli import group
from bench.store import index, schema
from reports.comparing import document
from tests.reports import fabricated_comparisons as made

REPOSITORY = Path(__file__).parents[1]
GLOSSARY = (REPOSITORY / "docs/glossary.md").read_text()

# These hold an entry for each name of the study's own, or of the operating system's: names, and no nouns of ours.
MAPS = {
    "environment",
    *("accelerators", "all_threads", "cache_kib", "data_account", "estimates", "facts", "one_thread", "origins"),
    *("reasons_null", "settings", "statuses", "ulp", "unavailable", "variables"),
}


def defined() -> dict[str, str]:
    """Word -> its sentence, of every line of the tables that has a word in backticks."""
    return dict(re.findall(r"^\| `([^`]+)` \| (.+?) \|", GLOSSARY, re.MULTILINE))


def keys(content: Any) -> Iterator[str]:
    """Every key of a JSON document, at any depth, but for those of the maps."""
    if isinstance(content, list):
        for each in content:
            yield from keys(each)
    elif isinstance(content, dict):
        for name, value in content.items():
            if re.fullmatch(r"[a-z][a-z0-9_]*(\..+)?", name):  # `gpus.0.name` of a card; no package's or row's name
                yield name.partition(".")[0]
            if name not in MAPS or isinstance(value, list):
                yield from keys(value)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gallery")
    with tarfile.open(REPOSITORY / "docs/gallery/store.tar.xz") as packed:
        packed.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def documents(store: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the verbs print or write as JSON, of the gallery's studies."""
    out = tmp_path_factory.mktemp("out")
    first, second, third = index.studies(store)
    asked = [
        f"show {first}",
        f"show {first}.r00p00",
        f"show {first} --why",
        f"show {first} --reach 0.5",
        "ls",
        "verify",
        "recover",
        "models",
        "profiles",
        "doctor --fast",
        f"compare {first} {second} --fail-on slower",
        f"compare {first} {second} {third}",
        f"report {first} {second} --compare {third} --format json -o {out}",
        f"export {first} --to json -o {out}",
        f"push {out}/copy {first}",
        "scale --model lenet-small --ranks 1,2 --device cpu --dry-run",
    ]
    found = {}
    for line in asked:
        own = ["--store", str(store)] * (line.split()[0] not in {"models", "profiles"})
        ran = CliRunner().invoke(group, [*line.split(), *own, "--json"])
        found[line] = json.loads(ran.stdout)
    written = [file for file in out.rglob("*.json") if "copy" not in file.parts]
    judged = {
        "compare, refused": document.document(made.refused(), [], 0),
        "compare, many machines": document.machines_document(made.fleet(), [], 0),
        "calibrate": document.calibration_document(made.calibration(), "here", 0),
    }
    return found | judged | {file.name: json.loads(file.read_text()) for file in written}


def test_every_table_and_column_has_its_sentence():
    columns = {item.name for row in schema.TABLES.values() for item in fields(row)}
    assert not {*schema.TABLES, *columns} - set(defined())


def test_every_key_of_the_json_documents_has_its_sentence(documents: dict[str, Any]):
    words = defined()
    missing = {f"{key} ({line})" for line, content in documents.items() for key in keys(content) if key not in words}
    assert not missing, "say in docs/glossary.md what it is: " + ", ".join(sorted(missing))


def test_a_key_without_a_sentence_is_found_at_any_depth_and_names_of_the_study_are_none():
    content = {"rows": [{"new": {"newer": 1}}], "origins": {"any.name": "--flag"}, "nvidia-nccl": 1}
    assert set(keys(content)) == {"rows", "new", "newer", "origins"}


def test_a_sentence_is_one_line_that_does_not_repeat_its_word_alone():
    for word, sentence in defined().items():
        assert len(sentence) > 4, word
        assert sentence.strip(" .").lower() != word.replace("_", " "), word
