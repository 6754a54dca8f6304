"""What fitted boosted trees predict, whole columns at a time: the same bits in less time.

scikit-learn walks each tree row by row. These trees are small, so that comparing whole columns and
choosing between whole subtrees is several times as fast; and a tree that never splits on the option
is evaluated once for all options.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from posology.causal.trial import Column, Matrix

Columns = Float64[np.ndarray, "feature decision"]
BLOCK_SIZE = 16_384
"""Decisions at once: their intermediate results stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class _Node:
    """A split; or a leaf, whose feature is -1."""

    feature: int
    threshold: float
    missing_left: bool
    left: int
    right: int
    value: float


Tree = Sequence[_Node]


def predict_columns(
    model: Any,
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
) -> Column:
    """What a fitted HistGradientBoostingRegressor predicts."""
    return _predict(model, X, X.shape[1], (-1,))[:, 0]


def predict_options(
    model: Any,
    X: Float64[np.ndarray, "decision feature_and_option"],  # noqa: N803
    options: int,
) -> Matrix:
    """What it predicts under each option, whose one-hot columns are the last ones."""
    return _predict(model, X, X.shape[1] - options, range(options))


def _predict(model: Any, X: np.ndarray, covariates: int, options: Sequence[int]) -> Matrix:  # noqa: N803
    baseline, trees = _fitted_trees(model)
    predicted = np.empty((len(X), len(options)))
    for start in range(0, len(X), BLOCK_SIZE):
        block = X[start : start + BLOCK_SIZE]
        columns = np.ascontiguousarray(block[:, :covariates].T)
        totals = [np.full(len(block), baseline) for _ in options]
        for tree in trees:
            has_option = any(node.feature >= covariates for node in tree)
            shared = None if has_option else _value(tree, 0, columns, -1)
            for total, option in zip(totals, options, strict=True):
                total += _value(tree, 0, columns, option) if shared is None else shared
        predicted[start : start + len(block)] = np.column_stack(totals)
    # The link of the Poisson loss; the other trees of nuisance models have none.
    return np.exp(predicted) if model.loss == "poisson" else predicted


def _value(tree: Tree, at: int, columns: Columns, option: int) -> Any:
    """The value of the subtree at a node for every decision, or one number for all of them."""
    node = tree[at]
    if node.feature < 0:
        return node.value
    if node.feature >= len(columns):
        is_given = float(node.feature - len(columns) == option)
        return _value(
            tree, node.left if is_given <= node.threshold else node.right, columns, option
        )
    column = columns[node.feature]
    # No comparison holds for a missing value.
    left = ~(column > node.threshold) if node.missing_left else column <= node.threshold
    return np.where(
        left, _value(tree, node.left, columns, option), _value(tree, node.right, columns, option)
    )


def _fitted_trees(model: Any) -> tuple[float, list[Tree]]:
    """Prediction before any tree, and the trees.

    Both attributes are private: scikit-learn has no public access to these trees. A test compares
    the values with `predict`, so a change in scikit-learn is noticed.
    """
    baseline = float(np.asarray(model._baseline_prediction).ravel()[0])
    return baseline, [_nodes(predictor.nodes) for (predictor,) in model._predictors]


def _nodes(nodes: np.ndarray) -> Tree:
    feature = np.where(nodes["is_leaf"] == 1, -1, nodes["feature_idx"]).tolist()
    missing_left = (nodes["missing_go_to_left"] == 1).tolist()
    rest = [nodes[name].tolist() for name in ("left", "right", "value")]
    each = zip(feature, nodes["num_threshold"].tolist(), missing_left, *rest, strict=True)
    return [_Node(*node) for node in each]
