"""Sentences on an effect study that the page and the terminal share."""

from posology.evaluation.effects.effect_study import EffectStudy


def describe_personalisation(results: EffectStudy) -> str:
    """In how many folds the rule was personalised; empty for a saved policy."""
    if results.personalised_folds is None:
        return ""
    return f" The rule was personalised in {results.personalised_folds} of 5 folds."
