"""The leaf that each decision reaches in every tree of a set, found for all trees at once."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, Int64


@dataclass(frozen=True, slots=True, eq=False)
class Descent:
    """Trees as questions and steps: what a patient answers once, every tree looks up.

    Thousands of nodes ask a few hundred questions (column, threshold, where a missing value goes).
    Nodes are numbered level by level, and a right child follows the left one: what is looked up
    lies close together in little memory.
    """

    trees: int
    """The first nodes are the roots."""
    column: Int64[np.ndarray, " question"]
    """Column of the features, which are written twice: as they are, where a missing value goes
    right, and with -inf in its place, where it goes left."""
    threshold: Float64[np.ndarray, " question"]
    """Values up to and including it go left."""
    question: Int32[np.ndarray, " node"]
    """Number of the node's question; a leaf has one more than there are, always answered left."""
    left: Int32[np.ndarray, " node"]
    """Number of the left child; a leaf is its own."""
    origin: Int32[np.ndarray, " node"]
    """Number of the node in the trees as they were given."""
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
    """Number the nodes and find the different questions.

    Args:
        splits: feature (-1 in a leaf), threshold, and whether a missing value goes left.
        children: left and right.
        features: how many columns there are.
    """
    feature, threshold, missing_left = splits
    levels = _levels(root, feature, np.stack(children, axis=1))
    origin = np.concatenate(levels).astype(np.int32)
    place = np.empty(len(feature), np.int32)
    place[origin] = np.arange(len(origin))
    feature = feature[origin]
    left = np.where(feature >= 0, place[children[0][origin]], np.arange(len(origin)))
    inner = np.flatnonzero(feature >= 0)
    column = feature[inner].astype(np.int64) + features * missing_left[origin[inner]]
    value = threshold[origin[inner]]
    order = np.lexsort((value, column))
    column, value = column[order], value[order]
    is_new = np.append(True, (np.diff(column) != 0) | (value[1:] != value[:-1]))[: len(inner)]
    question = np.full(len(origin), is_new.sum())
    question[inner[order]] = np.cumsum(is_new) - 1
    return Descent(
        trees=len(root),
        column=column[is_new],
        threshold=value[is_new],
        question=question.astype(np.int32),
        left=left.astype(np.int32),
        origin=origin,
        depth=max(len(levels) - 1, 0),
    )


def _levels(root: np.ndarray, feature: np.ndarray, children: np.ndarray) -> list[np.ndarray]:
    """The nodes of each level, a right child after the left one; the first level is the roots."""
    levels = [root]
    while len(inner := levels[-1][feature[levels[-1]] >= 0]):
        levels.append(children[inner].ravel())
    return levels


def find_leaves(
    descent: Descent,
    X: Float32[np.ndarray, "decision feature"],  # noqa: N803
) -> Int32[np.ndarray, "decision tree"]:
    """The leaf of each decision in every tree; all trees descend one level per round."""
    values = np.hstack([X, np.where(np.isnan(X), np.float32(-np.inf), X)])
    questions = len(descent.column)
    goes_right = np.zeros((len(X), questions + 1), np.int32)
    np.logical_not(values[:, descent.column] <= descent.threshold, out=goes_right[:, :questions])
    goes_right = goes_right.ravel()
    first = np.arange(len(X))[:, None] * (questions + 1)
    node = np.tile(np.arange(descent.trees, dtype=np.int32), (len(X), 1))
    for _ in range(descent.depth):
        question = descent.question.take(node)
        if len(X) > 1:
            question = question + first
        node = descent.left.take(node) + goes_right.take(question)
    return descent.origin.take(node)
