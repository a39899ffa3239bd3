"""The verbs, one file each: its `command` is what the command line runs. Heavy imports stand inside the functions."""
