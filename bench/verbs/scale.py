"""`bench scale`: how training speeds up over processes and devices."""

import click

from bench.verbs.options import Options, gate_option, study_options


@click.command(
    epilog="""\b
Examples:
  bench scale                                                 the demo
  bench scale --model lenet-large --data cifar10 --ranks 1,2 --device cpu
  bench scale --model resnet50 --gpus 1,2,4 --precision bf16 --memory-format channels_last
  bench scale --model mine.py:build --input-shape 3,64,64 --classes 20 --ranks 1,2"""
)
@study_options
@gate_option
def command(options: Options) -> int:
    """Measure how training speeds up over processes and devices.

    Spawns every row in new processes, in complete rounds of random order, and ends with the table, a verdict and what
    to do next. A plain single-device baseline is always among the rows. Without --model and --profile: the demo.
    """
    from bench.verbs.measuring import measure

    return measure(options, one_row=False)
