"""Random forests (Breiman 2001) on the flattened history, by scikit-learn."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from posology.domain.cohort import Cohort
from posology.learners.outcome_models.design import Design, design, dose_error, log_loss
from posology.learners.outcome_models.predictions import squared
from posology.learners.outcome_models.tree_policy import (
    TreePolicy,
    Trees,
    answer,
    constant,
    joined,
    per_option,
    with_option,
)


@dataclass(frozen=True, slots=True)
class Forest:
    """One forest for the options, one for the root of the dose.

    The least size of a leaf is the one that does best on the validation decisions.
    """

    trees: int = 200
    leaves: tuple[int, ...] = (2, 5, 15)
    """Least decisions in a leaf that are tried. Our choice."""
    without: tuple[str, ...] = ()
    """Code prefixes left out."""
    seed: int = 0
    jobs: int = 1
    """Processors used in training; the result does not depend on it."""

    def fit(self, train: Cohort, validation: Cohort) -> TreePolicy:
        """The finished policy."""
        data = design(train, validation, self.without)
        return TreePolicy(
            formulary=train.study.formulary,
            profile=train.profile,
            spec=data.spec,
            options=self._options(data),
            dose_trees=self._dose(data),
            exclusive=data.train.exclusive,
        )

    def _options(self, data: Design) -> Trees:
        from sklearn.ensemble import RandomForestClassifier

        truth = data.train
        X, y, width = data.X, truth.best, truth.options
        known = y >= 0
        if not truth.exclusive:
            X = with_option(X, truth.treatment, truth.options)
            y, width = truth.effective, 2
            known = ~np.isnan(truth.effective)
        if not known.any():
            return constant(np.full(1, 0.5))
        best, best_loss = None, np.inf
        for leaf in self.leaves:
            forest = RandomForestClassifier(
                self.trees, min_samples_leaf=leaf, random_state=self.seed, n_jobs=self.jobs
            ).fit(X[known], y[known].astype(np.int64))
            trees = exported(forest, width)
            loss = log_loss(_asked(trees, data), data.validation)
            if best is None or loss < best_loss:
                best, best_loss = trees, loss
        return _one_of(best)

    def _dose(self, data: Design) -> Trees:
        from sklearn.ensemble import RandomForestRegressor

        known = ~np.isnan(data.train.dose)
        if not known.any():
            return constant(np.full(1, np.nan))
        best, best_error = None, np.inf
        for leaf in self.leaves:
            forest = RandomForestRegressor(
                self.trees,
                min_samples_leaf=leaf,
                max_features=1 / 3,  # of the columns, for regression: Breiman 2001
                random_state=self.seed,
                n_jobs=self.jobs,
            ).fit(data.X[known], np.sqrt(data.train.dose[known]))
            trees = exported(forest, 1)
            error = dose_error(squared(answer(trees, data.V)[:, 0]), data.validation)
            if best is None or error < best_error:
                best, best_error = trees, error
        return _one_of(best)


def exported(forest: Any, width: int) -> Trees:
    """A fitted scikit-learn forest as arrays; the mean of its trees as a sum.

    Classes that the forest has not met among the `width` get 0.
    """
    columns = getattr(forest, "classes_", np.zeros(1, np.int64))
    parts = [_tree(e.tree_, columns, width, len(forest.estimators_)) for e in forest.estimators_]
    return joined(parts, np.zeros(width), "identity")


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


def _asked(trees: Trees, data: Design) -> np.ndarray:
    """P(effective) of every option on the validation decisions."""
    if data.train.exclusive:
        return answer(trees, data.V)
    return per_option(trees, data.V, np.ones((len(data.V), data.train.options), bool))


def _one_of(best: Trees | None) -> Trees:
    if best is None:
        raise ValueError("Forest.leaves is empty: give at least one size to try")
    return best
