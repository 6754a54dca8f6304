"""One criterion of a cohort definition as one criterion of a study, or the reason why not."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from posology.workflows.new.circe.concept_sets import ConceptSet

FAMILIES = {
    "ConditionOccurrence": "CONDITION",
    "DrugExposure": "DRUG",
    "ProcedureOccurrence": "PROCEDURE",
    "Measurement": "MEASUREMENT",
    "Observation": "OBSERVATION",
    "DeviceExposure": "DEVICE",
    "VisitOccurrence": "VISIT",
}
"""Tables of the CDM with the first part of their codes."""
_VISITS = {"IP": "IMP", "ERIP": "IMP", "OP": "AMB", "ER": "EMER"}
"""Codes of OMOP's vocabulary Visit, as `posology ingest --omop` writes them."""
_SEX = {8507: "SEX//male", 8532: "SEX//female"}
_BOUNDS = {"gt": ("at_least", 1), "gte": ("at_least", 0), "lt": ("below", 0), "lte": ("below", 1)}
"""Bound of an age in years with fractions, and what is added to the whole years of ATLAS."""
_GROUPS = {"ALL": "all", "ANY": "any", "AT_LEAST": "least", "AT_MOST": "most"}
_AT_LEAST, _EXACTLY, _AT_MOST = 2, 0, 1
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of `criteria`, as its keys and values in TOML."""

    codes: tuple[str, ...] = ()
    name: str = ""
    known: bool = True
    within_days: float | None = None
    bounds: tuple[tuple[str, float], ...] = ()
    """Of the age; empty for a criterion on codes."""


@dataclass(slots=True)
class Reading:
    """What was read so far."""

    sets: dict[int, ConceptSet] = field(default_factory=dict)
    refused: list[tuple[str, str]] = field(default_factory=list)
    """JSON path and reason of everything that a study cannot express."""

    def refuse(self, path: str, reason: str) -> None:
        """Note a part that cannot be expressed."""
        self.refused.append((path, reason))


def read_group(group: Json, path: str, into: Reading) -> list[Line]:
    """The lines of a group, all of which must be met."""
    kind, count = _GROUPS.get(str(group.get("Type", "ALL")).upper(), ""), group.get("Count", 0)
    items = list(_items(group, path, into))
    if not kind:
        into.refuse(f"{path}.Type", f"{group.get('Type')!r} is not known")
        return []
    lines = [line for own in items for line in own]
    if kind == "all" or (kind == "least" and count == len(items)) or not items:
        return lines
    if kind == "most" and count == 0:
        if all(len(own) == 1 and own[0].known and not own[0].bounds for own in items):
            return [_negated(line) for line in lines]
        into.refuse(f"{path}.Type", "none of several conditions: only of codes that are known")
        return []
    if kind == "any" or (kind == "least" and count == 1):
        return _any_of(items, path, into)
    into.refuse(f"{path}.Type", f"{group['Type']} {count} of {len(items)}: a study has all or any")
    return []


def read_codes(criterion: Json, path: str, into: Reading) -> tuple[str, Line, Json] | None:
    """JSON path, line and other attributes of `{"ConditionOccurrence": {...}}`; None if refused."""
    table = next(iter(criterion), "nothing")
    own = criterion.get(table) or {}
    path = f"{path}.{table}"
    if table == "Death":
        return path, Line(("MEDS_DEATH",), "death"), _others(own)
    if table not in FAMILIES:
        eras = " (an era is computed from exposures; take the exposures)" if "Era" in table else ""
        into.refuse(path, f"{table} is not read{eras}")
        return None
    number = own.get("CodesetId")
    if number is None:
        into.refuse(path, "any event of a table: choose a concept set")
        return None
    concepts = into.sets.get(int(number))
    if concepts is None or not concepts.codes:
        into.refuse(f"{path}.CodesetId", f"concept set {number} has no concept")
        return None
    codes = tuple(dict.fromkeys(_event_code(FAMILIES[table], code) for code in concepts.codes))
    return path, Line(codes, concepts.name), _others(own)


def _event_code(family: str, code: str) -> str:
    """A concept as the code of its events; of a visit, where it starts."""
    if family != "VISIT":
        return f"{family}//{code}"
    return f"VISIT//{_VISITS.get(code.removeprefix('VISIT//'), code)}//start"


def _others(own: Json) -> Json:
    """The attributes that restrict a criterion, without its concept set.

    `...TypeExclude` says how a list of types is meant: without the list it says nothing.
    """
    return {
        key: value
        for key, value in own.items()
        if value
        and key != "CodesetId"
        and not (key.endswith("TypeExclude") and not own.get(key.removesuffix("Exclude")))
    }


def read_age(age: Json, path: str, into: Reading) -> list[Line]:
    """The bounds of an age in years."""
    operator, value = str(age.get("Op")), age.get("Value")
    if value is None:
        into.refuse(path, "an age without a Value")
        return []
    if operator in _BOUNDS:
        bound, more = _BOUNDS[operator]
        return [Line(bounds=((bound, float(value) + more),))]
    if operator == "bt" and age.get("Extent") is not None:
        return [Line(bounds=(("at_least", float(value)), ("below", float(age["Extent"]) + 1.0)))]
    if operator == "eq":
        return [Line(bounds=(("at_least", float(value)), ("below", float(value) + 1.0)))]
    into.refuse(f"{path}.Op", f"{operator!r} of an age")
    return []


def read_sex(concepts: Sequence[Json], path: str, into: Reading) -> list[Line]:
    """Male or female."""
    numbers = [int(concept.get("CONCEPT_ID", 0)) for concept in concepts]
    unknown = [number for number in numbers if number not in _SEX]
    if unknown or not numbers:
        into.refuse(path, f"concept {unknown[:1]} is neither 8507 (male) nor 8532 (female)")
        return []
    return [Line(tuple(_SEX[number] for number in numbers), "sex")]


def _items(group: Json, path: str, into: Reading) -> Iterator[list[Line]]:
    for number, item in enumerate(group.get("CriteriaList") or []):
        yield _read_item(item, f"{path}.CriteriaList[{number}]", into)
    for number, item in enumerate(group.get("DemographicCriteriaList") or []):
        yield _read_person(item, f"{path}.DemographicCriteriaList[{number}]", into)
    for number, inner in enumerate(group.get("Groups") or []):
        yield read_group(inner, f"{path}.Groups[{number}]", into)


def _read_person(item: Json, path: str, into: Reading) -> list[Line]:
    lines: list[Line] = []
    for key, value in item.items():
        if not value:
            continue
        if key == "Age":
            lines += read_age(value, f"{path}.Age", into)
        elif key == "Gender":
            lines += read_sex(value, f"{path}.Gender", into)
        else:
            into.refuse(f"{path}.{key}", "only Age and Gender are read")
    return lines


def _read_item(item: Json, path: str, into: Reading) -> list[Line]:
    """A criterion with its window and count."""
    before = len(into.refused)
    found = read_codes(item.get("Criteria", {}), f"{path}.Criteria", into)
    within = _window(item, path, into)
    known = _known(item.get("Occurrence") or {}, f"{path}.Occurrence", into)
    if found is None:
        return []
    own_path, line, others = found
    for key in others:
        if key == "First" and within is None:
            continue  # some event ever is the same as a first one
        into.refuse(f"{own_path}.{key}", refused_attribute(key))
    if len(into.refused) > before:
        return []
    return [Line(line.codes, line.name, known, within)]


def refused_attribute(key: str) -> str:
    """Why a study cannot express this attribute of a criterion."""
    if key == "ValueAsNumber":
        return (
            "ATLAS takes any value in the window, a study the last one: write the bounds as "
            "`ranges` or in `criteria` yourself"
        )
    if key == "CorrelatedCriteria":
        return "conditions around an event that is not time zero; a study has those of time zero"
    if key == "First":
        return "the first event ever, within days: a study knows any event of these days"
    return "an attribute of the event; only its concept set is read"


def _window(item: Json, path: str, into: Reading) -> float | None:
    """Days before time zero at which the window opens; None for all time before."""
    window = item.get("StartWindow") or {}
    start, end = window.get("Start") or {}, window.get("End") or {}
    where = f"{path}.StartWindow"
    if item.get("EndWindow"):
        into.refuse(f"{path}.EndWindow", "a window on the end of an event")
    for place, key in ((window, "UseIndexEnd"), (window, "UseEventEnd"), (item, "RestrictVisit")):
        if place.get(key):
            into.refuse(f"{path}.{key}", "only the start of events counts, in any visit")
    if end.get("Days") != 0:
        future = not end or int(end.get("Coeff", 1)) > 0
        reason = (
            "looks after time zero, where nothing may select patients; follow-up belongs to "
            "[outcome] and [follow_up]"
            if future
            else "ends before time zero; a study looks until time zero: let it end 0 days before"
        )
        into.refuse(f"{where}.End", reason)
    days = start.get("Days")
    if days == 0:
        reason = "the day of time zero alone: a study looks one day back or more; write 1 or more"
        into.refuse(f"{where}.Start", reason)
    if days is not None and int(start.get("Coeff", -1)) > 0 and days > 0:
        into.refuse(f"{where}.Start", "opens after time zero")
    return float(days) if days else None


def _known(occurrence: Json, path: str, into: Reading) -> bool:
    """Whether the codes must be known, or must not."""
    kind, count = occurrence.get("Type", _AT_LEAST), occurrence.get("Count", 1)
    if (kind, count) == (_AT_LEAST, 1):
        return True
    if kind in (_EXACTLY, _AT_MOST) and count == 0:
        return False
    into.refuse(path, f"counts {count} events; a study has at least one, or none")
    return True


def _negated(line: Line) -> Line:
    return Line(line.codes, line.name, not line.known, line.within_days)


def _any_of(items: list[list[Line]], path: str, into: Reading) -> list[Line]:
    """One line that any of the codes meets."""
    if len(items) == 1:
        return items[0]
    lines = [own[0] for own in items if len(own) == 1]
    windows = {line.within_days for line in lines}
    if len(lines) < len(items) or len(windows) > 1 or any(x.bounds or not x.known for x in lines):
        reason = "any of several: only of codes that are known, within the same days"
        into.refuse(f"{path}.Type", reason)
        return []
    codes = tuple(dict.fromkeys(code for line in lines for code in line.codes))
    return [Line(codes, " or ".join(line.name for line in lines), True, windows.pop())]
