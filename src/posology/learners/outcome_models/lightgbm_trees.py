"""Boosted trees grown by LightGBM (Ke et al. 2017), as arrays without LightGBM."""

from typing import Any

import numpy as np

from posology.errors import UserError, describe_install
from posology.learners.outcome_models.boosting_task import BoostingTask
from posology.learners.outcome_models.tree_policy import Trees, concatenate_trees

_OBJECTIVES = {"squared_error": "l2", "absolute_error": "l1", "classes": "multiclass"}
_ABSENT_LOGIT = -50.0
"""Logit of a class that no training label has."""


def is_installed() -> bool:
    """Whether the extra `boosting` is there."""
    try:
        import lightgbm  # noqa: F401
    except (ImportError, OSError):  # OSError: its OpenMP library is missing
        return False
    return True


def grow(task: BoostingTask, rounds: int, seed: int) -> Trees:
    """Trees of `rounds` rounds; UserError if LightGBM is not installed."""
    if not is_installed():
        raise UserError(
            f"LightGBM is not installed: {describe_install('boosting')} (on Debian it also needs "
            "the package libgomp1), or use the engine sklearn."
        )
    import lightgbm

    # LightGBM wants the classes without gaps.
    present, y = np.unique(task.y, return_inverse=True)
    is_classes = task.loss == "classes"
    settings = {
        "objective": _OBJECTIVES[task.loss],
        "learning_rate": task.learning_rate,
        "num_leaves": task.leaves,
        "min_data_in_leaf": task.min_leaf_size,
        "feature_fraction": task.column_share,
        "bagging_fraction": task.row_share,
        "bagging_freq": 1,
        "lambda_l2": task.penalty,
        "seed": seed,
        "deterministic": True,
        "num_threads": 1,
        "verbosity": -1,
    } | ({"num_class": len(present)} if is_classes else {})
    rows = lightgbm.Dataset(
        np.asarray(task.X, dtype=np.float64), y if is_classes else task.y, weight=task.weight
    )
    model = lightgbm.train(settings, rows, num_boost_round=rounds).dump_model()
    columns = present.astype(np.int64) if is_classes else np.zeros(1, np.int64)
    start = np.zeros(task.classes)
    if is_classes:
        start[np.setdiff1d(np.arange(task.classes), columns)] = _ABSENT_LOGIT
    parts = [
        _tree(tree["tree_structure"], int(columns[number % len(columns)]), task.classes)
        for number, tree in enumerate(model["tree_info"])
    ]
    return concatenate_trees(parts, start, "softmax" if is_classes else "identity")


def _tree(root: dict[str, Any], column: int, width: int) -> Trees:
    """One tree as arrays: its nodes in the order in which they are met."""
    nodes = [root]
    children: list[tuple[int, int]] = []
    for node in nodes:  # grows while it is read
        if "leaf_value" in node:
            children.append((0, 0))
        else:
            children.append((len(nodes), len(nodes) + 1))
            nodes += [node["left_child"], node["right_child"]]
    is_leaf = np.array(["leaf_value" in node for node in nodes])
    value = np.zeros((len(nodes), width))
    value[is_leaf, column] = [node["leaf_value"] for node in nodes if "leaf_value" in node]
    return Trees(
        root=np.zeros(1, np.int32),
        feature=np.array([node.get("split_feature", -1) for node in nodes], dtype=np.int32),
        threshold=np.array([node.get("threshold", 0.0) for node in nodes], dtype=np.float64),
        left=np.array([left for left, _ in children], dtype=np.int32),
        right=np.array([right for _, right in children], dtype=np.int32),
        missing_left=np.array([_missing_goes_left(node) for node in nodes]),
        value=value,
        baseline=np.zeros(width),
        link="identity",
    )


def _missing_goes_left(node: dict[str, Any]) -> bool:
    """Where a column had no missing value in training, LightGBM reads a missing one as 0."""
    if node.get("missing_type") == "None":
        return float(node["threshold"]) >= 0.0
    return bool(node.get("default_left", True))
