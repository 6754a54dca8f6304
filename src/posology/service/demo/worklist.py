"""The first worklist of a demonstration: its patients, already answered.

They are answered from the record that the demonstration's record system sends, so that a patient
has one answer, whoever asks.
"""

import datetime

from posology.service.answering import Question, answer
from posology.service.deployment import Deployment
from posology.service.ehr.record import record_bundle
from posology.service.errors import ServiceError

COUNT = 12
"""Patients who are on the worklist from the start; the others can be tried from a record system."""


async def fill_worklist(deployment: Deployment) -> None:
    """Answer for the first patients of a demonstration; those that cannot be judged stay out."""
    study = deployment.models.find(deployment.models.default).artifact.study
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None).isoformat(timespec="seconds")
    for patient in deployment.demo_patients[:COUNT]:
        question = Question(
            model=deployment.models.default,
            patient=record_bundle(patient.id, patient.events, study.profile.standard),
            patient_id=patient.id,
            at=now,
            asked_by="demonstration",
            door="page",
        )
        try:
            await answer(deployment, question)
        except ServiceError as error:
            deployment.log.info("demonstration", patient=patient.id, error=type(error).__name__)
