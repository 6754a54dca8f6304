"""Boosted trees of both libraries, as arrays, say what the libraries say."""

import builtins
from dataclasses import replace

import numpy as np
import pytest

from posology.domain.cohort import TRAIN, VALIDATION, select_split
from posology.errors import UserError
from posology.learners.outcome_models import lightgbm_trees, sklearn_trees
from posology.learners.outcome_models.boosting_task import BoostingTask
from posology.learners.outcome_models.tree_policy import (
    predict_first_trees,
    predict_trees,
)
from posology.learners.outcome_models.tuned_boosting import BoostingSettings, TunedBoostingLearner
from tests.builders.policies import TUNED, iwpc_cohort

ROWS = 200


def rows(missing: bool) -> np.ndarray:
    X = np.random.default_rng(3).normal(size=(ROWS, 4)).astype(np.float32)
    if missing:
        X[::7, 1] = np.nan
    return X


def task(loss: str, missing: bool = True) -> BoostingTask:
    X = rows(missing)
    number = X[:, 0] + np.nan_to_num(X[:, 1]) ** 2
    y = np.digitize(number, [0.0, 1.0]).astype(np.float64) if loss == "classes" else number
    return BoostingTask(X, y.astype(np.float64), None, loss, 3 if loss == "classes" else 1)


@pytest.mark.parametrize("missing", [True, False])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "classes"])
def test_the_arrays_predict_what_lightgbm_predicts(
    loss: str, missing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lightgbm = pytest.importorskip("lightgbm", reason="needs the extra boosting")
    kept = []
    train = lightgbm.train
    monkeypatch.setattr(lightgbm, "train", lambda *a, **k: kept.append(train(*a, **k)) or kept[-1])
    trees = lightgbm_trees.grow(task(loss, missing), 8, 0)
    new = np.random.default_rng(4).normal(size=(50, 4)).astype(np.float32)
    new[::3, 2] = np.nan  # missing where no training row was
    expected = np.asarray(kept[0].predict(new.astype(np.float64)))
    ours = predict_trees(trees, new)
    np.testing.assert_allclose(ours if loss == "classes" else ours[:, 0], expected, atol=1e-9)
    assert np.ptp(expected, axis=0).max() > 0.01


@pytest.mark.parametrize("grow", [lightgbm_trees.grow, sklearn_trees.grow])
def test_a_class_without_patients_has_no_chance(grow) -> None:
    two = task("classes")
    absent = replace(two, y=np.where(two.y == 1, 2.0, two.y))
    p = predict_trees(grow(absent, 3, 0), two.X)
    assert p[:, 1].max() < 1e-12
    np.testing.assert_allclose(p.sum(axis=1), 1.0)


def test_the_first_trees_are_those_of_fewer_rounds() -> None:
    whole, few = (sklearn_trees.grow(task("classes"), n, 0) for n in (6, 2))
    counts = len(few.root), len(whole.root)
    at_two, at_six = predict_first_trees(whole, rows(True), counts)
    np.testing.assert_allclose(at_two, predict_trees(few, rows(True)))
    np.testing.assert_allclose(at_six, predict_trees(whole, rows(True)))


def test_the_number_of_rounds_is_chosen_on_patients_held_out() -> None:
    """Labels of noise: the fewest rounds are best, whatever the training error is."""
    noise = np.random.default_rng(6).normal(size=ROWS)
    learner = TunedBoostingLearner(round_counts=(1, 200), folds=2)
    fold = np.arange(ROWS) % 2
    rounds, _ = learner._choose_rounds(
        replace(task("squared_error"), y=noise),
        fold,
        lambda p, held: float(((p[:, 0] - noise[held]) ** 2).mean()),
    )
    assert rounds == 1


def test_decisions_of_a_patient_are_in_one_fold() -> None:
    cohort = iwpc_cohort()
    twice = replace(cohort, subject=np.repeat(np.arange(len(cohort) // 2), 2)[: len(cohort)])
    fold = TUNED._folds(twice, twice)[: len(twice)]
    assert (fold[0::2] == fold[1::2]).all()


def test_without_lightgbm_an_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = builtins.__import__

    def refuse(name: str, *rest, **more):
        if name == "lightgbm":
            raise ImportError(name)
        return whole(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UserError, match=r'pip install "\.\[boosting\]"'):
        lightgbm_trees.grow(task("squared_error"), 1, 0)


def test_settings_chosen_before_are_those_that_fit_would_choose() -> None:
    cohort = iwpc_cohort()
    train, validation = select_split(cohort, TRAIN), select_split(cohort, VALIDATION)
    chosen = TUNED.choose(train, validation)
    assert chosen.settings is not None
    assert chosen.settings.option_rounds in TUNED.round_counts
    at_once, later = TUNED.fit(train, validation), chosen.fit(train, validation)
    for trees in ("option_trees", "dose_trees"):
        np.testing.assert_array_equal(getattr(at_once, trees).value, getattr(later, trees).value)
    fixed = replace(chosen, settings=BoostingSettings(1, 2, "squared_error"))
    assert len(fixed.fit(train, validation).dose_trees.root) == 2 * TUNED.bags


def test_labels_that_those_who_chose_did_not_have_are_learned() -> None:
    """A class of the patients added for the last fit must not be taken for impossible."""
    cohort = iwpc_cohort()
    train, validation = select_split(cohort, TRAIN), select_split(cohort, VALIDATION)
    nothing = replace(TUNED, settings=BoostingSettings(0, 0, "squared_error"))
    policy = nothing.fit(train, validation)
    assert len(policy.option_trees.root) > 1
    assert len(policy.dose_trees.root) == min(TUNED.round_counts) * TUNED.bags
