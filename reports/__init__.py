"""How it is told: one model of a study's findings, every output rendered from it, no arithmetic beyond formatting."""
