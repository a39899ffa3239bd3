"""What bench makes of a real NVIDIA card whose driver is whole, half there, or hidden; and what throttled its launches.

Each case runs in a mount namespace of its own (root and `unshare`), where a part of the driver is covered by an empty
file; nothing outside it changes. What each command printed, and how it ended, is packed after every case, so that a run
that is cut off leaves what it has. Needs a card; without one it says so and ends with 3. About two minutes.

    python benchmarks/gpu_driver.py OUT
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import pynvml

_TRAIN = "run --model lenet-small --data synthetic --rounds 1 --seconds 2 --when-busy share --plain --device"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One state of the driver, and the words that `bench` is given in it."""

    name: str
    covered: tuple[str, ...] = ()  # files that look empty meanwhile
    environment: dict[str, str] = field(default_factory=dict)
    verbs: tuple[str, ...] = ("doctor --fast", "dna --json", "scale --model lenet-small --dry-run", f"{_TRAIN} auto")


def libraries(stem: str) -> tuple[str, ...]:
    """Where the dynamic linker finds a library of the driver's."""
    found = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=False).stdout
    places = [line.rsplit(" => ", 1)[1] for line in found.splitlines() if f"lib{stem}.so" in line]
    return tuple(sorted({os.path.realpath(each) for each in places}))


def cases(uuid: str) -> list[Case]:
    """The driver whole, without NVML, without CUDA, without its device files; the card by UUID, and not at all."""
    devices = tuple(str(each) for each in Path("/dev").glob("nvidia[0-9]*") if each.is_char_device())
    return [
        Case(name="whole", verbs=(*Case(name="").verbs, f"{_TRAIN} cuda", "show @last --json")),
        Case(name="no-nvml", covered=libraries("nvidia-ml")),
        Case(name="no-cuda", covered=libraries("cuda")),
        Case(name="no-device-files", covered=devices),
        Case(name="by-uuid", environment={"CUDA_VISIBLE_DEVICES": uuid}),
        Case(name="by-unknown-uuid", environment={"CUDA_VISIBLE_DEVICES": "GPU-00000000-0000-0000-0000-000000000000"}),
        Case(name="none-visible", environment={"CUDA_VISIBLE_DEVICES": ""}),
    ]


def run(case: Case, out: Path) -> None:
    """Run each command of the case; leave what it printed and its exit code in a folder of the case's name."""
    folder = out / case.name
    folder.mkdir(parents=True, exist_ok=True)
    covering = " && ".join(f"mount --bind /dev/null {shlex.quote(each)}" for each in case.covered) or "true"
    for number, verb in enumerate(case.verbs):
        command = f"{covering} && exec {shlex.quote(sys.executable)} -m bench {verb}"
        began = time.monotonic()
        ended = subprocess.run(
            ["unshare", "-m", "sh", "-c", command],
            env={**os.environ, **case.environment, "BENCH_STORE": str(out / "store")},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        outcome = {
            "case": case.name,
            "verb": verb,
            "exit": ended.returncode,
            "seconds": round(time.monotonic() - began, 1),
        }
        (folder / f"{number}.txt").write_text(json.dumps(outcome) + f"\n\n{ended.stdout}\n--- stderr\n{ended.stderr}")
        print(json.dumps(outcome), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    try:
        pynvml.nvmlInit()
        uuid = pynvml.nvmlDeviceGetUUID(pynvml.nvmlDeviceGetHandleByIndex(0))
    except pynvml.NVMLError as error:
        print(f"no NVIDIA card answers here: {error}", file=sys.stderr)
        raise SystemExit(3) from error
    for case in cases(uuid):
        run(case, options.out)
        with tarfile.open(options.out.with_suffix(".tar.gz"), "w:gz") as packed:
            packed.add(options.out, arcname=options.out.name)


if __name__ == "__main__":
    main()
