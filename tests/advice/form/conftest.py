"""The form of the synthetic warfarin patients."""

import pytest

from posology.advice.form.build import build_form
from posology.advice.form.field import Form
from posology.advice.form.training_facts import measure_facts
from posology.domain.cohort import TRAIN, select_split
from tests.builders.policies import iwpc_cohort


@pytest.fixture(scope="session")
def form() -> Form:
    cohort = iwpc_cohort()
    facts = measure_facts(select_split(cohort, TRAIN))
    return build_form(cohort.study, cohort.profile, facts)
