"""`bench run`: one configuration, a study of one row."""

import click

from bench.verbs.study_flags import Options, gate_option, study_options


@click.command(
    epilog="""\b
Examples:
  bench run --model resnet18 --data cifar10 --device cpu
  bench run --model lenet-large --data cifar10 --epochs 2
  bench run --profile known-answer --strategy ddp --ranks 2"""
)
@study_options
@gate_option
def command(options: Options) -> int:
    """Measure one configuration: rates with their spread, no baseline beside them and so no speedup."""
    from bench.verbs.scale import measure

    return measure(options, one_row=True)
