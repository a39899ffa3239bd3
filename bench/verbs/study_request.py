"""What a study's options and the settings around them come to, whoever then runs it."""

import contextlib
import hashlib
import os
import secrets
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import launchers
from bench import planning, plugins
from bench.account import Account
from bench.dna.machine import Machine
from bench.errors import BenchError, CannotError, UsageError
from bench.learn import WorkloadError
from bench.learn.catalogue import HUE, check_data, check_model, parse_augmentations
from bench.learn.sources import DataRequest, Source, find
from bench.output import say
from bench.plan import Plan
from bench.settings import Settings, resolve
from bench.store.layout import Layout
from bench.verbs.study_flags import Options
from launchers import environment

ACCURACY = "accuracy"  # the gate: every row reaches its profile's targets
STUDY = "BENCH_STUDY"  # the study's id, given from outside: begun once, resumed afterwards


@dataclass(frozen=True, kw_only=True)
class StudyRequest:
    """One study that is asked for, with everything settled that no machine is needed for."""

    options: Options
    one_row: bool  # `bench run`: one configuration, without a baseline beside it
    settings: Settings
    gates: tuple[str, ...]
    study_id: str
    is_named_outside: bool  # the id is of whoever started this process

    @classmethod
    def of(cls, options: Options, *, one_row: bool) -> "StudyRequest":
        """The study that these options ask for here.

        Raises:
            BenchError: a setting, a name or a gate is wrong.
        """
        settings = settings_of(options.flags, options.profile)
        gates, given = gates_of(options.fail_on, settings), given_study()
        study_id = given or new_study_id(settings.model.name or "")
        return cls(
            options=options,
            one_row=one_row,
            settings=settings,
            gates=gates,
            study_id=study_id,
            is_named_outside=given is not None,
        )

    @property
    def store(self) -> Path:
        return Path(self.settings.study.store)

    @property
    def launcher(self) -> ModuleType:
        """The module of the launcher that is asked for.

        Raises:
            CannotError: it is another distribution's, and broken.
        """
        name = self.settings.study.launcher
        if name in launchers.names():
            return launchers.find(name)
        brought: ModuleType = plugins.load(plugins.LAUNCHERS, name, "role", "open", "script")
        return brought

    def for_launcher(self) -> launchers.Request:
        """What is asked of a launcher beyond this host."""
        scale, slurm, study_id = self.settings.scale, self.settings.slurm, self.study_id
        gpus = slurm.gpus_per_node or (scale.ranks_per_node or 0 if scale.device == "cuda" else 0)
        options = (
            slurm.model_dump(exclude_none=True, exclude={"gpus_per_node"})
            if self.settings.study.launcher == "slurm"
            else {}
        )
        if self.settings.study.launcher == "torchrun":
            options = {"rdzv": self.settings.study.rdzv}
            # Every node must come to the same name, of the same command; the leader names the study itself.
            same = repr(forwarded_words(self.options.words, "torchrun")).encode()
            study_id = f"bench-{hashlib.blake2b(same, digest_size=6).hexdigest()}"
        return launchers.Request(
            name=study_id,
            nodes=max(scale.nodes or (1,)),
            ranks_per_node=scale.ranks_per_node or gpus or 1,
            cores_per_rank=scale.cores_per_rank,
            gpus_per_node=gpus,
            options=options,
        )

    def plan(self, machine: Machine) -> Plan:
        """The whole study on this machine, its data looked at.

        Raises:
            BenchError: it contradicts itself, or cannot run here.
        """
        asked = self.settings.study.order_seed
        order_seed = secrets.randbelow(2**31) if asked is None else asked
        # What repeats this study: the words as they were typed, with the seed that was drawn for them.
        words = ["bench", *(word for word in self.options.words if word not in {"--json", "--resume", "--debug"})]
        return planning.build(
            self.settings,
            machine,
            study_id=self.study_id,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            command=shlex.join(words if asked is not None else [*words, "--order-seed", str(order_seed)]),
            order_seed=order_seed,
            one_row=self.one_row,
            data=account_of(self.settings, quiet=self.options.output.as_json),
        )


def gates_of(fail_on: str | None, settings: Settings) -> tuple[str, ...]:
    """The gates that were asked for.

    Raises:
        UsageError: no such gate, or nothing that it could be compared with.
    """
    asked = tuple(word.strip() for word in (fail_on or "").split(",") if word.strip())
    for word in asked:
        if word != ACCURACY:
            raise UsageError(f"--fail-on: no gate '{word}'", f"there is {ACCURACY}; others are of: bench compare")
    if asked and not settings.targets:
        raise UsageError("--fail-on accuracy: nothing says which accuracy", "a profile does: [targets] top1 = 0.9")
    if asked and settings.measure.epochs is None:
        raise UsageError("--fail-on accuracy: only whole epochs are evaluated", "add --epochs N")
    return asked


def settings_of(flags: Mapping[str, Any], profile: str | None) -> Settings:
    """The settings that hold here; what this process starts from now on gets the variables that they name.

    Raises:
        BenchError: a wrong setting; no such model, file or data set, with what looks like it; an extra that is not
            installed; a variable that is to be passed and is not set.
    """
    settings = resolve(flags, os.environ, Path.cwd(), profile)
    refuse_unknown_names(settings)
    environment.pass_on(to_pass(settings.study.env, os.environ, settings.origins["study.env"]))
    return settings


def refuse_unknown_names(settings: Settings) -> None:
    """Models, data sets and checkpoints that do not exist are found out before anything starts.

    Raises:
        BenchError: there is no such thing.
    """
    if settings.keep.start is not None and not Path(settings.keep.start).is_file():
        raise UsageError(f"there is no checkpoint {settings.keep.start}", "bench show STUDY.LAUNCH names a launch's")
    try:
        check_model(settings.model.name or "")
        check_data(settings.data.name)
    except WorkloadError as error:
        raise BenchError(error.message, error.hint, error.exit_code) from error


def to_pass(words: Sequence[str], environ: Mapping[str, str], where: str) -> dict[str, str | None]:
    """Name -> value; None: the one that the variable has here.

    Args:
        words: `NAME` or `NAME=VALUE`.
        environ: the environment.
        where: what to call the place that asks for them.

    Raises:
        UsageError: a name without a value that is not set here: the ranks would run without it, and nobody know.
    """
    found: dict[str, str | None] = {}
    for word in words:
        name, given, value = word.partition("=")
        if not given and name not in environ:
            raise UsageError(f"{where}: {name} is to be passed, and not set here", f"set it, or say {name}=VALUE")
        found[name] = value if given else None
    return found


def given_study() -> str | None:
    """The id that whoever started this process gave the study; None when it is to have a new one.

    Raises:
        UsageError: it cannot be an id.
    """
    study_id = os.environ.get(STUDY) or None
    if study_id is not None:
        try:
            Layout(Path()).plan(study_id)
        except ValueError as error:
            raise UsageError(f"{STUDY}: {error}") from error
    return study_id


def new_study_id(model: str) -> str:
    """An id that no other study has."""
    return planning.new_study_id(model, datetime.now(UTC), secrets.randbits(16))


def account_of(settings: Settings, *, quiet: bool = False) -> Account | None:
    """What was found of the data set, its pictures decoded into the cache of every launch; None: there is none.

    Args:
        settings: what is asked for.
        quiet: say nothing of how far it is, where that takes longer than a moment.

    Raises:
        BenchError: the data are missing, damaged, or not what was asked for.
    """
    data = settings.data
    request = DataRequest(
        name=data.name,
        folder=data.dir,
        **data.model_dump(exclude={"name", "dir", "augment"}),
        tell=(lambda _: None) if quiet else say,
    )
    try:
        source = find(request)
        _refuse_hue(settings, source)
        return source.arrays().account if source.account is not None else None
    except WorkloadError as error:
        raise BenchError(error.message, error.hint, error.exit_code) from error


def _refuse_hue(settings: Settings, source: Source) -> None:
    """What every rank would say, once it has its data."""
    words = [settings.data.augment, *(each.augment or () for each in settings.recipe.phases)]
    if source.shape[0] != 3 and any(each.name == HUE for some in words for each in parse_augmentations(some)):
        raise WorkloadError(f"{source.name} is not in colour, and has no hue.", "Leave hue out of augment.")


@contextlib.contextmanager
def as_bench_errors() -> Iterator[None]:
    """What a launcher complains of, as errors that a user can act on.

    Raises:
        UsageError: for a ValueError, which says what to write otherwise.
        CannotError: for anything else that hosts, networks and queues do.
    """
    try:
        yield
    except ValueError as error:
        raise UsageError(str(error), "see what is started where: --dry-run") from error
    except (OSError, RuntimeError, LookupError) as error:
        raise CannotError(str(error), "see what is started where: --dry-run") from error


def forwarded_words(words: Sequence[str], launcher: str) -> tuple[str, ...]:
    """The command line that the study is run with by others: as it was typed, without what is for this process.

    A queue's job has a log, and the table is printed here; of torchrun's nodes the leader prints it. `--rdzv` is not
    needed once torchrun has met there, and torchrun would take it for the beginning of words of its own.
    """
    ours = {"--dry-run", "--debug", *(("--json",) if launcher == "slurm" else ())}
    kept = []
    left = iter(words)
    for word in left:
        if word == "--rdzv":
            next(left, None)
        elif word not in ours and not word.startswith("--rdzv="):
            kept.append(word)
    return tuple(kept)
