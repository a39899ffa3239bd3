"""The layers of a launch as lines of text: what each costs, how it learns, and which are ill."""

from bench.analysis.digits import significant
from bench.analysis.learning.anatomy import Anatomy, LayerSummary
from reports.text.columns import Column, laid_out

_HEADERS = ("layer", "kind", "params", "MAC", "share", "grad mean", "grad max", "update/weight", "")
_WORDS = {"layer", "kind", ""}


def lines(anatomy: Anatomy) -> list[str]:
    """A row a layer, then the totals."""
    columns = [
        Column(key=header, header=header, cells=tuple(cells), align="left" if header in _WORDS else "right")
        for header, *cells in zip(_HEADERS, *map(_cells, anatomy.layers), strict=True)
    ]
    totals = (
        f"{_count(anatomy.macs)} MAC and {_count(anatomy.flop)} FLOP a sample and forward pass, "
        f"{_count(anatomy.params)} parameters"
    )
    whole = f"gradient of all layers: {_number(anatomy.gradient_mean)} on average, {_number(anatomy.gradient_largest)} "
    return [
        *("  ".join(cells).rstrip() for cells in zip(*map(laid_out, columns), strict=True)),
        "",
        totals,
        f"{whole}at most, over {anatomy.looks} step{'s' * (anatomy.looks != 1)}",
    ]


def _cells(layer: LayerSummary) -> tuple[str, ...]:
    return (
        layer.layer,
        layer.kind,
        _count(layer.params),
        _count(layer.macs),
        f"{layer.share:.1%}",
        _number(layer.gradient_mean),
        _number(layer.gradient_largest),
        _number(layer.update_mean),
        "; ".join(layer.findings),
    )


def _count(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _number(value: float | None) -> str:
    return "-" if value is None else significant(value, 3)
