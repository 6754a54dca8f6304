"""Gradient boosting (Friedman 2001; histograms as in LightGBM) by scikit-learn."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from posology.causal.boosted_trees import bin_columns
from posology.domain.cohort import Cohort
from posology.learners.features.tabular import FeatureSpec
from posology.learners.outcome_models.design import (
    Design,
    Labels,
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
)

MIN_LEAF_SIZE = 20
"""Minimum leaf size: scikit-learn's default."""


@dataclass(frozen=True, slots=True)
class GradientBoostingLearner:
    """Boosted trees for the options and for the square root of the dose.

    The validation decisions choose the number of leaves, the loss of the dose and when to stop; the
    rest are scikit-learn's defaults.
    """

    max_rounds: int = 300
    patience: int = 30
    """Rounds without a lower validation loss before stopping."""
    learning_rate: float = 0.1
    leaf_counts: tuple[int, ...] = (4, 8)
    """Leaves per tree to try. Our choice."""
    dose_losses: tuple[str, ...] = ("squared_error", "absolute_error")
    """Losses to try for the square root of the dose."""
    excluded_prefixes: tuple[str, ...] = ()
    """Prefixes of codes that get no features."""
    seed: int = 0

    def fit(self, train: Cohort, validation: Cohort) -> TreePolicy:
        """Fit both sets of trees."""
        data = drop_unsplittable_columns(build_design(train, validation, self.excluded_prefixes))
        return TreePolicy(
            formulary=train.study.formulary,
            profile=train.profile,
            spec=data.spec,
            option_trees=self._options(data),
            dose_trees=self._dose(data),
            is_multiclass=data.labels.is_multiclass,
        )

    def _options(self, data: Design) -> Trees:
        from sklearn.ensemble import HistGradientBoostingClassifier

        labels = data.labels
        X, V, y, width = data.X, data.X_validation, labels.best, labels.option_count
        known = y >= 0
        if not labels.is_multiclass:
            X = append_option(X, labels.treatment, labels.option_count)
            V = append_option(V, data.validation_labels.treatment, labels.option_count)
            y, width = np.nan_to_num(labels.effective, nan=-1).astype(np.int64), 2
            known = y >= 0
        if len(np.unique(y[known])) < 2:
            return constant_label_trees(labels, y[known])
        best, best_loss = None, np.inf
        weight = sample_weight(labels, known)
        rows = X[known] if weight is None else bin_columns(X[known])
        for leaves in self.leaf_counts:
            model = HistGradientBoostingClassifier(
                learning_rate=self.learning_rate,
                max_leaf_nodes=leaves,
                early_stopping=False,
                warm_start=True,
                min_samples_leaf=MIN_LEAF_SIZE,
                random_state=self.seed,
            )
            losses = partial(_log_losses, V=V, data=data)
            stop, loss = boost_until_no_gain(
                model, (rows, y[known], weight), losses, self.max_rounds, self.patience
            )
            if best is None or loss < best_loss:
                best, best_loss = trees_of_boosting(model, stop, width), loss
        return require_trees(best)

    def _dose(self, data: Design) -> Trees:
        from sklearn.ensemble import HistGradientBoostingRegressor

        known = ~np.isnan(data.labels.dose)
        if not known.any():
            return constant_trees(np.full(1, np.nan))
        X, y = data.X[known], np.sqrt(data.labels.dose[known])
        best, best_error = None, np.inf
        for leaves, loss in product(self.leaf_counts, self.dose_losses):
            model = HistGradientBoostingRegressor(
                loss=loss,
                learning_rate=self.learning_rate,
                max_leaf_nodes=leaves,
                early_stopping=False,
                warm_start=True,
                min_samples_leaf=MIN_LEAF_SIZE,
                random_state=self.seed,
            )
            losses = partial(_dose_errors, data=data)
            stop, error = boost_until_no_gain(model, (X, y), losses, self.max_rounds, self.patience)
            if best is None or error < best_error:
                best, best_error = trees_of_boosting(model, stop, 1), error
        return require_trees(best)


def boost_until_no_gain(
    model: Any,
    fit_arguments: tuple[np.ndarray | None, ...],
    losses: Callable[[Any], np.ndarray],
    rounds: int,
    patience: int,
) -> tuple[int, float]:
    """Boost until the validation loss stops falling; return the best number of rounds and its loss.

    All rounds are used where no validation label is known.

    Args:
        fit_arguments: positional arguments of the model's `fit`.
        losses: validation loss after each round.
    """
    for number in range(patience, rounds + patience, patience):
        model.set_params(max_iter=min(number, rounds)).fit(*fit_arguments)
        loss = losses(model)
        if np.isnan(loss).all():
            continue
        best = int(np.nanargmin(loss))
        if len(loss) - 1 - best >= patience:
            break
    return (len(loss), float("nan")) if np.isnan(loss).all() else (best + 1, float(loss[best]))


def drop_unsplittable_columns(data: Design) -> Design:
    """Drop columns that no tree can split: all but a few rows share one value.

    "A few" is fewer than the minimum leaf size. The trees are the same and grow faster.
    """
    common = np.array([_mode_count(column) for column in data.X.T])
    is_splittable = len(data.X) - common >= MIN_LEAF_SIZE
    spec = FeatureSpec(data.spec.code[is_splittable], data.spec.kind[is_splittable])
    return data._replace(
        spec=spec, X=data.X[:, is_splittable], X_validation=data.X_validation[:, is_splittable]
    )


def _mode_count(column: np.ndarray) -> int:
    """How often the most frequent value occurs; missing counts as one value."""
    return int(np.unique(column, return_counts=True)[1].max(initial=0))


def trees_of_boosting(model: Any, rounds: int, width: int) -> Trees:
    """The first rounds of a fitted scikit-learn model as arrays.

    Of the `width` classes, those absent from training get probability 0.
    """
    baseline, predictors = _fitted_parts(model)
    start, columns = np.zeros(1), np.zeros(1, np.int64)
    if classes := _classes(model):
        start = np.full(width, _ABSENT_LOGIT)
        start[classes] = 0.0
        # With two classes the model predicts only the log-odds of the second.
        columns = np.array(classes[1:] if len(classes) == 2 else classes)
    start[columns] = baseline
    parts = [
        _tree(predictor.nodes, int(column), len(start))
        for trees in predictors[:rounds]
        for column, predictor in zip(columns, trees, strict=True)
    ]
    return concatenate_trees(parts, start, "softmax" if classes else "identity")


def _fitted_parts(model: Any) -> tuple[np.ndarray, list]:
    """Baseline prediction and trees, per round and class, of a HistGradientBoosting model.

    Both attributes are private: scikit-learn has no public access to these trees. A test compares
    the arrays with `predict`, so a change in scikit-learn is noticed.
    """
    baseline = np.asarray(model._baseline_prediction, dtype=np.float64).ravel()
    return baseline, model._predictors


def _classes(model: Any) -> list[int]:
    """Classes in a classifier's training data; none for a regressor."""
    return [int(c) for c in getattr(model, "classes_", ())]


def _log_losses(model: Any, V: np.ndarray, data: Design) -> np.ndarray:  # noqa: N803
    """Log loss on the validation decisions after each round."""
    losses = []
    for p in model.staged_predict_proba(V):
        p_effective = np.zeros((len(V), data.labels.option_count))
        if data.labels.is_multiclass:
            p_effective[:, _classes(model)] = p
        else:
            p_effective[:] = p[:, -1:]  # V holds the option received, the only one with a label
        losses.append(mean_log_loss(p_effective, data.validation_labels))
    return np.array(losses)


def _dose_errors(model: Any, data: Design) -> np.ndarray:
    """Absolute error of the dose on the validation decisions after each round."""
    roots = model.staged_predict(data.X_validation)
    return np.array(
        [mean_dose_error(dose_from_root(root), data.validation_labels) for root in roots]
    )


def constant_label_trees(labels: Labels, y: np.ndarray) -> Trees:
    """Where all labels are the same: that class or, of outcomes, the Laplace estimate."""
    if labels.is_multiclass:
        return constant_trees(np.eye(labels.option_count)[y[0]])
    return constant_trees(np.array([(y.sum() + 1) / (len(y) + 2)]))


def require_trees(best: Trees | None) -> Trees:
    """The best trees; ValueError where there were no settings to try."""
    if best is None:
        raise ValueError("leaf_counts or dose_losses is empty: give at least one to try")
    return best


_ABSENT_LOGIT = -50.0
"""Logit of an option that was never the best in training."""


def _tree(nodes: np.ndarray, column: int, width: int) -> Trees:
    leaf = nodes["is_leaf"].astype(bool)
    value = np.zeros((len(nodes), width))
    value[leaf, column] = nodes["value"][leaf]
    return Trees(
        root=np.zeros(1, np.int32),
        feature=np.where(leaf, -1, nodes["feature_idx"]).astype(np.int32),
        threshold=nodes["num_threshold"].astype(np.float64),
        left=nodes["left"].astype(np.int32),
        right=nodes["right"].astype(np.int32),
        missing_left=nodes["missing_go_to_left"].astype(bool),
        value=value,
        baseline=np.zeros(width),
        link="identity",
    )
