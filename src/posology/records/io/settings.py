"""Mapping files in TOML, checked strictly: an unknown key is an error that names the nearest."""

import tomllib
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar, get_args, get_type_hints

from posology.errors import RecordError

Settings = TypeVar("Settings")


def load_settings(path: str | Path, kind: type[Settings]) -> Settings:
    """The settings that a TOML file states, as the dataclass asked for.

    Raises RecordError with the file, the key and the mend.
    """
    from pydantic import TypeAdapter, ValidationError

    path = Path(path)
    try:
        stated = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecordError(f"{path}: is not TOML in UTF-8: {error}") from error
    _refuse_unknown(path, "", stated, kind)
    try:
        return TypeAdapter(kind).validate_python(stated)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RecordError(f"{path}: {place}: {first['msg']}, not {first['input']!r}") from error


def _refuse_unknown(path: Path, place: str, stated: object, kind: object) -> None:
    """Walks the dataclasses beside the stated tables."""
    inner = [kind, *get_args(kind)]
    shape = next((k for k in inner if is_dataclass(k)), None)
    if shape is None:
        return
    if isinstance(stated, dict) and kind is not shape:  # dict[str, Shape]
        for key, value in stated.items():
            _refuse_unknown(path, f"{place}{key}.", value, shape)
    elif isinstance(stated, list):
        for number, value in enumerate(stated):
            _refuse_unknown(path, f"{place}{number}.", value, shape)
    elif isinstance(stated, dict):
        known = [field.name for field in fields(shape)]
        hints = get_type_hints(shape)
        for key, value in stated.items():
            if key not in known:
                near = get_close_matches(key, known, 1, cutoff=0.5)
                mend = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
                raise RecordError(f"{path}: unknown key {place + key!r}; {mend}")
            _refuse_unknown(path, f"{place}{key}.", value, hints[key])
