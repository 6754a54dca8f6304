"""What every policy guarantees, whatever it is made of."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posology import artifact
from posology.domain.cohort import Cohort, subset_decisions
from posology.domain.formulary import is_in_range
from posology.domain.policy import Policy, predict_with
from posology.domain.safety import history_facts
from posology.domain.safety_rules.check import check_safety
from posology.learners.stack.policy import StackedPolicy
from tests.builders.policies import (
    GIVES_NO_DOSE,
    NAMES,
    OFFLINE,
    READS_NOTHING,
    all_outputs,
    assert_outputs_equal,
    class_of,
    fitted_policy,
    iwpc_cohort,
)
from tests.builders.random_rules import with_random_rules
from tests.builders.small_cohorts import policy_outputs

every_policy = pytest.mark.parametrize("name", NAMES)


@every_policy
def test_predicts_a_probability_and_a_dose_for_every_decision(name: str) -> None:
    policy, c = fitted_policy(name), iwpc_cohort()
    assert isinstance(policy, Policy)
    effectiveness, probabilities, by_treatment, overall, *_ = all_outputs(
        policy, c.history, c.last_step
    )
    assert probabilities.shape == by_treatment.shape == (len(c), 3)
    assert effectiveness.shape[:2] == (len(c), 3)
    assert overall.shape[0] == len(c)
    assert not np.isnan(effectiveness).any()
    assert ((effectiveness >= 0) & (effectiveness <= 1 + 1e-9)).all()
    np.testing.assert_allclose(probabilities.sum(1), 1.0, atol=1e-9)
    assert (probabilities >= 0).all()


@every_policy
def test_future_events_change_nothing(name: str) -> None:
    policy, c = fitted_policy(name), iwpc_cohort()
    history = c.history
    step = np.repeat(np.arange(len(history.time)), np.diff(history.event_offsets))
    last = np.full(len(history.subject_id), -1)
    last[c.subject] = c.last_step
    owner = np.searchsorted(history.step_offsets, step, side="right") - 1
    future = step > last[owner]
    assert future.sum() > 50, "the cohort must have future events to change"
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
    assert_outputs_equal(
        all_outputs(policy, history, c.last_step),
        all_outputs(policy, changed, c.last_step),
        1e-6,
    )


@every_policy
def test_past_events_change_the_predictions(name: str) -> None:
    """Guards the test above: the same change to the past is noticed."""
    policy, c = fitted_policy(name), iwpc_cohort()
    if name in READS_NOTHING:
        pytest.skip("it reads nothing of a patient")
    rng = np.random.default_rng(1)
    code = rng.integers(0, len(c.profile.codes), len(c.history.code)).astype(np.int32)
    changed = replace(c.history, code=code)
    with pytest.raises(AssertionError):
        assert_outputs_equal(
            all_outputs(policy, c.history, c.last_step),
            all_outputs(policy, changed, c.last_step),
        )


@every_policy
def test_a_batch_equals_single_decisions(name: str) -> None:
    policy, c = fitted_policy(name), iwpc_cohort()
    rows = np.arange(0, len(c), 41)
    together = all_outputs(policy, c.history, c.last_step[rows])
    for position, row in enumerate(rows):
        alone = subset_decisions(c, np.arange(len(c)) == row)
        one = all_outputs(policy, alone.history, alone.last_step)
        assert_outputs_equal([output[position : position + 1] for output in together], one, 1e-4)


@every_policy
def test_order_within_a_step_does_not_matter(name: str) -> None:
    policy, c = fitted_policy(name), iwpc_cohort()
    history = c.history
    step = np.repeat(np.arange(len(history.time)), np.diff(history.event_offsets))
    order = np.lexsort((np.random.default_rng(2).random(len(step)), step))
    assert (order != np.arange(len(order))).any()
    shuffled = replace(history, code=history.code[order], value=history.value[order])
    assert_outputs_equal(
        all_outputs(policy, history, c.last_step),
        all_outputs(policy, shuffled, c.last_step),
        1e-4,
    )


@every_policy
def test_forbidden_options_get_no_probability_and_no_dose(name: str) -> None:
    policy, c = fitted_policy(name), iwpc_cohort()
    allowed = np.random.default_rng(3).random((len(c), 3)) < 0.5
    allowed[~allowed.any(1), 1] = True
    assert not allowed.all()
    probabilities = policy.choice_probabilities(c.history, c.last_step, allowed)
    np.testing.assert_allclose(probabilities.sum(1), 1.0, atol=1e-9)
    assert (probabilities[~allowed] == 0).all()
    assert (policy.predict_effectiveness(c.history, c.last_step, allowed)[~allowed] == 0).all()
    assert np.isnan(
        policy.predict_doses(c.history, c.last_step, allowed).by_treatment[~allowed]
    ).all()


@every_policy
def test_no_policy_breaks_a_random_safety_rule(name: str) -> None:
    policy, c = fitted_policy(name), iwpc_cohort()
    assert type(policy).__name__ == class_of(name)
    rng = np.random.default_rng(4)
    rows = np.arange(0, len(c), 5)
    broken = 0
    for on_unknown in ("warn", "block"):
        study = with_random_rules(c.study, c.profile.codes, rng, on_unknown)
        checked = check_safety(study, history_facts(c.profile, c.history, c.last_step[rows]))
        some = ~checked.forbidden.all(axis=1)
        allowed = ~checked.forbidden[some]
        broken += (~allowed).sum()
        chosen = policy.choice_probabilities(c.history, c.last_step[rows][some], allowed)
        assert (chosen[~allowed] == 0).all()
        np.testing.assert_allclose(chosen.sum(1), 1.0, atol=1e-9)
    assert broken > 10, "rules must forbid something"


def test_every_saved_class_of_policy_is_held_to_the_contract() -> None:
    classes = {class_of(name) for name in NAMES}
    elsewhere = {
        "EffectDosePolicy": "learners/effects/test_dose_policy.py",
        "StateCodePolicy": "learners/offline_rl/test_tabular_policy.py",
    }
    for path in elsewhere.values():
        assert "def test_forbidden_options" in (Path(__file__).parents[1] / path).read_text()
    assert classes | set(elsewhere) == {*artifact._POLICIES, "NetworkPolicy"}


@every_policy
def test_doses_lie_inside_the_formulary(name: str) -> None:
    policy, c = fitted_policy(name), iwpc_cohort()
    if name in GIVES_NO_DOSE:
        pytest.skip("it chooses an option but no dose")
    by_treatment = all_outputs(policy, c.history, c.last_step)[2]
    for column, treatment in enumerate(policy.formulary.treatments):
        assert treatment.dose is not None
        assert is_in_range(by_treatment[:, column], treatment.dose).all()


@every_policy
def test_a_loaded_policy_predicts_the_same_as_the_saved_one(name: str, tmp_path: Path) -> None:
    policy, c = fitted_policy(name), iwpc_cohort()
    artifact.save(policy, c.study, {"made": "in a test"}, tmp_path / "model")
    loaded = artifact.load(tmp_path / "model")
    assert loaded.study == c.study
    assert loaded.evidence == {"made": "in a test"}
    assert loaded.policy.profile.codes == policy.profile.codes
    assert_outputs_equal(
        all_outputs(policy, c.history, c.last_step),
        all_outputs(loaded.policy, c.history, c.last_step),
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
    c = iwpc_cohort()
    first = all_outputs(fitted_policy(name), c.history, c.last_step)
    again = all_outputs(fitted_policy.__wrapped__(name), c.history, c.last_step)
    assert_outputs_equal(first, again, tolerance=0)


@every_policy
def test_all_at_once_equals_one_by_one(name: str) -> None:
    policy, c = fitted_policy(name), iwpc_cohort()
    allowed = np.random.default_rng(3).random((len(c), 3)) < 0.6
    allowed[np.arange(len(c)), np.random.default_rng(4).integers(0, 3, len(c))] = True
    assert_same_at_once(policy, c, allowed)


@pytest.mark.parametrize("chooses_by", ["reward", "effectiveness", "network"])
def test_a_stack_answers_at_once_whatever_it_chooses_by(chooses_by: str) -> None:
    policy, c = fitted_policy("stack"), iwpc_cohort()
    assert isinstance(policy, StackedPolicy)
    allowed = np.ones((len(c), 3), dtype=bool)
    allowed[::2, 0] = allowed[1::3, 2] = False
    assert_same_at_once(replace(policy, chooses_by=chooses_by), c, allowed)


def assert_same_at_once(policy: Policy, c: Cohort, allowed: np.ndarray) -> None:
    together = predict_with(policy, c.history, c.last_step, allowed)
    apart = policy_outputs(policy, c.history, c.last_step, allowed)
    np.testing.assert_allclose(together.effectiveness, apart["effectiveness"], atol=1e-9)
    np.testing.assert_array_equal(together.choice, apart["probabilities"])
    np.testing.assert_allclose(together.doses.by_treatment, apart["by_treatment"])
    np.testing.assert_allclose(together.doses.overall, apart["overall"])
