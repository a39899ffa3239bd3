"""The card of a study and that of a launch, as text and as JSON."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.account import TRAINING, VALIDATION, Account
from bench.analysis.digits import significant
from bench.analysis.validity import same_work
from bench.plan import Configuration, Plan
from bench.store import attempts, index
from bench.store.attempts import Attempt
from bench.store.layout import Layout

if TYPE_CHECKING:
    from bench.store.schema import Dna, Launch

_CLASSES_AT_MOST = 20


@dataclass(frozen=True, kw_only=True)
class StudyCard:
    """What there is to know of a study without judging it."""

    layout: Layout
    plan: Plan
    launches: "Sequence[Launch]"
    dna: "Sequence[Dna]"
    begun: Sequence[Attempt]  # and not ended

    def lines(self) -> list[str]:
        plan, work = self.plan, self.plan.workload
        batch = (
            f"{plan.baseline.batch_per_rank} per rank" if plan.scaling == "weak" else f"{plan.baseline.batch_global}"
        )
        return [
            *_pairs(
                {
                    "study": plan.study_id,
                    "started": plan.created_at[:16].replace("T", " ") + " UTC",
                    "model": work.model,
                    "data": work.data,
                    "training": f"{work.precision}, {work.memory_format}, seed {work.seed}",
                    "scaling": f"{plan.scaling}, batch {batch}",
                    "window": f"{work.window} after {work.warmup_steps} warm-up steps",
                    "rounds": f"{plan.rounds}{' (quick)' * plan.quick}, order seed {plan.order_seed}",
                    "launches": ", ".join(
                        [f"{len(self.launches)} of {len(plan.launches)} in the store", *self._open()]
                    ),
                }
            ),
            *self._data(),
            "",
            "rows",
            *_table([*map(self._row, plan.configurations), *self._unrunnable()]),
            "",
            "settings",
            *_table(
                [
                    (name, _shown(plan.settings.get(name)), origin)
                    for name, origin in plan.origins.items()
                    if origin != "default" or not name.startswith("slurm.") or plan.launcher == "slurm"
                ]
            ),
            "",
            *_pairs(
                {
                    "machine": _each_once(map(_machine, self.dna)),
                    "dna": _each_once(map(_ids, self.dna)),
                    "logs": str(self.layout.logs(plan.study_id)),
                    **({"source": summary} if (summary := same_work.summary(self.launches)) else {}),
                    **({"not passed": f"{', '.join(plan.not_passed)} (--env NAME)"} if plan.not_passed else {}),
                    "repeat": plan.command,
                    "table": f"bench report {plan.study_id}",
                }
            ),
        ]

    def document(self) -> dict[str, Any]:
        return {
            "study": self.plan.study_id,
            "command": self.plan.command,
            "plan": asdict(self.plan),
            "launches": [_columns(launch) for launch in self.launches],
            "dna": [
                {"hw_id": hw_id, "sw_id": sw_id, "num_id": num_id}
                for hw_id, sw_id, num_id in dict.fromkeys((row.hw_id, row.sw_id, row.num_id) for row in self.dna)
            ],
            "open": [{"launch": each.launch_id, "attempt": each.attempt} for each in self.begun],
            "logs": str(self.layout.logs(self.plan.study_id)),
        }

    def _data(self) -> list[str]:
        """What the data were, by the first launch that tells: a change of them is the table's to tell."""
        account = next((each.data_account for each in self.launches if each.data_account), None)
        if account is None:
            return []
        return ["", "data", *(f"  {line}" for line in Account.from_json(account).sentences)]

    def _open(self) -> list[str]:
        """Launches that were begun and have not ended."""
        words = {
            True: "running",
            False: "never ended (bench recover)",
            None: "begun on another host or in another container",
        }
        count = Counter(each.owner.alive() for each in self.begun)
        return [f"{count[alive]} {text}" for alive, text in words.items() if count[alive]]

    def _row(self, row: Configuration) -> tuple[str, ...]:
        planned = sum(each.configuration == row for each in self.plan.launches)
        ended = Counter(each.status for each in self.launches if each.configuration == row.key)
        ended_so = ", ".join(f"{count} {status}" for status, count in sorted(ended.items())) or "none"
        return (row.key, _batch(row), f"{ended_so} of {planned}", "baseline" if row == self.plan.baseline else "")

    def _unrunnable(self) -> list[tuple[str, ...]]:
        rows = self.plan.unrunnable
        return [(each.configuration.key, _batch(each.configuration), "n/a", each.reason) for each in rows]


@dataclass(frozen=True, kw_only=True)
class LaunchCard:
    """Every column of a launch's row; for what is missing, why."""

    layout: Layout
    launch: "Launch"
    files: Sequence[str]
    earlier: Sequence[index.Marker]  # attempts that this one supersedes

    def lines(self) -> list[str]:
        columns = _columns(self.launch)
        why = columns.pop("unavailable")
        del columns["data_account"]
        account = self.launch.data_account
        data = list(_account_lines(Account.from_json(account))) if account else []
        missing = [(name, why[name]) for name, value in columns.items() if value is None and name in why]
        return [
            *_pairs({name: _shown(value) for name, value in columns.items() if value is not None and value != ()}),
            *(["", "data", *(f"  {line}" for line in data)] if data else []),
            *(["", "not measured", *_table(missing)] if missing else []),
            *(["", "earlier attempts", *_table(self._superseded())] if self.earlier else []),
            "",
            "files",
            *(f"  {path}" for path in (*self._paths, *self._checkpoints, self._logs)),
        ]

    def document(self) -> dict[str, Any]:
        return {
            "study": self.launch.study_id,
            "launch": self.launch.launch_id,
            "row": _columns(self.launch),
            "files": list(map(str, self._paths)),
            "checkpoints": list(map(str, self._checkpoints)),
            "logs": str(self._logs),
            "earlier": [{"attempt": each.attempt, "status": each.status} for each in self.earlier],
        }

    def _superseded(self) -> list[tuple[str, ...]]:
        return [
            (str(each.attempt), each.status, str(self.layout.folder(each.study_id, each.launch_id, each.attempt)))
            for each in self.earlier
        ]

    @property
    def _paths(self) -> list[Path]:
        return [self.layout.root / path for path in self.files]

    @property
    def _checkpoints(self) -> list[Path]:
        return attempts.checkpoints_of(self.layout, self.launch.study_id, self.launch.launch_id, self.launch.attempt)

    @property
    def _logs(self) -> Path:
        return self.layout.folder(self.launch.study_id, self.launch.launch_id, self.launch.attempt)


def _account_lines(account: Account) -> Iterator[str]:
    """All that is known: files, pictures of each class, sizes and modes."""
    yield from account.sentences
    if account.found:
        yield f"files: {account.found:,} found, {account.taken:,} taken"
    for part, counts in ((TRAINING, account.training), (VALIDATION, account.validation)):
        counted = [f"{name} {count:,}" for name, count in zip(account.classes, counts, strict=True)]
        more = len(counted) - _CLASSES_AT_MOST
        classes = ", ".join(counted[:_CLASSES_AT_MOST]) + (f" and {more} more (--json has all)" if more > 0 else "")
        yield f"{part} by class: {classes}"
        if (seen := account.seen.get(part)) is not None:
            sizes = ", ".join(f"{which} {size}" for which, size in seen.sizes.items())
            modes = ", ".join(f"{count:,} {mode}" for mode, count in seen.modes.items())
            yield f"{part} pictures: {sizes}; {modes}"


def _batch(row: Configuration) -> str:
    return f"batch {row.batch_per_rank} x {row.ranks}"


def _machine(row: "Dna") -> str:
    facts = json.loads(row.identity)
    gpus = Counter(each.get("name", "GPU") for each in facts.get("gpus", []))
    parts = [
        facts.get("cpu_label", "CPU"),
        *([f"{facts['cpu_cores']} cores"] if "cpu_cores" in facts else []),
        *([f"{facts['memory_gib']} GiB"] if "memory_gib" in facts else []),
        *(f"{count} x {name}" for name, count in gpus.items()),
    ]
    return ", ".join(parts)


def _ids(row: "Dna") -> str:
    reason = json.loads(row.unavailable).get("num_id", "no reason given")
    return f"hardware {row.hw_id}, software {row.sw_id}, numbers {row.num_id or f'not available ({reason})'}"


def _each_once(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(texts)) or "no launch has told"


def _columns(launch: "Launch") -> dict[str, Any]:
    account = json.loads(launch.data_account) if launch.data_account else None
    return {**asdict(launch), "unavailable": json.loads(launch.unavailable), "data_account": account}


def _shown(value: Any) -> str:
    if value is None or value in ({}, ()):
        return "-"
    if isinstance(value, float):
        return significant(value, 6)
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _pairs(pairs: Mapping[str, str]) -> list[str]:
    width = max(map(len, pairs))
    return [f"{name.ljust(width)}  {value}" for name, value in pairs.items()]


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
