"""Whether labels, effects, values, hazards and verdicts are right, in worlds with known truth."""
