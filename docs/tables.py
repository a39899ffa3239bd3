"""Writes the tables of docs/store.md from the store's own schema; with `--check`, only says whether they are old."""

import sys
from pathlib import Path

from bench.store import schema

PAGE = Path(__file__).with_name("store.md")
BEGIN, END = "<!-- tables: written by docs/tables.py -->", "<!-- /tables -->"


def described(table: str) -> str:
    """One table as Markdown: what a row is, then a line for each column."""
    lines = [
        f"### `{table}`",
        "",
        schema.TABLES[table].__doc__ or "",
        "",
        "| column | type | meaning |",
        "| --- | --- | --- |",
    ]
    for column in schema.arrow_schema(table):
        items = getattr(column.type, "value_type", None)
        kind = f"list of {items}" if items else f"{column.type}{', or null' * column.nullable}"
        meaning = column.metadata[b"doc"].decode().replace("|", "\\|")
        lines.append(f"| `{column.name}` | {kind} | {meaning} |")
    return "\n".join(lines)


def renewed(page: str) -> str:
    """The page with the tables of today's schema between its two marks."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n" + "\n\n".join(map(described, schema.TABLES)) + f"\n\n{END}{after}"


def main() -> int:
    """Exit 1 when asked to check and the page is stale."""
    page = PAGE.read_text()
    fresh = renewed(page)
    if "--check" in sys.argv:
        if fresh != page:
            print("docs/store.md is stale: run  make docs", file=sys.stderr)
        return int(fresh != page)
    PAGE.write_text(fresh)
    return 0


if __name__ == "__main__":
    sys.exit(main())
