"""A whole cohort definition as the [decision] of a study file."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posology.errors import UserError
from posology.records.sources.tables.suggest import quoted
from posology.workflows.new.circe.concept_sets import read_concept_sets
from posology.workflows.new.circe.criteria import (
    Line,
    Reading,
    read_age,
    read_codes,
    read_group,
    read_sex,
    refused_attribute,
)

_NOT_USED = {
    "EndStrategy": "when patients leave the cohort: [outcome] and [follow_up] say how long",
    "CensoringCriteria": "what ends a stay in the cohort: [follow_up] `ended_by` does",
    "CollapseSettings": "how stays are merged: each patient has one time zero",
    "cdmVersionRange": "",
    "Title": "",
    "title": "",
}
"""Parts that do not say who enters, and when."""
_READ = (
    *("ConceptSets", "PrimaryCriteria", "AdditionalCriteria", "InclusionRules"),
    *("QualifiedLimit", "ExpressionLimit", "CensorWindow"),
)
_REMARKS = (
    "An age is in full years since birth; ATLAS subtracts years of birth.",
    "All events before time zero count; ATLAS looks within one observation period.",
)
"""Where a study differs from ATLAS in every definition."""
_EVERY_ENTRY = (
    "A patient has one time zero, the first; ATLAS takes All entries (ExpressionLimit). Write "
    '`which = "every"` to decide at each.'
)

_FIRST_EVER = (
    "the first event ever, before the other conditions: a study takes the first event that meets "
    "everything; write an inclusion rule, or leave it out"
)
_OF_ENTRY: Mapping[str, Callable[[Any, str, Reading], list[Line]]] = {
    "Age": read_age,
    "Gender": read_sex,
    "CorrelatedCriteria": read_group,
}
"""What an entry event may require: its time is time zero."""


@dataclass(frozen=True, slots=True)
class Definition:
    """Who enters, and when."""

    name: str
    file: str
    codes: tuple[str, ...]
    history_days: float | None
    criteria: tuple[Line, ...]
    not_used: tuple[str, ...]
    remarks: tuple[str, ...]
    """Where the study differs from ATLAS."""


def read_definition(path: Path, cdm: Path | None = None) -> Definition:
    """The cohort definition of a file that ATLAS exported (Circe JSON).

    Raises UserError with the JSON path and the reason of every part that a study cannot express.

    Args:
        path: the JSON; the expression itself, or ATLAS's envelope around it.
        cdm: an OMOP folder with the vocabulary, for descendants of concepts.
    """
    name, expression = _open(path)
    try:
        return _read(path, name, expression, cdm)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"--circe {path}: is not laid out as ATLAS exports it ({error}). Export it again, or "
            "undo what was changed by hand."
        ) from error


def _read(path: Path, name: str, expression: Mapping[str, Any], cdm: Path | None) -> Definition:
    into = Reading()
    sets = [
        (f"$.ConceptSets[{number}]", entry)
        for number, entry in enumerate(expression.get("ConceptSets") or [])
    ]
    into.sets = read_concept_sets(sets, cdm, into.refuse)
    primary = expression.get("PrimaryCriteria") or {}
    prior = float((primary.get("ObservationWindow") or {}).get("PriorDays") or 0)
    codes, criteria, first_ever = _entry(primary, into)
    additional = expression.get("AdditionalCriteria") or {}
    later = read_group(additional, "$.AdditionalCriteria", into)
    rules = expression.get("InclusionRules") or []
    for number, rule in enumerate(rules):
        place = f"$.InclusionRules[{number}].expression"
        later += read_group(rule.get("expression") or {}, place, into)
    if prior or criteria or later:
        for place in first_ever:
            into.refuse(place, _FIRST_EVER)
    takes_every = _check_limits(expression, bool(later), into)
    for key in expression:
        if key not in _READ and key not in _NOT_USED:
            into.refuse(f"$.{key}", "is not known")
    if into.refused:
        lines = "\n".join(f"  {place}: {reason}" for place, reason in into.refused)
        count = len(into.refused)
        parts = "part" if count == 1 else "parts"
        raise UserError(
            f"{path}: {count} {parts} of this definition cannot be expressed in a study:\n{lines}\n"
            "Change them in ATLAS, or take them out and write what you mean into [decision]."
        )
    not_used = tuple(
        f"{key}: {why}" for key, why in _NOT_USED.items() if why and expression.get(key)
    )
    remarks = (*_REMARKS, _EVERY_ENTRY) if takes_every else _REMARKS
    met = (*criteria, *later)
    return Definition(name, path.name, codes, prior or None, met, not_used, remarks)


def decision_lines(definition: Definition) -> list[str]:
    """The table [decision], with what was understood as comments."""
    lines = [
        f"# Time zero and who is in the study: from {definition.file}, a cohort definition of",
        f"# ATLAS ({definition.name}). CHECK: read each line. Where a study differs from ATLAS:",
        *(f"# - {remark}" for remark in definition.remarks),
        *(f"# - Not used: {part}." for part in definition.not_used),
        "[decision]",
        f"codes = {_list(definition.codes)}",
        'which = "first"  # the first entry at which all of the following is met',
    ]
    if definition.history_days is not None:
        lines.append(f"history_days = {definition.history_days:g}")
    for line in definition.criteria:
        lines += ["[[decision.criteria]]", *_keys(line)]
    return lines


def _open(path: Path) -> tuple[str, Mapping[str, Any]]:
    """Name and expression of a file."""
    try:
        body = json.loads(path.read_text(encoding="utf-8-sig"))
        name, expression = path.stem, body
        if isinstance(body, dict) and "expression" in body and "PrimaryCriteria" not in body:
            name, expression = str(body.get("name") or name), body["expression"]
            expression = json.loads(expression) if isinstance(expression, str) else expression
    except (OSError, ValueError) as error:
        raise UserError(f"--circe {path}: cannot be read as JSON ({error}).") from error
    if not isinstance(expression, dict) or "PrimaryCriteria" not in expression:
        raise UserError(
            f"--circe {path}: is no cohort definition: it has no PrimaryCriteria. Take the JSON of "
            "ATLAS, Cohort Definitions, Export, JSON."
        )
    return name, expression


def _entry(
    primary: Mapping[str, Any], into: Reading
) -> tuple[tuple[str, ...], list[Line], list[str]]:
    """The codes of time zero, what the entry events themselves require, and the JSON paths at which
    only a patient's first event ever is taken."""
    place, entries = "$.PrimaryCriteria.CriteriaList", primary.get("CriteriaList") or []
    codes: dict[str, None] = {}
    lines: list[Line] = []
    first_ever: list[str] = []
    for number, criterion in enumerate(entries):
        found = read_codes(criterion, f"{place}[{number}]", into)
        if found is None:
            continue
        path, line, others = found
        codes.update(dict.fromkeys(line.codes))
        for key, value in others.items():
            if key == "First":
                first_ever.append(f"{path}.First")
            elif key in _OF_ENTRY and len(entries) > 1:
                into.refuse(
                    f"{path}.{key}",
                    f"holds for one of {len(entries)} entry events; write it as an inclusion rule",
                )
            elif key in _OF_ENTRY:
                lines += _OF_ENTRY[key](value, f"{path}.{key}", into)
            else:
                into.refuse(f"{path}.{key}", refused_attribute(key))
    if not entries:
        into.refuse(place, "has no entry event")
    if (primary.get("ObservationWindow") or {}).get("PostDays"):
        into.refuse(
            "$.PrimaryCriteria.ObservationWindow.PostDays",
            "being followed later may not select patients; write 0: follow-up is weighted",
        )
    return tuple(codes), lines, first_ever


def _check_limits(expression: Mapping[str, Any], has_criteria: bool, into: Reading) -> bool:
    """Refuse limits by which another event than the first that meets everything would be taken.

    Returns whether ATLAS takes every event that does.
    """

    def limit(*keys: str) -> str:
        value: Any = expression
        for key in keys:
            value = (value or {}).get(key)
        return str((value or {}).get("Type") or "All")

    first = limit("PrimaryCriteria", "PrimaryCriteriaLimit")
    if first != "All" and (first != "First" or has_criteria):
        into.refuse(
            "$.PrimaryCriteria.PrimaryCriteriaLimit.Type",
            f"{first} before the other conditions: a study takes the first event that meets all of "
            "them; choose All, and First at the end (ExpressionLimit)",
        )
    additional = bool((expression.get("AdditionalCriteria") or {}).get("CriteriaList"))
    if limit("QualifiedLimit") == "Last" or (
        additional and limit("QualifiedLimit") == "First" and expression.get("InclusionRules")
    ):
        into.refuse(
            "$.QualifiedLimit.Type",
            f"{limit('QualifiedLimit')} before the inclusion rules: choose All",
        )
    last = limit("ExpressionLimit")
    if last == "Last":
        into.refuse(
            "$.ExpressionLimit.Type", "Last: a study takes a patient's first entry; choose First"
        )
    if any((expression.get("CensorWindow") or {}).values()):
        into.refuse("$.CensorWindow", "dates of entry; take the records of these years instead")
    return last == "All" and first == "All"


def _keys(line: Line) -> list[str]:
    if line.bounds:
        bounds = [f"{key} = {value!r}" for key, value in line.bounds]
        return ["age = true", *bounds]
    keys = [f"name = {quoted(line.name)}", f"codes = {_list(line.codes)}"]
    if line.within_days is not None:
        keys.append(f"within_days = {line.within_days!r}")
    if not line.known:
        keys.append("known = false  # none of them")
    return keys


def _list(codes: tuple[str, ...]) -> str:
    """A TOML list, one code a line where there are many."""
    if len(codes) == 1:
        return f"[{quoted(codes[0])}]"
    return "\n".join(["[", *(f"  {quoted(code)}," for code in codes), "]"])
