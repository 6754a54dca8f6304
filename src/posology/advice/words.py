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

_BELOW = ("Usual care is below.", "The guideline and usual care are below.")
"""Without and with a guideline in the study file."""
NOT_FOR_OTHERS = "Use a guideline that is for this patient, or ask a specialist."
NOT_A_REASON = "This is not a reason to leave the patient without treatment."
_ALSO = "also among those who need little or much"
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
    certainty, below = inputs.certainty, _BELOW[bool(inputs.guideline)]
    if state == NOT_ELIGIBLE:
        head = "No answer: this study is not for this patient."
        return head, (*inputs.eligibility.not_met[:2], NOT_FOR_OTHERS)
    if state == FACT_MISSING:
        head, *rest = inputs.required
        return head, (*rest[:1], f"Enter it. {below}")
    if state == ALL_FORBIDDEN:
        head = "No answer: every option is forbidden for this patient."
        return head, (*why_all_forbidden(inputs.safety), below)
    if state == TOO_FEW_ALIKE:
        found = f"{certainty.similar_patients} were found and {certainty.needed_patients} are "
        return "No answer: too few patients like this one.", (f"{found}needed.", below)
    if state == OUTSIDE_TRAINING:
        first, *others = certainty.outside or ("",)
        if first.endswith(UNLIKE):
            return f"No answer: {first[:1].lower()}{first[1:]}", (*others[:1], below)
        head = "No answer: this patient is unlike those the model learned from."
        return head, (*certainty.outside[:2], below)
    if state == UNSURE:
        head = "No answer: the right dose of this patient is too uncertain."
        return head, (*_describe_range(prediction), below)
    reason = inputs.not_judged or "The model holds no evidence that its options differ."
    return "No answer: it is not known which option is better.", (reason, below)


def _describe_better(state: str, inputs: AdviceInputs, options: tuple[OptionAdvice, ...]) -> Answer:
    evidence, reference = inputs.evidence, reference_title(options)
    assert evidence is not None  # without it nothing is shown better
    first, *others = [option for option in options if option.standing == BETTER]
    level = [first, *(o for o in others if not is_better_than(evidence, first.name, o.name))]
    likely = "likely better for this patient" if evidence.is_individual else "better on average"
    than = f"{likely} than {reference}"
    numbers = _numbers(first, options, evidence)
    differs = _may_differ(evidence)
    if state == BETTER_FOR_PATIENT and others:
        compared = (BETTER, NO_CLEAR_DIFFERENCE, WORSE)
        rest = sum(option.standing in compared for option in options) - 1
        others_too = "the other option" if rest == 1 else "the other options"
        head = f"{_upper(_with_dose(first, options))} is {than} and than {others_too}."
        next_best = _against_next(first, options, evidence)
        return head, (numbers, *next_best, *differs, *_harm_sentences(first, options))[:3]
    head = f"{_upper(_or([_with_dose(option, options) for option in level]))} is {than}."
    if len(level) == 1:
        return head, (numbers, *differs, *_harm_sentences(first, options))[:3]
    less = [_short(option, options) for option in others if option not in level]
    lesser = (f"Also better than {reference}, but less so: {_or(less)}.",) if less else ()
    return head, (
        numbers,
        f"Between them there is no clear difference. {_choose_by(options)}",
        *lesser,
    )


def _describe_no_option(inputs: AdviceInputs, options: tuple[OptionAdvice, ...]) -> Answer:
    head = "No option is shown to be better for this patient."
    equals = [o for o in options if o.standing == NO_CLEAR_DIFFERENCE]
    worse = [o for o in options if o.standing == WORSE]
    reference = reference_title(options)
    sentences = []
    if worse:
        names = _or([_short(o, options) for o in worse])
        sentences.append(f"Shown to be worse than {reference}: {names}.")
    elif len(equals) == 1 and inputs.evidence is not None:
        sentences.append(_numbers(equals[0], options, inputs.evidence))
    if equals:
        which = "The other" if worse else "These"
        sentences.append(f"{which} differences are too uncertain to rely on.")
    sentences.append(_choose_by(options))
    return head, (*sentences[:2], *sentences[2:][-1:])


def _choose_by(options: tuple[OptionAdvice, ...]) -> str:
    harms = [harm for option in options for harm in option.harms]
    if any(harm.standing in (BETTER, WORSE) for harm in harms):
        return "The harms do differ, so choose by harms and by what the patient wants."
    if any(harm.standing == NO_CLEAR_DIFFERENCE for harm in harms):
        return "The harms are not shown to differ. Choose by what the patient wants."
    return "Harms were not studied here. Weigh them, and what the patient wants."


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
    perhaps = "" if span == change else f", perhaps {span}"
    return (f"Against {_short(other, options)}: {change}{perhaps}.",)


def _may_differ(evidence: PatientEvidence) -> tuple[str, ...]:
    """That an average may not be this patient's, where effects are shown to differ."""
    if evidence.is_individual or evidence.study.heterogeneity_p >= DIFFERS:
        return ()
    return ("But effects differ between patients: this one's may be larger or smaller.",)


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
    change = more_or_fewer(shown, unit)
    span = difference_range(option.difference, unit)
    that_is = f"That is {change}." if span == change else f"That is {change}, perhaps {span}."
    own = _whose(evidence)
    if unit:
        values = f"{mean_words(option.outcome.value)} with {title} and {mean_words(base)} with"
        return _upper(f"{own}the mean is about {values} {of_reference} ({unit}). {that_is}")
    reached = f"about {count(option.outcome.value)}"
    of = f"of 100 patients like this one, {reached}"
    if evidence.is_average_level:
        of = f"{reached} of 100"
    both = f"reach the goal with {title} and {count(base)} with {of_reference}"
    return _upper(f"{own}{of} {both}. {that_is}")


def _whose(evidence: PatientEvidence) -> str:
    """Whether the level, the difference or both are averages of the study."""
    if not evidence.is_average_level:
        return "" if evidence.is_individual else "With the study's average effect, "
    if evidence.is_individual:
        return "From the average of all patients, with this one's own effect, "
    return "On average over all patients, "


def _harm_sentences(option: OptionAdvice, options: tuple[OptionAdvice, ...]) -> tuple[str, ...]:
    """The harms that differ, benefits of the option first."""
    reference = next((o for o in options if o.standing == REFERENCE), None)
    of_reference = {} if reference is None else {h.name: h.value for h in reference.harms}
    found = [(h.standing, _harm_words(h, of_reference.get(h.name))) for h in option.harms]
    fewer = [text for standing, text in found if standing == BETTER]
    more = [text for standing, text in found if standing == WORSE]
    if not fewer and not more:
        return ()
    words = " and ".join(fewer)
    if more:
        words = f"{words}, but {' and '.join(more)}" if fewer else " and ".join(more)
    return (f"With {_short(option, options)}: {words}.",)


def _harm_words(harm: HarmAdvice, of_reference: Estimate | None) -> str:
    """The difference of the two numbers that stand in the table."""
    value = 0.0 if harm.difference is None else harm.difference.value
    if harm.difference is not None and harm.value is not None and of_reference is not None:
        pair, write = (harm.value.value, of_reference.value), mean_words if harm.unit else count
        value = difference_as_written(pair, harm.difference, write)
    change = more_or_fewer(value, harm.unit)
    return f"{harm.name} {change}" if harm.unit else f"{change} of 100 have {harm.name}"


def _describe_dose(prediction: PatientPrediction, inputs: AdviceInputs) -> Answer:
    dose = prediction.dose
    if dose is None:
        return "No dose is given for this patient.", prediction.warnings[:1]
    head = f"This patient likely needs {dose.dose:g} {dose.unit}."
    if dose.plan_for is None or dose.coverage is None:
        return head, _describe_error(inputs)
    plan = f"Plan for {span_words(dose.plan_for)} {dose.unit}"
    of_100 = f"{100 * dose.coverage:.0f} of 100"
    if dose.ready_for is not None and span_words(dose.ready_for) == span_words(dose.plan_for):
        both = f"{plan}: it holds the right dose of {of_100} patients, {_ALSO}."
        return head, (both, *_describe_error(inputs))
    few = ", but of fewer of those who need little or much" if dose.ready_for is not None else ""
    holds = f"{plan}: it holds the right dose of {of_100} patients{few}."
    return head, (holds, *_describe_range(prediction), *_describe_error(inputs))


def _describe_range(prediction: PatientPrediction) -> tuple[str, ...]:
    """The wide interval as a sentence, if it was measured."""
    dose = prediction.dose
    if dose is None or dose.ready_for is None or dose.coverage is None:
        return ()
    of_100 = f"{100 * dose.coverage:.0f} of 100 patients, {_ALSO}"
    span = f"{span_words(dose.ready_for)} {dose.unit}"
    return (f"Be ready for {span}: it holds the right dose of {of_100}.",)


def _describe_error(inputs: AdviceInputs) -> tuple[str, ...]:
    """How far off the dose is on average, where it was measured."""
    if inputs.dose_evidence is None or inputs.dose_evidence.error is None:
        return ()
    error = mean_words(inputs.dose_evidence.error.value)
    return (f"On average its dose was off by {error} {inputs.dose_evidence.unit}.",)


def reference_title(options: tuple[OptionAdvice, ...]) -> str:
    """What the options are compared with, as it stands within a sentence."""
    reference = next((o for o in options if o.standing == REFERENCE), None)
    if reference is None:
        return "usual care"
    title = _short(reference, options)
    return title[:1].lower() + title[1:] if reference.name == USUAL_CARE else title


def _short(option: OptionAdvice, options: tuple[OptionAdvice, ...]) -> str:
    """The title up to its first comma or bracket, if no other option has the same."""
    short = _BRACKET.split(option.title)[0]
    same = [o for o in options if _BRACKET.split(o.title)[0] == short]
    return short if len(same) == 1 else option.title


def _with_dose(option: OptionAdvice, options: tuple[OptionAdvice, ...]) -> str:
    title = _short(option, options)
    return title if option.dose is None else f"{title}, {option.dose.dose:g} {option.dose.unit},"


def _or(names: list[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
