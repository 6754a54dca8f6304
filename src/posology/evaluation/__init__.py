"""Evaluation of policies: metrics with intervals, paired comparisons, effect studies."""
