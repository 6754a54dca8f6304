"""A patient read from a Bundle."""

import json
from pathlib import Path

import pytest

from posology.conformance.calls.patient import id_of, made_up_patient, read_bundle
from posology.errors import UserError
from posology.records.sources.fhir.search import searchset


def test_a_bundle_of_one_patient_is_played(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(searchset(made_up_patient())))
    assert read_bundle(path) == made_up_patient()
    assert id_of(read_bundle(path)) == "conform-patient"


@pytest.mark.parametrize(
    ("text", "error"),
    [("{", "cannot be read as JSON"), ("[]", "holds 0 Patient"), ('{"entry": [{}]}', "holds 0")],
)
def test_another_file_is_refused(text: str, error: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UserError, match=f"a.json: {error}"):
        read_bundle(path)
