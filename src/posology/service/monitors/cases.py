"""The monitors of a served model, judged by what the store holds of its answers."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, desc, select

from posology.advice.uncertainty.facts import fact_codes, read_facts
from posology.artifact import Artifact
from posology.domain.formulary import is_in_range
from posology.domain.serialization import deserialize
from posology.domain.study import Study
from posology.errors import UserError
from posology.lifecycle.monitoring.observations import UNKNOWN, Observations
from posology.lifecycle.monitoring.reference import EVIDENCE, Reference
from posology.lifecycle.monitoring.words import month_number
from posology.service.followed_outcomes import answer_ids, is_effective, newest_versions
from posology.service.store.store import Store
from posology.service.store.tables import ANSWERS, DECISIONS
from posology.service.work import stored_patient, unpack
from posology.workflows.monitoring.monitor import (
    MonitoringResult,
    MonitorSettings,
    judge,
    stored_reference,
)
from posology.workflows.monitoring.observe_patients import PatientPredictions, predict_patients
from posology.workflows.patient import Patient
from posology.workflows.progress import Progress

MOST_ANSWERS, MOST_OF_COMMAND = 1000, 100_000
"""Newest answers that a page, and the command, look at."""


@dataclass(frozen=True, slots=True)
class StoredCase:
    """One answer, what was then done, and what became of the patient."""

    patient: str
    made_at: str
    given: tuple[Patient, str | None]
    """With the date of the decision, where the form does not state it."""
    option: str
    """Option given; empty if nobody recorded it."""
    outcome: float | None
    """Number of the outcome; None without one, or of an event that is 1 without a number."""
    outcome_at: str
    """Empty without an outcome."""


def reference_of(model: Artifact) -> Reference | None:
    """The reference that was kept when the model was fitted; None without one."""
    stored = model.evidence.get(EVIDENCE)
    reference: Reference | None = None if stored is None else deserialize(Reference, stored, {})
    return reference if reference is not None and reference.monitors else None


def read_cases(
    connection: Connection, name: str, model: Artifact, most: int = MOST_ANSWERS
) -> list[StoredCase]:
    """The newest answers of this version of a model that still have the patient's facts."""
    columns = (ANSWERS.c.id, ANSWERS.c.patient_key, ANSWERS.c.made_at, ANSWERS.c.given)
    own = (ANSWERS.c.model == name, ANSWERS.c.digest == model.digest, ANSWERS.c.given.is_not(None))
    query = select(*columns).where(*own).order_by(desc(ANSWERS.c.made_at)).limit(most)
    rows = list(connection.execute(query))
    options = _options_given(connection, {row.id for row in rows})
    outcomes = _outcomes(connection, name, model.study, most)
    cases = []
    for row in rows:
        value, at = outcomes.get(row.id, (None, ""))
        given = stored_patient(unpack(row.given), row.made_at[:10])
        patient, option = row.patient_key or row.id, options.get(row.id, "")
        cases.append(StoredCase(patient, row.made_at, given, option, value, at))
    return cases


def observe_cases(model: Artifact, cases: Sequence[StoredCase]) -> Observations | None:
    """What the cases show of each decision; None if no patient's facts can be read."""
    found = predict_patients(model, [case.given for case in cases])
    if found is None:
        return None
    kept = [case for case, is_read in zip(cases, found.is_read, strict=True) if is_read]
    codes, profile = fact_codes(model.policy.profile), model.policy.profile
    facts = read_facts(found.history, found.last_step, codes)
    given, effective, judged = _outcome_columns(model.study, kept, found)
    is_known = ~np.isnan(effective)
    probability = found.effectiveness[np.arange(len(kept)), np.maximum(judged, 0)]
    _, patient = np.unique([case.patient for case in kept], return_inverse=True)
    return Observations(
        facts=tuple(profile.codes[row] for row in codes),
        options=model.policy.formulary.names,
        patient=patient.astype(np.int64),
        decided=_months([case.made_at for case in kept]),
        followed=np.where(is_known, _months([case.outcome_at for case in kept]), UNKNOWN),
        recorded=facts.recorded,
        number=facts.number,
        given=given,
        first=found.first.astype(np.int64),
        predicted=np.where(judged >= 0, probability, np.nan),
        effective=effective,
    )


def _outcome_columns(
    study: Study, cases: Sequence[StoredCase], found: PatientPredictions
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Option given, whether the option that is judged was effective, and which one that is."""
    names = study.formulary.names
    given = np.array([names.index(c.option) if c.option in names else UNKNOWN for c in cases])
    if study.outcome.kind == "dose_class":
        given = np.array([_band(study, case.outcome) for case in cases])
        effective = np.where(given >= 0, (found.first == given).astype(float), np.nan)
        return given, effective, found.first
    came_true = [is_effective(c.outcome, study) if c.outcome_at else None for c in cases]
    effective = np.array([np.nan if x is None else float(x) for x in came_true])
    return given, np.where(given >= 0, effective, np.nan), given


def _band(study: Study, dose: float | None) -> int:
    """The option whose range holds the right dose; UNKNOWN without one."""
    if dose is not None:
        for row, treatment in enumerate(study.formulary.treatments):
            if treatment.dose is not None and is_in_range(np.array([dose]), treatment.dose)[0]:
                return row
    return UNKNOWN


def _months(moments: Sequence[str]) -> np.ndarray:
    days = (datetime.date.fromisoformat(at[:10]) if at else None for at in moments)
    return np.array([UNKNOWN if day is None else month_number(day) for day in days], np.int64)


def _outcomes(
    connection: Connection, name: str, study: Study, most: int
) -> dict[str, tuple[float | None, str]]:
    """Of each answer, the number and time of the newest outcome of the study that followed it."""
    rows = newest_versions(connection, study.outcome.codes, most)
    answers = answer_ids(connection, rows, name)
    return {
        answers[row.number]: (row.value, row.observed_at)
        for row in reversed(rows)
        if row.number in answers
    }


def _options_given(connection: Connection, answers: set[str]) -> dict[str, str]:
    query = select(DECISIONS.c.answer, DECISIONS.c.option).order_by(DECISIONS.c.number)
    return {row.answer: row.option for row in connection.execute(query) if row.answer in answers}


def monitor_store(
    store: Store, model: Artifact, settings: MonitorSettings, progress: Progress
) -> MonitoringResult:
    """The verdict on the answers of this version of a model that a service's store holds.

    UserError if the model reads images: facts that are read again have none.
    """
    if model.study.profile.images:
        raise UserError(
            f"study {model.study.name} reads images, and a service's facts are read again without "
            "them; name the events of later patients in place of --service."
        )
    reference = stored_reference(model)
    names = select(ANSWERS.c.model).where(ANSWERS.c.digest == model.digest).distinct()
    found = store.read_now(lambda connection: list(connection.scalars(names)))
    cases: list[StoredCase] = []
    for name in found:
        progress(f"reading the answers of {name}")
        cases += store.read_now(read_cases, name, model, MOST_OF_COMMAND)
    progress(f"{len(cases):,} answers")
    observed = observe_cases(model, cases) if cases else None
    if observed is None:
        raise UserError(
            f"model {model.digest[:12]}: the service's store holds no answer of this version whose "
            "facts are kept; name the folder of the model that it serves."
        )
    return judge(model, reference, observed, settings)
