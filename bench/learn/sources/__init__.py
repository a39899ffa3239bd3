"""A data set by its name, as it lies on the disk: found, counted and checked without torch.

A data set is one file here. It decorates a function with `named`, is called with a `DataRequest` and returns a
`Source`; nothing else needs to know of it. Another distribution names such a function in an entry point of
`bench.datasets`.
"""

from dataclasses import replace

from bench import plugins
from bench.learn import WorkloadError
from bench.learn.catalogue import check_data
from bench.learn.naming import files, function
from bench.learn.sources.source import Arrays, DataRequest, Source

__all__ = ["Arrays", "DataRequest", "Source", "find"]


def find(request: DataRequest) -> Source:
    """The data set that is asked for, indexed; no picture is read yet.

    Raises:
        WorkloadError: no such data set, its files are missing, or they are not what was asked for.
        CannotError: it is another distribution's, and broken.
    """
    check_data(request.name)
    is_own = request.name in files("sources")
    make = function("sources", request.name) if is_own else plugins.load(plugins.DATASETS, request.name, "__call__")
    source: Source = make(request)
    for key, given in (("mean", request.mean), ("std", request.std)):
        if given is not None and len(given) != len(source.mean):
            raise WorkloadError(
                f"{key} has {len(given)} numbers; {request.name} has {len(source.mean)} channels.",
                "Give one for each channel.",
            )
    return replace(source, mean=tuple(request.mean or source.mean), std=tuple(request.std or source.std))
