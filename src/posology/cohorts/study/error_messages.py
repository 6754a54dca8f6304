"""Error messages for study files: line, table, value, and the nearest valid name."""

import difflib
import re
import types
import typing

from pydantic import BaseModel, ValidationError

from posology.cohorts.study.schema import StudySection

RENAMED = {
    "competing_means": 'the key is now `competing_as`; write "failure" where it was "ineffective" '
    'and "cause_specific" where it was "censored".'
}
"""Keys of older study files, and what to write instead."""


def describe_first_error(error: ValidationError, text: str, where: str) -> str:
    """Message for the first error, with the number of further errors."""
    # A misspelt key also makes the right one missing: report the misspelling first.
    errors = sorted(error.errors(), key=lambda m: m["type"] != "extra_forbidden")
    first = errors[0]
    path = [p for p in first["loc"] if not (isinstance(p, str) and p.startswith("function-"))]
    key = str(path[-1]) if path else ""
    place = f"{where}{_line(text, path)}: {_section(path)}"
    if first["type"] == "extra_forbidden" and key in RENAMED:
        message = f"{place} `{key}` = {first['input']!r}: {RENAMED[key]}"
    elif first["type"] == "extra_forbidden":
        message = unknown_name_message(f"{place} key", key, _keys_at(path[:-1]))
    elif first["type"] == "missing":
        message = f"{place} needs the key `{key}`."
    else:
        message = f"{place} `{key}` is {first['input']!r}: {first['msg'].lower()}."
    return message + (f" ({len(errors) - 1} more after this one.)" if len(errors) > 1 else "")


def unknown_name_message(place: str, name: str, known: list[str]) -> str:
    """Message for an unknown name, with the nearest known one."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(sorted(known))}."
    return f"{place} `{name}` is unknown; {hint}"


def add_line_number(message: str, text: str, where: str) -> str:
    """The message with the line number of its table or key, if it can be located."""
    rest = message.removeprefix(f"{where}: ")
    if rest == message:
        return message
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    by_name = re.match(r"(?:treatment|rule|dose of|target) (\w+)", rest)
    by_heading = re.match(r"\[+([\w.]+)\]", rest)
    start = None
    if by_name:
        start = _first(lines, rf'name = "{re.escape(by_name[1])}"$', 0)
    elif by_heading:
        start = _first(lines, rf"\[+{re.escape(by_heading[1])}\]+$", 0)
    if start is None:
        return message
    key = re.search(r"`(\w+)`|\] (\w+):", rest)
    line = _first(lines, rf"{key[1] or key[2]}\b", start) if key else None
    end = _first(lines, r"\[", start + 1)
    line = start if line is None or (end is not None and line > end) else line
    return f"{where}:{line + 1}: {rest}"


def _first(lines: list[str], pattern: str, start: int) -> int | None:
    matches = (i for i in range(start, len(lines)) if re.match(pattern, lines[i]))
    return next(matches, None)


def _section(path: list[str | int]) -> str:
    """The TOML heading of a path: [decision], [[treatments]] number 2."""
    if len(path) <= 1:
        return "top level:"
    names = [str(p) for p in path[:-1] if isinstance(p, str)]
    counts = [p + 1 for p in path[:-1] if isinstance(p, int)]
    if counts:
        return f"[[{'.'.join(names)}]] number {counts[0]}:"
    return f"[{'.'.join(names)}]"


def _line(text: str, path: list[str | int]) -> str:
    """`:12`, the line of the key below its heading; \"\" if it cannot be located."""
    lines = text.splitlines()
    heading, nth = str(path[0]) if path else "", next((p for p in path if isinstance(p, int)), 0)
    start = 0
    if len(path) > 1:
        heads = [i for i, line in enumerate(lines) if line.strip().strip("[]").strip() == heading]
        start = heads[min(nth, len(heads) - 1)] if heads else 0
    key = str(path[-1]) if path else ""
    for number in range(start, len(lines)):
        if key and key in lines[number].split("#")[0].replace('"', ""):
            return f":{number + 1}"
    return f":{start + 1}" if start else ""


def _keys_at(path: list[str | int]) -> list[str]:
    """Valid keys of the table at a path of the schema."""
    model: type[BaseModel] = StudySection
    for part in path:
        if isinstance(part, str) and part in model.model_fields:
            inner = _table_in(model.model_fields[part].annotation)
            if inner is None:
                return []
            model = inner
    return list(model.model_fields)


def _table_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    tables = [_table_in(argument) for argument in typing.get_args(annotation)]
    return next((table for table in tables if table is not None), None)
