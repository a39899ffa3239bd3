"""Writes bench/verbs/study_keywords.pyi: the settings of a study as keywords, for editors and type checkers."""

from pathlib import Path
from typing import Any, get_type_hints

from bench.settings.document import Document
from bench.settings.precedence import NAMES
from bench.verbs.keywords import KEYWORDS
from bench.verbs.study_flags import SETTINGS

FILE = Path(__file__).parents[1] / "bench" / "verbs" / "study_keywords.pyi"
HEAD = '''"""The keywords of `bench.scale` and `bench.run`: the flags of the commands. Written by `make docs`."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

class StudyKeywords(TypedDict, total=False):
    profile: str | os.PathLike[str]
    resume: bool
'''
NUMBERS, WORDS = "int | Sequence[int] | str", "str | Sequence[str]"
# Where the command's text may also be something else than the setting's own type.
OTHERS = {
    "model": "str | Callable[[], Any]",
    "gpus": NUMBERS,
    "ddp": "str | Mapping[str, Any]",
    "env": f"{WORDS} | Mapping[str, str]",
    "anatomy": "int | bool",
    **dict.fromkeys(("data_dir", "store", "from_"), "str | os.PathLike[str]"),
    **dict.fromkeys(("budget", "timeout"), "str | float"),
}


def kind(annotation: Any) -> str:
    """Of a setting's values, as Python has them."""
    text = str(annotation)
    if "tuple" in text:
        return WORDS if "str" in text.partition("tuple")[2].partition("]")[0] else NUMBERS
    return next(name for name in ("bool", "int", "float", "str") if name in text)


def stub() -> str:
    """The file's text."""
    lines = []
    for keyword, flag in KEYWORDS.items():
        section, _, key = NAMES.get(keyword.removesuffix("_"), ".").partition(".")
        known = OTHERS.get(keyword)
        made = known or kind(get_type_hints(type(getattr(Document(), section)))[key])
        lines += [f"    {keyword}: {made}", f'    """{SETTINGS[flag][1]}"""']
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text(stub(), encoding="utf-8")
