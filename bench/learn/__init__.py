"""What is trained: models, data, batches, the recipe and exact evaluation. This file imports no torch."""

USAGE = 2
MISSING = 3  # this machine lacks something that could be installed


class TrainingError(Exception):
    """The model cannot be trained so: what happened and what helps, in one line. Of a row, not of the whole study."""


class WorkloadError(Exception):
    """The workload cannot be built as asked. `message` says what happened, `hint` what to do; both are one line."""

    def __init__(self, message: str, hint: str = "", exit_code: int = USAGE) -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint
        self.exit_code = exit_code
