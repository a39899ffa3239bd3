"""The field's own words: names and phrases that a newcomer would misread stay out of code, comments and documents."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
ROOMS = ("bench", "launchers", "profiles", "reports", "scaling_bench", "benchmarks", "docs", "tests")
SOURCES = sorted(file for room in ROOMS for file in (REPOSITORY / room).rglob("*.py"))
# The gallery and the results are what bench wrote on some day; the licence is not ours to word.
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")])

# Names that are keys of a document, which stay as they are.
KEYS = {("bench/verbs/ls.py", "elsewhere")}

# A word in a name -> what to say instead: what the thing is.
NAMES = {
    "alone": "no_sync, single, …",
    "another": "other, or what it is for",
    "dice": "rng",
    "elsewhere": "submission, remote, rest, …",
    "moving": "copying",
    "reception": "agent_listener",
    "sentry": "node_watch",
    "sides": "operands, studies, refs, …",
    "told": "job, report, payload, facts, …",
    "witness": "digest",
}

# A phrase in comments, docstrings and pages -> what to say instead. What bench prints may keep its words.
PHRASES = {
    r"(held|holds?|holding)( \w+){0,3} against": "compared with",
    r"(gone|going) on with": "resumed",
    r"(told|tells?|telling)( \w+)? apart": "distinguished",
    r"a (row|file|line) a (launch|table|rank|study|step)": "one row per launch",
    r"speaks? against": "casts doubt on",
}

# To parse only what may have one.
SOME = re.compile("|".join(NAMES), re.IGNORECASE)


def spoken(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of everything that a source gives a name to."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
                yield node.lineno, name
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                yield node.lineno, name
            case ast.alias(asname=str(name)):
                yield node.lineno, name


def banned(name: str) -> bool:
    """Whether one of the words of a name is banned, in whichever case."""
    return any(word.lower() in NAMES for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+", name))


def prose(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of every docstring and every run of comments, each on one line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
            yield node.body[0].lineno, " ".join(text.split())
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    for line, text in comments.items():
        yield line, f"{text} {comments.get(line + 1, '')}"  # a phrase may go over two lines


def phrases(text: str) -> list[str]:
    return [found[0] for phrase in PHRASES for found in re.finditer(rf"\b{phrase}\b", text, re.IGNORECASE)]


def place(file: Path, line: int | str = "") -> str:
    return f"{file.relative_to(REPOSITORY).as_posix()}:{line}"


def test_a_banned_word_is_found_wherever_a_name_is_given():
    source = """
def told(sides, *, a=1):
    self.dice, (_alone, b) = 1, 2
    import x as another_one
    with open() as SENTRY: ...
    match a:
        case {"told": witness}: ...
class MovingParts: ...
"""
    given = {name for _, name in spoken(ast.parse(source))}
    found = {name for name in given if banned(name)}
    assert found == {"told", "sides", "dice", "_alone", "another_one", "SENTRY", "witness", "MovingParts"}
    assert {"a", "b"} <= given
    assert not banned("untold_stories")


def test_a_banned_phrase_is_found_across_lines_and_not_in_what_is_printed():
    source = '"""B held\nagainst A."""\nprint("held against it")  # one that cannot be told\n# apart\n'
    assert [(line, phrases(text)) for line, text in prose(source) if phrases(text)] == [
        (1, ["held against"]),
        (3, ["told apart"]),
    ]


def test_no_name_is_a_word_that_a_newcomer_misreads():
    found = [
        f"{place(file, line)} {name}"
        for file in SOURCES
        if SOME.search(f"{file.stem} {file.read_text()}")
        for line, name in [(1, file.stem), *spoken(ast.parse(file.read_text()))]
        if banned(name) and not name.startswith("test_")  # a test's name is a sentence
        if (file.relative_to(REPOSITORY).as_posix(), name) not in KEYS
    ]
    assert not found, f"say what it is ({NAMES}):\n" + "\n".join(found)


def test_no_comment_or_page_has_a_phrase_that_a_newcomer_misreads():
    joined = {file: " ".join(re.split(r"[\s#]+", file.read_text())) for file in SOURCES}
    code = [
        (file, line, text)
        for file, source in joined.items()
        if phrases(source)  # somewhere, if only in what is printed
        for line, text in prose(file.read_text())
    ]
    pages = [(file, "", " ".join(file.read_text().split())) for file in PAGES]
    found = [f"{place(file, line)} {each}" for file, line, text in [*code, *pages] for each in phrases(text)]
    assert not found, f"say it in the field's words ({PHRASES}):\n" + "\n".join(found)
