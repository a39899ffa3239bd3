"""Pictures to arrays, with Pillow: it starts in a tenth of a second, torchvision's decoder in five."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from bench.account import PicturesSeen
from bench.printable import first_line

_MODES = {1: "L", 3: "RGB"}
CHANNELS = tuple(_MODES)  # what a picture can be decoded to
_ORIENTATION = 0x0112  # EXIF; 1: as it is stored
_WIDE = 65535


class PixelsError(ValueError):
    """A picture that is whole, and whose pixels are of a kind that is not taken."""


@dataclass(frozen=True, kw_only=True)
class PictureFacts:
    """What one picture was before it was brought to the shape."""

    size: tuple[int, int]  # width, height
    mode: str  # Pillow's
    turned: bool = False
    transparent: bool = False
    animated: bool = False
    wide: bool = False


def decode(
    blob: bytes, shape: tuple[int, int, int], *, only: tuple[int, int] | None = None
) -> tuple[NDArray[np.uint8], PictureFacts]:
    """One picture as [channels, height, width]; one of another size is scaled to cover it and cropped at the centre.

    Args:
        blob: the file's bytes.
        shape: channels, height and width to bring it to.
        only: the width and height that it must have; None: any.

    Raises:
        PixelsError: it is whole, but of another size, or its pixels cannot be told as 8 bits.
        ValueError: it is not a picture, or it is torn.
    """
    channels, height, width = shape
    if not blob:
        raise ValueError("it is empty")
    try:
        with Image.open(BytesIO(blob)) as opened:
            look = _look(opened)
            _refuse_other_size(opened.size, only)
            opened.draft(None, (width, height))  # lets a large JPEG be decoded at half size or less
            picture = _converted(opened, _MODES[channels])
    except PixelsError:
        raise
    except Exception as error:  # a broken picture makes Pillow raise nearly anything
        said = first_line(error)  # Pillow names the stream it read from, whose address means nothing to anybody
        known = "cannot identify image file" not in said
        raise ValueError(said if known else "it is no picture that Pillow knows") from error
    if picture.size != (width, height):
        picture = ImageOps.fit(picture, (width, height), method=Image.Resampling.BILINEAR)
    return np.asarray(picture).reshape(height, width, channels).transpose(2, 0, 1), look


def _refuse_other_size(size: tuple[int, int], only: tuple[int, int] | None) -> None:
    if only is not None and size != only:
        raise PixelsError(f"it is {_pixels(size)} pixels, not {_pixels(only)}")


def _look(opened: Image.Image) -> PictureFacts:
    return PictureFacts(
        size=opened.size,
        mode=opened.mode,
        turned=opened.format != "TIFF" and _orientation(opened) not in {0, 1},  # Pillow itself turns a TIFF
        transparent=opened.mode in {"LA", "PA", "La", "RGBA", "RGBa"} or "transparency" in opened.info,
        animated=bool(getattr(opened, "is_animated", False)),
        wide=_is_wide(opened),
    )


def _orientation(opened: Image.Image) -> int:
    try:
        return int(opened.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - a torn EXIF block, which no pixel depends on, raises nearly anything
        return 1


def _is_wide(opened: Image.Image) -> bool:
    return opened.mode.startswith("I;16") or (opened.mode == "I" and opened.format in {"PNG", "PPM"})


def _converted(opened: Image.Image, mode: str) -> Image.Image:
    """As Pillow converts it, where that is right: it clips 16 bits to 8, which makes nearly everything white."""
    if _is_wide(opened):
        values = np.asarray(opened).astype(np.int64)
        if values.size and not 0 <= values.min() <= values.max() <= _WIDE:
            raise PixelsError("its 16-bit pixels leave 0 to 65535")
        return Image.fromarray((values >> 8).astype(np.uint8)).convert(mode)
    if opened.mode in {"I", "F"}:
        kind = "whole numbers of 32 bits" if opened.mode == "I" else "fractions"
        raise PixelsError(f"its pixels are {kind}, and nothing says which of them is white; save it with 8 or 16 bits")
    if opened.mode in {"P", "PA"} and "transparency" in opened.info:
        opened.load()
        return opened.convert("RGBA").convert("RGB").convert(mode)  # the same colours, without Pillow's warning
    opened.load()  # a torn file is distinguished from colours that cannot be converted
    try:
        return opened.convert(mode)
    except ValueError as error:
        raise PixelsError(f"its colours are {opened.mode}, which Pillow cannot bring to {mode}") from error


def summary(looks: Sequence[PictureFacts]) -> PicturesSeen:
    """What many pictures are like together."""
    if not looks:
        return PicturesSeen()
    sizes = Counter(each.size for each in looks)
    by_area = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    return PicturesSeen(
        sizes={
            "smallest": _pixels(by_area[0]),
            "usual": _pixels(sizes.most_common(1)[0][0]),
            "largest": _pixels(by_area[-1]),
        },
        modes=dict(sorted(Counter(each.mode for each in looks).items())),
        turned=sum(each.turned for each in looks),
        transparent=sum(each.transparent for each in looks),
        animated=sum(each.animated for each in looks),
        wide=sum(each.wide for each in looks),
    )


def threads() -> int:
    """Decoding threads that help: the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
