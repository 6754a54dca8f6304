"""The patient's page: the report's own sections, and what the service knows of the answer."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from posology.advice.wording.titles import small_first
from posology.domain.recommendation.recommendation import Recommendation
from posology.language.catalogue import deferred, tr
from posology.report.patient.answer import guideline_and_usual_care
from posology.report.patient.assemble import build_page
from posology.report.patient.content import STOP, WARN
from posology.service.pages.decision import (
    DEFER_REASONS,
    OUTCOME_WORDS,
    REASONS,
    DecisionForm,
    given_words,
    reason_words,
)
from posology.service.pages.responses import local_time
from posology.service.pages.timeline import Timeline
from posology.service.pages.what_if import WhatIfForm
from posology.service.store.decisions import DecisionRecord

_SWITCHED_OFF = deferred("No answer: this model is switched off")
_FOLDED = deferred("Its earlier answer is folded below, for reading only.")


@dataclass(frozen=True, slots=True)
class AnswerState:
    """What became of an answer since it was given."""

    decision: DecisionRecord | None = None
    decided_at: str = ""
    decided_by: str = ""
    """Name of the person, in words."""
    newer: str = ""
    """Id of a newer answer for the same patient and question."""
    newer_at: str = ""
    stopped: str = ""
    """Why the model is stopped; empty if it answers."""
    is_replaced: bool = False
    """Whether another version of the model answers now."""
    changed_since: str = ""
    """When an earlier answer that advised something else was decided about, in words."""
    fewer: str = ""
    """Which answer knew fewer facts than the one decided upon, and which were missing."""
    other: str = ""
    """Id of the other one of those two answers, if it is not the one shown."""

    @property
    def may_accept(self) -> bool:
        """Whether the answer still holds."""
        return not self.newer and not self.stopped


@dataclass(frozen=True, slots=True)
class Panel:
    """The decision's state, at the right of the answer and above its form."""

    state: str
    recorded: str
    """Who decided what, in one line; empty before that."""
    is_closed: bool
    """Whether nothing can be decided here."""
    closed: str
    notice: str
    """What changed since the answer, in bold, at the top of the page."""
    notice_text: str
    notice_tone: str
    newer: str
    other: str
    """Id of the answer that knew more or less than this one; empty if there is none."""
    key: str
    """Of the form: sent twice, the decision is kept once."""


def panel(advice: Recommendation, state: AnswerState) -> Panel:
    """The words of the answer's state."""
    notice, text, tone = _notice(state)
    return Panel(
        state="" if state.decision is not None else tr("not recorded yet"),
        recorded=recorded_words(advice, state),
        is_closed=bool(state.newer),
        closed=tr("This answer is out of date and cannot be accepted.") if state.newer else "",
        notice=notice,
        notice_text=text,
        notice_tone=tone,
        newer=state.newer,
        other=state.other,
        key=secrets.token_urlsafe(18),
    )


def recorded_words(advice: Recommendation, state: AnswerState) -> str:
    """`Overridden by Dr A. Sample, 27-Nov-2026 09:02: medium start. Reason: local guideline. “...”`

    The clinician's own words stand last, for as long as they are kept.
    """
    if state.decision is None:
        return ""
    record = state.decision
    given = given_words(record, advice)
    reason = reason_words(record.reason)
    words = tr("{decision} by {person}, {moment}").format(
        decision=tr(OUTCOME_WORDS[record.outcome]),
        person=state.decided_by,
        moment=local_time(state.decided_at),
    )
    words += f": {given}." if given else "."
    why = tr("Reason: {reason}.").format(reason=small_first(reason)) if reason else ""
    comment = tr("“{value}”").format(value=record.comment) if record.comment else ""
    return " ".join(part for part in (words, why, comment) if part)


def patient_variables(
    advice: Recommendation,
    state: AnswerState,
    decision: DecisionForm,
    what_if: WhatIfForm,
    timeline: Timeline | None,
) -> dict[str, Any]:
    """The variables of the template: those of the report's page, and the service's."""
    page = build_page(advice)
    if state.stopped:
        page = replace(
            page, headline=tr(_SWITCHED_OFF), lead=(tr(_FOLDED),), tags=(), links=(), guideline=()
        )
    shared: Mapping[str, Any] = {f.name: getattr(page, f.name) for f in fields(page)}
    return {
        **shared,
        "panel": panel(advice, state),
        "stopped_instead": guideline_and_usual_care(advice) if state.stopped else (),
        "decision": decision,
        "what_if": what_if,
        "timeline": timeline,
        "all_reasons": tuple((code, tr(words)) for code, words in REASONS),
        "defer_reasons": tuple((code, tr(words)) for code, words in DEFER_REASONS),
    }


def _notice(state: AnswerState) -> tuple[str, str, str]:
    if state.stopped:
        text = tr("Go on with the guideline and usual care, which are directly below.")
        off = tr("This model is switched off: {reason}").format(reason=state.stopped)
        return off, text, STOP
    if state.newer:
        text = tr("It stays for reading and cannot be accepted.")
        newer = tr("This answer is out of date: a newer one is of {moment}.")
        return newer.format(moment=state.newer_at), text, WARN
    if state.changed_since and state.decision is None:
        text = tr("An earlier answer advised something else. Decide again.")
        text = f"{text} {state.fewer}".strip()
        changed = tr("The advice changed since your decision of {moment}.")
        return changed.format(moment=state.changed_since), text, WARN
    if state.fewer:
        text = tr("The decision was made with more facts and still stands.")
        return state.fewer, text, WARN
    if state.is_replaced and state.decision is None:
        other = tr("Another version of the model answers now.")
        return other, tr("Ask again before you decide."), WARN
    return "", "", ""
