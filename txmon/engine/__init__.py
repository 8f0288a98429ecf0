"""The deterministic engine: canonical events in, hits out. No clock, no I/O, no randomness but a seed."""
