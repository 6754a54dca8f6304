"""Gradient boosting as the field tunes it: random columns, bagged, rounds chosen by inner folds."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Float64, Int64

from posology.domain.cohort import Cohort
from posology.learners.outcome_models import lightgbm_trees, sklearn_trees
from posology.learners.outcome_models.boosting_task import BoostingTask, Grow
from posology.learners.outcome_models.design import (
    Labels,
    build_design,
    join_labels,
    mean_dose_error,
    mean_log_loss,
    sample_weight,
    select_labels,
)
from posology.learners.outcome_models.gradient_boosting import (
    constant_label_trees,
    drop_unsplittable_columns,
)
from posology.learners.outcome_models.predictions import dose_from_root
from posology.learners.outcome_models.tree_policy import (
    TreePolicy,
    Trees,
    add_trees,
    append_option,
    constant_trees,
    predict_first_trees,
    scale_trees,
)

ENGINES: dict[str, Grow] = {"lightgbm": lightgbm_trees.grow, "sklearn": sklearn_trees.grow}
"""Libraries that grow the trees; `lightgbm` needs the extra `boosting`."""

Loss = Callable[[Float64[np.ndarray, "decision output"], Int64[np.ndarray, " decision"]], float]
"""Loss of the predictions of some rows."""


@dataclass(frozen=True, slots=True)
class TunedBoostingLearner:
    """Boosted trees for the options and for the square root of the dose.

    Inner folds over the patients of `train` and `validation` choose the number of rounds and the
    loss of the dose. The trees are then grown on all of them, `bags` times with other random
    columns and rows, and averaged.
    """

    engine: str = "sklearn"
    """A name in ENGINES."""
    round_counts: tuple[int, ...] = (50, 100, 150, 200, 300, 400, 500)
    """Numbers of rounds to try, ascending."""
    dose_losses: tuple[str, ...] = ("squared_error", "absolute_error")
    folds: int = 3
    bags: int = 4
    excluded_prefixes: tuple[str, ...] = ()
    """Prefixes of codes that get no features."""
    seed: int = 0

    def fit(self, train: Cohort, validation: Cohort) -> TreePolicy:
        """Choose by folds, then grow on both cohorts."""
        data = drop_unsplittable_columns(build_design(train, validation, self.excluded_prefixes))
        X = np.vstack([data.X, data.X_validation])
        labels = join_labels(data.labels, data.validation_labels)
        fold = self._folds(train, validation)
        return TreePolicy(
            formulary=train.study.formulary,
            profile=train.profile,
            spec=data.spec,
            option_trees=self._options(X, labels, fold),
            dose_trees=self._dose(X, labels, fold),
            is_multiclass=labels.is_multiclass,
        )

    def _folds(self, train: Cohort, validation: Cohort) -> Int64[np.ndarray, " decision"]:
        """Fold of each decision; all decisions of a patient are in the same one."""
        rng = np.random.default_rng(self.seed)
        folds = [
            rng.permutation(np.arange(len(cohort.history.subject_id)) % self.folds)[cohort.subject]
            for cohort in (train, validation)
        ]
        return np.concatenate(folds)

    def _options(
        self,
        X: Float32[np.ndarray, "decision feature"],  # noqa: N803
        labels: Labels,
        fold: Int64[np.ndarray, " decision"],
    ) -> Trees:
        y, width = labels.best.astype(np.float64), labels.option_count
        if not labels.is_multiclass:
            X = append_option(X, labels.treatment, labels.option_count)
            y, width = np.nan_to_num(labels.effective, nan=-1.0), 2
        known = y >= 0
        if len(np.unique(y[known])) < 2:
            return constant_label_trees(labels, y[known].astype(np.int64))
        labels, fold = select_labels(labels, known), fold[known]
        weight = sample_weight(labels, np.ones(len(fold), bool))
        task = BoostingTask(X[known], y[known], weight, "classes", width)

        def loss(p: Float64[np.ndarray, "_ option"], rows: Int64[np.ndarray, " _"]) -> float:
            if not labels.is_multiclass:  # only the option received has a label
                p = np.tile(p[:, -1:], (1, labels.option_count))
            return mean_log_loss(p, select_labels(labels, rows))

        rounds, _ = self._choose_rounds(task, fold, loss)
        return self._bag(task, rounds)

    def _dose(
        self,
        X: Float32[np.ndarray, "decision feature"],  # noqa: N803
        labels: Labels,
        fold: Int64[np.ndarray, " decision"],
    ) -> Trees:
        known = ~np.isnan(labels.dose)
        if not known.any():
            return constant_trees(np.full(1, np.nan))
        labels, fold = select_labels(labels, known), fold[known]

        def loss(root: Float64[np.ndarray, "_ 1"], rows: Int64[np.ndarray, " _"]) -> float:
            return mean_dose_error(dose_from_root(root[:, 0]), select_labels(labels, rows))

        tried = []
        for name in self.dose_losses:
            task = BoostingTask(X[known], np.sqrt(labels.dose), None, name)
            tried.append((task, *self._choose_rounds(task, fold, loss)))
        if not tried:
            raise ValueError("dose_losses is empty: give at least one to try")
        task, rounds, _ = min(tried, key=lambda one: one[2])
        return self._bag(task, rounds)

    def _choose_rounds(
        self, task: BoostingTask, fold: Int64[np.ndarray, " decision"], loss: Loss
    ) -> tuple[int, float]:
        """The number of rounds with the lowest mean loss in held-out folds, and that loss."""
        most = max(self.round_counts)
        total = np.zeros(len(self.round_counts))
        for held_out in range(self.folds):
            rows, others = np.flatnonzero(fold == held_out), fold != held_out
            if not len(rows) or len(np.unique(task.y[others])) < 2:
                continue
            weight = None if task.weight is None else task.weight[others]
            part = replace(task, X=task.X[others], y=task.y[others], weight=weight)
            trees = ENGINES[self.engine](part, most, self.seed)
            a_round = len(trees.root) // most
            counts = [number * a_round for number in self.round_counts]
            predictions = predict_first_trees(trees, task.X[rows], counts)
            total += [loss(prediction, rows) for prediction in predictions]
        best = int(np.argmin(total))
        return self.round_counts[best], float(total[best])

    def _bag(self, task: BoostingTask, rounds: int) -> Trees:
        """The mean of trees grown with other seeds."""
        seeds = range(self.seed + 1, self.seed + 1 + self.bags)
        grown = [ENGINES[self.engine](task, rounds, seed) for seed in seeds]
        return add_trees([scale_trees(trees, 1 / self.bags) for trees in grown])
