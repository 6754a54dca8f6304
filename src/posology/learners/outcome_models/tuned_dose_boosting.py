"""Tuned gradient boosting of the target distance on patient, option and dose."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Float64, Int64

from posology.domain.cohort import Cohort, join_cohorts
from posology.learners.features.dose_grid import observed_dose_levels
from posology.learners.features.tabular import build_feature_spec, extract_features
from posology.learners.outcome_models.boosting_task import BoostingTask
from posology.learners.outcome_models.dose_grid_policy import (
    DoseGridPolicy,
    append_option_and_dose,
    fit_effectiveness_link,
)
from posology.learners.outcome_models.target_distance import TreatedDecisions, treated_decisions
from posology.learners.outcome_models.tree_policy import (
    Trees,
    add_trees,
    predict_first_trees,
    scale_trees,
)
from posology.learners.outcome_models.tuned_boosting import ENGINES

Columns = Float32[np.ndarray, "decision column"]


@dataclass(frozen=True, slots=True)
class TunedDoseBoostingLearner:
    """Random columns, bagged, rounds chosen by inner folds over the patients of both cohorts.

    The link from distance to P(effective) is fitted on predictions for patients left out.
    """

    engine: str = "sklearn"
    """A name in ENGINES."""
    round_counts: tuple[int, ...] = (50, 100, 150, 200, 300, 400, 500)
    """Numbers of rounds to try, ascending."""
    column_share: float = 0.5
    """Of the columns, for each tree or split. Our choice."""
    folds: int = 3
    bags: int = 4
    excluded_prefixes: tuple[str, ...] = ()
    """Prefixes of codes that get no features."""
    seed: int = 0

    def fit(self, train: Cohort, validation: Cohort) -> DoseGridPolicy:
        """Choose by folds, then grow on both cohorts."""
        whole = join_cohorts(train, validation)
        spec = build_feature_spec(train, self.excluded_prefixes)
        levels, options = observed_dose_levels(train), len(train.study.formulary.treatments)
        X = extract_features(spec, whole.history, whole.last_step)
        rng = np.random.default_rng(self.seed)
        patients = np.arange(len(whole.history.subject_id))
        fold = rng.permutation(patients % self.folds)[whole.subject]

        def columns(rows: TreatedDecisions) -> Columns:
            return append_option_and_dose(X[rows.row], rows.treatment, rows.shift, options)

        treated = treated_decisions(whole, levels, "target_distance")
        weight = treated.weight / treated.weight.mean()
        task = BoostingTask(
            columns(treated),
            treated.target,
            weight,
            "squared_error",
            column_share=self.column_share,
        )
        by_fold = self._grow_folds(task, fold[treated.row])
        rounds = self._choose_rounds(task, fold[treated.row], by_fold)
        labelled = treated_decisions(whole, levels, "effective")
        distance = _left_out(by_fold, columns(labelled), fold[labelled.row], rounds)
        return DoseGridPolicy(
            formulary=train.study.formulary,
            profile=train.profile,
            spec=spec,
            levels=levels,
            link=fit_effectiveness_link(distance, labelled, options),
            trees=self._bag(task, rounds),
        )

    def _grow_folds(self, task: BoostingTask, fold: Int64[np.ndarray, " decision"]) -> list[Trees]:
        """The trees of the most rounds, grown without each fold."""
        grown = []
        for left_out in range(self.folds):
            rows = fold != left_out
            assert task.weight is not None
            part = replace(task, X=task.X[rows], y=task.y[rows], weight=task.weight[rows])
            grown.append(ENGINES[self.engine](part, max(self.round_counts), self.seed))
        return grown

    def _choose_rounds(
        self, task: BoostingTask, fold: Int64[np.ndarray, " decision"], by_fold: list[Trees]
    ) -> int:
        """The number of rounds with the lowest weighted squared error in the folds left out."""
        total = np.zeros(len(self.round_counts))
        assert task.weight is not None
        for left_out, trees in enumerate(by_fold):
            rows = fold == left_out
            predictions = predict_first_trees(trees, task.X[rows], self.round_counts)
            errors = [(p[:, 0] - task.y[rows]) ** 2 @ task.weight[rows] for p in predictions]
            total += errors
        return self.round_counts[int(np.argmin(total))]

    def _bag(self, task: BoostingTask, rounds: int) -> Trees:
        """The mean of trees grown with other seeds."""
        seeds = range(self.seed + 1, self.seed + 1 + self.bags)
        grown = [ENGINES[self.engine](task, rounds, seed) for seed in seeds]
        return add_trees([scale_trees(trees, 1 / self.bags) for trees in grown])


def _left_out(
    by_fold: list[Trees],
    X: Columns,  # noqa: N803
    fold: Int64[np.ndarray, " decision"],
    rounds: int,
) -> Float64[np.ndarray, " decision"]:
    """Predictions of each decision by the trees that were grown without its fold."""
    distance = np.zeros(len(X))
    for left_out, trees in enumerate(by_fold):
        rows = fold == left_out
        distance[rows] = predict_first_trees(trees, X[rows], (rounds,))[0][:, 0]
    return distance
