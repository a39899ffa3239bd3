"""Random images of any shape: what a study of speed needs. Nothing lies on a disk; `bench.learn.data` makes them."""

from bench.learn import WorkloadError
from bench.learn.naming import named
from bench.learn.sources.source import DataRequest, Source


@named("synthetic")
def synthetic(request: DataRequest) -> Source:
    """Images of the shape asked for (default 3x32x32) in so many classes (default 10).

    Raises:
        WorkloadError: a shape or number of classes that nothing can be made of.
    """
    shape = request.input_shape or (3, 32, 32)
    classes = request.classes or 10
    if min(shape) < 1 or classes < 2:
        raise WorkloadError(f"Nothing can be trained on shape {shape} with {classes} classes.", "Give positive sizes.")
    return Source(
        name=request.name,
        shape=shape,
        class_names=tuple(str(label) for label in range(classes)),
        mean=(0.5,) * shape[0],  # of uniform noise on 0..1
        std=(12**-0.5,) * shape[0],
        place="random numbers",
    )
