"""Classification metrics: how often a model ranks the truly most effective option first.

Every metric takes the resampling `weights` of intervals.py; without them each decision counts once
and the result has one entry.

Macro averages run over the options that are best for at least one decision, whatever its weight, so
that a resample that lost a rare option is scored by the same rule.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

from posology.evaluation.intervals import (
    Scores,
    Weights,
    unit_weights,
    weighted_mean,
    weighted_ratio,
)

Effectiveness = Float64[np.ndarray, "decision treatment"]
Best = Int32[np.ndarray, " decision"]
"""Most effective option of each decision; -1 where it is unknown."""
OptionCounts = Float64[np.ndarray, "replicate treatment"]


@dataclass(frozen=True, slots=True, eq=False)
class RocCurve:
    """ROC curve of one option against the rest."""

    treatment: int
    false_positive_rate: Float64[np.ndarray, " point"]
    true_positive_rate: Float64[np.ndarray, " point"]
    auc: float


def accuracy(effectiveness: Effectiveness, best: Best, weights: Weights | None = None) -> Scores:
    """Share of decisions whose most effective option is ranked first."""
    is_correct = (effectiveness.argmax(axis=1) == best).astype(float)
    return weighted_mean(is_correct, best >= 0, weights)


def precision(effectiveness: Effectiveness, best: Best, weights: Weights | None = None) -> Scores:
    """Macro precision; an option that is never ranked first has precision 0."""
    cells = _confusion_cells(effectiveness, best, weights)
    return _macro_average(_true_positives(cells), cells.sum(axis=1), best)


def recall(effectiveness: Effectiveness, best: Best, weights: Weights | None = None) -> Scores:
    """Macro recall."""
    cells = _confusion_cells(effectiveness, best, weights)
    return _macro_average(_true_positives(cells), cells.sum(axis=2), best)


def f1(effectiveness: Effectiveness, best: Best, weights: Weights | None = None) -> Scores:
    """Macro F1: the mean over options of 2 TP / (2 TP + FP + FN)."""
    cells = _confusion_cells(effectiveness, best, weights)
    return _macro_average(2 * _true_positives(cells), cells.sum(axis=1) + cells.sum(axis=2), best)


def auc(effectiveness: Effectiveness, best: Best, weights: Weights | None = None) -> Scores:
    """Macro one-vs-rest area under the ROC curve; ties count half (Mann-Whitney)."""
    known = best >= 0
    w = (unit_weights(len(best)) if weights is None else weights)[:, known]
    truth, scores = best[known], effectiveness[known]
    areas = [_auc_of_one(scores[:, k], truth == k, w) for k in _options_that_are_best(best)]
    if not areas:
        return np.full(len(w), np.nan)
    defined = ~np.isnan(areas)
    return weighted_ratio(
        np.where(defined, areas, 0.0).sum(axis=0), defined.sum(axis=0).astype(float)
    )


def log_odds_margin(effectiveness: Effectiveness) -> Effectiveness:
    """Log-odds of each option's effectiveness less those of the best other option.

    Where options are scored separately, P(effective) reflects the patient's prognosis more than
    which option is best: even the true P would have an AUC far below 1; its margin has 1.
    """
    if effectiveness.shape[1] < 2:
        return effectiveness
    p = np.clip(effectiveness, 1e-6, 1 - 1e-6)
    log_odds = np.log(p / (1 - p))
    top_two = np.sort(log_odds, axis=1)[:, -2:]
    return log_odds - np.where(log_odds == top_two[:, 1:], top_two[:, :1], top_two[:, 1:])


def confusion_matrix(
    effectiveness: Effectiveness, best: Best
) -> Int64[np.ndarray, "treatment ranked_first"]:
    """Counts of decisions: most effective option (rows) by option ranked first (columns)."""
    return _confusion_cells(effectiveness, best, None)[0].astype(np.int64)


def roc_curves(effectiveness: Effectiveness, best: Best) -> tuple[RocCurve, ...]:
    """One curve for each option that is best for some decisions and not for all."""
    from sklearn.metrics import roc_curve

    known = best >= 0
    curves = []
    for k in _options_that_are_best(best):
        is_best = best[known] == k
        if is_best.all():
            continue
        false_rate, true_rate, _ = roc_curve(is_best, effectiveness[known, k])
        area = float(
            _auc_of_one(effectiveness[known, k], is_best, unit_weights(int(known.sum())))[0]
        )
        curves.append(RocCurve(k, false_rate.astype(float), true_rate.astype(float), area))
    return tuple(curves)


def _options_that_are_best(best: Best) -> list[int]:
    return [int(k) for k in np.unique(best[best >= 0])]


def _confusion_cells(
    effectiveness: Effectiveness, best: Best, weights: Weights | None
) -> Float64[np.ndarray, "replicate treatment ranked_first"]:
    K = effectiveness.shape[1]
    known = best >= 0
    w = (unit_weights(len(best)) if weights is None else weights)[:, known]
    cell = best[known] * K + effectiveness[known].argmax(axis=1)
    cell_one_hot = (cell[:, None] == np.arange(K * K)).astype(float)
    return (w @ cell_one_hot).reshape(len(w), K, K)


def _true_positives(cells: Float64[np.ndarray, "replicate treatment ranked_first"]) -> OptionCounts:
    return np.diagonal(cells, axis1=1, axis2=2)


def _macro_average(numerator: OptionCounts, denominator: OptionCounts, best: Best) -> Scores:
    options = _options_that_are_best(best)
    if not options:
        return np.full(len(numerator), np.nan)
    share = np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
    return share[:, options].mean(axis=1)


def _auc_of_one(
    score: Float64[np.ndarray, " decision"], is_best: Bool[np.ndarray, " decision"], w: Weights
) -> Scores:
    """Mann-Whitney: the weight of negatives scored below each positive, ties counted half."""
    order = np.argsort(score, kind="stable")
    ranked, positive = score[order], is_best[order]
    w = w[:, order]
    negatives = np.zeros((len(w), len(score) + 1))
    np.cumsum(w * ~positive, axis=1, out=negatives[:, 1:])
    of_positives = ranked[positive]
    first = np.searchsorted(ranked, of_positives, side="left")
    after = np.searchsorted(ranked, of_positives, side="right")
    below = (negatives[:, first] + negatives[:, after]) / 2
    w_positive = w[:, positive]
    pairs = w_positive.sum(axis=1) * negatives[:, -1]
    return weighted_ratio((w_positive * below).sum(axis=1), pairs)
