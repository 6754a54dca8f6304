"""The section on the challenger: how it compares with the model in use, without a verdict."""

from dataclasses import dataclass

from posology.advice.form.unit_names import unit_words
from posology.domain.study import Study
from posology.report.patient.sections import MIN_CELL, UNDER_5
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
from posology.service.shadow.comparison import Comparison, DoseDifference, Latency
from posology.service.shadow.followed_pairs import DoseErrors, Mean, OutcomeComparison
from posology.service.shadow.shares import MIN_PAIRS, Share
from posology.service.store.shadows import FAILED, REFUSED, TOO_SLOW

_WHY_NOT = {
    FULL: "too many questions waited",
    ENDING: "the service ended",
    NOT_STORED: "the database did not take its answer",
    PAUSED: "it gets no more questions",
    TOO_SLOW: "it took too long",
    FAILED: "it failed",
    REFUSED: "it could not read the patient",
}
_HONEST = (
    "What happened to a patient follows from what was given. The model in use or the clinician "
    "chose that, never the challenger. So this does not show how patients would have fared with "
    "its choice, and nothing here says which of the two is better."
)
_HONEST_DOSE = (
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
        paused=_PAUSED if found.is_paused else "",
        rows=tuple(_rows(found)),
        fared=() if found.outcomes is None else tuple(_fared(found.outcomes, found.dose)),
        fared_note=_fared_note(found.outcomes, is_dose),
    )


_PAUSED = (
    f"It gets no more questions: it gave no answer {MOST_FAILURES} times in a row. Mend it, then "
    "set it again."
)


def _sentence(found: Comparison, is_dose: bool) -> str:
    share = found.same_first
    if share is None:
        return f"Fewer than {MIN_PAIRS} patients have an answer from both. Nothing is compared yet."
    what = "name the same dose range" if is_dose else "put the same option first"
    if share.count == share.of:
        return f"Wherever both gave an answer, they {what}, so far."
    return f"Where both gave an answer, they {what} in {_share(share)}."


def _about(found: Comparison) -> str:
    put = f"{found.pairs:,} of {found.answers:,} answers"
    since = f" since {local_time(found.since)}" if found.since else ""
    return (
        f"Version {found.challenger[:12]} answers silently beside the model in use. Nobody is "
        f"shown its answers. Both answered {put}{since}."
    )


def _rows(found: Comparison) -> list[tuple[str, str]]:
    rows = []
    if found.dose is not None:
        rows.append(("Dose", _dose(found.dose)))
    if found.pairs >= MIN_CELL:
        a = found.answered
        rows.append(
            (
                "No answer given",
                f"By both: {few(a.neither)}. By the challenger alone: "
                f"{few(a.only_model_in_use)}. By the model in use alone: "
                f"{few(a.only_challenger)}.",
            )
        )
    if found.groups:
        rows.append(("They differ most", _groups(found)))
    if found.milliseconds is not None:
        own, other = (_latency(one) for one in found.milliseconds)
        rows.append(
            ("Time to answer", f"Model in use: {own}. Challenger, which gives way: {other}.")
        )
    missed = {**found.not_answered, **found.dropped}
    if missed:
        words = [f"{capitalise(_WHY_NOT.get(k, k))}: {n:,}." for k, n in sorted(missed.items())]
        rows.append(("Not compared", " ".join(words)))
    return rows


def _dose(dose: DoseDifference) -> str:
    unit = unit_words(dose.unit)
    middle = "the same"
    if dose.median:
        direction = "higher" if dose.median > 0 else "lower"
        middle = f"{dose_number(abs(dose.median))} {unit} {direction}".replace("  ", " ")
    return (
        f"The challenger's is {middle} in the middle. Half differ by at most "
        f"{dose_number(dose.median_apart)} {unit}".rstrip()
        + f". More than 10 % apart: {_share(dose.over_10)}. More than 20 %: "
        f"{_share(dose.over_20)}."
    )


def _groups(found: Comparison) -> str:
    shown = [
        f"{capitalise(g.fact)} {g.value}: {_share(g.differ)} ({g.differ.of:,} pairs)."
        for g in found.groups
    ]
    return (
        f"{' '.join(shown)} Another first option, a dose over 10 % apart, or one answer alone. Of "
        "many groups some differ by chance."
    )


def _fared(found: OutcomeComparison, dose: DoseDifference | None) -> list[tuple[str, str]]:
    differ = found.patients - found.alike
    rows = [
        (
            "Outcome known",
            f"{found.patients:,} patients. Both advised the same for {few(found.alike)}, "
            f"something else for {few(differ)}.",
        )
    ]
    if found.calibration is not None:
        c = found.calibration
        rows.append(
            (
                "Predicted",
                f"Model in use: {count_words(c.champion)} of 100. Challenger: "
                f"{count_words(c.challenger)}. It came true in {_share(c.observed)}.",
            )
        )
    for title, goal in (
        ("Goal reached, alike", found.goal_alike),
        ("Goal reached, different", found.goal_differ),
    ):
        if goal is not None:
            rows.append((title, f"{_share(goal)}."))
    if found.doses is not None:
        rows.append(
            (
                "Dose off on average",
                _errors(found.doses, "" if dose is None else unit_words(dose.unit)),
            )
        )
    return rows


def _errors(doses: DoseErrors, unit: str) -> str:
    own, other = _mean(doses.champion), _mean(doses.challenger)
    return (
        f"Model in use: {own}. Challenger: {other}. Difference: {_mean(doses.difference)} {unit}"
    ).rstrip() + f", {doses.patients:,} patients."


def _fared_note(found: OutcomeComparison | None, is_dose: bool) -> str:
    if found is None:
        return (
            f"Outcomes of under {MIN_CELL} patients whose question both answered are known: "
            "nothing is shown yet."
        )
    return _HONEST_DOSE if is_dose else _HONEST


def _share(share: Share) -> str:
    """`91 of 100 (86 to 94)`; of a small count no share, since it shows the count."""
    if 0 < share.count < MIN_CELL:
        return f"{UNDER_5} of {share.of:,}"
    if 0 < share.of - share.count < MIN_CELL:
        return f"all but {UNDER_5} of {share.of:,}"
    ends = " to ".join(count_words(x) for x in (share.low, share.high))
    return f"{count_words(share.percent)} of 100 ({ends})"


def _latency(one: Latency) -> str:
    return f"{one.median:.0f} ms in the middle, {one.slowest_of_100:.0f} ms for 99 of 100"


def _mean(mean: Mean) -> str:
    words = [f"{x:.1f}".replace("-", MINUS) for x in (mean.value, mean.low, mean.high)]
    return f"{words[0]} ({words[1]} to {words[2]})"
