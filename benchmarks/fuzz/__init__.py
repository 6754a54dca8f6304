"""Fuzzing of everything that reads or writes files; run `python -m benchmarks.fuzz`."""
