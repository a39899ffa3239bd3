"""Would another machine agree? Fingerprints and agreements."""
