"""One rank of a repro run: it trains a few steps in deterministic mode and writes down what it sees."""
