"""Who set what: flag > BENCH_* > ./bench.toml > user configuration > profile > default.

The files are documents (see `document.py`); flags and environment variables set the same keys one by one. Unknown
keys and wrong values are errors before anything runs.
"""

import math
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_config_path
from pydantic import ValidationError
from pydantic_core import ErrorDetails

import profiles
from bench import folders
from bench.documents import noun_of
from bench.errors import UsageError
from bench.plan import Checkpointing, Published
from bench.recipe import IN_EPOCHS, Recipe
from bench.settings.document import (
    DataSettings,
    Document,
    MeasureSettings,
    ModelSettings,
    PhaseSettings,
    PublishedSettings,
    ScaleSettings,
    Section,
    SlurmSettings,
    StudySettings,
    suggestion,
)
from launchers.environment import not_passed

DEMO = "demo"  # the profile that runs when nothing is asked for
FILE = folders.CONFIGURATION
WINDOW = ("measure.steps", "measure.seconds", "measure.epochs")  # exactly one ends up set
SEED, SEEDS, ROUNDS = "measure.seed", "measure.seeds", "measure.rounds"
WINDOW_S, WINDOW_QUICK_S = 6.0, 3.0  # half of the first, which a cut may leave, is still enough (analysis.validity)
QUICK = {"measure.rounds": 3, "measure.warmup": 5}  # what `quick` means, besides the shorter window

# What flags and environment variables call a setting: `--data-dir`, `BENCH_DATA_DIR`.
NAMES = {
    "model": "model.name",
    "data": "data.name",
    "data_dir": "data.dir",
    **{
        key: f"{section}.{key}"
        for section in ("data", "measure", "scale", "study", "keep")
        for key in type(getattr(Document(), section)).model_fields
        if key not in {"name", "dir", "start"}
    },
    "from": "keep.start",
}
GPUS = "gpus"  # short for a device and its ranks


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting with its value, and where that came from."""

    description: str  # of the profile, as what is published and aimed at
    model: ModelSettings
    data: DataSettings
    recipe: Recipe
    measure: MeasureSettings
    scale: ScaleSettings
    study: StudySettings
    keep: Checkpointing
    slurm: SlurmSettings
    published: tuple[Published, ...]
    targets: Mapping[str, float]
    profile: str | None
    written_for: int | None  # epochs of the run that the recipe's own epochs were written for; None: nobody said
    not_passed: tuple[str, ...]  # names of variables that are set, and that ranks do not get
    origins: Mapping[str, str]  # "section.key" -> a flag, a variable, a file, a profile or "default"


@dataclass(frozen=True, kw_only=True)
class _Layer:
    """What one place says."""

    said: Mapping[str, Any]  # "section.key" -> value
    where: Callable[[str], str]  # what to call that place, for a key


def resolve(
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    cwd: Path,
    profile: str | None = None,
    *,
    user_file: Path | None = None,
) -> Settings:
    """All settings, each from the highest place that says it.

    Args:
        flags: name (of `NAMES`, or `gpus`) -> value or its text; only what was given.
        environ: the environment; variables that are no setting's are left alone.
        cwd: where `./bench.toml` and relative profiles are looked for.
        profile: name or TOML file; `BENCH_PROFILE` when None. Without one and without a model, the demo.
        user_file: the user configuration; the platform's own place when None.

    Raises:
        UsageError: an unknown key, a wrong value, two lengths of the window in one place, no such profile.
    """
    profile = profile or environ.get("BENCH_PROFILE") or None
    variables = {name: text for name in (*NAMES, GPUS) if (text := environ.get(_variable(name)))}
    layers = [
        _from_names(flags, _flag),
        _from_names(variables, _variable),
        *_from_files(cwd, user_file),
    ]
    if profile is None and not any("model.name" in layer.said for layer in layers):
        profile = DEMO
    described = Document()
    if profile is not None:
        where = f"profile {profile}"
        described = _validated(_read_profile(profile, cwd), lambda _: where, where)
        layers.append(_layer(described, lambda _: where))
    said, origins, written_for = _merged(layers)
    if said.get("model.name") is None:
        raise UsageError(f"profile {profile} names no model", "add --model NAME; see: bench models")
    if not any(key in said for key in WINDOW):
        said["measure.seconds"] = WINDOW_QUICK_S if said.get("measure.quick") else WINDOW_S
    asked = {word.partition("=")[0] for word in said.get("study.env", ())}
    document = Document.model_validate(_nested(said))
    return Settings(
        **{name: getattr(document, name) for name in ("model", "data", "measure", "scale", "study", "slurm")},
        recipe=noun_of(Recipe, document.recipe.model_dump()),
        keep=noun_of(Checkpointing, document.keep.model_dump()),
        description=described.description,
        published=tuple(noun_of(Published, each.model_dump()) for each in described.quoted()),
        targets=described.targets,
        profile=profile,
        written_for=written_for,
        not_passed=tuple(name for name in not_passed(environ) if name not in asked),
        origins=origins,
    )


def of_files(key: str, cwd: Path, user_file: Path | None = None) -> Any:
    """What `./bench.toml`, else the user configuration, else the default says of one setting ("study.store").

    Raises:
        UsageError: one of the files has an unknown key or a wrong value.
    """
    for layer in _from_files(cwd, user_file):
        if key in layer.said:
            return layer.said[key]
    section, name = key.split(".")
    return getattr(getattr(Document(), section), name)


def _merged(layers: list[_Layer]) -> tuple[dict[str, Any], dict[str, str], int | None]:
    """The values that hold, the origin of every setting there is, and the length that the recipe was written for.

    The highest layer comes first. A schedule is written for the epochs that held where it was said. Rounds belong to
    the length and the seeds that they were said with: a profile that trains once trains once, and windows of seconds
    that are asked for instead, or other seeds, are repeated as usual.
    """
    said: dict[str, Any] = {}
    written_for, counted = None, False
    origins = {
        f"{section}.{key}": "default"
        for section, kind in Document.model_fields.items()
        if isinstance(kind.default, Section)
        for key in type(kind.default).model_fields
    }
    said_by: dict[str, _Layer] = {}
    for layer in reversed(layers):
        lengths = [key for key in WINDOW if key in layer.said]
        if len(lengths) > 1:
            names = " and ".join(layer.where(key) for key in lengths)
            raise UsageError(f"{names}: only one of steps, seconds and epochs can be set", "keep one of them")
        if {SEED, SEEDS} <= layer.said.keys():
            raise UsageError(f"{layer.where(SEED)} and {layer.where(SEEDS)} both say the seed", "keep one of them")
        for key in _replaced(said, said_by, layer):
            said.pop(key, None)
            origins[key] = "default"
        if layer.said.get("measure.quick"):
            shorter = {key: value for key, value in QUICK.items() if value < said.get(key, math.inf)}
            said.update(shorter)
            origins.update(dict.fromkeys(shorter, layer.where("measure.quick")))
        said.update(layer.said)
        origins.update({key: layer.where(key) for key in layer.said})
        if SEEDS in layer.said and ROUNDS not in layer.said:
            said[ROUNDS] = len(layer.said[SEEDS])
            origins[ROUNDS] = layer.where(SEEDS)
        said_by.update(dict.fromkeys([*layer.said, *([ROUNDS] if SEEDS in layer.said else [])], layer))
        if any(f"recipe.{key}" in layer.said for key in IN_EPOCHS):
            written_for, counted = said.get("measure.epochs"), True
        elif not counted:
            written_for = written_for or said.get("measure.epochs")
    if len(said.get(SEEDS, ())) > said.get(ROUNDS, math.inf):
        raise UsageError(
            f"{origins[ROUNDS]}: of {len(said[SEEDS])} seeds, rounds = {said[ROUNDS]} would leave some out",
            f"leave it out, which makes a round of each, or say at least {len(said[SEEDS])}",
        )
    return said, origins, written_for


def _replaced(said: Mapping[str, Any], said_by: Mapping[str, _Layer], layer: _Layer) -> list[str]:
    """Keys of lower places that what this one says leaves without a meaning."""
    length = next((key for key in WINDOW if key in layer.said), None)
    before = next((key for key in WINDOW if key in said), None)
    gone = list(WINDOW) if length else []
    if length and before not in {None, length} and said_by.get(ROUNDS) is said_by[str(before)]:
        gone.append(ROUNDS)
    if SEED in layer.said and SEEDS in said:
        gone += [SEEDS, *([ROUNDS] if said_by[ROUNDS] is said_by[SEEDS] else [])]
    return [*gone, SEED] if SEEDS in layer.said else gone


def _layer(document: Document, where: Callable[[str], str]) -> _Layer:
    """What a document says itself, without the defaults."""
    said = {}
    for section in document.model_fields_set:
        table = getattr(document, section)
        if isinstance(table, Section):
            said.update({f"{section}.{key}": getattr(table, key) for key in table.model_fields_set})
    return _Layer(said=said, where=where)


def _nested(said: Mapping[str, Any]) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    for path, value in said.items():
        section, key = path.split(".")
        tables.setdefault(section, {})[key] = value
    return tables


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _variable(name: str) -> str:
    return "BENCH_" + name.upper()


def _from_names(values: Mapping[str, Any], spelled: Callable[[str], str]) -> _Layer:
    """Flags or variables; their text is converted, where a file's types are taken at their word."""
    values = dict(values)
    called = {path: spelled(name) for name, path in NAMES.items()}
    if GPUS in values:
        twice = [spelled(name) for name in ("device", "ranks") if name in values]
        if twice:
            raise UsageError(
                f"{spelled(GPUS)} and {twice[0]} both say what to run on",
                f"{spelled(GPUS)} 1,2 is short for {spelled('device')} cuda {spelled('ranks')} 1,2",
            )
        values |= {"device": "cuda", "ranks": values.pop(GPUS)}
        called |= {"scale.device": spelled(GPUS), "scale.ranks": spelled(GPUS)}
    said = _nested({NAMES[name]: value for name, value in values.items()})
    return _layer(_validated(said, called.__getitem__, spelled("…"), strict=False), called.__getitem__)


def _from_files(cwd: Path, user_file: Path | None) -> Iterator[_Layer]:
    user_file = user_file or folders.of_user(user_config_path) / FILE
    for file, where in ((cwd / FILE, f"./{FILE}"), (user_file, str(user_file))):
        if file.is_file():
            yield _from_file(file, where)


def _from_file(file: Path, where: str) -> _Layer:
    return _layer(_validated(_read_toml(file), lambda _: where, where), lambda _: where)


def _read_profile(profile: str, cwd: Path) -> dict[str, Any]:
    if profile.endswith(".toml") or "/" in profile:
        file = cwd / profile
        if not file.is_file():
            raise UsageError(f"no profile file {file}", "see: bench profiles")
        return _read_toml(file)
    try:
        return profiles.read(profile)
    except LookupError:
        close = suggestion(profile, profiles.names())
        raise UsageError(
            f"no profile '{profile}'.{close}", "see: bench profiles; a file of your own ends in .toml"
        ) from None


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not TOML: {error}") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None


def _validated(said: dict[str, Any], called: Callable[[str], str], where: str, *, strict: bool = True) -> Document:
    try:
        return Document.model_validate(said, strict=strict)
    except ValidationError as error:
        raise _usage_error(error.errors()[0], called, where) from None


def _usage_error(error: ErrorDetails, called: Callable[[str], str], where: str) -> UsageError:
    """The first thing wrong with a document, in words."""
    *tables, key = (str(part) for part in error["loc"])
    in_phase = tables[:2] == ["recipe", "phases"] and key != tables[-1]
    if in_phase:
        tables = ["[recipe.phases]"]  # as TOML spells a table of a list
    if error["type"] == "extra_forbidden":
        lists: dict[str, type[Section]] = {"[recipe.phases]": PhaseSettings, "published": PublishedSettings}
        place = tables[0] if tables else ""
        table = lists.get(place) or type(getattr(Document(), place) if tables else Document())
        known = list(table.model_fields)
        in_table = f" in [{place}]" if tables else ""
        return UsageError(
            f"{where}: unknown key '{key}'{in_table}.{suggestion(key, known)}", f"known: {', '.join(known)}"
        )
    path = ".".join([*tables, key][: 3 if tables[:1] == ["published"] else 2])
    place = called(path) if "." in path else where
    name = place if place.startswith(("--", "BENCH_")) else f"{place}: {path}"
    if error["type"] == "model_type":
        return UsageError(f"{where}: [{path}] should be a table")
    if error["type"] == "missing":
        return UsageError(f"{where}: [{'.'.join(tables)}] has no '{key}'")
    reason = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return UsageError(f"{name}: {error['input']!r} {reason}")
