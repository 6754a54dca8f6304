"""Random rules on random patients: at no door does a forbidden option get a probability or a dose.

The doors are training and evaluation (a cohort with rules), `recommend`, and the service's worker.
The contract of policies (tests/learners/test_policy_contract.py) holds each class to the same.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posology.advice.form.training_facts import EVIDENCE, measure_facts
from posology.artifact import Artifact
from posology.domain.cohort import TRAIN, VALIDATION, select_split
from posology.domain.policy import Policy
from posology.domain.recommendation.recommendation import ABSTAINED
from posology.domain.safety import allowed_in_cohort
from posology.domain.safety_rules.check import check_safety
from posology.domain.serialization import serialize
from posology.evaluation.effects.overlap import Counts, OptionOverlap, Overlap
from posology.evaluation.table1.predictions import predict_cohort
from posology.learners.outcome_models.logistic import LogisticLearner
from posology.learners.stack.policy import StackedPolicy
from posology.service import work
from posology.workflows.effect_study import allowed_and_judged
from posology.workflows.patient import encode_with_facts
from posology.workflows.recommend import recommend
from tests.builders.policies import fitted_policy, iwpc_cohort
from tests.builders.random_rules import with_random_rules
from tests.builders.two_drug_records import Row, event_table

ROUNDS = 7
"""Sets of rules, with as many patients."""
NUMBERS = {"AGE_DECADE": (3, 9), "HEIGHT": (150, 190), "WEIGHT": (40, 100)}
CODES = (*NUMBERS, "SEX//male", "SEX//female", "RACE//White", "RACE//Asian", "RACE//Black")
"""Facts of the rules: patients have some, and lack others."""


def random_patient(rng: np.random.Generator) -> list[Row]:
    chosen = [str(code) for code in rng.choice(CODES, rng.integers(1, 6), replace=False)]
    numbers = [float(rng.integers(*NUMBERS[c])) if c in NUMBERS else None for c in chosen]
    return [(1, None, code, number) for code, number in zip(chosen, numbers, strict=True)]


def made(name: str) -> Policy:
    """The policy of this name; `stack`: the mean of two cheap ones."""
    if name != "stack":
        return fitted_policy(name)
    members = (fitted_policy("logistic"), fitted_policy("formula_refit"))
    half = np.full(2, 0.5)
    return StackedPolicy(
        members[0].formulary, members[0].profile, members, 0, half, half, np.eye(3)
    )


@pytest.mark.parametrize("name", ["logistic", "stack", "pgx_formula"])
def test_neither_recommend_nor_the_service_advises_what_a_rule_forbids(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, cohort = made(name), iwpc_cohort()
    evidence = {EVIDENCE: serialize(measure_facts(select_split(cohort, TRAIN)), {})}
    rng, broken = np.random.default_rng(7), 0
    for turn in range(ROUNDS):
        on_unknown = ("warn", "block")[turn % 2]
        study = with_random_rules(cohort.study, CODES, rng, on_unknown)
        patient = event_table(*random_patient(rng))
        model = Artifact(policy, study, evidence, "")
        seen = encode_with_facts(model, patient)[2]
        forbidden = dict(
            zip(study.formulary.names, check_safety(study, seen).forbidden[0], strict=True)
        )
        broken += sum(forbidden.values())
        advice = recommend(model, patient).recommendation
        by_name = {option.name: option for option in advice.options}
        for option, is_forbidden in forbidden.items():
            found = by_name[option]
            assert (found.standing == "forbidden") == is_forbidden
            if is_forbidden:
                assert (found.choice_share, found.dose, found.outcome) == (0.0, None, None)
        if all(forbidden.values()):
            assert (advice.state, advice.dose) == ("all_forbidden", None)
        monkeypatch.setattr(work, "load_model", lambda *_, made=model: made)
        done = work.answer_job(work.Job(Path("model"), "", patient, None))
        body = json.loads(done.json)
        sent = {option["name"]: option for option in body["options"]}
        if advice.state in ABSTAINED:
            assert [body["dose"], *(option["dose"] for option in body["options"])] == [None] * 6
        for option, is_forbidden in forbidden.items():
            if is_forbidden:
                assert (sent[option]["choice_share"], sent[option]["dose"]) == (0.0, None)
    assert broken > 3, "rules must forbid something"


def test_a_policy_that_learned_under_rules_is_judged_under_them() -> None:
    rng, cohort, broken = np.random.default_rng(8), iwpc_cohort(), 0
    for _ in range(3):
        study = with_random_rules(cohort.study, CODES, rng, "warn")
        ruled = replace(cohort, study=study, allowed=None)
        learned: Policy = LogisticLearner().fit(
            select_split(ruled, TRAIN), select_split(ruled, VALIDATION)
        )
        allowed = allowed_in_cohort(ruled)
        broken += int((~allowed).sum())
        chosen = predict_cohort(learned, ruled).probabilities
        assert (chosen[~allowed] == 0).all()
        np.testing.assert_allclose(chosen.sum(axis=1), 1.0, atol=1e-9)
    assert broken > 10, "rules must forbid something"


def test_what_cannot_be_judged_is_no_reason_to_choose_what_is_forbidden() -> None:
    """Also outside the population, where no allowed option can be judged."""
    rng, without = np.random.default_rng(9), 0
    for _ in range(50):
        allowed = rng.random((40, 4)) < 0.4
        allowed[~allowed.any(axis=1), 0] = True
        reasons = ["" if is_judged else "too few patients" for is_judged in rng.random(4) < 0.6]
        options = tuple(OptionOverlap("a", 9, 9.0, 0.0, reason) for reason in reasons)
        overlap = Overlap(options, np.ones(40, dtype=bool), Counts(40, 40), Counts(40, 40))
        judged = allowed_and_judged(allowed, overlap)
        without += int((~(allowed & overlap.is_judged).any(axis=1)).sum())
        assert not (judged & ~allowed).any()
        assert judged.any(axis=1).all()
    assert without > 10, "some must have no allowed option that can be judged"
