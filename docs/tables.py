"""Writes what two pages say of the store from its own schema; with `--check`, only says whether they are old."""

import sys
from pathlib import Path

from bench.store import schema

STORE, GLOSSARY = Path(__file__).with_name("store.md"), Path(__file__).with_name("glossary.md")


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


def columns() -> str:
    """Every column of every table, once for each meaning, by name."""
    meanings: dict[tuple[str, str], list[str]] = {}
    for table in schema.TABLES:
        for column in schema.arrow_schema(table):
            meanings.setdefault((column.name, column.metadata[b"doc"].decode().replace("|", "\\|")), []).append(table)
    tables = [f"| `{name}` | a table: {(row.__doc__ or '').splitlines()[0]} | |" for name, row in schema.TABLES.items()]
    lines = [f"| `{name}` | {meaning} | {', '.join(of)} |" for (name, meaning), of in sorted(meanings.items())]
    return "\n".join(["| name | is | of |", "| --- | --- | --- |", *tables, *lines])


def renewed(page: str, mark: str, written: str) -> str:
    """The page with this between its two marks."""
    before, rest = page.split(f"<!-- {mark}: written by docs/tables.py -->")
    after = rest.split(f"<!-- /{mark} -->")[1]
    return f"{before}<!-- {mark}: written by docs/tables.py -->\n\n{written}\n\n<!-- /{mark} -->{after}"


def main() -> int:
    """Exit 1 when asked to check and a page is stale."""
    stale = []
    for page, mark, written in (
        (STORE, "tables", "\n\n".join(map(described, schema.TABLES))),
        (GLOSSARY, "columns", columns()),
    ):
        text = page.read_text()
        if renewed(text, mark, written) != text:
            stale.append(f"docs/{page.name} is stale: run  make docs")
            if "--check" not in sys.argv:
                page.write_text(renewed(text, mark, written))
    if "--check" in sys.argv:
        print(*stale, sep="\n", file=sys.stderr)
        return int(bool(stale))
    return 0


if __name__ == "__main__":
    sys.exit(main())
