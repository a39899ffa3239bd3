"""One file a target; see `bench.exporting`."""
