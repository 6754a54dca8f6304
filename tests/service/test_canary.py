"""No word of a patient in logs, errors, metrics or the audit log: a canary sings in every part."""

import asyncio
import json
from io import StringIO

from fastapi import FastAPI
from sqlalchemy import select

from posology.service.logs import make_log
from posology.service.store.tables import AUDIT
from tests.builders.service import FORM, client, deployment_of

CANARY = "Zwitscherling"
NAME = {"family": CANARY, "given": [CANARY]}
PATIENT = {
    "resourceType": "Patient",
    "id": CANARY,
    "gender": "male",
    "name": [NAME],
    "text": {"status": "generated", "div": f"<div>{CANARY}</div>"},
}
BODIES = [
    {"form": FORM, "patient_id": CANARY},
    {"form": {"facts": {"sex": CANARY}}},
    {"form": {"facts": {CANARY: 1}}},
    {"form": {"facts": {"sex": "male"}, CANARY: CANARY}},
    {"form": FORM, CANARY: CANARY},
    {"form": FORM, "at": CANARY},
    {"form": FORM, "model": CANARY},
    {"bundle": {"resourceType": "Bundle", "entry": [{"resource": PATIENT}]}},
    {"bundle": {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": CANARY}}]}},
    {"bundle": {"resourceType": CANARY}},
    {"events": [{"code": CANARY, "text_value": CANARY}]},
    {"events": [{"code": "SEX//male", "time": CANARY}]},
]


def test_no_canary_reaches_logs_errors_metrics_or_the_audit_log(
    app: FastAPI,
) -> None:
    logs = StringIO()
    deployment_of(app).log = make_log(logs)

    async def run() -> tuple[list[tuple[int, str]], str]:
        async with client(app) as http:
            paths = [f"/recommendations?name={CANARY}", f"/{CANARY}", f"/models/{CANARY}/history"]
            responses = [await http.post(paths[0], json=body) for body in BODIES]
            responses += [await http.get(path) for path in paths[1:]]
            metrics = await http.get("/metrics", headers={"x-request-id": f"{CANARY} {CANARY}"})
            return [(r.status_code, r.text) for r in responses], metrics.text

    responses, metrics = asyncio.run(run())
    assert {status for status, _ in responses} == {201, 400, 404, 422}
    errors = [text for status, text in responses if status != 201]
    assert len(errors) >= 10
    audit = deployment_of(app).store.read_now(lambda c: c.execute(select(AUDIT)).all())
    assert len(audit) >= 2
    assert logs.getvalue().count('"event": "request"') == len(responses) + 1
    for place in (*errors, metrics, logs.getvalue(), json.dumps([list(r) for r in audit])):
        assert CANARY.casefold() not in place.casefold(), place
