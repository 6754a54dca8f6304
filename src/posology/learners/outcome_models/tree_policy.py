"""Fitted trees as flat arrays, and a policy that evaluates them with numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32

from posology.domain.formulary import Formulary
from posology.domain.history import History, StepIndex
from posology.domain.policy import AllowedMask, Doses, Prediction, choose_learned
from posology.domain.profile import Profile
from posology.domain.statistics.link_functions import softmax
from posology.learners.features.tabular import FeatureSpec, extract_features
from posology.learners.outcome_models.predictions import (
    choose_most_effective,
    dose_from_root,
    doses_within_ranges,
)
from posology.learners.outcome_models.tree_descent import Descent, find_leaves, prepare_descent

BLOCK_SIZE = 512
"""Decisions evaluated at once: bounds the memory of (decisions x trees)."""


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """The nodes of all trees, concatenated; a prediction is the sum over the trees."""

    root: Int32[np.ndarray, " tree"]
    """Index of each tree's root node."""
    feature: Int32[np.ndarray, " node"]
    """Column that splits the node; -1 in a leaf."""
    threshold: Float64[np.ndarray, " node"]
    """Values up to and including it go left."""
    left: Int32[np.ndarray, " node"]
    right: Int32[np.ndarray, " node"]
    missing_left: Bool[np.ndarray, " node"]
    """Whether a missing value goes left."""
    value: Float64[np.ndarray, "node output"]
    """What a leaf adds to the prediction; 0 in inner nodes."""
    baseline: Float64[np.ndarray, " output"]
    """Prediction before any tree."""
    link: str
    """Applied to the sum: `identity` or `softmax`."""


@dataclass(frozen=True, slots=True, eq=False)
class TreePolicy:
    """Trees on the tabular features: one set for the options, one for the dose."""

    formulary: Formulary
    profile: Profile
    spec: FeatureSpec
    option_trees: Trees
    dose_trees: Trees
    """Of the square root of the dose."""
    is_multiclass: bool
    """Whether the trees predict which one option is most effective. Otherwise they predict whether
    the option in their one-hot columns is effective."""

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment 1"]:
        """P(option is effective); 0 for forbidden options."""
        return self._effectiveness(extract_features(self.spec, history, decisions), allowed)

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """The most effective allowed option."""
        p = self.predict_effectiveness(history, decisions, allowed)[:, :, 0]
        return self._choose(p, allowed)

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        """The square of the trees' prediction, and for each option that dose in its range."""
        return self._doses(extract_features(self.spec, history, decisions), allowed)

    def predict(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Prediction:
        """All of it, from features that are taken once."""
        X = extract_features(self.spec, history, decisions)
        p = self._effectiveness(X, allowed)
        return Prediction(p, self._choose(p[:, :, 0], allowed), self._doses(X, allowed))

    def _choose(
        self, p: Float64[np.ndarray, "decision treatment"], allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        return choose_learned(self.formulary, allowed, partial(choose_most_effective, p))

    def _effectiveness(
        self,
        X: Float32[np.ndarray, "decision feature"],  # noqa: N803
        allowed: AllowedMask,
    ) -> Float64[np.ndarray, "decision treatment 1"]:
        p = (
            predict_trees(self.option_trees, X)
            if self.is_multiclass
            else predict_each_option(self.option_trees, X, allowed)
        )
        return (p * allowed)[:, :, None]

    def _doses(
        self,
        X: Float32[np.ndarray, "decision feature"],  # noqa: N803
        allowed: AllowedMask,
    ) -> Doses:
        root = predict_trees(self.dose_trees, X)[:, 0]
        return doses_within_ranges(dose_from_root(root), self.formulary, allowed)


def predict_trees(
    trees: Trees,
    X: Float32[np.ndarray, "decision feature"],  # noqa: N803
) -> Float64[np.ndarray, "decision output"]:
    """The sum over all trees, through the link."""
    return predict_first_trees(trees, X, (len(trees.root),))[0]


def predict_first_trees(
    trees: Trees,
    X: Float32[np.ndarray, "decision feature"],  # noqa: N803
    counts: Sequence[int],
) -> list[Float64[np.ndarray, "decision output"]]:
    """The sums over the first trees, through the link, for each number of trees.

    Args:
        counts: ascending; every tree is evaluated once.
    """
    totals = [np.tile(trees.baseline, (len(X), 1)) for _ in counts]
    descent = _descent(trees, X.shape[1])
    for start in range(0, len(X), BLOCK_SIZE):
        rows, first = slice(start, start + BLOCK_SIZE), 0
        values = trees.value.take(find_leaves(descent, X[rows]), axis=0)
        added = np.zeros((len(values), values.shape[2]))
        for total, count in zip(totals, counts, strict=True):
            added = added + np.ones(count - first) @ values[:, first:count]  # faster than `sum`
            total[rows] += added
            first = count
    return [softmax(total, axis=1) if trees.link == "softmax" else total for total in totals]


def predict_each_option(
    trees: Trees,
    X: Float32[np.ndarray, "decision feature"],  # noqa: N803
    allowed: AllowedMask,
) -> Float64[np.ndarray, "decision treatment"]:
    """The trees' prediction with each option in the one-hot columns in turn."""
    options = allowed.shape[1]
    if len(X) * options <= BLOCK_SIZE:  # a patient's options at once, in a fifth of the time
        every = np.tile(np.arange(options), len(X))
        with_option = append_option(np.repeat(X, options, axis=0), every, options)
        return predict_trees(trees, with_option)[:, -1].reshape(len(X), options)
    return np.column_stack(
        [
            predict_trees(trees, append_option(X, np.full(len(X), o), allowed.shape[1]))[:, -1]
            for o in range(allowed.shape[1])
        ]
    )


def append_option(
    X: Float32[np.ndarray, "decision feature"],  # noqa: N803
    option: np.ndarray,
    options: int,
) -> Float32[np.ndarray, "decision feature_and_option"]:
    """The columns, and the option as one-hot columns."""
    return np.hstack([X, np.eye(options, dtype=np.float32)[option]])


def constant_trees(value: Float64[np.ndarray, " output"]) -> Trees:
    """No trees: the same prediction for every patient."""
    none = np.zeros(0, np.int32)
    return Trees(
        root=none,
        feature=none,
        threshold=np.zeros(0),
        left=none,
        right=none,
        missing_left=np.zeros(0, bool),
        value=np.zeros((0, len(value))),
        baseline=value,
        link="identity",
    )


def scale_trees(trees: Trees, factor: float) -> Trees:
    """The trees, their sum multiplied by a factor."""
    return replace(trees, value=trees.value * factor, baseline=trees.baseline * factor)


def add_trees(parts: list[Trees]) -> Trees:
    """The sum of several sets of trees."""
    return concatenate_trees(
        parts, np.sum([part.baseline for part in parts], axis=0), parts[0].link
    )


def concatenate_trees(
    parts: list[Trees], baseline: Float64[np.ndarray, " output"], link: str
) -> Trees:
    """One set of trees from several, each with node indices from 0."""
    sizes = np.array([len(tree.feature) for tree in parts])
    first = np.cumsum(sizes) - sizes
    shift = np.repeat(first, sizes).astype(np.int32)
    return Trees(
        root=np.concatenate([at + tree.root for at, tree in zip(first, parts, strict=True)]).astype(
            np.int32
        ),
        feature=np.concatenate([tree.feature for tree in parts]),
        threshold=np.concatenate([tree.threshold for tree in parts]),
        left=np.concatenate([tree.left for tree in parts]) + shift,
        right=np.concatenate([tree.right for tree in parts]) + shift,
        missing_left=np.concatenate([tree.missing_left for tree in parts]),
        value=np.concatenate([tree.value for tree in parts]),
        baseline=baseline,
        link=link,
    )


@lru_cache(maxsize=16)
def _descent(trees: Trees, features: int) -> Descent:
    """What one patient after the other needs of the same trees."""
    splits = trees.feature, trees.threshold, trees.missing_left
    return prepare_descent(trees.root, splits, (trees.left, trees.right), features)
