"""Is B like A? Studies, launches and machines compared, gated and calibrated."""
