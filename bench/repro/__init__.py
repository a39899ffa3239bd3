"""A repro run: what a workload computes, written down so that another machine can say where it first differs."""
