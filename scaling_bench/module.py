"""`python -P -m scaling_bench.module bench.worker …`: a module that finds our packages as ours, run as a program."""

import runpy
import sys

import scaling_bench

if __name__ == "__main__":
    scaling_bench.find_ours(scaling_bench.OURS_OF_A_RANK)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
