"""The house keeps its shape: one direction, one place for column names, small rooms, no trace of where it was built."""

import ast
import re
import subprocess
import sys
import tomllib
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest

from bench.store import schema

REPOSITORY = Path(__file__).parents[1]
PACKAGES = ("bench", "launchers", "profiles", "reports", "scaling_bench")
MODULES = sorted(file for package in PACKAGES for file in (REPOSITORY / package).rglob("*.py"))
OURS = sorted([*MODULES, *(REPOSITORY / "tests").rglob("*.py"), *(REPOSITORY / "docs").rglob("*.py")])

# Where a column's name may stand as text outside the schema, and why.
SPELLS_COLUMNS: dict[str, str] = {}

UNIT = re.compile(r"_(ns|ms|s|sps|bytes|j|w)(_|$)")

# Of a function, without its docstring: what a reader can hold.
LINES = 60

# Functions over LINES, and why each stays whole.
LONGER: dict[str, str] = {
    "bench/analysis/scaling/findings.py analyse": "the study's findings in their order, each one call",
    "bench/planning/__init__.py build": "one noun of forty fields, each filled once",
    "bench/worker/train.py train_segment": "the timed loop: every call would be time between two readings of the clock",
}


def name_of(file: Path) -> str:
    return file.relative_to(REPOSITORY).as_posix()


def test_every_import_contract_is_kept():
    ran = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--no-logo"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_folder_of_modules_is_a_package_so_that_the_contracts_see_it():
    unseen = {name_of(file.parent) for file in MODULES if not (file.parent / "__init__.py").exists()}
    assert not unseen


def modules_of(room: str) -> list[Path]:
    """A package's own files, `__init__.py` first."""
    return sorted((REPOSITORY / room.replace(".", "/")).glob("*.py"))


def imports(file: Path) -> list[ast.AST]:
    return [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)]


def test_every_module_stands_on_a_floor():
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    floors = next(each for each in contracts if each["type"] == "layers")["layers"]
    placed = {room.strip(" ()") for floor in floors for room in floor.replace(":", "|").split("|")}
    rooms = {"launchers", "profiles", "reports"} | {
        f"bench.{each.stem}"
        for each in (REPOSITORY / "bench").iterdir()
        if each.name != "__init__.py" and (each.suffix == ".py" or (each / "__init__.py").exists())
    }
    split = {room.rpartition(".")[0] for room in placed if room.count(".") > 1}  # its modules stand on several floors
    for room in split:
        rooms |= {f"{room}.{file.stem}" for file in modules_of(room) if file.stem != "__init__"}
        rooms -= {room}
        assert not imports(modules_of(room)[0]), f"{room} itself stands on no floor, so it may import nothing"
    assert rooms == placed


def attributes(source: str) -> set[str]:
    """The annotated attributes of every class in a Python source."""
    classes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef))
    return {
        item.target.id
        for each in classes
        for item in each.body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    }


@cache
def own_column_names() -> frozenset[str]:
    """Column names that mean a column and nothing else: those with a unit that no other noun measures too.

    A name without a unit (`rank`, `world_size`) is a word that may stand anywhere. A name with a unit that is also an
    attribute of the plan's, the launchers' or the analysis's nouns (`step_ns`, `peak_memory_bytes`) is theirs as well.
    """
    nouns = [REPOSITORY / "bench/plan.py", *(REPOSITORY / "bench/analysis").rglob("*.py")]
    nouns += (REPOSITORY / "launchers").glob("*.py")
    shared = set().union(*(attributes(file.read_text()) for file in nouns))
    columns = {item.name for row in schema.TABLES.values() for item in fields(row)}
    return frozenset(name for name in columns if UNIT.search(name)) - shared


def spelled_columns(source: str) -> list[tuple[int, str]]:
    """Line and name of every string in a Python source that is exactly a column's name."""
    names = own_column_names()
    return [
        (node.lineno, node.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in names
    ]


def test_columns_with_units_count_as_the_schemas_own():
    assert {"window_ns", "throughput_sps", "energy_j", "evaluate_s"} <= own_column_names()
    assert not {"rank", "precision", "batch_per_rank", "peak_memory_bytes"} & own_column_names()


def test_a_spelled_column_is_found():
    assert spelled_columns('rate = frame["window_ns"]  # not launch.window_ns') == [(1, "window_ns")]
    assert spelled_columns("rate = launch.window_ns") == []


def test_only_the_schema_knows_column_names():
    others = [file for file in MODULES if name_of(file) not in {"bench/store/schema.py", *SPELLS_COLUMNS}]
    found = [f"{name_of(file)}:{line} {name}" for file in others for line, name in spelled_columns(file.read_text())]
    assert not found, "use the typed row's attribute instead of its column's name:\n" + "\n".join(found)


def test_every_exception_is_still_needed():
    for name in SPELLS_COLUMNS:
        assert spelled_columns((REPOSITORY / name).read_text()), f"{name} spells no column: take it off the list"
    assert not set(LONGER) - set(long_functions()), "short again, or gone: take it off the list"


@cache
def long_functions() -> dict[str, int]:
    """Every function over LINES, as `file name`, with its number of lines."""
    return {
        f"{name_of(file)} {function}": count
        for file in MODULES
        for function, count in function_lines(file.read_text())
        if count > LINES
    }


def function_lines(source: str) -> list[tuple[str, int]]:
    """Name and lines of every function in a Python source, from its `def` to its end, its docstring not counted."""
    return [
        (node.name, _lines_of(node) - (_lines_of(node.body[0]) if ast.get_docstring(node) else 0))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def _lines_of(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_function_is_longer_than_a_reader_can_hold():
    assert not {name: count for name, count in long_functions().items() if name not in LONGER}


def test_a_functions_lines_are_counted_without_its_docstring():
    source = '''
def f(
    a,
):
    """One.

    Two.
    """
    return a


async def g(): ...
'''
    assert function_lines(source) == [("f", 4), ("g", 1)]


def test_no_module_is_named_for_nothing():
    vague = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert not {name_of(file) for file in MODULES if file.stem in vague or file.parent.name in vague}


@pytest.mark.parametrize("home", [Path.home(), REPOSITORY], ids=["home", "checkout"])
def test_no_file_names_the_machine_it_was_written_on(home: Path):
    if len(home.parts) < 3:
        home /= ".cache"  # "/root" alone is a word of many texts
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    needle = f"{home}/".encode()
    assert not [name for name in listed if (file := REPOSITORY / name).is_file() and needle in file.read_bytes()]


# Tests of several rooms at once, by what they need or guard.
ACROSS_ROOMS = {"end_to_end", "faults", "learning", "statistics", "typing", "wheel"}


def test_the_tests_mirror_the_source_tree_folder_by_folder():
    folders = {file.parent.relative_to(REPOSITORY / "tests") for file in OURS if file.name.startswith("test_")}
    rooms = {file.parent.relative_to(REPOSITORY) for file in MODULES} | {Path()}
    assert not {each for each in folders - rooms if each.parts[0] not in ACROSS_ROOMS}
