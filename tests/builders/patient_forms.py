"""A patient's events written into the form, as a person would."""

import datetime
from typing import Any

import pyarrow as pa

from posology.advice.form.contradictions import Statement, find_contradictions
from posology.advice.form.entries import field_of_code
from posology.advice.form.field import Field, Form


def written_into_form(events: pa.Table, form: Form) -> dict[str, Any]:
    """The form with every fact of the events; codes without a field stand under `events`."""
    fields, twice = field_of_code(form), _contradicted(events)
    facts: dict[str, list[Any]] = {}
    others = []
    for row in events.to_pylist():
        field = fields.get(row["code"]) or _same_question(row["code"], form)
        if field is None or field.kind == "event" or row["code"] in twice:
            time = None if row["time"] is None else row["time"].isoformat()
            others.append({"code": row["code"], "time": time, "value": row["numeric_value"]})
            continue
        facts.setdefault(field.name, []).append(_written(field, row))
    single = {name: values[0] if len(values) == 1 else values for name, values in facts.items()}
    return {"study": form.study, "facts": single, "events": others}


def _contradicted(events: pa.Table) -> set[str]:
    """Codes that contradict others of the same records: they stand under `events`."""
    stated = [
        Statement(row["code"], row["code"], value=row["numeric_value"], time=row["time"])
        for row in events.to_pylist()
    ]
    return {code for pair in find_contradictions(stated) for code in (pair[0].code, pair[1].code)}


def _same_question(code: str, form: Form) -> Field | None:
    """The choice that the code is an unknown answer to."""
    stem = code.rpartition("//")[0]
    fields = (f for f in form.fields if f.stem == stem and f.kind == "choice" and f.is_listed)
    return next(fields, None)


def _written(field: Field, row: dict[str, Any]) -> Any:
    time: datetime.datetime | None = row["time"]
    if field.age_as == "decades":
        decade = int(row["numeric_value"])
        return "90+" if decade == 9 else f"{decade}0-{decade}9"
    if field.age_as == "birth":
        assert time is not None
        return time.isoformat()
    words = {code: word for word, code in field.choices if code}
    value = row["numeric_value"]
    if field.kind != "number":
        value = words.get(row["code"], row["code"].rpartition("//")[2])
    return value if time is None else {"value": value, "date": time.isoformat()}
