"""Labels of what a model made: AI Transparency on FHIR (HL7, R4, 1.0.0 ballot, August 2026).

A resource that a model made carries the security label AIAST. Its Provenance names the Device (the
model) and the model card (a DocumentReference). Contained resources carry no label of their own,
as FHIR demands (rule dom-5).
"""

import base64
import datetime
from typing import Any

from posology import __version__
from posology.domain.recommendation.recommendation import ModelLabel
from posology.language.catalogue import tr

Json = dict[str, Any]
GUIDE = "http://hl7.org/fhir/uv/aitransparency"
DEVICE_ID, CARD_ID, PROVENANCE_ID = "posology-model", "model-card", "provenance"
LABEL = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
_KIND = f"{GUIDE}/CodeSystem/AIdeviceTypeCS"
_INPUTS = f"{GUIDE}/CodeSystem/AIinputsCS"
_AI = {
    "system": _KIND,
    "code": "Artificial-Intelligence",
    "display": "All kinds of Artificial Intelligence",
}


def label(resource: Json) -> Json:
    """The resource with the label AIAST beside the labels that it has."""
    given = resource.get("meta")
    meta = given if isinstance(given, dict) else {}
    labels = _objects(meta.get("security"))
    others = [one for one in labels if one.get("code") != LABEL["code"]]
    return {**resource, "meta": {**meta, "security": [*others, LABEL]}}


def _objects(value: object) -> list[Json]:
    """The objects of a list that a caller sent; nothing of anything else."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _is_resource(value: Json) -> bool:
    kind = value.get("resourceType")
    return isinstance(kind, str) and bool(kind)


def device(model: ModelLabel, url: str = "") -> Json:
    """The model as a Device; `url`: where it can be read as a resource of its own."""
    machine_learning = {"system": _KIND, "code": "Machine-Learning-Models"}
    return {
        "resourceType": "Device",
        "id": DEVICE_ID,
        "extension": [
            {
                "url": f"{GUIDE}/StructureDefinition/aitransparency.AIKind",
                "valueCodeableConcept": {"coding": [machine_learning]},
            }
        ],
        "identifier": [{"system": "urn:posology:model", "value": model.digest}],
        "status": "active",
        "manufacturer": "posology",
        "deviceName": [{"name": model.title, "type": "user-friendly-name"}],
        "modelNumber": model.study,
        "type": {"coding": [_AI]},
        "version": [{"value": model.digest}, {"value": f"posology {__version__}"}],
        **({"url": url} if url else {}),
    }


def model_card(model: ModelLabel, url: str) -> Json:
    """The model card as a DocumentReference: its short form inside, the whole one at `url`."""
    text = base64.b64encode(_card_text(model).encode()).decode()
    return {
        "resourceType": "DocumentReference",
        "id": CARD_ID,
        "identifier": [{"system": "urn:posology:model-card", "value": model.digest}],
        "status": "current",
        "type": {
            "coding": [{"system": _INPUTS, "code": "AIModelCard", "display": "AI Model-Card"}]
        },
        "category": [{"coding": [{"system": _INPUTS, "code": "AIModelCardMarkdownFormat"}]}],
        "description": model.title,
        "content": [
            {"attachment": {"contentType": "text/markdown", "data": text, "title": model.title}},
            {"attachment": {"contentType": "text/html", "url": url, "title": tr("The whole card")}},
        ],
    }


_CONTAINED = (f"#{DEVICE_ID}", f"#{CARD_ID}")


def provenance(
    target: str, at: datetime.datetime, references: tuple[str, str] = _CONTAINED
) -> Json:
    """Who made the target: the Device, described by the model card; both contained by default."""
    model, card = references
    create = {"system": "http://terminology.hl7.org/CodeSystem/v3-DataOperation", "code": "CREATE"}
    author = {
        "system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
        "code": "author",
        "display": "Author",
    }
    moment = at.astimezone(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {
        "resourceType": "Provenance",
        "id": PROVENANCE_ID,
        "target": [{"reference": target}],
        "occurredDateTime": moment,
        "recorded": moment,
        "reason": [{"coding": [LABEL]}],
        "activity": {"coding": [create]},
        "agent": [
            {
                "type": {"coding": [author]},
                "role": [{"coding": [_AI]}],
                "who": {"reference": model},
            }
        ],
        "entity": [{"role": "derivation", "what": {"reference": card}}],
    }


def with_transparency(
    resource: Json, model: ModelLabel, card_url: str, at: datetime.datetime, fhir: str = ""
) -> Json:
    """The resource, labelled, with its Provenance, Device and model card contained.

    Args:
        fhir: base address at which Device and model card can be read as resources of their own.
    """
    ours = (DEVICE_ID, CARD_ID, PROVENANCE_ID)
    inner = [one for one in _objects(resource.get("contained")) if _is_resource(one)]
    others = [one for one in inner if one.get("id") not in ours]
    card, own = model_card(model, card_url), ""
    if fhir:
        own = f"{fhir}/Device/{model.digest}"
        address = f"{fhir}/DocumentReference/{model.digest}"
        card["masterIdentifier"] = {"system": "urn:ietf:rfc:3986", "value": address}
    made = [device(model, own), card, provenance("#", at)]
    return label({**resource, "contained": [*others, *made]})


def confidence(low: Json, high: Json) -> Json:
    """The extension that states the interval of a number that a model made."""
    return {
        "url": f"{GUIDE}/StructureDefinition/AIconfidence",
        "valueRange": {"low": low, "high": high},
    }


def _card_text(model: ModelLabel) -> str:
    parts = (
        (tr("Purpose"), model.purpose),
        (tr("Not for"), model.not_for),
        (tr("Learned from"), model.learned_from),
        (tr("Evidence"), model.evidence),
    )
    body = "\n\n".join(f"## {head}\n\n{text}" for head, text in parts if text)
    head = f"---\nmodel_name: {model.study}\nversion: {model.digest}\nlibrary_name: posology\n---"
    return f"{head}\n\n# {model.title}\n\n{body}\n"
