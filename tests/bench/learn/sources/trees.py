"""Trees of small pictures, as people have them."""

import io

import numpy as np
from PIL import Image

CLASSES = ("ants", "bees", "wasps")


def png(shade=0, size=(6, 5), mode="RGB", **options):
    """An encoded picture, another one for each shade."""
    rng = np.random.default_rng(shade)
    image = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).convert(mode)
    stream = io.BytesIO()
    image.save(stream, options.pop("kind", "PNG"), **options)
    return stream.getvalue()


def put(file, shade=None, **options):
    """A picture in a file, the folders around it made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(png(abs(hash(str(file))) % 2**32 if shade is None else shade, **options))
    return file


def tree(root, *parts, per_class=2, classes=CLASSES, inside="", suffix=".png"):
    """`root/part/class/inside/N.png` for every part and class."""
    for part in parts:
        for name in classes:
            for number in range(per_class):
                put(root / part / name / inside / f"{number}{suffix}")
    return root
