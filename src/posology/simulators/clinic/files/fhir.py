"""The clinic as FHIR R4 bulk export: one NDJSON file per resource type, times in UTC.

A genotype is a laboratory Observation of the variant's dbSNP number whose value is the copies of
its ALT allele, not the genomics guide's components, so that it equals OMOP's measurement.
"""

import json
from pathlib import Path

import numpy as np

from posology.simulators.clinic.events import CODES, ROW, STATIC, SYSTEMS, Code, Events
from posology.simulators.clinic.files.omop import DAYS_SUPPLY
from posology.simulators.clinic.files.periods import Periods, observation_periods

UCUM = "http://unitsofmeasure.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
YEARLY_QUESTIONS = ("alcohol", "activity", "diet", "adherence")
"""Questions of the yearly form; their answers are Observations too."""
QUESTIONNAIRE = "urn:posology:questionnaire:lifestyle"


def write_fhir(folder: Path, events: Events) -> None:
    """Append a chunk's events to the files."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = _stamps(events.minute)
    template = {row: _template(code) for row, code in enumerate(CODES) if _resource(code)}
    files = {
        name: (folder / f"{name}.ndjson").open("a", encoding="utf-8")
        for name in (
            "Patient",
            "Coverage",
            "Encounter",
            "Condition",
            "MedicationRequest",
            "Observation",
            "Procedure",
        )
    }
    try:
        files["Patient"].writelines(_patients(events, stamp))
        files["Coverage"].writelines(_coverages(observation_periods(events)))
        value = np.round(events.value.astype(float), 4).tolist()
        columns = (
            events.subject_id.tolist(),
            events.code.tolist(),
            stamp.tolist(),
            events.quarter.tolist(),
            value,
        )
        for subject, code, when, quarter, value in zip(*columns, strict=True):
            if code not in template:
                continue
            name, text = template[code]
            fields = {
                "subject": subject,
                "code": code,
                "when": when,
                "quarter": quarter,
                "stamp": when.translate(_PLAIN),
                "value": f"{value:.10g}",
            }
            files[name].write((text[quarter >= 0]) % fields)
    finally:
        for file in files.values():
            file.close()


_PLAIN = str.maketrans("", "", "-:TZ")


def _resource(code: Code) -> str:
    """The resource type of a code; empty for codes that the Patient resource holds."""
    kinds = {
        "Measurement": "Observation",
        "Observation": "Observation",
        "Visit": "Encounter",
        "Procedure": "Procedure",
        "Condition": "Condition",
        "Drug": "MedicationRequest",
    }
    return kinds.get(code.domain, "")


def _template(code: Code) -> tuple[str, tuple[str, str]]:
    """The resource as a text template, outside a visit and at one."""
    kind = _resource(code)
    body = {
        "Observation": _observation,
        "Encounter": _encounter,
        "Condition": _condition,
        "MedicationRequest": _request,
        "Procedure": _procedure,
    }[kind](code)
    resource = {"resourceType": kind, "id": "<id>", **body}
    if kind == "Encounter":
        return kind, (_text(resource), _text(resource))
    at_visit = {**resource, "encounter": {"reference": "Encounter/<subject>-<quarter>"}}
    return kind, (_text(resource), _text(at_visit))


def _text(resource: dict) -> str:
    text = json.dumps(resource, separators=(",", ":")).replace("%", "%%")
    for name in ("subject", "when", "quarter", "value"):
        text = text.replace(f'"<{name}!>"', f"%({name})s").replace(f"<{name}>", f"%({name})s")
    place = (
        "%(subject)s-%(quarter)s"
        if resource["resourceType"] == "Encounter"
        else ("%(subject)s-%(code)s-%(stamp)s")
    )
    return text.replace("<id>", place) + "\n"


def _coded(code: Code) -> dict:
    system = SYSTEMS[code.vocabulary]
    title = "Tobacco smoking status" if code.answer else code.title
    return {"coding": [{"system": system, "code": code.code, "display": title}]}


_SUBJECT = {"reference": "Patient/<subject>"}


def _observation(code: Code) -> dict:
    group = "laboratory" if code.domain == "Measurement" else "social-history"
    if code.name in ("weight", "height", "bmi", "systolic"):
        group = "vital-signs"
    body = {
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": group}]}],
        "code": _coded(code),
        "subject": _SUBJECT,
        "effectiveDateTime": "<when>",
    }
    if code.answer:
        answer = {"system": SYSTEMS["SNOMED"], "code": code.answer, "display": code.title}
        body["valueCodeableConcept"] = {"coding": [answer]}
    elif code.unit:
        body["valueQuantity"] = {
            "value": "<value!>",
            "unit": code.unit,
            "system": UCUM,
            "code": code.unit,
        }
    return body


def _procedure(code: Code) -> dict:
    return {
        "status": "completed",
        "code": _coded(code),
        "subject": _SUBJECT,
        "performedDateTime": "<when>",
    }


def _encounter(_: Code) -> dict:
    act = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
    return {
        "status": "finished",
        "class": {"system": act, "code": "AMB"},
        "subject": _SUBJECT,
        "period": {"start": "<when>", "end": "<when>"},
    }


def _condition(code: Code) -> dict:
    status = "http://terminology.hl7.org/CodeSystem/condition-clinical"
    return {
        "clinicalStatus": {"coding": [{"system": status, "code": "active"}]},
        "code": _coded(code),
        "subject": _SUBJECT,
        "onsetDateTime": "<when>",
        "recordedDate": "<when>",
    }


def _request(code: Code) -> dict:
    unit = code.unit.removesuffix("/d")
    dose = {"value": "<value!>", "unit": unit, "system": UCUM, "code": unit}
    days = {"value": DAYS_SUPPLY, "unit": "d", "system": UCUM, "code": "d"}
    return {
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": _coded(code),
        "subject": _SUBJECT,
        "authoredOn": "<when>",
        "dosageInstruction": [
            {
                "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [{"doseQuantity": dose}],
            }
        ],
        "dispenseRequest": {"expectedSupplyDuration": days},
    }


def _patients(events: Events, stamp: np.ndarray) -> list[str]:
    born = events.code == ROW["birth"]
    sex = {int(s): "female" for s in events.subject_id[events.code == ROW["female"]]}
    dead = {
        int(events.subject_id[k]): stamp[k] for k in np.flatnonzero(events.code == ROW["death"])
    }
    lines = []
    for subject, day in zip(events.subject_id[born].tolist(), stamp[born].tolist(), strict=True):
        patient = {
            "resourceType": "Patient",
            "id": str(subject),
            "gender": sex.get(subject, "male"),
            "birthDate": day[:10],
        }
        if subject in dead:
            patient["deceasedDateTime"] = str(dead[subject])
        lines.append(json.dumps(patient, separators=(",", ":")) + "\n")
    return lines


def _coverages(periods: Periods) -> list[str]:
    """When each patient was seen, as the period of a coverage."""
    first, last = (day.astype("datetime64[D]") for day in (periods.first_day, periods.last_day))
    lines = []
    for subject, start, end in zip(periods.subject_id.tolist(), first, last, strict=True):
        coverage = {
            "resourceType": "Coverage",
            "id": str(subject),
            "status": "active",
            "beneficiary": {"reference": f"Patient/{subject}"},
            "period": {"start": str(start), "end": str(end)},
            "payor": [{"display": "virtual clinic"}],
        }
        lines.append(json.dumps(coverage, separators=(",", ":")) + "\n")
    return lines


def write_responses(folder: Path, events: Events) -> None:
    """Append the yearly forms as FHIR QuestionnaireResponses, one per visit.

    They are in a file of their own; the Observations hold the same answers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "QuestionnaireResponse.ndjson").open("a", encoding="utf-8") as file:
        file.writelines(_responses(events, _stamps(events.minute)))


def _responses(events: Events, stamp: np.ndarray) -> list[str]:
    rows = np.flatnonzero(np.isin(events.code, [ROW[name] for name in YEARLY_QUESTIONS]))
    lines, place = [], 0
    while place < len(rows):
        row = rows[place]
        subject, quarter = int(events.subject_id[row]), int(events.quarter[row])
        items = []
        while place < len(rows) and (
            events.subject_id[rows[place]] == subject and events.quarter[rows[place]] == quarter
        ):
            code = CODES[events.code[rows[place]]]
            value = round(float(events.value[rows[place]]), 4)
            items.append(
                {"linkId": code.code, "text": code.title, "answer": [{"valueDecimal": value}]}
            )
            place += 1
        response = {
            "resourceType": "QuestionnaireResponse",
            "id": f"{subject}-{quarter}",
            "questionnaire": QUESTIONNAIRE,
            "status": "completed",
            "subject": {"reference": f"Patient/{subject}"},
            "encounter": {"reference": f"Encounter/{subject}-{quarter}"},
            "authored": str(stamp[row]),
            "item": items,
        }
        lines.append(json.dumps(response, separators=(",", ":")) + "\n")
    return lines


def _stamps(minute: np.ndarray) -> np.ndarray:
    seconds = np.where(minute == STATIC, 0, minute) * 60
    return np.char.add(np.datetime_as_string(seconds.astype("datetime64[s]")), "Z")
