"""Gradient boosting (Friedman 2001; histograms as in LightGBM) by scikit-learn."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from posology.domain.cohort import Cohort
from posology.learners.features.tabular import FeatureSpec
from posology.learners.outcome_models.design import (
    Design,
    Labels,
    build_design,
    mean_dose_error,
    mean_log_loss,
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
"""Least decisions in a leaf: scikit-learn's default."""


@dataclass(frozen=True, slots=True)
class GradientBoostingLearner:
    """One set of boosted trees for the options, one for the root of the dose.

    The number of leaves, the loss of the dose and when to stop are what does best on the validation
    decisions; the rest is scikit-learn's.
    """

    max_rounds: int = 300
    """The most there may be."""
    patience: int = 30
    """Rounds without a better validation loss before stopping."""
    learning_rate: float = 0.1
    leaf_counts: tuple[int, ...] = (4, 8)
    """Leaves a tree that are tried. Our choice."""
    dose_losses: tuple[str, ...] = ("squared_error", "absolute_error")
    """Losses tried on the root of the dose."""
    excluded_prefixes: tuple[str, ...] = ()
    """Code prefixes left out."""
    seed: int = 0

    def fit(self, train: Cohort, validation: Cohort) -> TreePolicy:
        """The finished policy."""
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

        truth = data.labels
        X, V, y, width = data.X, data.X_validation, truth.best, truth.option_count
        known = y >= 0
        if not truth.is_multiclass:
            X = append_option(X, truth.treatment, truth.option_count)
            V = append_option(V, data.validation_labels.treatment, truth.option_count)
            y, width = np.nan_to_num(truth.effective, nan=-1).astype(np.int64), 2
            known = y >= 0
        if len(np.unique(y[known])) < 2:
            return _unanimous(truth, y[known])
        best, best_loss = None, np.inf
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
                model, (X[known], y[known]), losses, self.max_rounds, self.patience
            )
            if best is None or loss < best_loss:
                best, best_loss = trees_of_boosting(model, stop, width), loss
        return one_of(best)

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
        return one_of(best)


def boost_until_no_gain(
    model: Any,
    fit_on: tuple[np.ndarray, ...],
    losses: Callable[[Any], np.ndarray],
    rounds: int,
    patience: int,
) -> tuple[int, float]:
    """Boost until the validation loss has stood still; the best number of rounds, its loss.

    fit_on: what scikit-learn's `fit` takes. All rounds are kept where nothing is known to choose
    by.
    """
    for number in range(patience, rounds + patience, patience):
        model.set_params(max_iter=min(number, rounds)).fit(*fit_on)
        said = losses(model)
        if np.isnan(said).all():
            continue
        best = int(np.nanargmin(said))
        if len(said) - 1 - best >= patience:
            break
    return (len(said), float("nan")) if np.isnan(said).all() else (best + 1, float(said[best]))


def drop_unsplittable_columns(data: Design) -> Design:
    """Without the columns that no tree can split, for fewer than a leaf's rows stand out in them.

    The trees are the same and grow faster.
    """
    common = np.array([_commonest(column) for column in data.X.T])
    kept = len(data.X) - common >= MIN_LEAF_SIZE
    spec = FeatureSpec(data.spec.code[kept], data.spec.kind[kept])
    return data._replace(spec=spec, X=data.X[:, kept], X_validation=data.X_validation[:, kept])


def _commonest(column: np.ndarray) -> int:
    """How often the commonest value stands in the column, missing counted as one value."""
    return int(np.unique(column, return_counts=True)[1].max(initial=0))


def trees_of_boosting(model: Any, rounds: int, width: int) -> Trees:
    """The first rounds of a fitted scikit-learn model as arrays.

    Classes that the model has not met among the `width` get no chance.
    """
    baseline = np.asarray(model._baseline_prediction, dtype=np.float64).ravel()
    start, columns = np.zeros(1), np.zeros(1, np.int64)
    if classes := _classes(model):
        start = np.full(width, _NEVER)
        start[classes] = 0.0
        # Of two classes the model says the log-odds of the second alone.
        columns = np.array(classes[1:] if len(classes) == 2 else classes)
    start[columns] = baseline
    parts = [
        _tree(predictor.nodes, int(column), len(start))
        for trees in model._predictors[:rounds]
        for column, predictor in zip(columns, trees, strict=True)
    ]
    return concatenate_trees(parts, start, "softmax" if classes else "identity")


def _classes(model: Any) -> list[int]:
    """The classes a classifier has met; none for a regressor."""
    return [int(c) for c in getattr(model, "classes_", ())]


def _log_losses(model: Any, V: np.ndarray, data: Design) -> np.ndarray:  # noqa: N803
    """Log loss on the validation decisions after each round."""
    losses = []
    for p in model.staged_predict_proba(V):
        chance = np.zeros((len(V), data.labels.option_count))
        if data.labels.is_multiclass:
            chance[:, _classes(model)] = p
        else:
            chance[:] = p[:, -1:]  # V holds the option given: what is said is said of that one
        losses.append(mean_log_loss(chance, data.validation_labels))
    return np.array(losses)


def _dose_errors(model: Any, data: Design) -> np.ndarray:
    """Absolute error of the dose on the validation decisions after each round."""
    roots = model.staged_predict(data.X_validation)
    return np.array(
        [mean_dose_error(dose_from_root(root), data.validation_labels) for root in roots]
    )


def _unanimous(truth: Labels, y: np.ndarray) -> Trees:
    """What is said where all labels are alike: that class or, of outcomes, the Laplace rate."""
    if truth.is_multiclass:
        return constant_trees(np.eye(truth.option_count)[y[0]])
    return constant_trees(np.array([(y.sum() + 1) / (len(y) + 2)]))


def one_of(best: Trees | None) -> Trees:
    """The trees that did best; ValueError where none were tried."""
    if best is None:
        raise ValueError("Boosting.leaves or .losses is empty: give at least one to try")
    return best


_NEVER = -50.0
"""Logit of an option that was never best in training."""


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
