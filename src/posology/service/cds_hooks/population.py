"""Read the gathered Bundle, and tell whether the study is about this patient: in a worker."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from posology.advice.form.moments import parse_moment
from posology.cohorts.patient import patient_facts
from posology.domain.safety import is_in_range
from posology.domain.study import Study
from posology.errors import UserError
from posology.service.work import load_model
from posology.workflows.patient import Records, read_given, read_known_events

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
    required: tuple[str, ...] = ()
    """Why there can be no answer: facts that the study needs and nothing tells."""


def read_job(job: ReadJob) -> ReadPatient:
    """The events of the Bundle. RecordError if nothing of it can be read."""
    records = read_given(job.bundle)
    assert isinstance(records, tuple)
    model = load_model(job.folder, job.digest)
    if not (model.study.profile.required_for_advice or model.study.profile.standard):
        return ReadPatient(records, is_in_study(model.study, records[0], job.at))
    try:
        known, reading = read_known_events(model, records, job.at)
    except UserError:  # the answer says why
        return ReadPatient(records, is_in_study(model.study, records[0], job.at))
    events = pa.concat_tables([records[0], known], promote_options="default")
    return ReadPatient(records, is_in_study(model.study, events, job.at), reading.required)


def is_in_study(study: Study, events: pa.Table, at: str) -> bool:
    """Whether the patient is one of those that the study is about, as far as events tell."""
    decision = study.decision
    if not (decision.eligible or decision.excluded or decision.ranges):
        return True
    now = parse_moment(at, "at").timestamp() / _DAY
    facts = patient_facts(events, study, now)
    inside = np.ones(1, dtype=bool)
    if decision.eligible:
        inside &= facts.has_code(decision.eligible)
    if decision.excluded:
        inside &= ~facts.has_code(decision.excluded)
    for one in decision.ranges:
        inside &= is_in_range(facts, one)
    return bool(inside[0])
