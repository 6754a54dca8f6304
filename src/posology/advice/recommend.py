"""Turn a policy's predictions for one patient into a recommendation."""

import numpy as np

from posology.advice.reasons import attention_by_step, largest_contributions
from posology.domain import safety
from posology.domain.dose_interval import interval_around
from posology.domain.formulary import DoseRange, clip_to_range
from posology.domain.history import History, has_code
from posology.domain.policy import ExplainablePolicy, Policy
from posology.domain.recommendation import DoseAdvice, Option, Recommendation
from posology.domain.study import Study
from posology.errors import UserError

MIN_AGREEMENT = 2 / 3
"""Recommend only if this share of the members rank the same option first; our choice."""

_MIDDLE = (2.5, 97.5)


def recommend(
    policy: Policy,
    study: Study,
    history: History,
    ignored: tuple[str, ...] = (),
    dose_half_width: float | None = None,
) -> Recommendation:
    """Advice for the only patient of the history, at their last step.

    An option that a safety rule forbids is never first; UserError if every option is forbidden.

    Args:
        ignored: codes of the patient that are not in the policy's vocabulary.
        dose_half_width: of the dose's prediction interval (domain/dose_interval.py), if measured.
    """
    decision = history.step_offsets[1:2] - 1
    allowed = safety.allowed_treatments(study, policy.profile, history, decision)
    if not allowed.any():
        raise UserError(
            f"study {study.name}: every option is contraindicated for this patient "
            f"({'; '.join(rule.source for rule in study.safety)}); no recommendation is possible."
        )
    members = policy.predict_effectiveness(history, decision, allowed)[0]
    chosen = policy.choice_probabilities(history, decision, allowed)[0]
    doses = policy.predict_doses(history, decision, allowed)
    order = np.lexsort((-members.mean(1), -chosen.round(6)))
    options = tuple(
        _option(policy, k, chosen[k], members[k], doses.by_treatment[0, k], bool(allowed[0, k]))
        for k in order.tolist()
    )
    attribution = (
        policy.explain(history, decision) if isinstance(policy, ExplainablePolicy) else None
    )
    return Recommendation(
        study=study.name,
        options=options,
        dose=_dose(doses.overall[0], study.dose, dose_half_width),
        benefit=options[0].probability - options[1].probability,
        reasons=largest_contributions(attribution, history, policy.profile, int(order[0])),
        attention=attention_by_step(attribution, history),
        unknown=_unknown_families(history, policy, study, decision),
        ignored=ignored,
        warnings=(
            *_warnings(ignored, doses.overall[0], study.dose),
            *_missing_dose_warning(policy, int(order[0]), doses.by_treatment[0]),
        ),
        abstain=_reason_to_abstain(members, options[0].title, int(order[0])),
    )


def round_dose(dose: float, allowed: DoseRange) -> float:
    """The nearest multiple of the dispensable step that lies in the range."""
    if allowed.step <= 0:
        return float(clip_to_range(np.array([dose]), allowed)[0])
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
    policy: Policy, k: int, chosen: float, members: np.ndarray, dose: float, allowed: bool
) -> Option:
    treatment = policy.formulary.treatments[k]
    low, high = np.percentile(members, _MIDDLE)
    has_dose = treatment.dose is not None and not np.isnan(dose)
    return Option(
        name=treatment.name,
        title=treatment.title,
        chosen=float(chosen),
        probability=float(members.mean()),
        low=float(low),
        high=float(high),
        dose=round_dose(float(dose), treatment.dose) if has_dose and treatment.dose else None,
        unit=treatment.dose.unit if treatment.dose else None,
        allowed=allowed,
    )


def _dose(
    members: np.ndarray, allowed: DoseRange | None, half_width: float | None
) -> DoseAdvice | None:
    if allowed is None or np.isnan(members).all():
        return None
    exact = float(members.mean())
    low, high = np.percentile(members, _MIDDLE)
    needed = None if half_width is None else interval_around(exact, half_width)
    return DoseAdvice(
        round_dose(exact, allowed), exact, float(low), float(high), allowed.unit, needed
    )


def _unknown_families(
    history: History, policy: Policy, study: Study, decision: np.ndarray
) -> tuple[str, ...]:
    families = dict.fromkeys(
        (*study.profile.families, *(code for _, codes in study.subgroups for code in codes))
    )
    return tuple(
        family
        for family in families
        if policy.profile.rows((family,))
        and not has_code(history, decision, policy.profile.rows((family,)))[0]
    )


def _warnings(
    ignored: tuple[str, ...], members: np.ndarray, allowed: DoseRange | None
) -> tuple[str, ...]:
    warnings = []
    if ignored:
        warnings.append(
            f"{len(ignored)} code(s) of this patient are unknown to the model and were not used."
        )
    if allowed is not None and not np.isnan(members).all():
        exact = float(members.mean())
        if not allowed.low <= exact <= allowed.high:
            warnings.append(
                f"The model's dose, {exact:.1f} {allowed.unit}, is outside the study's range "
                "and was moved to the nearest limit."
            )
    return tuple(warnings)


def _missing_dose_warning(policy: Policy, first: int, dose: np.ndarray) -> tuple[str, ...]:
    treatment = policy.formulary.treatments[first]
    if treatment.dose is None or not np.isnan(dose[first]):
        return ()
    return (
        f"No dose of “{treatment.title}” is recommended: no dose lies both in the range that "
        "similar patients received and within the option's limits.",
    )


def _reason_to_abstain(members: np.ndarray, title: str, first: int) -> str | None:
    agreeing = float((members.argmax(0) == first).mean())
    if agreeing >= MIN_AGREEMENT:
        return None
    return (
        f"Only {agreeing:.0%} of the ensemble members rank “{title}” first: the evidence does not "
        "separate the options for this patient."
    )
