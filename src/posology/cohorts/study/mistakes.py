"""A study file's mistakes, told so that they can be mended: line, place, value, nearest key."""

import difflib
import re
import types
import typing

from pydantic import BaseModel, ValidationError

from posology.cohorts.study.schema import StudySection


def describe_first_error(error: ValidationError, text: str, where: str) -> str:
    """One paragraph on the first mistake, and how many more there are."""
    # A misspelt key also makes the right one missing: tell the misspelling.
    mistakes = sorted(error.errors(), key=lambda m: m["type"] != "extra_forbidden")
    first = mistakes[0]
    path = [p for p in first["loc"] if not (isinstance(p, str) and p.startswith("function-"))]
    key = str(path[-1]) if path else ""
    place = f"{where}{_line(text, path)}: {_section(path)}"
    if first["type"] == "extra_forbidden":
        told = unknown_name_message(f"{place} key", key, _keys_at(path[:-1]))
    elif first["type"] == "missing":
        told = f"{place} needs the key `{key}`."
    else:
        told = f"{place} `{key}` is {first['input']!r}: {first['msg'].lower()}."
    return told + (f" ({len(mistakes) - 1} more after this one.)" if len(mistakes) > 1 else "")


def unknown_name_message(place: str, name: str, known: list[str]) -> str:
    """What to say of a name nobody knows, with the nearest known one."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    mend = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(sorted(known))}."
    return f"{place} `{name}` is unknown; {mend}"


def add_line_number(told: str, text: str, where: str) -> str:
    """The same mistake with the line it stands on, where that can be found."""
    rest = told.removeprefix(f"{where}: ")
    if rest == told:
        return told
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    named = re.match(r"(?:treatment|rule|dose of|target) (\w+)", rest)
    headed = re.match(r"\[+([\w.]+)\]", rest)
    start = None
    if named:
        start = _first(lines, rf'name = "{re.escape(named[1])}"$', 0)
    elif headed:
        start = _first(lines, rf"\[+{re.escape(headed[1])}\]+$", 0)
    if start is None:
        return told
    key = re.search(r"`(\w+)`|\] (\w+):", rest)
    at = _first(lines, rf"{key[1] or key[2]}\b", start) if key else None
    end = _first(lines, r"\[", start + 1)
    at = start if at is None or (end is not None and at > end) else at
    return f"{where}:{at + 1}: {rest}"


def _first(lines: list[str], pattern: str, start: int) -> int | None:
    found = (i for i in range(start, len(lines)) if re.match(pattern, lines[i]))
    return next(found, None)


def _section(path: list[str | int]) -> str:
    """The TOML heading of a path: [decision], [[treatments]] 2."""
    if len(path) <= 1:
        return "top level:"
    names = [str(p) for p in path[:-1] if isinstance(p, str)]
    counts = [p + 1 for p in path[:-1] if isinstance(p, int)]
    if counts:
        return f"[[{'.'.join(names)}]] number {counts[0]}:"
    return f"[{'.'.join(names)}]"


def _line(text: str, path: list[str | int]) -> str:
    """`:12` where the key can be found below its heading."""
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
    found = [_table_in(argument) for argument in typing.get_args(annotation)]
    return next((table for table in found if table is not None), None)
