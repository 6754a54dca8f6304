"""All reasons for one patient's answer, from a policy and what `fit` kept."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from posology.advice.why.contrasts import contrast_options, explain_dose
from posology.advice.why.counterfactuals import find_counterfactuals, first_option
from posology.advice.why.evidence import WhyEvidence
from posology.advice.why.missing import MissingHelp, help_to_choose, help_to_dose
from posology.advice.why.surrogate import FirstOptions, describe_surrogate
from posology.advice.why.table import Situation, WhatIfTable, make_table
from posology.advice.why.what_if import Outputs, Permitted, Predict
from posology.domain import safety
from posology.domain.history import History, StepIndex
from posology.domain.policy import Policy, allow_all_treatments
from posology.domain.recommendation.why import Contrast, SurrogateRule, Why
from posology.domain.study import Study

OF_100 = 100.0


@dataclass(frozen=True, slots=True)
class Explanation:
    """Reasons, and what facts that are not recorded could change, the most helpful first."""

    why: Why
    missing: tuple[MissingHelp, ...] = ()


NOTHING_EXPLAINED = Explanation(Why())


def explain_options(
    policy: Policy, study: Study, history: History, known: WhyEvidence, reference: str | None
) -> Explanation:
    """Why the first option of the only patient leads over the next and over the reference.

    Empty where a policy chooses another option than the one that it predicts to be most effective:
    reasons for the one are no reasons for the other.

    Args:
        reference: name of the option that is the control; None if it is usual care.
    """
    situation = _situation(predict_options(policy, study), policy, history, known)
    table = make_table(situation)
    if not table.allowed.any():
        return NOTHING_EXPLAINED
    first = first_option(table.recorded, table.allowed)
    decision = history.step_offsets[1:2] - 1
    if first_options(policy, study)(history, decision)[0] != first:
        return NOTHING_EXPLAINED
    treatments = study.formulary.treatments
    titles = tuple(t.title for t in treatments)
    others = _others(table, first, study.formulary.names, reference)
    return Explanation(
        Why(
            contrasts=tuple(_contrast(table, policy, (first, k), titles) for k in others),
            counterfactuals=find_counterfactuals(
                situation, table, tuple((t.name, t.title) for t in treatments)
            ),
            surrogate=_surrogate(known, policy, history, titles),
        ),
        help_to_choose(table, titles),
    )


def explain_single_dose(policy: Policy, history: History, known: WhyEvidence) -> Explanation:
    """What makes the study's single dose of the only patient."""
    unit = policy.formulary.dose.unit if policy.formulary.dose else ""
    table = make_table(_situation(predict_single_dose(policy), policy, history, known))
    if not np.isfinite(table.recorded).all():
        return NOTHING_EXPLAINED
    return Explanation(
        Why(dose=explain_dose(table, policy.profile, unit)), help_to_dose(table, unit)
    )


def predict_options(policy: Policy, study: Study) -> Predict:
    """P(effective) of every option, of 100 patients, and whether safety rules allow it."""

    def predict(history: History, decisions: StepIndex) -> tuple[Outputs, Permitted]:
        everything = allow_all_treatments(decisions, policy.formulary)
        members = policy.predict_effectiveness(history, decisions, everything)
        allowed = safety.allowed_treatments(study, policy.profile, history, decisions)
        return OF_100 * members.mean(axis=2), allowed

    return predict


def first_options(policy: Policy, study: Study) -> FirstOptions:
    """The allowed option that the policy chooses most often; -1 where none is allowed."""

    def choose(history: History, decisions: StepIndex) -> Int64[np.ndarray, " decision"]:
        allowed = safety.allowed_treatments(study, policy.profile, history, decisions)
        none = np.asarray(~allowed.any(axis=1, keepdims=True))
        chosen = policy.choice_probabilities(history, decisions, allowed | none)
        return np.where(none[:, 0], -1, chosen.argmax(axis=1))

    return choose


def predict_single_dose(policy: Policy) -> Predict:
    """The study's single dose, the mean of the members."""

    def predict(history: History, decisions: StepIndex) -> tuple[Outputs, Permitted]:
        everything = allow_all_treatments(decisions, policy.formulary)
        dose = policy.predict_doses(history, decisions, everything).overall.mean(axis=1)
        return dose[:, None], np.ones((len(dose), 1), dtype=bool)

    return predict


def _situation(predict: Predict, policy: Policy, history: History, known: WhyEvidence) -> Situation:
    last = int(history.step_offsets[1]) - 1
    return Situation(predict, history, policy.profile, last, known.facts)


def _others(
    table: WhatIfTable, first: int, names: tuple[str, ...], reference: str | None
) -> list[int]:
    """The next best option, and the reference where it is another."""
    order = np.argsort(-np.where(table.allowed, table.recorded, -np.inf), kind="stable")
    following = [int(k) for k in order if k != first and table.allowed[k]][:1]
    if reference in names and names.index(reference) not in (first, *following):
        following.append(names.index(reference))
    return following


def _contrast(
    table: WhatIfTable, policy: Policy, pair: tuple[int, int], titles: tuple[str, ...]
) -> Contrast:
    return contrast_options(table, policy.profile, pair, (titles[pair[0]], titles[pair[1]]))


def _surrogate(
    known: WhyEvidence, policy: Policy, history: History, titles: tuple[str, ...]
) -> SurrogateRule | None:
    if known.surrogate is None:
        return None
    patient = history, int(history.step_offsets[1]) - 1
    return describe_surrogate(known.surrogate, known.facts, patient, policy.profile, titles)
