"""The monitoring page of one model."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from posology.advice.form.unit_names import plain_unit
from posology.artifact import Artifact
from posology.language.catalogue import deferred, tr, tr_count
from posology.report.patient.content import QUIET, STOP, WARN, Tag
from posology.report.patient.marks import share_bar
from posology.report.patient.sections import MIN_CELL
from posology.report.patient.words import capitalise, count_words
from posology.service.followed_outcomes import Followed
from posology.service.pages.decision import OUTCOME_WORDS, reason_words
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
    START: deferred("Started"),
    SWAP: deferred("Put in place"),
    ROLLBACK: deferred("Rolled back to"),
    STOPPED: deferred("Stopped"),
    RESUME: deferred("Answers again"),
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
    answers = sum(week.answers for week in use.weeks)
    tags = [
        _checks_tag(groups),
        Tag(tr("{count} answers").format(count=few(answers)), QUIET, "check"),
        Tag(tr("Outcomes known for {count}").format(count=few(use.known_outcomes)), QUIET, "info"),
    ]
    if state.alarm:
        tags.insert(0, Tag(tr("The monitors alarm"), WARN, "warn"))
    if state.stopped:
        tags.insert(0, Tag(tr("Stopped"), STOP, "stop"))
    digests = {c.digest for _, c in state.changes if c.action in (START, SWAP, ROLLBACK)}
    overridden = sum(use.reasons.values())
    done_note = tr("{count} answers of the last {weeks} weeks, of 100.")
    return MonitoringPage(
        name=state.name,
        kicker=tr("Monitoring: {model}, {count} weeks").format(model=state.name, count=WEEKS),
        headline=page_headline(state, groups),
        lead=_lead(_count(groups, OUT), state),
        tags=tuple(tags),
        is_stopped=bool(state.stopped),
        stopped=state.stopped,
        may_change=state.may_change,
        has_earlier=len(digests) > 1 and not state.follows_registry,
        groups=shown,
        folded=folded,
        done=_bars(_ordered(use.outcomes)),
        done_note=capitalise(done_note.format(count=few(answers), weeks=WEEKS)),
        reasons=_counts([(reason_words(k) or k, n) for k, n in use.reasons.most_common()]),
        reasons_note=_reasons_note(overridden),
        followed=followed_part(followed, stored_evidence(model).dose),
        served=tuple(
            ServedRow(local_time(at), c.digest[:12], tr(_ACTIONS[c.action]), c.reason)
            for at, c in state.changes
        ),
        audit=state.audit,
    )


def _checks_tag(groups: Sequence[CheckGroup]) -> Tag:
    total, out = sum(len(group.rows) for group in groups), _count(groups, OUT)
    if out:
        text = tr("{count} of {all} checks out of range")
        return Tag(text.format(count=out, all=total), WARN, "warn")
    judged = total - _count(groups, UNKNOWN)
    text = tr("{count} of {all} checks judged").format(count=judged, all=total)
    return Tag(text, QUIET, "check" if judged else "info")


def _count(groups: Sequence[CheckGroup], state: str) -> int:
    return sum(row.state == state for group in groups for row in group.rows)


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
        return tr("This model is switched off")
    return tr("Alarm: {about}").format(about=state.alarm) if state.alarm else headline(groups)


def _lead(out: int, state: ModelState) -> str:
    if state.stopped:
        text = tr("{reason}. Clinicians see the guideline and usual care.")
        return text.format(reason=state.stopped)
    if state.alarm:
        return tr("The model still answers. What to do stands with the monitors below.")
    if not out:
        return ""
    return tr_count(
        "The model still answers. The row in colour needs a look.",
        "The model still answers. The rows in colour need a look.",
        out,
    )


def _ordered(outcomes: Counter[str]) -> list[tuple[str, int]]:
    names = [*OUTCOME_WORDS, ""]
    words = {**OUTCOME_WORDS, "": deferred("Not recorded")}
    return [(tr(words[name]), outcomes[name]) for name in names if outcomes[name]]


def _reasons_note(overridden: int) -> str:
    if not overridden:
        return tr("Not once overridden or modified.")
    text = tr("{count} times overridden or modified. Main reason given.")
    return capitalise(text.format(count=few(overridden)))


def _bars(counts: Sequence[tuple[str, int]]) -> tuple[Bar, ...]:
    """Shares of 100; a small count has no picture, which would show it."""
    total = sum(n for _, n in counts)
    return tuple(
        Bar(
            label,
            share_bar(n / total, label),
            tr("all") if n == total else count_words(100 * n / total),
        )
        if n >= MIN_CELL
        else Bar(label, "", tr("under 5 answers"))
        for label, n in counts
    )


def _counts(counts: Sequence[tuple[str, int]]) -> tuple[Bar, ...]:
    most = max((n for _, n in counts), default=1)
    return tuple(
        Bar(label, share_bar(n / most, f"{n}"), few(n)) if n >= MIN_CELL else Bar(label, "", few(n))
        for label, n in counts
    )
