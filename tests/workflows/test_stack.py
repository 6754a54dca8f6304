"""`fit` stacks where that helps on validation patients, and says what each member adds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posology import artifact
from posology.domain.cohort import TRAIN, VALIDATION, select_split
from posology.domain.policy import Policy, allow_all_treatments
from posology.domain.serialization import deserialize
from posology.learners import recipes
from posology.learners.network.supervised import Supervised
from posology.learners.stack import judge
from posology.learners.stack import members as stack_members
from posology.learners.stack.judge import StackScore
from posology.learners.stack.policy import StackedPolicy
from posology.workflows.fit import NetworkSettings, fit
from posology.workflows.fitting import kept_evidence
from posology.workflows.fitting.stack import EVIDENCE, StackEvidence, reason_against_stack
from posology.workflows.recommend import recommend, template
from tests.builders.policies import SMALL_STACK, iwpc_cohort
from tests.builders.small_recipes import small_recipe, use_members


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        recipes, "recipe_for_cohort", lambda train, seed=0, device="cpu": small_recipe(seed)
    )


def test_a_stack_says_what_each_member_adds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_members(monkeypatch)
    result = fit(iwpc_cohort())
    assert isinstance(result.policy, StackedPolicy)
    summary = result.summary()
    assert "The network is stacked with other models: that helps on validation" in summary
    assert all(len(line) <= 100 for line in summary.splitlines())
    for member in ("network", "boosting", "kernel"):
        assert f"  {member}" in summary
        metrics = {row["metric"] for row in result.rows if row["model"] == member}
        assert {"log_loss_weight", "log_loss_alone", "dose_error_without"} <= metrics
    result.save(tmp_path / "model")
    stored = artifact.load(tmp_path / "model").evidence[EVIDENCE]
    assert deserialize(StackEvidence, stored, {}) == result.stack


def test_advice_from_a_saved_stack_has_intervals_sets_and_reasons(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_members(monkeypatch)
    fit(iwpc_cohort()).save(tmp_path / "model")
    patient = template(tmp_path / "model")
    patient["facts"] |= {"race": "White", "sex": "male", "height": 180, "age": 65, "weight": 80}
    patient["facts"]["drug amiodarone"] = "no"
    advice = recommend(tmp_path / "model", patient).recommendation
    assert advice.dose is not None
    assert advice.dose.plan_for is not None
    assert advice.dose.plan_for[0] <= advice.dose.exact <= advice.dose.plan_for[1]
    assert advice.certainty.option_set
    assert any("Without it the dose would be" in reason.sentence for reason in advice.why.dose)


def test_validation_patients_are_measured_with_members_that_did_not_learn_from_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Other outcomes of theirs change the policy that is kept, not the predictions measured."""
    seen: list[Policy] = []
    measure = kept_evidence.measure_uncertainty
    monkeypatch.setattr(
        kept_evidence,
        "measure_uncertainty",
        lambda policy, cohort, seed: seen.append(policy) or measure(policy, cohort, seed),
    )
    c = iwpc_cohort()
    is_validation = c.split == VALIDATION
    turned = replace(c, dose=np.where(is_validation, c.dose[::-1], c.dose).astype(np.float32))
    for cohort in (c, turned):
        fit(cohort, "kernel")
    asked = (c.history, c.last_step, allow_all_treatments(c.last_step, c.study.formulary))
    first, second = (policy.predict_doses(*asked).overall for policy in seen)
    np.testing.assert_allclose(first, second)


def test_where_other_members_do_not_help_the_network_stands_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_members(monkeypatch)
    worse = StackScore("log_loss", network=0.6, stack=0.61, decisions=27)
    monkeypatch.setattr(judge, "_score_stack", lambda answers: replace(worse, loss=answers.name))
    result = fit(iwpc_cohort())
    assert not isinstance(result.policy, StackedPolicy)
    assert result.stack is not None
    assert not result.stack.is_used
    assert (
        "The network stands alone: validation patients speak against other mo" in result.summary()
    )


def test_the_papers_recipe_and_large_cohorts_are_not_stacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(recipes.BY_NAME, "paper", small_recipe)
    result = fit(iwpc_cohort(), settings=NetworkSettings(recipe="paper"))
    assert "The network stands alone: the paper's recipe is a network." in result.summary()
    monkeypatch.setattr(stack_members, "MAX_DECISIONS", 10)
    result = fit(iwpc_cohort())
    assert "there are too many decisions for the other members." in result.summary()


def test_the_network_that_is_fitted_again_learns_from_all_patients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    learned: list[int] = []
    fit_epochs = Supervised.fit_epochs

    def spy(self, train, validation, folder=None, start=None):
        learned.append(len(train))
        return fit_epochs(self, train, validation, folder, start)

    again = replace(
        small_recipe(0).supervised,
        training=replace(small_recipe(0).supervised.training, patience=0),
    )
    stack = replace(SMALL_STACK, again=lambda train, seed: again)
    monkeypatch.setattr(Supervised, "fit_epochs", spy)
    train, validation = (select_split(iwpc_cohort(), split) for split in (TRAIN, VALIDATION))
    stack.fit(train, validation)
    assert learned == [len(train), len(train) + len(validation)]


def test_outcomes_of_the_option_received_are_not_stacked() -> None:
    whole = iwpc_cohort()
    unknown = np.full(len(whole), -1, dtype=np.int32)
    factual = replace(whole, best_treatment=unknown, study=replace(whole.study, dose=None))
    reason = reason_against_stack(factual)
    assert reason.startswith("only the outcome of the option received is known")
    assert reason_against_stack(whole) == ""
