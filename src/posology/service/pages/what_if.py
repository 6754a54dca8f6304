"""What if a fact were another: the same question asked again, beside the answer that stands."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posology.domain.recommendation.option import OptionAdvice
from posology.domain.recommendation.recommendation import Recommendation
from posology.language.catalogue import tr
from posology.report.patient.option_rows import is_of_ranges
from posology.report.patient.words import capitalise, dose_words, value_words, without_stop
from posology.service.pages.facts_form import FactGroup
from posology.service.work import load_model, stored_patient
from posology.workflows.advice.what_if import PatientFacts, read_facts, what_if


@dataclass(frozen=True, slots=True)
class WhatIfRow:
    """One option, as recorded and if changed."""

    title: str
    cells: tuple[str, ...]
    is_changed: bool


@dataclass(frozen=True, slots=True)
class WhatIfResult:
    """What changes."""

    headline: str
    changes: str
    lead: str
    goal: str
    heads: tuple[str, ...]
    rows: tuple[WhatIfRow, ...]


@dataclass(frozen=True, slots=True)
class WhatIfForm:
    """The form's variables."""

    groups: tuple[FactGroup, ...]
    errors: dict[str, str]
    result: WhatIfResult | None


NO_FORM = WhatIfForm((), {}, None)


@dataclass(frozen=True, slots=True)
class FactsJob:
    """Whose facts to read, of which model."""

    folder: Path
    digest: str
    given: dict[str, Any]
    """As the store keeps it."""
    at: str
    """Moment of the decision, ISO 8601."""


def facts_job(job: FactsJob) -> PatientFacts:
    """The facts of a stored patient; runs in a worker."""
    patient, at = stored_patient(job.given, job.at)
    return read_facts(load_model(job.folder, job.digest), patient, at)


def what_if_job(question: tuple[FactsJob, dict[str, str]]) -> Recommendation:
    """Advice if facts were others; runs in a worker. RecordError if a change cannot be read."""
    job, changes = question
    patient, at = stored_patient(job.given, job.at)
    return what_if(load_model(job.folder, job.digest), patient, changes, at).recommendation


def compare(now: Recommendation, changed: Recommendation, changes: str) -> WhatIfResult:
    """The two answers, option by option."""
    before = {option.name: option for option in now.options}
    names = [*before, *(o.name for o in changed.options if o.name not in before)]
    after = {option.name: option for option in changed.options}
    has_dose = any(option.dose for option in (*now.options, *changed.options))
    has_dose = has_dose and not is_of_ranges(now)
    rows = [
        _row(before.get(name), after.get(name), now.unit, has_dose)
        for name in names
        if _says_something(before.get(name)) or _says_something(after.get(name))
    ]
    if now.dose is not None or changed.dose is not None:
        doses = [dose_words(d) if d else tr("none") for d in (now.dose, changed.dose)]
        blank = ("", "") if any(r.cells[0] for r in rows) else ()
        cells = (*blank, *doses) if blank else tuple(doses)
        rows.append(WhatIfRow(tr("Dose"), cells, doses[0] != doses[1]))
    heads = (tr("As recorded"), tr("If changed"))
    if has_dose or (now.dose is not None and len(rows) > 1):
        heads = (*heads, tr("Dose as recorded"), tr("Dose if changed"))
    width = len(heads)
    return WhatIfResult(
        headline=without_stop(changed.headline),
        changes=changes,
        lead=" ".join(changed.lead),
        goal=f"{capitalise(now.goal)}, {now.unit or tr('of 100')}",
        heads=heads,
        rows=tuple(
            WhatIfRow(r.title, (r.cells + ("",) * width)[:width], r.is_changed) for r in rows
        ),
    )


def _says_something(option: OptionAdvice | None) -> bool:
    return option is not None and (option.outcome is not None or option.dose is not None)


def _row(
    before: OptionAdvice | None, after: OptionAdvice | None, unit: str, has_dose: bool
) -> WhatIfRow:
    either = before or after
    assert either is not None
    cells = [_outcome(option, unit) for option in (before, after)]
    if has_dose:
        cells += [
            dose_words(option.dose) if option and option.dose else "" for option in (before, after)
        ]
    is_changed = cells[0] != cells[1] or cells[2:3] != cells[3:4]
    return WhatIfRow(capitalise(either.title), tuple(cells), is_changed)


def _outcome(option: OptionAdvice | None, unit: str) -> str:
    if option is None or option.outcome is None:
        return tr("not estimated")
    return value_words(option.outcome.value, unit)
