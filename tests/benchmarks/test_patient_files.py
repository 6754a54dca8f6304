"""Random patient files: an error that names what to mend, or a dose that training saw."""

from collections import Counter

import numpy as np
import pytest

from benchmarks.patient_files import random_form, try_form
from posology.advice.form.training_facts import EVIDENCE, measure_facts
from posology.artifact import Artifact
from posology.domain.cohort import TRAIN, select_split
from posology.domain.serialization import serialize
from posology.workflows.patient import form_of
from tests.builders.policies import fitted_policy, iwpc_cohort


@pytest.fixture(scope="module")
def model() -> Artifact:
    cohort = iwpc_cohort()
    facts = measure_facts(select_split(cohort, TRAIN))
    return Artifact(
        fitted_policy("formula_refit"), cohort.study, {EVIDENCE: serialize(facts, {})}, ""
    )


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
