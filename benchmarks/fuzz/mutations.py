"""Ways to damage bytes, cells, JSON and TOML; each takes and returns the content."""

import copy
import json
import random
from typing import Any

ODD = (
    *("", " ", "nan", "NaN", "inf", "-Infinity", "1e400", "1e38", "5e38", "-0", "0x10", "1_000"),
    *("9" * 20, "9" * 400, "-9223372036854775809", "0.1.2", "1,5", "<5", "true", "null", "[]"),
    *("2020-02-30", "0000", "10000-01-01", "9999-12-31T23:59:59-12:00", "20200101", "31.12.2020"),
    *("a" * 5_000, "\x00", "\ufffd", "é", "😀", "'", '"', "\\", "{", "}", "{x}", "//", "\t", "\r"),
    *("../../x", "$(id)", "%s%n", "; DROP TABLE events", "-1", "1e-320", "🏥//x", "LAB//"),
)
"""Cells and values that programs stumble over."""
ODD_JSON: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**63, 10**30, 1e308, 1.5, [], {}, [[]], [None], {"a": {}}),
    *({"value": None}, [{"coding": None}], "x" * 3_000),
    *ODD,
)


def of_bytes(data: bytes, chosen: random.Random) -> bytes:
    """A flipped bit, a lost, doubled or foreign piece, or a cut."""
    if not data:
        return b"\x00"
    kind, at = chosen.randrange(6), chosen.randrange(len(data))
    end = min(len(data), at + chosen.choice([1, 2, 7, 60, 500]))
    if kind == 0:
        return data[:at] + bytes([data[at] ^ (1 << chosen.randrange(8))]) + data[at + 1 :]
    if kind == 1:
        return data[:at] + data[end:]
    if kind == 2:
        return data[:end] + data[at:]
    if kind == 3:
        return data[:at]
    if kind == 4:
        return data[:at] + chosen.choice(ODD).encode() + data[at:]
    return data[:at] + bytes(chosen.randrange(256) for _ in range(end - at)) + data[end:]


def flip(data: bytes, chosen: random.Random) -> bytes:
    """The data with one bit flipped."""
    at = chosen.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << chosen.randrange(8))]) + data[at + 1 :]


def of_cells(rows: list[list[str]], chosen: random.Random) -> list[list[str]]:
    """Some cells are odd, or of another row or column."""
    rows = [list(row) for row in rows]
    for _ in range(chosen.choice([1, 1, 3, 20])):
        row = chosen.choice(rows)
        row[chosen.randrange(len(row))] = chosen.choice([*ODD, chosen.choice(chosen.choice(rows))])
    return rows


def of_json(value: Any, chosen: random.Random) -> Any:
    """One value somewhere is odd, gone, doubled or renamed."""
    value = copy.deepcopy(value)
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key in node if isinstance(node, dict) else range(len(node)):
            places.append((node, key))
            if isinstance(node[key], dict | list):
                walk(node[key])

    walk(value)
    for _ in range(chosen.choice([1, 1, 3])):
        node, key = chosen.choice(places)
        kind = chosen.randrange(4)
        try:
            if kind == 0:
                del node[key]
            elif kind == 1 and isinstance(node, dict):
                node[chosen.choice(ODD)] = node.pop(key)
            elif kind == 2 and isinstance(node, list):
                node.append(copy.deepcopy(node[key]))
            else:
                node[key] = copy.deepcopy(chosen.choice(ODD_JSON))
        except (KeyError, IndexError):
            continue
    return value


def json_text(value: Any, chosen: random.Random) -> str:
    """The value as JSON, now and then with what JSON allows and no program likes."""
    text = json.dumps(value)
    kind = chosen.randrange(12)
    if kind == 0:
        return text.replace('"', '"\\ud800', 1)
    if kind == 1:
        return "[" * 3_000 + text + "]" * 3_000
    if kind == 2:
        return text.replace("1", "1e999", 1)
    if kind == 3 and text.startswith("{"):
        return '{"resourceType": "Patient", ' + text[1:]
    return text


def of_toml(text: str, chosen: random.Random) -> str:
    """A line is gone, doubled, elsewhere, or has another key or value."""
    lines = text.splitlines()
    for _ in range(chosen.choice([1, 1, 2])):
        filled = [at for at, line in enumerate(lines) if line.strip() and line.strip()[0] != "#"]
        at, other = chosen.choice(filled), chosen.choice(filled)
        kind = chosen.randrange(6)
        if kind == 0:
            del lines[at]
        elif kind == 1:
            lines.insert(other, lines[at])
        elif kind == 2 and "=" in lines[at]:
            value = chosen.choice(["nan", "1e999", "9" * 30, "[]", "{}", '""', "'x'", "true", "-1"])
            lines[at] = f"{lines[at].partition('=')[0]}= {value}"
        elif kind == 3 and "=" in lines[at] and "=" in lines[other]:
            key, value = lines[at].partition("=")[0], lines[other].partition("=")[2]
            lines[at] = f"{key}={value}"
        elif kind == 4 and "=" in lines[at]:
            odd = json.dumps(chosen.choice(ODD), ensure_ascii=False)
            lines[at] = f"{lines[at].partition('=')[0]}= {odd}"
        else:
            return of_bytes("\n".join(lines).encode(), chosen).decode("utf-8", "replace")
    return "\n".join(lines) + "\n"
