"""Whether torch runs here, and computes what it computed the last time."""

from bench.dna import numbers
from bench.dna.child import Child, DoesNotRunError
from bench.dna.facts import UnavailableError
from bench.dna.fingerprint import fingerprint
from bench.dna.machine import Machine
from bench.health.check import Check, ok, refusal, warning


def checks(machine: Machine, begun: Child) -> list[Check]:
    """Has the canary operations run, a second or two, and compares them with those that were kept.

    Nothing where torch is not installed, which another check says.

    Args:
        machine: what of this host there is.
        begun: their process (`bench.dna.numbers.begin`), for as many threads as there are cores.
    """
    if machine.torch_version is None:
        return []
    here, threads = fingerprint(), len(machine.cpu_ids)
    before = numbers.remembered(here.hw_id, here.sw_id, threads)
    try:
        now = numbers.measure(here.hw_id, here.sw_id, threads, keep=before is None, begun=begun)
    except DoesNotRunError as error:
        fix = "see the whole error: python -c 'import torch; print(torch.ones(2) @ torch.ones(2))'"
        return [refusal("numbers", f"torch does not run here: {error}", fix)]
    except UnavailableError as error:
        fix = "end what else runs (see: top), and look again"
        return [warning("numbers", f"torch could not be tried: {error}", fix)]
    if before is None:
        text = (
            f"torch runs; the bits of {len(now['one_thread'])} operations are kept, to be compared with the next ones"
        )
        return [ok("numbers", text)]
    differ = [
        name
        for name in now["one_thread"]
        if any(now[each].get(name) != before[each].get(name) for each in ("one_thread", "all_threads"))
    ]
    if not differ:
        text = f"torch runs; numbers as last time, bit for bit in {len(now['one_thread'])} operations"
        return [ok("numbers", text)]
    text = f"numbers are not those of last time, on the same hardware and software: {', '.join(differ)}"
    fix = "look again: bits that change by themselves mean that memory or a CPU fails; bits that stay changed, that a\n"
    fix += f"    library was replaced behind torch (then remove {numbers.kept_in(here.hw_id, here.sw_id, threads)})"
    return [warning("numbers", text, fix)]
