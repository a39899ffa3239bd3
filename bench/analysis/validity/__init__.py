"""Can the number be trusted? One rule each; what a rule finds marks its row or warns."""
