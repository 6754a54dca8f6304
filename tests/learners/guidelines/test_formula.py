"""A formula's dose and the option whose range holds it."""

from dataclasses import replace

import numpy as np
import pytest

from posology.domain.formulas.formula import Formula, Term
from posology.domain.policy import allow_all_treatments
from posology.domain.study import Rule
from posology.errors import StudyError
from posology.learners.guidelines.formula import (
    FormulaPolicy,
    build_fixed_dose_policy,
    build_formula_policy,
    build_rule_policy,
)
from tests.builders.small_cohorts import small_cohort


def _dose_of(value):
    return Formula("constant", "made up", "mg/wk", "identity", (Term("c", "one", (), value),))


def _ask(cohort, policy):
    allowed = allow_all_treatments(cohort.last_step, cohort.study.formulary)
    said = policy.predict_effectiveness(cohort.history, cohort.last_step, allowed)[:, :, 0]
    return said, policy.choice_probabilities(cohort.history, cohort.last_step, allowed)


@pytest.mark.parametrize(
    ("dose", "option"),
    [
        (0.0, 0),
        (20.999, 0),
        (20.9999, 0),
        (21.0, 1),
        (35.0, 1),
        (49.0, 1),
        (49.0005, 2),
        (300.0, 2),
    ],
)
def test_the_option_is_the_one_whose_range_holds_the_dose(dose, option):
    cohort = small_cohort(0, 3, True)
    policy = FormulaPolicy(cohort.study.formulary, cohort.profile, _dose_of(dose))
    said, chosen = _ask(cohort, policy)
    assert (said.argmax(axis=1) == option).all()
    assert (chosen.argmax(axis=1) == option).all()
    assert said.sum(axis=1) == pytest.approx(1)


def test_the_score_of_low_and_high_is_monotone_in_the_dose():
    cohort = small_cohort(0, 1, True)
    said = np.array(
        [
            _ask(cohort, FormulaPolicy(cohort.study.formulary, cohort.profile, _dose_of(d)))[0][0]
            for d in np.linspace(2, 120, 300)
        ]
    )
    assert (np.diff(said[:, 0]) < 0).all()
    assert (np.diff(said[:, 2]) > 0).all()


def test_a_fixed_dose_is_the_same_for_everybody():
    cohort = small_cohort(0, 20, True)
    policy = build_rule_policy(cohort.study.rules[0], cohort)
    allowed = allow_all_treatments(cohort.last_step, cohort.study.formulary)
    dose = policy.predict_doses(cohort.history, cohort.last_step, allowed)
    assert (dose.overall == 35).all()
    np.testing.assert_allclose(dose.by_treatment[0], [20.999, 35, 49.001])
    assert policy.formula == build_fixed_dose_policy(cohort.study.rules[0], cohort).formula


def test_missing_numbers_are_filled_by_training_means():
    cohort = small_cohort(0, 300, True)
    formula = cohort.study.rules[1].formula
    bare = FormulaPolicy(cohort.study.formulary, cohort.profile, formula)
    filled = build_formula_policy(formula, cohort)
    allowed = allow_all_treatments(cohort.last_step, cohort.study.formulary)
    asked = (cohort.history, cohort.last_step, allowed)
    unknown = np.isnan(bare.predict_doses(*asked).overall[:, 0])
    assert 0 < unknown.sum() < 60
    doses = filled.predict_doses(*asked).overall[:, 0]
    assert not np.isnan(doses).any()
    assert len(np.unique(doses[unknown])) == 1  # all of them male: one group's mean
    kept = build_formula_policy(filled.formula, small_cohort(1, 30, True))
    assert kept.formula == filled.formula


def test_without_an_answer_all_allowed_options_are_alike():
    cohort = small_cohort(0, 10, True)
    no_answer = FormulaPolicy(cohort.study.formulary, cohort.profile, _dose_of(np.nan))
    said, chosen = _ask(cohort, no_answer)
    assert said == pytest.approx(1 / 3)
    assert (chosen.sum(axis=1) == 1).all()


def test_an_option_without_doses_is_never_a_formula_s_choice():
    cohort = small_cohort(0, 4, True)
    low, *rest = cohort.study.formulary.treatments
    formulary = replace(cohort.study.formulary, treatments=(replace(low, dose=None), *rest))
    said, chosen = _ask(cohort, FormulaPolicy(formulary, cohort.profile, _dose_of(5.0)))
    assert (said[:, 0] == 0).all()
    assert (chosen[:, 1] == 1).all()


def test_a_rule_without_what_its_kind_needs_is_refused():
    with pytest.raises(StudyError, match="rule 'odd' is of kind 'fixed' but lacks"):
        build_rule_policy(Rule("odd", "fixed", "nowhere"), small_cohort(0, 3, True))
