"""Load mapping files (TOML) strictly: an unknown key is an error that names the nearest one."""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar, get_args, get_origin, get_type_hints

from posology.errors import RecordError
from posology.records.io.documents import parse_toml

Settings = TypeVar("Settings")


def load_settings(path: str | Path, kind: type[Settings]) -> Settings:
    """The content of a TOML file as this dataclass; RecordError names the file and the key."""
    from pydantic import TypeAdapter, ValidationError

    path = Path(path)
    try:
        content = parse_toml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # of UTF-8, too
        raise RecordError(f"{path}: is not TOML in UTF-8: {error}") from error
    _check_keys(path, (), content, kind)
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        own = first.get("ctx", {}).get("error")  # of the dataclass itself
        if isinstance(own, ValueError):
            raise RecordError(f"{path}: {_place(first['loc'])}{own}") from error
        stated = repr(first["input"])[:200]
        wanted = "Input should be a list, as [..]" if "tuple" in first["type"] else first["msg"]
        raise RecordError(f"{path}: {_place(first['loc'])}{wanted}, not {stated}") from error


def _place(parts: Sequence[str | int]) -> str:
    """`event 2: unit: ` of ("event", 1, "unit"): tables are numbered from 1, as everywhere."""
    text = ""
    for part in parts:
        text += f" {part + 1}" if isinstance(part, int) else f"{': ' if text else ''}{part}"
    return f"{text}: " if text else ""


def _check_keys(path: Path, place: tuple[str | int, ...], content: object, kind: object) -> None:
    """Raise RecordError at the first key of `content` that is no field of its dataclass."""
    inner = [kind, *get_args(kind)]
    shape = next((k for k in inner if is_dataclass(k)), None)
    if shape is None:
        return
    if isinstance(content, dict) and get_origin(kind) is dict:  # dict[str, Shape]
        for key, value in content.items():
            _check_keys(path, (*place, key), value, shape)
    elif isinstance(content, list):
        for number, value in enumerate(content):
            _check_keys(path, (*place, number), value, shape)
    elif isinstance(content, dict):
        known = [field.name for field in fields(shape)]
        hints = get_type_hints(shape)
        for key, value in content.items():
            if key not in known:
                near = get_close_matches(key, known, 1, cutoff=0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
                raise RecordError(f"{path}: {_place(place)}unknown key {key!r}; {hint}")
            _check_keys(path, (*place, key), value, hints[key])
