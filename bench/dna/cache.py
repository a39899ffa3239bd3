"""What is found out once a machine and remembered: small JSON files in the platform's cache folder."""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from bench import folders, whole_file


def file_for(kind: str, facts: Mapping[str, Any]) -> Path:
    """The file for these facts: they are in its name, so that a home shared by several machines keeps them apart."""
    key = hashlib.blake2b(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    return Path(os.environ.get("BENCH_CACHE_DIR") or folders.of_user(user_cache_path)) / f"{kind}-{key}.json"


def load(file: Path) -> Any:
    """What was kept; None when there is nothing, or nothing that can be read."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads(file.read_text(encoding="utf-8"))
    return None


def save(file: Path, content: Any) -> None:
    """Keep it for the next time; a home that cannot be written costs that time again, no more."""
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        whole_file.write({file: json.dumps(content).encode()})
