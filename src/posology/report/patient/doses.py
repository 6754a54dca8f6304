"""The dose section: what is advised, what to plan for, what to be ready for."""

from posology.domain.recommendation.option import NOT_ESTIMATED, DoseAdvice
from posology.domain.recommendation.recommendation import (
    ABSTAINED,
    BETTER_FOR_PATIENT,
    DOSE_ONLY,
    NO_OPTION_BETTER,
    UNSURE,
    Recommendation,
)
from posology.language.catalogue import tr
from posology.report.patient import words
from posology.report.patient.content import DosePart, Line
from posology.report.patient.dose_strip import dose_strip

ALWAYS_LISTED = ("usual_care", "no_change")


def doses(advice: Recommendation) -> tuple[DosePart, ...]:
    """The study's dose; else of the first option where it is shown better, else of all.

    Where nothing is advised there is none; where just the dose is too uncertain, its range.
    """
    if advice.state == NO_OPTION_BETTER:
        return ()
    if advice.state in ABSTAINED:
        is_range = advice.state == UNSURE and advice.dose is not None
        return (_dose_part("", advice.dose, False),) if is_range and advice.dose else ()
    if advice.dose is not None:
        return (_dose_part("", advice.dose),)
    options = [o for o in advice.options if o.dose is not None]
    if advice.state == BETTER_FOR_PATIENT:
        options = options[:1] if options and options[0] is advice.options[0] else []
    return tuple(_dose_part(words.capitalise(o.title), o.dose) for o in options if o.dose)


def is_only_dose(advice: Recommendation) -> bool:
    """Whether the answer is a dose, and nothing is known of any option."""
    return advice.state == DOSE_ONLY and all(
        option.standing == NOT_ESTIMATED
        and option.outcome is None
        and not option.harms
        and (not option.remarks or option.name in ALWAYS_LISTED)
        for option in advice.options
    )


def dose_note(advice: Recommendation, parts: tuple[DosePart, ...]) -> str:
    """What the page advises nothing beyond."""
    if len(parts) != 1:
        outside = tr("No dose outside the supported range of its option is advised.")
        return outside if parts else ""
    if not parts[0].dose:
        return tr("The range is too wide to advise one dose.")
    dose = advice.dose or next(o.dose for o in advice.options if o.dose is not None)
    span = words.dose_span(dose.supported)
    note = tr(
        "No dose outside {span} {unit} is advised. This range is of the whole study: it is not "
        "what this patient needs."
    ).format(span=span, unit=dose.unit)
    if not is_only_dose(advice):
        return note
    alone = tr("It was not compared with other treatments, usual care or no change.")
    return f"{note} {alone}"


def _dose_part(title: str, dose: DoseAdvice, is_advised: bool = True) -> DosePart:
    """is_advised: whether the dose itself is shown, or its intervals alone."""
    lines = _interval_lines(dose)
    text = tr("What the study allows, and training patients were given.")
    lines.append(Line(tr("Supported"), text, _span(dose.supported, dose), "supported"))
    if dose.usual is not None:
        usual = f"{words.dose_number(dose.usual)} {dose.unit}."
        lines.append(Line(tr("Usual care"), "", usual, "usual"))
    if is_advised:
        exact = words.dose_number(float(f"{dose.exact:.3g}"))
        lines.append(Line(tr("Before rounding"), f"{exact} {dose.unit}."))
    shown = words.dose_words(dose) if is_advised else ""
    return DosePart(title, shown, dose_strip(dose, is_advised), tuple(lines))


def _interval_lines(dose: DoseAdvice) -> list[Line]:
    """Both intervals, each with what it holds; one line where they read the same."""
    of_100 = None if dose.coverage is None else words.count_words(100 * dose.coverage)
    all_of, rare = "", tr("It also holds for those who need little or much.")
    if of_100:
        all_of = tr(
            "It holds the right dose of {count} of 100 patients, but of fewer of those who need "
            "little or much."
        ).format(count=of_100)
        rare = tr(
            "It holds the right dose of {count} of 100 patients, also among those who need little "
            "or much."
        ).format(count=of_100)
    plan, ready = dose.plan_for, dose.ready_for
    if plan is not None and ready is not None and _reach(plan, dose) == _reach(ready, dose):
        return [Line(tr("Plan for"), rare, _reach(plan, dose), "plan")]
    lines = []
    if plan is not None:
        lines.append(Line(tr("Plan for"), all_of, _reach(plan, dose), "plan"))
    if ready is not None:
        lines.append(Line(tr("Be ready for"), rare, _reach(ready, dose), "ready"))
    return lines


def dose_heading(parts: tuple[DosePart, ...]) -> str:
    """The dose, if there is one."""
    if len(parts) != 1:
        return tr("Doses")
    if parts[0].dose:
        return tr("Dose: {dose}").format(dose=parts[0].dose)
    return tr("Doses that such patients need")


def _span(span: tuple[float, float], dose: DoseAdvice) -> str:
    return f"{words.dose_span(span)} {dose.unit}."


def _reach(span: tuple[float, float], dose: DoseAdvice) -> str:
    return f"{words.dose_reach(span)} {dose.unit}."
