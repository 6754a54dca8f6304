"""Images at a service: pixels of a form are read, all else is refused with its field and mend."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from posology import artifact
from posology.errors import UserError
from posology.service.monitors.cases import monitor_store
from posology.simulators.lesion import PICTURE
from posology.workflows.monitoring.monitor import MonitorSettings
from posology.workflows.patient import read_given
from posology.workflows.progress import no_progress
from tests.builders.lesion_records import fit_lesion
from tests.builders.pages import signed_in
from tests.builders.service import client, deployment_of, running_app

GIVE = (
    f'{PICTURE} has no image, and the policy reads it. Give the patient as a form, with "image" in '
    'this event of "events": a PNG, TIFF or .npy file beside the form, or the pixels as lists of '
    "numbers from 0 to 1."
)
UNREAD = (
    "Given but not read: 1 entry of the FHIR file: resources of type ImagingStudy are not mapped "
    'to events; give images to ingest with --dicom, and those of one patient as "image" in an '
    "event of a form."
)
BUNDLE: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [
        {"resource": {"resourceType": "Patient", "id": "1", "gender": "female"}},
        {
            "resource": {
                **{"resourceType": "ImagingStudy", "id": "2", "status": "available"},
                **{"subject": {"reference": "Patient/1"}, "started": "2026-03-01"},
            }
        },
    ],
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lesion")
    fit_lesion(folder)
    return folder / "model"


@pytest.fixture
def app(model: Path, tmp_path: Path) -> Iterator[FastAPI]:
    with running_app(model, tmp_path / "service") as running:
        yield running


def post(app: FastAPI, body: dict[str, Any]) -> httpx.Response:
    async def send() -> httpx.Response:
        async with client(app) as http:
            return await http.post("/recommendations", json=body)

    return asyncio.run(send())


def form(**picture: object) -> dict[str, Any]:
    event = {"code": PICTURE, "time": "2026-03-01", **picture}
    return {"form": {"decision": "2026-03-01", "facts": {"SEX//F": "yes"}, "events": [event]}}


def test_an_image_that_is_not_there_is_refused_by_its_code_and_with_the_mend(app: FastAPI) -> None:
    assert post(app, form(image=np.full((32, 32), 0.5).tolist())).status_code == 201
    meds = {"events": [{"code": "SEX//F"}, {"code": PICTURE, "time": "2026-03-01T00:00:00"}]}
    for body in (form(), meds):
        response = post(app, body)
        assert response.status_code == 422
        assert response.json()["error"]["message"] == f"patient: {GIVE}"
    response = post(app, form(image="a.png"))
    assert response.json()["error"]["message"] == (
        f'patient: event 1 ({PICTURE}): "image" names a file, which is read beside a patient\'s '
        "file only; give the pixels as lists of numbers from 0 to 1."
    )


def test_a_page_refuses_an_image_at_its_own_field(app: FastAPI) -> None:
    browser = signed_in(app, "clinician")
    browser.get("/ask")
    fields = {"model": "warfarin", "fact-0": "F", "fact-1": "50", "fact-2": "SKIN"}
    assert browser.post("/ask", fields).status_code == 422
    assert browser.text.count("Picture: a page takes no image; choose “not recorded”") == 2
    assert "IMAGE//" not in browser.text
    assert browser.post("/ask", fields | {"fact-2": ""}).status_code == 200


def test_images_of_a_bundle_are_named_as_not_read() -> None:
    assert read_given(BUNDLE)[1] == (UNREAD,)


def test_monitor_refuses_a_service_whose_model_reads_images(app: FastAPI, model: Path) -> None:
    loaded, store = artifact.load(model), deployment_of(app).store
    with pytest.raises(
        UserError,
        match=r"study lesion reads images, and a service's facts are read again without them; "
        r"name the events of later patients in place of --service\.",
    ):
        monitor_store(store, loaded, MonitorSettings(), no_progress)
