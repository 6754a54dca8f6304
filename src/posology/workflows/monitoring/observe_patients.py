"""Predictions for patients who come one by one: as forms, Bundles or their events."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from posology.artifact import Artifact
from posology.cohorts.patient import encode_patient
from posology.domain.history import History
from posology.domain.safety import allowed_treatments
from posology.errors import UserError
from posology.workflows.patient import Patient, read_known_events


@dataclass(frozen=True, slots=True, eq=False)
class PatientPredictions:
    """What a model sees and says of some patients, a row each."""

    is_read: np.ndarray
    """False of a patient whose facts could not be read again; the other columns have no row."""
    history: History
    last_step: np.ndarray
    first: np.ndarray
    """Option that the model puts first."""
    effectiveness: np.ndarray
    """P(effective) of every option, mean over the ensemble's members."""


def predict_patients(
    model: Artifact, patients: Sequence[tuple[Patient, str | None]]
) -> PatientPredictions | None:
    """The predictions for patients; None if none can be read.

    patients: each with the date of the decision, or None where the form states it.

    All are encoded and predicted together, in a fraction of the time of one by one.
    """
    tables = [_events(model, *patient) for patient in patients]
    numbered = [
        table.set_column(
            table.schema.get_field_index("subject_id"),
            "subject_id",
            pa.array(np.full(table.num_rows, row), table.schema.field("subject_id").type),
        )
        for row, table in enumerate(tables)
        if table is not None
    ]
    if not numbered:
        return None
    profile = model.policy.profile
    history, _ = encode_patient(pa.concat_tables(numbered), model.study, profile)
    last = history.step_offsets[1:] - 1
    allowed = allowed_treatments(model.study, profile, history, last)
    allowed |= ~allowed.any(axis=1, keepdims=True)
    decisions = (history, last, allowed)
    is_read = np.isin(np.arange(len(patients)), history.subject_id)
    return PatientPredictions(
        is_read,
        history,
        last,
        model.policy.choice_probabilities(*decisions).argmax(axis=1),
        model.policy.predict_effectiveness(*decisions).mean(axis=2),
    )


def _events(model: Artifact, patient: Patient, at: str | None) -> pa.Table | None:
    try:
        events, _ = read_known_events(model, patient, at)
    except UserError:
        return None
    return events if events.num_rows else None
