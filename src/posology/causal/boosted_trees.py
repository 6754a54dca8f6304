"""Boosted trees of the nuisance models: small, and the same wherever a kind of model is needed."""

from typing import Any


def make_boosted_trees() -> Any:
    """New boosted trees, as in every outcome regression; their settings are our choice."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        max_iter=50,
        learning_rate=0.15,
        max_leaf_nodes=8,
        min_samples_leaf=20,
        early_stopping=False,
        random_state=0,
    )


def make_boosted_classifier() -> Any:
    """New boosted trees for a probability: of an option, or of a measurement."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=60,
        learning_rate=0.1,
        max_leaf_nodes=8,
        min_samples_leaf=20,
        early_stopping=False,
        random_state=0,
    )
