"""What may be set, in which words, and who set it."""

from bench.settings.precedence import Settings, resolve

__all__ = ["Settings", "resolve"]
