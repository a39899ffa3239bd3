"""What mkdocs is told beside mkdocs.yml: the pages that lie outside docs/, and the reference of what is public."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

import bench

REPOSITORY = Path(__file__).parents[1]

# A file of the checkout -> its page of the site.
BESIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "LICENSE": "LICENSE",
}

REFERENCE = """# Python reference

{summary} From Python `bench` is what the command line is: what one of these does, a verb does with the same words.

{entries}
"""


def on_files(files: Any, config: Any) -> Any:
    """Put the pages that mkdocs would not find beside those that it did."""
    for name, page in BESIDE.items():
        text = (REPOSITORY / name).read_text().replace("](docs/", "](")
        files.append(File.generated(config, page, content=re.sub(r"\]\(README\.md", "](index.md", text)))
    files.append(File.generated(config, "reference.md", content=reference()))
    return files


def reference() -> str:
    """One entry for each public name, in the order of `bench.__all__`; the docstrings say the rest."""
    names = [name for name in bench.__all__ if not name.startswith("__")]
    return REFERENCE.format(summary=bench.__doc__, entries="\n".join(f"::: bench.{name}\n" for name in names))
