"""The classical models of `benchmarks.tasks`, on flattened histories."""
# ruff: noqa: N803 - X, V and T as the field writes its matrices

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sksurv.linear_model import CoxnetSurvivalAnalysis
from sksurv.metrics import integrated_brier_score
from sksurv.nonparametric import kaplan_meier_estimator

from benchmarks.tasks_scores import outcomes
from posology.domain.cohort import Cohort
from posology.domain.history import latest_value
from posology.domain.policy import OutcomePredictions
from posology.domain.study import INTERVALS
from posology.learners.features.rewards import diagnosis_weights
from posology.learners.features.tabular import build_feature_spec, extract_features
from posology.learners.outcome_models.boosting_task import BoostingTask
from posology.learners.outcome_models.lightgbm_trees import is_installed
from posology.learners.outcome_models.tree_policy import predict_first_trees, predict_trees
from posology.learners.outcome_models.tuned_boosting import ENGINES

PENALTIES, RIDGES, LEAVES = (0.001, 0.01, 0.1, 1.0), (10.0, 100.0, 1000.0, 10_000.0), (4, 8, 16)
ROUNDS, PATIENCE, RATE = 400, 30, 0.05
ROUND_COUNTS = (25, 50, 100, 200, 300, 400, 500)


def _flat(*cohorts: Cohort) -> list[np.ndarray]:
    spec = build_feature_spec(cohorts[0])
    return [extract_features(spec, c.history, c.last_step) for c in cohorts]


def _standard(*cohorts: Cohort) -> list[np.ndarray]:
    """Missing numbers as the training mean and a column that says so; every column standardised."""
    flat = _flat(*cohorts)
    pipe: Pipeline = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    return [pipe.fit_transform(flat[0]), *(pipe.transform(X) for X in flat[1:])]


def _prediction(rows: int, **parts: np.ndarray) -> OutcomePredictions:
    empty = {
        "diagnosis": np.zeros((rows, 0, 1)),
        "progression": np.zeros((rows, 0, 1)),
        "progression_error": np.zeros(0),
        "survival": np.zeros((rows, 0, INTERVALS, 1)),
    }
    return OutcomePredictions(**{**empty, **parts})


def logistic(train: Cohort, validation: Cohort, test: Cohort) -> OutcomePredictions:
    """Logistic regression a condition, ridge regression a number."""
    X, V, T = _standard(train, validation, test)
    p, numbers = [], []
    for (y, w, known), (y_v, w_v, known_v) in zip(_labels(train), _labels(validation), strict=True):
        fitted = [_quiet(LogisticRegression(C=c, max_iter=500), X[known], y, w) for c in PENALTIES]
        losses = [
            log_loss(y_v, m.predict_proba(V[known_v]), sample_weight=w_v, labels=[0, 1])
            for m in fitted
        ]
        p.append(fitted[int(np.argmin(losses))].predict_proba(T)[:, 1])
    for (y, known), (y_v, known_v) in zip(_numbers(train), _numbers(validation), strict=True):
        ridges = [Ridge(alpha=a).fit(X[known], y) for a in RIDGES]
        off = [np.square(m.predict(V[known_v]) - y_v).mean() for m in ridges]
        numbers.append(ridges[int(np.argmin(off))].predict(T))
    return _prediction(
        len(test), diagnosis=np.stack(p, 1)[..., None], progression=np.stack(numbers, 1)[..., None]
    )


def boosting(train: Cohort, validation: Cohort, test: Cohort) -> OutcomePredictions:
    """Gradient boosting a condition and a number; leaves and rounds are chosen."""
    X, V, T = _flat(train, validation, test)
    p, numbers = [], []
    for (y, w, known), (y_v, w_v, known_v) in zip(_labels(train), _labels(validation), strict=True):
        tried = [_classes(X[known], (y, w), V[known_v], (y_v, w_v), leaves) for leaves in LEAVES]
        _, model, rounds = min(tried, key=lambda t: t[0])
        p.append(_staged(model.staged_predict_proba(T), rounds)[:, 1])
    for (y, known), (y_v, known_v) in zip(_numbers(train), _numbers(validation), strict=True):
        tried = [_regression(X[known], y, V[known_v], y_v, leaves) for leaves in LEAVES]
        _, model, rounds = min(tried, key=lambda t: t[0])
        numbers.append(_staged(model.staged_predict(T), rounds))
    return _prediction(
        len(test), diagnosis=np.stack(p, 1)[..., None], progression=np.stack(numbers, 1)[..., None]
    )


def tuned_boosting(train: Cohort, validation: Cohort, test: Cohort) -> OutcomePredictions:
    """Boosting on random columns: rounds chosen, then grown on both splits and bagged.

    By LightGBM where it is installed, else by scikit-learn.
    """
    X, V, T = _flat(train, validation, test)
    p, numbers = [], []
    for (y, w, known), (y_v, w_v, known_v) in zip(_labels(train), _labels(validation), strict=True):
        learn = BoostingTask(X[known], y.astype(np.float64), w, "classes", 2)
        check = BoostingTask(V[known_v], y_v.astype(np.float64), w_v, "classes", 2)
        p.append(_tuned(learn, check, T, partial(_log_loss, y_v, w_v))[:, 1])
    for (y, known), (y_v, known_v) in zip(_numbers(train), _numbers(validation), strict=True):
        learn = BoostingTask(X[known], y, None, "squared_error")
        check = BoostingTask(V[known_v], y_v, None, "squared_error")
        numbers.append(_tuned(learn, check, T, partial(_squared_error, y_v))[:, 0])
    return _prediction(
        len(test), diagnosis=np.stack(p, 1)[..., None], progression=np.stack(numbers, 1)[..., None]
    )


def _tuned(
    learn: BoostingTask, check: BoostingTask, T: np.ndarray, loss: Callable[[np.ndarray], float]
) -> np.ndarray:
    grow = ENGINES["lightgbm" if is_installed() else "sklearn"]
    trees = grow(learn, max(ROUND_COUNTS), 0)
    a_round = len(trees.root) // max(ROUND_COUNTS)
    tried = predict_first_trees(trees, check.X, [n * a_round for n in ROUND_COUNTS])
    rounds = ROUND_COUNTS[int(np.argmin([loss(one) for one in tried]))]
    weight = None
    if learn.weight is not None and check.weight is not None:
        weight = np.concatenate([learn.weight, check.weight])
    both = replace(
        learn, X=np.vstack([learn.X, check.X]), y=np.append(learn.y, check.y), weight=weight
    )
    return np.mean([predict_trees(grow(both, rounds, seed), T) for seed in range(1, 4)], axis=0)


def _log_loss(y: np.ndarray, w: np.ndarray, p: np.ndarray) -> float:
    return float(log_loss(y, p, sample_weight=w, labels=[0, 1]))


def _squared_error(y: np.ndarray, predicted: np.ndarray) -> float:
    return float(np.square(predicted[:, 0] - y).mean())


def last_value(train: Cohort, validation: Cohort, test: Cohort) -> OutcomePredictions:
    """Nothing changes: the last visible number, the training mean where there is none."""
    del validation
    assert train.progression is not None
    columns = []
    for i, target in enumerate(test.study.progression):
        last = latest_value(test.history, test.last_step, test.profile.rows(target.codes))
        columns.append(np.where(np.isnan(last), np.nanmean(train.progression[:, i]), last))
    return _prediction(len(test), progression=np.stack(columns, 1)[..., None])


def cox(train: Cohort, validation: Cohort, test: Cohort) -> OutcomePredictions:
    """Cox's model with an elastic net, its strength chosen by the integrated Brier score."""
    X, V, T = _standard(train, validation, test)
    curves = []
    for i, target in enumerate(train.study.time_to_event):
        past, later = outcomes(train, i), outcomes(validation, i)
        days = target.within_days * np.arange(1, INTERVALS + 1) / INTERVALS
        inside = (days >= later["days"].min()) & (days < later["days"].max())
        model = CoxnetSurvivalAnalysis(
            n_alphas=30, alpha_min_ratio=0.002, l1_ratio=0.1, fit_baseline_model=True
        )
        _quiet(model, X, past)

        def said(
            flat: np.ndarray, alpha: float, m: object = model, at: np.ndarray = days
        ) -> np.ndarray:
            functions = m.predict_survival_function(flat, alpha=alpha)  # type: ignore
            return np.stack([f(np.clip(at, *f.domain)) for f in functions])

        tried = model.alphas_[::3]
        scores = [
            integrated_brier_score(past, later, said(V, a)[:, inside], days[inside]) for a in tried
        ]
        curves.append(said(T, tried[int(np.argmin(scores))]))
    return _prediction(len(test), survival=np.stack(curves, 1)[..., None])


def kaplan_meier(train: Cohort, validation: Cohort, test: Cohort) -> OutcomePredictions:
    """The training patients' survival curve for every patient."""
    del validation
    curves = []
    for i, target in enumerate(train.study.time_to_event):
        past = outcomes(train, i)
        when, p = kaplan_meier_estimator(past["event"], past["days"])
        days = target.within_days * np.arange(1, INTERVALS + 1) / INTERVALS
        at = np.searchsorted(when, days, side="right") - 1
        curves.append(np.tile(np.where(at < 0, 1.0, p[np.maximum(at, 0)]), (len(test), 1)))
    return _prediction(len(test), survival=np.stack(curves, 1)[..., None])


LINEUP: dict[str, Callable[[Cohort, Cohort, Cohort], OutcomePredictions]] = {
    "logistic_ridge": logistic,
    "boosting": boosting,
    "tuned_boosting": tuned_boosting,
    "last_value": last_value,
    "cox": cox,
    "kaplan_meier": kaplan_meier,
}


def _labels(cohort: Cohort) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Each condition's known labels, their weights, and which decisions have one."""
    assert cohort.diagnosis is not None
    known, weight = ~np.isnan(cohort.diagnosis), diagnosis_weights(cohort)
    return [
        (cohort.diagnosis[k, i].astype(int), weight[k, i].astype(np.float64), k)
        for i, k in enumerate(known.T)
    ]


def _numbers(cohort: Cohort) -> list[tuple[np.ndarray, np.ndarray]]:
    assert cohort.progression is not None
    known = ~np.isnan(cohort.progression)
    return [(cohort.progression[k, i].astype(np.float64), k) for i, k in enumerate(known.T)]


def _classes(
    X: np.ndarray,
    known: tuple[np.ndarray, np.ndarray],
    V: np.ndarray,
    known_v: tuple[np.ndarray, np.ndarray],
    leaves: int,
) -> tuple[float, HistGradientBoostingClassifier, int]:
    """The least validation loss, the model, and after how many rounds it was that good.

    known: labels and their weights.
    """
    (y, w), (y_v, w_v) = known, known_v
    model = HistGradientBoostingClassifier(
        learning_rate=RATE, max_leaf_nodes=leaves, early_stopping=False, warm_start=True
    )
    losses: list[float] = []
    for rounds in range(PATIENCE, ROUNDS + 1, PATIENCE):
        model.set_params(max_iter=rounds).fit(X, y, sample_weight=w)
        losses = [
            log_loss(y_v, p, sample_weight=w_v, labels=[0, 1])
            for p in model.staged_predict_proba(V)
        ]
        if len(losses) - 1 - int(np.argmin(losses)) >= PATIENCE:
            break
    return min(losses), model, int(np.argmin(losses))


def _regression(
    X: np.ndarray,
    y: np.ndarray,
    V: np.ndarray,
    y_v: np.ndarray,
    leaves: int,
) -> tuple[float, HistGradientBoostingRegressor, int]:
    model = HistGradientBoostingRegressor(
        learning_rate=RATE, max_leaf_nodes=leaves, early_stopping=False, warm_start=True
    )
    losses: list[float] = []
    for rounds in range(PATIENCE, ROUNDS + 1, PATIENCE):
        model.set_params(max_iter=rounds).fit(X, y)
        losses = [float(np.square(said - y_v).mean()) for said in model.staged_predict(V)]
        if len(losses) - 1 - int(np.argmin(losses)) >= PATIENCE:
            break
    return min(losses), model, int(np.argmin(losses))


def _staged(stages, which: int) -> np.ndarray:
    return next(said for number, said in enumerate(stages) if number == which)


def _quiet(model, X: np.ndarray, y: np.ndarray, *weights: np.ndarray):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y, *weights)
