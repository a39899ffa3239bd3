"""A page as PDF, printed by a browser that is there: nothing else lays a page out as its reader's browser does.

Considered and left: WeasyPrint needs Pango from the system and knows neither grid nor subgrid as browsers do, typst and
ReportLab would need the page written a second time. Playwright brings a browser of its own, of 150 MB.
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from bench.errors import CannotError

_BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "msedge"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
_TIMEOUT_S = 180
_DATE = re.compile(rb"(/(?:CreationDate|ModDate) \(D:)\d{14}")


def browser() -> str:
    """The browser that prints.

    Raises:
        CannotError: there is none.
    """
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise CannotError(
            "a PDF of the page is printed by Chromium, Chrome or Edge, and none is on the PATH; nothing was written",
            hint="install one, as in apt-get install chromium\nor print the page yourself: --format html prints well",
        )
    return found


def pdf(page: str, created_at: str) -> bytes:
    """The page as PDF, with the study's own date in it, so that the same page by the same browser is the same file.

    Args:
        page: HTML that needs nothing else.
        created_at: UTC, ISO 8601.

    Raises:
        CannotError: no browser, or it did not print.
    """
    program = browser()
    # Chromium refuses to start with its sandbox as root. The page is our own and asks for nothing.
    as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="bench-print-") as scratch:
        folder = Path(scratch)
        (folder / "page.html").write_text(page, encoding="utf-8")
        command = [
            *(program, "--headless=new", "--disable-gpu", "--disable-extensions", "--no-first-run", *as_root),
            *("--no-pdf-header-footer", "--disable-background-networking", f"--user-data-dir={folder / 'profile'}"),
            *(f"--print-to-pdf={folder / 'page.pdf'}", (folder / "page.html").as_uri()),
        ]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
            data = (folder / "page.pdf").read_bytes()
        except (OSError, subprocess.TimeoutExpired) as error:
            last = "" if isinstance(error, subprocess.TimeoutExpired) else _last(ended.stderr)
            raise CannotError(
                f"{Path(program).name} did not print the page: {last or type(error).__name__}; nothing was written",
                hint="print the page yourself: --format html prints well",
            ) from error
    return dated(data, created_at)


def dated(data: bytes, created_at: str) -> bytes:
    """A PDF with the study's date in place of today's, of equal length: a PDF counts its bytes."""
    digits = re.sub(r"\D", "", created_at)[:14].ljust(14, "0").encode()
    return _DATE.sub(rb"\g<1>" + digits, data)


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""
