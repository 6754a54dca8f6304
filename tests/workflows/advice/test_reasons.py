"""What reasons compare the options by: the effects that the answer shows."""

from dataclasses import replace

import numpy as np
import pytest

from posology.advice.recommend import recommend
from posology.advice.why.table import Situation, make_table
from posology.artifact import Artifact
from posology.domain.recommendation.option import BETTER, NOT_ESTIMATED, REFERENCE, OptionAdvice
from posology.domain.recommendation.recommendation import Recommendation
from posology.workflows.advice.evidence import measure_effects
from posology.workflows.advice.patient_evidence import patient_evidence
from posology.workflows.advice.reasons import compared_by, measure_reasons
from tests.builders.policies import fitted_policy, iwpc_cohort
from tests.builders.reasons import STUDY, WOMAN, policy
from tests.workflows.advice.test_evidence import result_of


@pytest.fixture(scope="module")
def kept() -> Artifact:
    result = result_of("rct")
    evidence = {"effects": measure_effects(result)}
    return Artifact(fitted_policy("logistic"), result.cohort.study, evidence, "")


def shown(high: str = BETTER) -> Recommendation:
    options = tuple(
        OptionAdvice(name, name, standing, None, None, (), None, None)
        for name, standing in (("high", high), ("low", REFERENCE))
    )
    return replace(recommend(policy(), STUDY, WOMAN), options=options)


def test_reasons_are_of_the_difference_that_is_shown(kept: Artifact) -> None:
    history = iwpc_cohort().history
    evidence = patient_evidence(kept, history)
    assert evidence is not None
    found = compared_by(kept, shown(), evidence, kept.study)
    assert found is not None
    values, reference = found
    assert values.names[reference] == "low"
    last = int(history.step_offsets[1]) - 1
    table = make_table(Situation(values.predict, history, kept.policy.profile, last, ()))
    lead = float(table.recorded[1] - table.recorded[reference])
    assert lead == pytest.approx(100 * evidence.outcomes.against_reference(1)[0])


def test_what_is_not_estimated_cannot_come_first(kept: Artifact) -> None:
    history = iwpc_cohort().history
    evidence = patient_evidence(kept, history)
    found = compared_by(kept, shown(NOT_ESTIMATED), evidence, kept.study)
    assert found is not None
    _, allowed = found[0].predict(history, history.step_offsets[1:4] - 1)
    assert not np.asarray(allowed)[:, 1].any()


def test_without_a_gain_there_is_nothing_to_give_reasons_for(kept: Artifact) -> None:
    evidence = patient_evidence(kept, iwpc_cohort().history)
    assert evidence is not None
    none = replace(evidence, study=replace(evidence.study, verdict="none"))
    assert compared_by(kept, shown(), none, kept.study) is None
    assert compared_by(kept, shown(), None, kept.study) is None


def test_a_dose_has_no_rule_in_short() -> None:
    dosed = Artifact(fitted_policy("logistic"), iwpc_cohort().study, {}, "")
    assert measure_reasons(dosed, iwpc_cohort(), iwpc_cohort())["surrogate"] is None
