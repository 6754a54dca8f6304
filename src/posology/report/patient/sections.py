"""The sections under the options: dose, how sure, safety, similar patients, what was missing."""

from posology.domain.recommendation.findings import (
    CLEAR,
    FINDING_KINDS,
    FORBIDS,
    NOT_CHECKED,
    USED_IN_DOSE,
    WARNING,
    SafetyFinding,
)
from posology.domain.recommendation.option import NOT_ESTIMATED, DoseAdvice
from posology.domain.recommendation.recommendation import (
    ABSTAINED,
    BETTER_FOR_PATIENT,
    DOSE_ONLY,
    UNSURE,
    Recommendation,
)
from posology.domain.recommendation.why import SimilarPatients
from posology.report.patient import words
from posology.report.patient.content import (
    NOTE,
    STOP,
    WARN,
    DosePart,
    Line,
    LookedRow,
    MissingRow,
    SafetyRow,
    SimilarRow,
    Tag,
)
from posology.report.patient.dose_strip import dose_strip
from posology.report.patient.marks import share_bar

_TAGS = {
    FORBIDS: Tag("Forbidden", STOP, "stop"),
    WARNING: Tag("Warning", WARN, "warn"),
    NOT_CHECKED: Tag("Not checked", WARN, "warn"),
    USED_IN_DOSE: Tag("Used in dose", NOTE, "info"),
    CLEAR: Tag("Clear", "", "check"),
}
_STEPS = 8
"""Steps of attention that are shown: the last ones."""
UNDER_5 = "under 5"


def doses(advice: Recommendation) -> tuple[DosePart, ...]:
    """The study's dose; else of the first option where it is shown better, else of all.

    Without an answer there is none, but what is known of it where just that is too uncertain.
    """
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
        option.standing == NOT_ESTIMATED and not option.remarks and not option.harms
        for option in advice.options
    )


def dose_note(advice: Recommendation, parts: tuple[DosePart, ...]) -> str:
    """What the page advises nothing beyond."""
    if len(parts) != 1:
        return "No dose outside the supported range of its option is advised." if parts else ""
    if not parts[0].dose:
        return "The range is too wide to advise one dose."
    dose = advice.dose or next(o.dose for o in advice.options if o.dose is not None)
    span = words.dose_span(dose.supported)
    note = f"No dose outside {span} {dose.unit} is advised for a patient like this one."
    if is_only_dose(advice):
        note += " It was not compared with other treatments, usual care or no change."
    return note


def _dose_part(title: str, dose: DoseAdvice, is_advised: bool = True) -> DosePart:
    """is_advised: whether the dose itself is shown, or its intervals alone."""
    lines = []
    of_100 = None if dose.coverage is None else words.count_words(100 * dose.coverage)
    if dose.plan_for is not None:
        holds = f"Holds for {of_100} of 100 patients." if of_100 else ""
        lines.append(Line("Plan for", holds, _reach(dose.plan_for, dose), "plan"))
    if dose.ready_for is not None:
        holds = (
            f"Holds for {of_100} of 100 even among those who need unusually little or much."
            if of_100
            else "Also holds for those who need unusually little or much."
        )
        lines.append(Line("Be ready for", holds, _reach(dose.ready_for, dose), "ready"))
    text = "What the study allows and training patients were given."
    lines.append(Line("Supported", text, _span(dose.supported, dose), "supported"))
    if dose.usual is not None:
        usual = f"{words.dose_number(dose.usual)} {dose.unit}."
        lines.append(Line("Usual care", "", usual, "usual"))
    if is_advised:
        exact = words.dose_number(float(f"{dose.exact:.3g}"))
        lines.append(Line("Before rounding", f"{exact} {dose.unit}."))
    shown = words.dose_words(dose) if is_advised else ""
    return DosePart(title, shown, dose_strip(dose, is_advised), tuple(lines))


def dose_heading(parts: tuple[DosePart, ...]) -> str:
    """The dose, if there is one."""
    if len(parts) != 1:
        return "Doses"
    return f"Dose: {parts[0].dose}" if parts[0].dose else "Doses that such patients need"


def _span(span: tuple[float, float], dose: DoseAdvice) -> str:
    return f"{words.dose_span(span)} {dose.unit}."


def _reach(span: tuple[float, float], dose: DoseAdvice) -> str:
    return f"{words.dose_reach(span)} {dose.unit}."


def certainty_lines(advice: Recommendation) -> tuple[Line, ...]:
    """How sure the answer is; what was not measured has no line."""
    sure, lines = advice.certainty, []
    if sure.similar_patients is not None:
        n = sure.similar_patients
        need = (
            "" if sure.needed_patients is None else f"At least {sure.needed_patients:,} are needed."
        )
        lines.append(Line("Similar patients", need, f"{UNDER_5 if n < 5 else f'{n:,}'}."))
    if sure.is_outside_training or sure.outside:
        text = " ".join(sure.outside) or "Unlike the patients that the model learned from."
        lines.append(Line("Within what it saw", text, "No." if sure.is_outside_training else ""))
    elif sure.distance is not None:
        rarer = words.count_words(100 * sure.distance)
        text = f"More unusual than {rarer} of 100 patients that it learned from."
        lines.append(Line("Within what it saw", text, "Yes."))
    if sure.option_set:
        names = _listed(sure.option_set)
        text = f"{words.capitalise(names)} could be the best option."
        if sure.set_coverage is not None:
            text += (
                f" Such lists hold the best one for {100 * sure.set_coverage:.0f} of 100 patients."
            )
        lines.append(Line("Best option", text))
    lines += [Line("Note", remark) for remark in sure.remarks]
    return tuple(lines)


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def safety_rows(advice: Recommendation) -> tuple[SafetyRow, ...]:
    """The findings, what forbids first and what is clear last."""
    order = {kind: at for at, kind in enumerate(FINDING_KINDS)}
    found = sorted(advice.safety, key=lambda finding: order[finding.kind])
    return tuple(_safety_row(finding) for finding in found)


def _safety_row(finding: SafetyFinding) -> SafetyRow:
    return SafetyRow(
        _TAGS[finding.kind],
        words.capitalise(finding.finding),
        ", ".join(finding.options),
        words.sentence(finding.meaning),
        finding.strength,
        words.with_dates(finding.source),
        words.with_dates(finding.version),
    )


def safety_note(advice: Recommendation) -> str:
    """That rules come first, and how many could not be checked."""
    unchecked = sum(finding.kind == NOT_CHECKED for finding in advice.safety)
    first = "Rules come first: an option that a rule forbids is never advised."
    if not unchecked:
        return first
    return f"{first} {unchecked} {'rule' if unchecked == 1 else 'rules'} could not be checked."


def similar_rows(advice: Recommendation) -> tuple[SimilarRow, ...]:
    """Counts of patients like this one; cells under 5 are not shown."""
    return tuple(_similar_row(row, advice.unit) for row in advice.why.similar)


def _similar_row(row: SimilarPatients, unit: str) -> SimilarRow:
    title = words.capitalise(row.option)
    if row.patients is None or row.patients < 5:
        return SimilarRow(title, UNDER_5, "", "")
    count = f"{row.patients:,}"
    if row.reached_goal is not None and row.reached_goal >= 5:
        share = words.count_words(100 * row.reached_goal / row.patients)
        return SimilarRow(title, count, f"{row.reached_goal:,}", f"({share} of 100)")
    if row.mean is not None:
        return SimilarRow(title, count, words.value_words(row.mean, unit or "mean"), "")
    return SimilarRow(title, count, UNDER_5, "")


def similar_note(advice: Recommendation) -> str:
    """That the counts are as they happened."""
    n = advice.certainty.similar_patients
    who = "The nearest patients" if n is None or n < 5 else f"The {n:,} nearest patients"
    return (
        f"{who}, what they were given and what came of it. Not adjusted: each was treated for a "
        "reason. Cells under 5 are not shown."
    )


def missing_rows(advice: Recommendation) -> tuple[MissingRow, ...]:
    """The facts that are not recorded, the most helpful first; those alike in one row."""
    needed, other = Tag("Needed", WARN, "warn"), Tag("Not recorded", "", "minus")
    is_same = bool(missing_note(advice))
    alike: dict[tuple[bool, str, str], list[str]] = {}
    for fact in advice.missing:
        key = (fact.is_required, "" if is_same else fact.assumed, fact.would_help)
        alike.setdefault(key, []).append(fact.fact)
    first = next((key for key in alike if key[2]), None)
    return tuple(
        MissingRow(
            needed if key[0] else other,
            words.capitalise(", ".join(names)),
            words.capitalise(key[1]),
            words.sentence(key[2]) or "What it would change was not worked out.",
            key == first,
        )
        for key, names in alike.items()
    )


def missing_note(advice: Recommendation) -> str:
    """What was assumed, where it is the same for several facts."""
    assumed = {fact.assumed for fact in advice.missing}
    if len(advice.missing) < 2 or len(assumed) != 1 or not (text := assumed.pop()):
        return ""
    return f"Assumed in place of each: {text[:1].lower()}{words.without_stop(text[1:])}."


def known_lines(advice: Recommendation) -> tuple[Line, ...]:
    """Every fact that was used, with its date."""
    return tuple(
        Line(
            words.capitalise(fact.fact),
            f"({words.date_words(fact.date)})" if fact.date else "",
            fact.value,
        )
        for fact in advice.known
    )


def looked_rows(advice: Recommendation) -> tuple[LookedRow, ...]:
    """Where the model looked; nothing where there was only one step to look at."""
    steps = advice.why.attention[-_STEPS:] if len(advice.why.attention) > 1 else ()
    return tuple(
        LookedRow(words.capitalise(step), _percent(share), share_bar(share, _percent(share)))
        for step, share in steps
    )


def _percent(share: float) -> str:
    if share >= 0.995:
        return "over 99 %"
    return "under 1 %" if share < 0.005 else f"{100 * share:.0f} %"
