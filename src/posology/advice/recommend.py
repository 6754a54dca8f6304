"""Turn a policy's predictions for one patient into a recommendation."""

import numpy as np

from posology.advice.dose_support import (
    SeenDoses,
    describe_limit,
    limit_dose,
    round_dose,
    supported_range,
)
from posology.advice.reasons import attention_by_step, largest_contributions
from posology.domain import safety
from posology.domain.dose_interval import interval_around
from posology.domain.formulary import DoseRange, Treatment
from posology.domain.history import History, has_code
from posology.domain.policy import ExplainablePolicy, Policy
from posology.domain.recommendation.ranking import DoseAdvice, Option, Recommendation
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
    seen: SeenDoses | None = None,
) -> Recommendation:
    """Advice for the only patient of the history, at their last step.

    An option that a safety rule forbids is never first; UserError if every option is forbidden.
    A dose is never outside the study's range, nor outside what training patients were given.

    Args:
        ignored: codes of the patient that are not in the policy's vocabulary.
        dose_half_width: of the dose's prediction interval (domain/dose_interval.py), if measured.
        seen: smallest and largest dose of the training patients, if measured.
    """
    seen = seen or {}
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
        _option(
            policy.formulary.treatments[k],
            (float(chosen[k]), members[k], float(doses.by_treatment[0, k])),
            bool(allowed[0, k]),
            seen,
        )
        for k in order.tolist()
    )
    attribution = (
        policy.explain(history, decision) if isinstance(policy, ExplainablePolicy) else None
    )
    return Recommendation(
        study=study.name,
        options=options,
        dose=_dose(doses.overall[0], study.dose, dose_half_width, seen.get("")),
        benefit=options[0].probability - options[1].probability,
        reasons=largest_contributions(attribution, history, policy.profile, int(order[0])),
        attention=attention_by_step(attribution, history),
        unknown=_unknown_families(history, policy, study, decision),
        ignored=ignored,
        warnings=(
            *_ignored_warning(ignored),
            *_dose_warnings(doses.overall[0], study.dose, seen.get("")),
            *_option_dose_warnings(policy, doses.by_treatment[0], seen),
            *_missing_dose_warning(policy, int(order[0]), doses.by_treatment[0]),
        ),
        abstain=_reason_to_abstain(members, options[0].title, int(order[0])),
    )


def _option(
    treatment: Treatment,
    predicted: tuple[float, np.ndarray, float],
    allowed: bool,
    seen: SeenDoses,
) -> Option:
    """predicted: probability of being chosen, each member's P(effective), and the dose."""
    chosen, members, dose = predicted
    low, high = np.percentile(members, _MIDDLE)
    shown = None
    if treatment.dose is not None and np.isfinite(dose):
        shown = round_dose(dose, supported_range(treatment.dose, seen.get(treatment.name)))
    return Option(
        name=treatment.name,
        title=treatment.title,
        chosen=chosen,
        probability=float(members.mean()),
        low=float(low),
        high=float(high),
        dose=shown,
        unit=treatment.dose.unit if treatment.dose else None,
        allowed=allowed,
    )


def _dose(
    members: np.ndarray,
    allowed: DoseRange | None,
    half_width: float | None,
    seen: tuple[float, float] | None,
) -> DoseAdvice | None:
    if allowed is None or not np.isfinite(members).all():
        return None
    supported = supported_range(allowed, seen)
    exact = limit_dose(float(members.mean()), supported)
    low, high = (limit_dose(float(x), supported) for x in np.percentile(members, _MIDDLE))
    needed = None if half_width is None else interval_around(exact, half_width)
    return DoseAdvice(round_dose(exact, supported), exact, low, high, allowed.unit, needed)


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


def _ignored_warning(ignored: tuple[str, ...]) -> tuple[str, ...]:
    if not ignored:
        return ()
    return (f"{len(ignored)} code(s) of this patient are unknown to the model and were not used.",)


def _dose_warnings(
    members: np.ndarray, allowed: DoseRange | None, seen: tuple[float, float] | None
) -> tuple[str, ...]:
    if allowed is None or np.isnan(members).all():
        return ()
    if not np.isfinite(members).all():
        return ("No dose is given: the model's dose for this patient is not a finite number.",)
    supported = supported_range(allowed, seen)
    warning = describe_limit(float(members.mean()), supported, allowed, "")
    return (warning,) if warning else ()


def _option_dose_warnings(policy: Policy, doses: np.ndarray, seen: SeenDoses) -> tuple[str, ...]:
    """Doses of options beyond what training patients had; their ranges are the policy's part."""
    warnings = []
    for treatment, dose in zip(policy.formulary.treatments, doses.tolist(), strict=True):
        if treatment.dose is None or not np.isfinite(dose) or treatment.name not in seen:
            continue
        supported = supported_range(treatment.dose, seen[treatment.name])
        what = f" of “{treatment.title}”"
        warnings.append(describe_limit(dose, supported, treatment.dose, what))
    return tuple(warning for warning in warnings if warning)


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
