"""The leaf that each decision reaches in every tree of a set, found for all trees at once."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, Int64


@dataclass(frozen=True, slots=True, eq=False)
class Descent:
    """Trees as questions and steps: what a patient answers once, every tree looks up.

    Thousands of nodes ask a few hundred questions (column, threshold, where a missing value goes).
    """

    root: Int64[np.ndarray, " tree"]
    column: Int64[np.ndarray, " question"]
    """Column of the features, which are written twice: as they are, where a missing value goes
    right, and with -inf in its place, where it goes left."""
    threshold: Float64[np.ndarray, " question"]
    """Values up to and including it go left."""
    question: Int64[np.ndarray, " node"]
    """Number of the node's question; a leaf has one more than there are, answered "right"."""
    following: Int64[np.ndarray, " twice_nodes"]
    """The node after each one for those who go right, then for those who go left; a leaf follows
    itself."""
    depth: int
    """Of the deepest tree."""


def prepare_descent(
    root: Int32[np.ndarray, " tree"],
    splits: tuple[
        Int32[np.ndarray, " node"], Float64[np.ndarray, " node"], Bool[np.ndarray, " node"]
    ],
    children: tuple[Int32[np.ndarray, " node"], Int32[np.ndarray, " node"]],
    features: int,
) -> Descent:
    """Find the different questions of the trees.

    Args:
        splits: feature (-1 in a leaf), threshold, and whether a missing value goes left.
        children: left and right.
        features: how many columns there are.
    """
    feature, threshold, missing_left = splits
    inner = np.flatnonzero(feature >= 0)
    column = feature[inner].astype(np.int64) + features * missing_left[inner]
    order = np.lexsort((threshold[inner], column))
    column, value = column[order], threshold[inner][order]
    is_new = np.append(True, (np.diff(column) != 0) | (value[1:] != value[:-1]))[: len(inner)]
    question = np.full(len(feature), is_new.sum())
    question[inner[order]] = np.cumsum(is_new) - 1
    left, right = (np.where(feature >= 0, child, np.arange(len(feature))) for child in children)
    level, depth = root[feature[root] >= 0], 0
    while len(level):
        level, depth = np.concatenate([left[level], right[level]]), depth + 1
        level = level[feature[level] >= 0]
    return Descent(
        root=root.astype(np.int64),
        column=column[is_new],
        threshold=value[is_new],
        question=question,
        following=np.concatenate([right, left]).astype(np.int64),
        depth=depth,
    )


def find_leaves(
    descent: Descent,
    X: Float32[np.ndarray, "decision feature"],  # noqa: N803
) -> Int64[np.ndarray, "decision tree"]:
    """The leaf of each decision in every tree; all trees descend one level per round."""
    values = np.hstack([X, np.where(np.isnan(X), np.float32(-np.inf), X)])
    nodes, questions = len(descent.question), len(descent.column)
    # What to add to a node's number to find the one that follows it: 0 where the answer is right.
    answer = np.zeros((len(X), questions + 1), np.int64)
    np.multiply(values[:, descent.column] <= descent.threshold, nodes, out=answer[:, :questions])
    answer = answer.ravel()
    first = np.arange(len(X))[:, None] * (questions + 1)
    node = np.tile(descent.root, (len(X), 1))
    for _ in range(descent.depth):
        question = descent.question.take(node)
        if len(X) > 1:
            question += first
        node = descent.following.take(node + answer.take(question))
    return node
