"""Pixels are those that Pillow and torchvision give, or the picture is refused."""

import contextlib
import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torchvision.transforms.v2 import functional

from bench.account import PicturesSeen
from bench.learn.sources.pictures import PixelsError, decode, summary
from tests.bench.learn.sources.trees import png

COLOUR, GREY = (3, 5, 6), (1, 5, 6)
RNG = np.random.default_rng(5)


def encoded(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def as_pillow(blob, mode):
    pixels = np.asarray(Image.open(io.BytesIO(blob)).convert(mode))
    return pixels.reshape(5, 6, -1).transpose(2, 0, 1)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
@pytest.mark.parametrize(("shape", "wanted"), [(COLOUR, "RGB"), (GREY, "L")])
def test_every_mode_is_converted_as_pillow_does(mode, shape, wanted):
    kind = "TIFF" if mode in {"CMYK", "YCbCr"} else "PNG"
    blob = png(1, mode=mode, kind=kind)
    pixels, look = decode(blob, shape)
    assert np.array_equal(pixels, as_pillow(blob, wanted))
    assert look.mode == Image.open(io.BytesIO(blob)).mode


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_of_the_right_size_is_what_pillow_decodes(mode):
    blob = png(2, mode=mode, kind="JPEG")
    for shape, wanted in ((COLOUR, "RGB"), (GREY, "L")):
        assert np.array_equal(decode(blob, shape)[0], as_pillow(blob, wanted))


def test_transparency_is_dropped_and_counted_as_torchvision_drops_it():
    pixels = RNG.integers(0, 256, (5, 6, 4), dtype=np.uint8)
    pixels[..., 3] = 0
    found, look = decode(encoded(Image.fromarray(pixels, "RGBA")), COLOUR)
    assert np.array_equal(found, pixels[..., :3].transpose(2, 0, 1))
    assert look.transparent
    palette = Image.fromarray(pixels[..., :3]).quantize(8)
    for transparency in (0, bytes([0, 255, 9])):
        blob = encoded(palette, transparency=transparency)
        found, look = decode(blob, COLOUR)
        assert np.array_equal(found, np.asarray(palette.convert("RGB")).transpose(2, 0, 1))
        assert look.transparent


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
@pytest.mark.parametrize("shape", [COLOUR, GREY])
def test_16_bits_are_scaled_as_torchvision_scales_them(kind, shape):
    wide = RNG.integers(0, 65536, (5, 6), dtype=np.uint16)
    pixels, look = decode(encoded(Image.fromarray(wide), kind), shape)
    theirs = functional.to_dtype(torch.from_numpy(wide)[None], torch.uint8, scale=True)
    assert np.array_equal(pixels, theirs.expand(shape[0], 5, 6).numpy())
    assert look.wide
    assert 0 < pixels.mean() < 255


@pytest.mark.parametrize(("array", "found"), [(np.int32, "whole numbers of 32 bits"), (np.float32, "fractions")])
def test_pixels_of_which_nobody_knows_the_white_are_refused(array, found):
    blob = encoded(Image.fromarray(RNG.integers(0, 9, (5, 6)).astype(array)), "TIFF")
    with pytest.raises(ValueError, match=found):
        decode(blob, GREY)


def test_an_exif_orientation_is_counted_and_not_followed():
    exif = Image.Exif()
    exif[0x0112] = 6
    blob = encoded(Image.open(io.BytesIO(png(3))), "JPEG", exif=exif, quality=95)
    pixels, look = decode(blob, COLOUR)
    assert np.array_equal(pixels, as_pillow(blob, "RGB"))
    assert (look.turned, look.size) == (True, (6, 5))
    assert not decode(png(3), COLOUR)[1].turned


def test_a_tiff_that_pillow_turns_itself_is_not_counted_as_taken_the_way_it_is_stored():
    exif = Image.Exif()
    exif[0x0112] = 3
    blob = encoded(Image.open(io.BytesIO(png(3))), "TIFF", exif=exif)
    pixels, look = decode(blob, COLOUR)
    assert np.array_equal(pixels, as_pillow(png(3), "RGB")[:, ::-1, ::-1])
    assert not look.turned


@pytest.mark.parametrize("image", [Image.new("F", (6, 5)), Image.new("I", (6, 5)), Image.new("LAB", (6, 5))])
def test_a_whole_picture_of_a_kind_that_is_not_taken_is_not_called_torn(image):
    blob = encoded(image, "TIFF")
    with pytest.raises(PixelsError):
        decode(blob, GREY)
    with pytest.raises(ValueError, match="") as caught:
        decode(blob[:20], GREY)
    assert not isinstance(caught.value, PixelsError)


def test_of_several_frames_the_first_is_taken_and_counted():
    frames = [Image.open(io.BytesIO(png(shade, mode="L"))) for shade in (4, 5)]
    for kind in ("GIF", "TIFF", "PNG"):
        blob = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        pixels, look = decode(blob, GREY)
        assert np.array_equal(pixels, as_pillow(png(4, mode="L"), "L"))
        assert look.animated


def test_another_size_is_covered_and_cropped_at_the_centre_as_pillow_fits_it():
    blob = png(6, size=(13, 8))
    fitted = ImageOps.fit(Image.open(io.BytesIO(blob)), (6, 5), method=Image.Resampling.BILINEAR)
    assert np.array_equal(decode(blob, COLOUR)[0], np.asarray(fitted).transpose(2, 0, 1))
    with pytest.raises(ValueError, match="it is 13x8 pixels, not 6x5"):
        decode(blob, COLOUR, only=(6, 5))


@pytest.mark.parametrize(
    ("blob", "found"),
    [(b"", "it is empty"), (b"<html>", "no picture that Pillow knows"), (png(7)[:60], None), (png(8)[:-30], None)],
)
def test_what_is_no_whole_picture_is_refused(blob, found):
    with pytest.raises(ValueError, match=found):
        decode(blob, COLOUR)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP", "PPM"])
def test_whatever_is_broken_in_a_picture_it_is_a_picture_or_an_error_with_a_reason(kind):
    whole = bytearray(png(9, size=(20, 20), kind=kind))
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        broken = whole.copy()
        broken[place] ^= 0xFF
        with contextlib.suppress(ValueError):
            assert decode(bytes(broken), COLOUR)[0].shape == COLOUR


def test_many_pictures_are_told_by_their_sizes_and_modes():
    blobs = [png(1), png(2), png(3, size=(60, 40), mode="L"), png(4, size=(2, 2), mode="RGBA")]
    text = summary([decode(blob, COLOUR)[1] for blob in blobs])
    assert text == PicturesSeen(
        sizes={"smallest": "2x2", "usual": "6x5", "largest": "60x40"},
        modes={"L": 1, "RGB": 2, "RGBA": 1},
        transparent=1,
    )
