"""FHIR R4 QuestionnaireResponse as events."""

from typing import Any

from posology.records.batching import append_outcome
from posology.records.schema import Event, Rejection
from posology.records.sources.code_book import Answer, answer_event
from posology.records.sources.fhir.coding import Context, Json, known_at


def questionnaire_response(
    resource: Json, context: Context, events: list[Event], rejections: list[Rejection]
) -> None:
    """Append each answer, in groups and nested questions too; reject those not in the code book."""
    time = known_at(resource, context, "authored")
    pending = list(resource.get("item") or ())
    while pending:
        item = pending.pop()
        pending += item.get("item") or ()
        link = str(item.get("linkId") or "")
        names = [str(item[k]) for k in ("linkId", "definition", "text") if item.get(k)]
        names += [n.rsplit("/", 1)[-1] for n in names if "/" in n]  # LOINC's forms: "/72166-2"
        for number, answer in enumerate(item.get("answer") or ()):
            pending += answer.get("item") or ()
            path = f"item.{link}" if number == 0 else f"item.{link}.{number}"
            values, unit = _values(answer)
            if values is None:
                rejections.append(Rejection(path, "", "an answer without a value"))
            else:
                outcome = answer_event(Answer(names, values, time, path, unit), context.book)
                append_outcome(outcome, events, rejections)
    if not events and not rejections:
        rejections.append(Rejection("item", "", "no question is answered"))


def _values(answer: Json) -> tuple[list[Any] | None, str | None]:
    """The forms of an answer's value[x] (of a Coding, its code and text), and the unit."""
    key = next((k for k in answer if k.startswith("value")), None)
    if key is None:
        return None, None
    value = answer[key]
    if key == "valueQuantity":
        return [value.get("value")], value.get("code") or value.get("unit")
    if key == "valueCoding":
        return [value[k] for k in ("code", "display") if value.get(k)], None
    return [value], None
