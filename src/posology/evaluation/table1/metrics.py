"""The metrics of Table 1: which decisions each counts and how each is computed."""

import numpy as np
from jaxtyping import Bool, Float32, Float64

from posology.domain.cohort import Cohort
from posology.evaluation import classification
from posology.evaluation.intervals import Scores, Weights, weighted_mean
from posology.evaluation.table1 import dose_error
from posology.evaluation.table1.predictions import Predictions

Probabilities = Float64[np.ndarray, "decision treatment"]
Rewards = Float32[np.ndarray, "decision treatment"]

METRICS = ("accuracy", "precision", "recall", "f1", "auc", "mae", "within20", "reward")
LOWER_IS_BETTER = frozenset({"mae"})
_CLASSIFICATION = {
    "accuracy": classification.accuracy,
    "precision": classification.precision,
    "recall": classification.recall,
    "f1": classification.f1,
    "auc": classification.auc,
}


def compute_metric(
    metric: str, predictions: Predictions, cohort: Cohort, weights: Weights
) -> Scores:
    """One of `METRICS` in each replicate of the weights."""
    if metric in _CLASSIFICATION:
        is_auc = metric == "auc"
        scores = ranking_scores(predictions, cohort) if is_auc else predictions.effectiveness
        return _CLASSIFICATION[metric](scores, cohort.best_treatment, weights)
    if metric == "reward":
        return mean_expected_reward(predictions.probabilities, cohort.potential_rewards, weights)
    error = dose_error.mean_absolute_error if metric == "mae" else dose_error.share_within_20
    return error(predictions.dose, dose_error.true_dose(cohort), weights)


def counted_decisions(
    metric: str, predictions: Predictions, cohort: Cohort
) -> Bool[np.ndarray, " decision"]:
    """The decisions that a metric counts for a model."""
    if metric in _CLASSIFICATION:
        return cohort.best_treatment >= 0
    if metric == "reward":
        return has_all_rewards(cohort.potential_rewards)
    return dose_error.has_both_doses(predictions.dose, dose_error.true_dose(cohort))


def ranking_scores(
    predictions: Predictions, cohort: Cohort
) -> Float64[np.ndarray, "decision treatment"]:
    """Scores for ROC curves: log-odds margins, or P(effective) where it sums to 1 over options."""
    if cohort.study.outcome.kind == "dose_class":
        return predictions.effectiveness
    return classification.log_odds_margin(predictions.effectiveness)


def has_all_rewards(rewards: Rewards) -> Bool[np.ndarray, " decision"]:
    """Whether the reward of every option is known (full information)."""
    return np.isnan(rewards).sum(axis=1) == 0


def expected_rewards(
    probabilities: Probabilities, rewards: Rewards
) -> Float64[np.ndarray, " decision"]:
    """Expected reward of each decision under the policy; NaN without full information."""
    return (probabilities * rewards).sum(axis=1)


def mean_expected_reward(
    probabilities: Probabilities, rewards: Rewards, weights: Weights | None = None
) -> Scores:
    """Mean expected reward of the decisions with full information; exact, nothing is estimated."""
    expected = expected_rewards(probabilities, rewards)
    return weighted_mean(expected, has_all_rewards(rewards), weights)
