"""Which bench this is: the one place, from which the package's metadata are built too."""

__version__ = "0.1.0"
