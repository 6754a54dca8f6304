"""The calls: what the tester sends, and the transcript of the run."""
