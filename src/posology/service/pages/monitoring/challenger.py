"""The section on the challenger: how it compares with the model in use, without a verdict."""

import re
from dataclasses import dataclass

from posology.advice.amounts import directed, span
from posology.advice.form.known import own_word
from posology.advice.form.unit_names import unit_words
from posology.advice.wording.fact_names import fact_name
from posology.domain.study import Study
from posology.language.catalogue import deferred, tr
from posology.language.kept import in_other_words
from posology.language.numbers import number
from posology.report.patient.sections import MIN_CELL
from posology.report.patient.words import MINUS, capitalise, count_words, dose_number
from posology.service.pages.monitoring.checks import few
from posology.service.pages.responses import local_time
from posology.service.shadow.asking import (
    ENDING,
    FULL,
    MOST_FAILURES,
    NOT_STORED,
    PAUSED,
)
from posology.service.shadow.comparison import Answered, Comparison, DoseDifference, Latency
from posology.service.shadow.followed_pairs import DoseErrors, Mean, OutcomeComparison
from posology.service.shadow.shares import MIN_PAIRS, Share
from posology.service.store.shadows import FAILED, REFUSED, TOO_SLOW

_WHY_NOT = {
    FULL: deferred("Too many questions waited"),
    ENDING: deferred("The service ended"),
    NOT_STORED: deferred("The database did not take its answer"),
    PAUSED: deferred("It gets no more questions"),
    TOO_SLOW: deferred("It took too long"),
    FAILED: deferred("It failed"),
    REFUSED: deferred("It could not read the patient"),
}
_BOUNDS = (
    (r"under (.+)", deferred("under {bound}")),
    (r"(.+) or more", deferred("{bound} or more")),
)
_VALUES = (
    (r"(?P<first>\d+) to (?P<last>\d+) years", deferred("{first} to {last} years")),
    (r"(?P<years>\d+) years", deferred("{years} years")),
    (r"(?P<value>-?\d+\.\d+)(?P<unit>( .+)?)", "{value}{unit}"),
    (r"recorded", deferred("recorded")),
)
"""How the store writes values of facts."""
_HONEST = deferred(
    "What happened to a patient follows from what was given. The model in use or the clinician "
    "chose that, never the challenger. So this does not show how patients would have fared with "
    "its choice, and nothing here says which of the two is better."
)
_HONEST_DOSE = deferred(
    "The right dose is the one that the clinic found in the end. It may lean towards the dose that "
    "was started, which was never the challenger's. Nothing here says which of the two is better."
)


@dataclass(frozen=True, slots=True)
class ChallengerPart:
    """The variables of the section."""

    sentence: str
    """How often the two agree."""
    about: str
    """Which version, and how many questions it answered."""
    paused: str
    """Why it gets no more questions; empty if it does."""
    rows: tuple[tuple[str, str], ...]
    fared: tuple[tuple[str, str], ...]
    """The same of patients with a known outcome."""
    fared_note: str


def challenger_part(found: Comparison, study: Study) -> ChallengerPart:
    """The section of one comparison."""
    is_dose = study.outcome.kind == "dose_class"
    return ChallengerPart(
        sentence=_sentence(found, is_dose),
        about=_about(found),
        paused=tr(_PAUSED).format(count=MOST_FAILURES) if found.is_paused else "",
        rows=tuple(_rows(found)),
        fared=() if found.outcomes is None else tuple(_fared(found.outcomes, found.dose)),
        fared_note=_fared_note(found.outcomes, is_dose),
    )


_PAUSED = deferred(
    "It gets no more questions: it gave no answer {count} times in a row. Mend it, then set it "
    "again."
)


def _sentence(found: Comparison, is_dose: bool) -> str:
    share = found.same_first
    if share is None:
        text = tr("Fewer than {count} patients have an answer from both. Nothing is compared yet.")
        return text.format(count=MIN_PAIRS)
    if share.count == share.of and is_dose:
        return tr("Wherever both gave an answer, they name the same dose range, so far.")
    if share.count == share.of:
        return tr("Wherever both gave an answer, they put the same option first, so far.")
    text = tr("Where both gave an answer, they put the same option first in {share}.")
    if is_dose:
        text = tr("Where both gave an answer, they name the same dose range in {share}.")
    return text.format(share=_share(share))


def _about(found: Comparison) -> str:
    both = tr("Both answered {count} of {all} answers.")
    if found.since:
        both = tr("Both answered {count} of {all} answers since {moment}.")
    count, total = number(f"{found.pairs:,}"), number(f"{found.answers:,}")
    moment = local_time(found.since) if found.since else ""
    version = tr(
        "Version {version} answers silently beside the model in use. Nobody is shown its answers."
    ).format(version=found.challenger[:12])
    return f"{version} {both.format(count=count, all=total, moment=moment)}"


def _rows(found: Comparison) -> list[tuple[str, str]]:
    rows = []
    if found.dose is not None:
        rows.append((tr("Dose"), _dose(found.dose)))
    if found.pairs >= MIN_CELL:
        rows.append((tr("No answer given"), _unanswered(found.answered)))
    if found.groups:
        rows.append((tr("They differ most"), _groups(found)))
    if found.milliseconds is not None:
        own, other = (_latency(one) for one in found.milliseconds)
        text = tr("Model in use: {own}. Challenger, which gives way: {other}.")
        rows.append((tr("Time to answer"), text.format(own=own, other=other)))
    missed = {**found.not_answered, **found.dropped}
    if missed:
        words = [
            f"{tr(_WHY_NOT[k]) if k in _WHY_NOT else capitalise(k)}: {number(f'{n:,}')}."
            for k, n in sorted(missed.items())
        ]
        rows.append((tr("Not compared"), " ".join(words)))
    return rows


def _unanswered(found: Answered) -> str:
    text = tr(
        "By both: {both}. By the challenger alone: {challenger}. By the model in use alone: {own}."
    )
    return text.format(
        both=few(found.neither),
        challenger=few(found.only_model_in_use),
        own=few(found.only_challenger),
    )


def _dose(dose: DoseDifference) -> str:
    middle = tr("the same")
    if dose.median:
        size = _amount(abs(dose.median), dose.unit)
        middle = directed(dose.median, "x").format(size=size)
    return tr(
        "The challenger's is {middle} in the middle. Half differ by at most {apart}. More than "
        "10 % apart: {ten}. More than 20 %: {twenty}."
    ).format(
        middle=middle,
        apart=_amount(dose.median_apart, dose.unit),
        ten=_share(dose.over_10),
        twenty=_share(dose.over_20),
    )


def _amount(dose: float, unit: str) -> str:
    return f"{dose_number(dose)} {unit_words(unit)}".strip()


def _groups(found: Comparison) -> str:
    text = tr("{group}: {share} ({count} pairs).")
    shown = [
        text.format(
            group=f"{capitalise(fact_name(g.fact))} {_value_name(g.value)}",
            share=_share(g.differ),
            count=number(f"{g.differ.of:,}"),
        )
        for g in found.groups
    ]
    note = tr(
        "Another first option, a dose over 10 % apart, or one answer alone. Of many groups some "
        "differ by chance."
    )
    return f"{' '.join(shown)} {note}"


def _value_name(value: str) -> str:
    """The value of a fact, which the store keeps in English, in the language of the reader."""
    for pattern, text in _BOUNDS:
        found = re.fullmatch(pattern, value)
        if found:
            return tr(text).format(bound=_value_name(found[1]))
    return in_other_words(value, _VALUES) or own_word(value)


def _fared(found: OutcomeComparison, dose: DoseDifference | None) -> list[tuple[str, str]]:
    differ = found.patients - found.alike
    rows = [
        (
            tr("Outcome known"),
            tr(
                "{count} patients. Both advised the same for {alike}, something else for {differ}."
            ).format(
                count=number(f"{found.patients:,}"), alike=few(found.alike), differ=few(differ)
            ),
        )
    ]
    if found.calibration is not None:
        c = found.calibration
        rows.append(
            (
                tr("Predicted"),
                tr(
                    "Model in use: {own} of 100. Challenger: {other}. It came true in {share}."
                ).format(
                    own=count_words(c.champion),
                    other=count_words(c.challenger),
                    share=_share(c.observed),
                ),
            )
        )
    for title, goal in (
        (tr("Goal reached, alike"), found.goal_alike),
        (tr("Goal reached, different"), found.goal_differ),
    ):
        if goal is not None:
            rows.append((title, f"{_share(goal)}."))
    if found.doses is not None:
        unit = "" if dose is None else unit_words(dose.unit)
        rows.append((tr("Dose off on average"), _errors(found.doses, unit)))
    return rows


def _errors(doses: DoseErrors, unit: str) -> str:
    return tr(
        "Model in use: {own}. Challenger: {other}. Difference: {difference}, {count} patients."
    ).format(
        own=_mean(doses.champion),
        other=_mean(doses.challenger),
        difference=f"{_mean(doses.difference)} {unit}".rstrip(),
        count=number(f"{doses.patients:,}"),
    )


def _fared_note(found: OutcomeComparison | None, is_dose: bool) -> str:
    if found is None:
        return tr(
            "Outcomes of under 5 patients whose question both answered are known: nothing is shown "
            "yet."
        )
    return tr(_HONEST_DOSE if is_dose else _HONEST)


def _share(share: Share) -> str:
    """`91 of 100 (86 to 94)`; of a small count no share, since it shows the count."""
    if 0 < share.count < MIN_CELL:
        return tr("{count} of {all}").format(count=few(share.count), all=few(share.of))
    rest = share.of - share.count
    if 0 < rest < MIN_CELL:
        return tr("all but {count} of {all}").format(count=few(rest), all=few(share.of))
    percent = tr("{count} of 100").format(count=count_words(share.percent))
    return f"{percent} ({span(count_words(share.low), count_words(share.high))})"


def _latency(one: Latency) -> str:
    text = tr("{median} ms in the middle, {slowest} ms for 99 of 100")
    return text.format(median=f"{one.median:.0f}", slowest=f"{one.slowest_of_100:.0f}")


def _mean(mean: Mean) -> str:
    value, low, high = (
        number(f"{x:.1f}").replace("-", MINUS) for x in (mean.value, mean.low, mean.high)
    )
    return f"{value} ({span(low, high)})"
