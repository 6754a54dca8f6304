"""The demonstration answers about each patient from the record that its record system sends."""

import asyncio

import pytest
from fastapi import FastAPI

from posology.service.demo import worklist
from posology.service.demo.patients import DemoPatient
from posology.service.demo.worklist import fill_worklist
from posology.service.ehr.record_system import open_record_system
from tests.builders.service import deployment_of
from tests.service.ehr.test_own_facts import FACTS
from tests.service.ehr.test_record import table


def test_worklist_and_record_system_have_one_record(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = deployment_of(app)
    deployment.demo_patients = (DemoPatient("demo-01", "Ada Sample", table(FACTS)),)
    asked: list[worklist.Question] = []

    async def answer(_deployment: object, question: worklist.Question) -> None:
        asked.append(question)

    monkeypatch.setattr(worklist, "answer", answer)
    asyncio.run(fill_worklist(deployment))
    (question,) = asked
    (patient,) = open_record_system(app).patients.values()
    assert isinstance(question.patient, dict)
    assert [e["resource"] for e in question.patient["entry"]] == patient.resources
    codes = [r["code"]["coding"][0]["code"] for r in patient.resources if "code" in r]
    assert {"29463-7", "8302-2"} <= set(codes)
    assert question.patient_id == patient.id
