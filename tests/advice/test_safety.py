"""For random rules and patients: nothing forbidden is chosen, no dose is beyond what is left."""

from dataclasses import replace

import numpy as np
import pytest

from posology.advice.inputs import AdviceInputs
from posology.advice.recommend import recommend
from posology.domain.cohort import subset_decisions
from posology.domain.history import History
from posology.domain.recommendation.recommendation import Recommendation
from posology.domain.safety import allowed_treatments, history_facts
from posology.domain.safety_rules.check import SafetyCheck, check_safety
from posology.domain.safety_rules.fixed import fix_rules
from posology.domain.safety_rules.rule import Fact, SafetyRule, SafetySpec
from posology.domain.study import Study
from tests.builders.policies import fitted_policy, iwpc_cohort
from tests.builders.random_rules import with_random_rules

SEEN = {"": (5.0, 80.0)}


def patient(row: int) -> History:
    """The history of one patient, up to the decision."""
    alone = subset_decisions(iwpc_cohort(), np.arange(len(iwpc_cohort())) == row)
    last, events = int(alone.last_step[0]), int(alone.history.event_offsets[alone.last_step[0] + 1])
    return History(
        code=alone.history.code[:events],
        value=alone.history.value[:events],
        event_offsets=alone.history.event_offsets[: last + 2],
        time=alone.history.time[: last + 1],
        step_offsets=np.array([0, last + 1], np.int64),
        subject_id=alone.history.subject_id,
    )


def draw(seed: int) -> tuple[Recommendation, SafetyCheck, Study]:
    rng = np.random.default_rng(seed)
    cohort, policy = iwpc_cohort(), fitted_policy("logistic" if seed % 2 else "order")
    words = ("warn", "block")
    study = with_random_rules(cohort.study, cohort.profile.codes, rng, words[seed % 2], 3)
    history = patient(int(rng.integers(len(cohort))))
    facts = history_facts(cohort.profile, history, history.step_offsets[1:2] - 1)
    return (
        recommend(policy, study, history, AdviceInputs(seen=SEEN)),
        check_safety(study, facts),
        study,
    )


def test_random_answers_hold_to_the_rules() -> None:
    states, limited = set(), 0
    for seed in range(40):
        advice, checked, study = draw(seed)
        states.add(advice.state)
        forbidden = dict(zip(study.formulary.names, checked.forbidden[0].tolist(), strict=True))
        for option in advice.options:
            if forbidden.get(option.name, False):
                assert option.standing == "forbidden"
                assert option.choice_share == 0
                assert option.dose is None
                assert option.remarks, "it says why"
            else:
                assert option.standing != "forbidden"
        assert (advice.state == "all_forbidden") == all(forbidden.values())
        if all(forbidden.values()):
            assert advice.dose is None
        elif advice.dose is not None:
            left = checked.limits[0][~checked.forbidden[0]]
            assert left[:, 0].min() <= advice.dose.dose <= left[:, 1].max()
            assert SEEN[""][0] <= advice.dose.dose <= SEEN[""][1]
            limited += bool(np.isfinite(left[:, 1]).all())
    assert {"all_forbidden", "dose"} <= states
    assert limited > 2, "some doses must be limited"


@pytest.mark.parametrize(("status", "forbidden"), [("warn", False), ("block", True)])
def test_what_if_keeps_rules_on_facts_that_the_history_lacks(status: str, forbidden: bool) -> None:
    cohort, history = iwpc_cohort(), patient(0)
    facts = (Fact(("ALLERGY//x",), known_by=("ALLERGY",)),)
    unseen = SafetyRule("x", "allergy", "forbid", ("low",), "", "made up", any_of=facts)
    female = SafetyRule(
        "y", "allergy", "forbid", ("high",), "", "made up", any_of=(Fact(("SEX//female",)),)
    )
    study = replace(cohort.study, safety_packs=SafetySpec((), (unseen, female), status))
    at = history.step_offsets[1:2] - 1
    checked = check_safety(study, history_facts(cohort.profile, history, at))
    fixed = fix_rules(study, cohort.profile, checked)
    allowed = allowed_treatments(fixed, cohort.profile, history, at)
    assert allowed[0, 0] != forbidden
    assert [rule.name for rule in fixed.safety_packs.rules] == (["x", "y"] if forbidden else ["y"])
    assert fixed.safety_packs.rules[-1].any_of, "sex is in the history: it may be changed"
