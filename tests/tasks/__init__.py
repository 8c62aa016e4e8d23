"""The queue on a real SQLite file; only the clock is the tests' own."""
