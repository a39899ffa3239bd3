"""Is B like A? Comparisons, machines and calibrations, on a screen and as documents."""
