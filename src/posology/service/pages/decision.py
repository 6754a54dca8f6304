"""The decision about an answer: the choices offered, what a form must hold, what was decided."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from posology.domain.formulary import DoseRange, is_in_range
from posology.domain.recommendation.option import BETTER, FORBIDDEN, OptionAdvice
from posology.domain.recommendation.recommendation import (
    BETTER_FOR_PATIENT,
    BETTER_THAN_REFERENCE,
    DOSE_ONLY,
    Recommendation,
)
from posology.domain.study import Study
from posology.language.catalogue import deferred, tr
from posology.language.numbers import number, read_number
from posology.report.patient.words import capitalise, dose_words
from posology.service.store.decisions import (
    ACCEPTED,
    CHOSEN,
    DEFERRED,
    MODIFIED,
    OVERRIDDEN,
    DecisionRecord,
)

REASONS = (
    ("patient_wish", deferred("Patient's own wish")),
    ("not_in_record", deferred("Something the record does not show")),
    ("safety", deferred("Safety or interaction")),
    ("guideline", deferred("Local guideline")),
    ("no_trust", deferred("I do not trust this answer")),
    ("other", deferred("Other")),
)
"""Main reason to override or modify: its code in the store, and its words."""
DEFER_REASONS = (
    ("awaits_result", deferred("A result is awaited")),
    ("discussed", deferred("To be discussed with the patient or a colleague")),
    ("other", deferred("Other")),
)
REASON_WORDS = dict((*DEFER_REASONS, *REASONS))
OUTCOME_WORDS = {
    ACCEPTED: deferred("Accepted"),
    MODIFIED: deferred("Modified"),
    DEFERRED: deferred("Deferred"),
    OVERRIDDEN: deferred("Overridden"),
    CHOSEN: deferred("Chosen"),
}


def reason_words(code: str) -> str:
    """A reason in words; empty if it is none of them."""
    return tr(REASON_WORDS[code]) if code in REASON_WORDS else ""


OTHER = "other"
"""Something that is not among the options."""
_FAR_ABOVE = 2.0
"""A dose more than so many times the highest supported one needs a word. Our choice."""
_LONGEST = 2000
"""Characters of a comment."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the equal choices."""

    value: str
    title: str
    hint: str


@dataclass(frozen=True, slots=True)
class DecisionForm:
    """The form's variables."""

    choices: tuple[Choice, ...]
    options: tuple[tuple[str, str], ...]
    """Name and words of each option that may be given."""
    acceptable: tuple[tuple[str, str], ...]
    """The options shown better, where there are several."""
    unit: str
    """Of the dose; empty where the study has none."""
    dose_label: str
    """What the field of the dose asks for."""
    values: dict[str, str]
    """What was entered, for a form that is shown again."""
    errors: dict[str, str]
    """Id of a field, and what to mend."""


def decision_form(
    advice: Recommendation,
    values: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    may_accept: bool = True,
) -> DecisionForm:
    """The choices for an answer; without advice there is nothing to accept.

    Args:
        may_accept: False of an answer that is out of date, or whose model is stopped.
    """
    better = acceptable_options(advice)
    allowed = (o for o in advice.options if o.standing != FORBIDDEN)
    options = tuple((o.name, _offered_words(o, advice)) for o in allowed)
    first = _dose_only(advice) or (option_words(better[0]) if better else "")
    others = Choice(DEFERRED, tr("Defer"), tr("Wait for a result, or decide later"))
    if better or first:
        hint = first if len(better) <= 1 else tr("One of the options shown better")
        accept = Choice(ACCEPTED, tr("Accept"), hint)
        part = tr("Take part of it: another dose, or another check")
        modify = Choice(MODIFIED, tr("Modify"), part)
        override = Choice(OVERRIDDEN, tr("Override"), tr("Choose another option and say why"))
        choices = (accept, modify, others, override) if may_accept else (others, override)
    else:
        choose = Choice(CHOSEN, tr("Choose"), tr("What will be given without an answer"))
        choices = (choose, others)
    return DecisionForm(
        choices=choices,
        options=(*options, (OTHER, tr("Something else"))),
        acceptable=tuple((o.name, option_words(o)) for o in better) if len(better) > 1 else (),
        unit=_unit(advice),
        dose_label=tr("Dose that will be given")
        if _dose_only(advice)
        else tr("Dose, if it is another"),
        values=dict(values or {}),
        errors=dict(errors or {}),
    )


def acceptable_options(advice: Recommendation) -> tuple[OptionAdvice, ...]:
    """The options that the answer advises."""
    if advice.state == BETTER_FOR_PATIENT:
        return advice.options[:1]
    if advice.state == BETTER_THAN_REFERENCE:
        return tuple(o for o in advice.options if o.standing == BETTER)
    return ()


def read_decision(
    form: Mapping[str, str],
    about: tuple[Recommendation, Mapping[str, DoseRange]],
    may_accept: bool,
    answer: str,
    person: str,
) -> tuple[DecisionRecord | None, dict[str, str]]:
    """The decision, or what to mend, by the id of the field.

    Args:
        about: the advice, and the doses that belong to each option.
    """
    advice, _ = about
    outcome = form.get("outcome", "")
    offered = {choice.value for choice in decision_form(advice, may_accept=may_accept).choices}
    if outcome not in offered:
        return None, {"outcome": tr("Choose what you decide")}
    option, dose, reason, errors = "", None, "", {}
    if outcome == ACCEPTED:
        option, dose, errors = _accepted(form, advice)
    elif outcome == DEFERRED:
        reason = form.get("reason_deferred", "")
        if reason not in dict(DEFER_REASONS):
            errors["reason_deferred"] = tr("Choose what you wait for")
    else:
        option, dose, reason, errors = _own(form, about, may_accept)
    comment = form.get("comment", "").strip()
    if len(comment) > _LONGEST:
        shorten = tr("Shorten what you add to {count} characters")
        errors["comment"] = shorten.format(count=number(f"{_LONGEST:,}"))
    elif not comment:
        errors |= _unsaid(option, dose, reason, advice)
    if errors:
        return None, errors
    key = form.get("key", "") or f"{answer} {person}"
    return DecisionRecord(key, answer, outcome, person, option, dose, reason, comment), {}


def _own(
    form: Mapping[str, str], about: tuple[Recommendation, Mapping[str, DoseRange]], may_accept: bool
) -> tuple[str, float | None, str, dict[str, str]]:
    """Option, dose and reason of a decision other than the advised, and what to mend."""
    (advice, ranges), outcome = about, form["outcome"]
    option, dose, errors = _given(form, advice, outcome)
    if dose is not None and not errors:
        errors = _other_class((option, dose), advice, ranges, f"dose_{outcome}")
    reason = form.get(f"reason_{outcome}", "")
    if outcome == CHOSEN:
        return option, dose, reason, errors
    is_unsaid = option == OTHER and dose is None
    if may_accept and not is_unsaid and not errors:
        errors = _as_advised((option, dose), about, form)
    if dose is None and option != OTHER and not errors and _dose_only(advice):
        errors = {f"dose_{outcome}": tr("Enter the dose that will be given")}
    if reason not in dict(REASONS):
        errors[f"reason_{outcome}"] = tr("Choose the main reason")
    return option, dose, reason, errors


def _accepted(
    form: Mapping[str, str], advice: Recommendation
) -> tuple[str, float | None, dict[str, str]]:
    better = acceptable_options(advice)
    if not better:
        return "", advice.dose.dose if advice.dose else None, {}
    names = {option.name: option for option in better}
    chosen = names.get(form.get("option_accepted", better[0].name if len(better) == 1 else ""))
    if chosen is None:
        return "", None, {"option_accepted": tr("Choose which of them is given")}
    dose = chosen.dose or advice.dose
    return chosen.name, dose.dose if dose else None, {}


def _given(
    form: Mapping[str, str], advice: Recommendation, outcome: str
) -> tuple[str, float | None, dict[str, str]]:
    option, errors, dose = form.get(f"option_{outcome}", ""), {}, None
    known = {o.name for o in advice.options if o.standing != FORBIDDEN} | {OTHER}
    text = form.get(f"dose_{outcome}", "").strip()
    if option not in known and not (text and advice.state == DOSE_ONLY):
        errors[f"option_{outcome}"] = tr("Choose what will be given")
    if text:
        try:
            dose = read_number(text)
        except ValueError:
            dose = math.nan
        field, highest = f"dose_{outcome}", _highest_dose(advice)
        if not (math.isfinite(dose) and dose >= 0):
            errors[field] = tr("Enter the dose as a number in {unit}").format(unit=_unit(advice))
        elif dose > _FAR_ABOVE * highest and not form.get("comment", "").strip():
            far = tr(
                "{dose} is far above {highest}, the highest that the data support: correct it, or "
                "say under “Anything to add” why it is right"
            )
            given = f"{number(f'{dose:g}')} {_unit(advice)}"
            errors[field] = far.format(dose=given, highest=number(f"{highest:g}"))
    return option, dose, errors


def _as_advised(
    given: tuple[str, float | None],
    about: tuple[Recommendation, Mapping[str, DoseRange]],
    form: Mapping[str, str],
) -> dict[str, str]:
    """What to mend of a change that changes nothing: the decision says to have left the advice."""
    (option, dose), outcome = given, form["outcome"]
    is_described = bool(form.get("comment", "").strip())
    advised = _advised_dose(option, *about)
    if advised is None or dose not in (None, advised):
        return {}
    if is_described and (outcome == MODIFIED or option == OTHER):
        return {}
    mend = (
        tr("change the dose, or say under “Anything to add” what is different")
        if outcome == MODIFIED
        else tr("choose “Accept”, or another option or dose")
    )
    field = f"option_{outcome}" if dose is None else f"dose_{outcome}"
    return {field: tr("This is what was advised: {mend}").format(mend=mend)}


def _advised_dose(
    option: str, advice: Recommendation, ranges: Mapping[str, DoseRange]
) -> float | None:
    """The dose advised with the option, NaN if it is advised without one; None: not advised."""
    if advice.state == DOSE_ONLY and advice.dose is not None:
        dose, own = advice.dose.dose, ranges.get(option)
        return dose if own is None or is_in_range(np.array([dose]), own)[0] else None
    chosen = next((one for one in acceptable_options(advice) if one.name == option), None)
    if chosen is None:
        return None
    dose = chosen.dose or advice.dose
    return math.nan if dose is None else dose.dose


def _unsaid(option: str, dose: float | None, reason: str, advice: Recommendation) -> dict[str, str]:
    """What to add where “Something else” or “Other” was chosen, and nothing says what."""
    is_named = advice.state == DOSE_ONLY and dose is not None
    if option == OTHER and reason == OTHER:
        both = tr("You chose “Something else” and “Other”: say here what is given and why")
        return {"comment": both}
    if option == OTHER and not is_named:
        return {"comment": tr("You chose “Something else”: say here what is given")}
    if reason == OTHER:
        return {"comment": tr("You chose “Other”: say here what the reason is")}
    return {}


def option_ranges(study: Study) -> dict[str, DoseRange]:
    """The doses that belong to each option, where the study says so."""
    options = study.formulary.treatments
    return {option.name: option.dose for option in options if option.dose is not None}


def _other_class(
    given: tuple[str, float],
    advice: Recommendation,
    ranges: Mapping[str, DoseRange],
    field: str,
) -> dict[str, str]:
    """What to mend where the dose does not belong to the option that was chosen with it."""
    name, dose = given
    unit, allowed = _unit(advice), ranges.get(name)
    if allowed is None or allowed.unit != unit or is_in_range(np.array([dose]), allowed)[0]:
        return {}
    titles = {option.name: option.title for option in advice.options}
    fits = [
        titles[other]
        for other, one in ranges.items()
        if other in titles and one.unit == unit and is_in_range(np.array([dose]), one)[0]
    ]
    other = capitalise(fits[0]) if fits else tr("Something else")
    text = tr("{dose} is not “{option}”: change the dose, or choose “{other}”")
    given_dose = f"{number(f'{dose:g}')} {unit}"
    return {field: text.format(dose=given_dose, option=titles[name], other=other)}


def _highest_dose(advice: Recommendation) -> float:
    """Upper end of what the data support, over all options; infinite where there are no doses."""
    doses = [advice.dose, *(option.dose for option in advice.options)]
    return max((dose.supported[1] for dose in doses if dose is not None), default=math.inf)


def option_words(option: OptionAdvice) -> str:
    """`Low start, 16 mg a week`."""
    title = capitalise(option.title)
    return title if option.dose is None else f"{title}, {dose_words(option.dose)}"


def _offered_words(option: OptionAdvice, advice: Recommendation) -> str:
    """An option as the form offers it.

    Where the dose is the answer an option is a range of doses: the dose that stands with it is
    the end of the range nearest to the answer, which nobody advises and no decision records.
    """
    return capitalise(option.title) if _dose_only(advice) else option_words(option)


def given_words(record: DecisionRecord, advice: Recommendation) -> str:
    """What was decided to be given, in words; empty if that was not recorded."""
    by_name = {option.name: option for option in advice.options}
    option, unit = by_name.get(record.option), _unit(advice)
    title = capitalise(option.title) if option else tr("Something else") if record.option else ""
    dose = "" if record.dose is None else f"{number(f'{record.dose:g}')} {unit}".strip()
    return ", ".join(part for part in (title, dose) if part)


def _dose_only(advice: Recommendation) -> str:
    is_dose = advice.state == DOSE_ONLY and advice.dose is not None
    return dose_words(advice.dose) if is_dose and advice.dose else ""


def _unit(advice: Recommendation) -> str:
    doses = [advice.dose, *(option.dose for option in advice.options)]
    return next((dose.unit for dose in doses if dose is not None), "")
