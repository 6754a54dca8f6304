"""All reasons for one patient's answer, from a policy and what `fit` kept."""

from dataclasses import dataclass

import numpy as np

from posology.advice.form.build import BIRTH, build_form
from posology.advice.why.contrasts import contrast_options, explain_dose
from posology.advice.why.counterfactuals import find_counterfactuals, first_option
from posology.advice.why.evidence import WhyEvidence
from posology.advice.why.facts import find_facts
from posology.advice.why.missing import MissingHelp, help_to_choose, help_to_dose
from posology.advice.why.surrogate import describe_surrogate
from posology.advice.why.table import Situation, WhatIfTable, make_table
from posology.advice.why.values import OptionValues, policy_values
from posology.advice.why.what_if import Outputs, Permitted, Predict
from posology.advice.why.words import describe_day
from posology.advice.wording.fact_names import fact_name
from posology.domain.history import History, StepIndex
from posology.domain.policy import AttentivePolicy, Policy, allow_all_treatments
from posology.domain.profile import Profile
from posology.domain.recommendation.why import SurrogateRule, Why
from posology.domain.study import Study

MIN_FIDELITY = 0.7
"""A rule that imitates the model for fewer explains little and is not shown; our choice."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Reasons, and what facts that are not recorded could change, the most helpful first."""

    why: Why
    missing: tuple[MissingHelp, ...] = ()


NOTHING_EXPLAINED = Explanation(Why())


def explain_options(
    values: OptionValues, profile: Profile, history: History, known: WhyEvidence, reference: int
) -> Explanation:
    """Why the first option of the only patient leads over the next and over the reference.

    Args:
        values: what the options are compared by; the first one is the largest that is allowed.
        reference: column of the values that is the control.
    """
    situation = _situation(values.predict, profile, history, known)
    table = make_table(situation)
    if not table.allowed.any():
        return NOTHING_EXPLAINED
    first = first_option(table.recorded, table.allowed)
    others = dict.fromkeys([*_next_best(table, first), reference])
    contrasts = (contrast_options(table, profile, (first, k), values) for k in others if k != first)
    names = tuple(zip(values.names, values.titles, strict=True))
    return Explanation(
        Why(
            contrasts=tuple(contrasts),
            counterfactuals=find_counterfactuals(situation, table, names),
            surrogate=_surrogate(known, profile, history, values.titles),
        ),
        help_to_choose(table, values.titles),
    )


def explain_single_dose(
    policy: Policy,
    history: History,
    known: WhyEvidence,
    supported: tuple[float, float] | None = None,
) -> Explanation:
    """What makes the study's single dose of the only patient.

    supported: the doses that safety rules leave and training patients had: the dose that is shown
    lies in them, and so does every one that it is compared with.
    """
    unit = policy.formulary.dose.unit if policy.formulary.dose else ""
    predict = predict_single_dose(policy, supported)
    table = make_table(_situation(predict, policy.profile, history, known), with_absent=False)
    if not np.isfinite(table.recorded).all():
        return NOTHING_EXPLAINED
    return Explanation(
        Why(dose=explain_dose(table, policy.profile, unit)), help_to_dose(table, unit)
    )


def predict_single_dose(policy: Policy, supported: tuple[float, float] | None = None) -> Predict:
    """The study's single dose, the mean of the members, within the doses that are supported."""
    low, high = supported or (-np.inf, np.inf)

    def predict(history: History, decisions: StepIndex) -> tuple[Outputs, Permitted]:
        everything = allow_all_treatments(decisions, policy.formulary)
        dose = policy.predict_doses(history, decisions, everything).overall.mean(axis=1)
        return np.clip(dose, low, high)[:, None], np.ones((len(dose), 1), dtype=bool)

    return predict


def options_without_facts(
    policy: Policy, study: Study, history: History, pair: tuple[int, ...]
) -> tuple[str, ...]:
    """Sentences about the difference of two options where nothing was kept of the training."""
    first, other = pair
    values = policy_values(policy, study)
    table = make_table(_situation(values.predict, policy.profile, history, _plain(study, policy)))
    contrast = contrast_options(table, policy.profile, (first, other), values)
    return tuple(reason.sentence for reason in contrast.reasons)


def dose_without_facts(policy: Policy, study: Study, history: History) -> tuple[str, ...]:
    """Sentences about the single dose where nothing was kept of the training."""
    found = explain_single_dose(policy, history, _plain(study, policy))
    return tuple(reason.sentence for reason in found.why.dose)


def _plain(study: Study, policy: Policy) -> WhyEvidence:
    """The facts without training values, so that each is left out."""
    form = build_form(study, policy.profile, None)
    return WhyEvidence(find_facts(form, study, policy.profile))


def attention_by_step(policy: Policy, history: History) -> tuple[tuple[str, float], ...]:
    """Each visible step of the only patient and its share; () without attention.

    A step is its date, ISO 8601; that of birth alone is `birth`.
    """
    if not isinstance(policy, AttentivePolicy):
        return ()
    attention = policy.attend(history, history.step_offsets[1:2] - 1)
    return tuple(
        (_step_name(policy.profile, history, int(step)), float(weight))
        for step, weight in zip(attention.step, attention.weight, strict=True)
    )


def _step_name(profile: Profile, history: History, step: int) -> str:
    first, last = history.event_offsets[step : step + 2]
    codes = {profile.codes[row] for row in history.code[first:last]}
    return fact_name("birth") if codes == {BIRTH} else describe_day(float(history.time[step]))


def _situation(
    predict: Predict, profile: Profile, history: History, known: WhyEvidence
) -> Situation:
    return Situation(
        predict, history, profile, int(history.step_offsets[1]) - 1, known.facts, known.groups
    )


def _next_best(table: WhatIfTable, first: int) -> list[int]:
    order = np.argsort(-np.where(table.allowed, table.recorded, -np.inf), kind="stable")
    return [int(k) for k in order if k != first and table.allowed[k]][:1]


def _surrogate(
    known: WhyEvidence, profile: Profile, history: History, titles: tuple[str, ...]
) -> SurrogateRule | None:
    if known.surrogate is None or known.surrogate.fidelity < MIN_FIDELITY:
        return None
    patient = history, int(history.step_offsets[1]) - 1
    return describe_surrogate(known.surrogate, known.facts, patient, profile, titles)
