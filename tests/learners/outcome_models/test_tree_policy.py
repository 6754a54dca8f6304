"""Trees as arrays say what scikit-learn says."""

import numpy as np
import pytest
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

from posology.learners.outcome_models import gradient_boosting as boosting
from posology.learners.outcome_models import random_forest as forest
from posology.learners.outcome_models import tree_policy as trees


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1300, 9)).astype(np.float32)
    X[:, 5:] = X[:, 5:] > 0
    y = X[:, 0] + 2 * X[:, 5] + rng.normal(0, 0.3, len(X))
    holes = rng.random(X.shape) < 0.2
    holes[:, 8] = False  # one column never has a missing value
    X[holes] = np.nan
    return X[:700], y[:700], X[700:]


@pytest.mark.parametrize("classes", [2, 3])
def test_forest_of_classes(table, classes):
    X, y, Z = table
    label = np.digitize(y, [0, 1.5][: classes - 1])
    model = RandomForestClassifier(25, min_samples_leaf=3, random_state=0).fit(X, label)
    said = trees.predict_trees(forest.trees_of_forest(model, classes), Z)
    np.testing.assert_allclose(said, model.predict_proba(Z), atol=1e-6)


def test_forest_of_numbers(table):
    X, y, Z = table
    model = RandomForestRegressor(25, max_features=0.4, random_state=0).fit(X, y)
    said = trees.predict_trees(forest.trees_of_forest(model, 1), Z)[:, 0]
    np.testing.assert_allclose(said, model.predict(Z), atol=1e-6)


@pytest.mark.parametrize("classes", [2, 3])
def test_boosting_of_classes(table, classes):
    X, y, Z = table
    label = np.digitize(y, [0, 1.5][: classes - 1])
    model = HistGradientBoostingClassifier(max_iter=30, early_stopping=False).fit(X, label)
    said = trees.predict_trees(boosting.trees_of_boosting(model, 30, classes), Z)
    np.testing.assert_allclose(said, model.predict_proba(Z), atol=1e-6)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
def test_boosting_of_numbers_and_its_first_rounds(table, loss):
    X, y, Z = table
    model = HistGradientBoostingRegressor(loss=loss, max_iter=30, early_stopping=False).fit(X, y)
    for rounds, staged in enumerate(model.staged_predict(Z), start=1):
        if rounds in (1, 17, 30):
            said = trees.predict_trees(boosting.trees_of_boosting(model, rounds, 1), Z)[:, 0]
            np.testing.assert_allclose(said, staged, atol=1e-6)


def test_a_class_never_met_gets_no_chance(table):
    X, y, Z = table
    label = np.where(y > 1, 3, 0)
    models = (
        forest.trees_of_forest(RandomForestClassifier(9, random_state=0).fit(X, label), 4),
        boosting.trees_of_boosting(
            HistGradientBoostingClassifier(max_iter=9, early_stopping=False).fit(X, label), 9, 4
        ),
    )
    for model in models:
        said = trees.predict_trees(model, Z)
        np.testing.assert_allclose(said.sum(axis=1), 1.0)
        assert (said[:, 1:3] < 1e-12).all()


def test_no_trees_give_the_same_answer_to_everybody(table):
    said = trees.predict_trees(trees.constant_trees(np.array([0.2, 0.8])), table[2])
    assert (said == [0.2, 0.8]).all()


def test_each_patient_reaches_the_leaf_that_walking_the_tree_finds(table):
    X, y, Z = table
    model = HistGradientBoostingRegressor(max_iter=20, early_stopping=False).fit(X, y)
    grown = boosting.trees_of_boosting(model, 20, 1)
    together = trees.predict_trees(grown, Z[:40])
    for row, said in zip(Z[:40], together, strict=True):
        leaves = [_walk(grown, int(root), row) for root in grown.root]
        np.testing.assert_allclose(said, grown.baseline + grown.value[leaves].sum(axis=0))
        np.testing.assert_array_equal(said, trees.predict_trees(grown, row[None])[0])
    assert np.isnan(Z[:40]).any()


def _walk(grown, node, row):
    while grown.feature[node] >= 0:
        x = row[grown.feature[node]]
        is_left = grown.missing_left[node] if np.isnan(x) else x <= grown.threshold[node]
        node = int(grown.left[node] if is_left else grown.right[node])
    return node
