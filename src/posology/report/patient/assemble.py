"""The parts of a recommendation's page and terminal text, in the order in which they are read."""

from dataclasses import replace

from posology.domain.recommendation.recommendation import Recommendation
from posology.language.catalogue import current_language, deferred, tr
from posology.report.patient import (
    answer,
    doses,
    missing,
    option_rows,
    plans,
    reasons,
    sections,
    words,
)
from posology.report.patient.content import Line, PatientPage

FOOTER = deferred("Posology supports a decision; it does not make one. It is not a medical device.")
_SHORT_TITLES = (
    ("instead", deferred("What to go on")),
    ("options", deferred("Options")),
    ("doses", deferred("Dose")),
    ("certainty", deferred("How sure")),
    ("safety", deferred("Safety and genes")),
    ("plans", deferred("Plans")),
    ("contrasts", deferred("Why")),
    ("similar", deferred("Patients like this one")),
    ("missing", deferred("What was missing")),
    ("known", deferred("Facts used")),
    ("looked", deferred("Where the model looked")),
    ("guideline", deferred("Guideline")),
    ("evidence", deferred("Evidence")),
)


def build_page(advice: Recommendation) -> PatientPage:
    """The words of every part, in the order in which they are read."""
    shown_doses = doses.doses(advice)
    guideline = () if answer.instead(advice) else answer.guideline_lines(advice)
    page = PatientPage(
        title=words.without_stop(advice.headline),
        kicker=advice.model.title,
        banner=answer.banner_facts(advice),
        record_time=words.date_words(advice.time),
        headline=words.without_stop(advice.headline),
        lead=advice.lead,
        tags=answer.tags(advice),
        decision_note=answer.decision_note(advice),
        callouts=answer.callouts(advice),
        links=(),
        instead=answer.instead(advice),
        options=None if doses.is_only_dose(advice) else option_rows.option_table(advice),
        dose_heading=doses.dose_heading(shown_doses),
        dose_note=doses.dose_note(advice, shown_doses),
        doses=shown_doses,
        certainty=sections.certainty_lines(advice),
        safety_note=sections.safety_note(advice),
        safety=sections.safety_rows(advice),
        plans=None if advice.plans is None else plans.plan_table(advice.plans),
        contrasts=reasons.contrasts(advice),
        why=reasons.groups(advice),
        similar_note=sections.similar_note(advice),
        similar_heads=sections.similar_heads(advice),
        similar=sections.similar_rows(advice),
        missing_note=missing.missing_note(advice),
        missing=missing.missing_rows(advice),
        missing_rest=missing.missing_rest(advice),
        known=sections.known_lines(advice),
        looked=sections.looked_rows(advice),
        guideline=guideline,
        evidence=_evidence(advice),
        footer=_footer(advice),
        digest=advice.model.digest[:12],
        language=current_language(),
    )
    return replace(page, links=_links(page))


def _links(page: PatientPage) -> tuple[tuple[str, str], ...]:
    is_shown = {name for name, _ in _SHORT_TITLES if getattr(page, name)}
    if page.why:
        is_shown.add("contrasts")
    if page.missing_rest:
        is_shown.add("missing")
    return tuple((name, tr(title)) for name, title in _SHORT_TITLES if name in is_shown)


def _evidence(advice: Recommendation) -> tuple[Line, ...]:
    model = advice.model
    lines = (
        Line(tr("Found on other patients"), words.sentence(model.evidence)),
        Line(tr("Learned from"), words.sentence(_without(model.learned_from, tr("learned from ")))),
        Line(tr("For"), words.sentence(model.purpose)),
        Line(tr("Not for"), words.sentence(_without(model.not_for, "not for "))),
    )
    return tuple(line for line in lines if line.text)


def _without(text: str, start: str) -> str:
    """The study's sentence without the words that stand beside it."""
    text = text.strip()
    return text[len(start) :] if text.lower().startswith(start) else text


def _footer(advice: Recommendation) -> tuple[str, ...]:
    model = advice.model
    return (
        tr(FOOTER),
        tr(
            "The person who treats the patient decides. Study {study}, model {model}, record as of "
            "{day}."
        ).format(study=model.study, model=model.digest[:12], day=words.date_words(advice.time)),
    )
