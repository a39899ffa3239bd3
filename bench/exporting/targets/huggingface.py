"""A folder to upload to a model hub: weights, configuration, metrics, training curves and a model card.

The weights are those that were evaluated: averaged ones where the recipe averages, with the others beside them.
It holds one launch. Of a study that is the first in the planned order that kept a checkpoint, never the one with the
best accuracy; name a launch to have another. The licence is left to whoever uploads.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.analysis.digits import significant
from bench.errors import CannotError
from bench.exporting import tables
from bench.exporting.files import drafted, write_texts
from bench.exporting.record import Record, Run, ids
from reports.text import fmt
from reports.text.plain import as_csv, finite

NEEDS: Mapping[str, str] = {"safetensors": "safetensors>=0.4"}

PUBLIC = True  # it is made to be published
WEIGHTS = "model.safetensors"  # those that were evaluated
UNAVERAGED = "model-unaveraged.safetensors"  # beside averaged ones, those that the optimizer left
_NO_PUBLIC_DATA = ("synthetic", "folder")


@dataclass(frozen=True, kw_only=True)
class _Kept:
    """A checkpoint: the weights that its accuracy is of, and those they were averaged from."""

    evaluated: Mapping[str, Any]
    unaveraged: Mapping[str, Any] | None  # None: nothing was averaged
    epochs: int  # whole ones that were trained
    steps: int  # and of the next: after these, nothing was evaluated

    @property
    def files(self) -> dict[str, Mapping[str, Any]]:
        return {WEIGHTS: self.evaluated} | ({UNAVERAGED: self.unaveraged} if self.unaveraged is not None else {})


def write(record: Record, folder: Path, progress: Callable[[str], None]) -> list[Path]:
    """`folder/NAME/`: README.md, config.json, metrics.json, curves.csv and, of a checkpoint, model.safetensors.

    Raises:
        CannotError: no launch was run; the checkpoint cannot be read.
    """
    run = chosen(record)
    final = folder / record.name
    kept = _read(run.weights) if run.weights is not None else None
    texts = {
        "README.md": card(record, run, kept),
        "config.json": _as_json(config(record, run) | {"weights": _about(kept)}),
        "metrics.json": _as_json(metrics(record, run) | {"weights": _about(kept)}),
    }
    if run.epochs:
        texts["curves.csv"] = as_csv(tables.epochs_of(run))
    if run.classes:
        texts["classification.txt"] = tables.classification_report(run)
    with drafted(final) as draft:
        for name, state in kept.files.items() if kept is not None else ():
            progress(name)
            _write_weights(state, draft / name)
        write_texts(draft, texts)
    return [final / name for name in [*(kept.files if kept is not None else ()), *texts]]


def opened(record: Record, folder: Path) -> str:
    place = folder / record.name
    if chosen(record).weights is None:
        return f"{place} has no weights: the launch kept no checkpoint"
    return f"choose a licence in {place / 'README.md'}, then upload {place}"


def chosen(record: Record) -> Run:
    """The launch that is shown: the first that kept weights, else the first that was evaluated, else the first.

    Raises:
        CannotError: there is none.
    """
    if not record.runs:
        raise CannotError(f"study {record.plan.study_id} has no launch to make a model card of", "bench show tells why")
    return min(record.runs, key=lambda each: (each.weights is None, not each.epochs))


def config(record: Record, run: Run) -> dict[str, Any]:
    """What the weights are weights of."""
    work = record.plan.workload
    names = {str(each.label): each.name for each in run.classes}
    return {
        "architecture": work.model,
        "architecture_options": dict(work.model_options),
        "num_classes": len(run.classes) or work.classes,
        "input_shape": work.input_shape,
        "id2label": names or None,
        "label2id": {name: int(label) for label, name in names.items()} or None,
        "parameters": run.launch.params,
        "precision": work.precision,
        "seed": run.launch.seed,
        **record.configuration,
    }


def metrics(record: Record, run: Run) -> dict[str, Any]:
    """What was measured of the launch, and after the last epoch of the others."""
    return {
        "launch": run.launch.launch_id,
        "status": run.launch.status,
        "last_epoch": _point(run),
        "classes": [tables.scores(each) for each in run.classes],
        "row": run.numbers,
        "all_launches": [{"launch": each.launch.launch_id, "last_epoch": _point(each)} for each in record.runs],
        "dna": ids(run.dna),
        "method_version": run.launch.method_version,
    }


def card(record: Record, run: Run, kept: _Kept | None) -> str:
    """The model card: a header that a hub reads, and text that a person does."""
    work, launch = record.plan.workload, run.launch
    which = (
        f"Trained and measured by `bench` as launch `{launch.launch_id}`: {launch.configuration}, round "
        f"{launch.round + 1} of {record.plan.rounds}, seed {launch.seed}. It was chosen by its place in the plan, not "
        f"by its accuracy, out of {len(record.runs)}."
    )
    meaning = (
        "Equal `hw_id`: the same kind of hardware. Equal `sw_id`: the same software. Equal `num_id`: the same numbers "
        "from the same operations."
    )
    set_by_hand = [each for each in record.settings if each.origin != "default"]
    return "\n\n".join(
        [
            "\n".join(["---", *_header(record, run), "---"]),
            f"# {fmt.clean(work.model)} on {fmt.clean(work.data)}",
            which,
            *_accuracy(record, run),
            "## Weights",
            "\n".join(_weights(record, run, kept)),
            "## How it was trained",
            tables.settings_in_markdown(set_by_hand),
            "All other settings are the defaults; `config.json` has every one."
            + (" `curves.csv` has each epoch." if run.epochs else ""),
            "It is repeated by",
            f"```sh\n{fmt.clean(record.plan.command)}\n```",
            "## Where",
            "\n".join(f"- `{name}` {value}" for name, value in ids(run.dna).items()) or "No fingerprint was taken.",
            meaning,
            "## Licence",
            "Not chosen yet: set `license` in the header above before this folder is uploaded.",
            record.report,
        ]
    )


def _weights(record: Record, run: Run, kept: _Kept | None) -> list[str]:
    """Which file holds which weights, and of which of them the accuracy above is."""
    if kept is None:
        return ["There are none: the launch kept no checkpoint."]
    what = f"the `state_dict` of `{record.plan.workload.model}` as `bench` builds it"
    after = f"after {kept.epochs} epochs" + (f" and {kept.steps} steps" if kept.steps else "")
    paragraphs = [f"`{WEIGHTS}`: {what}, {after}."]
    if kept.unaveraged is not None:
        decay = record.plan.workload.recipe.ema_decay
        paragraphs = [
            f"- `{WEIGHTS}`: {what}, averaged over the steps (`ema_decay` {decay:g}), {after}. These were evaluated.",
            f"- `{UNAVERAGED}`: what the optimizer left at the same moment. Nothing was measured of these.",
        ]
    last = run.epochs[-1].index if run.epochs else None
    if last is not None and (kept.epochs, kept.steps) != (last, 0):
        paragraphs.append(f"\nThe accuracy above is of epoch {last}, which is **not** where these weights are from.")
    return paragraphs


def _about(kept: _Kept | None) -> dict[str, Any] | None:
    """For the JSON files: which file was evaluated."""
    if kept is None:
        return None
    unaveraged = UNAVERAGED if kept.unaveraged is not None else None
    place = {"epochs": kept.epochs, "steps": kept.steps}
    return {"evaluated": WEIGHTS, "averaged": unaveraged is not None, "unaveraged": unaveraged, **place}


def _accuracy(record: Record, run: Run) -> list[str]:
    """Paragraphs."""
    if not run.epochs:
        return ["Nothing was evaluated: the run was of a number of steps or seconds, not of epochs."]
    last = run.epochs[-1]
    lines = ["| after the last epoch | |", "| --- | --- |", f"| epochs | {last.index} |"]
    lines += [f"| {name} | {significant(value, 6)} |" for name, value in last.values.items()]
    alike = [each for each in record.runs if each.launch.configuration == run.launch.configuration]
    reached = [each.epochs[-1].values["top1"] for each in alike if each.epochs]
    of = f"Top-1 of the {len(reached)} launches of {run.launch.configuration}"
    among = [f"{of}: {min(reached):.2%} to {max(reached):.2%}."] if len(reached) > 1 else []
    return ["\n".join(lines), *among]


def _header(record: Record, run: Run) -> list[str]:
    """YAML; values are written as JSON, which is YAML."""
    work = record.plan.workload
    lines = [
        "# license: yours to choose",
        "library_name: pytorch",
        "pipeline_tag: image-classification",
        f"tags: {json.dumps(['bench', 'pytorch', 'image-classification'])}",
    ]
    if work.data not in _NO_PUBLIC_DATA:
        lines.append(f"datasets: {json.dumps([work.data])}")
    if run.epochs:
        values = run.epochs[-1].values
        found = [
            {"type": "accuracy", "name": name, "value": values[key]}
            for key, name in (("top1", "top-1 accuracy"), ("top5", "top-5 accuracy"))
            if key in values
        ]
        dataset = {"name": work.data, "type": work.data}
        result = {"task": {"type": "image-classification"}, "dataset": dataset, "metrics": found}
        lines += ["metrics:", "- accuracy", f"model-index: {json.dumps([{'name': work.model, 'results': [result]}])}"]
    return lines


def _read(checkpoint: Path) -> _Kept:
    import torch  # noqa: PLC0415 - a checkpoint is torch's; nothing else here needs it

    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        averaged = content.get("ema")
        return _Kept(
            evaluated=averaged["module"] if averaged else content["model"],
            unaveraged=content["model"] if averaged else None,
            epochs=content["epoch"],
            steps=content["step"],
        )
    except Exception as error:  # torch raises what it likes for a torn file
        raise CannotError(
            f"the checkpoint {checkpoint} cannot be read ({type(error).__name__})",
            "name another launch: bench export STUDY.LAUNCH --to huggingface",
        ) from error


def _write_weights(state: Mapping[str, Any], file: Path) -> None:
    from safetensors.torch import save_file  # noqa: PLC0415 - an extra

    # Copies: the format takes no two names for one tensor's memory.
    tensors = {name: value.detach().clone().contiguous() for name, value in state.items()}
    save_file(tensors, str(file), metadata={"format": "pt"})


def _point(run: Run) -> dict[str, Any] | None:
    if not run.epochs:
        return None
    return {"epoch": run.epochs[-1].index, **run.epochs[-1].numbers}


def _as_json(value: Any) -> str:
    return json.dumps(finite(value), indent=2, allow_nan=False) + "\n"
