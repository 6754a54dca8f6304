"""The blank form as JSON: every fact null, how to fill it in, and the schema of each field."""

import re
import textwrap
from typing import Any

from posology.advice.form.field import DATED, FOLDED, STATIC, Field, Form, Limits, normalise
from posology.advice.form.timing import RECENT_DAYS
from posology.advice.form.unit_names import unit_words, usual_units
from posology.advice.form.values import BMI_UNITS, NOT_KNOWN

_OPAQUE = re.compile(r"\d+(?:_or_\d+)*")
"""A choice that nobody can read: its name stands alone."""
_HOW = (
    "null: not known. Leave every fact that is not known as it is; the order does not matter.",
    'A number is in the unit that `fields` names; for another write "176 lb", "12 st 8 lb" or '
    '{"value": 176, "unit": "lb"}. A choice is one of the words that `fields` lists; several are a '
    "list.",
    "A fact that `fields` calls dated needs the date since when it is known, as training patients "
    'had it: {"value": 53, "date": "2026-10-02"}, {"value": "yes", "since": "2024-03"} or, for yes '
    'or no, "2024-03-01". Several measurements are a list of these, in any order. Without a date '
    "it is taken as recorded at the decision, and the answer says so; a fact that is usually "
    "older must have its date.",
    '"decision": the date of the decision; null is today. Nothing from after it may stand here.',
    '"events": what else the records hold, one object each: {"code": "DRUG//...", "time": '
    '"2024-03-01", "value": 5}. `time` is when it became known; null for facts without a date.',
    "What the model does not know is named first on the answer. Do not enter names.",
)


def blank_form(form: Form) -> dict[str, Any]:
    """The form as JSON values."""
    fields = [field for field in form.fields if field.is_listed]
    vectors = (
        f"A vector of {model} is {size} rows of `events`, one number each: {model}//0000 to "
        f"{model}//{size - 1:04d}."
        for model, size in form.vectors
    )
    return {
        "posology": "patient",
        "study": form.study,
        "how": [*_HOW, *vectors],
        "fields": {field.name: describe_field(field) for field in fields},
        "choices": {f.name: _choices(f) for f in fields if len(f.choices) > FOLDED},
        "decision": None,
        "facts": dict.fromkeys(field.name for field in fields),
        "events": [],
        "schema": _schema(fields),
    }


def describe_field(field: Field) -> str:
    """What to write, in one line."""
    parts = [_what(field)]
    if field.limits != Limits() and field.kind in ("number", "age"):
        parts.append(f"must be {field.limits.describe()}")
    seen = _seen_words(field)
    if seen:
        parts.append(seen)
    if field.timing == DATED and field.age_as != "birth":
        days = field.days_before
        is_old = days is not None and days > RECENT_DAYS
        parts.append("dated: write since when it is known" if is_old else "dated")
    if field.required:
        needed = "needed: no answer without it"
        parts.append(f'{needed}, unless "{NOT_KNOWN}"' if field.may_be_unknown else needed)
    elif field.is_usual:
        parts.append("nearly all patients had it: without it there may be no answer")
    return "; ".join(parts) + f" [{field.stem}]"


def _what(field: Field) -> str:
    if field.kind == "number":
        others = usual_units(field.unit, field.stem) if field.unit else ()
        also = f" (or {', '.join(others)})" if others else ""
        if field.unit in BMI_UNITS:
            also = ', or {"weight": "82 kg", "height": "171 cm"}'
        return f"number in {unit_words(field.unit)}{also}" if field.unit else "number"
    if field.kind == "age":
        return "age in years, a range such as '70-79', or the date of birth"
    if field.kind == "yes_no":
        is_presence = not dict(field.choices)["no"]
        if not dict(field.choices)["yes"]:
            return "yes (no patient that the model learned from had it, so it is not used) or no"
        return "yes, or no (read as not recorded)" if is_presence else "yes or no"
    words = _choices(field)
    if not words:
        return "text"
    listed = ", ".join(words[:FOLDED])
    more = f" ({FOLDED} of {len(words)}: all stand under `choices`)" if len(words) > FOLDED else ""
    return f"{'any' if field.several else 'one'} of {listed}{more}"


def _choices(field: Field) -> list[str]:
    titles = field.titles or ("",) * len(field.choices)
    named = zip(field.choices, titles, strict=True)
    return [_choice_words(word, title) for (word, _), title in named]


def form_as_text(body: dict[str, Any]) -> str:
    """The fields of a blank form, for reading: lines of 80 columns."""
    lines = [f"The form of the study {body['study']}: {len(body['fields'])} facts."]
    for name, text in body["fields"].items():
        lines += textwrap.wrap(
            f"{name}: {text}", 80, subsequent_indent="    ", break_on_hyphens=False
        )
    return "\n".join(lines)


def _choice_words(word: str, title: str) -> str:
    """A choice as the records have it, with its name; the name alone of an opaque code."""
    if not title or normalise(title) == normalise(word):
        return word
    return title if _OPAQUE.fullmatch(word) else f"{word} ({title})"


def _seen_words(field: Field) -> str:
    seen = field.seen
    if seen.low is None or seen.high is None or field.kind not in ("number", "age"):
        return ""
    if field.age_as == "decades":
        return f"most training patients had {10 * seen.low:g} to {10 * seen.high + 9:g}"
    return f"most training patients had {seen.low:g} to {seen.high:g}"


def _schema(fields: list[Field]) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["facts"],
        "properties": {
            "decision": {"type": ["string", "null"], "format": "date"},
            "facts": {
                "type": "object",
                "additionalProperties": False,
                "properties": {field.name: _field_schema(field) for field in fields},
            },
            "events": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["code"],
                    "additionalProperties": False,
                    "properties": {
                        "code": {"type": "string"},
                        "time": {"type": ["string", "null"], "format": "date-time"},
                        "value": {"type": ["number", "null"]},
                        "unit": {"type": ["string", "null"]},
                    },
                },
            },
        },
    }


def _field_schema(field: Field) -> dict[str, Any]:
    kinds = {"number": ["number", "string"], "age": ["number", "string"]}
    kinds |= {"yes_no": ["boolean", "string"], "choice": ["string", "number"]}
    compound = ["array"] if field.several or field.timing != STATIC else []
    schema: dict[str, Any] = {"type": [*kinds[field.kind], "object", *compound, "null"]}
    if field.kind in ("number", "age"):
        bounds = (("minimum", field.limits.low), ("maximum", field.limits.high))
        schema |= {name: bound for name, bound in bounds if bound is not None}
    elif len(field.choices) <= FOLDED:
        titles = field.titles or ("",) * len(field.choices)
        named = zip(field.choices, titles, strict=True)
        schema["examples"] = [
            title if _OPAQUE.fullmatch(word) and title else word for (word, _), title in named
        ]
    return schema
