"""P1: a launch that was acknowledged is in the store after a power cut."""

import pickle
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench import recovery
from bench.plan import to_json
from bench.store import attempts, fsops, index, read
from bench.store.commit import Store
from bench.store.layout import Layout
from tests.bench.store import dying_writers
from tests.bench.store.forgetful_disk import ForgetfulDisk

ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True)
class Written:
    """A store, and the calls that made it, with an entry for each acknowledgement."""

    root: Path
    calls: tuple


@pytest.fixture
def written(tmp_path, a_study, monkeypatch):
    plan, launches, dna = a_study
    root, calls = tmp_path / "results", []
    mkdir = Path.mkdir

    def noted(folder, *args, **kwargs):
        if folder.parent.name == "logs":  # the launch's own folder is made by whoever starts it: let it be on disk
            logs = folder.parent
            calls.extend([("mkdir", logs), ("mkdir", folder), ("sync", logs.parent), ("sync", logs)])
        mkdir(folder, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(fsops, "_at", lambda call, path, *about, takes_room=True: calls.append((call, path, *about)))
        patch.setattr(Path, "mkdir", noted)
        store = Store.open(root)
        store.create_study(to_json(plan))
        calls.append((ACKNOWLEDGED, None))
        for launch in launches:
            dying_writers.run_one(store, launch, dna[launch.launch_id])
            calls.append((ACKNOWLEDGED, launch))
    return Written(root, tuple(calls))


def states_after_power_loss(calls, root, work, *, names_are_lost):
    """The worst state after each prefix of the calls, and what had been acknowledged by then."""
    disk, study, launches = ForgetfulDisk(), False, []
    for number, (call, *about) in enumerate(calls):
        if call == ACKNOWLEDGED:
            study = True
            launches += [each for each in about if each is not None]
        else:
            disk.apply(call, *about)
        if call not in {"sync", ACKNOWLEDGED, "link", "rename", "unlink"}:
            continue  # what was never synced is not there: the state is the one before
        into = work / str(number)
        disk.after_power_loss(root, into, names_are_lost=names_are_lost)
        yield into, study, list(launches)
        shutil.rmtree(into, ignore_errors=True)


@pytest.mark.parametrize("names_are_lost", [True, False], ids=["names lost", "names kept"])
def test_what_was_acknowledged_is_there_and_whole_after_a_power_cut_at_any_moment(
    tmp_path, a_study, written, names_are_lost
):
    plan = a_study[0]
    looked = whole = 0
    for state, study, launches in states_after_power_loss(
        written.calls, written.root, tmp_path / "power", names_are_lost=names_are_lost
    ):
        looked += 1
        damaged = []
        if study:
            assert index.plan(state, plan.study_id) == plan
        if not (state / "FORMAT").exists():
            assert not launches
            continue
        found = read.launches(state, plan.study_id, damaged)
        assert damaged == [], "what is there and was not acknowledged is whole as well"
        assert [each for each in found if each in launches] == launches
        steps = dict(read.committed(state, plan.study_id).steps())
        assert all(len(steps[each.launch_id]["step_ns"]) for each in launches)
        begun = {each.launch_id for each in attempts.attempts(state, plan.study_id)}
        assert {each.launch_id for each in found} <= begun
        whole += len(launches)
    assert looked > 60
    assert whole > 0


def test_what_was_kept_of_a_launch_survives_a_power_cut_too(a_study, written, tmp_path):
    """So that a commit that was cut short is finished with the row that was about to be saved."""
    disk = ForgetfulDisk()
    launch = a_study[1][0]
    kept = Layout(written.root).folder(launch.study_id, launch.launch_id) / recovery.OUTCOME
    truncated = next(place for place, call in enumerate(written.calls) if call[:2] == ("truncate", kept))
    for call in written.calls[: truncated + 2]:
        if call[0] != ACKNOWLEDGED:
            disk.apply(*call)
    disk.after_power_loss(written.root, tmp_path / "power")
    attempt = attempts.attempts(tmp_path / "power", launch.study_id)[0]
    folder = Layout(tmp_path / "power").folder(launch.study_id, launch.launch_id)
    assert recovery._saved(folder, attempt).launch == launch


@pytest.mark.parametrize("forgotten", ["a file's sync", "a folder's sync"])
def test_the_model_notices_a_sync_that_is_left_out(tmp_path, a_study, written, forgotten):
    """The check above can fail: without any one kind of sync, an acknowledged launch is gone or torn."""
    is_folder = forgotten == "a folder's sync"
    # Those of the last commit alone: everything before it stays as it was.
    last = next(
        place for place, call in enumerate(written.calls) if call[0] == ACKNOWLEDGED and call[1] == a_study[1][0]
    )
    careless = [
        call
        for place, call in enumerate(written.calls)
        if place < last or call[0] != "sync" or call[1].is_dir() != is_folder
    ]
    disk = ForgetfulDisk()
    for call in careless:
        if call[0] != ACKNOWLEDGED:
            disk.apply(*call)
    state = tmp_path / "power"
    disk.after_power_loss(written.root, state)
    damaged = []
    found = read.launches(state, a_study[0].study_id, damaged)
    assert a_study[1][1] not in found
    assert len(found) == 1
    assert bool(damaged) != is_folder, "a marker that names nothing it can read, or no marker at all"


PROGRAM = """
import pickle, sys
from pathlib import Path
sys.path.insert(0, {here!r})
from tests.bench.store import dying_writers
from bench.store import fsops
work = Path(sys.argv[1])
plan, launches, dna = pickle.loads((work / "study.pickle").read_bytes())
told = open(work / "calls", "w")
fsops._at = lambda call, path, *about, takes_room=True: print(call, *[each for each in (path, *about) if isinstance(each, Path)], sep="\\t", file=told)
dying_writers.write_a_study(work / "results", plan, launches, dna, lambda launch_id: print("acknowledged", launch_id, flush=True))
told.close()
"""  # noqa: E501 - a program's line
TRACED = (
    "openat,open,creat,link,linkat,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,truncate,symlink,symlinkat"
)


def traced(tmp_path, a_study, *options):
    """A whole study written under strace; skips where that cannot be."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed: nobody else sees every call of a process")
    if subprocess.run([strace, "-o", "/dev/null", "true"], capture_output=True, check=False).returncode:
        pytest.skip("strace may not look at processes here (ptrace is forbidden)")
    (tmp_path / "study.pickle").write_bytes(pickle.dumps(a_study))
    program = PROGRAM.format(here=str(Path(__file__).parent))
    return subprocess.run(
        [
            strace,
            "-f",
            "--seccomp-bpf",
            "-s",
            "4096",
            "-o",
            tmp_path / "trace",
            *options,
            sys.executable,
            "-c",
            program,
            tmp_path,
        ],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


CHANGES = {
    "open": "open", "openat": "open", "creat": "open", "link": "link", "linkat": "link", "rename": "rename",
    "renameat": "rename", "renameat2": "rename", "unlink": "unlink", "unlinkat": "unlink", "mkdir": "mkdir",
    "mkdirat": "mkdir",
}  # fmt: skip


@pytest.mark.faults
def test_nothing_is_written_into_a_store_but_through_the_numbered_calls(tmp_path, a_study):
    done = traced(tmp_path, a_study, "-e", f"trace={TRACED}")
    assert done.returncode == 0, done.stderr
    root = str(tmp_path / "results")
    seen = set()
    for line in (tmp_path / "trace").read_text().splitlines():
        found = re.match(r"\d+\s+(\w+)\((.*)\)\s+= (-?\d+)", line)
        if found is None or root not in found[2] or int(found[3]) < 0:
            continue
        if found[1].startswith("open") and not re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", found[2]):
            continue
        paths = [path for path in re.findall(r'"([^"]*)"', found[2]) if path.startswith(root)]
        seen.add((CHANGES.get(found[1], found[1]), *paths))
    # What ranks leave in a launch's folder, and that folder, are not the store's.
    of_ranks = {each for each in seen if "/logs" in each[1] and recovery.OUTCOME not in each[1]}
    text = {tuple(line.split("\t")) for line in (tmp_path / "calls").read_text().splitlines()}
    numbered = {call if call[0] != "write" else ("open", call[1]) for call in text}
    assert seen - of_ranks - numbered == set()
    assert len(seen & numbered) > 40
    assert {each[0] for each in seen & numbered} == {"open", "link", "unlink", "mkdir"}


@pytest.mark.faults
@pytest.mark.parametrize(
    "number", [3, pytest.param(12, marks=pytest.mark.slow), pytest.param(25, marks=pytest.mark.slow), 40]
)
def test_a_sync_that_fails_is_an_error_and_no_acknowledgement(tmp_path, a_study, number):
    done = traced(tmp_path, a_study, "-e", "trace=fsync", "-e", f"inject=fsync:error=EIO:when={number}")
    assert done.returncode != 0
    assert "CannotError" in done.stderr
    assert "Input/output error" in done.stderr
    acknowledged = [line.split()[1] for line in done.stdout.splitlines()]
    if not (tmp_path / "results/FORMAT").exists():
        assert acknowledged == []
        return
    damaged = []
    found = {each.launch_id for each in read.launches(tmp_path / "results", a_study[0].study_id, damaged)}
    assert set(acknowledged) <= found
    assert len(acknowledged) < len(a_study[1])
    assert damaged == []
