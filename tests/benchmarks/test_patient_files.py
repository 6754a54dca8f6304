"""Random patient files: an error that names what to mend, or a dose that training saw."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.patient_files import LIMIT, SAFETY, random_form, try_form
from posology.advice.form.training_facts import EVIDENCE, measure_facts
from posology.artifact import Artifact
from posology.domain.cohort import TRAIN, select_split
from posology.domain.serialization import serialize
from posology.workflows.patient import form_of
from posology.workflows.recommend import recommend
from tests.builders.policies import fitted_policy, iwpc_cohort


@pytest.fixture(scope="module")
def model() -> Artifact:
    cohort = iwpc_cohort()
    facts = measure_facts(select_split(cohort, TRAIN))
    study = replace(cohort.study, safety_packs=SAFETY)
    return Artifact(fitted_policy("formula_refit"), study, {EVIDENCE: serialize(facts, {})}, "")


def test_no_random_file_gives_a_dose_that_training_did_not_see(model: Artifact) -> None:
    form, rng = form_of(model), np.random.default_rng(0)
    counts: Counter[str] = Counter()
    for _ in range(120):
        body = random_form(form, rng)
        verdict, why = try_form(model, body)
        assert verdict != "wrong", (why, body)
        counts[verdict] += 1
    assert min(counts["answered"], counts["refused"]) > 25


def test_a_dose_outside_training_is_found(model: Artifact) -> None:
    """The check itself: without the training doses, the same forms are not all inside them."""
    blind = Artifact(model.policy, model.study, {}, "")
    low, high = 30.0, 31.0
    facts = model.evidence[EVIDENCE] | {"doses": [["", low, high]]}
    narrow = Artifact(model.policy, model.study, {EVIDENCE: facts}, "")
    body = {"facts": {"age": 25, "weight": 110, "height": 200, "sex": "male"}}
    assert try_form(narrow, body) == ("answered", "")
    assert try_form(blind, body) == ("answered", "")


def test_safety_rules_on_facts_that_the_model_lacks_hold(model: Artifact) -> None:
    """The check itself: the same patient with and without what the rules are about."""
    body = {"facts": {"age": 25, "weight": 110, "height": 200, "sex": "male"}}
    free = recommend(model, body).recommendation
    assert free.dose is not None
    assert free.dose.dose > LIMIT
    frail = recommend(model, {"facts": body["facts"] | {"frailty": "yes"}}).recommendation
    assert frail.dose is not None
    assert frail.dose.dose == LIMIT
    sick = recommend(model, {"facts": body["facts"] | {"ALT": "200 U/L"}}).recommendation
    assert sick.dose is not None
    assert sick.dose.dose == LIMIT
    allergic = {"facts": body["facts"] | {"warfarin allergy": True}}
    assert recommend(model, allergic).recommendation.dose is None
    assert try_form(model, allergic) == ("answered", "")
