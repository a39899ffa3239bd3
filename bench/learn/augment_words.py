"""What an augmentation may be called: `crop`, or with a number as in `jitter:0.2`. No torch, so it is checked early."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.learn import WorkloadError
from bench.learn.catalogue import suggest

CROP, FLIP, AFFINE, JITTER, HUE, CUTOUT = "crop", "flip", "affine", "jitter", "hue", "cutout"
AUGMENTATIONS = (CROP, FLIP, AFFINE, JITTER, HUE, CUTOUT)  # in the order in which they are applied

# Word -> the number it has when none is said, and the most it may be; words that are not here take none.
_STRENGTHS = {AFFINE: (0.1, 0.5), JITTER: (0.2, 1.0), HUE: (0.1, 0.5), CUTOUT: (8.0, float("inf"))}


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """One augmentation, and how strong it is."""

    name: str  # one of AUGMENTATIONS
    strength: float = 0.0  # 0 for those that take no number


def parse(words: Sequence[str]) -> tuple[Augmentation, ...]:
    """The augmentations that words ask for, in the order in which they are applied, whatever that of the words.

    Raises:
        WorkloadError: an unknown word, one said twice, or a number that it cannot take.
    """
    found = [_parsed(word) for word in words]
    names = [each.name for each in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise WorkloadError(f"The augmentation {twice!r} is there twice.", "Keep one.")
    return tuple(sorted(found, key=lambda each: AUGMENTATIONS.index(each.name)))


def _parsed(word: str) -> Augmentation:
    name, colon, number = word.partition(":")
    if name not in AUGMENTATIONS:
        near = suggest(name, AUGMENTATIONS) or AUGMENTATIONS
        raise WorkloadError(f"There is no augmentation {name!r}.", f"There are: {', '.join(near)}.")
    if name not in _STRENGTHS:
        if colon:
            raise WorkloadError(f"The augmentation {name!r} takes no number.", f"Say {name}.")
        return Augmentation(name=name)
    usual, most = _STRENGTHS[name]
    if not colon:
        return Augmentation(name=name, strength=usual)
    try:
        strength = float(number)
    except ValueError:
        strength = -1.0
    if name == CUTOUT and not (strength.is_integer() and strength >= 1):
        raise WorkloadError(f"{word!r} says no side of a square.", "It is whole pixels, as in cutout:8.")
    if not 0 < strength <= most:
        raise WorkloadError(
            f"{word!r} says no strength.", f"It is above 0 and at most {most:g}, as in {name}:{usual:g}."
        )
    return Augmentation(name=name, strength=strength)
