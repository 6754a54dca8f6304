"""Golden patients: forms whose answers are kept with a model, and must come again bit for bit."""

import datetime
import json
from pathlib import Path
from typing import Any

import orjson

import posology
from posology.advice.form.field import DATED, Field
from posology.artifact import Artifact
from posology.errors import ArtifactError, UserError
from posology.service.models.signing import GOLDEN
from posology.workflows.patient import form_of
from posology.workflows.recommend import recommend

_DATE = "2026-01-01"
"""Of every decision made for a golden patient: an answer must not depend on today."""
_DAYS_BEFORE = 12
"""Age of a value in days where training does not say how old values are."""


def make_golden(model: Artifact, given: list[dict[str, Any]]) -> bytes:
    """The file's content: the given forms, or made-up patients of the model's own form."""
    answers = []
    for form in given or made_up_patients(model):
        try:
            answers.append({"form": form, "answer": _answer(model, form)})
        except UserError:
            if given:
                raise
    if not answers:
        raise UserError(
            "no made-up patient can be answered by this model; give some with --patient FILE."
        )
    body = {"posology": posology.__version__, "patients": answers}
    return json.dumps(body, indent=1, sort_keys=True).encode()


def check_golden(folder: Path, model: Artifact) -> int:
    """Number of golden patients, all answered bit for bit; ArtifactError names the first other."""
    body = json.loads((folder / GOLDEN).read_bytes())
    for number, entry in enumerate(body["patients"], 1):
        kept = entry["answer"]
        found = _known(_answer(model, entry["form"]), kept)
        if found != kept:
            part = next((k for k in kept if found.get(k) != kept[k]), "its parts")
            raise ArtifactError(
                f"{folder}: golden patient {number} of {len(body['patients'])} gets another answer "
                f"({part}) than when the model was signed with posology {body['posology']}; this "
                f"is {posology.__version__}. Sign it again on this kind of machine, after review."
            )
    return len(body["patients"])


def _answer(model: Artifact, form: dict[str, Any]) -> dict[str, Any]:
    """The answer as JSON values: numbers are equal only if every bit of them is."""
    return orjson.loads(orjson.dumps(recommend(model, form).to_json()))


def _known(found: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """The answer without keys that came later and say nothing of this model."""
    return {key: value for key, value in found.items() if key in kept or value is not None}


def made_up_patients(model: Artifact) -> list[dict[str, Any]]:
    """A patient of whom nothing is known, and three with low, middle and high values."""
    form = form_of(model)
    fields = [field for field in form.fields if field.is_listed]
    patients: list[dict[str, Any]] = [{"decision": _DATE, "facts": {}}]
    for share in (0.1, 0.5, 0.9):
        values = {field.name: _value(field, share) for field in fields}
        facts = {name: value for name, value in values.items() if value is not None}
        patients.append({"decision": _DATE, "facts": facts})
    return patients


def _value(field: Field, share: float) -> Any:
    """A value, with its date where training patients had one; None where it is unknown."""
    value = _plain_value(field, share)
    if value is None or field.timing != DATED or field.age_as == "birth":
        return value
    days = datetime.timedelta(days=round(field.days_before or _DAYS_BEFORE))
    return {"value": value, "date": (datetime.date.fromisoformat(_DATE) - days).isoformat()}


def _plain_value(field: Field, share: float) -> Any:
    """A value between the bounds of training, or one of the choices."""
    if field.kind in ("choice", "yes_no"):
        return field.choices[int(share * len(field.choices))][0] if field.choices else None
    low, high = field.seen.low, field.seen.high
    if field.kind != "number" or low is None or high is None:
        return None
    return round(low + share * (high - low), 1)
