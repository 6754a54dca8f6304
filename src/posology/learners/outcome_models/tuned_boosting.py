"""Gradient boosting as the field tunes it: random columns, bagged, rounds chosen by inner folds."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from posology.domain.cohort import Cohort
from posology.learners.features.tabular import FeatureSpec
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
class BoostingSettings:
    """What inner folds choose."""

    option_rounds: int
    """0 where the patients who chose have one label: others are then given the fewest rounds."""
    dose_rounds: int
    """0 where they have no dose; likewise."""
    dose_loss: str


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
    settings: BoostingSettings | None = None
    """None: `fit` chooses them."""

    def choose(self, train: Cohort, validation: Cohort) -> "TunedBoostingLearner":
        """The learner with the settings that inner folds of these patients choose."""
        data = self._data(train, validation)
        return replace(self, settings=self._choose(data, self._folds(train, validation)))

    def fit(self, train: Cohort, validation: Cohort) -> TreePolicy:
        """Choose by folds, where nothing is chosen yet, then grow on both cohorts."""
        data = self._data(train, validation)
        settings = self.settings or self._choose(data, self._folds(train, validation))
        return TreePolicy(
            formulary=train.study.formulary,
            profile=train.profile,
            spec=data.spec,
            option_trees=self._grow_options(data, settings.option_rounds),
            dose_trees=self._grow_dose(data, settings),
            is_multiclass=data.labels.is_multiclass,
        )

    def _data(self, train: Cohort, validation: Cohort) -> "_Data":
        design = drop_unsplittable_columns(build_design(train, validation, self.excluded_prefixes))
        X = np.vstack([design.X, design.X_validation])
        return _Data(design.spec, X, join_labels(design.labels, design.validation_labels))

    def _folds(self, train: Cohort, validation: Cohort) -> Int64[np.ndarray, " decision"]:
        """Fold of each decision; all decisions of a patient are in the same one."""
        rng = np.random.default_rng(self.seed)
        folds = [
            rng.permutation(np.arange(len(cohort.history.subject_id)) % self.folds)[cohort.subject]
            for cohort in (train, validation)
        ]
        return np.concatenate(folds)

    def _choose(self, data: "_Data", fold: Int64[np.ndarray, " decision"]) -> BoostingSettings:
        if not self.dose_losses:
            raise ValueError("dose_losses is empty: give at least one to try")
        tried = [(*self._choose_dose_rounds(data, fold, name), name) for name in self.dose_losses]
        dose_rounds, _, dose_loss = min(tried, key=lambda one: one[1])
        return BoostingSettings(self._choose_option_rounds(data, fold), dose_rounds, dose_loss)

    def _choose_option_rounds(self, data: "_Data", fold: Int64[np.ndarray, " decision"]) -> int:
        task, known = data.option_task()
        if len(np.unique(task.y)) < 2:
            return 0
        labels = select_labels(data.labels, known)

        def loss(p: Float64[np.ndarray, "_ option"], rows: Int64[np.ndarray, " _"]) -> float:
            if not labels.is_multiclass:  # only the option received has a label
                p = np.tile(p[:, -1:], (1, labels.option_count))
            return mean_log_loss(p, select_labels(labels, rows))

        return self._choose_rounds(task, fold[known], loss)[0]

    def _choose_dose_rounds(
        self, data: "_Data", fold: Int64[np.ndarray, " decision"], name: str
    ) -> tuple[int, float]:
        task, known = data.dose_task(name)
        if not known.any():
            return 0, 0.0
        labels = select_labels(data.labels, known)

        def loss(root: Float64[np.ndarray, "_ 1"], rows: Int64[np.ndarray, " _"]) -> float:
            return mean_dose_error(dose_from_root(root[:, 0]), select_labels(labels, rows))

        return self._choose_rounds(task, fold[known], loss)

    def _grow_options(self, data: "_Data", rounds: int) -> Trees:
        task, _ = data.option_task()
        if len(np.unique(task.y)) < 2:
            return constant_label_trees(data.labels, task.y.astype(np.int64))
        return self._bag(task, rounds or min(self.round_counts))

    def _grow_dose(self, data: "_Data", settings: BoostingSettings) -> Trees:
        task, known = data.dose_task(settings.dose_loss)
        if not known.any():
            return constant_trees(np.full(1, np.nan))
        return self._bag(task, settings.dose_rounds or min(self.round_counts))

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


@dataclass(frozen=True, slots=True, eq=False)
class _Data:
    """Features and labels of all decisions that the learner sees."""

    spec: FeatureSpec
    X: Float32[np.ndarray, "decision feature"]
    labels: Labels

    def option_task(self) -> tuple[BoostingTask, Bool[np.ndarray, " decision"]]:
        """What the options' trees learn, and the decisions where it is known."""
        X, labels = self.X, self.labels
        y, width = labels.best.astype(np.float64), labels.option_count
        if not labels.is_multiclass:
            X = append_option(X, labels.treatment, labels.option_count)
            y, width = np.nan_to_num(labels.effective, nan=-1.0), 2
        known = y >= 0
        weight = sample_weight(select_labels(labels, known), np.ones(int(known.sum()), bool))
        return BoostingTask(X[known], y[known], weight, "classes", width), known

    def dose_task(self, loss: str) -> tuple[BoostingTask, Bool[np.ndarray, " decision"]]:
        """The same of the dose's square root."""
        known = ~np.isnan(self.labels.dose)
        return BoostingTask(self.X[known], np.sqrt(self.labels.dose[known]), None, loss), known
