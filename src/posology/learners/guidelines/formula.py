"""Current practice as policies: one fixed dose, or a published dosing formula."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.domain.cohort import Cohort
from posology.domain.formulary import DoseRange, Formulary, clip_to_range, is_in_range
from posology.domain.formulas.formula import Formula, Term, evaluate_formula, fit_fill_values
from posology.domain.history import History, StepIndex
from posology.domain.policy import AllowedMask, Doses
from posology.domain.profile import Profile
from posology.domain.statistics.link_functions import softmax
from posology.domain.study import Rule
from posology.errors import StudyError
from posology.learners.guidelines.preference_list import PreferenceListPolicy
from posology.learners.outcome_models.predictions import choose_most_effective, doses_within_ranges

_NO_RANGE = 1e3
"""Distance that stands for infinity: a formula never chooses an option without doses."""


@dataclass(frozen=True, slots=True, eq=False)
class FormulaPolicy:
    """A formula gives the dose; the option is the one whose range contains the dose.

    A fixed dose is a formula of one constant term. Where an input is missing and has no fill
    value, all allowed options are equally likely and the dose is NaN.
    """

    formulary: Formulary
    profile: Profile
    formula: Formula

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment 1"]:
        """Softmax of minus the squared distance from the dose to each option's range.

        Distances are between square roots of doses, 0 inside the range. A formula gives no
        probability: this score falls with the distance, so that an AUC can be computed. It is not
        calibrated.
        """
        dose = self._dose(history, decisions)
        distance = np.column_stack([_distance(dose, t.dose) for t in self.formulary.treatments])
        score = np.where(allowed, -(distance**2), -np.inf)
        return softmax(score, axis=1)[:, :, None]

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """The allowed option whose range contains the dose or is nearest to it."""
        score = self.predict_effectiveness(history, decisions, allowed)[:, :, 0]
        return choose_most_effective(score, allowed)

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        """The formula's dose, and for each option that dose clipped to its range."""
        return doses_within_ranges(self._dose(history, decisions), self.formulary, allowed)

    def _dose(self, history: History, decisions: StepIndex) -> Float64[np.ndarray, " decision"]:
        return evaluate_formula(self.formula, history, decisions, self.profile.codes)


def build_rule_policy(rule: Rule, train: Cohort) -> FormulaPolicy | PreferenceListPolicy:
    """The policy of a rule of the study file; StudyError where the rule is incomplete."""
    if rule.kind == "order":
        return PreferenceListPolicy(train.study.formulary, train.profile, rule)
    if rule.kind == "formula" and rule.formula is not None:
        return build_formula_policy(rule.formula, train)
    if rule.kind == "fixed" and rule.dose is not None:
        return build_fixed_dose_policy(rule, train)
    raise StudyError(
        f"rule {rule.name!r} is of kind {rule.kind!r} but lacks a setting of that kind; "
        "a fixed rule needs `dose`, a formula rule `formula`"
    )


def build_fixed_dose_policy(rule: Rule, train: Cohort) -> FormulaPolicy:
    """The rule's dose for every patient."""
    unit = train.study.dose.unit if train.study.dose is not None else train.study.outcome.unit
    term = Term("constant", "one", (), float(rule.dose or 0.0))
    formula = Formula(rule.name, rule.source, unit, "identity", (term,))
    return FormulaPolicy(train.study.formulary, train.profile, formula)


def build_formula_policy(formula: Formula, train: Cohort) -> FormulaPolicy:
    """The formula, with missing inputs filled by the means of the training patients.

    A formula with fill values of its own, such as one refitted in the profile, keeps them.
    """
    if not formula.fill:
        groups = train.study.profile.fill_groups
        decisions, codes = train.last_step, train.profile.codes
        formula = fit_fill_values(formula, groups, train.history, decisions, codes)
    return FormulaPolicy(train.study.formulary, train.profile, formula)


def _distance(
    dose: Float64[np.ndarray, " decision"], allowed: DoseRange | None
) -> Float64[np.ndarray, " decision"]:
    """Distance of the dose's square root from the range; 0 where the dose is unknown."""
    if allowed is None:
        return np.full(len(dose), _NO_RANGE)
    distance = np.abs(np.sqrt(np.maximum(dose, 0.0)) - np.sqrt(clip_to_range(dose, allowed)))
    return np.where(is_in_range(dose, allowed) | np.isnan(dose), 0.0, distance)
