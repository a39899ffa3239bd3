"""Makes the gallery again from the stored studies beside it; with `--check`, only says which files are not the same."""

import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import profiles
from bench import study
from bench.analysis import study_report
from bench.analysis.anonymous import anonymous
from bench.analysis.report import Report
from bench.store import index
from reports import formats

HERE = Path(__file__).parent
STORE = HERE / "store.tar.xz"

# Name -> the studies in it (0 is the newest in the store), and the formats that are shown.
SHOWN = {
    "scaling": ((1,), ("html", "md", "tex", "csv")),
    "training": ((0,), ("html", "md")),
    "side-by-side": ((1, 0), ("html",)),
    "weak-and-strong": ((1, 2), ("html",)),
}


def reports_of(store: Path) -> dict[str, Report]:
    """Every report of the gallery, without what belongs to the machine that measured it."""
    ids = index.studies(store)
    stored = {number: study.stored(store, study_id) for number, study_id in enumerate(ids)}
    peaks = profiles.hardware_peaks()
    return {
        name: anonymous(study_report.combine([stored[number] for number in numbers], peaks=peaks))
        for name, (numbers, _) in SHOWN.items()
    }


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file of the gallery; the store is unpacked to `folder`."""
    with tarfile.open(STORE) as packed:
        packed.extractall(folder, filter="data")
    for name, report in reports_of(folder).items():
        for form in SHOWN[name][1]:
            for suffix, content in formats.find(form).render(report).items():
                yield f"{name}{suffix}", content.encode() if isinstance(content, str) else content


def main() -> int:
    """Exit 1 when asked to check and a file is not what it would be today."""
    with tempfile.TemporaryDirectory() as scratch:
        made = dict(files(Path(scratch)))
    stale = [name for name, data in made.items() if not (HERE / name).is_file() or (HERE / name).read_bytes() != data]
    if "--check" in sys.argv:
        for name in stale:
            print(f"docs/gallery/{name} is stale: run  make gallery", file=sys.stderr)
        return int(bool(stale))
    for name in stale:
        (HERE / name).write_bytes(made[name])
        print(f"docs/gallery/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
