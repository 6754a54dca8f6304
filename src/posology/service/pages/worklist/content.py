"""The worklist: the newest answer of each patient, and whether it waits for a decision."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from posology.advice.wording.titles import USUAL_CARE
from posology.domain.recommendation import recommendation as states
from posology.domain.recommendation.option import REFERENCE
from posology.domain.recommendation.recommendation import Recommendation
from posology.language.catalogue import current_language, deferred, in_language, tr, tr_count
from posology.report.patient import answer as answer_words
from posology.report.patient.content import GOOD, NOTE, QUIET, STOP, WARN, Tag
from posology.report.patient.words import change_words, date_words, dose_words, without_stop
from posology.service.pages.decision import OUTCOME_WORDS, given_words, option_words, reason_words
from posology.service.pages.responses import local_time
from posology.service.pages.standing_decision import lost_words
from posology.service.store.decisions import DEFERRED, DecisionRecord

TO_DECIDE, WAITING, DECIDED, STOPPED = "to-decide", "waiting", "decided", "stopped"
_TABS = (
    ("", deferred("All")),
    (STOPPED, deferred("Model stopped")),
    (TO_DECIDE, deferred("To decide")),
    (WAITING, deferred("Waiting")),
    (DECIDED, deferred("Decided")),
)
MINE = "mine"
PAGE = 50
"""Patients on one page of the list. Our choice."""
_HEADINGS = {
    STOPPED: deferred("Model stopped"),
    TO_DECIDE: deferred("To decide, oldest answer first"),
    WAITING: deferred("Waiting"),
    DECIDED: deferred("Decided in the last day"),
}
_TAGS = {
    states.BETTER_FOR_PATIENT: Tag(deferred("Better than usual"), GOOD, "up"),
    states.BETTER_THAN_REFERENCE: Tag(deferred("Better than usual"), GOOD, "up"),
    states.NO_OPTION_BETTER: Tag(deferred("None shown better"), QUIET, "same"),
    states.DOSE_ONLY: Tag(deferred("Dose"), NOTE, "info"),
    states.TOO_FEW_ALIKE: Tag(deferred("Too few alike"), QUIET, "minus"),
    states.OUTSIDE_TRAINING: Tag(deferred("Unlike training"), QUIET, "minus"),
    states.UNSURE: Tag(deferred("Unsure"), QUIET, "minus"),
    states.FACT_MISSING: Tag(deferred("Fact missing"), WARN, "warn"),
    states.NOT_ELIGIBLE: Tag(deferred("Not eligible"), STOP, "stop"),
    states.ALL_FORBIDDEN: Tag(deferred("All forbidden"), STOP, "stop"),
    states.NOT_JUDGED: Tag(deferred("Not judged"), QUIET, "minus"),
}


@dataclass(frozen=True, slots=True)
class WorklistEntry:
    """One patient's newest answer to one question."""

    id: str
    made_at: str
    model: str
    patient: str
    advice: Recommendation | None
    """None after its retention."""
    language: str
    """In which it is read, and its row with it."""
    decision: DecisionRecord | None
    decided_at: str
    decided_by: str
    """Name in words."""
    changed_since: str = ""
    """Moment of a decision about an earlier answer that advised something else."""
    lost: tuple[str, ...] = ()
    """Facts that the newest answer knew no more, though the one decided upon did."""
    is_poorer: bool = False
    """Whether the answer of this row is that newest one."""
    is_mine: bool = False
    """Whether the person who reads asked about the patient, or decided."""
    stopped: str = ""
    """That the model is stopped, since when, and what to follow; empty if it answers."""


@dataclass(frozen=True, slots=True)
class WorklistRow:
    """One row of the table."""

    id: str
    patient: str
    about: str
    question: str
    language: str
    tag: Tag
    answer: str
    look: str
    record: str
    decision: str
    by: str


@dataclass(frozen=True, slots=True)
class WorklistGroup:
    """Rows in the same state."""

    heading: str
    rows: tuple[WorklistRow, ...]
    is_stopped: bool
    """Whether nothing of these models may be followed."""


@dataclass(frozen=True, slots=True)
class Tab:
    """A link to the rows of one state."""

    title: str
    count: int
    address: str
    is_here: bool


@dataclass(frozen=True, slots=True)
class WorklistQuery:
    """What the person wants to see."""

    find: str = ""
    model: str = ""
    state: str = ""
    whose: str = ""
    """`mine`: only patients that the person asked about or decided about."""
    page: int = 1


@dataclass(frozen=True, slots=True)
class Pages:
    """Where in a long list the page stands; addresses are empty where there is none."""

    words: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class WorklistPage:
    """The variables of the template."""

    time: str
    headline: str
    stops: tuple[str, ...]
    """Of each stopped model, what must be known before anything is read."""
    find: str
    model: str
    models: tuple[tuple[str, str], ...]
    tabs: tuple[Tab, ...]
    whose: str
    groups: tuple[WorklistGroup, ...]
    pages: Pages | None
    """None where all patients stand on one page."""
    empty: str


def worklist_page(
    entries: Sequence[WorklistEntry],
    models: Sequence[tuple[str, str]],
    query: WorklistQuery,
    stops: Sequence[str] = (),
) -> WorklistPage:
    """The page for entries of which the newest comes first.

    Args:
        stops: of each stopped model, why, since when, and what to do instead.
    """
    find = query.find.strip().casefold()
    shown = [
        e
        for e in entries
        if find in e.patient.casefold()
        and query.model in ("", e.model)
        and (query.whose != MINE or e.is_mine)
    ]
    groups: dict[str, list[WorklistEntry]] = {state: [] for state in _HEADINGS}
    for entry in shown:
        groups[_group_of(entry)].append(entry)
    groups[TO_DECIDE].reverse()
    titles = dict(models)
    listed = [
        (state, entry)
        for state, found in groups.items()
        for entry in found
        if query.state in ("", state)
    ]
    start = min(max(query.page, 1) - 1, max(len(listed) - 1, 0) // PAGE) * PAGE
    part = listed[start : start + PAGE]
    return WorklistPage(
        time=local_time(datetime.datetime.now(datetime.UTC).isoformat()),
        headline=_headline(len(groups[TO_DECIDE]), len(shown)),
        stops=tuple(stops),
        find=query.find,
        model=query.model,
        models=tuple(models),
        tabs=tuple(
            _tab(state, tr(title), groups, query)
            for state, title in _TABS
            if state != STOPPED or groups[STOPPED]
        ),
        whose=query.whose,
        groups=tuple(
            WorklistGroup(tr(heading), rows, state == STOPPED)
            for state, heading in _HEADINGS.items()
            if (rows := tuple(_row(e, titles) for at, e in part if at == state))
        ),
        pages=_pages(start, len(listed), query),
        empty=tr("No patient fits what you look for.")
        if entries
        else tr("No answers were given yet."),
    )


def _group_of(entry: WorklistEntry) -> str:
    if entry.stopped:
        return STOPPED
    if entry.decision is None:
        return TO_DECIDE
    return WAITING if entry.decision.outcome == DEFERRED else DECIDED


def _pages(start: int, total: int, query: WorklistQuery) -> Pages | None:
    if total <= PAGE:
        return None
    end, number = min(start + PAGE, total), start // PAGE + 1
    return Pages(
        tr("{first} to {last} of {total} patients").format(first=start + 1, last=end, total=total),
        _address(replace(query, page=number - 1)) if start else "",
        _address(replace(query, page=number + 1)) if end < total else "",
    )


def _address(query: WorklistQuery) -> str:
    """The list that the query asks for."""
    kept = {name: getattr(query, name) for name in ("find", "model", "state", "whose")}
    page = {"page": str(query.page)} if query.page > 1 else {}
    return f"/?{urlencode({k: v for k, v in (kept | page).items() if v})}".rstrip("?")


def short_time(iso: str) -> str:
    """`08:40` of today, else `26-Nov 16:05` or `26.11. 16:05`, with the year if it is another."""
    moment = datetime.datetime.fromisoformat(iso)
    if moment.tzinfo is not None:
        moment = moment.astimezone().replace(tzinfo=None)
    today = datetime.date.today()  # noqa: DTZ011 - the clinic's own day
    words = date_words(moment.replace(second=0, microsecond=0).isoformat())
    if moment.date() == today and ":" in words:
        return words.partition(" ")[2]
    return words.replace(f"-{today.year}", "").replace(f".{today.year}", ".")


def _headline(waiting: int, total: int) -> str:
    if not total:
        return tr("No patients")
    patients = tr_count("{count} patient", "{count} patients", total).format(count=total)
    if not waiting:
        return tr("None of {patients} waits for your decision").format(patients=patients)
    words = tr_count(
        "{count} of {patients} waits for your decision",
        "{count} of {patients} wait for your decision",
        waiting,
    )
    return words.format(count=waiting, patients=patients)


def _tab(
    state: str, title: str, groups: dict[str, list[WorklistEntry]], query: WorklistQuery
) -> Tab:
    count = sum(len(found) for key, found in groups.items() if state in ("", key))
    return Tab(title, count, _address(replace(query, state=state, page=1)), state == query.state)


def _stopped_row(row: WorklistRow, stopped: str) -> WorklistRow:
    """Nothing that the model answered."""
    tag = Tag(tr("Stopped"), STOP, "stop")
    language = current_language()
    return replace(row, language=language, tag=tag, answer=stopped, look="", by="")


def _row(entry: WorklistEntry, titles: dict[str, str]) -> WorklistRow:
    with in_language(entry.language):
        row = _row_of(entry, titles)
    return _stopped_row(row, entry.stopped) if entry.stopped else row


def _row_of(entry: WorklistEntry, titles: dict[str, str]) -> WorklistRow:
    advice, decision = entry.advice, entry.decision
    by = ""
    if decision is not None:
        given = "" if advice is None else given_words(decision, advice)
        who = tr("by {person}").format(person=entry.decided_by) if entry.decided_by else ""
        by = " \u00b7 ".join(part for part in (who, given, reason_words(decision.reason)) if part)
    return WorklistRow(
        id=entry.id,
        patient=entry.patient,
        about="" if advice is None else about_patient(advice),
        question=titles.get(entry.model, entry.model),
        language=entry.language,
        tag=Tag(tr("Erased"), QUIET, "minus") if advice is None else state_tag(advice),
        answer=tr("The answer was kept as long as it may be.")
        if advice is None
        else answer_line(advice),
        look=". ".join(filter(None, (_changed_words(entry), _lost_words(entry))))
        or _look_of(entry),
        record="" if advice is None else short_time(advice.time),
        decision=""
        if decision is None
        else f"{tr(OUTCOME_WORDS[decision.outcome])} {short_time(entry.decided_at)}",
        by=by,
    )


def _changed_words(entry: WorklistEntry) -> str:
    """That the advice is another than when it was decided; first of what must be read."""
    if not entry.changed_since:
        return ""
    since = tr("Changed since your decision of {moment}")
    return since.format(moment=short_time(entry.changed_since))


def _lost_words(entry: WorklistEntry) -> str:
    """That the newest answer knew less than the one decided upon."""
    if not entry.lost:
        return ""
    words = lost_words(entry.lost)
    knew = tr("This answer knew {less}") if entry.is_poorer else tr("A newer answer knew {less}")
    return knew.format(less=words)


def _look_of(entry: WorklistEntry) -> str:
    advice = entry.advice
    return "" if advice is None or entry.decision is not None else _look(advice)


def state_tag(advice: Recommendation) -> Tag:
    """The state in two words."""
    tag = _TAGS[advice.state]
    if tag.tone == GOOD and advice.reference.casefold() != tr(USUAL_CARE).casefold():
        return Tag(tr("Shown better"), GOOD, "up")
    return replace(tag, text=tr(tag.text))


def about_patient(advice: Recommendation) -> str:
    """Age and sex, as far as they are recorded."""
    known = {fact.fact.split(",")[0].strip().lower(): fact.value for fact in advice.known}
    return ", ".join(known[n].partition(", ")[0] for n in ("sex", "age") if n in known)


def answer_line(advice: Recommendation) -> str:
    """The first option and what it gains; else the verdict."""
    if advice.state == states.DOSE_ONLY and advice.dose is not None:
        return dose_words(advice.dose)
    first = advice.options[0] if advice.options else None
    is_better = advice.state in (states.BETTER_FOR_PATIENT, states.BETTER_THAN_REFERENCE)
    if not is_better or first is None or first.standing == REFERENCE:
        return without_stop(advice.headline)
    gain = ""
    if first.difference is not None:
        unit = advice.unit or tr("of 100")
        gain = f": {change_words(first.difference.value, advice.unit)} {unit}"
    return f"{option_words(first)}{gain}"


def _look(advice: Recommendation) -> str:
    """What must be read first, in a few words."""
    found = [one for one in answer_words.callouts(advice) if one.tone != NOTE]
    if not found:
        return ""
    first = found[0]
    text = first.text.split(". ")[0].rstrip(".")
    return f"{first.head}: {text}" if first.head else text
