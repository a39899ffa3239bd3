"""One setting for a verb that needs no others, from the places where every setting is looked for."""

from pathlib import Path
from typing import Any

from platformdirs import user_config_path

from bench import folders
from bench.settings.document import Document
from bench.settings.precedence import FILE, from_file


def of_files(key: str, cwd: Path, user_file: Path | None = None) -> Any:
    """What `./bench.toml`, else the user configuration, else the default says of a setting ("study.store").

    Raises:
        UsageError: one of the files has an unknown key or a wrong value.
    """
    user_file = user_file or folders.of_user(user_config_path) / FILE
    for layer in (from_file(cwd / FILE, f"./{FILE}"), from_file(user_file, str(user_file))):
        if key in layer.said:
            return layer.said[key]
    section, name = key.split(".")
    return getattr(getattr(Document(), section), name)
