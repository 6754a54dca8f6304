"""What the header of a table shows about a mistake: a wrong delimiter, no header, a wide table."""

import re
from collections.abc import Sequence
from pathlib import Path

from posology.errors import RecordError

SHOWN = 20
"""Columns that an error lists (our choice)."""
WIDE = 40
"""Columns from which a table probably has one column per measurement (our choice)."""
_DATA = re.compile(r"[-+]?[0-9]+([.,:/-][0-9]+)*|")
"""A number, a date, or nothing: no name of a column."""


def describe_columns(columns: Sequence[str]) -> str:
    """The columns, and the likeliest mistake, for an error about one that is missing.

    The first line of a file without a header is a patient's data: it is not shown.
    """
    if len(columns) == 1:
        for delimiter, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "|"), (",", "commas")):
            if delimiter in columns[0]:
                return f"its one column has {name} in its name: they probably separate the cells"
    if sum(_DATA.fullmatch(name.strip()) is not None for name in columns) * 3 >= len(columns):
        return (
            "its first line looks like data, not like names of columns; put the names of the "
            "columns into the first line"
        )
    listed = ", ".join(repr(name[:60]) for name in columns[:SHOWN])
    if len(columns) > SHOWN:
        listed += f" and {len(columns) - SHOWN} more"
    text = f"its columns are {listed}"
    if any("\ufffd" in name for name in columns):
        text += "; it is not UTF-8: convert it, or state its `encoding` in a mapping file"
    if len(columns) >= WIDE:
        text += (
            "; so wide a table has a column for each measurement: each needs an [[event]], which "
            "`posology ingest --suggest FILE` writes"
        )
    return text


def named_columns(path: Path, header: Sequence[str]) -> list[str]:
    """The names of a table's first line; a cell without one, such as after the last separator, is
    named by its place.

    RecordError if most are empty: then the line is a title above the names.
    """
    names = [name.strip() for name in header]
    empty = names.count("")
    if len(names) > 2 and 2 * empty > len(names):
        raise RecordError(
            f"{path}: {empty} of the {len(names)} cells of its first line are empty: it looks like "
            "a title; delete the lines above the names of the columns"
        )
    return [name or f"column_{place}" for place, name in enumerate(names, start=1)]
