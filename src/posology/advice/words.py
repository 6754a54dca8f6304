"""The words of an answer: its headline, and at most three sentences after it."""

import re

from posology.advice.amounts import (
    count,
    difference_as_written,
    difference_range,
    mean_words,
    more_or_fewer,
    span_words,
)
from posology.advice.comparisons import PatientEvidence, difference_between, is_better_than
from posology.advice.inputs import AdviceInputs
from posology.advice.options import USUAL_CARE
from posology.advice.prediction import PatientPrediction
from posology.advice.safety import why_all_forbidden
from posology.advice.uncertainty.certainty import UNLIKE
from posology.advice.wording.levels import counted_levels, mean_levels
from posology.advice.wording.lists import both, either
from posology.advice.wording.titles import MIX, inside_sentence, small_first
from posology.domain.recommendation.option import (
    BETTER,
    NO_CLEAR_DIFFERENCE,
    REFERENCE,
    WORSE,
    Estimate,
    HarmAdvice,
    OptionAdvice,
)
from posology.domain.recommendation.recommendation import (
    ALL_FORBIDDEN,
    BETTER_FOR_PATIENT,
    BETTER_THAN_REFERENCE,
    DOSE_ONLY,
    FACT_MISSING,
    NO_OPTION_BETTER,
    NOT_ELIGIBLE,
    OUTSIDE_TRAINING,
    TOO_FEW_ALIKE,
    UNSURE,
)
from posology.language.catalogue import deferred, tr, tr_count
from posology.language.numbers import number

_BELOW = (
    deferred("Usual care is below."),
    deferred("The guideline and usual care are below."),
)
"""Without and with a guideline in the study file."""
NOT_FOR_OTHERS = deferred("Use a guideline that is for this patient, or ask a specialist.")
DIFFERS = 0.05
"""P value of heterogeneity under which effects are shown to differ."""
_BRACKET = re.compile(r",| \(")
Answer = tuple[str, tuple[str, ...]]


def describe_answer(
    state: str,
    prediction: PatientPrediction,
    inputs: AdviceInputs,
    options: tuple[OptionAdvice, ...],
) -> Answer:
    """The headline, and the sentences that follow it; options in the order shown."""
    if state == DOSE_ONLY:
        return _describe_dose(prediction, inputs)
    if state == NO_OPTION_BETTER:
        return _describe_no_option(inputs, options)
    if state in (BETTER_FOR_PATIENT, BETTER_THAN_REFERENCE):
        return _describe_better(state, inputs, options)
    return _describe_no_answer(state, prediction, inputs)


def _describe_no_answer(state: str, prediction: PatientPrediction, inputs: AdviceInputs) -> Answer:
    certainty, below = inputs.certainty, tr(_BELOW[bool(inputs.guideline)])
    if state == NOT_ELIGIBLE:
        head = tr("No answer: this study is not for this patient.")
        return head, (*inputs.eligibility.not_met[:2], tr(NOT_FOR_OTHERS))
    if state == FACT_MISSING:
        head, *rest = inputs.required
        return head, (*rest[:1], f"{tr('Enter it.')} {below}")
    if state == ALL_FORBIDDEN:
        head = tr("No answer: every option is forbidden for this patient.")
        return head, (*why_all_forbidden(inputs.safety), below)
    if state == TOO_FEW_ALIKE:
        found = tr("{found} were found and {needed} are needed.").format(
            found=certainty.similar_patients, needed=certainty.needed_patients
        )
        return tr("No answer: too few patients like this one."), (found, below)
    if state == OUTSIDE_TRAINING:
        first, *others = certainty.outside or ("",)
        if first.endswith(tr(UNLIKE)):
            why = tr("No answer: {why}").format(why=small_first(first))
            return why, (*others[:1], below)
        head = tr("No answer: this patient is unlike those the model learned from.")
        return head, (*certainty.outside[:2], below)
    if state == UNSURE:
        head = tr("No answer: the right dose of this patient is too uncertain.")
        return head, (*_describe_range(prediction), below)
    reason = inputs.not_judged or tr("The model holds no evidence that its options differ.")
    return tr("No answer: it is not known which option is better."), (reason, below)


def _describe_better(state: str, inputs: AdviceInputs, options: tuple[OptionAdvice, ...]) -> Answer:
    evidence, reference = inputs.evidence, reference_title(options)
    assert evidence is not None  # without it nothing is shown better
    first, *others = [option for option in options if option.standing == BETTER]
    level = [first, *(o for o in others if not is_better_than(evidence, first.name, o.name))]
    numbers = _numbers(first, options, evidence)
    differs = _may_differ(evidence)
    if state == BETTER_FOR_PATIENT and others:
        compared = (BETTER, NO_CLEAR_DIFFERENCE, WORSE)
        rest = sum(option.standing in compared for option in options) - 1
        head = _better_than_all(evidence.is_individual, rest).format(
            option=_upper(_with_dose(first, options)), reference=reference
        )
        next_best = _against_next(first, options, evidence)
        return head, (numbers, *next_best, *differs, *_harm_sentences(first, options))[:3]
    head = _better(evidence.is_individual).format(
        option=_upper(either([_with_dose(option, options) for option in level])),
        reference=reference,
    )
    if len(level) == 1:
        return head, (numbers, *differs, *_harm_sentences(first, options))[:3]
    less = [_short(option, options) for option in others if option not in level]
    lesser = tr("Also better than {reference}, but less so: {options}.").format(
        reference=reference, options=either(less)
    )
    between = f"{tr('Between them there is no clear difference.')} {_choose_by(options)}"
    return head, (numbers, between, *([lesser] if less else []))


def _better_than_all(is_individual: bool, others: int) -> str:
    """The headline of an option that is better than the reference and than the others."""
    if is_individual:
        return tr_count(
            "{option} is likely better for this patient than {reference} and than the other "
            "option.",
            "{option} is likely better for this patient than {reference} and than the other "
            "options.",
            others,
        )
    return tr_count(
        "{option} is better on average than {reference} and than the other option.",
        "{option} is better on average than {reference} and than the other options.",
        others,
    )


def _better(is_individual: bool) -> str:
    """The headline of one option, or of several alike, that are better than the reference."""
    if is_individual:
        return tr("{option} is likely better for this patient than {reference}.")
    return tr("{option} is better on average than {reference}.")


def _describe_no_option(inputs: AdviceInputs, options: tuple[OptionAdvice, ...]) -> Answer:
    head = tr("No option is shown to be better for this patient.")
    equals = [o for o in options if o.standing == NO_CLEAR_DIFFERENCE]
    worse = [o for o in options if o.standing == WORSE]
    reference = reference_title(options)
    sentences = []
    if worse:
        names = either([_short(o, options) for o in worse])
        shown = tr("Shown to be worse than {reference}: {options}.")
        sentences.append(shown.format(reference=reference, options=names))
    elif len(equals) == 1 and inputs.evidence is not None:
        sentences.append(_numbers(equals[0], options, inputs.evidence))
    if equals:
        these = tr("These differences are too uncertain to rely on.")
        others = tr("The other differences are too uncertain to rely on.")
        sentences.append(others if worse else these)
    sentences.append(_choose_by(options))
    return head, (*sentences[:2], *sentences[2:][-1:])


def _choose_by(options: tuple[OptionAdvice, ...]) -> str:
    harms = [harm for option in options for harm in option.harms]
    if any(harm.standing in (BETTER, WORSE) for harm in harms):
        return tr("The harms do differ, so choose by harms and by what the patient wants.")
    if any(harm.standing == NO_CLEAR_DIFFERENCE for harm in harms):
        return tr("The harms are not shown to differ. Choose by what the patient wants.")
    if harms:
        return tr("No harm could be compared here. Weigh harms, and what the patient wants.")
    return tr("Harms were not studied here. Weigh them, and what the patient wants.")


def _against_next(
    first: OptionAdvice, options: tuple[OptionAdvice, ...], evidence: PatientEvidence
) -> tuple[str, ...]:
    """The difference to the next best option that is not the reference."""
    known = [o for o in options if o is not first and o.outcome is not None]
    others = [o for o in known if o.standing in (BETTER, NO_CLEAR_DIFFERENCE, WORSE)]
    if not others or first.outcome is None:
        return ()
    other = max(others, key=lambda option: option.outcome.value if option.outcome else 0.0)
    apart = difference_between(evidence, first.name, other.name)
    if apart is None:
        return ()
    change = more_or_fewer(apart.value, evidence.study.unit)
    span = difference_range(apart, evidence.study.unit)
    text = tr("Against {option}: {change}, perhaps {span}.")
    if span == change:
        text = tr("Against {option}: {change}.")
    return (text.format(option=_short(other, options), change=change, span=span),)


def _may_differ(evidence: PatientEvidence) -> tuple[str, ...]:
    """That an average may not be this patient's, where effects are shown to differ."""
    if evidence.is_individual or evidence.study.heterogeneity_p >= DIFFERS:
        return ()
    return (tr("But effects differ between patients: this one's may be larger or smaller."),)


def _numbers(
    option: OptionAdvice, options: tuple[OptionAdvice, ...], evidence: PatientEvidence
) -> str:
    """Both levels, and the difference with its interval; whose difference it is."""
    reference = next((o for o in options if o.standing == REFERENCE), None)
    title, of_reference = _short(option, options), reference_title(options)
    if option.outcome is None or option.difference is None:
        return ""
    unit = evidence.study.unit
    level = None if reference is None else reference.outcome
    base = option.outcome.value - option.difference.value if level is None else level.value
    write = mean_words if unit else count
    shown = difference_as_written((option.outcome.value, base), option.difference, write)
    change = more_or_fewer(shown, unit, option.difference)
    span = difference_range(option.difference, unit)
    that_is = tr("That is {change}.") if span == change else tr("That is {change}, perhaps {span}.")
    levels = mean_levels(evidence) if unit else counted_levels(evidence)
    text = levels.format(
        value=write(option.outcome.value),
        option=title,
        base=write(base),
        reference=of_reference,
        unit=unit,
    )
    return f"{text} {that_is.format(change=change, span=span)}"


def _harm_sentences(option: OptionAdvice, options: tuple[OptionAdvice, ...]) -> tuple[str, ...]:
    """The harms that differ, benefits of the option first."""
    reference = next((o for o in options if o.standing == REFERENCE), None)
    of_reference = {} if reference is None else {h.name: h.value for h in reference.harms}
    found = [(h.standing, _harm_words(h, of_reference.get(h.name))) for h in option.harms]
    fewer = [text for standing, text in found if standing == BETTER]
    more = [text for standing, text in found if standing == WORSE]
    if not fewer and not more:
        return ()
    text = tr("With {option}: {harms}.")
    if fewer and more:
        text = tr("With {option}: {benefits}, but {harms}.")
    name, harms = _short(option, options), both(more or fewer)
    return (text.format(option=name, benefits=both(fewer), harms=harms),)


def _harm_words(harm: HarmAdvice, of_reference: Estimate | None) -> str:
    """The difference of the two numbers that stand in the table."""
    value = 0.0 if harm.difference is None else harm.difference.value
    if harm.difference is not None and harm.value is not None and of_reference is not None:
        pair, write = (harm.value.value, of_reference.value), mean_words if harm.unit else count
        value = difference_as_written(pair, harm.difference, write)
    change = more_or_fewer(value, harm.unit, harm.difference)
    text = tr("{harm} {change}") if harm.unit else tr("{change} of 100 have {harm}")
    return text.format(harm=harm.name, change=change)


def _describe_dose(prediction: PatientPrediction, inputs: AdviceInputs) -> Answer:
    dose = prediction.dose
    if dose is None:
        return tr("No dose is given for this patient."), prediction.warnings[:1]
    head = tr("This patient likely needs {dose} {unit}.").format(
        dose=number(f"{dose.dose:g}"), unit=dose.unit
    )
    if dose.plan_for is None or dose.coverage is None:
        return head, _describe_error(inputs)
    is_one = dose.ready_for is not None and span_words(dose.ready_for) == span_words(dose.plan_for)
    if is_one:
        text = tr(
            "Plan for {span} {unit}: it holds the right dose of {count} of 100 patients, also "
            "among those who need little or much."
        )
    elif dose.ready_for is not None:
        text = tr(
            "Plan for {span} {unit}: it holds the right dose of {count} of 100 patients, but of "
            "fewer of those who need little or much."
        )
    else:
        text = tr("Plan for {span} {unit}: it holds the right dose of {count} of 100 patients.")
    plan = text.format(
        span=span_words(dose.plan_for), unit=dose.unit, count=f"{100 * dose.coverage:.0f}"
    )
    wide = () if is_one else _describe_range(prediction)
    return head, (plan, *wide, *_describe_error(inputs))


def _describe_range(prediction: PatientPrediction) -> tuple[str, ...]:
    """The wide interval as a sentence, if it was measured."""
    dose = prediction.dose
    if dose is None or dose.ready_for is None or dose.coverage is None:
        return ()
    text = tr(
        "Be ready for {span} {unit}: it holds the right dose of {count} of 100 patients, also "
        "among those who need little or much."
    )
    span, of_100 = span_words(dose.ready_for), f"{100 * dose.coverage:.0f}"
    return (text.format(span=span, unit=dose.unit, count=of_100),)


def _describe_error(inputs: AdviceInputs) -> tuple[str, ...]:
    """How far off the dose is on average, where it was measured."""
    if inputs.dose_evidence is None or inputs.dose_evidence.error is None:
        return ()
    error = mean_words(inputs.dose_evidence.error.value)
    text = tr("On average its dose was off by {error} {unit}.")
    return (text.format(error=error, unit=inputs.dose_evidence.unit),)


def reference_title(options: tuple[OptionAdvice, ...]) -> str:
    """What the options are compared with, as it stands within a sentence."""
    reference = next((o for o in options if o.standing == REFERENCE), None)
    if reference is None:
        return tr("usual care")
    title = _short(reference, options)
    if reference.name != USUAL_CARE:
        return title
    return tr("the trial's mix of options") if title == tr(MIX) else inside_sentence(title)


def _short(option: OptionAdvice, options: tuple[OptionAdvice, ...]) -> str:
    """The title up to its first comma or bracket, if no other option has the same."""
    short = _BRACKET.split(option.title)[0]
    same = [o for o in options if _BRACKET.split(o.title)[0] == short]
    return short if len(same) == 1 else option.title


def _with_dose(option: OptionAdvice, options: tuple[OptionAdvice, ...]) -> str:
    title = _short(option, options)
    if option.dose is None:
        return title
    return f"{title}, {number(f'{option.dose.dose:g}')} {option.dose.unit},"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
