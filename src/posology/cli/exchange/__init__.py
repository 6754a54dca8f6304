"""Commands that exchange cohorts, labels and predictions with other programs."""
