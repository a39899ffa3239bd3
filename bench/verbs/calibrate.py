"""`bench calibrate`: a machine against itself. How far apart do equal launches lie, and do verdicts see ghosts?"""

import click

from bench.verbs.study_flags import Options, study_options


@click.command(
    epilog="""\b
Examples:
  bench calibrate
  bench calibrate --model resnet18 --data cifar10 --rounds 60
  bench calibrate --strategy ddp --ranks 2 --store bench-results"""
)
@study_options
def command(options: Options) -> int:
    """Launch one configuration against itself, twice a round, and keep what that says of this machine.

    The spread of its launches and the false alarms of the verdicts on them go into the store beside the study; bench
    compare then calls nothing FASTER, SLOWER or EQUIVALENT that this spread does not allow.
    """
    from bench.verbs.calibrating import calibrate

    return calibrate(options)
