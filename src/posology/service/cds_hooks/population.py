"""Read the gathered Bundle, and tell whether the study is about this patient: in a worker."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posology.advice.form.moments import parse_moment
from posology.cohorts.patient import patient_facts
from posology.domain.safety import is_in_range
from posology.domain.study import Study
from posology.service.work import load_model
from posology.workflows.patient import Records, read_given

_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class ReadJob:
    """A patient's Bundle, and the model that is to answer."""

    folder: Path
    digest: str
    bundle: dict[str, Any]
    at: str
    """Moment of the decision, ISO 8601."""


@dataclass(frozen=True, slots=True)
class ReadPatient:
    """The patient's events, and whether there is anything to say."""

    records: Records
    is_in_study: bool


def read_job(job: ReadJob) -> ReadPatient:
    """The events of the Bundle. RecordError if nothing of it can be read."""
    records = read_given(job.bundle)
    assert isinstance(records, tuple)
    study = load_model(job.folder, job.digest).study
    return ReadPatient(records, is_in_study(study, records, job.at))


def is_in_study(study: Study, records: Records, at: str) -> bool:
    """Whether the patient is one of those that the study is about, as far as events tell."""
    decision = study.decision
    if not (decision.eligible or decision.excluded or decision.ranges):
        return True
    now = parse_moment(at, "at").timestamp() / _DAY
    facts = patient_facts(records[0], study, now)
    inside = np.ones(1, dtype=bool)
    if decision.eligible:
        inside &= facts.has_code(decision.eligible)
    if decision.excluded:
        inside &= ~facts.has_code(decision.excluded)
    for one in decision.ranges:
        inside &= is_in_range(facts, one)
    return bool(inside[0])
