import base64
import datetime

from posology.service.fhir.transparency import LABEL, label, with_transparency
from tests.builders.hook_responses import check_made_resource
from tests.builders.recommendations import MODEL

AT = datetime.datetime(2026, 11, 28, 9, 0, tzinfo=datetime.UTC)
ORDER = {"resourceType": "MedicationRequest", "id": "m"}


def test_a_resource_is_labelled_once_beside_its_other_labels() -> None:
    other = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
    labelled = label({**ORDER, "meta": {"versionId": "3", "security": [other]}})
    assert labelled["meta"] == {"versionId": "3", "security": [other, LABEL]}
    assert label(labelled) == labelled


def test_it_says_which_model_made_it_and_where_its_card_is() -> None:
    url = "https://cds.example.org/models/warfarin"
    inner = {"resourceType": "Medication", "id": "med"}
    made = with_transparency({**ORDER, "contained": [inner]}, MODEL, url, AT)
    check_made_resource(made)
    assert made["contained"][0] == inner
    kinds = {one["resourceType"]: one for one in made["contained"]}
    assert kinds["Device"]["version"][0]["value"] == MODEL.digest
    assert kinds["Provenance"]["recorded"] == "2026-11-28T09:00:00Z"
    inside, whole = (one["attachment"] for one in kinds["DocumentReference"]["content"])
    assert whole["url"] == url
    text = base64.b64decode(inside["data"]).decode()
    assert MODEL.purpose in text
    assert MODEL.not_for in text
    again = with_transparency(made, MODEL, url, AT)
    assert again == made  # an order that is changed twice is not described twice
