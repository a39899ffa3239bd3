"""Why a model cannot be trained on these pictures, and what helps: one hint for each cause, and only what is shown."""

import os
import re
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from bench.learn import TrainingError, WorkloadError
from bench.printable import first_line

Shape = tuple[int, int, int]

_SIZES = (224, 299, 256, 128, 64, 48, 32, 28, 16, 8)  # of pictures, that are tried where the size seems to be at fault
_LONG = 300  # characters of an error's first line, of which then its first sentence is told
_BATCHES = (1, 4, 8, 16, 32, 64, 128)
_NOT_THEIRS = ("site-packages", "dist-packages", "<frozen", "<string>", f"{sysconfig.get_path('stdlib')}{os.sep}")
_CHECKOUT = Path(__file__).resolve().parents[3]
_OURS = tuple(f"{_CHECKOUT / package}{os.sep}" for package in ("bench", "launchers"))  # that run in a rank
_TORCH = f"{Path(torch.__file__).parent}{os.sep}"


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What was tried when it failed."""

    model: nn.Module
    shape: Shape
    classes: int
    takes: Callable[[Shape, int], bool]  # whether a copy of the model takes so many pictures of a shape
    shape_is_free: bool = True  # the data can have another one: --input-shape


def in_words(error: BaseException) -> str:
    """`net.py:12 raised ValueError: no`: the deepest of the user's own lines, and the first line of the text."""
    first = first_line(error, "").rstrip(".")
    if len(first) > _LONG:  # torch explains at length what DDP does not take, and names settings that are not ours
        first = first.partition(". ")[0]
    what = f"{type(error).__name__}: {first}" if first else type(error).__name__
    return f"{line} raised {what}" if (line := own_line(error)) else what


@contextmanager
def in_users_words(model: nn.Module) -> Iterator[None]:
    """An error of a model's training, with the user's own line and what helps; where memory ran out, as it is.

    Raises:
        TrainingError: instead of any other that torch raised, or that the model did when torch called it.
    """
    try:
        yield
    except (WorkloadError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if "out of memory" in str(error) or not _came_through_torch(error):  # MPS has no error of its own for it
            raise
        raise TrainingError(of_training(error, model)) from error


def _came_through_torch(error: Exception) -> bool:
    """Whether what we called last was torch's: a full disk or a fault of ours is not a model's."""
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    ours = max((place for place, file in enumerate(files) if file.startswith(_OURS)), default=len(files))
    return any(file.startswith(_TORCH) for file in files[ours + 1 : ours + 2])


def of_training(error: Exception, model: nn.Module) -> str:
    """An error of a training that had begun, with the parameters it is about and what helps, in one line."""
    if not (found := hint_by_text(error, model)):
        return in_words(error)
    trained = [name for name, each in model.named_parameters() if each.requires_grad]
    indices = re.search(r"did not receive grad for rank \d+: ([\d ]+)", str(error))
    if not indices or not (names := [trained[int(each)] for each in indices[1].split() if int(each) < len(trained)]):
        return f"{in_words(error)}: {found[0].lower()}{found[1:]}"
    some = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return f"the loss does not reach {some}, and DDP waits for their gradients: {found[0].lower()}{found[1:]}"


def own_line(error: BaseException) -> str | None:
    """File and number of the deepest line that is neither a library's nor ours."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not any(each in frame.filename for each in (*_NOT_THEIRS, *_OURS))]
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else None


def hint(error: Exception, situation: Situation) -> str:
    """What to do, of a forward or backward pass that failed; a setting is named only where it is shown to help."""
    text = str(error)
    for found in (hint_by_text(error, situation.model), *_by_trying(text, situation)):
        if found:
            return found
    size = ", ".join(map(str, situation.shape))
    return f"It is called with one float32 tensor [batch, {size}]: try model(torch.rand(2, {size}))."


def hint_by_text(error: BaseException, model: nn.Module | None = None) -> str | None:
    """What to do, where the error says it by itself."""
    text = str(error)
    for words, advice in _ADVICE:
        if re.search(words, text):
            return advice
    if model is not None and re.search(r"dtype|scalar type|type .*should be the same", text):
        return _about_numbers(model)
    if isinstance(error, NotImplementedError) and "forward" in text:
        return "Give it a method forward(self, pictures) that returns [batch, classes]."
    if isinstance(error, TypeError) and "forward()" in text:
        return "Its forward gets one thing, pictures [batch, C, H, W]: give the rest defaults, or wrap it in a module."
    return None


_ADVICE = (
    (
        r"(?s)(checking arguments for embedding|argument #1 'indices')",
        "It wants token ids; bench trains image classifiers, whose pictures are floats: make ids of them in forward.",
    ),
    (
        r"process group has not been initialized|init_process_group",
        "One process has no ranks: ask only if torch.distributed.is_initialized(), or bench run --strategy ddp.",
    ),
    (
        r"not compiled with CUDA|NVIDIA driver|No CUDA GPUs|same device|device type|Cannot access accelerator",
        "Leave the device to bench (--device): no .cuda() in the model, and new tensors on the device of its pictures.",
    ),
    (
        r"Expected more than 1 value per channel",
        "Batch statistics need more than one value: --batch 2 or more on every rank.",
    ),
    (
        r"Expected to have finished reduction|not used in producing loss|did not receive grad",
        "Leave out what the loss does not reach, or let DDP look for it: --ddp find_unused_parameters=true",
    ),
    (
        r"marked (as )?ready (only once|twice)|Expected to mark a variable ready only once",
        "A parameter is used twice in one backward pass: --ddp static_graph=true, or checkpoint(use_reentrant=False).",
    ),
    (
        r"modified by an inplace operation",
        "Buffers that change in forward: --ddp broadcast_buffers=false. Else write the in-place operation anew.",
    ),
    (
        r"does not require grad and does not have a grad_fn",
        "Its output has no gradient: no no_grad(), detach() or numpy() in forward, and weights that require gradients.",
    ),
    (r"[Ss]parse", "Build its embeddings with sparse=False."),
)


def _about_numbers(model: nn.Module) -> str:
    kinds = sorted({str(each.dtype).removeprefix("torch.") for each in model.parameters()} - {"float32"})
    if any(kind.startswith("complex") for kind in kinds):
        return f"It has weights of {', '.join(kinds)}, and pictures are float32: convert them in forward."
    if kinds:
        return f"It has weights of {', '.join(kinds)}, and pictures are float32: leave the numbers to --precision."
    return "Its pictures are float32: convert what forward makes of them to the weights' own type."


def _by_trying(text: str, situation: Situation) -> Iterator[str | None]:
    """What a copy of the model takes instead."""
    if batch := next((each for each in _BATCHES if situation.takes(situation.shape, each)), None):
        yield f"It takes {batch} pictures at once and no other number: write x.flatten(1) for x.view({batch}, -1)."
    channels, *plane = situation.shape
    if len(plane) == 2 and situation.takes((plane[0], plane[1], channels), 2):
        yield "It takes pictures whose channels come last: begin its forward with x = x.permute(0, 2, 3, 1)."
    for shape in _shapes(text, situation.shape):
        if situation.takes(shape, 2):
            flag_value = ",".join(map(str, shape))
            if situation.shape_is_free:
                yield f"Set --input-shape {flag_value}, which it takes."
            elif shape[0] != situation.shape[0]:
                yield f"It takes {shape[0]} channels, and the data has {situation.shape[0]}: convert them in forward."
            yield f"It takes {flag_value.replace(',', 'x')}: resize in forward, or build it for the data's pictures."
    if re.search(r"shape '\[.*\]' is invalid|cannot be multiplied|size mismatch", text):
        yield "A number written into the model does not fit: write x.flatten(1), or nn.LazyLinear(classes)."


def _shapes(text: str, shape: Shape) -> Iterator[Shape]:
    """Pictures that the model may be made for: as its error says, then the usual sizes."""
    channels = shape[0]
    if wanted := re.search(r"to have (\d+) channels", text):
        channels = int(wanted[1])
        yield channels, *shape[1:]
    if features := re.search(r"\(\d+x\d+ and (\d+)x\d+\)", text):
        for count in {channels, 1, 3}:
            side = round((int(features[1]) / count) ** 0.5)
            if side and count * side * side == int(features[1]):
                yield count, side, side
    for side in (int(each) for each in re.findall(r"\((\d+)\)", text)[:2]):
        if side:
            yield channels, side, side
    yield from ((count, side, side) for count in dict.fromkeys((channels, 3, 1)) for side in _SIZES)


def about_output(output: object, count: int, classes: int, *, free: bool = False) -> tuple[str, str] | None:
    """What is wrong with what a model returns, and what to do; None when it can be trained on.

    Args:
        output: for so many pictures.
        count: of the pictures.
        classes: of the data.
        free: the data can have another number of classes: --classes.
    """
    want = f"It must return one tensor, [batch, {classes}]"
    if isinstance(output, dict):
        keys = ", ".join(map(repr, list(output)[:5]))
        key = next((each for each in ("logits", "out", *output) if each in output), "logits")
        return f"returns a {type(output).__name__} with {keys}", f"{want}: wrap it, and return model(x)[{key!r}]."
    if isinstance(output, tuple | list):
        return f"returns a {type(output).__name__} of {len(output)}", f"{want}: wrap it, and return model(x)[0]."
    if not isinstance(output, torch.Tensor):
        where = ": wrap it, and return model(x).logits." if hasattr(output, "logits") else "."
        return f"returns a {type(output).__name__}", f"{want}{where}"
    if tuple(output.shape) != (count, classes):
        more = ": end it with a pooling and x.flatten(1)." if output.dim() > 2 else "."
        if free and output.dim() == 2 and len(output) == count:
            more = f", or say --classes {output.shape[1]}."
        return f"returns {list(output.shape)}", f"{want}{more}"
    if not output.is_floating_point():
        kind = str(output.dtype).removeprefix("torch.")
        return f"returns {kind}", f"{want} of floats, before any argmax."
    return None
