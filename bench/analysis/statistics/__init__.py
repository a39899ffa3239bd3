"""How sure: intervals, verdicts and steady states, of numbers alone."""
