"""The columns of a table and their cells, as a new project sees them."""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from posology.errors import UserError
from posology.records.sources.tables.column_kinds import Column, describe_column
from posology.records.sources.tables.dialect import Dialect, find_dialect
from posology.records.sources.tables.number_marks import plain_number
from posology.records.sources.tables.suggest import check_is_table, mark_of, read_sample
from posology.workflows.new.request import check_known

ROWS = 100_000
"""Rows that are read to describe the columns (our choice)."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table's first rows, by column."""

    path: Path
    dialect: Dialect
    columns: tuple[Column, ...]
    cells: dict[str, tuple[str, ...]]
    """Of each column; empty where `missing` of a Column says that nothing is known."""

    @property
    def mark(self) -> str:
        """The decimal mark of the file: with a comma `5.400` is 5400, as at ingest."""
        return mark_of(self.dialect, self.columns)

    def column(self, name: str, option: str) -> Column:
        """The column of this name; UserError with the nearest one, if there is none."""
        check_known(f"{option}: column", name, tuple(self.cells))
        return next(column for column in self.columns if column.name == name)

    def filled(self, name: str) -> tuple[str, ...]:
        """The cells of a column that are not empty."""
        return tuple(cell for cell in self.cells[name] if cell)

    def values(self, name: str) -> tuple[str, ...]:
        """Distinct values of a column, the most frequent first."""
        return tuple(value for value, _ in Counter(self.filled(name)).most_common())

    def spellings(self, name: str, value: str) -> list[str]:
        """The values of a column that differ from this one at most in case."""
        return [known for known in self.values(name) if known.casefold() == value.casefold()]

    def different_rows(self, name: str) -> list[str]:
        """The cells of a column that are not empty, of rows that stand twice once."""
        rows = dict.fromkeys(zip(self.cells[name], *self.cells.values(), strict=True))
        return [cell for cell, *_ in rows if cell]

    def numbers(self, name: str) -> list[float]:
        """The cells of a column that are numbers."""
        mark = self.column(name, "column").marks[0] or self.mark
        cells = (_as_number(cell, mark) for cell in self.filled(name))
        return [number for number in cells if number is not None]

    def numbers_where(self, name: str, other: str, value: str) -> list[float]:
        """The same of the rows in which another column has this value, in any case."""
        pairs = zip(self.cells[name], self.cells[other], strict=True)
        spellings = self.spellings(other, value)
        mark = self.column(name, "column").marks[0] or self.mark
        cells = (_as_number(cell, mark) for cell, at in pairs if at in spellings)
        return [number for number in cells if number is not None]

    def days_between(self, start: str, end: str) -> list[int]:
        """Days from one column of dates to another, of the rows that have both."""
        kinds = {column.name: column for column in self.columns}
        pairs = (
            (_as_day(a, kinds[start]), _as_day(b, kinds[end]))
            for a, b in zip(self.cells[start], self.cells[end], strict=True)
        )
        return [(b - a).days for a, b in pairs if a is not None and b is not None]

    def last_day(self) -> date:
        """The latest date in the table."""
        dates = [column for column in self.columns if column.kind == "date"]
        days = [_as_day(cell, column) for column in dates for cell in self.filled(column.name)]
        return max(day for day in days if day is not None)


def read_table(path: Path) -> Table:
    """The table of a file; RecordError if it cannot be read."""
    if path.is_dir():
        raise UserError(f"--path {path}: is a folder; --data csv needs one file, a row a patient.")
    check_is_table(path)
    dialect = find_dialect(path)
    names, rows = read_sample(path, dialect, ROWS)
    for name in names:
        if re.search(r"[{}]|//", name) or not name:
            raise UserError(
                f"{path}: rename the column {name!r}: templates use braces, codes use //."
            )
    whole = [row for row in rows if len(row) == len(names)]
    cells = {name: tuple(row[at].strip() for row in whole) for at, name in enumerate(names)}
    columns = tuple(describe_column(name, cells[name]) for name in names)
    marks = {mark for column in columns for mark in column.missing}
    known = {
        name: tuple("" if cell in marks else cell for cell in own) for name, own in cells.items()
    }
    return Table(path, dialect, columns, known)


def _as_number(cell: str, mark: str) -> float | None:
    """A number, also with a decimal comma, and 5 of `<5`, as at ingest; None for anything else."""
    try:
        return float(plain_number(cell, mark).lstrip("<>≤≥= "))
    except ValueError:
        return None


def _as_day(cell: str, column: Column) -> date | None:
    try:
        if column.formats:
            return datetime.strptime(cell, column.formats[0]).date()  # noqa: DTZ007
        return date.fromisoformat(cell[:10])
    except ValueError:
        return None
