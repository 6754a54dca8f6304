"""What every policy promises, whatever is inside it."""

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posology import artifact
from posology.domain.cohort import TRAIN, VALIDATION, Cohort, part, take
from posology.domain.formulary import inside
from posology.domain.history import History
from posology.domain.policy import OutcomePredictor, Policy, allow_all_treatments
from posology.domain.study import Preference, Rule
from posology.learners.effects.policy import EffectLearner
from posology.learners.guidelines.formula import formula_policy, rule_policy
from posology.learners.guidelines.preference_list import OrderPolicy
from posology.learners.network.reinforcement import Reinforcement
from posology.learners.network.supervised import Sizes, Supervised
from posology.learners.network.training_loop import Training
from posology.learners.offline_rl.behaviour_cloning import Cloning
from posology.learners.offline_rl.cql import ConservativeQ
from posology.learners.offline_rl.iql import ImplicitQ
from posology.learners.offline_rl.pessimistic_fqi import FittedValues
from posology.learners.offline_rl.q_network import Fitting
from posology.learners.outcome_models.dose_boosting import BoostingMargin
from posology.learners.outcome_models.dose_ridge import RidgeMargin
from posology.learners.outcome_models.gradient_boosting import Boosting
from posology.learners.outcome_models.logistic import Logistic
from posology.learners.outcome_models.random_forest import Forest
from tests.world import asking
from tests.world import cohort as make_cohort

NAMES = (
    "fixed", "clinical_formula", "pgx_formula", "formula_refit", "logistic", "forest", "boosting",
    "effects", "posology_paper", "posology_supervised", "posology", "lstm", "transformer", "cnn",
    "condensed", "carried", "carried_condensed", "dosed", "order", "ridge_margin",
    "boosting_margin", "fitted_values", "implicit", "conservative", "cloning", "foretelling",
    "foretelling_condensed",
)  # fmt: skip

GUIDELINE = Rule(
    "order", "order", "made up",
    order=(Preference(("high", "low"), visible=("SEX//male",)), Preference(("low", "medium"))),
)  # fmt: skip
SMALL = Sizes(16, 8, 16, 2, 4, 0.1)
NETWORKS = {
    "posology_supervised": SMALL,
    "lstm": replace(SMALL, encoder="lstm"),
    "transformer": replace(SMALL, encoder="transformer"),
    "cnn": replace(SMALL, encoder="cnn"),
    "condensed": replace(SMALL, last_steps=2),
    "carried": replace(SMALL, carried=True),
    "carried_condensed": replace(SMALL, carried=True, last_steps=2),
    "foretelling": replace(SMALL, carried=True),
    "foretelling_condensed": replace(SMALL, carried=True, last_steps=2),
}
FEW = Fitting(hidden=16, members=2, batch=64, epochs=4, last=2, steps=2)
OFFLINE = {
    "fitted_values": FittedValues(FEW),
    "implicit": ImplicitQ(FEW),
    "conservative": ConservativeQ(FEW),
    "cloning": Cloning(FEW),
}


@functools.cache
def world() -> Cohort:
    return make_cohort()


@functools.cache
def policy(name: str) -> Policy:
    train, validation = part(world(), TRAIN), part(world(), VALIDATION)
    rules = {rule.name: rule for rule in train.study.rules}
    small = Supervised(NETWORKS.get(name, SMALL), Training(batch=64, epochs=3))
    if name.startswith("foretelling"):
        return small.fit(asking(train), asking(validation))
    if name in NETWORKS:
        return small.fit(train, validation)
    match name:
        case "order":
            return OrderPolicy(train.study.formulary, train.profile, GUIDELINE)
        case "dosed":
            return small.fit(dosed(train), dosed(validation))
        case "formula_refit":
            return formula_policy(train.profile.formulas[0], train)
        case "logistic":
            return Logistic().fit(train, validation)
        case "forest":
            return Forest(trees=20).fit(train, validation)
        case "boosting":
            return Boosting(rounds=10).fit(train, validation)
        case "ridge_margin":
            return RidgeMargin().fit(dosed(train), dosed(validation))
        case "boosting_margin":
            return BoostingMargin(rounds=30).fit(dosed(train), dosed(validation))
        case "effects":
            return EffectLearner(gate=False).fit(mistreated(train), mistreated(validation))
        case "fitted_values" | "implicit" | "conservative" | "cloning":
            return OFFLINE[name].fit(mistreated(train), mistreated(validation))
        case "posology_paper":
            paper = Supervised(
                Sizes(16, 8, 16, 1, 1, 0.0), Training(batch=32, epochs=2, patience=0)
            )
            return paper.fit(train, validation)
        case "posology":
            second = Reinforcement(Training(batch=64, epochs=2))
            return second.fit(small.fit(train, validation), train, validation)
    return rule_policy(rules[name], train)


def dosed(cohort: Cohort) -> Cohort:
    """Options at doses of their own, of which one outcome each is known, a number."""
    rng, count = np.random.default_rng(1), len(cohort)
    given = rng.integers(0, 3, count).astype(np.int32)
    low, high = np.array([[5.0, 10.0], [30.0, 40.0], [60.0, 80.0]])[given].T
    margin = ((given == cohort.best) - 0.5 + rng.normal(0, 0.3, count)).astype(np.float32)
    return replace(
        cohort,
        study=replace(
            cohort.study, dose=None, outcome=replace(cohort.study.outcome, kind="change")
        ),
        treatment=given,
        dose=np.where(rng.random(count) < 0.5, low, high).astype(np.float32),
        margin=margin,
        effective=(margin > 0).astype(np.float32),
        best=np.full(count, -1, np.int32),
        rewards=np.full((count, 3), np.nan, np.float32),
    )


def mistreated(cohort: Cohort) -> Cohort:
    """The same patients given options at random: effects need treatments that failed."""
    given = np.random.default_rng(0).integers(0, 3, len(cohort)).astype(np.int32)
    effective = (given == cohort.best).astype(np.float32)
    return replace(cohort, treatment=given, effective=effective, complete=cohort.best >= 0)


def said(asked: Policy, history: History, decisions: np.ndarray) -> list[np.ndarray]:
    allowed = allow_all_treatments(decisions, asked.formulary)
    dose = asked.predict_doses(history, decisions, allowed)
    foretold = []
    if isinstance(asked, OutcomePredictor):
        told = asked.predict_outcomes(history, decisions)
        foretold = [told.diagnosis, told.progression, told.survival]
    return [
        asked.predict_effectiveness(history, decisions, allowed),
        asked.choice_probabilities(history, decisions, allowed),
        dose.by_treatment,
        dose.overall,
        *foretold,
    ]


def same(first: list[np.ndarray], second: list[np.ndarray], tolerance: float = 1e-5) -> None:
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


every_policy = pytest.mark.parametrize("name", NAMES)


@every_policy
def test_is_a_policy_with_answers_for_every_decision(name: str) -> None:
    asked, c = policy(name), world()
    assert isinstance(asked, Policy)
    effectiveness, probabilities, by_treatment, overall, *_ = said(asked, c.history, c.last_step)
    assert probabilities.shape == by_treatment.shape == (len(c), 3)
    assert effectiveness.shape[:2] == (len(c), 3)
    assert overall.shape[0] == len(c)
    assert not np.isnan(effectiveness).any()
    assert ((effectiveness >= 0) & (effectiveness <= 1 + 1e-9)).all()
    np.testing.assert_allclose(probabilities.sum(1), 1.0, atol=1e-9)
    assert (probabilities >= 0).all()


@every_policy
def test_the_future_is_never_read(name: str) -> None:
    asked, c = policy(name), world()
    history = c.history
    step = np.repeat(np.arange(len(history.time)), np.diff(history.event_offsets))
    last = np.full(len(history.subject_id), -1)
    last[c.subject] = c.last_step
    owner = np.searchsorted(history.step_offsets, step, side="right") - 1
    future = step > last[owner]
    assert future.sum() > 50, "the world must have a future to be changed"
    rng = np.random.default_rng(1)
    code, value = history.code.copy(), history.value.copy()
    code[future] = rng.integers(0, len(c.profile.codes), future.sum())
    value[future] = rng.normal(size=future.sum()) * 1e3
    later = (
        np.arange(len(history.time))
        > last[
            np.searchsorted(history.step_offsets, np.arange(len(history.time)), side="right") - 1
        ]
    )
    time = np.where(later, history.time + 777.0, history.time)
    changed = replace(history, code=code, value=value, time=time)
    same(said(asked, history, c.last_step), said(asked, changed, c.last_step), 1e-6)


@every_policy
def test_the_past_is_read(name: str) -> None:
    """So that the test above can fail: the same change to the past is noticed."""
    asked, c = policy(name), world()
    if name == "fixed":
        pytest.skip("a fixed dose reads nothing")
    rng = np.random.default_rng(1)
    code = rng.integers(0, len(c.profile.codes), len(c.history.code)).astype(np.int32)
    changed = replace(c.history, code=code)
    with pytest.raises(AssertionError):
        same(said(asked, c.history, c.last_step), said(asked, changed, c.last_step))


@every_policy
def test_a_batch_equals_one_by_one(name: str) -> None:
    asked, c = policy(name), world()
    rows = np.arange(0, len(c), 17)
    together = said(asked, c.history, c.last_step[rows])
    for position, row in enumerate(rows):
        alone = take(c, np.arange(len(c)) == row)
        one = said(asked, alone.history, alone.last_step)
        same([answer[position : position + 1] for answer in together], one, 1e-4)


@every_policy
def test_order_within_a_step_does_not_matter(name: str) -> None:
    asked, c = policy(name), world()
    history = c.history
    step = np.repeat(np.arange(len(history.time)), np.diff(history.event_offsets))
    order = np.lexsort((np.random.default_rng(2).random(len(step)), step))
    assert (order != np.arange(len(order))).any()
    shuffled = replace(history, code=history.code[order], value=history.value[order])
    same(said(asked, history, c.last_step), said(asked, shuffled, c.last_step), 1e-4)


@every_policy
def test_forbidden_options_get_nothing(name: str) -> None:
    asked, c = policy(name), world()
    allowed = np.random.default_rng(3).random((len(c), 3)) < 0.5
    allowed[~allowed.any(1), 1] = True
    assert not allowed.all()
    probabilities = asked.choice_probabilities(c.history, c.last_step, allowed)
    np.testing.assert_allclose(probabilities.sum(1), 1.0, atol=1e-9)
    assert (probabilities[~allowed] == 0).all()
    assert (asked.predict_effectiveness(c.history, c.last_step, allowed)[~allowed] == 0).all()
    assert np.isnan(
        asked.predict_doses(c.history, c.last_step, allowed).by_treatment[~allowed]
    ).all()


@every_policy
def test_doses_lie_inside_the_formulary(name: str) -> None:
    asked, c = policy(name), world()
    if name in ("effects", "order") or name in OFFLINE:
        pytest.skip("effects, orders and values say which option, not how much")
    by_treatment = said(asked, c.history, c.last_step)[2]
    for column, treatment in enumerate(asked.formulary.treatments):
        assert treatment.dose is not None
        assert inside(by_treatment[:, column], treatment.dose).all()


@every_policy
def test_saved_and_loaded_answers_identically(name: str, tmp_path: Path) -> None:
    asked, c = policy(name), world()
    artifact.save(asked, c.study, {"made": "in a test"}, tmp_path / "model")
    loaded = artifact.load(tmp_path / "model")
    assert loaded.study == c.study
    assert loaded.evidence == {"made": "in a test"}
    assert loaded.policy.profile.codes == asked.profile.codes
    same(
        said(asked, c.history, c.last_step),
        said(loaded.policy, c.history, c.last_step),
        tolerance=0,
    )


@pytest.mark.parametrize(
    "name",
    [
        "forest",
        "boosting",
        "boosting_margin",
        "effects",
        "posology_supervised",
        "posology",
        *OFFLINE,
    ],
)
def test_the_same_seed_gives_the_same_policy(name: str) -> None:
    c = world()
    first = said(policy(name), c.history, c.last_step)
    again = said(policy.__wrapped__(name), c.history, c.last_step)
    same(first, again, tolerance=0)
