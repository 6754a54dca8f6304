"""Facts that go together in training are one reason, moved together."""

from dataclasses import replace

import numpy as np
import pytest

from posology.advice.why.contrasts import contrast_options
from posology.advice.why.facts import NUMBER, Fact, FactValue
from posology.advice.why.groups import FactGroup, find_groups
from posology.advice.why.table import make_table
from posology.advice.why.values import policy_values
from posology.domain.cohort import Cohort
from tests.builders.policies import iwpc_cohort
from tests.builders.reasons import PROFILE, STUDY, policy, situation

TOGETHER = FactGroup((0, 1), ((30.0, 20.0), (50.0, 25.0), (70.0, 30.0), (90.0, 35.0)))
"""eGFR and body mass index, as if they rose together."""


def with_weight_like_height(cohort: Cohort, noise: float) -> Cohort:
    """The cohort with weights that follow the heights."""
    history, codes = cohort.history, cohort.profile.codes
    height, weight = codes.index("HEIGHT"), codes.index("WEIGHT")
    value, last = history.value.copy(), np.nan
    rng = np.random.default_rng(0)
    for event in np.flatnonzero(np.isin(history.code, (height, weight))):
        if history.code[event] == height:
            last = value[event]
        elif np.isfinite(last):
            value[event] = last + noise * rng.normal()
    return replace(cohort, history=replace(history, value=value))


@pytest.mark.parametrize(("noise", "grouped"), [(1.0, True), (40.0, False)])
def test_facts_that_go_together_in_training_are_a_group(noise: float, grouped: bool) -> None:
    cohort = with_weight_like_height(iwpc_cohort(), noise)
    codes = cohort.profile.codes
    value = (FactValue(0, 1.0, 1.0),)
    facts = tuple(Fact(c, "", NUMBER, (codes.index(c),), value) for c in ("HEIGHT", "WEIGHT"))
    groups = find_groups(facts, cohort)
    assert [group.members for group in groups] == ([(0, 1)] if grouped else [])
    if grouped:
        heights, weights = np.array(groups[0].values).T
        assert (np.diff(heights) >= 0).all()
        assert np.abs(heights - weights).max() < 3


def test_a_group_is_one_reason_that_takes_out_all_its_facts() -> None:
    plain = situation(numbers=(("LAB//egfr", (-0.004, 0.0, 0.0)), ("LAB//bmi", (-0.005, 0.0, 0.0))))
    table = make_table(replace(plain, groups=(TOGETHER,)))
    values = policy_values(policy(), STUDY)
    kidney = contrast_options(table, PROFILE, (0, 1), values).reasons[0]
    # 100 * (0.004 * (60 - 38) + 0.005 * (27.5 - 33)), both at their means of the group
    assert kidney.contribution == pytest.approx(8.8 - 2.75)
    assert kidney.code == "LAB//egfr"
    assert kidney.fact == "eGFR 38 mL/min and body mass index 33 kg/m²"
    assert kidney.sentence.startswith("eGFR 38 mL/min and body mass index 33 kg/m² speak for drug")
    codes = [reason.code for reason in contrast_options(table, PROFILE, (0, 1), values).reasons]
    assert "LAB//bmi" not in codes


def test_a_group_of_which_one_fact_is_recorded_is_no_group() -> None:
    earlier_b = 4  # which this patient did not have
    group = FactGroup((0, earlier_b), ((30.0, 1.0),))
    assert make_table(replace(situation(), groups=(group,))).groups == ()
