"""Case studies: real patients whose advice hangs on one thing, chosen by rule and not by result."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.advice.reasons import code_label
from posology.advice.recommend import recommend
from posology.domain.ablation import forget
from posology.domain.cohort import Cohort, take
from posology.domain.history import History, present, visible_events
from posology.domain.policy import Policy, allow_all_treatments
from posology.domain.recommendation import Recommendation
from posology.report.table1.content import CaseOption, CaseStudy


@dataclass(frozen=True, slots=True)
class Question:
    """What a case shows: advice with and without some events."""

    title: str
    families: tuple[str, ...]
    """Codes (prefixes) that are forgotten."""
    among: tuple[str, ...]
    """Only patients with one of these codes."""
    raises: bool
    """Whether knowing raises the dose, or lowers it."""


def cases(policy: Policy, cohort: Cohort, questions: tuple[Question, ...]) -> tuple[CaseStudy, ...]:
    """For each question the patient whose dose moves most among those whose first option changes.

    Whether the advice proved right plays no part in the choice.
    """
    told: list[CaseStudy] = []
    for question in questions:
        change, moved = _change(policy, cohort, question)
        wanted = moved & ((change > 0) == question.raises)
        if wanted.any():
            row = int(np.where(wanted, np.abs(change), -1.0).argmax())
            told.append(_case(policy, cohort, row, question))
    return tuple(told)


def against_truth(policy: Policy, cohort: Cohort) -> tuple[CaseStudy, ...]:
    """Three decisions whose truth is known: by how far advice puts its first option before the
    second, the least, the middle and the most. Whether it is right plays no part."""
    known = np.flatnonzero(
        ~np.isnan(cohort.potential_rewards).any(axis=1) & (cohort.best_treatment >= 0)
    )
    if not len(known):
        return ()
    asked = cohort.last_step[known]
    allowed = allow_all_treatments(asked, policy.formulary)
    told = np.sort(policy.predict_effectiveness(cohort.history, asked, allowed).mean(2), axis=1)
    order = known[np.argsort(told[:, -1] - told[:, -2], kind="stable")]
    titles = ("Where the options hardly differ", "An ordinary decision", "Where one option leads")
    rows = (order[0], order[len(order) // 2], order[-1])
    return tuple(_beside(policy, cohort, int(r), t) for r, t in zip(rows, titles, strict=True))


def _beside(policy: Policy, cohort: Cohort, row: int, title: str) -> CaseStudy:
    alone = take(cohort, np.arange(len(cohort)) == row)
    advice = recommend(policy, cohort.study, visible_only(alone))
    names = cohort.study.formulary.names
    earned = alone.potential_rewards[0]
    truth = ", ".join(f"{names[k]} {earned[k]:.2f}" for k in np.argsort(-earned))
    given = names[int(alone.treatment[0])] if alone.treatment[0] >= 0 else "none of them"
    first = advice.options[0]
    return CaseStudy(
        title=title,
        facts=_facts(policy, alone),
        options=tuple(CaseOption(o.name, o.probability, o.low, o.high) for o in advice.options),
        dose="" if first.dose is None else f"{first.name} at {first.dose:g} {first.unit}",
        truth=f"most effective {names[int(alone.best_treatment[0])]}; true P(effective): {truth}; "
        f"the clinician gave {given}",
        reasons=tuple(
            f"Knowing “{r.label}” moved the log-odds of “{first.name}” by {r.log_odds:+.2f}."
            for r in advice.reasons[:4]
        ),
    )


def visible_only(alone: Cohort) -> History:
    """The one decision's history, without what came after it."""
    last = int(alone.last_step[0])
    events = int(alone.history.event_offsets[last + 1])
    return History(
        code=alone.history.code[:events],
        value=alone.history.value[:events],
        event_offsets=alone.history.event_offsets[: last + 2],
        time=alone.history.time[: last + 1],
        step_offsets=np.array([0, last + 1], dtype=np.int64),
        subject_id=alone.history.subject_id[:1],
    )


def _change(
    policy: Policy, cohort: Cohort, question: Question
) -> tuple[Float64[np.ndarray, " decision"], np.ndarray]:
    """How knowing moves the dose, and whether it changes the first option."""
    without = forget(cohort.history, policy.profile, question.families)
    allowed = allow_all_treatments(cohort.last_step, policy.formulary)
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
    has = present(cohort.history, cohort.last_step, policy.profile.rows(question.among))
    return dose[0] - dose[1], (first[0] != first[1]) & has


def _case(policy: Policy, cohort: Cohort, row: int, question: Question) -> CaseStudy:
    alone = take(cohort, np.arange(len(cohort)) == row)
    advice = recommend(policy, cohort.study, alone.history)
    without = recommend(
        policy, cohort.study, forget(alone.history, policy.profile, question.families)
    )
    unit = cohort.study.outcome.unit
    reasons = [_without(question, advice, without)]
    for reason in advice.reasons[:4]:
        dose = "" if reason.dose is None else f" and the dose by {reason.dose:+.1f} {unit}"
        reasons.append(
            f"Knowing “{reason.label}” moved the log-odds of “{advice.options[0].name}” by "
            f"{reason.log_odds:+.2f}{dose}."
        )
    dose = ""
    if advice.dose is not None:
        dose = (
            f"{advice.dose.dose:g} {unit} (95 % of the members between {advice.dose.low:.1f} "
            f"and {advice.dose.high:.1f})"
        )
    right = (
        cohort.study.formulary.names[int(alone.best_treatment[0])]
        if alone.best_treatment[0] >= 0
        else "unknown"
    )
    return CaseStudy(
        title=question.title,
        facts=_facts(policy, alone),
        options=tuple(CaseOption(o.name, o.probability, o.low, o.high) for o in advice.options),
        dose=dose,
        truth=f"{right}; stable on {float(alone.dose[0]):g} {unit}",
        reasons=tuple(reasons),
    )


def _without(question: Question, advice: Recommendation, without: Recommendation) -> str:
    families = " and ".join(f.replace("_", " ").lower() for f in question.families)
    dose = ""
    if advice.dose is not None and without.dose is not None:
        dose = f" at {without.dose.dose:g} instead of {advice.dose.dose:g} {advice.dose.unit}"
    return (
        f"Without {families} the advice would have been “{without.options[0].name}”, "
        f"not “{advice.options[0].name}”{dose}."
    )


def _years(alone: Cohort, event: int) -> float:
    """From the event to the decision."""
    step = np.searchsorted(alone.history.event_offsets, event, side="right") - 1
    now = alone.history.time[alone.last_step[0]]
    return float((now - alone.history.time[step]) / 365.25)


def _facts(policy: Policy, alone: Cohort) -> tuple[tuple[str, str], ...]:
    """What was last known, a line a family; formula answers are the model's, not the patient's."""
    _, events = visible_events(alone.history, alone.last_step)
    last = {int(alone.history.code[event]): event for event in events}  # in order of time
    by_family: dict[str, list[str]] = {}
    for event in last.values():
        row, value = int(alone.history.code[event]), float(alone.history.value[event])
        code = policy.profile.codes[row]
        family = code.split("//")[0]
        if code == "MEDS_BIRTH":
            by_family.setdefault("Age", []).append(f"{_years(alone, event):.0f}")
        elif family not in ("FORMULA", "RACE_REPORTED", "ETHNICITY"):
            short = code_label(policy.profile, row, value).removeprefix(
                family.replace("_", " ").lower()
            )
            by_family.setdefault(family, []).append(short.strip())
    return tuple(
        (family.replace("_", " ").capitalize(), ", ".join(said))
        for family, said in by_family.items()
    )
