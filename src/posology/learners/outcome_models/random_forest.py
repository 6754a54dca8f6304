"""Random forests (Breiman 2001) on the tabular features, by scikit-learn."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from posology.domain.cohort import Cohort
from posology.learners.outcome_models.design import (
    Design,
    build_design,
    mean_dose_error,
    mean_log_loss,
    sample_weight,
)
from posology.learners.outcome_models.predictions import dose_from_root
from posology.learners.outcome_models.tree_policy import (
    TreePolicy,
    Trees,
    append_option,
    concatenate_trees,
    constant_trees,
    predict_each_option,
    predict_trees,
)


@dataclass(frozen=True, slots=True)
class RandomForestLearner:
    """One forest for the options, one for the square root of the dose.

    The validation decisions choose the minimum leaf size.
    """

    tree_count: int = 200
    leaf_sizes: tuple[int, ...] = (2, 5, 15)
    """Minimum leaf sizes to try. Our choice."""
    excluded_prefixes: tuple[str, ...] = ()
    """Prefixes of codes that get no features."""
    seed: int = 0
    n_jobs: int = 1
    """Processes for training; the result does not depend on it."""

    def fit(self, train: Cohort, validation: Cohort) -> TreePolicy:
        """Fit both forests."""
        data = build_design(train, validation, self.excluded_prefixes)
        return TreePolicy(
            formulary=train.study.formulary,
            profile=train.profile,
            spec=data.spec,
            option_trees=self._options(data),
            dose_trees=self._dose(data),
            is_multiclass=data.labels.is_multiclass,
        )

    def _options(self, data: Design) -> Trees:
        from sklearn.ensemble import RandomForestClassifier

        labels = data.labels
        X, y, width = data.X, labels.best, labels.option_count
        known = y >= 0
        if not labels.is_multiclass:
            X = append_option(X, labels.treatment, labels.option_count)
            y, width = labels.effective, 2
            known = ~np.isnan(labels.effective)
        if not known.any():
            return constant_trees(np.full(1, 0.5))
        best, best_loss = None, np.inf
        for leaf in self.leaf_sizes:
            forest = RandomForestClassifier(
                self.tree_count, min_samples_leaf=leaf, random_state=self.seed, n_jobs=self.n_jobs
            ).fit(X[known], y[known].astype(np.int64), sample_weight(labels, known))
            trees = trees_of_forest(forest, width)
            loss = mean_log_loss(_validation_effectiveness(trees, data), data.validation_labels)
            if best is None or loss < best_loss:
                best, best_loss = trees, loss
        return _require_trees(best)

    def _dose(self, data: Design) -> Trees:
        from sklearn.ensemble import RandomForestRegressor

        known = ~np.isnan(data.labels.dose)
        if not known.any():
            return constant_trees(np.full(1, np.nan))
        best, best_error = None, np.inf
        for leaf in self.leaf_sizes:
            forest = RandomForestRegressor(
                self.tree_count,
                min_samples_leaf=leaf,
                max_features=1 / 3,  # of the columns, for regression: Breiman 2001
                random_state=self.seed,
                n_jobs=self.n_jobs,
            ).fit(data.X[known], np.sqrt(data.labels.dose[known]))
            trees = trees_of_forest(forest, 1)
            error = mean_dose_error(
                dose_from_root(predict_trees(trees, data.X_validation)[:, 0]),
                data.validation_labels,
            )
            if best is None or error < best_error:
                best, best_error = trees, error
        return _require_trees(best)


def trees_of_forest(forest: Any, width: int) -> Trees:
    """A fitted scikit-learn forest as arrays; the mean of its trees as a sum.

    Of the `width` classes, those absent from training get 0.
    """
    columns = getattr(forest, "classes_", np.zeros(1, np.int64))
    parts = [_tree(e.tree_, columns, width, len(forest.estimators_)) for e in forest.estimators_]
    return concatenate_trees(parts, np.zeros(width), "identity")


def _tree(tree: Any, columns: np.ndarray, width: int, trees: int) -> Trees:
    leaf = tree.children_left < 0
    value = np.zeros((tree.node_count, width))
    value[:, columns] = tree.value[:, 0, :] / trees
    value[~leaf] = 0.0
    return Trees(
        root=np.zeros(1, np.int32),
        feature=np.where(leaf, -1, tree.feature).astype(np.int32),
        threshold=tree.threshold.astype(np.float64),
        left=np.maximum(tree.children_left, 0).astype(np.int32),
        right=np.maximum(tree.children_right, 0).astype(np.int32),
        missing_left=tree.missing_go_to_left.astype(bool),
        value=value,
        baseline=np.zeros(width),
        link="identity",
    )


def _validation_effectiveness(trees: Trees, data: Design) -> np.ndarray:
    """P(effective) of every option at the validation decisions."""
    if data.labels.is_multiclass:
        return predict_trees(trees, data.X_validation)
    return predict_each_option(
        trees, data.X_validation, np.ones((len(data.X_validation), data.labels.option_count), bool)
    )


def _require_trees(best: Trees | None) -> Trees:
    if best is None:
        raise ValueError("RandomForestLearner.leaf_sizes is empty: give at least one size")
    return best
