"""Boosted trees grown by scikit-learn, with random columns at each split."""

import numpy as np

from posology.learners.outcome_models.boosting_task import BoostingTask
from posology.learners.outcome_models.gradient_boosting import trees_of_boosting
from posology.learners.outcome_models.tree_policy import Trees


def grow(task: BoostingTask, rounds: int, seed: int) -> Trees:
    """Trees of `rounds` rounds."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    settings = {
        "learning_rate": task.learning_rate,
        "max_iter": rounds,
        "max_leaf_nodes": task.leaves,
        "min_samples_leaf": task.min_leaf_size,
        "max_features": task.column_share,
        "l2_regularization": task.penalty,
        "early_stopping": False,
        "random_state": seed,
    }
    model = (
        HistGradientBoostingClassifier(**settings)
        if task.loss == "classes"
        else HistGradientBoostingRegressor(loss=task.loss, **settings)
    )
    model.fit(np.asarray(task.X), task.y, task.weight)
    return trees_of_boosting(model, rounds, task.classes)
