"""Case studies: patients whose advice depends on one thing, selected by rule, not by result."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from posology.advice.prediction import PatientPrediction, predict_patient
from posology.advice.why.explain import dose_without_facts, options_without_facts
from posology.advice.why.words import code_label
from posology.domain.ablation import without_codes
from posology.domain.cohort import Cohort, subset_decisions
from posology.domain.formulas.ages import ages
from posology.domain.history import History, has_code, visible_events
from posology.domain.images import take_image_rows
from posology.domain.policy import Policy
from posology.domain.profile import Profile
from posology.domain.safety import allowed_in_cohort
from posology.report.table1.content import CaseOption, CaseStudy

_MAX_REASONS = 4
_NOT_SHOWN = ("FORMULA", "RACE_REPORTED", "ETHNICITY")
"""Code families that are not listed among the facts; a formula's value is the model's own."""


@dataclass(frozen=True, slots=True)
class CaseQuestion:
    """What a case shows: the advice with and without some events."""

    title: str
    families: tuple[str, ...]
    """Codes (prefixes) that are removed for comparison."""
    among: tuple[str, ...]
    """Only patients with one of these codes (prefixes) are considered."""
    raises: bool
    """Whether the events raise the dose; False: they lower it."""


def select_cases(
    policy: Policy, cohort: Cohort, questions: tuple[CaseQuestion, ...]
) -> tuple[CaseStudy, ...]:
    """For each question, the patient whose dose changes most and whose first option changes too.

    Whether the advice was correct plays no part in the selection.
    """
    cases: list[CaseStudy] = []
    for question in questions:
        dose_change, is_candidate = _change(policy, cohort, question)
        is_candidate &= (dose_change > 0) == question.raises
        if is_candidate.any():
            row = int(np.where(is_candidate, np.abs(dose_change), -1.0).argmax())
            cases.append(_counterfactual_case(policy, cohort, row, question))
    return tuple(cases)


def select_cases_by_margin(policy: Policy, cohort: Cohort) -> tuple[CaseStudy, ...]:
    """Three decisions whose best option is known: smallest, median and largest margin.

    The margin is P(effective) of the first option minus that of the second. Whether the advice
    was correct plays no part in the selection.
    """
    known = np.flatnonzero(
        ~np.isnan(cohort.potential_rewards).any(axis=1) & (cohort.best_treatment >= 0)
    )
    if not len(known):
        return ()
    decisions = cohort.last_step[known]
    allowed = allowed_in_cohort(cohort)[known]
    effectiveness = policy.predict_effectiveness(cohort.history, decisions, allowed)
    ranked = np.sort(effectiveness.mean(2), axis=1)
    order = known[np.argsort(ranked[:, -1] - ranked[:, -2], kind="stable")]
    titles = ("Smallest difference between options", "Median difference", "Largest difference")
    rows = (order[0], order[len(order) // 2], order[-1])
    return tuple(
        _case_with_truth(policy, cohort, int(row), title)
        for row, title in zip(rows, titles, strict=True)
    )


def _case_with_truth(policy: Policy, cohort: Cohort, row: int, title: str) -> CaseStudy:
    patient = subset_decisions(cohort, np.arange(len(cohort)) == row)
    history = _visible_history(patient)
    predicted = predict_patient(policy, cohort.study, history)
    names = cohort.study.formulary.names
    rewards = patient.potential_rewards[0]
    truth = ", ".join(f"{names[k]} {rewards[k]:.2f}" for k in np.argsort(-rewards))
    best = names[int(patient.best_treatment[0])]
    given = names[int(patient.treatment[0])] if patient.treatment[0] >= 0 else "none of them"
    first = predicted.order[0]
    dose = predicted.option_doses[first]
    return CaseStudy(
        title=title,
        facts=_facts(policy, patient),
        options=_options(predicted, names),
        dose="" if dose is None else f"{names[first]} at {dose.dose:g} {dose.unit}",
        truth=f"most effective {best}; true P(effective): {truth}; the clinician gave {given}",
        reasons=options_without_facts(policy, cohort.study, history, predicted.order[:2])[
            :_MAX_REASONS
        ],
    )


def _visible_history(patient: Cohort) -> History:
    """The history of a cohort of one decision, without the events after the decision."""
    last = int(patient.last_step[0])
    events = int(patient.history.event_offsets[last + 1])
    return History(
        code=patient.history.code[:events],
        value=patient.history.value[:events],
        event_offsets=patient.history.event_offsets[: last + 2],
        time=patient.history.time[: last + 1],
        step_offsets=np.array([0, last + 1], dtype=np.int64),
        subject_id=patient.history.subject_id[:1],
        images=take_image_rows(patient.history.images, slice(0, events)),
    )


def _change(
    policy: Policy, cohort: Cohort, question: CaseQuestion
) -> tuple[Float64[np.ndarray, " decision"], Bool[np.ndarray, " decision"]]:
    """How the events change the dose, and whether the decision is considered as a case."""
    without = without_codes(cohort.history, policy.profile, question.families)
    allowed = allowed_in_cohort(cohort)
    first, dose = zip(
        *(
            (
                policy.choice_probabilities(history, cohort.last_step, allowed).argmax(1),
                policy.predict_doses(history, cohort.last_step, allowed).overall.mean(1),
            )
            for history in (cohort.history, without)
        ),
        strict=True,
    )
    affected = has_code(cohort.history, cohort.last_step, policy.profile.rows(question.among))
    return dose[0] - dose[1], (first[0] != first[1]) & affected


def _counterfactual_case(
    policy: Policy, cohort: Cohort, row: int, question: CaseQuestion
) -> CaseStudy:
    patient = subset_decisions(cohort, np.arange(len(cohort)) == row)
    study, history = cohort.study, patient.history
    names, unit = study.formulary.names, study.outcome.unit
    predicted = predict_patient(policy, study, history)
    without = predict_patient(
        policy, study, without_codes(history, policy.profile, question.families)
    )
    reasons = dose_without_facts(policy, study, history)[:_MAX_REASONS]
    best = int(patient.best_treatment[0])
    return CaseStudy(
        title=question.title,
        facts=_facts(policy, patient),
        options=_options(predicted, names),
        dose=_dose(predicted, unit),
        truth=f"{names[best] if best >= 0 else 'unknown'}; "
        f"stable on {float(patient.dose[0]):g} {unit}",
        reasons=(_compare(question, predicted, without, names), *reasons),
    )


def _options(predicted: PatientPrediction, names: tuple[str, ...]) -> tuple[CaseOption, ...]:
    """The policy's probabilities, best first."""
    mean = predicted.effectiveness.mean(axis=1)
    return tuple(CaseOption(names[k], float(mean[k])) for k in predicted.order)


def _dose(predicted: PatientPrediction, unit: str) -> str:
    return "" if predicted.dose is None else f"{predicted.dose.dose:g} {unit}"


def _compare(
    question: CaseQuestion,
    predicted: PatientPrediction,
    without: PatientPrediction,
    names: tuple[str, ...],
) -> str:
    families = " and ".join(f.replace("_", " ").lower() for f in question.families)
    dose = ""
    if predicted.dose is not None and without.dose is not None:
        now = predicted.dose
        dose = f" at {without.dose.dose:g} instead of {now.dose:g} {now.unit}"
    return (
        f"Without {families} the advice would have been “{names[without.order[0]]}”, "
        f"not “{names[predicted.order[0]]}”{dose}."
    )


def _age(patient: Cohort, birth: int) -> int:
    """Completed years at the decision."""
    time = patient.history.time
    step = np.searchsorted(patient.history.event_offsets, birth, side="right") - 1
    return int(ages(time[[step]], time[patient.last_step[:1]])[0])


def _short_label(profile: Profile, row: int, value: float) -> str:
    """A code with its value, without the family's name: `170 cm` of `height, cm`."""
    family = profile.codes[row].split("//")[0].replace("_", " ").lower()
    name = profile.name(row)
    if not name.lower().startswith(family):
        return code_label(profile, row, value)
    rest = name[len(family) :].strip(" :,")
    return rest if np.isnan(value) else f"{value:g} {rest}".strip()


def _facts(policy: Policy, patient: Cohort) -> tuple[tuple[str, str], ...]:
    """The last known value of each code, one line a code family."""
    _, events = visible_events(patient.history, patient.last_step)
    last = {int(patient.history.code[event]): event for event in events}  # events in time order
    by_family: dict[str, list[str]] = {}
    for event in last.values():
        row, value = int(patient.history.code[event]), float(patient.history.value[event])
        code = policy.profile.codes[row]
        family = code.split("//")[0]
        if code == "MEDS_BIRTH":
            by_family.setdefault("Age", []).append(f"{_age(patient, event)}")
        elif family not in _NOT_SHOWN:
            by_family.setdefault(family, []).append(_short_label(policy.profile, row, value))
    return tuple(
        (family.replace("_", " ").capitalize(), ", ".join(values))
        for family, values in by_family.items()
    )
