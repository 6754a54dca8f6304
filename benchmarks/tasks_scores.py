"""The figures of `benchmarks.tasks`, each with replicates by bootstrap over patients."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.metrics import average_precision_score, brier_score_loss, r2_score, roc_auc_score
from sksurv.metrics import concordance_index_ipcw, cumulative_dynamic_auc, integrated_brier_score
from sksurv.util import Surv

from posology.domain.cohort import Cohort
from posology.domain.policy import OutcomePredictions
from posology.evaluation.intervals import resample_weights
from posology.evaluation.table1.calibration import calibration_slope, expected_calibration_error
from posology.learners.features.rewards import diagnosis_weights

LOWER_IS_BETTER = ("brier", "ece", "mae", "integrated_brier")
MACRO = "all conditions"


class Scored(NamedTuple):
    """One figure and its replicates."""

    value: float
    replicates: np.ndarray
    known: int
    """Decisions whose truth is known."""

    def interval(self) -> tuple[float, float]:
        """The middle 95 % of the replicates."""
        low, high = np.nanquantile(self.replicates, (0.025, 0.975))
        return float(low), float(high)


Scores = dict[tuple[str, str], Scored]


def scored(said: OutcomePredictions, train: Cohort, test: Cohort, replicates: int) -> Scores:
    """Scores by (target, metric), for the tasks that the prediction covers."""
    rng = np.random.default_rng(0)  # the same resamples for every model, so differences are paired
    weights = np.concatenate(list(resample_weights(test.subject, replicates, rng)))
    table: Scores = {}
    if said.diagnosis.shape[1]:
        table |= _diagnosis(said.diagnosis[:, :, 0], test, weights)
    if said.progression.shape[1]:
        table |= _progression(said.progression[:, :, 0], test, weights)
    if said.survival.shape[1]:
        table |= _survival(said.survival[..., 0], train, test, weights)
    return table


def _of(
    figure: Callable[[np.ndarray], float],
    weights: np.ndarray,
    known: np.ndarray,
    stands_for: np.ndarray | None = None,
) -> Scored:
    """figure: of how often each known decision counts, times whom else it stands for."""
    w = weights[:, known]
    each = np.ones(w.shape[1]) if stands_for is None else stands_for[known].astype(np.float64)
    return Scored(figure(each), np.array([figure(one) for one in w * each]), w.shape[1])


def _diagnosis(p: np.ndarray, test: Cohort, weights: np.ndarray) -> Scores:
    assert test.diagnosis is not None
    table: Scores = {}
    stands_for = diagnosis_weights(test)
    for i, target in enumerate(test.study.diagnosis):
        known = ~np.isnan(test.diagnosis[:, i])
        y, said = test.diagnosis[known, i], p[known, i].astype(np.float64)

        def metric(score: Callable, y: np.ndarray = y, said: np.ndarray = said) -> Callable:
            return lambda w: float(score(y, said, sample_weight=w)) if y @ w > 0 else np.nan

        def batch(score: Callable, y: np.ndarray = y, said: np.ndarray = said) -> Callable:
            return lambda w: float(score(said, y == 1, w[None])[0])

        figures = {
            "auc": metric(roc_auc_score),
            "average_precision": metric(average_precision_score),
            "brier": metric(brier_score_loss),
            "ece": batch(expected_calibration_error),
            "calibration_slope": batch(calibration_slope),
        }
        for name, figure in figures.items():
            table[target.name, name] = _of(figure, weights, known, stands_for[:, i])
    for name in ("auc", "average_precision", "brier", "ece"):
        parts = [table[target.name, name] for target in test.study.diagnosis]
        table[MACRO, name] = Scored(
            float(np.mean([s.value for s in parts])),
            np.mean([s.replicates for s in parts], axis=0),
            min(s.known for s in parts),
        )
    return table


def _progression(expected: np.ndarray, test: Cohort, weights: np.ndarray) -> Scores:
    assert test.progression is not None
    table: Scores = {}
    for i, target in enumerate(test.study.progression):
        known = ~np.isnan(test.progression[:, i])
        y, said = test.progression[known, i].astype(np.float64), expected[known, i]

        off = np.abs(y - said)

        def mae(w: np.ndarray, off: np.ndarray = off) -> float:
            return float(np.average(off, weights=w))

        def r2(w: np.ndarray, y: np.ndarray = y, said: np.ndarray = said) -> float:
            return float(r2_score(y, said, sample_weight=w))

        table[target.name, "mae"] = _of(mae, weights, known)
        table[target.name, "r2"] = _of(r2, weights, known)
    return table


def _survival(survival: np.ndarray, train: Cohort, test: Cohort, weights: np.ndarray) -> Scores:
    """Integrated Brier score (Graf 1999), mean cumulative/dynamic AUC (Uno 2007; Lambert and
    Chevret 2016) and Uno's concordance of the risk at the window's end."""
    assert test.event_time is not None
    assert test.event_observed is not None
    table: Scores = {}
    for i, target in enumerate(test.study.time_to_event):
        past, truth = outcomes(train, i), outcomes(test, i)
        days = target.within_days * np.arange(1, survival.shape[2] + 1) / survival.shape[2]
        said, known = survival[:, i], np.ones(len(test), dtype=bool)
        metrics = {
            "integrated_brier": lambda r, p, s, s_at: integrated_brier_score(p, r, s, s_at),
            "auc_td": lambda r, p, s, s_at: cumulative_dynamic_auc(p, r, 1 - s, s_at)[1],
            "concordance": lambda r, p, s, s_at: concordance_index_ipcw(
                p, r, 1 - s[:, -1], tau=s_at[-1]
            )[0],
        }
        for name, score in metrics.items():

            def figure(
                w: np.ndarray,
                score: Callable = score,
                y: np.ndarray = truth,
                p: np.ndarray = past,
                s: np.ndarray = said,
                at: np.ndarray = days,
            ) -> float:
                rows = np.repeat(np.arange(len(y)), w.astype(int))
                there = y["days"][rows]  # times are wanted from the first event to the last day
                inside = (at >= there[y["event"][rows]].min()) & (at < there.max())
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    return float(score(y[rows], p, s[rows][:, inside], at[inside]))

            some = weights[:40] if name == "concordance" else weights  # slow: quadratic
            found = _of(figure, some, known)
            padded = np.full(len(weights), np.nan)
            padded[: len(found.replicates)] = found.replicates
            table[target.name, name] = found._replace(replicates=padded)
    return table


def outcomes(cohort: Cohort, incident: int) -> np.ndarray:
    """scikit-survival's outcomes; who was watched through the window left after it."""
    assert cohort.event_time is not None
    assert cohort.event_observed is not None
    days = np.maximum(cohort.event_time[:, incident].astype(np.float64), 1e-3)
    within = cohort.study.time_to_event[incident].within_days
    days[(days >= within) & ~cohort.event_observed[:, incident]] = within + 1
    return Surv.from_arrays(np.asarray(cohort.event_observed[:, incident]), days, "event", "days")
