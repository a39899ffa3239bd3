"""A matplotlib SVG made fit for a page: read by screen readers, in the page's own colours, and a third of its size."""

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from reports.figures.svg.marks import DOTS, TIP
from reports.figures.svg.palette import INK, LIGHT

FONT = "DejaVu Sans,Verdana,sans-serif"
FONT_SIZE = 9.5

_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_KEPT = {"fill", "fill-opacity", "opacity", "stroke", "stroke-dasharray", "stroke-opacity", "stroke-width"} | {
    "stroke-linecap",
    "text-anchor",
}
_DEFAULTS = {
    ("fill-opacity", "1"),
    ("opacity", "1"),
    ("stroke", "none"),
    ("stroke-linecap", "butt"),
    ("stroke-opacity", "1"),
    ("stroke-width", "1"),
    ("text-anchor", "start"),
}
_FONT_SIZE = re.compile(r"([\d.]+)px ")
_UNLIKE = {"d", "href", "transform", "x", "y"}  # what neighbours that look alike may differ in


@dataclass(frozen=True, kw_only=True)
class _Source:
    """What has to be known of the whole SVG while its elements are rebuilt."""

    ink: str
    symbols: dict[str, ET.Element]  # by their ids, which hold for this SVG only
    uses: Counter[str]  # of each symbol


def slim(svg: str, *, key: str, title: str, description: str, ink: str) -> str:
    """The SVG with everything in it that helps a reader, and nothing that does not.

    Args:
        svg: as matplotlib wrote it.
        key: begins every id, so that several charts can stand in one page.
        title: for `<title>`.
        description: for `<desc>`.
        ink: colour of text and axes; where it is `INK`, the SVG is for use inside a page: text and axes become
            `currentColor`, series the page's custom properties (`var(--series-1)` and so on).
    """
    parsed = ET.fromstring(svg)  # noqa: S314 - matplotlib's own output
    source = _Source(
        ink=ink,
        symbols={
            each.attrib["id"]: each for defs in parsed.iter(f"{_SVG}defs") for each in defs if "id" in each.attrib
        },
        uses=Counter(each.attrib[_HREF].removeprefix("#") for each in parsed.iter(f"{_SVG}use")),
    )
    body = [each for child in parsed for each in _seen(child, source)]
    definitions = _symbols(body, source, key)
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": " ".join(short(float(each)) for each in parsed.attrib["viewBox"].split()),
            "role": "img",
            "aria-labelledby": f"{key}-title {key}-desc",
            "font-family": FONT,
            "font-size": str(FONT_SIZE),
            "fill": "currentColor" if ink == INK else ink,
        },
    )
    ET.SubElement(root, "title", {"id": f"{key}-title"}).text = title
    ET.SubElement(root, "desc", {"id": f"{key}-desc"}).text = description
    if definitions:
        ET.SubElement(root, "defs").extend(definitions)
    root.extend(_gathered(body))
    return ET.tostring(root, encoding="unicode")


def _seen(element: ET.Element, source: _Source) -> list[ET.Element]:
    """What of an element is seen, as new elements; a group that says nothing gives way to its children."""
    tag = element.tag.removeprefix(_SVG)
    if tag in {"path", "text", "use"}:
        new = _rebuilt(element, source)
        return [] if _is_nothing(new) else [new]
    if tag != "g":
        return []
    identity = element.get("id", "")
    if identity.startswith(DOTS):
        return _dots(list(element.iter(f"{_SVG}use")), identity.removeprefix(DOTS), source.ink)
    children = [each for child in element for each in _seen(child, source)]
    if identity.startswith("matplotlib.axis"):
        children.sort(key=lambda each: each.tag == "text")  # lines first: neighbours that look alike are gathered
    if identity.startswith(TIP) and children:
        group = ET.Element("g")
        ET.SubElement(group, "title").text = identity.removeprefix(TIP)
        group.extend(_gathered(children))
        return [group]
    return children


def _rebuilt(element: ET.Element, source: _Source) -> ET.Element:
    tag = element.tag.removeprefix(_SVG)
    new = ET.Element(tag, _looks(element, source.ink))
    if tag == "path":
        new.set("d", compact(element.get("d", "")))  # empty: a line through no number
        return new
    x, y = (float(element.get(name, "0")) for name in ("x", "y"))
    if tag == "use":
        name = element.attrib[_HREF].removeprefix("#")
        if source.uses[name] == 1:  # it stands where it is used
            new.tag = "path"
            new.set("d", compact(source.symbols[name].attrib["d"], (x, y)))
            return new
        new.set("href", name)
    else:
        new.text = element.text
    new.set("x", short(x))
    new.set("y", short(y))
    return new


def _looks(element: ET.Element, ink: str) -> dict[str, str]:
    """The style as attributes, less what is the default anyway."""
    found: dict[str, str] = {}
    for declaration in element.get("style", "").split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name == "font" and (size := _FONT_SIZE.search(value)) and float(size[1]) != FONT_SIZE:
            found["font-size"] = size[1]
        elif name in _KEPT and (name, value) not in _DEFAULTS:
            found[name] = value.replace(", ", ",").replace("0.", ".") if "opacity" in name or "dash" in name else value
    for name in ("fill", "stroke"):
        if name in found:
            found[name] = _coloured(found[name], ink)
    if found.get("fill") in {"currentColor", ink}:
        del found["fill"]  # the root has it
    turn = element.get("transform", "")
    if turn and "rotate(-0 " not in turn:
        found["transform"] = NUMBER.sub(lambda match: short(float(match[0])), turn)
    return found


def _coloured(value: str, ink: str) -> str:
    if ink != INK:
        return value
    if value == INK:
        return "currentColor"
    return f"var(--series-{LIGHT.series.index(value) + 1},{value})" if value in LIGHT.series else value


def _is_nothing(element: ET.Element) -> bool:
    """The empty backgrounds of figure and axes, and texts without letters."""
    if element.tag == "text":
        return not element.text
    if element.tag == "path" and not element.get("d"):
        return True
    return element.tag == "path" and element.get("fill") == "none" and "stroke" not in element.attrib


def _dots(uses: list[ET.Element], code: str, ink: str) -> list[ET.Element]:
    """Many equal markers as one path: a tenth of the bytes. With a hover text for each, as a path for each."""
    if not uses:
        return []
    diameter, *tips = code.split("|")
    looks = {"stroke-linecap": "round", "stroke-width": diameter}
    found = _looks(uses[0], ink)
    looks["stroke"] = found.get("fill", "currentColor" if ink == INK else ink)
    if "fill-opacity" in found:
        looks["stroke-opacity"] = found["fill-opacity"]
    places = [(float(each.attrib["x"]), float(each.attrib["y"])) for each in uses]
    if len(tips) != len(places):
        return [ET.Element("path", looks | {"d": dots(places)})]
    group = ET.Element("g", looks)
    for place, tip in sorted(zip(places, tips, strict=True)):
        dot = ET.SubElement(group, "path", {"d": dots([place])})
        ET.SubElement(dot, "title").text = tip
    return [group]


def _symbols(body: list[ET.Element], source: _Source, key: str) -> list[ET.Element]:
    """The definitions that are used, under new names that the uses are given too."""
    names: dict[str, str] = {}
    found = []
    for use in (each for root in body for each in root.iter("use")):
        name = use.attrib["href"]
        if name not in names:
            names[name] = f"{key}-m{len(names)}"
            symbol = ET.Element("path", _looks(source.symbols[name], source.ink))
            symbol.set("id", names[name])
            symbol.set("d", compact(source.symbols[name].attrib["d"]))
            found.append(symbol)
        use.set("href", f"#{names[name]}")
    return found


def _gathered(elements: list[ET.Element]) -> list[ET.Element]:
    """Neighbours that look alike as one: paths as one path, others in a group that says once how they look."""
    out = []
    for (tag, _), run in groupby(elements, key=lambda each: (each.tag, _alike(each))):
        alike = list(run)
        if len(alike) == 1 or tag == "g":
            out += alike
        elif tag == "path":
            alike[0].set("d", "".join(each.attrib["d"] for each in alike))
            out.append(alike[0])
        else:
            group = ET.Element("g", dict(_alike(alike[0])))
            for each in alike:
                for name in group.attrib:
                    del each.attrib[name]
            group.extend(alike)
            out.append(group)
    return out


def _alike(element: ET.Element) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(item for item in element.attrib.items() if item[0] not in _UNLIKE))


_COMMAND = re.compile(r"([MLHVCQZ])([^MLHVCQZ]*)")
NUMBER = re.compile(r"-?\d*\.?\d+(?:e-?\d+)?")


def compact(text: str, shift: tuple[float, float] = (0.0, 0.0)) -> str:
    """The same path, moved by `shift`. Of the commands matplotlib writes: M, L, C, Q and Z, with absolute numbers.

    Rounding does not add up: every step starts where the rounded path is, not where the exact one was.

    >>> compact("M 10.04 20 L 12.5 20 L 12.5 18.25 Z")
    'M10 20h2.5v-1.8z'
    """
    out = []
    at = start = (0.0, 0.0)
    before = ""
    for command, arguments in _COMMAND.findall(text):
        if command == "Z":
            out.append("z")
            at, before = start, ""
            continue
        numbers = [float(each) for each in NUMBER.findall(arguments)]
        pairs = [(x + shift[0], y + shift[1]) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
        if command == "M":
            at = start = (_round(pairs[0][0]), _round(pairs[0][1]))
            out.append(f"M{_listed(at)}")
            before = "L"
            continue
        steps = [(_round(x - at[0]), _round(y - at[1])) for x, y in pairs]
        at = (_round(at[0] + steps[-1][0]), _round(at[1] + steps[-1][1]))
        letter, values = _shortest(command, steps)
        steps_as_text = _listed(values)
        is_joined = letter == before and steps_as_text.startswith("-")  # the sign separates
        out.append(steps_as_text if is_joined else f"{' ' if letter == before else letter}{steps_as_text}")
        before = letter
    return "".join(out)


def dots(places: Iterable[tuple[float, float]]) -> str:
    """Points as a path of lines without length, which round line caps make visible; one for all at the same place."""
    return "".join(dict.fromkeys(f"M{_listed(place)}h0" for place in places))


def short(value: float) -> str:
    """A number with at most one decimal and no zero that says nothing."""
    text = f"{_round(value):.1f}".removesuffix(".0")
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def _shortest(command: str, steps: list[tuple[float, float]]) -> tuple[str, list[float]]:
    if command == "L" and not steps[0][1]:
        return "h", [steps[0][0]]
    if command == "L" and not steps[0][0]:
        return "v", [steps[0][1]]
    return command.lower(), [value for step in steps for value in step]


def _listed(values: Iterable[float]) -> str:
    texts = list(map(short, values))
    return texts[0] + "".join(text if text.startswith("-") else f" {text}" for text in texts[1:])


def _round(value: float) -> float:
    return round(value, 1) + 0.0
