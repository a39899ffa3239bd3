"""What may be set, in which words, and who set it."""

from bench.settings.layers import Settings, resolve

__all__ = ["Settings", "resolve"]
