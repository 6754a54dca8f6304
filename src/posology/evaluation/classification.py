"""How often the most effective option is named, by the five figures papers print.

Every score takes `weights`: one row a replicate, one column a decision. Without them each decision
counts once, and the answer has one entry. The bootstrap passes how often it drew each decision, so
that thousands of resamples are a handful of matrix products.

Macro averages run over the options that were best for anybody (weighted or not), so that a resample
that lost a rare option is scored by the same rule.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

Effectiveness = Float64[np.ndarray, "decision treatment"]
Best = Int32[np.ndarray, " decision"]
Weights = Float64[np.ndarray, "replicate decision"]
Scores = Float64[np.ndarray, " replicate"]


@dataclass(frozen=True, slots=True, eq=False)
class RocCurve:
    """One option against the rest."""

    treatment: int
    false_positive_rate: Float64[np.ndarray, " point"]
    true_positive_rate: Float64[np.ndarray, " point"]
    auc: float


def weighted_mean(
    values: Float64[np.ndarray, " decision"],
    known: Bool[np.ndarray, " decision"],
    weights: Weights | None,
) -> Scores:
    """Mean of the known values; NaN where no weight lies on any of them."""
    w = unit_weights(len(values)) if weights is None else weights
    w = w[:, known]
    return _ratio(w @ values[known], w.sum(axis=1))


def unit_weights(decisions: int) -> Weights:
    """Each decision counted once."""
    return np.ones((1, decisions))


def accuracy(effectiveness: Effectiveness, best: Best, weights: Weights | None = None) -> Scores:
    """Share of decisions whose most effective option was named; best = -1 is left out."""
    right = (effectiveness.argmax(axis=1) == best).astype(float)
    return weighted_mean(right, best >= 0, weights)


def precision(effectiveness: Effectiveness, best: Best, weights: Weights | None = None) -> Scores:
    """Macro precision; an option that is never named has precision 0."""
    cells = _cells(effectiveness, best, weights)
    return _macro(_diagonal(cells), cells.sum(axis=1), best)


def recall(effectiveness: Effectiveness, best: Best, weights: Weights | None = None) -> Scores:
    """Macro recall."""
    cells = _cells(effectiveness, best, weights)
    return _macro(_diagonal(cells), cells.sum(axis=2), best)


def f1(effectiveness: Effectiveness, best: Best, weights: Weights | None = None) -> Scores:
    """Macro F1: the mean over options of 2 TP / (2 TP + FP + FN)."""
    cells = _cells(effectiveness, best, weights)
    return _macro(2 * _diagonal(cells), cells.sum(axis=1) + cells.sum(axis=2), best)


def auc(effectiveness: Effectiveness, best: Best, weights: Weights | None = None) -> Scores:
    """Macro one-vs-rest area under the ROC curve; ties count half (Mann-Whitney)."""
    known = best >= 0
    w = (unit_weights(len(best)) if weights is None else weights)[:, known]
    truth, scores = best[known], effectiveness[known]
    areas = [_area(scores[:, k], truth == k, w) for k in _occurring(best)]
    if not areas:
        return np.full(len(w), np.nan)
    defined = ~np.isnan(areas)
    return _ratio(np.where(defined, areas, 0.0).sum(axis=0), defined.sum(axis=0).astype(float))


def log_odds_margin(effectiveness: Effectiveness) -> Effectiveness:
    """How far the log-odds of each option's effect lie above those of the best other option.

    Where each option stands alone, P(effective) itself says more of how ill the patient is than of
    which option is best: the truth's own P would have an AUC far below 1, its lead has 1.
    """
    if effectiveness.shape[1] < 2:
        return effectiveness
    p = np.clip(effectiveness, 1e-6, 1 - 1e-6)
    odds = np.log(p / (1 - p))
    two = np.sort(odds, axis=1)[:, -2:]
    return odds - np.where(odds == two[:, 1:], two[:, :1], two[:, 1:])


def confusion_matrix(
    effectiveness: Effectiveness, best: Best
) -> Int64[np.ndarray, "treatment named_treatment"]:
    """How often each best option (rows) met each named one (columns)."""
    return _cells(effectiveness, best, None)[0].astype(np.int64)


def roc_curves(effectiveness: Effectiveness, best: Best) -> tuple[RocCurve, ...]:
    """One curve for each option that was best for some decisions and not for all."""
    from sklearn.metrics import roc_curve

    known = best >= 0
    curves = []
    for k in _occurring(best):
        hit = best[known] == k
        if hit.all():
            continue
        false, true, _ = roc_curve(hit, effectiveness[known, k])
        area = float(_area(effectiveness[known, k], hit, unit_weights(int(known.sum())))[0])
        curves.append(RocCurve(k, false.astype(float), true.astype(float), area))
    return tuple(curves)


def _occurring(best: Best) -> list[int]:
    return [int(k) for k in np.unique(best[best >= 0])]


def _cells(
    effectiveness: Effectiveness, best: Best, weights: Weights | None
) -> Float64[np.ndarray, "replicate treatment named_treatment"]:
    K = effectiveness.shape[1]
    known = best >= 0
    w = (unit_weights(len(best)) if weights is None else weights)[:, known]
    cell = best[known] * K + effectiveness[known].argmax(axis=1)
    one_hot = (cell[:, None] == np.arange(K * K)).astype(float)
    return (w @ one_hot).reshape(len(w), K, K)


def _diagonal(cells: Float64[np.ndarray, "replicate treatment named_treatment"]) -> np.ndarray:
    return np.diagonal(cells, axis1=1, axis2=2)


def _macro(top: np.ndarray, bottom: np.ndarray, best: Best) -> Scores:
    options = _occurring(best)
    if not options:
        return np.full(len(top), np.nan)
    share = np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)
    return share[:, options].mean(axis=1)


def _area(
    score: Float64[np.ndarray, " decision"], hit: Bool[np.ndarray, " decision"], w: Weights
) -> Scores:
    order = np.argsort(score, kind="stable")
    ranked, positive = score[order], hit[order]
    w = w[:, order]
    below = np.zeros((len(w), len(score) + 1))
    np.cumsum(w * ~positive, axis=1, out=below[:, 1:])
    at = ranked[positive]
    first = np.searchsorted(ranked, at, side="left")
    after = np.searchsorted(ranked, at, side="right")
    beaten = (below[:, first] + below[:, after]) / 2
    w_positive = w[:, positive]
    return _ratio((w_positive * beaten).sum(axis=1), w_positive.sum(axis=1) * below[:, -1])


def _ratio(top: Scores, bottom: Scores) -> Scores:
    return np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0)
