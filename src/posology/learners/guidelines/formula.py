"""What is done today, as policies: one dose for everybody, or a published formula."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.domain.cohort import Cohort
from posology.domain.formulary import DoseRange, Formulary, clip_to_range, is_in_range
from posology.domain.formulas.formula import Formula, Term, evaluate_formula, fit_fill_values
from posology.domain.history import History, StepIndex
from posology.domain.policy import AllowedMask, Doses
from posology.domain.profile import Profile
from posology.domain.study import Rule
from posology.errors import StudyError
from posology.learners.guidelines.preference_list import PreferenceListPolicy
from posology.learners.outcome_models.predictions import choose_most_effective, doses_within_ranges

_NO_RANGE = 1e3
"""Stands for an infinite distance: an option without doses is never a formula's choice."""


@dataclass(frozen=True, slots=True, eq=False)
class FormulaPolicy:
    """A formula says the dose, and the dose says the option: the one whose range holds it.

    A fixed dose is a formula of one constant term. Where the formula has no answer, for want of a
    number that nothing fills, all allowed options are equally likely and the dose is NaN.
    """

    formulary: Formulary
    profile: Profile
    formula: Formula

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment 1"]:
        """Softmax of minus the squared distance from the dose to each option's range.

        Distances are between square roots of doses, 0 inside the range. A formula states no
        probability: this is a score that falls steadily with the distance, stated so that an AUC
        can be computed, and its numbers are not calibrated.
        """
        dose = self._dose(history, decisions)
        far = np.column_stack([_distance(dose, t.dose) for t in self.formulary.treatments])
        score = np.where(allowed, -(far**2), -np.inf)
        weight = np.exp(score - score.max(axis=1, keepdims=True))
        return (weight / weight.sum(axis=1, keepdims=True))[:, :, None]

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """The option whose range holds the dose or, where that is forbidden, the nearest one."""
        return choose_most_effective(
            self.predict_effectiveness(history, decisions, allowed)[:, :, 0], allowed
        )

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        """The formula's dose, and for each option that dose moved into its range."""
        return doses_within_ranges(self._dose(history, decisions), self.formulary, allowed)

    def _dose(self, history: History, decisions: StepIndex) -> Float64[np.ndarray, " decision"]:
        return evaluate_formula(self.formula, history, decisions, self.profile.codes)


def build_rule_policy(rule: Rule, train: Cohort) -> FormulaPolicy | PreferenceListPolicy:
    """The policy of a rule of the study file."""
    if rule.kind == "order":
        return PreferenceListPolicy(train.study.formulary, train.profile, rule)
    if rule.kind == "formula" and rule.formula is not None:
        return build_formula_policy(rule.formula, train)
    if rule.kind == "fixed" and rule.dose is not None:
        return build_fixed_dose_policy(rule, train)
    raise StudyError(
        f"rule {rule.name!r} is of kind {rule.kind!r} and lacks what that kind needs; "
        "a fixed rule needs `dose`, a formula rule `formula`"
    )


def build_fixed_dose_policy(rule: Rule, train: Cohort) -> FormulaPolicy:
    """The rule's dose for everybody."""
    unit = train.study.dose.unit if train.study.dose is not None else train.study.outcome.unit
    term = Term("constant", "one", (), float(rule.dose or 0.0))
    formula = Formula(rule.name, rule.source, unit, "identity", (term,))
    return FormulaPolicy(train.study.formulary, train.profile, formula)


def build_formula_policy(formula: Formula, train: Cohort) -> FormulaPolicy:
    """The formula, its missing numbers filled by the training patients' means.

    A formula that brings its own fills, as those refitted in the profile do, keeps them.
    """
    if not formula.fill:
        groups = train.study.profile.fill_groups
        decisions, codes = train.last_step, train.profile.codes
        formula = fit_fill_values(formula, groups, train.history, decisions, codes)
    return FormulaPolicy(train.study.formulary, train.profile, formula)


def _distance(
    dose: Float64[np.ndarray, " decision"], allowed: DoseRange | None
) -> Float64[np.ndarray, " decision"]:
    """How far the square root of the dose is from the range; 0 where there is no dose at all."""
    if allowed is None:
        return np.full(len(dose), _NO_RANGE)
    away = np.abs(np.sqrt(np.maximum(dose, 0.0)) - np.sqrt(clip_to_range(dose, allowed)))
    return np.where(is_in_range(dose, allowed) | np.isnan(dose), 0.0, away)
