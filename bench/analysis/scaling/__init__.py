"""How does it scale? Launches into rows: rates, speedups, laws, and where the time goes."""
