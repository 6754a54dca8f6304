"""What every baseline must keep to, whether the best option is known or only one outcome."""

from dataclasses import replace

import numpy as np
import pytest

from posology.domain.formulary import is_in_range
from posology.domain.policy import Learner, Policy, allow_all_treatments
from posology.learners.guidelines.formula import build_rule_policy
from posology.learners.outcome_models import gradient_boosting as boosting
from posology.learners.outcome_models.gradient_boosting import GradientBoostingLearner
from posology.learners.outcome_models.logistic import LogisticLearner
from posology.learners.outcome_models.random_forest import RandomForestLearner
from tests.builders.small_cohorts import policy_outputs, small_cohort

LEARNERS = {
    "logistic": LogisticLearner(inverse_penalties=(0.1, 1.0), dose_penalties=(1.0, 10.0)),
    "forest": RandomForestLearner(tree_count=30, leaf_sizes=(3, 10)),
    "boosting": GradientBoostingLearner(max_rounds=40, learning_rate=0.2, leaf_counts=(8,)),
}
NAMES = ("fixed", "formula", *LEARNERS)


@pytest.fixture(scope="module", params=[True, False], ids=["best known", "one outcome known"])
def case(request):
    train, validation = small_cohort(0, 900, request.param), small_cohort(1, 200, request.param)
    policies = {rule.name: build_rule_policy(rule, train) for rule in train.study.rules}
    policies |= {name: learner.fit(train, validation) for name, learner in LEARNERS.items()}
    return policies, small_cohort(2, 150, request.param), small_cohort(2, 150, True).best_treatment


def _some_forbidden(cohort):
    allowed = np.random.default_rng(0).random((len(cohort), 3)) < 0.6
    allowed[np.arange(len(cohort)), np.arange(len(cohort)) % 3] = True
    return allowed


def _assert_same(one, other, rtol=1e-9):
    for question, said in one.items():
        np.testing.assert_allclose(said, other[question], rtol=rtol, atol=1e-12, err_msg=question)


@pytest.mark.parametrize("name", NAMES)
def test_is_a_policy_with_probabilities_and_doses_in_bounds(case, name):
    policies, cohort, _ = case
    policy, allowed = policies[name], _some_forbidden(cohort)
    assert isinstance(policy, Policy)
    said = policy_outputs(policy, cohort.history, cohort.last_step, allowed)
    np.testing.assert_allclose(said["probabilities"].sum(axis=1), 1.0)
    assert set(np.unique(said["probabilities"])) == {0.0, 1.0}
    assert (said["probabilities"][~allowed] == 0).all()
    assert (said["effectiveness"][~allowed] == 0).all()
    assert said["effectiveness"].shape == (150, 3, 1)
    assert ((said["effectiveness"] >= 0) & (said["effectiveness"] <= 1)).all()
    best_allowed = np.where(allowed, said["effectiveness"][:, :, 0], -1).argmax(axis=1)
    assert (said["probabilities"].argmax(axis=1) == best_allowed).all()
    assert np.isnan(said["by_treatment"][~allowed]).all()
    for option, treatment in enumerate(policy.formulary.treatments):
        given = said["by_treatment"][allowed[:, option], option]
        assert is_in_range(given, treatment.dose).all()
    assert (said["overall"] >= 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_future_is_never_read(case, name):
    policies, cohort, _ = case
    history = cohort.history
    future = np.ones(len(history.code), bool)
    for first, last in zip(history.step_offsets[:-1], cohort.last_step, strict=True):
        future[history.event_offsets[first] : history.event_offsets[last + 1]] = False
    assert future.sum() == 3 * len(cohort)
    rng = np.random.default_rng(0)
    other = replace(
        history,
        code=np.where(future, rng.integers(0, 6, len(future)), history.code).astype(np.int32),
        value=np.where(future, 1e4, history.value).astype(np.float32),
        time=history.time + np.tile([0, 0, 0, 0, 0, 7, 9], len(cohort)),
    )
    allowed = allow_all_treatments(cohort.last_step, cohort.study.formulary)
    before = policy_outputs(policies[name], history, cohort.last_step, allowed)
    _assert_same(before, policy_outputs(policies[name], other, cohort.last_step, allowed), rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_equals_one_by_one(case, name):
    policies, cohort, _ = case
    allowed = _some_forbidden(cohort)
    whole = policy_outputs(policies[name], cohort.history, cohort.last_step, allowed)
    singles = [
        policy_outputs(
            policies[name], cohort.history, cohort.last_step[i : i + 1], allowed[i : i + 1]
        )
        for i in range(40)
    ]
    joined = {q: np.concatenate([single[q] for single in singles]) for q in whole}
    _assert_same({q: said[:40] for q, said in whole.items()}, joined)


@pytest.mark.parametrize("name", LEARNERS)
def test_learns_which_option_is_best_and_how_much(case, name):
    policies, cohort, best = case
    allowed = allow_all_treatments(cohort.last_step, cohort.study.formulary)
    said = policy_outputs(policies[name], cohort.history, cohort.last_step, allowed)
    accuracy = np.mean(said["probabilities"].argmax(axis=1) == best)
    # Always the commonest option is right in 52 %. One regression an option draws one line an
    # option, and the middle one's truth is no line: it learns less from single outcomes.
    known = bool((cohort.best_treatment >= 0).any())
    assert accuracy > (0.85 if known else 0.65)
    error = np.abs(said["overall"][:, 0] - cohort.dose).mean()
    assert error < 0.6 * np.abs(np.median(cohort.dose) - cohort.dose).mean()


@pytest.mark.parametrize("name", LEARNERS)
def test_the_same_again_from_the_same_data(case, name):
    policies, cohort, _ = case
    known = bool((cohort.best_treatment >= 0).any())
    again = LEARNERS[name].fit(small_cohort(0, 900, known), small_cohort(1, 200, known))
    allowed = allow_all_treatments(cohort.last_step, cohort.study.formulary)
    asked = (cohort.history, cohort.last_step, allowed)
    _assert_same(policy_outputs(policies[name], *asked), policy_outputs(again, *asked), rtol=0)


@pytest.mark.parametrize("name", LEARNERS)
def test_where_no_dose_is_known_none_is_invented(name):
    train, other = small_cohort(0, 200, False), small_cohort(1, 60, False)
    train, other = (replace(c, dose=np.full(len(c), np.nan, np.float32)) for c in (train, other))
    policy = LEARNERS[name].fit(train, other)
    allowed = allow_all_treatments(other.last_step, other.study.formulary)
    said = policy_outputs(policy, other.history, other.last_step, allowed)
    assert np.isnan(said["overall"]).all()
    assert np.isnan(said["by_treatment"]).all()


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("name", LEARNERS)
def test_an_option_never_met_and_labels_all_alike(name, known):
    train, other = small_cohort(0, 200, known), small_cohort(1, 60, known)
    only = np.zeros(len(train), np.int32)
    alike = replace(
        train,
        treatment=only,
        best_treatment=only if known else train.best_treatment,
        effective=np.ones(len(train), np.float32),
    )
    policy = LEARNERS[name].fit(alike, other)
    assert isinstance(policy, Policy)
    allowed = allow_all_treatments(other.last_step, other.study.formulary)
    p = policy.predict_effectiveness(other.history, other.last_step, allowed)[:, :, 0]
    assert p.shape == (60, 3)
    assert (p[:, 0] > 0.95).all()
    if known:
        assert (p[:, 1:] < 0.01).all()


def test_learners_are_learners():
    assert all(isinstance(learner, Learner) for learner in LEARNERS.values())


@pytest.mark.parametrize(
    ("learner", "field"),
    [
        (LogisticLearner(inverse_penalties=()), "inverse_penalties"),
        (RandomForestLearner(leaf_sizes=()), "leaf_sizes"),
        (GradientBoostingLearner(leaf_counts=()), "leaf_counts"),
    ],
)
def test_nothing_to_try_is_an_error(learner, field):
    with pytest.raises(ValueError, match=f"{field}.* empty"):
        learner.fit(small_cohort(0, 60, True), small_cohort(1, 30, True))


def test_columns_that_no_tree_can_split_change_nothing(monkeypatch):
    train, other = small_cohort(0, 300, True), small_cohort(1, 60, True)
    code = train.history.code.copy()
    code[np.flatnonzero(code == 1)[:15]] = 5  # 15 events of a code that nobody else has
    train = replace(train, history=replace(train.history, code=code))
    allowed = allow_all_treatments(other.last_step, other.study.formulary)
    fast = LEARNERS["boosting"].fit(train, other)
    monkeypatch.setattr(boosting, "drop_unsplittable_columns", lambda design: design)
    slow = LEARNERS["boosting"].fit(train, other)
    assert len(fast.spec.code) < len(slow.spec.code)
    asked = (other.history, other.last_step, allowed)
    _assert_same(policy_outputs(fast, *asked), policy_outputs(slow, *asked), rtol=0)
