"""A text file that names the class of each picture, as Tiny-ImageNet has one for validation."""

import csv
from pathlib import Path

from bench.learn import WorkloadError
from bench.printable import first_line


def read(file: Path) -> dict[str, str]:
    """Picture's name -> its class: the first two columns of lines with tabs.

    Raises:
        WorkloadError: the file cannot be read, or is no UTF-8.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            return {row[0]: row[1] for row in csv.reader(lines, delimiter="\t") if len(row) > 1}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise WorkloadError(f"{file} cannot be read: {first_line(error)}.", "Save it as UTF-8, with tabs.") from error
