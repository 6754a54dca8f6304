"""A policy and a patient become a recommendation that can be checked."""

import numpy as np

from posology.advice.reasons import attention_of, reasons_of
from posology.domain import safety
from posology.domain.dose_interval import around
from posology.domain.formulary import DoseRange, clip
from posology.domain.history import History, present
from posology.domain.policy import ExplainablePolicy, Policy
from posology.domain.recommendation import DoseAdvice, Option, Recommendation
from posology.domain.study import Study
from posology.errors import UserError

AGREEMENT = 2 / 3
"""Share of members that must put the same option first, else advice abstains; our choice."""

_MIDDLE = (2.5, 97.5)


def recommend(
    policy: Policy,
    study: Study,
    history: History,
    ignored: tuple[str, ...] = (),
    spread: float | None = None,
) -> Recommendation:
    """Advice for the one patient of the history, at its last step.

    What the study's safety rules forbid is never first; UserError where they forbid everything.
    ignored: codes of the patient that are not in the policy's profile.
    spread: of right doses around those said (domain/dose_interval.py), where it was measured.
    """
    decision = history.step_offsets[1:2] - 1
    allowed = safety.allowed(study, policy.profile, history, decision)
    if not allowed.any():
        raise UserError(
            f"study {study.name}: everything is contraindicated for this patient "
            f"({'; '.join(rule.source for rule in study.safety)}); nothing can be recommended."
        )
    member = policy.predict_effectiveness(history, decision, allowed)[0]
    chosen = policy.choice_probabilities(history, decision, allowed)[0]
    doses = policy.predict_doses(history, decision, allowed)
    order = np.lexsort((-member.mean(1), -chosen.round(6)))
    options = tuple(
        _option(policy, k, chosen[k], member[k], doses.by_treatment[0, k], bool(allowed[0, k]))
        for k in order.tolist()
    )
    attribution = (
        policy.explain(history, decision) if isinstance(policy, ExplainablePolicy) else None
    )
    return Recommendation(
        study=study.name,
        options=options,
        dose=_dose(doses.overall[0], study.dose, spread),
        benefit=options[0].probability - options[1].probability,
        reasons=reasons_of(attribution, history, policy.profile, int(order[0])),
        attention=attention_of(attribution, history),
        unknown=_unknown(history, policy, study, decision),
        ignored=ignored,
        warnings=(
            *_warnings(ignored, doses.overall[0], study.dose),
            *_no_dose(policy, int(order[0]), doses.by_treatment[0]),
        ),
        abstain=_abstain(member, options[0].title, int(order[0])),
    )


def round_dose(dose: float, allowed: DoseRange) -> float:
    """The nearest dispensable dose inside the range; the range wins over rounding."""
    if allowed.step <= 0:
        return float(clip(np.array([dose]), allowed)[0])
    low = (
        np.floor(allowed.low / allowed.step + 1.0)
        if allowed.open_low
        else np.ceil(allowed.low / allowed.step)
    )
    high = (
        np.ceil(allowed.high / allowed.step - 1.0)
        if allowed.open_high
        else np.floor(allowed.high / allowed.step)
    )
    return float(np.clip(np.round(dose / allowed.step), low, high) * allowed.step)


def _option(
    policy: Policy, k: int, chosen: float, member: np.ndarray, dose: float, allowed: bool
) -> Option:
    treatment = policy.formulary.treatments[k]
    low, high = np.percentile(member, _MIDDLE)
    has_dose = treatment.dose is not None and not np.isnan(dose)
    return Option(
        name=treatment.name,
        title=treatment.title,
        chosen=float(chosen),
        probability=float(member.mean()),
        low=float(low),
        high=float(high),
        dose=round_dose(float(dose), treatment.dose) if has_dose and treatment.dose else None,
        unit=treatment.dose.unit if treatment.dose else None,
        allowed=allowed,
    )


def _dose(member: np.ndarray, allowed: DoseRange | None, spread: float | None) -> DoseAdvice | None:
    if allowed is None or np.isnan(member).all():
        return None
    exact = float(member.mean())
    low, high = np.percentile(member, _MIDDLE)
    needed = None if spread is None else around(exact, spread)
    return DoseAdvice(
        round_dose(exact, allowed), exact, float(low), float(high), allowed.unit, needed
    )


def _unknown(
    history: History, policy: Policy, study: Study, decision: np.ndarray
) -> tuple[str, ...]:
    families = dict.fromkeys(
        (*study.profile.families, *(code for _, codes in study.subgroups for code in codes))
    )
    return tuple(
        family
        for family in families
        if policy.profile.rows((family,))
        and not present(history, decision, policy.profile.rows((family,)))[0]
    )


def _warnings(
    ignored: tuple[str, ...], member: np.ndarray, allowed: DoseRange | None
) -> tuple[str, ...]:
    told = []
    if ignored:
        told.append(
            f"{len(ignored)} code(s) of this patient are new to the model and were not used."
        )
    if allowed is not None and not np.isnan(member).all():
        exact = float(member.mean())
        if not allowed.low <= exact <= allowed.high:
            told.append(
                f"The model's dose, {exact:.1f} {allowed.unit}, lies outside the study's range "
                "and was moved to its edge."
            )
    return tuple(told)


def _no_dose(policy: Policy, first: int, dose: np.ndarray) -> tuple[str, ...]:
    treatment = policy.formulary.treatments[first]
    if treatment.dose is None or not np.isnan(dose[first]):
        return ()
    return (
        f"No dose of “{treatment.title}” is recommended: the model knows none that lies both "
        "within what patients like this one were given and within the option's limits.",
    )


def _abstain(member: np.ndarray, title: str, first: int) -> str | None:
    agreeing = float((member.argmax(0) == first).mean())
    if agreeing >= AGREEMENT:
        return None
    return (
        f"Only {agreeing:.0%} of the model's members put “{title}” first: the evidence does not "
        "separate the options for this patient."
    )
