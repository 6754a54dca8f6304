"""The first worklist of a demonstration: its patients, already answered."""

from posology.service.answering import Question, answer
from posology.service.deployment import Deployment
from posology.service.errors import ServiceError

COUNT = 12
"""Patients who are on the worklist from the start; the others can be tried from a record system."""


async def fill_worklist(deployment: Deployment) -> None:
    """Answer for the first patients of a demonstration; those that cannot be judged stay out."""
    for patient in deployment.demo_patients[:COUNT]:
        question = Question(
            model=deployment.models.default,
            patient=patient.events,
            patient_id=patient.id,
            asked_by="demonstration",
            door="page",
        )
        try:
            await answer(deployment, question)
        except ServiceError as error:
            deployment.log.info("demonstration", patient=patient.id, error=type(error).__name__)
