"""The sections under the options: dose, how sure, safety, similar patients, what was missing."""

from dataclasses import replace

from posology.advice.wording.fact_names import fact_name
from posology.domain.recommendation.findings import (
    CLEAR,
    FINDING_KINDS,
    FORBIDS,
    NOT_CHECKED,
    USED_IN_DOSE,
    WARNING,
    SafetyFinding,
)
from posology.domain.recommendation.option import FORBIDDEN, Estimate
from posology.domain.recommendation.recommendation import (
    ALL_FORBIDDEN,
    FACT_MISSING,
    OUTSIDE_TRAINING,
    TOO_FEW_ALIKE,
    Recommendation,
)
from posology.domain.recommendation.why import SimilarPatients
from posology.language.catalogue import deferred, tr, tr_count
from posology.language.numbers import number
from posology.report.patient import words
from posology.report.patient.content import (
    NOTE,
    STOP,
    WARN,
    Line,
    LookedRow,
    SafetyRow,
    SimilarRow,
    Tag,
)
from posology.report.patient.doses import ALWAYS_LISTED
from posology.report.patient.marks import share_bar
from posology.report.patient.option_rows import has_figures, is_of_ranges

_TAGS = {
    FORBIDS: Tag(deferred("Forbidden"), STOP, "stop"),
    WARNING: Tag(deferred("Warning"), WARN, "warn"),
    NOT_CHECKED: Tag(deferred("Not checked"), WARN, "warn"),
    USED_IN_DOSE: Tag(deferred("Used in dose"), NOTE, "info"),
    CLEAR: Tag(deferred("Checked"), "", "check"),
}
_STEPS = 8
"""Steps of attention that are shown: the last ones."""
MIN_CELL, UNDER_5 = 5, deferred("under 5")
NOT_SHOWN = deferred("not shown")
"""How many reached the goal, where under 5 did or under 5 did not: it is not kept which."""
_MAX_LABEL = 32
FEW_FACTS = deferred(
    "They share only the facts named under “How sure”; the figures of the options use every fact, "
    "and may differ."
)
_FEW_FACTS_ALONE = deferred("They share only the facts named under “How sure”.")
"""Where the options have no figures."""
_UNKNOWN_PATIENT = (TOO_FEW_ALIKE, OUTSIDE_TRAINING, FACT_MISSING, ALL_FORBIDDEN)
"""States in which a list of options that could be the best holds for no one."""


def certainty_lines(advice: Recommendation) -> tuple[Line, ...]:
    """How sure the answer is; what was not measured has no line."""
    sure, lines = advice.certainty, []
    if sure.similar_patients is not None:
        n = sure.similar_patients
        need = ""
        if sure.needed_patients is not None:
            needed = number(f"{sure.needed_patients:,}")
            need = tr("At least {count} are needed.").format(count=needed)
        count = tr(UNDER_5) if n < 5 else number(f"{n:,}")
        lines.append(Line(tr("Similar patients"), need, f"{count}."))
    if sure.is_outside_training or sure.outside:
        unlike = tr("Unlike the patients that the model learned from.")
        text = " ".join(sure.outside) or unlike
        no = tr("No.") if sure.is_outside_training else ""
        lines.append(Line(tr("Within what it saw"), text, no))
    elif sure.distance is not None:
        lines.append(Line(tr("Within what it saw"), _unusual(sure.distance), tr("Yes.")))
    if sure.option_set and advice.state not in _UNKNOWN_PATIENT:
        label = tr("Could be right") if is_of_ranges(advice) else tr("Could be the best")
        lines.append(Line(label, _option_set(advice)))
    lines += [_remark(text) for text in sure.remarks]
    return tuple(lines)


def _unusual(share: float) -> str:
    """Than which share of the training patients this one is more unusual."""
    less = 100 * share
    if less < 0.5:
        return tr("More usual than nearly all patients that it learned from.")
    if less >= 99.5:
        return tr("More unusual than nearly all patients that it learned from.")
    text = tr("More unusual than {count} of 100 patients that it learned from.")
    return text.format(count=f"{less:.0f}")


def _option_set(advice: Recommendation) -> str:
    """The options of the set, the likeliest first, and how often such a list is right."""
    sure = advice.certainty
    forbidden = {option.title for option in advice.options if option.standing == FORBIDDEN}
    every = [option.title for option in advice.options if option.name not in ALWAYS_LISTED]
    if len(every) > 1 and set(every) <= set(sure.option_set):
        return tr("Any of them: none can be ruled out.")
    first, *others = (
        tr("{option} (not offered)").format(option=title) if title in forbidden else title
        for title in sure.option_set
    )
    names = words.sentence(f"; {tr('or')} ".join([first, *map(words.lower_first, others)]))
    parts = [names, *([tr("The likeliest comes first.")] if others else [])]
    if sure.set_coverage is not None:
        of_100 = words.count_words(100 * sure.set_coverage)
        text = tr("Over all patients such lists hold the right option for {count} or more of 100.")
        if is_of_ranges(advice):
            text = tr(
                "Over all patients such lists hold the right range for {count} or more of 100."
            )
        parts.append(text.format(count=of_100))
    return " ".join(parts)


def _remark(text: str) -> Line:
    """A sentence with its first words as the label, if it has a colon there."""
    head, colon, rest = text.partition(": ")
    if colon and len(head) <= _MAX_LABEL:
        return Line(head, words.sentence(rest))
    return Line(tr("Note"), text)


def safety_rows(advice: Recommendation) -> tuple[SafetyRow, ...]:
    """The findings, what forbids first and what is clear last."""
    order = {kind: at for at, kind in enumerate(FINDING_KINDS)}
    found = sorted(advice.safety, key=lambda finding: order[finding.kind])
    return tuple(_safety_row(advice, finding) for finding in found)


def _safety_row(advice: Recommendation, finding: SafetyFinding) -> SafetyRow:
    names = {option.title for option in advice.options if option.name not in ALWAYS_LISTED}
    concerns = tr("all options") if names <= set(finding.options) else ", ".join(finding.options)
    tag = _TAGS[finding.kind]
    return SafetyRow(
        replace(tag, text=tr(tag.text)),
        words.capitalise(finding.finding),
        "" if finding.kind == CLEAR else concerns,
        words.sentence(finding.meaning),
        finding.strength,
        words.with_dates(finding.source),
        words.with_dates(finding.version),
    )


def safety_note(advice: Recommendation) -> str:
    """That rules come first, and how many could not be checked."""
    unchecked = sum(finding.kind == NOT_CHECKED for finding in advice.safety)
    first = tr("Rules come first: an option that a rule forbids is never advised.")
    if all(finding.kind == USED_IN_DOSE for finding in advice.safety):
        return tr("This study has no safety rules: nothing was checked against them.")
    if not unchecked:
        return first
    text = tr_count(
        "{count} rule could not be checked.", "{count} rules could not be checked.", unchecked
    )
    return f"{first} {text.format(count=unchecked)}"


def similar_rows(advice: Recommendation) -> tuple[SimilarRow, ...]:
    """Counts of patients like this one; cells under 5 are not shown."""
    return tuple(_similar_row(row) for row in advice.why.similar)


def _similar_row(row: SimilarPatients) -> SimilarRow:
    title = words.capitalise(row.option)
    if row.patients is None or row.patients < MIN_CELL:
        return SimilarRow(title, tr(UNDER_5), "", "", "")
    reached, share = tr(NOT_SHOWN), ""
    if row.followed is not None:
        reached, share = _followed_words(row, row.followed)
    elif row.reached_goal is not None and row.reached_goal >= MIN_CELL:
        reached = number(f"{row.reached_goal:,}")
        share = f"({_of_100(row, row.reached_goal / row.patients)})"
    mean = "" if row.mean is None else words.value_words(row.mean, "mean")
    return SimilarRow(title, number(f"{row.patients:,}"), reached, share, mean)


def _of_100(row: SimilarPatients, share: float) -> str:
    """`59 of 100; 49 to 68`: a share and, where it has one, its interval."""
    shown = tr("{count} of 100").format(count=words.count_words(100 * share))
    if row.goal_low is None or row.goal_high is None:
        return shown
    interval = Estimate(100 * share, 100 * row.goal_low, 100 * row.goal_high)
    return f"{shown}; {words.interval_words(interval, '')}"


def _followed_words(row: SimilarPatients, followed: int) -> tuple[str, str]:
    """How many of 100 reach the goal, and how many were followed so long."""
    if followed < MIN_CELL:
        return tr("too few followed to the end"), ""
    if row.goal_share is None:
        return tr(NOT_SHOWN), ""
    text = tr("({count} followed to the end)").format(count=number(f"{followed:,}"))
    return _of_100(row, row.goal_share), text


def similar_heads(advice: Recommendation) -> tuple[str, ...]:
    """What came of it: how many reached the goal, and the mean of the number; "" if not known."""
    goal, similar = words.capitalise(advice.goal), advice.why.similar
    has_mean = any(row.mean is not None for row in similar)
    if not has_mean:
        return goal, ""
    unit = next((row.unit for row in similar if row.unit), advice.unit)
    if any(row.reached_goal is not None for row in similar):
        mean = tr("Mean measured in {unit}") if unit else tr("Mean measured")
        if any(row.is_change for row in similar):
            mean = tr("Mean change in {unit}") if unit else tr("Mean change")
        return tr("Reached the goal"), mean.format(unit=unit)
    text = tr("{goal}, mean in {unit}") if unit else tr("{goal}, mean")
    return "", text.format(goal=goal, unit=unit)


def similar_note(advice: Recommendation) -> str:
    """That the counts are as they happened."""
    n = advice.certainty.similar_patients
    who = tr("The nearest patients, what they were given and what came of it.")
    if n is not None and n >= 5:
        who = tr("The {count} nearest patients, what they were given and what came of it.")
        who = who.format(count=number(f"{n:,}"))
    counted, listed = "", [row.patients for row in advice.why.similar]
    over = 0 if n is None else sum(count or 0 for count in listed) - n
    if 0 < over < MIN_CELL and None in listed:
        counted = tr("Their number is rounded down, so that no count under 5 can be worked out.")
    elif over > 0:
        counted = tr(
            "Patients are counted, not decisions: who was given several options stands in several "
            "rows, and once in each."
        )
    options = {option.title: option.similar_patients for option in advice.options}
    if any(options.get(s.option) not in (None, s.patients) for s in advice.why.similar):
        known = tr(
            "Only those are counted whose result is known and whose time was over when the records "
            "ended: fewer than were given an option."
        )
        counted = f"{counted} {known}"
    limits = tr(
        "Not adjusted for how patients given one option differed from others, nor for when they "
        "were treated."
    )
    hidden = tr("Counts under 5 are not shown.")
    if similar_heads(advice)[0]:
        hidden = tr(
            "Counts under 5 are not shown, nor how many reached the goal where under 5 did not."
        )
    share = tr(FEW_FACTS) if has_figures(advice) else tr(_FEW_FACTS_ALONE)
    notes = (_left_note(advice), _chance_note(advice))
    parts = (who, counted.strip(), share, *notes, limits, hidden)
    return " ".join(part for part in parts if part)


def _chance_note(advice: Recommendation) -> str:
    """What the ranges beside the shares are; empty where no share has one."""
    if all(row.goal_low is None for row in advice.why.similar):
        return ""
    return tr(
        "Beside each share of 100 stands its 95 % interval: what else it may be by chance, the "
        "wider the fewer patients."
    )


def _left_note(advice: Recommendation) -> str:
    """How patients count who left before an event was settled; empty if none did."""
    if all(row.followed is None for row in advice.why.similar):
        return ""
    return tr(
        "Some patients left before the end. They count for as long as they were followed "
        "(Kaplan-Meier estimate), as if they had fared like those who stayed. In brackets: how "
        "many were followed to the end, with nothing before it that decides the goal."
    )


def known_lines(advice: Recommendation) -> tuple[Line, ...]:
    """Every fact that was used, with its date."""
    return tuple(
        Line(
            words.capitalise(fact_name(fact.fact)),
            f"({words.date_words(fact.date)})" if fact.date else "",
            fact.value,
        )
        for fact in advice.known
    )


def looked_rows(advice: Recommendation) -> tuple[LookedRow, ...]:
    """Where the model looked; nothing where there was only one step to look at."""
    steps = advice.why.attention[-_STEPS:] if len(advice.why.attention) > 1 else ()
    return tuple(
        LookedRow(
            words.capitalise(words.date_words(step)),
            _percent(share),
            share_bar(share, _percent(share)),
        )
        for step, share in steps
    )


def _percent(share: float) -> str:
    if share >= 0.995:
        return tr("more than 99 %")
    return tr("under 1 %") if share < 0.005 else f"{100 * share:.0f} %"
