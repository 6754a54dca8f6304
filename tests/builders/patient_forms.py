"""A patient's events written into the form, as a person would, and random forms."""

import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from posology.advice.form.entries import field_of_code
from posology.advice.form.field import Field, Form


def written_into_form(events: pa.Table, form: Form) -> dict[str, Any]:
    """The form with every fact of the events; codes without a field stand under `events`."""
    fields = field_of_code(form)
    facts: dict[str, list[Any]] = {}
    others = []
    for row in events.to_pylist():
        field = fields.get(row["code"]) or _same_question(row["code"], form)
        if field is None or field.kind == "event":
            time = None if row["time"] is None else row["time"].isoformat()
            others.append({"code": row["code"], "time": time, "value": row["numeric_value"]})
            continue
        facts.setdefault(field.name, []).append(_written(field, row))
    single = {name: values[0] if len(values) == 1 else values for name, values in facts.items()}
    return {"study": form.study, "facts": single, "events": others}


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


UNITS = ("", "kg", "lb", "cm", "in", "kPa", "mmol/L", "stone", "years", "%")
WORDS = ("yes", "no", "male", "A/G", "*1/*3", "maybe", "", "70-79", "90+", "2024-03-01", "NaN")


def random_form(form: Form, rng: np.random.Generator) -> dict[str, Any]:
    """A few fields with values of every kind: 1e-9 to 1e9, both signs, any unit, unknown keys."""
    fields = [field for field in form.fields if field.is_listed]
    facts: dict[str, Any] = {}
    for _ in range(rng.integers(1, 6)):
        field = fields[rng.integers(len(fields))]
        key = (field.name, field.stem, field.name.upper(), field.name[:-1] or "x")
        facts[key[rng.choice(4, p=(0.6, 0.2, 0.15, 0.05))]] = _random_value(field, rng)
    return {"facts": facts}


def _random_value(field: Field, rng: np.random.Generator) -> Any:
    number = float(rng.choice([-1, 1], p=(0.2, 0.8)) * 10 ** rng.uniform(-9, 9))
    if field.seen.low is not None and field.seen.high is not None and rng.random() < 0.6:
        number = float(rng.uniform(0.4 * field.seen.low, 1.6 * field.seen.high))
    word = field.choices[rng.integers(len(field.choices))][0] if field.choices else "70"
    forms = (
        number,
        f"{number:.3g} {UNITS[rng.integers(len(UNITS))]}",
        {"value": number, "unit": UNITS[rng.integers(1, len(UNITS))]},
        word,
        WORDS[rng.integers(len(WORDS))],
        bool(rng.random() < 0.5),
        [word, number],
        {"value": word, "since": "2024-03"},
        round(abs(number)),
    )
    is_plain = rng.random() < 0.6
    if is_plain:
        return number if field.kind in ("number", "age") else word
    return forms[rng.integers(len(forms))]
