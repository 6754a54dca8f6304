"""Encode one patient as a History in a policy's profile, as its training patients were."""

import numpy as np
import pyarrow as pa

from posology.cohorts.embedding_components import reduce_embeddings
from posology.cohorts.encode import build_history, unknown_codes
from posology.cohorts.events.day_order import study_events
from posology.cohorts.events.stream import EventStream, has_any_code, select_events
from posology.cohorts.events.time_bins import average_bins
from posology.cohorts.events.visible import event_facts
from posology.cohorts.events.windows import DecisionTimes
from posology.cohorts.part import BIRTH
from posology.domain.formula_events import add_formula_events
from posology.domain.history import History
from posology.domain.profile import Profile
from posology.domain.safety_rules.facts import VisibleFacts
from posology.domain.study import Study
from posology.errors import RecordError

_MOMENT = 1.0 / 86_400
"""A second, in days: what has just happened has happened."""


def encode_patient(
    events: pa.Table, study: Study, profile: Profile
) -> tuple[History, tuple[str, ...]]:
    """The patient's History up to now, and their codes that are not in the vocabulary.

    The decision is now: its last visible step is the History's last. RecordError if none of its
    codes is in the vocabulary.
    """
    return _encode(study_events(events, study), study, profile)


def encode_with_visible_facts(
    events: pa.Table, study: Study, profile: Profile, now: float
) -> tuple[History, VisibleFacts]:
    """The History of `encode_patient` and the facts of `patient_facts`; the events sorted once."""
    ordered = study_events(events, study)
    return _encode(ordered, study, profile)[0], _facts(ordered, study, now)


def _encode(
    ordered: EventStream, study: Study, profile: Profile
) -> tuple[History, tuple[str, ...]]:
    ordered = reduce_embeddings(ordered, profile.reductions)
    ordered = _look_back(average_bins(ordered, study.profile.resolution), study)
    unknown = tuple(unknown_codes(ordered, profile.codes))
    treatments = tuple(code for t in study.formulary.treatments for code in t.codes)
    subjects = np.unique(ordered.subject_id)
    history = build_history(ordered, subjects, profile.codes, treatments)
    if len(history.code) == 0:
        raise RecordError(
            f"patient: the policy knows none of its facts ({', '.join(unknown[:5])}); "
            "compare `posology template`."
        )
    return add_formula_events(history, profile), unknown


def patient_facts(events: pa.Table, study: Study, now: float) -> VisibleFacts:
    """What all events of one patient show to a decision now, in days since 1970-01-01.

    Events of the same moment are visible; so are codes that are no features of a policy.
    """
    return _facts(study_events(events, study), study, now)


def _facts(ordered: EventStream, study: Study, now: float) -> VisibleFacts:
    last = np.nanmax(np.append(ordered.time, -np.inf))
    at = DecisionTimes(np.zeros(1, np.int64), np.array([max(now, last) + _MOMENT]))
    return event_facts(ordered, np.zeros(len(ordered.code), np.int64), at, study)


def _look_back(events: EventStream, study: Study) -> EventStream:
    """Drop what lies longer before the patient's last event than the study looks back.

    Only where the study has one decision a patient: with several, it looks back from the first.
    """
    days = study.decision.look_back_days
    if days is None or study.decision.which != "first" or not len(events.time):
        return events
    oldest = np.nanmax(np.append(events.time, -np.inf)) - days
    keep = np.isnan(events.time) | (events.time >= oldest) | has_any_code(events, (BIRTH,))
    return select_events(events, np.flatnonzero(keep))
