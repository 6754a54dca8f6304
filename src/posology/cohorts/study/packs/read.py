"""Read a knowledge pack: JSON, checked strictly, refused if it was changed since it was sealed."""

import hashlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from posology.cohorts.study.error_messages import unknown_name_message
from posology.cohorts.study.packs.schema import (
    ConditionSection,
    DosePart,
    FactSection,
    PackFile,
    PackRule,
)
from posology.errors import StudyError
from posology.records.io.documents import parse_json

_TABLES: dict[str, type[BaseModel]] = {
    "rules": PackRule,
    "facts": FactSection,
    "dose": DosePart,
    "any_of": ConditionSection,
    "all_of": ConditionSection,
    "unless": ConditionSection,
}


def read_pack(path: Path) -> PackFile:
    """The pack of a file. StudyError names file, rule, field and value, and how to correct it."""
    body = read_body(path)
    pack = parse_pack(body, str(path))
    if pack.sha256 != checksum(body):
        found = f"{pack.sha256[:12]}..." if pack.sha256 else "missing"
        raise StudyError(
            f"{path}: `sha256` is {found}, but the content has {checksum(body)[:12]}...: the pack "
            "was changed after it was sealed, or never was. Review its rules, then run "
            f"`posology safety seal {path.name}`."
        )
    return pack


def read_body(path: Path) -> dict[str, Any]:
    """The JSON object of a file."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{path}: cannot be read as a safety pack ({error}).") from error
    try:
        body = parse_json(text)
    except ValueError as error:
        raise StudyError(f"{path}: not valid JSON: {error}.") from error
    if not isinstance(body, dict):
        raise StudyError(f"{path}: is not a JSON object; a safety pack starts with {{.")
    return body


def checksum(body: dict[str, Any]) -> str:
    """SHA-256 over the pack without its checksum: keys sorted, no white space, UTF-8."""
    content = {key: value for key, value in body.items() if key != "sha256"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def parse_pack(body: dict[str, Any], where: str) -> PackFile:
    """The pack, whatever its checksum. StudyError if its content is not one."""
    try:
        pack = PackFile.model_validate(body)
    except ValidationError as error:
        raise StudyError(_describe(error, body, where)) from error
    if pack.expires < pack.date:
        raise StudyError(
            f"{where}: `expires` is {pack.expires}, before its `date`, {pack.date}; correct one."
        )
    names = [rule.name for rule in pack.rules]
    for rule in pack.rules:
        if names.count(rule.name) > 1:
            raise StudyError(f"{where}: two rules are called {rule.name}; rename one.")
        _check_rule(rule, pack, f"{where}: rule {rule.name}")
    for name, fact in pack.facts.items():
        if fact.age == bool(fact.codes):
            raise StudyError(f"{where}: fact {name}: give `codes`, or `age` = true, and not both.")
    return pack


def _check_rule(rule: PackRule, pack: PackFile, place: str) -> None:
    for name in rule.drugs:
        _check_known(f"{place}: `drugs`", name, list(pack.drugs))
    for key in ("any_of", "all_of", "unless"):
        for condition in getattr(rule, key):
            _check_condition(condition, pack, f"{place}: `{key}`")
    if (rule.effect == "limit") != (rule.dose is not None):
        raise StudyError(
            f"{place}: `effect` is {rule.effect!r} {'without' if rule.dose is None else 'with'} "
            '`dose`; a rule has a `dose` if, and only if, its effect is "limit".'
        )
    if rule.dose is not None:
        _check_dose(rule.dose, pack, f"{place}: `dose`")
    elif not (rule.any_of or rule.all_of):
        raise StudyError(f"{place}: needs `any_of` or `all_of`, the conditions on the patient.")


def _check_dose(dose: DosePart, pack: PackFile, place: str) -> None:
    low, high = dose.at_least, dose.at_most
    if low is None and high is None:
        raise StudyError(f"{place}: give `at_most`, `at_least`, or both.")
    if low is not None and high is not None and low > high:
        raise StudyError(f"{place}: {low:g} to {high:g} is empty; swap `at_least` and `at_most`.")
    if dose.per is not None:
        _check_known(f"{place}: `per`", dose.per, list(pack.facts))


def _check_condition(condition: ConditionSection, pack: PackFile, place: str) -> None:
    if (condition.fact is None) == (condition.drug is None):
        raise StudyError(f"{place}: give `fact` or `drug`, and not both.")
    low = [x for x in (condition.at_least, condition.above) if x is not None]
    high = [x for x in (condition.at_most, condition.below) if x is not None]
    if condition.drug is not None:
        _check_known(f"{place}: `drug`", condition.drug, list(pack.drugs))
        if low or high:
            raise StudyError(f"{place}: drug {condition.drug} has no number; remove its bounds.")
        return
    assert condition.fact is not None
    _check_known(f"{place}: `fact`", condition.fact, list(pack.facts))
    fact = pack.facts[condition.fact]
    if len(low) > 1 or len(high) > 1 or (low and high and low[0] > high[0]):
        raise StudyError(
            f"{place}: fact {condition.fact}: {', '.join(f'{x:g}' for x in low + high)} is no "
            "range; give one lower bound (at_least or above), one upper one (at_most or below)."
        )
    if fact.age and not (low or high):
        raise StudyError(f"{place}: fact {condition.fact} is an age; give a bound in years.")
    if (low or high) and not (fact.unit or fact.age):
        raise StudyError(
            f"{place}: fact {condition.fact} is compared with a number but has no `unit`; state "
            'its UCUM unit in `facts` ("1" if it has none).'
        )


def _check_known(place: str, name: str, known: list[str]) -> None:
    if name not in known:
        raise StudyError(unknown_name_message(place, name, known))


def _describe(error: ValidationError, body: dict[str, Any], where: str) -> str:
    """Message for the first error; a misspelt key comes before the missing one that it causes."""
    errors = sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    first = errors[0]
    path = list(first["loc"])
    key = str(path[-1]) if path else ""
    place = f"{where}: {_section(path, body)}"
    if first["type"] == "extra_forbidden":
        known = list(_table(path[:-1]).model_fields)
        message = unknown_name_message(f"{place}key", key, known)
    elif first["type"] == "missing":
        message = f"{place}needs the key `{key}`."
    else:
        message = f"{place}`{key}` is {first['input']!r}: {first['msg'].lower()}."
    return message + (f" ({len(errors) - 1} more after this one.)" if len(errors) > 1 else "")


def _section(path: list[str | int], body: dict[str, Any]) -> str:
    """`rule NAME: any_of number 2: `, from the path of an error."""
    words: list[str] = []
    for part, inner in pairwise(path):
        if part == "rules" and isinstance(inner, int):
            rule = body["rules"][inner]
            name = rule.get("name") if isinstance(rule, dict) else None
            words.append(f"rule {name or f'number {inner + 1}'}")
        elif part in ("facts", "drugs"):
            words.append(f"{part} {inner}")
        elif isinstance(part, str) and part in _TABLES:
            words.append(f"{part} number {inner + 1}" if isinstance(inner, int) else part)
    return "".join(f"{word}: " for word in words)


def _table(path: list[str | int]) -> type[BaseModel]:
    named = [part for part in path if isinstance(part, str) and part in _TABLES]
    return _TABLES[named[-1]] if named else PackFile
