"""The monitoring page of one model."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from posology.advice.form.unit_names import plain_unit
from posology.artifact import Artifact
from posology.report.patient.content import QUIET, STOP, WARN, Tag
from posology.report.patient.marks import share_bar
from posology.report.patient.sections import MIN_CELL, UNDER_5
from posology.report.patient.words import capitalise, count_words
from posology.service.followed_outcomes import Followed
from posology.service.pages.decision import OUTCOME_WORDS, REASON_WORDS
from posology.service.pages.monitoring.checks import (
    OUT,
    UNKNOWN,
    CheckGroup,
    check_groups,
    few,
    headline,
)
from posology.service.pages.monitoring.followed import FollowedPart, followed_part
from posology.service.pages.monitoring.weeks import WEEKS, Use
from posology.service.pages.responses import local_time
from posology.service.store.served import RESUME, ROLLBACK, START, SWAP, Change
from posology.service.store.served import STOP as STOPPED
from posology.workflows.advice.patient_evidence import stored_evidence
from posology.workflows.patient import form_of

_ACTIONS = {
    START: "Started",
    SWAP: "Put in place",
    ROLLBACK: "Rolled back to",
    STOPPED: "Stopped",
    RESUME: "Answers again",
}


MOST_UNJUDGED = 4
"""Checks of a group that cannot be judged yet: more of them are folded."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One count of a list, with its picture."""

    label: str
    picture: str
    """SVG."""
    words: str


@dataclass(frozen=True, slots=True)
class ServedRow:
    """A change of what answers."""

    at: str
    version: str
    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class MonitoringPage:
    """The variables of the template."""

    name: str
    kicker: str
    headline: str
    lead: str
    tags: tuple[Tag, ...]
    is_stopped: bool
    stopped: str
    may_change: bool
    has_earlier: bool
    groups: tuple[CheckGroup, ...]
    folded: tuple[CheckGroup, ...]
    """Checks that cannot be judged yet, where there are many."""
    done: tuple[Bar, ...]
    done_note: str
    reasons: tuple[Bar, ...]
    reasons_note: str
    followed: FollowedPart
    served: tuple[ServedRow, ...]
    audit: str


@dataclass(frozen=True, slots=True)
class ModelState:
    """What the service knows of the model beside its answers."""

    name: str
    stopped: str
    """Reason; empty if it answers."""
    changes: tuple[tuple[str, Change], ...]
    may_change: bool
    audit: str
    alarm: str = ""
    """What the monitors alarm about; empty if they do not."""
    follows_registry: bool = False
    """Whether versions are changed in a registry, and not here."""


def monitoring_page(
    use: Use, followed: Followed, model: Artifact, state: ModelState
) -> MonitoringPage:
    """The page from what the store knows."""
    groups = check_groups(use, training_numbers(model))
    shown, folded = fold_unjudged(groups)
    out = sum(row.state == OUT for group in groups for row in group.rows)
    total = sum(len(group.rows) for group in groups)
    judged = sum(row.state != UNKNOWN for group in groups for row in group.rows)
    answers = sum(week.answers for week in use.weeks)
    tags = [
        Tag(f"{out} of {total} checks out of range", WARN, "warn")
        if out
        else Tag(f"{judged} of {total} checks judged", QUIET, "check" if judged else "info"),
        Tag(f"{few(answers)} answers", QUIET, "check"),
        Tag(f"Outcomes known for {few(use.known_outcomes)}", QUIET, "info"),
    ]
    if state.alarm:
        tags.insert(0, Tag("The monitors alarm", WARN, "warn"))
    if state.stopped:
        tags.insert(0, Tag("Stopped", STOP, "stop"))
    digests = {c.digest for _, c in state.changes if c.action in (START, SWAP, ROLLBACK)}
    overridden = sum(use.reasons.values())
    return MonitoringPage(
        name=state.name,
        kicker=f"Monitoring: {state.name}, {WEEKS} weeks",
        headline=page_headline(state, groups),
        lead=_lead(out, state),
        tags=tuple(tags),
        is_stopped=bool(state.stopped),
        stopped=state.stopped,
        may_change=state.may_change,
        has_earlier=len(digests) > 1 and not state.follows_registry,
        groups=shown,
        folded=folded,
        done=_bars([(OUTCOME_WORDS.get(k, "Not recorded"), n) for k, n in _ordered(use.outcomes)]),
        done_note=capitalise(f"{few(answers)} answers of the last {WEEKS} weeks, of 100."),
        reasons=_counts([(REASON_WORDS.get(k, k), n) for k, n in use.reasons.most_common()]),
        reasons_note=_reasons_note(overridden),
        followed=followed_part(followed, stored_evidence(model).dose),
        served=tuple(
            ServedRow(local_time(at), c.digest[:12], _ACTIONS[c.action], c.reason)
            for at, c in state.changes
        ),
        audit=state.audit,
    )


def fold_unjudged(
    groups: tuple[CheckGroup, ...],
) -> tuple[tuple[CheckGroup, ...], tuple[CheckGroup, ...]]:
    """The checks to show, and those to fold: of a group, what is not judged if that is much."""
    shown, folded = [], []
    for group in groups:
        unknown = tuple(row for row in group.rows if row.state == UNKNOWN)
        if len(unknown) <= MOST_UNJUDGED:
            shown.append(group)
            continue
        judged = tuple(row for row in group.rows if row.state != UNKNOWN)
        shown.append(replace(group, rows=judged))
        folded.append(replace(group, rows=unknown))
    return tuple(shown), tuple(folded)


def training_numbers(model: Artifact) -> dict[str, tuple[float, float, str]]:
    """Of each listed fact with a number: mean, standard deviation and unit in training."""
    profile = model.policy.profile
    row = {code: at for at, code in enumerate(profile.codes)}
    return {
        field.name: (float(profile.center[at]), float(profile.spread[at]), plain_unit(field.unit))
        for field in form_of(model).fields
        if field.kind == "number" and (at := row.get(field.stem)) is not None
    }


def page_headline(state: ModelState, groups: tuple[CheckGroup, ...]) -> str:
    """Whether it is switched off; else the monitors' alarm, whose false ones are the rarest."""
    if state.stopped:
        return "This model is switched off"
    return f"Alarm: {state.alarm}" if state.alarm else headline(groups)


def _lead(out: int, state: ModelState) -> str:
    if state.stopped:
        return f"{state.stopped}. Clinicians see the guideline and usual care."
    if state.alarm:
        return "The model still answers. What to do stands with the monitors below."
    rows = "row in colour needs" if out == 1 else "rows in colour need"
    return f"The model still answers. The {rows} a look." if out else ""


def _ordered(outcomes: Counter[str]) -> list[tuple[str, int]]:
    names = [*OUTCOME_WORDS, ""]
    return [(name, outcomes[name]) for name in names if outcomes[name]]


def _reasons_note(overridden: int) -> str:
    if not overridden:
        return "Not once overridden or modified."
    return capitalise(f"{few(overridden)} times overridden or modified. Main reason given.")


def _bars(counts: Sequence[tuple[str, int]]) -> tuple[Bar, ...]:
    """Shares of 100; a small count has no picture, which would show it."""
    total = sum(n for _, n in counts)
    return tuple(
        Bar(
            label,
            share_bar(n / total, label),
            "all" if n == total else count_words(100 * n / total),
        )
        if n >= MIN_CELL
        else Bar(label, "", f"{UNDER_5} answers")
        for label, n in counts
    )


def _counts(counts: Sequence[tuple[str, int]]) -> tuple[Bar, ...]:
    most = max((n for _, n in counts), default=1)
    return tuple(
        Bar(label, share_bar(n / most, f"{n}"), f"{n:,}")
        if n >= MIN_CELL
        else Bar(label, "", UNDER_5)
        for label, n in counts
    )
